// SPDX-License-Identifier: MIT
#include <time.h>

#include <obsring.h>

#include "log.h"

#define TRIES	16

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t obs_log_now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/*
 * Exactly what the kernel adds: the coarse clocks move by ticks, and within one they
 * differ by just that.
 */
uint64_t obs_log_realtime(void)
{
	uint64_t monotonic, realtime;
	unsigned int tries = 0;

	do {
		monotonic = clock_ns(CLOCK_MONOTONIC_COARSE);
		realtime = clock_ns(CLOCK_REALTIME_COARSE);
	} while (monotonic != clock_ns(CLOCK_MONOTONIC_COARSE) && ++tries < TRIES);
	return realtime - monotonic;
}
