// SPDX-License-Identifier: MIT
/*
 * Sampling in one thread: each rule keeps what it says and its weights add up, no
 * pattern in the events meets one in the picking.
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

/* ---- Rules --------------------------------------------------------------- */

static void test_valid(void **state)
{
	static const struct {
		__u32 kind;
		__u64 value;
		bool valid;
	} cases[] = {
		{ OBSRING_RULE_UNSPEC, 0, false },
		{ OBSRING_RULE_KEEP, 0, true },
		{ OBSRING_RULE_DROP, 0, true },
		{ OBSRING_RULE_ONE_IN, 0, false },
		{ OBSRING_RULE_ONE_IN, 1, true },
		{ OBSRING_RULE_ONE_IN, 1ULL << 32, true },
		{ OBSRING_RULE_ONE_IN, (1ULL << 32) + 1, false },
		{ OBSRING_RULE_PROBABILITY, 0, true },
		{ OBSRING_RULE_PROBABILITY, ONE - 1, true },
		{ OBSRING_RULE_PROBABILITY, ONE, false },
		{ OBSRING_RULE_TRACE, ONE - 1, true },
		{ OBSRING_RULE_TRACE, ONE, false },
		{ OBSRING_RULE_RATE, 0, false },
		{ OBSRING_RULE_RATE, 1000000000, true },
		{ OBSRING_RULE_RATE, 1000000001, false },
		{ OBSRING_RULE_TARGET, 0, false },
		{ OBSRING_RULE_TARGET, 1, true },
		{ OBSRING_RULE_MAX + 1, 1, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < NR(cases); i++)
		if (obs_sample_valid(cases[i].kind, cases[i].value) != cases[i].valid)
			fail_msg("kind %u value %llu", cases[i].kind, cases[i].value);
}

static void test_words(void **state)
{
	static const __u64 ns[] = { 2, 3, 7, 100, 999, 1ULL << 20, 1ULL << 32 };
	struct sampler s;
	size_t i;

	(void)state;
	sampler_open(&s);
	/* Zeroed: keeps all. */
	assert_true(decide(&s, 0));
	assert_true(s.weight == 1);
	set(&s, OBSRING_RULE_DROP, 0);
	assert_false(decide(&s, 0));
	/* What keeps all is no more than that. */
	set(&s, OBSRING_RULE_ONE_IN, 1);
	assert_int_equal(obs_sample_mode(s.rule.word), OBS_SAMPLE_KEEP);
	set(&s, OBSRING_RULE_PROBABILITY, 0);
	assert_int_equal(obs_sample_mode(s.rule.word), OBS_SAMPLE_KEEP);
	set(&s, OBSRING_RULE_TRACE, 0);
	assert_false(obs_sample_uses_slot(s.rule.word));
	for (i = 0; i < NR(ns); i++) {
		__u64 before = s.rule.word;

		set(&s, OBSRING_RULE_ONE_IN, ns[i]);
		assert_true(obs_sample_uses_slot(s.rule.word));
		assert_true(near(weight(obs_sample_threshold(s.rule.word)), ns[i],
				 ns[i] * (double)ns[i] / ONE + 1e-9));
		assert_true(((s.rule.word ^ before) & OBS_SAMPLE_EPOCH_MASK) != 0);
	}
}

/* ---- Blocks -------------------------------------------------------------- */

/* Kept is what p says, to within two picks, however long it goes on. */
static void test_blocks_exact(void **state)
{
	static const double ps[] = { 0.5, 0.4, 1.0 / 3, 0.3, 0.1, 0.01, 0.001, 0.6,
				     2.0 / 3, 0.9, 0.99, 0.999, 0.49999, 0.50001 };
	struct sampler s;
	unsigned int i, n;
	size_t p;

	(void)state;
	for (p = 0; p < NR(ps); p++)
		for (n = 1; n < 60000; n = n * 3 + 1) {
			sampler_open(&s);
			set(&s, OBSRING_RULE_PROBABILITY, threshold_of(ps[p]));
			for (i = 0; i < n; i++)
				decide(&s, 1);
			assert_true(near(s.kept, n * ps[p], 2));
			assert_true(near(s.weight, n, 2 / ps[p] + 1e-6 * n));
		}
}

/* One pick a block: never two blocks without one, and never three in one. */
static void test_blocks_even(void **state)
{
	unsigned int i, since = 0, seen[40] = { 0 };
	struct sampler s;

	(void)state;
	sampler_open(&s);
	set(&s, OBSRING_RULE_ONE_IN, 20);
	for (i = 0; i < 400000; i++) {
		if (!decide(&s, 0)) {
			assert_in_range(++since, 1, 38);
			continue;
		}
		seen[since]++;
		since = 0;
	}
	/* The gap of two uniform picks: a triangle with its top at 19. */
	for (i = 0; i < 39; i++) {
		double wanted = 20000.0 * (i < 20 ? i + 1 : 39 - i) / 400;

		assert_true(near(seen[i], wanted, 6 * sqrt(wanted) + 1));
	}
	assert_int_equal(seen[39], 0);
}

/* From the first event after a change on: each is kept with p. */
static void test_blocks_begin(void **state)
{
	static const double ps[] = { 0.4, 0.3, 1.0 / 3, 0.07, 0.7, 0.5, 0.95 };
	enum { ROUNDS = 100000, EVENTS = 12 };
	unsigned int kept[EVENTS], round, i;
	struct sampler s;
	size_t p;

	(void)state;
	for (p = 0; p < NR(ps); p++) {
		double deviation = sqrt(ROUNDS * ps[p] * (1 - ps[p]));

		memset(kept, 0, sizeof(kept));
		sampler_open(&s);
		for (round = 0; round < ROUNDS; round++) {
			set(&s, OBSRING_RULE_PROBABILITY, threshold_of(ps[p]));
			for (i = 0; i < EVENTS; i++)
				kept[i] += decide(&s, 0);
		}
		for (i = 0; i < EVENTS; i++)
			assert_true(near(kept[i], ROUNDS * ps[p], 5 * deviation));
	}
}

/* The longest blocks that there are. */
static void test_blocks_extreme(void **state)
{
	struct sampler s;
	unsigned int i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		sampler_open(&s);
		set(&s, OBSRING_RULE_PROBABILITY, ONE - 1);
		assert_false(decide(&s, 0));
		assert_true(s.slot[0].left < 2 * ONE);
		set(&s, OBSRING_RULE_PROBABILITY, 1);
		assert_true(decide(&s, 0));
		assert_true(s.slot[0].left < 2 * ONE);
		set(&s, OBSRING_RULE_ONE_IN, 1ULL << 32);
		decide(&s, 0);
		assert_true(s.slot[0].left < 1ULL << 33);
	}
}

