// SPDX-License-Identifier: MIT
#define _GNU_SOURCE	/* ppoll */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <obsring.h>

#include "leaknote.h"
#include "leaktell.h"
#include "leakwatch.h"
#include "log.h"

#define NS_PER_S	1000000000ULL

const char *const leak_label_name[LEAK_LABEL_NR] = {
	[LEAK_LABEL_TASKS] = "tasks",
	[LEAK_LABEL_THREADS] = "threads",
	[LEAK_LABEL_FILES] = "open_files",
	[LEAK_LABEL_MEMORY] = "rss",
	[LEAK_LABEL_SLAB] = "slab",
	[LEAK_LABEL_STACKS] = "stacks",
};

const char *const leak_alarm_kind[2 * LEAK_ALARM_KINDS] = {
	"tasks", "allocates", "tasks", "blocks", "tasks", "unavailable",
	"threads", "allocates", "threads", "blocks", "threads", "unavailable",
	"open_files", "allocates", "rss", "allocates", "slab", "allocates",
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static enum leak_label label_of(const struct leak_subject *subject,
				enum leak_resource resource)
{
	static const enum leak_label label[LEAK_RESOURCE_NR] = {
		[LEAK_TASKS] = LEAK_LABEL_TASKS,
		[LEAK_FILES] = LEAK_LABEL_FILES,
		[LEAK_MEMORY] = LEAK_LABEL_MEMORY,
		[LEAK_SLAB] = LEAK_LABEL_SLAB,
	};

	return resource == LEAK_TASKS && subject->pid ? LEAK_LABEL_THREADS : label[resource];
}

static unsigned int raised_index(enum leak_label label, enum leak_kind kind)
{
	if (label <= LEAK_LABEL_THREADS)
		return label * LEAK_KIND_NR + kind;
	return 2 * LEAK_KIND_NR + label - LEAK_LABEL_FILES;
}

/* ---- What the judge says ------------------------------------------------- */

static void suspected(void *context, struct leak_subject *subject,
		      enum leak_resource resource)
{
	const struct leakwatch *watch = context;

	subject->note[resource] = leaknote_new();
	if (resource == LEAK_TASKS)
		leaknote_suspect(subject->note[resource], watch->device_fd, subject->pid);
}

static void alarmed(void *context, struct leak_subject *subject, enum leak_resource resource)
{
	struct leakwatch *watch = context;
	struct leaknote *note = subject->note[resource];
	enum leak_label label = label_of(subject, resource);

	if (resource == LEAK_TASKS)
		leaknote_alarm(note, watch->device_fd, subject->pid);
	pthread_mutex_lock(&watch->lock);
	watch->counts.alarms[label]++;
	watch->counts.raised[raised_index(label, leaknote_kind(note))]++;
	pthread_mutex_unlock(&watch->lock);
	leaktell_alarm(watch->config.device, subject, resource, note);
}

static void cleared(void *context, struct leak_subject *subject, enum leak_resource resource,
		    bool told, enum leak_end end)
{
	struct leakwatch *watch = context;

	if (told) {
		pthread_mutex_lock(&watch->lock);
		watch->counts.alarms[label_of(subject, resource)]--;
		pthread_mutex_unlock(&watch->lock);
		leaktell_clear(watch->config.device, subject, resource, end);
	}
	free(subject->note[resource]);
	subject->note[resource] = NULL;
}

/* ---- Rows ---------------------------------------------------------------- */

struct rows {
	struct leakwatch_row row[LEAKWATCH_ROWS];
	double worry[LEAKWATCH_ROWS];
	unsigned int nr;
};

/* Alarms before suspicions, then what grows fastest for its size. */
static double worry_of(const struct leak_series *series)
{
	double level = (double)series->mark[LEAK_MARKS - 1] + 1;

	return (series->state == LEAK_ALARM) * 1e18 + series->trend.slope / level;
}

static void row_fill(struct leakwatch_row *row, const struct leak_subject *subject,
		     enum leak_resource resource)
{
	const struct leak_series *series = &subject->series[resource];
	const struct leaknote *note = subject->note[resource];
	bool alarm = series->state == LEAK_ALARM;

	memset(row, 0, sizeof(*row));
	snprintf(row->resource, sizeof(row->resource), "%s",
		 leak_resource_name(subject, resource));
	if (subject->pid)
		snprintf(row->pid, sizeof(row->pid), "%" PRIu32, subject->pid);
	leaktell_comm(subject, row->comm, sizeof(row->comm));
	snprintf(row->state, sizeof(row->state), "%s", alarm ? "leak" : "suspect");
	snprintf(row->kind, sizeof(row->kind), "%s", alarm ? leaknote_kind_name(note) : "");
	snprintf(row->stack, sizeof(row->stack), "%s", alarm ? leaknote_stack(note) : "");
	row->milli_per_s = (uint64_t)llround(fmin(series->trend.slope * 1000, 1e18));
}

static void row_take(void *arg, struct leak_subject *subject, enum leak_resource resource)
{
	struct rows *rows = arg;
	double worry = worry_of(&subject->series[resource]);
	unsigned int at = rows->nr;

	while (at && rows->worry[at - 1] < worry)
		at--;
	if (at == LEAKWATCH_ROWS)
		return;
	if (rows->nr < LEAKWATCH_ROWS)
		rows->nr++;
	memmove(&rows->row[at + 1], &rows->row[at],
		(rows->nr - at - 1) * sizeof(rows->row[0]));
	memmove(&rows->worry[at + 1], &rows->worry[at],
		(rows->nr - at - 1) * sizeof(rows->worry[0]));
	row_fill(&rows->row[at], subject, resource);
	rows->worry[at] = worry;
}

/* All but the number. */
static bool same_labels(const struct leakwatch_row *a, const struct leakwatch_row *b)
{
	return !memcmp(a, b, offsetof(struct leakwatch_row, milli_per_s));
}

static void rows_show(struct leakwatch *watch, const struct rows *rows)
{
	bool same = watch->nr_rows == rows->nr;
	unsigned int i;

	for (i = 0; i < rows->nr && same; i++)
		same = same_labels(&watch->row[i], &rows->row[i]);
	memcpy(watch->row, rows->row, rows->nr * sizeof(rows->row[0]));
	watch->nr_rows = rows->nr;
	watch->epoch += !same;
}

/* ---- Memory pressure ----------------------------------------------------- */

static void pressure_read(struct leakwatch *watch, uint64_t now_ns)
{
	machine_read_pressure(&watch->machine, &watch->pressure);
	watch->pressure_ns = now_ns;
}

/* Once a mark, of that mark, or of a second and more where marks are shorter. */
static void pressure_judge(struct leakwatch *watch, uint64_t now_ns)
{
	if (now_ns - watch->before_ns < LEAKWATCH_PRESSURE_NS)
		return;
	pressure_read(watch, now_ns);
	if (watch->before_ns && watch->pressure.has_waits && watch->before.has_waits)
		watch->pressed = leaktell_pressure(watch->config.device, watch->pressed,
						   &watch->before, &watch->pressure,
						   now_ns - watch->before_ns);
	watch->before = watch->pressure;
	watch->before_ns = now_ns;
}

/* With the lock. */
static void pressure_show(struct leakwatch_counts *counts, const struct machine_pressure *p)
{
	counts->pressure_available = p->has_waits;
	counts->waiting_us = p->waiting_us;
	counts->stalled_us = p->stalled_us;
	counts->reclaims = p->reclaims;
	counts->compactions = p->compactions;
	counts->compaction_failures = p->compaction_failures;
}

/* ---- Samples ------------------------------------------------------------- */

static int take_process(const struct obsring_process *process, void *arg)
{
	leak_process(arg, process);
	return 0;
}

static void publish(struct leakwatch *watch, const bool available[LEAK_LABEL_NR],
		    const struct rows *rows, uint64_t cpu_ns)
{
	struct leakwatch_counts *counts = &watch->counts;
	unsigned int i;

	pthread_mutex_lock(&watch->lock);
	counts->samples++;
	counts->cpu_ns = cpu_ns;
	counts->processes = watch->leak.nr_processes;
	counts->untracked = watch->leak.untracked;
	for (i = 0; i < LEAK_LABEL_NR; i++)
		counts->available[i] = available[i];
	pressure_show(counts, &watch->pressure);
	if (rows)
		rows_show(watch, rows);
	pthread_mutex_unlock(&watch->lock);
}

void leakwatch_sample(struct leakwatch *watch, uint64_t now_ns)
{
	bool machine[LEAK_RESOURCE_NR], available[LEAK_LABEL_NR] = { false };
	uint64_t value[LEAK_RESOURCE_NR], mark = watch->leak.at[LEAK_MARKS - 1];
	struct rows rows = { .nr = 0 };
	bool ended;
	int r;

	machine_read(&watch->machine, value, machine);
	leak_machine(&watch->leak, value);
	watch->device_fd = collector_dup(watch->collector);
	r = watch->device_fd < 0 ? -ENODEV :
				   obs_process_list(watch->device_fd, take_process, &watch->leak);
	leak_sampled(&watch->leak, now_ns, !r);
	ended = watch->leak.at[LEAK_MARKS - 1] != mark;
	if (ended)
		watch->sees = leaknote_sees(watch->device_fd);
	available[LEAK_LABEL_STACKS] = !r && watch->sees;
	if (watch->device_fd >= 0)
		close(watch->device_fd);
	watch->device_fd = -1;
	if (!watch->pressure_ns || now_ns - watch->pressure_ns >= LEAKWATCH_PRESSURE_NS)
		pressure_read(watch, now_ns);
	if (ended) {
		leak_each(&watch->leak, row_take, &rows);
		pressure_judge(watch, now_ns);
	}
	available[LEAK_LABEL_TASKS] = machine[LEAK_TASKS];
	available[LEAK_LABEL_THREADS] = !r;
	available[LEAK_LABEL_FILES] = machine[LEAK_FILES] || !r;
	available[LEAK_LABEL_MEMORY] = machine[LEAK_MEMORY] || !r;
	available[LEAK_LABEL_SLAB] = machine[LEAK_SLAB];
	publish(watch, available, ended ? &rows : NULL, clock_ns(CLOCK_THREAD_CPUTIME_ID));
}

/* True: it is to end. */
static bool rest(const struct leakwatch *watch, uint64_t ns)
{
	const struct timespec time = { .tv_sec = ns / NS_PER_S, .tv_nsec = ns % NS_PER_S };
	struct pollfd stop = { .fd = watch->stop, .events = POLLIN };

	return ppoll(&stop, 1, &time, NULL) > 0;
}

static void *run(void *arg)
{
	struct leakwatch *watch = arg;
	uint64_t begun, cpu, pause;

	do {
		begun = clock_ns(CLOCK_MONOTONIC);
		cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		leakwatch_sample(watch, begun);
		cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
		pause = watch->config.interval_ns;
		if (cpu * 100 / watch->config.max_cpu > pause)
			pause = cpu * 100 / watch->config.max_cpu;
		pthread_mutex_lock(&watch->lock);
		watch->counts.interval_ns = pause;
		pthread_mutex_unlock(&watch->lock);
		begun = clock_ns(CLOCK_MONOTONIC) - begun;
	} while (!rest(watch, pause > begun ? pause - begun : 0));
	return NULL;
}

/* ---- Its life ------------------------------------------------------------ */

int leakwatch_start(struct leakwatch *watch, const struct leakwatch_config *config,
		    struct collector *collector)
{
	const struct leak_calls calls = {
		.context = watch,
		.suspect = suspected,
		.alarm = alarmed,
		.clear = cleared,
	};
	int r;

	*watch = (struct leakwatch){
		.config = *config, .collector = collector, .epoch = 1, .device_fd = -1,
	};
	watch->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (watch->stop < 0)
		return -errno;
	r = leak_init(&watch->leak, config->window_ns, config->confirm_ns, &calls);
	if (r < 0) {
		close(watch->stop);
		return r;
	}
	pthread_mutex_init(&watch->lock, NULL);
	machine_open(&watch->machine, config->proc);
	watch->running = true;
	if (!config->interval_ns)
		return 0;
	r = -pthread_create(&watch->thread, NULL, run, watch);
	watch->threaded = !r;
	if (r < 0)
		leakwatch_stop(watch);
	return r;
}

void leakwatch_stop(struct leakwatch *watch)
{
	if (!watch->running)
		return;
	eventfd_write(watch->stop, 1);
	if (watch->threaded)
		pthread_join(watch->thread, NULL);
	watch->running = false;
	machine_close(&watch->machine);
	/* What it knew goes; it has not ended, and nobody is told so. */
	watch->leak.calls.clear = leaknote_forget;
	leak_exit(&watch->leak);
	pthread_mutex_destroy(&watch->lock);
	close(watch->stop);
}

void leakwatch_counts(struct leakwatch *watch, struct leakwatch_counts *ret_counts)
{
	pthread_mutex_lock(&watch->lock);
	*ret_counts = watch->counts;
	pthread_mutex_unlock(&watch->lock);
}

unsigned int leakwatch_rows(struct leakwatch *watch, struct leakwatch_row *ret_row,
			    uint64_t *epoch)
{
	unsigned int nr;

	pthread_mutex_lock(&watch->lock);
	nr = watch->nr_rows;
	memcpy(ret_row, watch->row, nr * sizeof(*ret_row));
	*epoch = watch->epoch;
	pthread_mutex_unlock(&watch->lock);
	return nr;
}
