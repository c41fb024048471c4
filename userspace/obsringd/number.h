/* SPDX-License-Identifier: MIT */
/*
 * Numbers as decimal text, exactly: a stored integer times 10^exp10 has a
 * finite decimal form, so nothing is rounded and no double is printed.
 *
 * Each writes at most NUMBER_MAX bytes at @out, without a NUL, and returns
 * their end.
 */
#ifndef OBSRINGD_NUMBER_H
#define OBSRINGD_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#define NUMBER_MAX 40
#define NUMBER_DIGITS 20	/* of the greatest */

char *number_u64(char *out, uint64_t value);

/* @value * 10^@exp10, with -19 <= @exp10 <= 0: "1.5", "0.000000001", "7". */
char *number_scaled(char *out, uint64_t value, int exp10);
char *number_scaled_signed(char *out, int64_t value, int exp10);

/*
 * The same (of an int64_t if @negative is allowed) with as many @fill, blanks or
 * zeros, before it as to fill @width bytes, which are enough: a sign stands before
 * zeros and behind blanks.
 */
void number_fill(char *out, unsigned int width, char fill, uint64_t value,
		 bool negative, int exp10);

/*
 * The number that ends at @end says @shown, in decimal digits: let it say @value, which
 * is greater. Digits in front that stay are not written.
 */
void number_raise(char *end, uint64_t shown, uint64_t value);

/* The double that is nearest, or next to it. */
double number_double(uint64_t value, int exp10);
double number_double_signed(int64_t value, int exp10);

/*
 * Bounds of buckets, the values of `le`, in the form that OpenMetrics calls
 * canonical: 1e-05, 0.0001, 100000, 1e+06. With @point a whole number gets
 * ".0", as OpenMetrics demands and the older text format does not.
 */
char *number_bound_scaled(char *out, uint64_t value, int exp10, bool point);

/* 2^@log2, |@log2| <= 64: the shortest decimal that reads back as it. */
char *number_bound_log2(char *out, int log2, bool point);

#endif /* OBSRINGD_NUMBER_H */
