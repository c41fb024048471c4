// SPDX-License-Identifier: MIT
#include <math.h>
#include <stdbool.h>

#include "trend.h"

#define PAIRS_MAX (TREND_MAX * (TREND_MAX - 1) / 2)

static void swap(double *a, double *b)
{
	double before = *a;

	*a = *b;
	*b = before;
}

/* Bring what belongs at @k there: smaller ones before it, greater ones behind. */
static void select_kth(double *value, int nr, int k)
{
	int low = 0, high = nr - 1, left, right;
	double pivot;

	while (low < high) {
		pivot = value[k];
		left = low;
		right = high;
		do {
			while (value[left] < pivot)
				left++;
			while (value[right] > pivot)
				right--;
			if (left <= right)
				swap(&value[left++], &value[right--]);
		} while (left <= right);
		if (right < k)
			low = left;
		if (left > k)
			high = right;
	}
}

double trend_median(double *value, unsigned int nr)
{
	unsigned int i, half = nr / 2;
	double upper, lower;

	select_kth(value, (int)nr, (int)half);
	upper = value[half];
	if (nr % 2)
		return upper;
	lower = value[0];
	for (i = 1; i < half; i++)
		if (value[i] > lower)
			lower = value[i];
	return lower + (upper - lower) / 2;
}

static int sign(uint64_t before, uint64_t after)
{
	return (after > before) - (after < before);
}

/* Without a difference of unsigned numbers that would wrap. */
static double difference(uint64_t before, uint64_t after)
{
	return after >= before ? (double)(after - before) : -(double)(before - after);
}

static double pairs_of(double nr)
{
	return nr * (nr - 1) * (2 * nr + 5);
}

/* Of S, were all orders equally likely. */
static double variance(const uint64_t *value, unsigned int nr)
{
	double sum = pairs_of(nr);
	unsigned int i, j, equal;
	bool seen;

	for (i = 0; i < nr; i++) {
		equal = 1;
		seen = false;
		for (j = 0; j < i && !seen; j++)
			seen = value[j] == value[i];
		for (j = i + 1; j < nr && !seen; j++)
			equal += value[j] == value[i];
		if (!seen)
			sum -= pairs_of(equal);
	}
	return sum / 18;
}

/* S jumps by two: half of that is taken off, towards no trend. */
static double z_of(int s, double variance)
{
	if (!s || variance <= 0)
		return 0;
	return (s > 0 ? s - 1 : s + 1) / sqrt(variance);
}

void trend_find(const uint64_t *at, const uint64_t *value, unsigned int nr,
		struct trend *ret_trend)
{
	double slope[PAIRS_MAX];
	unsigned int i, j, pairs = 0;
	int s = 0;

	*ret_trend = (struct trend){ 0 };
	if (nr < 2 || nr > TREND_MAX)
		return;
	for (i = 0; i < nr; i++) {
		for (j = i + 1; j < nr; j++) {
			slope[pairs++] = difference(value[i], value[j]) /
					 (double)(at[j] - at[i]);
			s += sign(value[i], value[j]);
		}
	}
	ret_trend->slope = trend_median(slope, pairs);
	ret_trend->z = z_of(s, variance(value, nr));
}
