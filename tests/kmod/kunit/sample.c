// SPDX-License-Identifier: GPL-2.0-only
/* Sampling: which rules there are, what each keeps, and when a change applies. */
#include <kunit/test.h>

#include <linux/obsring.h>
#include <obsring/sample.h>
#include <obsring/sample_queue.h>

#define ONE	OBSRING_THRESHOLD_ONE

/**
 * struct cpu - a rule as one CPU has it
 * @rule: of all
 * @slot: the CPU's
 * @rng: the CPU's
 */
struct cpu {
	struct obs_sample_rule rule;
	struct obs_sample_slot slot;
	struct obs_sample_rng rng;
};

static struct cpu *cpu_make(struct kunit *test, u32 kind, u64 value)
{
	struct cpu *cpu = kunit_kzalloc(test, sizeof(*cpu), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, cpu);
	KUNIT_ASSERT_TRUE(test, obs_sample_valid(kind, value));
	cpu->rng.state = 1;
	obs_sample_set_word(&cpu->rule, obs_sample_make_word(kind, value));
	return cpu;
}

static bool decide(struct cpu *cpu, const u64 *randomness, u64 *threshold)
{
	return obs_sample_decide(&cpu->rule, &cpu->slot, &cpu->rng, randomness, threshold);
}

static void rules(struct kunit *test)
{
	static const struct { u32 kind; u64 value; bool valid; } rule[] = {
		{ OBSRING_RULE_KEEP, 5, true },
		{ OBSRING_RULE_DROP, 5, true },
		{ OBSRING_RULE_ONE_IN, 0, false },
		{ OBSRING_RULE_ONE_IN, 1, true },
		{ OBSRING_RULE_ONE_IN, 1ULL << 32, true },
		{ OBSRING_RULE_ONE_IN, (1ULL << 32) + 1, false },
		{ OBSRING_RULE_PROBABILITY, ONE - 1, true },
		{ OBSRING_RULE_PROBABILITY, ONE, false },
		{ OBSRING_RULE_TRACE, 0, true },
		{ OBSRING_RULE_TRACE, ONE, false },
		{ OBSRING_RULE_RATE, 0, false },
		{ OBSRING_RULE_RATE, 1000000000, true },
		{ OBSRING_RULE_RATE, 1000000001, false },
		{ OBSRING_RULE_TARGET, 0, false },
		{ 99, 1, false },
	};
	u64 word;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(rule); i++)
		KUNIT_EXPECT_EQ_MSG(test, obs_sample_valid(rule[i].kind, rule[i].value),
				    rule[i].valid, "kind %u, %llu", rule[i].kind, rule[i].value);
	word = obs_sample_make_word(OBSRING_RULE_ONE_IN, 4);
	KUNIT_EXPECT_EQ(test, obs_sample_mode(word), OBS_SAMPLE_BLOCKS);
	KUNIT_EXPECT_EQ(test, obs_sample_threshold(word), ONE - ONE / 4);
	/* One in one, and what nothing is below, need no drawing. */
	word = obs_sample_make_word(OBSRING_RULE_ONE_IN, 1);
	KUNIT_EXPECT_FALSE(test, obs_sample_uses_slot(word));
	word = obs_sample_make_word(OBSRING_RULE_TRACE, 0);
	KUNIT_EXPECT_FALSE(test, obs_sample_uses_slot(word));
}

/* A rule set again is another one, to those who drew for it. */
static void epochs(struct kunit *test)
{
	struct cpu *cpu = cpu_make(test, OBSRING_RULE_ONE_IN, 8);
	u64 first = obs_sample_word(&cpu->rule), word = first;
	int i;

	for (i = 0; i < 15; i++) {
		obs_sample_set_word(&cpu->rule, obs_sample_make_word(OBSRING_RULE_ONE_IN, 8));
		KUNIT_EXPECT_NE(test, obs_sample_word(&cpu->rule), word);
		word = obs_sample_word(&cpu->rule);
		KUNIT_EXPECT_NE(test, word, first);
		KUNIT_EXPECT_EQ(test, word & ~OBS_SAMPLE_EPOCH_MASK,
				first & ~OBS_SAMPLE_EPOCH_MASK);
	}
}

static void keep_and_drop(struct kunit *test)
{
	struct cpu *keep = cpu_make(test, OBSRING_RULE_KEEP, 0);
	struct cpu *drop = cpu_make(test, OBSRING_RULE_DROP, 0);
	u64 threshold = 1;
	int i;

	for (i = 0; i < 100; i++) {
		KUNIT_EXPECT_TRUE(test, decide(keep, NULL, &threshold));
		KUNIT_EXPECT_EQ(test, threshold, 0ULL);
		KUNIT_EXPECT_FALSE(test, decide(drop, NULL, &threshold));
	}
}

