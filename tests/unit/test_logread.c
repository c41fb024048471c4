// SPDX-License-Identifier: MIT
/*
 * The library's log: what is read is what was written, in order, and each record is
 * accounted for, whatever becomes of its ring. The clock stands still here.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <obsring.h>
#include <obsring/logfmt.h>

#include "segment.h"

#define NR(array)	(sizeof(array) / sizeof((array)[0]))
#define LINES		OBSRING_RING_LINES_MIN
#define SECOND		1000000000ULL
#define NOW		(1000 * SECOND)
#define REALTIME	(1795364057 * SECOND + 123456789)	/* less CLOCK_MONOTONIC */

/* ---- The clock ----------------------------------------------------------- */

static uint64_t now_ns = NOW, step_ns;

/* In place of the C library's. */
int clock_gettime(clockid_t clock, struct timespec *ret)
{
	uint64_t ns = now_ns;

	if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
		ns += REALTIME;
	if (clock == CLOCK_MONOTONIC)
		now_ns += step_ns;
	ret->tv_sec = (time_t)(ns / SECOND);
	ret->tv_nsec = (long)(ns % SECOND);
	return 0;
}

/* ---- A log to read ------------------------------------------------------- */

static struct segment *segment;
static struct obs_log *reader;
static const struct obs_log_entry *entry;
static uint64_t stored;

static int setup(void **state)
{
	(void)state;
	now_ns = NOW;
	step_ns = 0;
	stored = 0;
	segment = segment_new(&(struct segment_spec){
		.nr_cpus = 3, .cpus_absent = 1 << 1, .max_families = 1, .max_series = 1,
		.max_pages = 1, .journal_nr = 2, .ring_lines = LINES });
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	obs_log_close(reader);
	reader = NULL;
	segment_free(segment);
	return 0;
}

static void open_with(const struct obs_log_options *options)
{
	obs_log_close(reader);
	assert_int_equal(obs_log_open(segment_path(segment), options, &reader), 0);
}

static int next(void)
{
	return obs_log_next(reader, &entry);
}

/* A record of a kernel ring, and a message that tells its time. */
static void say(uint32_t cpu, uint64_t time_ns)
{
	char message[32];

	snprintf(message, sizeof(message), "%llu", (unsigned long long)time_ns);
	segment_log(segment, &(struct segment_record){ .cpu = cpu, .time_ns = time_ns,
						       .message = message });
	stored++;
}

static void expect_time(uint64_t time_ns)
{
	char message[32];

	assert_int_equal(next(), OBS_LOG_RECORD);
	assert_int_equal(entry->monotonic_ns, time_ns);
	snprintf(message, sizeof(message), "%llu", (unsigned long long)time_ns);
	assert_string_equal(entry->message, message);
}

static void expect_lost(uint64_t lost, uint32_t cpu)
{
	assert_int_equal(next(), OBS_LOG_LOST);
	assert_int_equal(entry->lost, lost);
	assert_int_equal(entry->cpu, cpu);
	assert_int_equal(entry->origin, OBSRING_ORIGIN_KERNEL);
}

static void expect_counts(uint64_t read, uint64_t filtered, uint64_t lost,
			  uint64_t unread)
{
	struct obs_log_counts counts;

	obs_log_counts(reader, &counts);
	assert_int_equal(counts.read, read);
	assert_int_equal(counts.filtered, filtered);
	assert_int_equal(counts.lost, lost);
	assert_int_equal(counts.unread, unread);
}

/* ---- A record ------------------------------------------------------------ */

static const struct obsring_trace trace = {
	.trace_id = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 255 },
	.span_id = { 1, 2, 3, 4, 5, 6, 7, 254 }, .flags = 1,
};

static const char fields[] = "op\0write\0device\0example 0";

