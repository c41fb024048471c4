/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What applies sampling rules, and what follows the load for two of them: RATE and
 * TARGET. sample.h says what decisions do with it.
 *
 * All calls for a rule come from one context at a time (the applier's). None looks
 * at a clock: it is told how much time has passed. None waits or allocates.
 *
 * A period. obs_sample_control_run() is called a second or more after the last one
 * or after the rule was applied; a later call only makes the period longer. It
 * reads how many events each CPU asked the quota for (RATE: all of them; TARGET:
 * those that its probability kept), and divides the period's records: three
 * quarters among the CPUs in the proportion of what they asked for, the rest to
 * the pool, from which a CPU takes that has no grant or has used it. If the pool
 * would be smaller than the number of CPUs it gets as many, or all: so a CPU that
 * begins to speak is heard, and a rule of a few records a second is one of
 * whoever comes first. Grants and pool together are the period's records exactly.
 *
 * TARGET's probability. The load is the mean of up to eight periods. One that
 * differs from that mean by more than a quarter and by more than chance lets it
 * (four standard deviations of as many independent events) begins a new mean. The
 * probability is target / load, 1 at first and below the target; it is left as it
 * is while it is within a sixteenth of that: so a steady load draws nothing anew.
 * A step of the load is whole in the second period after it, and until then the
 * quota holds: twice the target in a period.
 */
#ifndef _OBSRING_SAMPLE_CONTROL_H
#define _OBSRING_SAMPLE_CONTROL_H

#include "sample.h"

#define OBS_SAMPLE_PERIOD_NS	1000000000ULL
#define OBS_SAMPLE_PERIODS_MAX	8	/* in the mean load */
#define OBS_SAMPLE_BURST	2	/* TARGET: times its value in a period */
#define OBS_SAMPLE_LOAD_MAX	0x800000000ULL /* events a second; what is above is it */

/**
 * struct obs_sample_control - what is remembered for a rule; zeroed at first
 * @kind: enum obsring_rule that was applied last
 * @period: number of the present one; goes on over all rules
 * @value: its RATE or TARGET, records a second
 * @seen: TARGET: events of all CPUs when last looked at
 * @load: TARGET: mean, events a second
 * @periods: in @load
 */
struct obs_sample_control {
	__u32 kind;
	__u32 period;
	__u64 value;
	__u64 seen;
	__u64 load;
	__u32 periods;
};

/**
 * struct obs_sample_cpus - where a rule's slots are
 * @slot: that of CPU @n, below @nr; NULL: there is no such CPU
 * @context: @slot's
 * @nr: CPUs
 */
struct obs_sample_cpus {
	struct obs_sample_slot *(*slot)(void *context, unsigned int n);
	void *context;
	unsigned int nr;
};

/* Does a rule of that kind need obs_sample_control_run()? */
static inline bool obs_sample_is_controlled(__u32 kind)
{
	return kind == OBSRING_RULE_RATE || kind == OBSRING_RULE_TARGET;
}

/* @total * @part / @whole, rounded down, for @part <= @whole. */
static inline __u64 obs_sample_portion(__u64 total, __u64 part, __u64 whole)
{
	/* Records a period are below 2^31: more precision has no use. */
	while (whole >> 32) {
		whole >>= 1;
		part >>= 1;
	}
	return whole ? total * part / whole : 0;
}

/* How much of @total goes to the pool, beside what grants round down. */
static inline __u64 obs_sample_reserve(__u64 total, unsigned int nr)
{
	__u64 reserve = total / 4 > nr ? total / 4 : nr;

	return reserve < total ? reserve : total;
}

/* Read what was asked for since the last time; in all. */
static inline __u64 obs_sample_demand(const struct obs_sample_cpus *cpus)
{
	struct obs_sample_slot *slot;
	__u64 sum = 0, asked;
	unsigned int n;

	for (n = 0; n < cpus->nr; n++) {
		slot = cpus->slot(cpus->context, n);
		if (!slot)
			continue;
		asked = obs_read_once(&slot->asked);
		slot->demand = (__u32)asked - slot->before;
		slot->before = (__u32)asked;
		sum += slot->demand;
	}
	return sum;
}

static inline __u64 obs_sample_seen(const struct obs_sample_cpus *cpus)
{
	struct obs_sample_slot *slot;
	unsigned int n;
	__u64 sum = 0;

	for (n = 0; n < cpus->nr; n++) {
		slot = cpus->slot(cpus->context, n);
		if (slot)
			sum += obs_read_once(&slot->seen);
	}
	return sum;
}

/* A new period: @total records over all CPUs, divided by their demand. */
static inline void obs_sample_grant(struct obs_sample_control *c,
				    struct obs_sample_rule *rule,
				    const struct obs_sample_cpus *cpus, __u64 total)
{
	__u64 demand = obs_sample_demand(cpus), pool = total, share, granted;
	struct obs_sample_slot *slot;
	__u64 period;
	unsigned int n;

	c->period++;
	period = (__u64)c->period << OBS_SAMPLE_PERIOD_SHIFT;
	share = total - obs_sample_reserve(total, cpus->nr);
	for (n = 0; n < cpus->nr; n++) {
		slot = cpus->slot(cpus->context, n);
		if (!slot)
			continue;
		granted = obs_sample_portion(share, slot->demand, demand);
		pool -= granted;
		obs_write_once(&slot->grant, period | granted);
	}
	obs_write_once(&rule->pool, period | pool);
}

static inline __u64 obs_sample_control_total(const struct obs_sample_control *c)
{
	return c->kind == OBSRING_RULE_TARGET ? c->value * OBS_SAMPLE_BURST : c->value;
}

/* Is @rate so far from the mean that the load is another one now? */
static inline bool obs_sample_load_stepped(__u64 load, __u64 rate)
{
	__u64 off = rate > load ? rate - load : load - rate;

	/* off > 4 * sqrt(load), without a root */
	return off > load / 4 && (off >> 31 || off * off > 16 * load);
}

static inline void obs_sample_load_add(struct obs_sample_control *c, __u64 rate)
{
	if (rate > OBS_SAMPLE_LOAD_MAX)
		rate = OBS_SAMPLE_LOAD_MAX;
	if (!c->periods || obs_sample_load_stepped(c->load, rate)) {
		c->load = rate;
		c->periods = 1;
		return;
	}
	if (c->periods < OBS_SAMPLE_PERIODS_MAX)
		c->periods++;
	if (rate > c->load)
		c->load += (rate - c->load) / c->periods;
	else
		c->load -= (c->load - rate) / c->periods;
}

/* The threshold that keeps @target of @load; 0: all. */
static inline __u64 obs_sample_target_threshold(__u64 target, __u64 load)
{
	__u64 keep;

	if (load <= target)
		return 0;
	/* 2^56 * target / load, in two steps of 28 bits each: both fit */
	keep = (target << 28) / load;
	keep = keep << 28 | (((target << 28) - keep * load) << 28) / load;
	return OBSRING_THRESHOLD_ONE - (keep ? keep : 1);
}

/* Is what @threshold keeps within a sixteenth of what @wanted would? */
static inline bool obs_sample_target_near(__u64 threshold, __u64 wanted)
{
	__u64 keep = OBSRING_THRESHOLD_ONE - threshold;
	__u64 want = OBSRING_THRESHOLD_ONE - wanted;

	return (keep > want ? keep - want : want - keep) <= want / 16;
}

static inline void obs_sample_control_target(struct obs_sample_control *c,
					     struct obs_sample_rule *rule,
					     const struct obs_sample_cpus *cpus,
					     __u64 elapsed_ns)
{
	__u64 seen = obs_sample_seen(cpus), ms = elapsed_ns / 1000000, wanted;
	__u64 threshold = obs_sample_threshold(obs_read_once(&rule->word));

	if (!ms)
		return;
	obs_sample_load_add(c, (seen - c->seen) * 1000 / ms);
	c->seen = seen;
	wanted = obs_sample_target_threshold(c->value, c->load);
	if (!obs_sample_target_near(threshold, wanted))
		obs_sample_set_word(rule, obs_sample_mode_word(OBS_SAMPLE_TARGET, wanted));
}

/**
 * obs_sample_apply() - make @rule one of that kind from now on
 * @c: the rule's
 * @rule: rule
 * @cpus: its slots; needed unless the kind is KEEP or DROP
 * @kind: enum obsring_rule
 * @value: its OBSRING_A_RULE_VALUE, obs_sample_valid()
 */
static inline void obs_sample_apply(struct obs_sample_control *c,
				    struct obs_sample_rule *rule,
				    const struct obs_sample_cpus *cpus,
				    __u32 kind, __u64 value)
{
	c->kind = kind;
	c->value = value;
	if (obs_sample_is_controlled(kind)) {
		c->seen = obs_sample_seen(cpus);
		c->load = 0;
		c->periods = 0;
		/* What was asked for under a former rule says nothing. */
		obs_sample_demand(cpus);
		obs_sample_grant(c, rule, cpus, obs_sample_control_total(c));
	}
	obs_sample_set_word(rule, obs_sample_make_word(kind, value));
}

/**
 * obs_sample_control_run() - a new period of a RATE or TARGET
 * @c: the rule's
 * @rule: rule
 * @cpus: its slots
 * @elapsed_ns: since the last call, or since the rule was applied: a second at least
 */
static inline void obs_sample_control_run(struct obs_sample_control *c,
					  struct obs_sample_rule *rule,
					  const struct obs_sample_cpus *cpus,
					  __u64 elapsed_ns)
{
	if (c->kind == OBSRING_RULE_TARGET)
		obs_sample_control_target(c, rule, cpus, elapsed_ns);
	obs_sample_grant(c, rule, cpus, obs_sample_control_total(c));
}

#endif /* _OBSRING_SAMPLE_CONTROL_H */
