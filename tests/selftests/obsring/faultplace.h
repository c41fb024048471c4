/* SPDX-License-Identifier: MIT */
/*
 * Where the points of an operation are: kmod/obsring_points.c gives each a number for the
 * calls by which it is come to, the same for calls that are alike, and makes the point at
 * such a place the one that fails, whatever was met before.
 */
#ifndef SELFTEST_FAULTPLACE_H
#define SELFTEST_FAULTPLACE_H

#include <stdint.h>

#define PLACES_MAX	4096

struct places {
	uint64_t place[PLACES_MAX];
	unsigned int nr;
};

/* 0 or -errno. */
int places_begin(void);
void places_end(void);

/*
 * Whoever is armed with FAULT_NONE from here on fails at this place, the first time it
 * comes there; with 0 nowhere, and where it was is recorded. 0 or -errno.
 */
int places_strike(uint64_t place);

/* Those of the @points points that were met, but for such as the first @skipped are at. */
int places_learn(struct places *places, unsigned int skipped, unsigned int points);

#endif /* SELFTEST_FAULTPLACE_H */
