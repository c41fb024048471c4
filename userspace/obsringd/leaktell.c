// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <obsring.h>
#include <obsring/name.h>

#include "leaktell.h"
#include "log.h"

#define SERVICE		"obsringd"
#define WARNING		4	/* syslog's */
#define NOTICE		5
#define FIELDS_MAX	10

/* A record in the making: fields with values of their own. */
struct record {
	struct obs_log_field field[FIELDS_MAX];
	char value[FIELDS_MAX][OBSRING_STACK_MAX];
	unsigned int nr;
	char message[512];
};

static void field(struct record *record, const char *key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void field(struct record *record, const char *key, const char *format, ...)
{
	char *value = record->value[record->nr];
	va_list arguments;

	if (record->nr == FIELDS_MAX)
		return;
	va_start(arguments, format);
	vsnprintf(value, sizeof(record->value[0]), format, arguments);
	va_end(arguments);
	record->field[record->nr++] = (struct obs_log_field){ .key = key, .value = value };
}

static const char *key_of(const struct record *record, unsigned int i)
{
	return i < record->nr ? record->field[i].key : NULL;
}

/* The daemon's own log takes pairs: those behind the last one have no key. */
static void tell_own(enum log_level level, const struct record *record)
{
#define PAIR(i) key_of(record, i), record->value[i]
	log_event(level, record->message, PAIR(0), PAIR(1), PAIR(2), PAIR(3), PAIR(4),
		  PAIR(5), PAIR(6), PAIR(7), PAIR(8), PAIR(9), NULL);
#undef PAIR
}

/* Opened for this record alone: an open device can't be unloaded. */
static void tell_device(const char *device, unsigned int level,
			const struct record *record)
{
	struct obs_log_writer *writer;
	int r = obs_log_writer_open(device, SERVICE, &writer);

	if (!r) {
		r = obs_log_write(writer, level, NULL, record->field, record->nr,
				  record->message);
		obs_log_writer_close(writer);
	}
	if (r < 0)
		log_event(LEVEL_WARN, "can't write to the device's log", "device", device,
			  "reason", strerror(-r), NULL);
}

static void tell(const char *device, bool bad, const struct record *record)
{
	tell_own(bad ? LEVEL_WARN : LEVEL_INFO, record);
	tell_device(device, bad ? WARNING : NOTICE, record);
}

/* ---- Leaks --------------------------------------------------------------- */

void leaktell_comm(const struct leak_subject *subject, char *buffer, size_t size)
{
	const char *at = subject->comm;
	unsigned int len;
	size_t used = 0;
	__u32 c;

	for (; *at && used + 4 < size; at += len) {
		len = obs_utf8_decode(at, &c);
		if (!len || c < ' ' || c == 0x7f) {
			buffer[used++] = '?';
			len = len ? len : 1;
			continue;
		}
		memcpy(buffer + used, at, len);
		used += len;
	}
	buffer[used] = '\0';
}

/* "threads of NAME (123)", "slab of the machine" */
static void name_of(const struct leak_subject *subject, enum leak_resource resource,
		    char *buffer, size_t size)
{
	const char *what = leak_resource_name(subject, resource);
	char comm[sizeof(subject->comm) + 4];

	leaktell_comm(subject, comm, sizeof(comm));
	if (subject->pid)
		snprintf(buffer, size, "%s of %s (%" PRIu32 ")", what, comm, subject->pid);
	else
		snprintf(buffer, size, "%s of the machine", what);
}

static void subject_fields(struct record *record, const struct leak_subject *subject,
			   enum leak_resource resource)
{
	char comm[sizeof(subject->comm) + 4];

	field(record, "resource", "%s", leak_resource_name(subject, resource));
	if (!subject->pid)
		return;
	leaktell_comm(subject, comm, sizeof(comm));
	field(record, "leak_pid", "%" PRIu32, subject->pid);
	field(record, "leak_comm", "%s", comm);
}

static const char *unit_of(enum leak_resource resource)
{
	return resource == LEAK_MEMORY || resource == LEAK_SLAB ? " bytes" : "";
}

void leaktell_alarm(const char *device, const struct leak_subject *subject,
		    enum leak_resource resource, const struct leaknote *note)
{
	const struct leak_series *series = &subject->series[resource];
	struct record record = { .nr = 0 };
	char name[128];

	name_of(subject, resource, name, sizeof(name));
	field(&record, "event", "leak");
	subject_fields(&record, subject, resource);
	field(&record, "kind", "%s", leaknote_kind_name(note));
	field(&record, "growth_per_second", "%.3f", series->trend.slope);
	field(&record, "value", "%" PRIu64, series->mark[LEAK_MARKS - 1]);
	if (leaknote_kind(note) == LEAK_BLOCKS) {
		field(&record, "sleep_more", "%u", leaknote_more(note));
		field(&record, "stack", "%s", leaknote_stack(note));
	}
	snprintf(record.message, sizeof(record.message),
		 "a leak: %s rise by %.3g%s a second%s%.200s", name, series->trend.slope,
		 unit_of(resource),
		 leaknote_kind(note) == LEAK_BLOCKS ? "; more and more sleep in " : "",
		 leaknote_kind(note) == LEAK_BLOCKS ? leaknote_stack(note) : "");
	tell(device, true, &record);
}

void leaktell_clear(const char *device, const struct leak_subject *subject,
		    enum leak_resource resource, enum leak_end end)
{
	static const char *const word[] = {
		[LEAK_RELEASED] = "released",
		[LEAK_STOPPED] = "stopped",
		[LEAK_ENDED] = "ended",
	};
	struct record record = { .nr = 0 };
	char name[128];

	name_of(subject, resource, name, sizeof(name));
	field(&record, "event", "leak_end");
	subject_fields(&record, subject, resource);
	field(&record, "end", "%s", word[end]);
	snprintf(record.message, sizeof(record.message), "no leak any more: %s: %s", name,
		 word[end]);
	tell(device, false, &record);
}

/* ---- Memory pressure ----------------------------------------------------- */

static double percent(uint64_t before_us, uint64_t now_us, uint64_t ns)
{
	return ns ? (double)(now_us - before_us) * 1000 * 100 / ns : 0;
}

bool leaktell_pressure(const char *device, bool pressed,
		       const struct machine_pressure *before,
		       const struct machine_pressure *now, uint64_t ns)
{
	double waiting = percent(before->waiting_us, now->waiting_us, ns);
	double stalled = percent(before->stalled_us, now->stalled_us, ns);
	uint64_t reclaims = now->reclaims - before->reclaims;
	uint64_t compactions = now->compactions - before->compactions;
	struct record record = { .nr = 0 };

	if (pressed ? waiting >= 5 : waiting < 10)
		return pressed;
	field(&record, "event", pressed ? "memory_pressure_end" : "memory_pressure");
	field(&record, "waiting_percent", "%.1f", waiting);
	field(&record, "stalled_percent", "%.1f", stalled);
	field(&record, "reclaims", "%" PRIu64, reclaims);
	field(&record, "compactions", "%" PRIu64, compactions);
	field(&record, "oom_kills", "%" PRIu64, now->oom_kills - before->oom_kills);
	snprintf(record.message, sizeof(record.message),
		 "memory pressure%s: tasks waited for memory %.1f %% of %.3g s, all of them %.1f %%; %" PRIu64
		 " allocations reclaimed, %" PRIu64 " compacted",
		 pressed ? " is over" : "", waiting, ns / 1e9, stalled, reclaims, compactions);
	tell(device, !pressed, &record);
	return !pressed;
}
