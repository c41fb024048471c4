// SPDX-License-Identifier: MIT
/*
 * Every bound of schemas 0 to 3, scale and octave against exact arithmetic by
 * another program; every value beside a bound against a search by comparison.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <obsring.h>
#include <obsring/histogram.h>

#define INDEX_MIN	(OBSRING_LOG2_MIN * 8)
#define INDEX_MAX	(OBSRING_LOG2_MAX * 8)
#define INDICES		(INDEX_MAX - INDEX_MIN + 1)
#define SCALES		(1 - OBSRING_EXP10_MIN)
#define LIMIT		(~0ULL - 1)

static unsigned long long exact[SCALES][INDICES];

static unsigned long long exact_bound(int index, int exp10)
{
	return exact[exp10 - OBSRING_EXP10_MIN][index - INDEX_MIN];
}

static int exact_read(void **state)
{
	FILE *program = popen("python3 " TOP "/tests/unit/histogram_exact.py", "r");
	unsigned long long bound;
	int exp10, index, nr = 0;

	(void)state;
	assert_non_null(program);
	while (fscanf(program, "%d %d %llu", &exp10, &index, &bound) == 3) {
		assert_in_range(exp10 - OBSRING_EXP10_MIN, 0, SCALES - 1);
		assert_in_range(index - INDEX_MIN, 0, INDICES - 1);
		exact[exp10 - OBSRING_EXP10_MIN][index - INDEX_MIN] = bound;
		nr++;
	}
	assert_int_equal(pclose(program), 0);
	assert_int_equal(nr, SCALES * INDICES);
	return 0;
}

static void test_bounds(void **state)
{
	int exp10, index;

	(void)state;
	for (exp10 = OBSRING_EXP10_MIN; exp10 <= 0; exp10++)
		for (index = INDEX_MIN; index <= INDEX_MAX; index++)
			if (obs_histogram_exp_bound(index, exp10) !=
			    exact_bound(index, exp10))
				fail_msg("10^%d, 2^(%d/8): %llu, exactly %llu", exp10, index,
					 (unsigned long long)
					 obs_histogram_exp_bound(index, exp10),
					 exact_bound(index, exp10));
}

/* The bucket of @v by its definition: the first bound that it does not exceed. */
static uint32_t bucket_of(const __u64 *bound, uint32_t nr, __u64 v)
{
	uint32_t low = 0, high = nr, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (v <= bound[middle])
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

struct layout {
	__u64 bound[OBS_CELLS_MAX * 2];
	__u16 first[OBS_CELLS_MAX];
	struct obs_histogram_layout layout;
};

static void layout_check(const struct layout *l, __u64 v)
{
	uint32_t nr = l->layout.nr_bounds;

	if (obs_histogram_bucket(&l->layout, v) != bucket_of(l->bound, nr, v))
		fail_msg("%llu is in bucket %u, not %u", (unsigned long long)v,
			 bucket_of(l->bound, nr, v),
			 obs_histogram_bucket(&l->layout, v));
}

static void layout_check_around(const struct layout *l, __u64 v)
{
	if (v)
		layout_check(l, v - 1);
	layout_check(l, v);
	if (v != ~0ULL)
		layout_check(l, v + 1);
}

static void layout_check_all(struct layout *l, uint32_t nr)
{
	uint32_t i;

	assert_true(obs_histogram_nr_cells(l->bound, nr) <= OBS_CELLS_MAX);
	obs_histogram_layout_init(&l->layout, l->bound, nr, l->first);
	for (i = 0; i < nr; i++)
		layout_check_around(l, l->bound[i]);
	for (i = 0; i < 64; i++)
		layout_check_around(l, 1ULL << i);
	layout_check_around(l, 0);
	layout_check_around(l, ~0ULL);
}

/* Every schema and scale over ranges that begin and end at every octave. */
static void test_exponential_buckets(void **state)
{
	static struct layout l;
	int schema, exp10, low, k;
	uint32_t nr;

	(void)state;
	for (schema = 0; schema <= OBSRING_SCHEMA_MAX; schema++)
		for (exp10 = OBSRING_EXP10_MIN; exp10 <= 0; exp10++)
			for (low = OBSRING_LOG2_MIN; low < OBSRING_LOG2_MAX; low++) {
				/* The widest range, and a single octave. */
				obs_histogram_exp_bounds(l.bound, schema, low,
							 OBSRING_LOG2_MAX, exp10);
				nr = obs_histogram_exp_nr_bounds(schema, low,
								 OBSRING_LOG2_MAX);
				for (k = 0; k < (int)nr; k++)
					assert_true(l.bound[k] == exact_bound(
						low * 8 + (k << (3 - schema)), exp10));
				layout_check_all(&l, nr);
				layout_check_all(&l, obs_histogram_exp_nr_bounds(
							schema, low, low + 1));
			}
}

static void test_explicit_buckets(void **state)
{
	static const struct {
		uint32_t nr;
		__u64 bound[12];
	} cases[] = {
		{ 1, { 0 } },
		{ 1, { 1 } },
		{ 1, { LIMIT } },
		{ 2, { 0, LIMIT } },
		{ 3, { 1, 2, 3 } },
		{ 12, { 100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111 } },
		{ 5, { 5, 25, 125, 1000000, 1ULL << 63 } },
		{ 12, { 5000000, 10000000, 25000000, 50000000, 100000000, 250000000,
			500000000, 1000000000, 2500000000, 5000000000, 10000000000,
			30000000000 } },
	};
	static struct layout l;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memcpy(l.bound, cases[i].bound, sizeof(cases[i].bound));
		layout_check_all(&l, cases[i].nr);
	}
	/* The most there may be, one beside the other. */
	for (i = 0; i < OBSRING_BOUNDS_MAX; i++)
		l.bound[i] = (1ULL << 40) + i;
	layout_check_all(&l, OBSRING_BOUNDS_MAX);
}

/* Bounds in the Prometheus unit: the doubles nearest to the exact numbers. */
static void test_unit_bounds(void **state)
{
	static const uint64_t bound[] = { 1, 3, 5000000, 123456789012345678ULL };
	struct obs_family_info family = {
		.exponential = true, .schema = 3, .min_log2 = -30, .max_log2 = 4,
		.nr_bounds = 34 * 8 + 1,
	};

	(void)state;
	assert_true(obs_family_bound(&family, 0) == 0x1p-30);
	assert_true(obs_family_bound(&family, 8) == 0x1p-29);
	assert_true(obs_family_bound(&family, 272) == 16);
	assert_true(obs_family_bound(&family, 273) == __builtin_inf());
	/* 2^(1/2) and 2^(-29.5) */
	assert_true(obs_family_bound(&family, 30 * 8 + 4) == 0x1.6a09e667f3bcdp+0);
	assert_true(obs_family_bound(&family, 4) == 0x1.6a09e667f3bcdp-30);

	family = (struct obs_family_info){ .exp10 = -9, .nr_bounds = 4, .bound = bound };
	assert_true(obs_family_bound(&family, 0) == 1e-9);
	assert_true(obs_family_bound(&family, 1) == 3e-9);
	assert_true(obs_family_bound(&family, 2) == 0.005);
	assert_true(obs_family_bound(&family, 3) == 123456789.012345678);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_exponential_buckets),
		cmocka_unit_test(test_explicit_buckets),
		cmocka_unit_test(test_unit_bounds),
	};

	return cmocka_run_group_tests_name("histogram", tests, exact_read, NULL);
}
