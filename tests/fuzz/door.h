/* SPDX-License-Identifier: MIT */
/*
 * A target whose seeds are all refused tries nothing, and finds nothing. So it says where
 * an input was let in, and fails at its end if none ever was.
 */
#ifndef TESTS_FUZZ_DOOR_H
#define TESTS_FUZZ_DOOR_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static unsigned long door_let_in;

static void door_check(void)
{
	if (door_let_in)
		return;
	fputs("no input was let in: do the seeds fit what they are for?\n", stderr);
	_exit(1);
}

/* Before all. */
static inline void door_watch(void)
{
	static int watched;

	if (!watched++)
		atexit(door_check);
}

static inline void door_pass(void)
{
	door_let_in++;
}

#endif /* TESTS_FUZZ_DOOR_H */
