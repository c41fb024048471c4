// SPDX-License-Identifier: MIT
/*
 * Sampling in one thread: each rule keeps what it says and its weights add up, no
 * pattern in the events meets one in the picking, quotas hold, a controller under a
 * simulated clock finds its target, changes come in their order. Interrupts come
 * at each access in turn, by a hook. Bounds that rest on chance are five standard
 * deviations wide or more, and the numbers are the same in each run.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <obsring/platform.h>

static void step(void);

/* Each access of the headers' is a place where an interrupt may come. */
#undef obs_read_once
#undef obs_write_once
#undef obs_load_acquire
#undef obs_store_release
#define obs_read_once(p) (step(), __atomic_load_n((p), __ATOMIC_RELAXED))
#define obs_write_once(p, v) (step(), __atomic_store_n((p), (v), __ATOMIC_RELAXED))
#define obs_load_acquire(p) (step(), __atomic_load_n((p), __ATOMIC_ACQUIRE))
#define obs_store_release(p, v) (step(), __atomic_store_n((p), (v), __ATOMIC_RELEASE))
#define obs_add_local(p, v) (step(), (obs_add_local)((p), (v)))
#define obs_add_return_local(p, v) (step(), (obs_add_return_local)((p), (v)))
#define obs_dec_negative_local(p) (step(), (obs_dec_negative_local)(p))
#define obs_try_cmpxchg_local(p, old, v) (step(), (obs_try_cmpxchg_local)((p), (old), (v)))

#include <obsring/sample_control.h>
#include <obsring/sample_queue.h>

#define ONE	OBSRING_THRESHOLD_ONE
#define CPUS	8
#define NR(array) (sizeof(array) / sizeof((array)[0]))

struct sampler {
	struct obs_sample_rule rule;
	struct obs_sample_control control;
	struct obs_sample_slot slot[CPUS];
	struct obs_sample_rng rng[CPUS];
	struct obs_sample_cpus cpus;
	__u64 seen, kept, dropped;
	double weight;
};

static struct {
	unsigned int left;		/* accesses until it is called; 0: never */
	void (*call)(void *context);
	void *context;
} hook;

static void step(void)
{
	if (hook.left && !--hook.left)
		hook.call(hook.context);
}

static __u64 random64(void)
{
	static __u64 seed = 0x9e3779b97f4a7c15ULL;

	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static struct obs_sample_slot *slot_of(void *context, unsigned int n)
{
	struct sampler *s = context;

	/* As if one number were no CPU's. */
	return n == 3 ? NULL : &s->slot[n];
}

static void sampler_open(struct sampler *s)
{
	unsigned int i;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < CPUS; i++)
		s->rng[i].state = random64();
	s->cpus.slot = slot_of;
	s->cpus.context = s;
	s->cpus.nr = CPUS;
}

static void set(struct sampler *s, __u32 kind, __u64 value)
{
	assert_true(obs_sample_valid(kind, value));
	obs_sample_apply(&s->control, &s->rule, &s->cpus, kind, value);
}

/* The weight that a record says it has. */
static double weight(__u64 threshold)
{
	assert_true(threshold < ONE);
	return (double)ONE / (ONE - threshold);
}

static bool decide(struct sampler *s, unsigned int cpu)
{
	__u64 threshold = ~0ULL;
	bool kept;

	kept = obs_sample_decide(&s->rule, &s->slot[cpu], &s->rng[cpu], NULL, &threshold);
	s->seen++;
	if (!kept) {
		s->dropped++;
		return false;
	}
	s->kept++;
	s->weight += weight(threshold);
	return true;
}

static bool near(double value, double wanted, double within)
{
	if (fabs(value - wanted) <= within)
		return true;
	print_error("%f is not within %f of %f\n", value, within, wanted);
	return false;
}

static __u64 threshold_of(double p)
{
	return ONE - (__u64)llround(p * (double)ONE);
}

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

/* ---- Interrupts ---------------------------------------------------------- */

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

/* ---- Quota --------------------------------------------------------------- */

static unsigned int any_cpu(void)
{
	unsigned int cpu = random64() % (CPUS - 1);

	return cpu + (cpu >= 3);
}