static void test_record(void **state)
{
	char text[OBS_LOG_TEXT_MAX];
	size_t n;

	(void)state;
	segment_log(segment, &(struct segment_record){ .cpu = 2,
		.origin = OBSRING_ORIGIN_USER, .time_ns = 5 * SECOND + 7, .level = 4,
		.flags = OBSRING_RECORD_CUT, .pid = 77, .uid = 1000,
		.threshold = 3ULL << 54, .comm = "sixteen bytes xx", .trace = &trace,
		.source = "shop", .message = "disk \"93%\" full", .fields = fields,
		.fields_len = sizeof(fields) });
	open_with(NULL);
	assert_int_equal(obs_log_text(reader, text, sizeof(text)), 0);
	assert_int_equal(next(), OBS_LOG_RECORD);
	assert_int_equal(entry->cpu, 2);
	assert_int_equal(entry->origin, OBSRING_ORIGIN_USER);
	assert_int_equal(entry->monotonic_ns, 5 * SECOND + 7);
	assert_int_equal(entry->time_ns, REALTIME + 5 * SECOND + 7);
	assert_int_equal(entry->level, 4);
	assert_string_equal(entry->source, "user.shop");
	assert_int_equal(entry->source_len, 9);
	assert_int_equal(entry->pid, 77);
	assert_int_equal(entry->uid, 1000);
	assert_string_equal(entry->comm, "sixteen bytes xx");
	assert_true(entry->has_trace);
	assert_memory_equal(entry->trace_id, trace.trace_id, 16);
	assert_memory_equal(entry->span_id, trace.span_id, 8);
	assert_int_equal(entry->trace_flags, 1);
	assert_int_equal(entry->threshold, 3ULL << 54);
	assert_true(entry->weight == 4.0);
	assert_string_equal(entry->message, "disk \"93%\" full");
	assert_int_equal(entry->message_len, 15);
	assert_int_equal(entry->nr_fields, 2);
	assert_string_equal(entry->field[0].key, "op");
	assert_string_equal(entry->field[0].value, "write");
	assert_string_equal(entry->field[1].key, "device");
	assert_string_equal(entry->field[1].value, "example 0");
	assert_true(entry->cut);
	n = obs_log_text(reader, text, sizeof(text));
	text[n] = 0;
	assert_string_equal(text, "ts=2026-11-22T16:14:22.123456796Z level=warning "
		"source=user.shop cpu=2 pid=77 uid=1000 comm=\"sixteen bytes xx\" "
		"trace_id=0102030405060708090a0b0c0d0e0fff span_id=01020304050607fe "
		"msg=\"disk \\\"93%\\\" full\" cut=true op=write device=\"example 0\"\n");
	assert_true(obs_log_text(reader, text, 20) <= 20);
	assert_int_equal(next(), OBS_LOG_NOTHING);
	assert_int_equal(obs_log_text(reader, text, sizeof(text)), 0);
}

/* The longest of all, and one of which only the floor was to be kept. */
static void test_extremes(void **state)
{
	char source[OBSRING_SOURCE_MAX + 1], message[OBSRING_MESSAGE_MAX + 1];
	char many[OBSRING_FIELDS_MAX] = { 0 }, text[OBS_LOG_TEXT_MAX];
	struct segment_record record = { .level = 7, .trace = &trace, .source = source,
		.message = message, .fields = many, .fields_len = sizeof(many),
		.origin = OBSRING_ORIGIN_USER, .flags = OBSRING_RECORD_FLOOR,
		.threshold = (1ULL << 56) - 1 };

	(void)state;
	memset(source, 's', sizeof(source));
	memset(message, '\xff', sizeof(message));
	source[sizeof(source) - 1] = 0;
	message[sizeof(message) - 1] = 0;
	segment_log(segment, &record);
	record.flags = 0;
	segment_log(segment, &record);
	open_with(NULL);
	assert_int_equal(next(), OBS_LOG_RECORD);
	assert_int_equal(entry->source_len, OBSRING_SOURCE_MAX + 5);
	assert_int_equal(strlen(entry->source), entry->source_len);
	assert_int_equal(entry->message_len, OBSRING_MESSAGE_MAX);
	assert_int_equal(strlen(entry->message), entry->message_len);
	assert_int_equal(entry->nr_fields, OBSRING_FIELDS_MAX / 2);
	assert_string_equal(entry->field[OBSRING_FIELDS_MAX / 2 - 1].value, "");
	assert_true(entry->weight == 0);
	assert_false(entry->cut);
	assert_in_range(obs_log_text(reader, text, sizeof(text)), 5000, sizeof(text));
	assert_int_equal(next(), OBS_LOG_RECORD);
	assert_true(entry->weight == (double)(1ULL << 56));
}

/* ---- Order --------------------------------------------------------------- */

