/* SPDX-License-Identifier: MIT */
/*
 * Waiting for a condition, never for a time: the deadline only keeps a test
 * that fails from going on for ever.
 */
#ifndef SELFTEST_AWAIT_H
#define SELFTEST_AWAIT_H

#include <poll.h>
#include <stdbool.h>
#include <time.h>

#define AWAIT_SECONDS	180

static inline bool await_go_on(time_t begun)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec - begun > AWAIT_SECONDS)
		return false;
	poll(NULL, 0, 1);
	return true;
}

static inline time_t await_begin(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* Evaluates @condition until it is true: false if it never was. */
#define await(condition) ({						\
	time_t begun_ = await_begin();					\
	bool met_;							\
									\
	while (!(met_ = !!(condition)) && await_go_on(begun_))		\
		;							\
	met_; })

#endif /* SELFTEST_AWAIT_H */
