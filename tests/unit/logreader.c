// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "logreader.h"

uint64_t now_ns = NOW, step_ns;

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

struct segment *segment;
struct obs_log *reader;
const struct obs_log_entry *entry;
uint64_t stored;

int setup(void **state)
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

int teardown(void **state)
{
	(void)state;
	obs_log_close(reader);
	reader = NULL;
	segment_free(segment);
	return 0;
}

void open_with(const struct obs_log_options *options)
{
	obs_log_close(reader);
	assert_int_equal(obs_log_open(segment_path(segment), options, &reader), 0);
}

int next(void)
{
	return obs_log_next(reader, &entry);
}

/* A record of a kernel ring, and a message that tells its time. */
void say(uint32_t cpu, uint64_t time_ns)
{
	char message[32];

	snprintf(message, sizeof(message), "%llu", (unsigned long long)time_ns);
	segment_log(segment, &(struct segment_record){ .cpu = cpu, .time_ns = time_ns,
						       .message = message });
	stored++;
}

void expect_time(uint64_t time_ns)
{
	char message[32];

	assert_int_equal(next(), OBS_LOG_RECORD);
	assert_int_equal(entry->monotonic_ns, time_ns);
	snprintf(message, sizeof(message), "%llu", (unsigned long long)time_ns);
	assert_string_equal(entry->message, message);
}

void expect_lost(uint64_t lost, uint32_t cpu)
{
	assert_int_equal(next(), OBS_LOG_LOST);
	assert_int_equal(entry->lost, lost);
	assert_int_equal(entry->cpu, cpu);
	assert_int_equal(entry->origin, OBSRING_ORIGIN_KERNEL);
}

void expect_counts(uint64_t read, uint64_t filtered, uint64_t lost,
		   uint64_t unread)
{
	struct obs_log_counts counts;

	obs_log_counts(reader, &counts);
	assert_int_equal(counts.read, read);
	assert_int_equal(counts.filtered, filtered);
	assert_int_equal(counts.lost, lost);
	assert_int_equal(counts.unread, unread);
}