static void test_order(void **state)
{
	static const uint32_t cpu[] = { 0, 2, 2, 0, 0, 2, 0, 2, 2, 2, 0 };
	uint32_t i;

	(void)state;
	for (i = 0; i < NR(cpu); i++)
		say(cpu[i], i);
	open_with(NULL);
	for (i = 0; i < NR(cpu); i++)
		expect_time(i);
	assert_int_equal(next(), OBS_LOG_NOTHING);
	/* Late ones come when they come; those of one ring as they were written. */
	say(0, 5);
	expect_time(5);
	assert_int_equal(next(), OBS_LOG_NOTHING);
	say(2, 20);
	say(2, 19);
	say(0, 21);
	expect_time(20);
	expect_time(19);
	expect_time(21);
	expect_counts(stored, 0, 0, 0);
}

/* What is behind a record that was just given is later than what others have. */
static void test_order_after_look(void **state)
{
	(void)state;
	say(0, NOW - 2);
	open_with(NULL);
	expect_time(NOW - 2);
	now_ns += 10;
	say(2, NOW + 5);
	say(0, NOW + 6);
	expect_time(NOW + 5);
	expect_time(NOW + 6);
}

static void test_window(void **state)
{
	(void)state;
	open_with(&(struct obs_log_options){ .window_ns = SECOND });
	say(0, NOW);
	assert_int_equal(next(), OBS_LOG_NOTHING);
	now_ns = NOW + SECOND - 1;
	assert_int_equal(next(), OBS_LOG_NOTHING);
	/* Committed within its window, after a later one: comes first all the same. */
	say(2, NOW - 1);
	expect_time(NOW - 1);
	assert_int_equal(next(), OBS_LOG_NOTHING);
	expect_counts(1, 0, 0, 1);
	now_ns++;
	expect_time(NOW);
	/* A clock that is ahead of ours: not longer than the window. */
	say(0, NOW + 1000 * SECOND);
	assert_int_equal(next(), OBS_LOG_NOTHING);
	now_ns += SECOND - 1;
	assert_int_equal(next(), OBS_LOG_NOTHING);
	now_ns++;
	expect_time(NOW + 1000 * SECOND);
	/* Without a window it comes at once. */
	open_with(NULL);
	expect_time(NOW - 1);
	expect_time(NOW);
	expect_time(NOW + 1000 * SECOND);
}

static void test_start(void **state)
{
	struct obs_log_options options = { .start = OBS_LOG_NEWEST };

	(void)state;
	say(0, 10);
	say(2, 20);
	say(0, 30);
	say(0, 25);
	open_with(&options);
	assert_int_equal(next(), OBS_LOG_NOTHING);
	expect_counts(0, 0, 0, 0);
	options = (struct obs_log_options){ .start = OBS_LOG_SINCE_MONOTONIC, .since_ns = 20 };
	open_with(&options);
	expect_time(20);
	expect_time(30);
	expect_time(25);
	expect_counts(3, 0, 0, 0);
	/* One that was interrupted is older than what is before it. */
	options.since_ns = 26;
	open_with(&options);
	expect_time(30);
	assert_int_equal(next(), OBS_LOG_NOTHING);
	expect_counts(1, 1, 0, 0);
	options = (struct obs_log_options){ .start = OBS_LOG_SINCE_REALTIME,
					    .since_ns = REALTIME + 21 };
	open_with(&options);
	expect_time(30);
	expect_time(25);
	options.since_ns = 5;
	open_with(&options);
	expect_time(10);
	/* What is too old is not the log's: nobody misses it. */
	while (stored < 3 * LINES)
		say(0, 40);
	options.since_ns = REALTIME + 50;
	open_with(&options);
	assert_int_equal(next(), OBS_LOG_NOTHING);
	expect_counts(0, 0, 0, 0);
	segment_lines(segment, 4)[OBS_RING_LINE_START % LINES].stamp += 5ULL << 32;
	say(2, 60);
	open_with(&options);
	expect_time(60);
	expect_counts(1, 0, 0, 0);
}

/* ---- Filters ------------------------------------------------------------- */

static const struct segment_record variety[] = {
	{ .cpu = 0, .level = 0, .source = "disk" },
	{ .cpu = 0, .level = 3, .source = "net.tcp", .trace = &trace },
	{ .cpu = 2, .level = 7, .source = "disk" },
	{ .cpu = 2, .level = 3, .source = "shop", .origin = OBSRING_ORIGIN_USER },
	{ .cpu = 0, .level = 6, .source = "disk", .origin = OBSRING_ORIGIN_USER,
	  .trace = &trace },
};

