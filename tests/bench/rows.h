/* SPDX-License-Identifier: MIT */
/*
 * What a benchmark found, for tests/bench/report.py: a line a figure, tabs between, added
 * to the file that BENCH_ROWS names, if it names one:
 *
 *	WHAT  WAY  AT  UNIT  MEDIAN  LOWER-QUARTILE  UPPER-QUARTILE  ROUNDS
 */
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H

#include <stdio.h>
#include <stdlib.h>

/* @figure is of @nr rounds, sorted. */
static inline void row(const char *what, const char *way, const char *at, const char *unit,
		       const double *figure, unsigned int nr)
{
	const char *path = getenv("BENCH_ROWS");
	FILE *file;

	if (!path || !*path)
		return;
	file = fopen(path, "a");
	if (!file ||
	    fprintf(file, "%s\t%s\t%s\t%s\t%.6g\t%.6g\t%.6g\t%u\n", what, way, at, unit,
		    figure[nr / 2], figure[nr / 4], figure[nr - 1 - nr / 4], nr) < 0 ||
	    fclose(file)) {
		perror(path);
		exit(1);
	}
}

/* Of so many threads. */
static inline void row_threads(const char *what, const char *way, unsigned int threads,
			       const double *figure, unsigned int nr)
{
	char at[32];

	snprintf(at, sizeof(at), "threads=%u", threads);
	row(what, way, at, "ns", figure, nr);
}

#endif
