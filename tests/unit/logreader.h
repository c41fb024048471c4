/* SPDX-License-Identifier: MIT */
/*
 * A segment with a log, and the library's reader of it. The clock stands still: what is
 * linked with this has its own.
 */
#ifndef TESTS_LOGREADER_H
#define TESTS_LOGREADER_H

#include <time.h>

#include <obsring.h>
#include <obsring/ring.h>

#include "segment.h"

#define NR(array)	(sizeof(array) / sizeof((array)[0]))
#define LINES		OBSRING_RING_LINES_MIN
#define SECOND		1000000000ULL
#define NOW		(1000 * SECOND)
#define REALTIME	(1795364057 * SECOND + 123456789)	/* less CLOCK_MONOTONIC */

/* What time it is; how far the clock goes on when it is read. */
extern uint64_t now_ns, step_ns;

extern struct segment *segment;
extern struct obs_log *reader;
extern const struct obs_log_entry *entry;
extern uint64_t stored;

int setup(void **state);
int teardown(void **state);

void open_with(const struct obs_log_options *options);
int next(void);

/* A record of a kernel ring, and a message that tells its time. */
void say(uint32_t cpu, uint64_t time_ns);

void expect_time(uint64_t time_ns);
void expect_lost(uint64_t lost, uint32_t cpu);
void expect_counts(uint64_t read, uint64_t filtered, uint64_t lost, uint64_t unread);

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

#endif /* TESTS_LOGREADER_H */
