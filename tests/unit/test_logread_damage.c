// SPDX-License-Identifier: MIT
/* The library's log and what is none: refused, or lost as far as it reaches. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "logreader.h"
#include "random64.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(refused),
		TEST(damaged_control),
		TEST(damaged_record),
		TEST(hostile),
		TEST(truncated),
	};

	return cmocka_run_group_tests_name("logread damage", tests, NULL, NULL);
}