static const struct {
	struct obs_log_options options;
	unsigned int passes;		/* bit N: variety[N] */
} filters[] = {
	{ { .levels = 0 }, 0x1f },
	{ { .levels = 1 << 3 }, 0x0a },
	{ { .levels = 0x0f }, 0x0b },
	{ { .levels = 0xff }, 0x1f },
	{ { .origins = 1 << OBSRING_ORIGIN_KERNEL }, 0x07 },
	{ { .origins = 1 << OBSRING_ORIGIN_USER }, 0x18 },
	{ { .source = "disk" }, 0x05 },
	{ { .source = "user.disk" }, 0x10 },
	{ { .source = "*disk" }, 0x15 },
	{ { .source = "user.*" }, 0x18 },
	{ { .source = "" }, 0x00 },
	{ { .trace_id = trace.trace_id }, 0x12 },
	{ { .trace_id = trace.trace_id, .levels = 0x0f }, 0x02 },
	{ { .trace_id = trace.span_id }, 0x00 },
	{ { .source = "disk", .origins = 2 }, 0x00 },
};

static void test_filters(void **state)
{
	struct segment_record record;
	unsigned int got, i, bit;

	(void)state;
	for (i = 0; i < NR(variety); i++) {
		record = variety[i];
		record.time_ns = i;
		segment_log(segment, &record);
	}
	for (i = 0; i < NR(filters); i++) {
		open_with(&filters[i].options);
		got = 0;
		while (next() == OBS_LOG_RECORD)
			got |= 1U << entry->monotonic_ns;
		if (got != filters[i].passes)
			fail_msg("filter %u: %#x", i, got);
		bit = (unsigned int)__builtin_popcount(got);
		expect_counts(bit, NR(variety) - bit, 0, 0);
	}
}

/* A source that is more than it seems is not the one it begins with. */
static void test_filter_bytes(void **state)
{
	struct obsring_line *line = segment_lines(segment, 0);

	(void)state;
	segment_log(segment, &(struct segment_record){ .source = "disk-full" });
	/* Its second line begins with the source. */
	line[(OBS_RING_LINE_START + 1) % LINES].word[0] &= ~(0xffULL << 32);
	open_with(&(struct obs_log_options){ .source = "disk" });
	assert_int_equal(next(), OBS_LOG_NOTHING);
	open_with(NULL);
	assert_int_equal(next(), OBS_LOG_RECORD);
	assert_int_equal(entry->source_len, 9);
	assert_string_equal(entry->source, "disk");
}

/* ---- Losses -------------------------------------------------------------- */

static void test_overrun(void **state)
{
	uint64_t i;

	(void)state;
	open_with(NULL);
	/* Two lines each: half as many as lines are there. */
	for (i = 0; i < LINES; i++)
		say(0, 100 + i);
	say(2, 50);
	say(2, 100 + LINES / 2 + 1);
	expect_counts(0, 0, 0, LINES + 2);
	/* In its place: before what follows in that ring. */
	expect_time(50);
	expect_lost(LINES / 2, 0);
	expect_counts(1, 0, LINES / 2, LINES / 2 + 1);
	expect_time(100 + LINES / 2);
	expect_time(100 + LINES / 2 + 1);
	expect_time(100 + LINES / 2 + 1);
	for (i = 2; i < LINES / 2; i++)
		expect_time(100 + LINES / 2 + i);
	assert_int_equal(next(), OBS_LOG_NOTHING);
	expect_counts(stored - LINES / 2, 0, LINES / 2, 0);
}

/* The record was seen, but is gone when its turn comes. */
static void test_overrun_seen(void **state)
{
	char text[64];
	uint64_t i;
	size_t n;

	(void)state;
	say(0, 10);
	say(2, 5);
	open_with(NULL);
	expect_time(5);
	for (i = 0; i < LINES; i++)
		say(0, 100 + i);
	expect_lost(1 + LINES / 2, 0);
	n = obs_log_text(reader, text, sizeof(text));
	assert_int_equal(n, strlen("lost=33\n"));
	assert_memory_equal(text, "lost=33\n", n);
	expect_time(100 + LINES / 2);
	expect_counts(2, 0, 1 + LINES / 2, LINES / 2 - 1);
}