/* Of whole blocks one event each: within two of the exact number, from any beginning. */
static void blocks(struct kunit *test)
{
	static const u64 one_in[] = { 2, 3, 7, 10, 1000 };
	u64 threshold, kept, events, event;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(one_in); i++) {
		struct cpu *cpu = cpu_make(test, OBSRING_RULE_ONE_IN, one_in[i]);

		events = one_in[i] * 500;
		for (kept = 0, event = 0; event < events; event++) {
			if (!decide(cpu, NULL, &threshold))
				continue;
			kept++;
			KUNIT_ASSERT_EQ(test, threshold, obs_sample_threshold(cpu->rule.word));
		}
		KUNIT_EXPECT_GE_MSG(test, kept, 498ULL, "one in %llu", one_in[i]);
		KUNIT_EXPECT_LE_MSG(test, kept, 502ULL, "one in %llu", one_in[i]);
	}
}

static void more_than_half(struct kunit *test)
{
	/* p = 3/4: what is picked is dropped. */
	struct cpu *cpu = cpu_make(test, OBSRING_RULE_PROBABILITY, ONE / 4);
	u64 threshold, kept = 0;
	int i;

	for (i = 0; i < 4000; i++)
		kept += decide(cpu, NULL, &threshold);
	KUNIT_EXPECT_GE(test, kept, 2998ULL);
	KUNIT_EXPECT_LE(test, kept, 3002ULL);
}

