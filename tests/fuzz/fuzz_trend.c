// SPDX-License-Identifier: MIT
/*
 * libFuzzer: any numbers at any times that rise. Their median is the one of a sorted
 * copy; the slope lies between the steepest and the flattest of pairs; numbers in the
 * other direction have the opposite trend, and equal steps, or none, are what they are.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "obsringd/trend.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
	if (!holds)
		abort();
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void median_check(const uint64_t *value, unsigned int nr)
{
	double some[TREND_MAX], sorted[TREND_MAX], expected;
	unsigned int i;

	for (i = 0; i < nr; i++)
		some[i] = sorted[i] = (double)value[i] - 0x1p63;
	qsort(sorted, nr, sizeof(sorted[0]), compare);
	expected = nr % 2 ? sorted[nr / 2] :
		   sorted[nr / 2 - 1] + (sorted[nr / 2] - sorted[nr / 2 - 1]) / 2;
	require(trend_median(some, nr) == expected);
	/* It was only reordered. */
	qsort(some, nr, sizeof(some[0]), compare);
	require(!memcmp(some, sorted, nr * sizeof(some[0])));
}

static double slope_of(const uint64_t *at, const uint64_t *value, unsigned int i, unsigned int j)
{
	double rise = value[j] >= value[i] ? (double)(value[j] - value[i]) :
					     -(double)(value[i] - value[j]);

	return rise / (double)(at[j] - at[i]);
}

static void trend_check(const uint64_t *at, const uint64_t *value, unsigned int nr)
{
	uint64_t back[TREND_MAX], line[TREND_MAX];
	double least = INFINITY, most = -INFINITY;
	struct trend trend, opposite;
	unsigned int i, j;

	trend_find(at, value, nr, &trend);
	for (i = 0; i < nr; i++) {
		back[i] = ~value[i];
		line[i] = at[i] / 2;
		for (j = i + 1; j < nr; j++) {
			least = fmin(least, slope_of(at, value, i, j));
			most = fmax(most, slope_of(at, value, i, j));
		}
	}
	require(isfinite(trend.slope) && isfinite(trend.z));
	if (nr < 2) {
		require(!trend.slope && !trend.z);
		return;
	}
	require(trend.slope >= least && trend.slope <= most);
	/* All rise, or all fall. */
	require(least < 0 || trend.z >= 0);
	require(most > 0 || trend.z <= 0);
	require(least || most || !trend.z);
	trend_find(at, back, nr, &opposite);
	/* The mean of the two in the middle is rounded. */
	require(fabs(opposite.slope + trend.slope) <= 0x1p-50 * fmax(fabs(least), fabs(most)));
	require(opposite.z == -trend.z);
	trend_find(at, line, nr, &trend);
	require(trend.slope >= 0 && trend.slope <= 1 && trend.z >= 0);
}

/* Nine bytes each: how much later, and what was seen. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t at[TREND_MAX], value[TREND_MAX], now = 0;
	unsigned int nr;

	for (nr = 0; nr < TREND_MAX && size >= 9; nr++, data += 9, size -= 9) {
		now += 1 + data[0];
		at[nr] = now;
		memcpy(&value[nr], data + 1, 8);
	}
	trend_check(at, value, nr);
	if (nr)
		median_check(value, nr);
	return 0;
}