/* Counts that wrap, line by line, at every distance between reader and writer. */
static void test_wrap(void **state)
{
	static const uint64_t at[] = { (1ULL << 32) - 700, (1ULL << 31) - 700,
				       (5ULL << 32) - 700 };
	unsigned int i, lag;
	uint64_t ns;

	(void)state;
	for (i = 0; i < NR(at); i++) {
		segment_ring_start(segment, 0, at[i], at[i] + 350);
		open_with(NULL);
		stored = 0;
		for (lag = 1; lag <= LINES / 2; lag++) {
			for (ns = 1; ns <= lag; ns++)
				say(0, ns);
			for (ns = 1; ns <= lag; ns++)
				expect_time(ns);
			assert_int_equal(next(), OBS_LOG_NOTHING);
		}
		expect_counts(stored, 0, 0, 0);
		for (ns = 0; ns < 1000; ns++)
			say(0, ns);
		expect_lost(1000 - LINES / 2, 0);
		expect_time(1000 - LINES / 2);
		expect_counts(stored - 999, 0, 1000 - LINES / 2, LINES / 2 - 1);
	}
}

/* ---- Rings that are replaced --------------------------------------------- */

static void test_replaced(void **state)
{
	static const uint32_t size[] = { 2 * LINES, LINES, 4 * LINES, 4 * LINES };
	uint64_t i, lost = 0;
	unsigned int k;

	(void)state;
	open_with(NULL);
	for (k = 0; k < NR(size); k++) {
		say(0, 10);
		say(0, 20);
		say(2, 15);
		say(2, 30);
		expect_time(10);
		segment_ring_retire(segment, 0, size[k]);
		/* Seen, but not to be had; others are. */
		expect_time(15);
		expect_time(30);
		assert_int_equal(next(), OBS_LOG_NOTHING);
		segment_ring_renew(segment, 0);
		lost++;
		expect_lost(1, 0);
		assert_int_equal(next(), OBS_LOG_NOTHING);
		expect_counts(stored - lost, 0, lost, 0);
		for (i = 0; i < size[k] / 2; i++)
			say(0, 40 + i);
		for (i = 0; i < size[k] / 2; i++)
			expect_time(40 + i);
		expect_counts(stored - lost, 0, lost, 0);
	}
	/* While the reader was not looking, and twice. */
	say(0, 10);
	segment_ring_retire(segment, 0, LINES);
	segment_ring_renew(segment, 0);
	say(0, 11);
	say(0, 12);
	segment_ring_retire(segment, 0, 2 * LINES);
	segment_ring_renew(segment, 0);
	say(0, 13);
	expect_lost(3, 0);
	expect_time(13);
	expect_counts(stored - lost - 3, 0, lost + 3, 0);
}

/* What was passed over is not lost, though its ring is gone. */
static void test_replaced_filtered(void **state)
{
	(void)state;
	open_with(&(struct obs_log_options){ .levels = 1 << 3 });
	say(0, 10);
	say(0, 20);
	assert_int_equal(next(), OBS_LOG_NOTHING);
	segment_ring_retire(segment, 0, LINES);
	segment_ring_renew(segment, 0);
	assert_int_equal(next(), OBS_LOG_NOTHING);
	expect_counts(0, 2, 0, 0);
}

/* Opened in the middle of it: the new ring from its beginning. */
static void test_replaced_at_open(void **state)
{
	(void)state;
	say(0, 10);
	say(2, 11);
	segment_ring_retire(segment, 0, LINES);
	open_with(NULL);
	expect_time(11);
	assert_int_equal(next(), OBS_LOG_NOTHING);
	segment_ring_renew(segment, 0);
	say(0, 12);
	expect_time(12);
	expect_counts(2, 0, 0, 0);
}

/* Memory goes by pages: more of it than there are rings is none of theirs. */
static void test_rings_count(void **state)
{
	struct obsring_region *rings = &segment_header(segment)->region[OBSRING_REGION_RINGS];

	(void)state;
	rings->nr = 4096 / sizeof(struct obsring_ring);
	*segment_ring(segment, 6) = *segment_ring(segment, 0);
	say(0, 1);
	say(2, 2);
	open_with(NULL);
	expect_time(1);
	expect_time(2);
	assert_int_equal(next(), OBS_LOG_NOTHING);
	/* A CPU whose ring is not there. */
	rings->nr = 4;
	open_with(NULL);
	expect_time(1);
	assert_int_equal(next(), OBS_LOG_NOTHING);
}

