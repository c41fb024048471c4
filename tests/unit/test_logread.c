// SPDX-License-Identifier: MIT
/*
 * The library's log: what is read is what was written, in order, from where one begins,
 * by any filter; and waiting for more.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <obsring/logfmt.h>

#include "logreader.h"

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
		TEST(wait),
	};

	return cmocka_run_group_tests_name("logread", tests, NULL, NULL);
}
