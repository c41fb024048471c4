// SPDX-License-Identifier: MIT
/*
 * The leak watch on a made-up /proc that grows with its samples: figures, rows, records
 * in the log of a segment, and all of it as a scrape shows it.
 */
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <obsring.h>

#include "obsringd/leakwatch.h"
#include "obsringd/metrics.h"
#include "segment.h"

#define SAMPLE_NS 1000000000ULL
#define CONFIRM	16
#define ROW	"obsringd_leak_growth_per_second{resource=\"tasks\",pid=\"\",comm=\"\","

static char directory[] = "/tmp/obsring-leakwatch-XXXXXX";

static void path_of(const char *name, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s", directory, name);
}

/* Over what is there: of the same length, so that nobody sees half of it. */
static void write_file(const char *name, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void write_file(const char *name, const char *format, ...)
{
	char path[PATH_MAX], text[512];
	va_list arguments;
	FILE *file;
	int len;

	va_start(arguments, format);
	len = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	path_of(name, path);
	file = fopen(path, "r+");
	if (!file)
		file = fopen(path, "w");
	assert_non_null(file);
	setbuf(file, NULL);
	assert_int_equal(fwrite(text, 1, len, file), len);
	fclose(file);
}

struct fixture {
	struct leakwatch watch;
	struct collector collector;
	struct requests requests;
	struct self self;
	struct metrics metrics;
	char device[PATH_MAX];
	unsigned int samples, waited_us;
};

static void grow(uint64_t samples)
{
	write_file("loadavg", "0.20 1.10 2.00 3/%08llu 19999\n",
		   100 + 2 * (unsigned long long)samples);
}

static int setup(void **state)
{
	static struct fixture f;
	char path[PATH_MAX];

	if (!mkdtemp(directory))
		return -1;
	path_of("pressure", path);
	if (mkdir(path, 0700))
		return -1;
	grow(0);
	write_file("pressure/memory", "some avg10=0.00 total=%08d\nfull avg10=0.00 total=%08d\n",
		   1500000, 20);
	write_file("vmstat", "allocstall_normal 7\ncompact_stall 3\ncompact_fail 2\n");
	path_of("segment", f.device);
	if (obs_segment_create(f.device, NULL))
		return -1;
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	static const char *const all[] = {
		"loadavg", "vmstat", "pressure/memory", "pressure", "segment", "",
	};
	char path[PATH_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		path_of(all[i], path);
		remove(path);
	}
	return 0;
}

static void begin(struct fixture *f)
{
	const struct leakwatch_config config = {
		.device = f->device, .proc = directory, .window_ns = LEAK_MARKS * SAMPLE_NS,
		.confirm_ns = CONFIRM * SAMPLE_NS,
	};

	f->samples = 0;
	requests_init(&f->requests);
	collector_init(&f->collector, f->device, -1);
	assert_int_equal(self_init(&f->self, &f->requests), 0);
	metrics_init(&f->metrics, &f->collector, &f->self);
	assert_int_equal(leakwatch_start(&f->watch, &config, &f->collector), 0);
	f->self.leakwatch = &f->watch;
}

/* A sample, which is a mark: a second. */
static void sample(struct fixture *f)
{
	leakwatch_sample(&f->watch, (1000 + f->samples++) * SAMPLE_NS);
}

static void end(struct fixture *f)
{
	leakwatch_stop(&f->watch);
	leakwatch_stop(&f->watch);
	metrics_exit(&f->metrics);
	self_exit(&f->self);
	collector_exit(&f->collector);
	requests_exit(&f->requests);
}

/* Is @text in an answer of that format now? Then @body has it. */
static bool shows(struct fixture *f, enum format_id format, const char *text, char *body,
		  size_t size)
{
	const struct metrics_request request = { .format = format };
	char reason[COLLECT_REASON_MAX];
	struct body *answer;
	unsigned int i;
	size_t len = 0;

	assert_int_equal(metrics_scrape(&f->metrics, &request, &answer, reason), 0);
	for (i = 0; i < answer->nr_chunks && len + answer->chunk[i]->len < size; i++) {
		memcpy(body + len, answer->chunk[i]->data, answer->chunk[i]->len);
		len += answer->chunk[i]->len;
	}
	body[len] = '\0';
	body_put(answer);
	return strstr(body, text);
}

static struct leakwatch_counts counts_of(struct fixture *f)
{
	struct leakwatch_counts counts;

	leakwatch_counts(&f->watch, &counts);
	return counts;
}

/* What the log has of it: the last record's message, and how many there are. */
static unsigned int records(const struct fixture *f, char message[512])
{
	const struct obs_log_options options = { .source = "user.obsringd" };
	const struct obs_log_entry *entry;
	struct obs_log *log;
	unsigned int nr = 0;

	assert_int_equal(obs_log_open(f->device, &options, &log), 0);
	while (obs_log_next(log, &entry) == OBS_LOG_RECORD) {
		snprintf(message, 512, "%.*s", (int)entry->message_len, entry->message);
		nr++;
	}
	obs_log_close(log);
	return nr;
}

static void test_watch(void **state)
{
	struct fixture *f = *state;
	static char body[64 << 10];
	char message[512] = "";

	begin(f);
	assert_false(shows(f, FORMAT_TEXT, ROW, body, sizeof(body)));
	assert_non_null(strstr(body, "obsringd_leak_available{resource=\"threads\"}"));
	for (; f->samples < LEAK_MARKS + CONFIRM; sample(f))
		grow(f->samples);
	assert_int_equal(counts_of(f).alarms[LEAK_LABEL_TASKS], 0);
	assert_true(shows(f, FORMAT_TEXT, ROW "state=\"suspect\",kind=\"\",stack=\"\"} ", body,
			  sizeof(body)));
	grow(f->samples);
	sample(f);
	assert_int_equal(counts_of(f).alarms[LEAK_LABEL_TASKS], 1);
	/* Where the tasks sleep nobody sees. */
	assert_int_equal(counts_of(f).raised[LEAK_UNAVAILABLE], 1);
	assert_int_equal(counts_of(f).available[LEAK_LABEL_TASKS], 1);
	assert_int_equal(counts_of(f).available[LEAK_LABEL_SLAB], 0);
	assert_int_equal(counts_of(f).waiting_us, 1500000);
	/* Series that came and went, in plans that were there before; two a sample. */
	assert_true(shows(f, FORMAT_TEXT, ROW "state=\"leak\",kind=\"unavailable\",stack=\"\"}",
			  body, sizeof(body)));
	assert_int_equal(strtol(strchr(strstr(body, ROW), '}') + 1, NULL, 10), 2);
	assert_null(strstr(body, "\"suspect\""));
	assert_true(shows(f, FORMAT_OPENMETRICS, "state=\"leak\"", body, sizeof(body)));
	assert_int_equal(records(f, message), 1);
	assert_string_equal(message, "a leak: tasks of the machine rise by 2 a second");
	/* All is given back. */
	grow(0);
	sample(f);
	assert_int_equal(counts_of(f).alarms[LEAK_LABEL_TASKS], 0);
	assert_int_equal(counts_of(f).raised[LEAK_UNAVAILABLE], 1);
	assert_false(shows(f, FORMAT_TEXT, ROW, body, sizeof(body)));
	assert_int_equal(records(f, message), 2);
	assert_string_equal(message, "no leak any more: tasks of the machine: released");
	end(f);
}

static void wait_for_memory(struct fixture *f, unsigned int us)
{
	f->waited_us += us;
	write_file("pressure/memory", "some avg10=0.00 total=%08u\nfull avg10=0.00 total=%08u\n",
		   f->waited_us, f->waited_us / 2);
	sample(f);
}

/* Memory is wanted: as long as it is, one record, and one when it is over. */
static void test_pressure(void **state)
{
	struct fixture *f = *state;
	char message[512] = "";
	unsigned int before = records(f, message);

	begin(f);
	f->waited_us = 1500000;
	wait_for_memory(f, 0);
	wait_for_memory(f, 90000);
	assert_int_equal(records(f, message), before);
	wait_for_memory(f, 250000);
	wait_for_memory(f, 900000);
	wait_for_memory(f, 60000);
	assert_int_equal(records(f, message), before + 1);
	assert_string_equal(message,
			    "memory pressure: tasks waited for memory 25.0 % of 1 s, all of them "
			    "12.5 %; 0 allocations reclaimed, 0 compacted");
	wait_for_memory(f, 40000);
	wait_for_memory(f, 0);
	assert_int_equal(records(f, message), before + 2);
	assert_non_null(strstr(message, "memory pressure is over: "));
	end(f);
}

/* In a thread of its own, which ends when it is told to. */
static void test_thread(void **state)
{
	struct fixture *f = *state;
	const struct leakwatch_config config = {
		.device = f->device, .proc = directory, .interval_ns = 1000000,
		.window_ns = 1000000000, .confirm_ns = 1000000000, .max_cpu = 100,
	};

	collector_init(&f->collector, f->device, -1);
	assert_int_equal(leakwatch_start(&f->watch, &config, &f->collector), 0);
	while (counts_of(f).samples < 10)
		poll(NULL, 0, 1);
	assert_true(counts_of(f).cpu_ns > 0);
	assert_true(counts_of(f).interval_ns >= config.interval_ns);
	leakwatch_stop(&f->watch);
	leakwatch_stop(&f->watch);
	collector_exit(&f->collector);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_pressure),
		cmocka_unit_test(test_thread),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