/* ---- Another process writes and replaces --------------------------------- */

#define CHILD_RECORDS	200000

/* Self-describing: each message is the number of the record, repeated. */
static void child_write(void)
{
	char message[512];
	uint64_t i;

	for (i = 0; i < CHILD_RECORDS; i++) {
		uint32_t index = (i / 7 % 2) * 4;
		size_t at = 0, nr = i * 0x9e3779b9 % 400;

		do {
			at += (size_t)snprintf(message + at, sizeof(message) - at, "%llu ",
					       (unsigned long long)i);
		} while (at < nr);
		segment_log(segment, &(struct segment_record){ .cpu = index / 2,
			.time_ns = i, .message = message });
		if (i % 3001 == 3000) {
			segment_ring_retire(segment, index, LINES << i % 3);
			segment_ring_renew(segment, index);
		}
	}
}

static void message_check(const struct obs_log_entry *e)
{
	char number[32];
	size_t n, at;

	n = (size_t)snprintf(number, sizeof(number), "%llu ",
			     (unsigned long long)e->monotonic_ns);
	for (at = 0; at < e->message_len; at += n)
		assert_memory_equal(e->message + at, number, n);
	assert_int_equal(at, e->message_len);
}

static void test_live(void **state)
{
	uint64_t gaps = 0, last[3] = { 0 };
	struct obs_log_counts counts;
	bool ended = false;
	pid_t pid;
	int r;

	(void)state;
	open_with(NULL);
	pid = fork();
	if (!pid) {
		child_write();
		_exit(0);
	}
	for (;;) {
		r = next();
		assert_true(r >= 0);
		if (r == OBS_LOG_NOTHING) {
			if (ended)
				break;
			ended = waitpid(pid, NULL, WNOHANG) == pid;
		}
		gaps += r == OBS_LOG_LOST;
		if (r != OBS_LOG_RECORD)
			continue;
		message_check(entry);
		assert_true(!last[entry->cpu] || entry->monotonic_ns > last[entry->cpu]);
		last[entry->cpu] = entry->monotonic_ns;
	}
	obs_log_counts(reader, &counts);
	assert_int_equal(counts.read + counts.lost, CHILD_RECORDS);
	assert_int_equal(counts.unread, 0);
	print_message("# read %llu, lost %llu in %llu gaps, %u replacements\n",
		      (unsigned long long)counts.read, (unsigned long long)counts.lost,
		      (unsigned long long)gaps, segment_ring(segment, 0)->gen / 2 +
		      segment_ring(segment, 4)->gen / 2);
	assert_true(counts.read && gaps);
	assert_true(segment_ring(segment, 0)->gen && segment_ring(segment, 4)->gen);
}

/* ---- Waiting ------------------------------------------------------------- */

static void test_wait(void **state)
{
	int timeout_ms = 0;

	(void)state;
	open_with(&(struct obs_log_options){ .window_ns = SECOND });
	assert_int_equal(obs_log_fd(reader), -1);
	assert_int_equal(obs_log_wait(reader, 0), 0);
	step_ns = 1000000;
	assert_int_equal(obs_log_wait(reader, 20), 0);
	step_ns = 0;
	assert_int_equal(obs_log_prepare(reader, &timeout_ms), 0);
	assert_int_equal(timeout_ms, 10);
	/* Until it is due, if that is sooner. */
	say(0, now_ns);
	now_ns += SECOND - 2500000;
	assert_int_equal(obs_log_prepare(reader, &timeout_ms), 0);
	assert_int_equal(timeout_ms, 3);
	now_ns += 2500000;
	assert_int_equal(obs_log_prepare(reader, &timeout_ms), 0);
	assert_int_equal(timeout_ms, 0);
	assert_int_equal(obs_log_wait(reader, -1), 1);
	assert_int_equal(next(), OBS_LOG_RECORD);
	/* What is being written comes soon. */
	segment_ring(segment, 0)->head += 1ULL << 32 | 1;
	assert_int_equal(obs_log_prepare(reader, &timeout_ms), 0);
	assert_int_equal(timeout_ms, 1);
	segment_ring(segment, 0)->head -= 1ULL << 32 | 1;
	/* So does a ring that is being replaced. */
	segment_ring_retire(segment, 4, LINES);
	assert_int_equal(obs_log_prepare(reader, &timeout_ms), 0);
	assert_int_equal(timeout_ms, 1);
	segment_ring_renew(segment, 4);
	/* A gap is something, even with nothing behind it. */
	say(0, now_ns);
	segment_ring_retire(segment, 0, LINES);
	segment_ring_renew(segment, 0);
	assert_int_equal(obs_log_wait(reader, -1), 1);
	expect_lost(1, 0);
	/* The module goes: what is held back comes, then the end. */
	say(0, now_ns);
	assert_int_equal(next(), OBS_LOG_NOTHING);
	segment_set_state(segment, OBSRING_STATE_DRAINING);
	assert_int_equal(obs_log_wait(reader, -1), 1);
	assert_int_equal(next(), OBS_LOG_RECORD);
	assert_int_equal(next(), OBS_LOG_NOTHING);
	assert_int_equal(obs_log_wait(reader, -1), -ESHUTDOWN);
}