/* What the quota has dropped and nothing stands for yet. */
static double pending(const struct sampler *s)
{
	__u64 sum = 0;
	unsigned int i;

	for (i = 0; i < CPUS; i++)
		sum += s->slot[i].dropped - s->slot[i].credited;
	return (double)sum / OBS_SAMPLE_WEIGHT_ONE;
}

static void second(struct sampler *s)
{
	obs_sample_control_run(&s->control, &s->rule, &s->cpus, OBS_SAMPLE_PERIOD_NS);
}

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

/* ---- Queue --------------------------------------------------------------- */

static struct obs_sample_command *command(__u64 time)
{
	struct obs_sample_command *cmd = calloc(1, sizeof(*cmd));

	assert_non_null(cmd);
	cmd->time = time;
	return cmd;
}

static __u64 push(struct obs_sample_queue *q, struct obs_sample_command *cmd)
{
	__u64 number = 0;

	assert_true(obs_sample_queue_push(q, cmd, &number));
	return number;
}

/* The next one is that, of that fate. */
static void expect(struct obs_sample_queue *q, __u64 now, struct obs_sample_command *wanted,
		   enum obs_sample_fate fate)
{
	struct obs_sample_command *cmd = obs_sample_queue_next(q, now);

	assert_ptr_equal(cmd, wanted);
	assert_int_equal(cmd->fate, fate);
	free(cmd);
}

static void test_queue_order(void **state)
{
	struct obs_sample_queue q = { 0 };
	struct obs_sample_command *a = command(30), *b = command(10), *c = command(30),
				  *d = command(20);
	__u64 when = 0;

	(void)state;
	assert_null(obs_sample_queue_next(&q, ~0ULL));
	assert_int_equal(push(&q, a), 1);
	assert_int_equal(push(&q, b), 2);
	push(&q, c);
	assert_null(obs_sample_queue_next(&q, 9));
	assert_true(obs_sample_queue_when(&q, &when) && when == 10);
	push(&q, d);
	expect(&q, 20, b, OBS_SAMPLE_DUE);
	expect(&q, 20, d, OBS_SAMPLE_DUE);
	assert_null(obs_sample_queue_next(&q, 29));
	expect(&q, 30, a, OBS_SAMPLE_DUE);
	/* Late: due at once. */
	b = command(5);
	push(&q, b);
	expect(&q, 30, b, OBS_SAMPLE_DUE);
	expect(&q, 30, c, OBS_SAMPLE_DUE);
	assert_null(obs_sample_queue_next(&q, ~0ULL));
	assert_false(obs_sample_queue_when(&q, &when));
}

static void test_queue_cancel(void **state)
{
	struct obs_sample_queue q = { 0 };
	struct obs_sample_command *a = command(10), *b = command(20), *cancel = command(0),
				  *again = command(0), *instead = command(15), *late = command(5);

	(void)state;
	cancel->cancels = push(&q, a);
	cancel->only_cancels = true;
	instead->cancels = push(&q, b);
	push(&q, cancel);
	push(&q, instead);
	again->cancels = cancel->cancels;
	again->only_cancels = true;
	push(&q, again);
	/* In the place of one that is gone: that never applies. */
	late->cancels = cancel->cancels;
	push(&q, late);
	assert_null(q.pending);
	/* All are due, and yet. */
	assert_ptr_equal(obs_sample_queue_next(&q, 100), a);
	assert_int_equal(a->fate, OBS_SAMPLE_CANCELLED);
	assert_true(cancel->found && instead->found && !again->found && !late->found);
	expect(&q, 100, cancel, OBS_SAMPLE_DONE);
	expect(&q, 100, b, OBS_SAMPLE_CANCELLED);
	expect(&q, 100, again, OBS_SAMPLE_DONE);
	expect(&q, 100, late, OBS_SAMPLE_DONE);
	expect(&q, 100, instead, OBS_SAMPLE_DUE);
	assert_null(obs_sample_queue_next(&q, 100));
	free(a);
}

