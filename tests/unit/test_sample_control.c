// SPDX-License-Identifier: MIT
/*
 * What adapts to the load: quotas hold, a controller under a simulated clock finds its
 * target, the floor is kept.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sampler.h"

/* ---- Quota --------------------------------------------------------------- */

/* No period has more, and all of it is used if CPUs ask for it. */
static void test_rate(void **state)
{
	static const __u64 rates[] = { 1, 2, 7, 8, 9, 10, 33, 100, 1000, 5000 };
	unsigned int i, period, load;
	struct sampler s;
	size_t r;

	(void)state;
	for (r = 0; r < NR(rates); r++) {
		sampler_open(&s);
		set(&s, OBSRING_RULE_RATE, rates[r]);
		for (period = 0; period < 60; period++) {
			__u64 before = s.kept;

			/* Steady, then little, then one CPU, then changing. */
			load = period < 20 ? rates[r] * 5 : period < 30 ? rates[r] / 2 :
			       rates[r] * (period % 4);
			for (i = 0; i < load; i++)
				decide(&s, period >= 30 && period < 40 ? 5 : any_cpu());
			assert_in_range(s.kept - before, 0, rates[r]);
			if (period > 2 && period < 20)
				assert_true(s.kept - before == rates[r]);
			if (period >= 21 && period < 30)
				assert_true(s.kept - before == load);
			assert_true(near(s.weight + pending(&s), s.seen, 1e-3 + s.seen * 1e-9));
			second(&s);
		}
		assert_int_equal(s.seen, s.kept + s.dropped);
	}
}

/* A CPU that begins to speak beside one that takes all: it is heard at once. */
static void test_rate_newcomer(void **state)
{
	unsigned int period, i, heard = 0;
	struct sampler s;

	(void)state;
	sampler_open(&s);
	set(&s, OBSRING_RULE_RATE, 100);
	for (period = 0; period < 5; period++) {
		for (i = 0; i < 1000; i++)
			decide(&s, 0);
		second(&s);
	}
	assert_true((__u32)s.slot[0].grant == 75);
	for (i = 0; i < 25; i++)
		heard += decide(&s, 1);
	assert_int_equal(heard, 25);
	assert_false(decide(&s, 1));
	assert_true(s.slot[1].quota & OBS_SAMPLE_DRY);
	for (i = 0; i < 75; i++)
		assert_true(decide(&s, 0));
	assert_false(decide(&s, 0));
	/* Next period its share is its own. */
	for (i = 0; i < 899; i++)
		decide(&s, 1);
	second(&s);
	assert_in_range((__u32)s.slot[1].grant, 60, 75);
}

/* Between the grants and the pool of a new period: neither is used beside the other. */
static void test_rate_between(void **state)
{
	struct sampler s;
	__u64 pool;

	(void)state;
	sampler_open(&s);
	set(&s, OBSRING_RULE_RATE, 4);
	pool = s.rule.pool;
	s.rule.pool += 1ULL << OBS_SAMPLE_PERIOD_SHIFT;
	assert_false(decide(&s, 0));
	s.rule.pool = pool - (1ULL << OBS_SAMPLE_PERIOD_SHIFT);
	assert_false(decide(&s, 0));
	/* And it is not taken for empty. */
	s.rule.pool = pool;
	assert_true(decide(&s, 0));
	assert_true(s.weight == 3);
}

static void test_rate_weight(void **state)
{
	__u64 threshold = 1;
	struct sampler s;
	unsigned int k;

	(void)state;
	for (k = 0; k < 3000; k += 1 + k / 9) {
		sampler_open(&s);
		set(&s, OBSRING_RULE_RATE, 1);
		assert_true(decide(&s, 0) && s.weight == 1);
		while (s.dropped < k)
			assert_false(decide(&s, 0));
		second(&s);
		assert_true(obs_sample_decide(&s.rule, &s.slot[0], &s.rng[0], NULL,
					      &threshold));
		assert_true(near(weight(threshold), k + 1, 1e-9 * k));
	}
}

static void test_portion(void **state)
{
	unsigned int round, i;

	(void)state;
	for (round = 0; round < 100000; round++) {
		__u64 total = random64() % 2000000001, part[CPUS], whole = 0, sum = 0;

		for (i = 0; i < CPUS; i++)
			whole += part[i] = random64() >> (4 + random64() % 60);
		for (i = 0; i < CPUS; i++)
			sum += obs_sample_portion(total, part[i], whole);
		assert_true(sum <= total);
		/* Rounding alone is missing. */
		assert_true(!whole || total - sum <= CPUS + (total >> 27) * CPUS);
	}
}

/* ---- Target -------------------------------------------------------------- */

struct run {
	struct sampler s;
	__u64 target;
	__u64 kept[200];		/* by second */
	unsigned int now;
	unsigned int draws;		/* changes of the word */
};

/* A second of @load events over the CPUs, unevenly. */
static void run_second(struct run *r, __u64 load)
{
	__u64 before = r->s.kept, word;
	__u64 i;

	for (i = 0; i < load; i++)
		decide(&r->s, random64() % 3 ? any_cpu() : 1);
	r->kept[r->now++] = r->s.kept - before;
	/* The burst that is allowed. */
	assert_in_range(r->s.kept - before, 0, OBS_SAMPLE_BURST * r->target);
	word = r->s.rule.word;
	second(&r->s);
	r->draws += r->s.rule.word != word;
}