/* ---- Damage -------------------------------------------------------------- */

static void test_refused(void **state)
{
	static const struct obs_log_options wrong[] = {
		{ .start = OBS_LOG_SINCE_MONOTONIC + 1 }, { .levels = 0x100 },
		{ .origins = 4 }, { .window_ns = 3601 * SECOND },
	};
	struct obs_log *log = (void *)1;
	struct segment *other;
	size_t i;

	(void)state;
	for (i = 0; i < NR(wrong); i++)
		assert_int_equal(obs_log_open(segment_path(segment), &wrong[i], &log),
				 -EINVAL);
	assert_int_equal(obs_log_open("/nonexistent", NULL, &log), -ENOENT);
	assert_int_equal(obs_log_open("/dev/null", NULL, &log), -EPROTO);
	segment_set_state(segment, OBSRING_STATE_DRAINING);
	assert_int_equal(obs_log_open(segment_path(segment), NULL, &log), -ESHUTDOWN);
	other = segment_new(NULL);
	assert_int_equal(obs_log_open(segment_path(other), NULL, &log), -EOPNOTSUPP);
	segment_free(other);
	assert_ptr_equal(log, (void *)1);
	obs_log_close(NULL);
}

#define CONTROL(field, value) \
	{ #field " = " #value, offsetof(struct obsring_ring, field), \
	  sizeof(((struct obsring_ring *)0)->field), (uint64_t)(value) }

/* Each makes ring 4 unreadable. */
static const struct {
	const char *what;
	size_t offset, size;
	uint64_t value;
} damages[] = {
	CONTROL(nr_lines, LINES - 1),
	CONTROL(nr_lines, LINES / 2),
	CONTROL(nr_lines, 3 * LINES),
	CONTROL(nr_lines, 32 * LINES),		/* beyond the region */
	CONTROL(nr_lines, 2 * OBSRING_RING_LINES_MAX),
	CONTROL(nr_lines, 1U << 31),
	CONTROL(nr_lines, ~0),
	CONTROL(offset, 0),
	CONTROL(offset, 4096),
	CONTROL(offset, ~0ULL),
	CONTROL(offset, ~4095ULL),
	CONTROL(offset, 1ULL << 62),
	CONTROL(cpu, 1),
	CONTROL(cpu, ~0),
	CONTROL(origin, 1),
	CONTROL(origin, 7),
};

static void test_damaged_control(void **state)
{
	struct obsring_ring good;
	struct obs_log *log;
	size_t i;

	(void)state;
	open_with(NULL);
	good = *segment_ring(segment, 4);
	for (i = 0; i < NR(damages); i++) {
		memcpy((char *)segment_ring(segment, 4) + damages[i].offset,
		       &damages[i].value, damages[i].size);
		if (obs_log_open(segment_path(segment), NULL, &log) != -EPROTO)
			fail_msg("%s", damages[i].what);
		/* One that is open sees it with the next generation. */
		segment_ring(segment, 4)->gen += 2;
		assert_int_equal(next(), -EPROTO);
		assert_int_equal(next(), -EPROTO);
		*segment_ring(segment, 4) = good;
	}
	say(0, 1);
	expect_time(1);
	segment_header(segment)->region[OBSRING_REGION_RINGS].nr = ~0U;
	assert_int_equal(obs_log_open(segment_path(segment), NULL, &log), -EPROTO);
}

