// SPDX-License-Identifier: MIT
/*
 * Medians, slopes and Mann-Kendall's statistic: against cases that can be counted by
 * hand, against all orders of few values, and against the published table of S.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "obsringd/trend.h"

#define NR(array) (sizeof(array) / sizeof((array)[0]))

static void assert_near(double is, double wanted, double tolerance)
{
	if (!(fabs(is - wanted) <= tolerance))
		fail_msg("%.9g is not %.9g", is, wanted);
}

static struct trend trend_evenly(const uint64_t *value, unsigned int nr)
{
	uint64_t at[TREND_MAX + 1];
	struct trend trend;
	unsigned int i;

	for (i = 0; i < nr; i++)
		at[i] = i;
	trend_find(at, value, nr, &trend);
	return trend;
}

/* ---- Medians ------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

/* What sorting says, for all lengths, with many equal values and with few. */
static void test_median(void **state)
{
	double value[100], sorted[100], wanted;
	unsigned int nr, round, i, kinds;

	(void)state;
	srandom(1);
	for (nr = 1; nr <= NR(value); nr++) {
		for (round = 0; round < 50; round++) {
			kinds = round % 2 ? 3 : 1000;
			for (i = 0; i < nr; i++)
				value[i] = (double)(random() % kinds) - kinds / 2;
			memcpy(sorted, value, sizeof(sorted));
			qsort(sorted, nr, sizeof(sorted[0]), compare);
			wanted = (sorted[nr / 2] + sorted[(nr - 1) / 2]) / 2;
			assert_near(trend_median(value, nr), wanted, 0);
		}
	}
}

/* ---- Slopes -------------------------------------------------------------- */

static const struct {
	uint64_t value[8];
	unsigned int nr;
	double slope;
} slopes[] = {
	{ { 5 }, 1, 0 },
	{ { 5, 5 }, 2, 0 },
	{ { 5, 8 }, 2, 3 },
	{ { 8, 5 }, 2, -3 },
	{ { 1, 2, 4 }, 3, 1.5 },		/* of 1, 2 and 3/2 */
	{ { 0, 10, 20, 30, 40 }, 5, 10 },
	{ { 0, 10, 20, 1000, 40, 50 }, 6, 10 },	/* one outlier */
	{ { 1000000, 10, 20, 30, 40, 50, 60, 0 }, 8, 10 }, /* two of eight */
	{ { 7, 7, 7, 7, 100, 7 }, 6, 0 },
	{ { 0, UINT64_MAX }, 2, 18446744073709551615.0 },
	{ { UINT64_MAX, 0 }, 2, -18446744073709551615.0 },
};

static void test_slopes(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < NR(slopes); i++)
		assert_near(trend_evenly(slopes[i].value, slopes[i].nr).slope,
			    slopes[i].slope, 1e-9);
}

/* Values that are missing between others do not bend the line. */
static void test_uneven_times(void **state)
{
	const uint64_t at[] = { 1, 2, 10, 11, 50 }, value[] = { 3, 6, 30, 33, 150 };
	struct trend trend;

	(void)state;
	trend_find(at, value, NR(at), &trend);
	assert_near(trend.slope, 3, 1e-12);
}

/* ---- Mann-Kendall -------------------------------------------------------- */

static double z_of(int s, double variance)
{
	return (s - (s > 0) + (s < 0)) / sqrt(variance);
}

static const struct {
	uint64_t value[10];
	unsigned int nr;
	int s;
	double variance;	/* (n (n-1) (2n+5) - sum of t (t-1) (2t+5)) / 18 */
} kendall[] = {
	{ { 1, 2 }, 2, 1, 18 / 18. },
	{ { 1, 2, 3 }, 3, 3, 66 / 18. },
	{ { 3, 2, 1 }, 3, -3, 66 / 18. },
	{ { 1, 3, 2, 4 }, 4, 4, 156 / 18. },
	{ { 1, 1, 2, 3 }, 4, 5, (156 - 18) / 18. },
	{ { 1, 1, 1, 2 }, 4, 3, (156 - 66) / 18. },
	{ { 1, 1, 2, 2 }, 4, 4, (156 - 36) / 18. },
	{ { 1, 2, 3, 4, 5 }, 5, 10, 300 / 18. },
	{ { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, 10, 45, 125 },
	{ { 10, 2, 3, 4, 5, 6, 7, 8, 9, 1 }, 10, 45 - 2 * 17, 125 },
};

static void test_kendall(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < NR(kendall); i++)
		assert_near(trend_evenly(kendall[i].value, kendall[i].nr).z,
			    z_of(kendall[i].s, kendall[i].variance), 1e-12);
}

