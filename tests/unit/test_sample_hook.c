// SPDX-License-Identifier: MIT
/*
 * Sampling by a rule or a quota, with interrupts that decide as well, and change the
 * rule or begin a period, at each access in turn.
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

struct storm {
	struct sampler *sampler;
	unsigned int depth;
	unsigned int calls, changes;
	bool change;
	const double *ps;		/* to change to */
	unsigned int nr_ps;
	unsigned int within;		/* accesses of the outermost */
	unsigned int depth_max;
	__u64 kept;			/* when the period began */
};

static const double storm_ps[] = { 0.5, 0.2, 0.05, 0.4, 0.8, 0.6 };

#define STORM_HALF	4	/* of them at most 1/2 */

/* A nested context that decides some times, and may see the rule changed. */
static void interrupt(void *context)
{
	struct storm *storm = context;
	unsigned int n;

	storm->calls++;
	if (storm->depth < storm->depth_max) {
		storm->depth++;
		hook.left = 1 + random64() % 40;
	}
	if (storm->change && random64() % 3 == 0) {
		storm->changes++;
		obs_sample_set_word(&storm->sampler->rule,
				    obs_sample_make_word(OBSRING_RULE_PROBABILITY,
				    threshold_of(storm->ps[random64() % storm->nr_ps])));
	}
	for (n = random64() % 4; n; n--)
		decide(storm->sampler, 0);
}

static void storm_run(struct storm *storm, double p, unsigned int rounds)
{
	struct sampler *s = storm->sampler;
	unsigned int i;

	hook.call = interrupt;
	hook.context = storm;
	set(s, OBSRING_RULE_PROBABILITY, threshold_of(p));
	for (i = 0; i < rounds; i++) {
		storm->depth = 0;
		hook.left = 1 + random64() % storm->within;
		decide(s, 0);
		hook.left = 0;
		/* At rest nobody owns it, and what was drawn belongs together. */
		assert_true((__s64)s->slot[0].left >= 0);
		assert_true((__s64)s->slot[0].ahead >= 0);
		assert_true(s->slot[0].density == obs_sample_density(s->slot[0].word));
		assert_true(s->slot[0].length == ONE / s->slot[0].density);
		assert_true(s->slot[0].excess == ONE % s->slot[0].density);
		assert_true(s->slot[0].carry < s->slot[0].density);
		assert_true(s->slot[0].rest <= ONE / s->slot[0].density);
	}
}

static void test_interrupted(void **state)
{
	size_t p;

	(void)state;
	for (p = 0; p < NR(storm_ps); p++) {
		struct sampler s;
		struct storm storm = { .sampler = &s, .within = 20, .depth_max = 3 };
		double per = storm_ps[p];

		sampler_open(&s);
		storm_run(&storm, per, 200000);
		assert_true(storm.calls > 10000);
		assert_int_equal(s.seen, s.kept + s.dropped);
		assert_true(near(s.kept, s.seen * per,
				 5 * sqrt(s.seen * per * (1 - per))));
	}
}

/*
 * And the rule changes under them: weights still add up. It changes in the accesses
 * that each decision has, or it would change more often where there was a pick.
 */
static void test_interrupted_by_change(void **state)
{
	struct sampler s;
	struct storm storm = { .sampler = &s, .change = true, .ps = storm_ps,
			       .nr_ps = STORM_HALF, .within = 3 };

	(void)state;
	sampler_open(&s);
	storm_run(&storm, 0.3, 1000000);
	assert_true(storm.changes > 10000);
	/* The rarest rule has the greatest variance. */
	assert_true(near(s.weight, s.seen, 5 * sqrt(s.seen * (1 - 0.05) / 0.05)));
	assert_int_equal(s.seen, s.kept + s.dropped);
}

/* At any access, nested, and above 1/2: in such a storm it is near. */
static void test_interrupted_by_any_change(void **state)
{
	struct sampler s;
	struct storm storm = { .sampler = &s, .change = true, .ps = storm_ps,
			       .nr_ps = NR(storm_ps), .within = 20, .depth_max = 3 };

	(void)state;
	sampler_open(&s);
	storm_run(&storm, 0.3, 1000000);
	assert_true(storm.changes > 10000);
	assert_true(near(s.weight, s.seen, 0.05 * s.seen));
	assert_int_equal(s.seen, s.kept + s.dropped);
}

/* Nested contexts that ask as well, and periods that begin between. */
static void interrupt_period(void *context)
{
	struct storm *storm = context;
	unsigned int n;

	storm->calls++;
	if (storm->change) {
		storm->change = false;
		storm->changes++;
		second(storm->sampler);
		storm->kept = storm->sampler->kept;
	}
	for (n = random64() % 6; n; n--)
		decide(storm->sampler, 0);
}

static void test_rate_interrupted(void **state)
{
	struct sampler s;
	struct storm storm = { .sampler = &s };
	unsigned int i, period;

	(void)state;
	sampler_open(&s);
	set(&s, OBSRING_RULE_RATE, 40);
	hook.call = interrupt_period;
	hook.context = &storm;
	for (period = 0; period < 3000; period++) {
		/* Every other one ends before its quota. */
		for (i = 0; i < (period % 2 ? 30 : 4); i++) {
			hook.left = 1 + random64() % 12;
			decide(&s, 0);
			hook.left = 0;
		}
		/* One more: begun in the last period, it ended in this one. */
		assert_in_range(s.kept - storm.kept, 0, 41);
		assert_true(near(s.weight + pending(&s), s.seen, 1e-3 + s.seen * 1e-9));
		/* The next period begins inside a decision, if it has so many accesses. */
		storm.change = true;
		hook.left = 1 + period % 9;
		decide(&s, 0);
		hook.left = 0;
		if (storm.change) {
			second(&s);
			storm.kept = s.kept;
		}
		storm.change = false;
	}
	assert_true(storm.calls > 10000 && storm.changes > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_interrupted_by_change),
		cmocka_unit_test(test_interrupted_by_any_change),
		cmocka_unit_test(test_rate_interrupted),
	};

	return cmocka_run_group_tests_name("sample hook", tests, NULL, NULL);
}
