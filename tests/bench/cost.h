/* SPDX-License-Identifier: MIT */
/*
 * What the programs have in common that time calls in rounds: arguments, the clock, and
 * the line that they print, "NAME MEDIAN LOWER-QUARTILE UPPER-QUARTILE", in ns a call.
 */
#ifndef BENCH_COST_H
#define BENCH_COST_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline int64_t clock_now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static inline int64_t now_ns(void)
{
	return clock_now_ns(CLOCK_MONOTONIC);
}

/* A number from 1 to @max, or the end of @program. */
static inline long number(const char *program, const char *text, long max)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*end || n < 1 || n > max) {
		fprintf(stderr, "%s: not a number from 1 to %ld: %s\n", program, max, text);
		exit(2);
	}
	return n;
}

#define ROUNDS_MAX 1000000L

/* Room for so many rounds, or the end of @program. */
static inline int64_t *rounds_new(const char *program, long rounds)
{
	int64_t *ns = calloc((size_t)rounds, sizeof(*ns));

	if (!ns) {
		perror(program);
		exit(1);
	}
	return ns;
}

static inline int rounds_compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* @ns is what each round took, of so many calls. */
static inline void rounds_tell(const char *name, int64_t *ns, long rounds, long calls)
{
	const double of = (double)calls;

	qsort(ns, (size_t)rounds, sizeof(*ns), rounds_compare);
	printf("%s %.2f %.2f %.2f\n", name, (double)ns[rounds / 2] / of,
	       (double)ns[rounds / 4] / of, (double)ns[rounds - 1 - rounds / 4] / of);
}

#endif