/* A record that is none is lost; those around it are not. */
static void test_damaged_record(void **state)
{
	struct obsring_line *line = segment_lines(segment, 0);
	const uint32_t at = OBS_RING_LINE_START;

	(void)state;
	open_with(NULL);
	say(0, 1);
	say(0, 2);
	say(0, 3);
	say(0, 4);
	line[(at + 2) % LINES].word[0] ^= 0x0fULL << 32;	/* its size */
	line[(at + 4) % LINES].word[0] |= 0x08ULL << 48;	/* its level */
	expect_time(1);
	expect_lost(1, 0);
	expect_lost(1, 0);
	expect_time(4);
	expect_counts(2, 0, 2, 0);
	open_with(&(struct obs_log_options){ .levels = 1 });
	expect_time(1);
	expect_lost(1, 0);
	expect_lost(1, 0);
	expect_time(4);
}

static uint64_t random64(void)
{
	static uint64_t seed = 0x9e3779b97f4a7c15ULL;

	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void damage(void)
{
	__u64 *word = random64() % 2 ? &segment_ring(segment, 0)->head + random64() % 16 :
		&segment_lines(segment, 0)[random64() % LINES].stamp + random64() % 8;

	*word ^= random64() % 2 ? 1ULL << random64() % 64 : random64();
}

/* Read all that is there: it ends. */
static int read_hostile(uint64_t *records, uint64_t *gaps)
{
	struct obs_log_counts counts;
	unsigned int steps;
	int r, timeout_ms;

	for (steps = 0; (r = next()) > 0; steps++) {
		*records += r == OBS_LOG_RECORD;
		*gaps += r == OBS_LOG_LOST;
		assert_in_range(steps, 0, 64 * LINES);
	}
	obs_log_prepare(reader, &timeout_ms);
	obs_log_counts(reader, &counts);
	return r;
}

/* Anything in rings and lines: the reader comes to an end, and does not crash. */
static void test_hostile(void **state)
{
	uint64_t records = 0, gaps = 0, refused = 0;
	unsigned int round, step, i;

	for (round = 0; round < 500; round++) {
		teardown(state);
		setup(state);
		open_with(NULL);
		for (step = 0; step < 16; step++) {
			for (i = 0; i < random64() % 60; i++)
				say(0, random64() >> random64() % 64);
			damage();
			refused += read_hostile(&records, &gaps) < 0;
			if (step % 4 == 3)
				segment_ring(segment, 0)->gen += 2;
			if (step % 8 == 7) {
				obs_log_close(reader);
				reader = NULL;
				if (obs_log_open(segment_path(segment), NULL, &reader))
					break;
			}
		}
	}
	print_message("# %llu records, %llu gaps, %llu refused\n",
		      (unsigned long long)records, (unsigned long long)gaps,
		      (unsigned long long)refused);
	assert_true(records && gaps && refused);
}

static void test_truncated(void **state)
{
	uint64_t bytes = segment_bytes(segment);
	int timeout_ms;

	(void)state;
	say(0, 1);
	say(0, 2);
	open_with(NULL);
	expect_time(1);
	assert_int_equal(ftruncate(segment_fd(segment), (off_t)bytes - 4096), 0);
	assert_int_equal(next(), -EPROTO);
	assert_int_equal(obs_log_prepare(reader, &timeout_ms), -EPROTO);
	assert_int_equal(obs_log_wait(reader, 0), -EPROTO);
	assert_int_equal(ftruncate(segment_fd(segment), (off_t)bytes), 0);
	expect_time(2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(record),
		TEST(extremes),
		TEST(order),
		TEST(order_after_look),
		TEST(window),
		TEST(start),
		TEST(filters),
		TEST(filter_bytes),
		TEST(overrun),
		TEST(overrun_seen),
		TEST(wrap),
		TEST(replaced),
		TEST(replaced_filtered),
		TEST(replaced_at_open),
		TEST(rings_count),
		TEST(live),
		TEST(wait),
		TEST(refused),
		TEST(damaged_control),
		TEST(damaged_record),
		TEST(hostile),
		TEST(truncated),
	};

	return cmocka_run_group_tests_name("logread", tests, NULL, NULL);
}