/* Kinds of event in rotation, of any period: each is kept near p. */
static void test_no_aliasing(void **state)
{
	static const unsigned int kinds[] = { 100, 10, 20, 11, 9, 1000, 2, 50, 64 };
	enum { TIMES = 10000 };
	unsigned int kind, i, counter = 0, seen_by_counter = 0;
	bool by_counter[100] = { false };
	struct sampler s;
	size_t k;

	(void)state;
	for (k = 0; k < NR(kinds); k++) {
		unsigned int *kept = calloc(kinds[k], sizeof(*kept));

		assert_non_null(kept);
		sampler_open(&s);
		set(&s, OBSRING_RULE_PROBABILITY, threshold_of(0.1));
		for (i = 0; i < TIMES; i++)
			for (kind = 0; kind < kinds[k]; kind++)
				kept[kind] += decide(&s, 0);
		for (kind = 0; kind < kinds[k]; kind++)
			assert_true(near(kept[kind], TIMES * 0.1, 6 * sqrt(TIMES * 0.09)));
		free(kept);
	}
	/* What this is about: a counter modulo 10 knows ten kinds of a hundred. */
	for (i = 0; i < TIMES * 100; i++)
		by_counter[i % 100] |= counter++ % 10 == 0;
	for (i = 0; i < 100; i++)
		seen_by_counter += by_counter[i];
	assert_int_equal(seen_by_counter, 10);
}

