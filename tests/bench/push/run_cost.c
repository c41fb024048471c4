// SPDX-License-Identifier: MIT
/*
 * run_cost RUNS PROGRAM ARG...: runs PROGRAM so often, one after the other, and prints
 * what a run takes on average, from its start to its end: microseconds of the clock, and
 * of processors.
 */
#include <spawn.h>
#include <stdint.h>
#include <sys/resource.h>
#include <time.h>

#include "../tracers/watched.h"

extern char **environ;

static double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static double used_us(void)
{
	struct rusage usage;

	getrusage(RUSAGE_CHILDREN, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void run(char **argv)
{
	int status;
	pid_t child;

	if (posix_spawnp(&child, argv[0], NULL, NULL, argv, environ) ||
	    waitpid(child, &status, 0) < 0 || status)
		die("run_cost: %s failed", argv[0]);
}

int main(int argc, char **argv)
{
	int runs = argc > 2 ? atoi(argv[1]) : 0, i;
	double begun, used;

	if (runs < 1)
		die("usage: run_cost RUNS PROGRAM ARG...");
	begun = now_us();
	used = used_us();
	for (i = 0; i < runs; i++)
		run(argv + 2);
	printf("%.1f %.1f\n", (now_us() - begun) / runs, (used_us() - used) / runs);
	return 0;
}
