// SPDX-License-Identifier: MIT
/*
 * The library's log accounts for each record, whatever becomes of its ring: overrun,
 * wrapped, replaced, also while another process writes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "logreader.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(overrun),
		TEST(overrun_seen),
		TEST(wrap),
		TEST(replaced),
		TEST(replaced_filtered),
		TEST(replaced_at_open),
		TEST(rings_count),
		TEST(live),
	};

	return cmocka_run_group_tests_name("logread lost", tests, NULL, NULL);
}