static void test_queue_full(void **state)
{
	struct obs_sample_queue q = { 0 };
	struct obs_sample_command *cmd;
	unsigned int i;
	__u64 number = 0, before;

	(void)state;
	for (i = 0; i < OBS_SAMPLE_QUEUE_MAX; i++)
		push(&q, command(i));
	before = q.tickets;
	cmd = command(5);
	assert_false(obs_sample_queue_push(&q, cmd, &number));
	assert_int_equal(number, 0);
	assert_true(q.tickets == before);
	/* Room can be made. */
	cmd->cancels = 500;
	cmd->only_cancels = true;
	push(&q, cmd);
	for (i = 1; i < OBS_SAMPLE_QUEUE_CANCELS; i++) {
		cmd = command(0);
		cmd->only_cancels = true;
		push(&q, cmd);
	}
	cmd = command(0);
	cmd->only_cancels = true;
	assert_false(obs_sample_queue_push(&q, cmd, &number));
	free(cmd);
	for (i = 0; (cmd = obs_sample_queue_next(&q, ~0ULL)); i++)
		free(cmd);
	assert_int_equal(i, OBS_SAMPLE_QUEUE_MAX + OBS_SAMPLE_QUEUE_CANCELS);
	assert_true((q.tickets & 0xffff) == 0);
	free(obs_sample_queue_next(&q, push(&q, command(0))));
}

/* Any commands in any order, against the rule itself. */
static void test_queue_any(void **state)
{
	enum { NR_COMMANDS = 60 };
	unsigned int round, i, cancelled = 0;

	(void)state;
	for (round = 0; round < 3000; round++) {
		struct obs_sample_queue q = { 0 };
		struct obs_sample_command *cmd;
		__u64 now = 0, last_time = 0, last_arrival = 0;
		bool taken_in = false;

		for (i = 0; i < NR_COMMANDS; now += random64() % 3) {
			unsigned int burst = random64() % 8;

			for (; burst && i < NR_COMMANDS; burst--, i++) {
				cmd = command(now + random64() % 40);
				if (i && random64() % 4 == 0) {
					cmd->cancels = 1 + random64() % i;
					cmd->only_cancels = random64() % 2;
				}
				assert_int_equal(push(&q, cmd), i + 1);
				taken_in = true;
			}
			while ((cmd = obs_sample_queue_next(&q, now))) {
				/* What came in begins the order anew. */
				if (taken_in)
					last_time = 0;
				taken_in = false;
				cancelled += cmd->fate == OBS_SAMPLE_CANCELLED;
				if (cmd->fate == OBS_SAMPLE_DUE) {
					assert_true(!cmd->cancels || cmd->found);
					assert_true(cmd->time <= now);
					assert_true(cmd->time > last_time ||
						    (cmd->time == last_time &&
						     cmd->arrival > last_arrival) ||
						    !last_time);
					last_time = cmd->time;
					last_arrival = cmd->arrival;
				}
				free(cmd);
			}
		}
		while ((cmd = obs_sample_queue_next(&q, ~0ULL)))
			free(cmd);
		assert_true((q.tickets & 0xffff) == 0);
		assert_int_equal(q.arrivals, NR_COMMANDS);
	}
	assert_true(cancelled > 1000);
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
		cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_interrupted_by_change),
		cmocka_unit_test(test_interrupted_by_any_change),
		cmocka_unit_test(test_trace),
		cmocka_unit_test(test_trace_edge),
		cmocka_unit_test(test_randomness),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_rate_newcomer),
		cmocka_unit_test(test_rate_between),
		cmocka_unit_test(test_rate_weight),
		cmocka_unit_test(test_rate_interrupted),
		cmocka_unit_test(test_portion),
		cmocka_unit_test(test_target),
		cmocka_unit_test(test_target_noisy),
		cmocka_unit_test(test_target_below),
		cmocka_unit_test(test_target_threshold),
		cmocka_unit_test(test_floor),
		cmocka_unit_test(test_queue_order),
		cmocka_unit_test(test_queue_cancel),
		cmocka_unit_test(test_queue_full),
		cmocka_unit_test(test_queue_any),
	};

	return cmocka_run_group_tests_name("sample", tests, NULL, NULL);
}
