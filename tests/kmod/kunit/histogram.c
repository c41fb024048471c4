// SPDX-License-Identifier: GPL-2.0-only
/*
 * Histograms in the kernel's integers. Every bound that one can have is checked by its
 * definition: b = floor(2^(i/8) * 10^e) is the integer with
 *
 *	b^8 <= 2^i * 10^(8e) < (b + 1)^8
 *
 * in whole numbers of 1024 bits; and every bucket by a search.
 */
#include <kunit/test.h>
#include <linux/module.h>

#include <linux/obsring.h>
#include <obsring/histogram.h>

#define LIMBS	16	/* 2^64^8 * 2^320 has 832 bits */

struct big {
	u64 limb[LIMBS];
};

static void big_multiply(struct big *b, u64 by)
{
	unsigned __int128 sum = 0;
	int i;

	for (i = 0; i < LIMBS; i++) {
		sum += (unsigned __int128)b->limb[i] * by;
		b->limb[i] = (u64)sum;
		sum >>= 64;
	}
}

/* @base^@power * 2^@shift */
static struct big big_make(u64 base, int power, int shift)
{
	struct big b = { { 1 } };

	while (power--)
		big_multiply(&b, base);
	for (; shift >= 32; shift -= 32)
		big_multiply(&b, 1ULL << 32);
	big_multiply(&b, 1ULL << shift);
	return b;
}

static int big_compare(const struct big *a, const struct big *b)
{
	int i;

	for (i = LIMBS - 1; i >= 0; i--)
		if (a->limb[i] != b->limb[i])
			return a->limb[i] < b->limb[i] ? -1 : 1;
	return 0;
}

/* Is (@v / 10^-exp10)^8 above 2^@index? */
static bool exceeds(u64 v, int index, int exp10)
{
	struct big left = big_make(v, 8, max(-index, 0));
	struct big right = big_make(10, -exp10 * 8, max(index, 0));

	return big_compare(&left, &right) > 0;
}

static void bounds_are_exact(struct kunit *test)
{
	int exp10, index;
	u64 bound;

	for (exp10 = OBSRING_EXP10_MIN; exp10 <= 0; exp10++) {
		for (index = OBSRING_LOG2_MIN * 8; index <= OBSRING_LOG2_MAX * 8; index++) {
			bound = obs_histogram_exp_bound(index, exp10);
			KUNIT_ASSERT_FALSE_MSG(test, exceeds(bound, index, exp10),
					       "10^%d, 2^(%d/8): %llu is too high",
					       exp10, index, bound);
			if (bound < U64_MAX - 1)
				KUNIT_ASSERT_TRUE_MSG(test, exceeds(bound + 1, index, exp10),
						      "10^%d, 2^(%d/8): %llu is too low",
						      exp10, index, bound);
		}
		cond_resched();
	}
}

struct layout {
	u64 bound[OBSRING_SLOTS_MAX];
	u16 first[OBS_CELLS_MAX];
	struct obs_histogram_layout layout;
};

static u32 bucket_of(const struct layout *l, u64 v)
{
	u32 b = 0;

	while (b < l->layout.nr_bounds && v > l->bound[b])
		b++;
	return b;
}

static void expect_bucket(struct kunit *test, const struct layout *l, u64 v)
{
	KUNIT_ASSERT_EQ_MSG(test, obs_histogram_bucket(&l->layout, v), bucket_of(l, v),
			    "the bucket of %llu", v);
}

static void expect_buckets(struct kunit *test, struct layout *l, u32 nr)
{
	u32 i;

	obs_histogram_layout_init(&l->layout, l->bound, nr, l->first);
	for (i = 0; i < nr; i++) {
		expect_bucket(test, l, l->bound[i] - !!l->bound[i]);
		expect_bucket(test, l, l->bound[i]);
		expect_bucket(test, l, l->bound[i] + 1);
	}
	for (i = 0; i < 64; i++)
		expect_bucket(test, l, 1ULL << i);
	expect_bucket(test, l, 0);
	expect_bucket(test, l, U64_MAX);
}

static void exponential_buckets(struct kunit *test)
{
	static const struct { s16 min, max; } range[] = {
		{ -30, 5 }, { -20, 0 }, { 0, 40 }, { -40, -39 }, { -1, 30 },
	};
	struct layout *l = kunit_kzalloc(test, sizeof(*l), GFP_KERNEL);
	int schema, i;

	KUNIT_ASSERT_NOT_NULL(test, l);
	for (schema = 0; schema <= OBSRING_SCHEMA_MAX; schema++)
		for (i = 0; i < ARRAY_SIZE(range); i++) {
			obs_histogram_exp_bounds(l->bound, schema, range[i].min,
						 range[i].max, -9);
			expect_buckets(test, l,
				       obs_histogram_exp_nr_bounds(schema, range[i].min,
								   range[i].max));
		}
}

static void explicit_buckets(struct kunit *test)
{
	static const u64 bounds[][4] = {
		{ 0, 1, 2, 3 }, { 1, 10, 100, 1000 }, { 0, 1, 1ULL << 40, U64_MAX - 1 },
		{ 1000, 1001, 1002, 1003 }, { U64_MAX - 4, U64_MAX - 3, U64_MAX - 2, U64_MAX - 1 },
	};
	struct layout *l = kunit_kzalloc(test, sizeof(*l), GFP_KERNEL);
	u32 i, nr;

	KUNIT_ASSERT_NOT_NULL(test, l);
	for (i = 0; i < ARRAY_SIZE(bounds); i++)
		for (nr = 1; nr <= 4; nr++) {
			memcpy(l->bound, bounds[i], nr * sizeof(u64));
			expect_buckets(test, l, nr);
		}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(bounds_are_exact),
	KUNIT_CASE(exponential_buckets),
	KUNIT_CASE(explicit_buckets),
	{}
};

static struct kunit_suite suite = {
	.name = "obsring-histogram",
	.test_cases = cases,
};

kunit_test_suite(suite);

MODULE_LICENSE("GPL");