static void traces(struct kunit *test)
{
	struct cpu *cpu = cpu_make(test, OBSRING_RULE_TRACE, ONE / 2);
	struct obsring_trace trace = {
		.trace_id = { [8] = 0xff, [9] = 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
	};
	u64 randomness = obs_sample_randomness(&trace), threshold;

	KUNIT_EXPECT_EQ(test, randomness, ONE / 2 - 1);
	KUNIT_EXPECT_FALSE(test, decide(cpu, &randomness, &threshold));
	randomness++;
	KUNIT_EXPECT_TRUE(test, decide(cpu, &randomness, &threshold));
	KUNIT_EXPECT_EQ(test, threshold, ONE / 2);
	randomness = ONE - 1;
	KUNIT_EXPECT_TRUE(test, decide(cpu, &randomness, &threshold));
	randomness = 0;
	KUNIT_EXPECT_FALSE(test, decide(cpu, &randomness, &threshold));
}

static void give(struct cpu *cpu, u64 period, u64 grant, u64 pool)
{
	cpu->rule.pool = period << OBS_SAMPLE_PERIOD_SHIFT | pool;
	cpu->slot.grant = period << OBS_SAMPLE_PERIOD_SHIFT | grant;
}

/* In a period its grant and the pool, to the last one; the next kept one stands for all. */
static void rates(struct kunit *test)
{
	struct cpu *cpu = cpu_make(test, OBSRING_RULE_RATE, 8);
	u64 threshold, kept = 0, weight = 0, period;
	int i;

	for (period = 1; period <= 3; period++) {
		give(cpu, period, 5, 3);
		for (i = 0; i < 100; i++) {
			if (!decide(cpu, NULL, &threshold))
				continue;
			kept++;
			weight += obs_sample_weight(threshold);
		}
		KUNIT_EXPECT_EQ(test, kept, 8 * period);
	}
	/* What was dropped last is in no record yet. Each weight is rounded. */
	KUNIT_EXPECT_LE(test, abs((s64)(weight - 208 * OBS_SAMPLE_WEIGHT_ONE)), (s64)kept);
	/* Of a grant and a pool of two periods nothing is kept. */
	cpu->slot.grant = 4ULL << OBS_SAMPLE_PERIOD_SHIFT;
	KUNIT_EXPECT_FALSE(test, decide(cpu, NULL, &threshold));
}

static void floors(struct kunit *test)
{
	struct obs_sample_floor floor = {};
	u64 now = (1ULL << 47) - 3;	/* of 48 bits: wraps in between */
	int i, minute, kept;

	for (minute = 0; minute < 3; minute++, now += 60) {
		for (i = 0, kept = 0; i < 59; i++)
			kept += obs_sample_floor_take(&floor, 10, now + i, 60);
		KUNIT_EXPECT_EQ(test, kept, 10);
	}
	KUNIT_EXPECT_FALSE(test, obs_sample_floor_take(&floor, 0, now + 60, 60));
}

/* ---- The queue ----------------------------------------------------------- */

static u64 push(struct kunit *test, struct obs_sample_queue *q, struct obs_sample_command *cmd,
		u64 time)
{
	u64 number = 0;

	cmd->time = time;
	KUNIT_ASSERT_TRUE(test, obs_sample_queue_push(q, cmd, &number));
	return number;
}

static void in_order_of_time_and_arrival(struct kunit *test)
{
	static const u64 time[] = { 30, 10, 20, 10, 30, 0, 20, 10 };
	static const u8 order[] = { 5, 1, 3, 7, 2, 6, 0, 4 };
	struct obs_sample_command cmd[8] = {}, *got;
	struct obs_sample_queue q = {};
	u64 now = 0, when;
	u32 i;

	KUNIT_EXPECT_NULL(test, obs_sample_queue_next(&q, U64_MAX));
	KUNIT_EXPECT_FALSE(test, obs_sample_queue_when(&q, &when));
	for (i = 0; i < 8; i++)
		push(test, &q, &cmd[i], time[i]);
	for (i = 0; i < 8; i++) {
		/* Never early. */
		if (time[order[i]] > now) {
			KUNIT_EXPECT_NULL(test, obs_sample_queue_next(&q, time[order[i]] - 1));
			KUNIT_EXPECT_TRUE(test, obs_sample_queue_when(&q, &when));
			KUNIT_EXPECT_EQ(test, when, time[order[i]]);
		}
		now = time[order[i]];
		got = obs_sample_queue_next(&q, now);
		KUNIT_ASSERT_PTR_EQ(test, got, &cmd[order[i]]);
		KUNIT_EXPECT_EQ(test, got->fate, OBS_SAMPLE_DUE);
	}
	KUNIT_EXPECT_NULL(test, obs_sample_queue_next(&q, U64_MAX));
}

static void cancelled_and_replaced(struct kunit *test)
{
	struct obs_sample_command first = {}, cancel = { .only_cancels = true },
				  other = {}, replace = {}, late = {};
	struct obs_sample_queue q = {};

	cancel.cancels = push(test, &q, &first, 10);
	replace.cancels = push(test, &q, &other, 10);
	push(test, &q, &cancel, 0);
	push(test, &q, &replace, 5);
	late.cancels = cancel.cancels;
	push(test, &q, &late, 0);
	KUNIT_ASSERT_PTR_EQ(test, obs_sample_queue_next(&q, 0), &first);
	KUNIT_EXPECT_EQ(test, first.fate, OBS_SAMPLE_CANCELLED);
	KUNIT_ASSERT_PTR_EQ(test, obs_sample_queue_next(&q, 0), &cancel);
	KUNIT_EXPECT_TRUE(test, cancel.found && cancel.fate == OBS_SAMPLE_DONE);
	KUNIT_ASSERT_PTR_EQ(test, obs_sample_queue_next(&q, 0), &other);
	KUNIT_EXPECT_EQ(test, other.fate, OBS_SAMPLE_CANCELLED);
	/* What there is no more can't be replaced: it never applies. */
	KUNIT_ASSERT_PTR_EQ(test, obs_sample_queue_next(&q, 0), &late);
	KUNIT_EXPECT_TRUE(test, !late.found && late.fate == OBS_SAMPLE_DONE);
	KUNIT_EXPECT_NULL(test, obs_sample_queue_next(&q, 4));
	KUNIT_ASSERT_PTR_EQ(test, obs_sample_queue_next(&q, 5), &replace);
	KUNIT_EXPECT_TRUE(test, replace.found && replace.fate == OBS_SAMPLE_DUE);
}

static void full(struct kunit *test)
{
	u32 nr = OBS_SAMPLE_QUEUE_MAX + OBS_SAMPLE_QUEUE_CANCELS, i;
	struct obs_sample_queue q = {};
	struct obs_sample_command *cmd;
	u64 number;

	cmd = kunit_kcalloc(test, nr + 1, sizeof(*cmd), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, cmd);
	for (i = 0; i < nr; i++) {
		cmd[i].only_cancels = i >= OBS_SAMPLE_QUEUE_MAX;
		cmd[i].cancels = cmd[i].only_cancels ? 1 + i - OBS_SAMPLE_QUEUE_MAX : 0;
		if (i == OBS_SAMPLE_QUEUE_MAX)
			KUNIT_EXPECT_FALSE(test, obs_sample_queue_push(&q, &cmd[nr], &number));
		KUNIT_ASSERT_EQ(test, push(test, &q, &cmd[i], 0), i + 1ULL);
	}
	cmd[nr].only_cancels = true;
	KUNIT_EXPECT_FALSE(test, obs_sample_queue_push(&q, &cmd[nr], &number));
	for (i = 0; i < nr; i++)
		KUNIT_ASSERT_NOT_NULL(test, obs_sample_queue_next(&q, 0));
	KUNIT_EXPECT_NULL(test, obs_sample_queue_next(&q, 0));
	cmd[nr].only_cancels = false;
	KUNIT_EXPECT_EQ(test, push(test, &q, &cmd[nr], 0), nr + 1ULL);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(rules),
	KUNIT_CASE(epochs),
	KUNIT_CASE(keep_and_drop),
	KUNIT_CASE(blocks),
	KUNIT_CASE(more_than_half),
	KUNIT_CASE(traces),
	KUNIT_CASE(rates),
	KUNIT_CASE(floors),
	KUNIT_CASE(in_order_of_time_and_arrival),
	KUNIT_CASE(cancelled_and_replaced),
	KUNIT_CASE(full),
	{}
};

static struct kunit_suite suite = {
	.name = "obsring-sample",
	.test_cases = cases,
};

kunit_test_suite(suite);
