// SPDX-License-Identifier: MIT
/*
 * syslog_cost ROUNDS CALLS: what a line of 64 bytes by syslog(3) takes who writes it, in
 * ns of its own CPU time: the daemon's is not in it. CALLS of them are timed together,
 * ROUNDS times, and the median round is printed, as ns a call.
 */
#include <stdint.h>
#include <syslog.h>
#include <time.h>

#include "watched.h"

static const char text[] =
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static int64_t used_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static int64_t round_ns(long calls)
{
	int64_t begin = used_ns();

	while (calls--)
		syslog(LOG_INFO, "%s", text);
	return used_ns() - begin;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	long rounds = argc == 3 ? atol(argv[1]) : 0, calls = argc == 3 ? atol(argv[2]) : 0, i;
	int64_t *ns;

	if (rounds < 1 || calls < 1)
		die("usage: syslog_cost ROUNDS CALLS");
	ns = calloc((size_t)rounds, sizeof(*ns));
	if (!ns)
		die("syslog_cost: no memory");
	openlog("bench", LOG_NDELAY, LOG_USER);
	round_ns(calls);
	for (i = 0; i < rounds; i++)
		ns[i] = round_ns(calls);
	qsort(ns, (size_t)rounds, sizeof(*ns), compare);
	printf("median %.0f\n", (double)ns[rounds / 2] / (double)calls);
	free(ns);
	return 0;
}
