// SPDX-License-Identifier: MIT
/*
 * syslog_cost ROUNDS CALLS: what a line of 64 bytes by syslog(3) takes who writes it, in
 * ns of its own CPU time: the daemon's is not in it. CALLS of them are timed together,
 * ROUNDS times, and the median round and the quartiles are printed, as ns a call.
 */
#include <syslog.h>

#include "../cost.h"

static const char text[] =
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static int64_t round_ns(long calls)
{
	int64_t begin = clock_now_ns(CLOCK_THREAD_CPUTIME_ID);

	while (calls--)
		syslog(LOG_INFO, "%s", text);
	return clock_now_ns(CLOCK_THREAD_CPUTIME_ID) - begin;
}

int main(int argc, char **argv)
{
	long rounds, calls, i;
	int64_t *ns;

	if (argc != 3) {
		fputs("usage: syslog_cost ROUNDS CALLS\n", stderr);
		return 2;
	}
	rounds = number("syslog_cost", argv[1], ROUNDS_MAX);
	calls = number("syslog_cost", argv[2], ROUNDS_MAX);
	ns = rounds_new("syslog_cost", rounds);
	openlog("bench", LOG_NDELAY, LOG_USER);
	round_ns(calls);
	for (i = 0; i < rounds; i++)
		ns[i] = round_ns(calls);
	rounds_tell("median", ns, rounds, calls);
	free(ns);
	return 0;
}