/* Every window of ten seconds within [from, to). */
static void windows(const struct run *r, unsigned int from, unsigned int to)
{
	unsigned int begin, i;

	for (begin = from; begin + 10 <= to; begin++) {
		__u64 sum = 0;

		for (i = 0; i < 10; i++)
			sum += r->kept[begin + i];
		if (!near(sum, 10.0 * r->target, 2.0 * r->target))
			fail_msg("target %llu, window from second %u", r->target, begin);
	}
}

static void test_target(void **state)
{
	static const struct {
		__u64 target, load;
	} cases[] = {
		{ 10, 200 }, { 10, 2000 }, { 100, 150 }, { 100, 1000 }, { 100, 30000 },
		{ 1000, 3000 }, { 500, 20000 },
	};
	size_t c;

	(void)state;
	for (c = 0; c < NR(cases); c++) {
		struct run r = { .target = cases[c].target };
		unsigned int draws;

		sampler_open(&r.s);
		set(&r.s, OBSRING_RULE_TARGET, r.target);
		while (r.now < 10)
			run_second(&r, cases[c].load);
		draws = r.draws;
		while (r.now < 60)
			run_second(&r, cases[c].load);
		windows(&r, 10, 60);
		/* A steady load draws nothing anew. */
		assert_int_equal(r.draws, draws);
		/* Ten times as much, and back. */
		while (r.now < 100)
			run_second(&r, cases[c].load * 10);
		windows(&r, 70, 100);
		while (r.now < 140)
			run_second(&r, cases[c].load);
		windows(&r, 110, 140);
		assert_int_equal(r.s.seen, r.s.kept + r.s.dropped);
		assert_true(near(r.s.weight + pending(&r.s), r.s.seen,
				 r.s.seen * 6 / sqrt(r.s.kept)));
	}
}

/* A load that varies by chance around its mean, as requests that come in do. */
static void test_target_noisy(void **state)
{
	struct run r = { .target = 100 };
	unsigned int draws;

	(void)state;
	sampler_open(&r.s);
	set(&r.s, OBSRING_RULE_TARGET, r.target);
	while (r.now < 10)
		run_second(&r, 2000 + random64() % 90 - 45);
	draws = r.draws;
	while (r.now < 150)
		run_second(&r, 2000 + random64() % 90 - 45);
	windows(&r, 10, 150);
	assert_int_equal(r.draws, draws);
}

/* Less than the target: everything is kept, and weighs 1. */
static void test_target_below(void **state)
{
	struct run r = { .target = 100 };

	(void)state;
	sampler_open(&r.s);
	set(&r.s, OBSRING_RULE_TARGET, r.target);
	while (r.now < 30)
		run_second(&r, 90);
	assert_int_equal(r.s.kept, r.s.seen);
	assert_true(r.s.weight == (double)r.s.seen);
	assert_int_equal(r.draws, 0);
}

static void test_target_threshold(void **state)
{
	unsigned int round;

	(void)state;
	for (round = 0; round < 100000; round++) {
		__u64 target = 1 + (random64() % 1000000000 >> random64() % 30);
		__u64 load = random64() % OBS_SAMPLE_LOAD_MAX >> random64() % 35;
		__u64 threshold = obs_sample_target_threshold(target, load);

		assert_true(threshold < ONE);
		if (load <= target)
			assert_true(threshold == 0);
		else
			assert_true(near((double)(ONE - threshold) / ONE, (double)target / load,
					 1e-12));
	}
}

/* ---- Floor --------------------------------------------------------------- */

static void test_floor(void **state)
{
	static const __u64 begins[] = { 0, 1000, 0xffffff00ULL, (1ULL << 48) - 50, ~0ULL - 70 };
	enum { MINUTE = 60, LIMIT = 10 };
	unsigned int tick, taken;
	size_t b;

	(void)state;
	for (b = 0; b < NR(begins); b++) {
		/* The last minute was used up. */
		struct obs_sample_floor floor = { (begins[b] - MINUTE) << 16 | LIMIT };
		__u64 now = begins[b], minute;

		for (minute = 0; minute < 5; minute++) {
			taken = 0;
			for (tick = 0; tick < MINUTE; tick++, now++) {
				taken += obs_sample_floor_take(&floor, LIMIT, now, MINUTE);
				taken += obs_sample_floor_take(&floor, LIMIT, now, MINUTE);
				/* A CPU whose tick is late does not begin it anew. */
				if (tick)
					taken += obs_sample_floor_take(&floor, LIMIT, now - 1,
								       MINUTE);
			}
			assert_int_equal(taken, LIMIT);
		}
		assert_false(obs_sample_floor_take(&floor, 0, now + MINUTE, MINUTE));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_rate_newcomer),
		cmocka_unit_test(test_rate_between),
		cmocka_unit_test(test_rate_weight),
		cmocka_unit_test(test_portion),
		cmocka_unit_test(test_target),
		cmocka_unit_test(test_target_noisy),
		cmocka_unit_test(test_target_below),
		cmocka_unit_test(test_target_threshold),
		cmocka_unit_test(test_floor),
	};

	return cmocka_run_group_tests_name("sample control", tests, NULL, NULL);
}