static void test_no_trend(void **state)
{
	const uint64_t equal[TREND_MAX + 1] = { 0 };

	(void)state;
	assert_near(trend_evenly(equal, TREND_MAX).z, 0, 0);
	assert_near(trend_evenly(equal, 1).z, 0, 0);
	assert_near(trend_evenly(equal, 0).z, 0, 0);
	assert_near(trend_evenly(equal, TREND_MAX + 1).z, 0, 0);
}

/*
 * The chance of an S at least as great, from the table of Kendall's S (e.g. Gilbert,
 * Statistical Methods, A18), for few values.
 */
static const struct {
	unsigned int nr;
	int s;
	double chance;
} table[] = {
	{ 4, 2, .375 }, { 4, 4, .167 }, { 4, 6, .042 },
	{ 5, 2, .408 }, { 5, 4, .242 }, { 5, 6, .117 }, { 5, 8, .042 }, { 5, 10, .0083 },
	{ 6, 5, .235 }, { 6, 9, .068 }, { 6, 13, .0083 }, { 6, 15, .0014 },
	{ 7, 9, .119 }, { 7, 13, .035 }, { 7, 21, .0002 },
	{ 8, 8, .199 }, { 8, 16, .031 }, { 8, 28, .000025 },
};

static void swap(uint64_t *a, uint64_t *b)
{
	uint64_t before = *a;

	*a = *b;
	*b = before;
}

/* The next order of @value, false after the last. */
static bool next_order(uint64_t *value, unsigned int nr)
{
	unsigned int i = nr - 1, j = nr - 1, end;

	while (i && value[i - 1] >= value[i])
		i--;
	if (!i)
		return false;
	while (value[j] <= value[i - 1])
		j--;
	swap(&value[i - 1], &value[j]);
	for (end = nr - 1; i < end; i++, end--)
		swap(&value[i], &value[end]);
	return true;
}

/* Of all orders of @nr values, the part whose z is that of @s or greater. */
static double chance_of(unsigned int nr, int s)
{
	uint64_t value[8];
	double variance = nr * (nr - 1.) * (2. * nr + 5) / 18;
	unsigned int i, found = 0, all = 0;

	for (i = 0; i < nr; i++)
		value[i] = i;
	do {
		found += trend_evenly(value, nr).z >= z_of(s, variance) - 1e-9;
		all++;
	} while (next_order(value, nr));
	return (double)found / all;
}

static void test_table(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < NR(table); i++)
		assert_near(chance_of(table[i].nr, table[i].s), table[i].chance,
			    table[i].chance < .01 ? .0001 : .0006);
}

/* A line under noise three times its rise between values, and the same without it. */
static void test_noise(void **state)
{
	uint64_t rising[TREND_MAX], level[TREND_MAX];
	struct trend trend;
	unsigned int i;
	long noise;

	(void)state;
	srandom(2);
	for (i = 0; i < TREND_MAX; i++) {
		noise = random() % 300;
		rising[i] = 1000 + 100 * i + noise;
		level[i] = 1000 + noise;
	}
	trend = trend_evenly(rising, TREND_MAX);
	assert_near(trend.slope, 100, 10);
	assert_true(trend.z > 6);
	assert_true(fabs(trend_evenly(level, TREND_MAX).z) < 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_median),
		cmocka_unit_test(test_slopes),
		cmocka_unit_test(test_uneven_times),
		cmocka_unit_test(test_kendall),
		cmocka_unit_test(test_no_trend),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