/* Rules that change all the time: what is kept stands for what was seen. */
static void test_changes(void **state)
{
	static const double ps[] = { 0.4, 0.05, 0.9, 0.3, 0.7, 0.2 };
	struct sampler s;
	double variance = 0;
	unsigned int i, n;

	(void)state;
	sampler_open(&s);
	for (i = 0; i < 200000; i++) {
		double p = ps[random64() % NR(ps)];

		set(&s, random64() % 2 ? OBSRING_RULE_PROBABILITY : OBSRING_RULE_TRACE,
		    threshold_of(p));
		for (n = 1 + random64() % 9; n; n--) {
			decide(&s, 2);
			variance += (1 - p) / p;
		}
	}
	/* Blocks vary less than this, which is that of coins. */
	assert_true(near(s.weight, s.seen, 5 * sqrt(variance)));
	assert_int_equal(s.seen, s.kept + s.dropped);
}

/* ---- Traces -------------------------------------------------------------- */

static void test_trace(void **state)
{
	static const double ps[] = { 0.01, 0.1, 0.5, 0.9 };
	enum { TRACES = 20000 };
	unsigned int kept[NR(ps)] = { 0 }, i;
	struct sampler s;
	__u64 threshold;
	size_t p;

	(void)state;
	sampler_open(&s);
	for (i = 0; i < TRACES; i++) {
		__u64 randomness = random64() >> 8;
		bool before = false;

		for (p = 0; p < NR(ps); p++) {
			bool keep;

			set(&s, OBSRING_RULE_TRACE, threshold_of(ps[p]));
			keep = obs_sample_decide(&s.rule, &s.slot[0], &s.rng[0],
						 &randomness, &threshold);
			/* A higher p keeps a superset, each CPU the same. */
			assert_true(keep >= before);
			assert_true(!keep || threshold == threshold_of(ps[p]));
			kept[p] += keep;
			before = keep;
		}
	}
	for (p = 0; p < NR(ps); p++)
		assert_true(near(kept[p], TRACES * ps[p],
				 5 * sqrt(TRACES * ps[p] * (1 - ps[p]))));
	/* Its slot was not touched. Without a context: as by probability. */
	assert_true(!s.slot[0].word && !s.slot[0].left);
	for (i = 0; i < TRACES; i++)
		decide(&s, 0);
	assert_true(near(s.kept, TRACES * 0.9, 2));
}

static void test_trace_edge(void **state)
{
	__u64 randomness = 0x80000000000000ULL, threshold = 0;
	struct sampler s;

	(void)state;
	sampler_open(&s);
	set(&s, OBSRING_RULE_TRACE, randomness);
	assert_true(obs_sample_decide(&s.rule, &s.slot[0], &s.rng[0], &randomness, &threshold));
	assert_true(threshold == randomness);
	randomness--;
	assert_false(obs_sample_decide(&s.rule, &s.slot[0], &s.rng[0], &randomness, &threshold));
}

static void test_randomness(void **state)
{
	struct obsring_trace trace = { .trace_id = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
				       0xff, 0xff, 0xff, 1, 2, 3, 4, 5, 6, 7 } };

	(void)state;
	assert_true(obs_sample_randomness(&trace) == 0x01020304050607ULL);
}

/* A nested caller takes another number than those around it. */
static void random_nested(void *context)
{
	__u64 *taken = context;

	taken[2] = obs_sample_random((struct obs_sample_rng *)(uintptr_t)taken[3]);
}

static void test_random(void **state)
{
	struct obs_sample_rng rng = { 7 };
	__u64 taken[4] = { 0, 0, 0, (uintptr_t)&rng };

	(void)state;
	hook.call = random_nested;
	hook.context = taken;
	hook.left = 1;
	taken[0] = obs_sample_random(&rng);
	taken[1] = obs_sample_random(&rng);
	assert_true(taken[2] && taken[0] != taken[2] && taken[1] != taken[2] &&
		    taken[0] != taken[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_blocks_exact),
		cmocka_unit_test(test_blocks_even),
		cmocka_unit_test(test_blocks_begin),
		cmocka_unit_test(test_blocks_extreme),
		cmocka_unit_test(test_no_aliasing),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_trace),
		cmocka_unit_test(test_trace_edge),
		cmocka_unit_test(test_randomness),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests_name("sample", tests, NULL, NULL);
}
