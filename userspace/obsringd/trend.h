/* SPDX-License-Identifier: MIT */
/*
 * Does a series of numbers rise, and how fast? Pure functions over a bounded window.
 *
 *	slope	Theil-Sen: the median of the slopes of all pairs. Up to 29 % of the
 *		values may be anything; it does not follow them.
 *	z	Mann-Kendall: how many pairs rise, less those that fall, in standard
 *		deviations of what chance alone would make of it. Equal values count
 *		for neither and make chance narrower (ties).
 *
 * A window of n values costs n (n - 1) / 2 pairs: 496 for TREND_MAX, some ten
 * microseconds, and no allocation. Values that depend on the one before (a queue's
 * length) pass the test more often than z says of independent ones: who raises an
 * alarm has to ask for more than that (leak.h).
 */
#ifndef OBSRINGD_TREND_H
#define OBSRINGD_TREND_H

#include <stdint.h>

#define TREND_MAX 32

struct trend {
	double slope;	/* in the value's unit per unit of time */
	double z;	/* 0: no more than chance, or fewer than two values */
};

/* The middle one of @value, which is reordered; of an even number, the mean of both. */
double trend_median(double *value, unsigned int nr);

/*
 * @value[i] was seen at @at[i], which rises strictly. @nr is at most TREND_MAX; below
 * 2 there is no trend, and all is 0.
 */
void trend_find(const uint64_t *at, const uint64_t *value, unsigned int nr,
		struct trend *ret_trend);

#endif /* OBSRINGD_TREND_H */
