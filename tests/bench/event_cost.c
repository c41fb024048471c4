// SPDX-License-Identifier: MIT
/*
 * event_cost ROUNDS CALLS [function]: what a call of getppid() takes, or one of a
 * function that does nothing: CALLS of them are timed together, ROUNDS times, and the
 * median round and the quartiles are printed, as ns a call.
 * In a guest that counts time in instructions (scripts/vm --icount) these are
 * instructions; the rounds that a timer interrupt fell into are not the median.
 */
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cost.h"

/* For uprobes. */
__attribute__((noinline)) void event_cost_target(void)
{
	__asm__ volatile("");
}

static bool function;

static int64_t round_ns(long calls)
{
	int64_t begin = now_ns();

	if (function)
		while (calls--)
			event_cost_target();
	else
		while (calls--)
			syscall(SYS_getppid);
	return now_ns() - begin;
}

int main(int argc, char **argv)
{
	long rounds, calls, i;
	int64_t *ns;

	function = argc == 4 && !strcmp(argv[3], "function");
	if (argc != 3 && !function) {
		fputs("usage: event_cost ROUNDS CALLS [function]\n", stderr);
		return 2;
	}
	rounds = number("event_cost", argv[1], ROUNDS_MAX);
	calls = number("event_cost", argv[2], ROUNDS_MAX);
	ns = rounds_new("event_cost", rounds);
	round_ns(calls);
	for (i = 0; i < rounds; i++)
		ns[i] = round_ns(calls);
	rounds_tell("median", ns, rounds, calls);
	free(ns);
	return 0;
}
