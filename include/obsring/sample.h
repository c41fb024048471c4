/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Sampling: is this event kept, and for how many does it stand? Decided before its
 * message is formatted, in any context, NMI included: no lock, no allocation, no
 * loop that waits. What follows a clock (rates, targets) is in sample_control.h,
 * changes that wait for their time in sample_queue.h.
 *
 * Weight. A kept record carries a threshold of 56 bits, OpenTelemetry's rejection
 * threshold: it was kept with probability (2^56 - threshold) / 2^56, and stands
 * for 2^56 / (2^56 - threshold) events. The sum of the weights is the number of
 * events seen, within the statistical error that each rule below has.
 *
 * What is shared. A rule belongs to a source and a level.
 *
 *   struct obs_sample_rule    of all CPUs. Its word is written by the one who
 *                             applies rules, and read by each decision:
 *                                 mode:4 | epoch:4 | threshold:56
 *                             0 keeps all. A change is one store of that word.
 *                             The pool is the only word that several CPUs write.
 *   struct obs_sample_slot    of one CPU and rule. Written by that CPU, by single
 *                             instructions or by who owns it for the moment
 *                             (below); grant, before and demand by the controller,
 *                             once a second. KEEP and DROP do not look at it.
 *   struct obs_sample_rng     of one CPU: a counter, whose every value is drawn once;
 *                             slots begin their own numbers with it
 *   struct obs_sample_floor   of a source, on all CPUs
 *
 * On its CPU a decision may be interrupted at any point by another one; each ends
 * before the outer one goes on, and the caller stays on the CPU meanwhile. All of
 * it zeroed is a valid beginning; a rng is better seeded.
 *
 * 1. ONE_IN, PROBABILITY, TARGET: blocks
 *
 *   The events of a CPU are cut into blocks of whole events, 1/p long in the mean
 *   (the fraction is carried on, so that the mean is exact), and of each block one
 *   event is picked, each with the same chance:
 *
 *        |.....x..|..x....|x......|.......x|        p = 2/15: 8, 7, 7, 8 ... events
 *
 *   So what is kept never deviates from p by more than a block or two a CPU and
 *   rule, and yet no pattern in the events can meet a pattern in the picking: 100
 *   kinds of event in turn are each kept with p. Where p > 1/2 the picked ones are
 *   those that are dropped.
 *
 *   A count runs down to the next pick. A decision is: look whether the slot was
 *   drawn for the rule's word, decrement the count (left). Where the pick behind that
 *   one is has been drawn already (ahead): no event waits for the drawing. A slot drawn
 *   for another word is drawn anew, at a random place in a random block: so each event
 *   is kept with p from the first one on, however often the rule changes.
 *
 *        >= 0   events until the next pick
 *        -1     owned by the context that made it so: by decrementing (its
 *               event is the pick) or by exchanging it (it draws anew). It alone
 *               writes what is drawn, and ends by storing left
 *        < -1   a nested context decremented while an outer one owns it: it takes
 *               that back, and decides by a coin of the same p
 *
 *   A nested context can't draw anew under an owner; so word is what left was drawn
 *   for whenever -1 is met, and a pick is decided by that. One thing is not exact: a
 *   nested context draws for a changed rule between an outer one's look and its
 *   decrement, and the outer event is not picked. With p <= 1/2 before and after it
 *   is dropped, as it should be; else it is decided by the rule that it had read, as
 *   one event in the place of another. The epoch tells a rule from the same one set
 *   again.
 *
 * 2. TRACE
 *
 *   An event with trace context is kept if randomness >= threshold: all that share
 *   a trace are kept or dropped together, here and wherever else OpenTelemetry's
 *   consistent probability sampling is done; a higher p keeps a superset. The
 *   randomness is tracestate's ot=rv:, else the last 7 bytes of the trace id,
 *   whether or not traceparent has W3C's random flag: OpenTelemetry's samplers
 *   presume it (Trace SDK, "Presumption of TraceID randomness"). The sampled flag
 *   does not matter. An event without trace context is decided by blocks.
 *
 * 3. RATE and TARGET: quota
 *
 *   The controller divides what may be kept in a period of a second or more: a
 *   part by what the CPUs asked for in the last one, as grants, the rest as a pool.
 *   A CPU takes from its own grant, then from the pool. Grant, pool and what a CPU
 *   has left carry the period's number, so that nothing of a former one is used
 *   beside the new one:
 *
 *        grant, pool:  period:32 | records:32
 *        quota:        period:32 | DRY:1 | left:31
 *
 *   DRY: the pool was found empty, and is not looked at again in this period. A CPU
 *   that has seen the new grant but not the new pool, or the reverse, drops.
 *
 *   Bound: in a period at most RATE's value is kept over all CPUs, exactly. A
 *   period begins when grants are written, on each CPU in turn within microseconds;
 *   a second lies in two periods at most: so twice the value in any second. TARGET
 *   divides twice its value: a burst of four times, until the controller has
 *   measured the load. Applying a rule begins a period.
 *
 *   Weights: what the quota drops is added to the next record that the CPU keeps
 *   by this rule: after k drops RATE keeps one with weight k + 1. What has been
 *   dropped since the last kept one is in no record yet.
 *
 * 4. The floor
 *
 *   A source that is dropped is seen all the same: the first records of a minute
 *   that its rules drop are kept (the caller marks them, they weigh 0). One shared
 *   word {begin of the minute:48 | used:16}; once all are used it is only read.
 *
 * Order (each operation is labelled in the code):
 *
 *   rule_set:A     store-release of the rule's word: behind what it needs (slots,
 *                  grants)
 *   rule_get:B     load-acquire of it: before the slot is looked at
 *
 * Everything else is of one CPU, or a single word that nothing else depends on.
 */
#ifndef _OBSRING_SAMPLE_H
#define _OBSRING_SAMPLE_H

#include <linux/obsring.h>
#include "platform.h"

#define OBS_SAMPLE_MODE_SHIFT	60
#define OBS_SAMPLE_EPOCH_SHIFT	56
#define OBS_SAMPLE_EPOCH_MASK	(0xfULL << OBS_SAMPLE_EPOCH_SHIFT)
#define OBS_SAMPLE_THRESHOLD_MASK (OBSRING_THRESHOLD_ONE - 1)
/* Set in the threshold of p <= 1/2: what is picked is kept. Else it is dropped. */
#define OBS_SAMPLE_PICKS_KEPT	(OBSRING_THRESHOLD_ONE >> 1)

/* From 8 on: the word is negative, and so known by one test. */
enum obs_sample_mode {
	OBS_SAMPLE_KEEP,
	OBS_SAMPLE_DROP,
	OBS_SAMPLE_RATE,
	OBS_SAMPLE_TARGET,
	OBS_SAMPLE_BLOCKS = 8,
	OBS_SAMPLE_TRACE,
};

#define OBS_SAMPLE_OWNED	(~0ULL)	/* of left */
#define OBS_SAMPLE_DROPPED	(~0ULL)	/* in place of a threshold */

#define OBS_SAMPLE_PERIOD_SHIFT	32
#define OBS_SAMPLE_DRY		0x80000000ULL
#define OBS_SAMPLE_LEFT_MASK	(OBS_SAMPLE_DRY - 1)

/* Weights of what a quota dropped are added up in units of 1/128. */
#define OBS_SAMPLE_WEIGHT_ONE	128

#define OBS_SAMPLE_ONE_IN_MAX	0x100000000ULL
#define OBS_SAMPLE_RATE_MAX	1000000000ULL

#define OBS_SAMPLE_FLOOR_SHIFT	16
#define OBS_SAMPLE_FLOOR_MAX	0xffffU
/* Default: records of a source that its rules drop and that are kept, a minute. */
#define OBS_SAMPLE_FLOOR	10U

/**
 * struct obs_sample_rule - a rule as decisions see it, 128 bytes
 * @word: mode, epoch and threshold; written by who applies rules, one at a time
 * @pool: RATE and TARGET: what no CPU was granted
 *
 * The two have cache lines of their own: begin it at one.
 */
struct obs_sample_rule {
	__u64 word;
	__u64 reserved0[7];
	__u64 pool;
	__u64 reserved1[7];
};

/**
 * struct obs_sample_slot - what one CPU knows of a rule, 128 bytes
 * @word: rule's word for which @left was drawn
 * @left: events until the next pick
 * @density: picks in 2^56 events, of @word: units to an event, where a block has 2^56
 * @length: events of such a block, a fraction left out
 * @excess: units of that fraction
 * @ahead: what @left is to be behind that pick
 * @rest: events of the last block drawn behind its pick
 * @carry: units by which the block's end lies behind that
 * @state: of the numbers by which picks are drawn
 * @seen: TARGET: events
 * @asked: events that asked the quota
 * @quota: what is left of @grant
 * @dropped: weight of what the quota dropped
 * @credited: how much of that kept records stand for
 * @grant: written by the controller
 * @before: controller's: @asked when it last looked, modulo 2^32
 * @demand: controller's: what was asked for since, likewise: it divides, it limits nothing
 *
 * What a block needs is one cache line, what a quota needs another: begin it at one.
 */
struct obs_sample_slot {
	__u64 word;
	__u64 left;
	__u64 density;
	__u64 length;
	__u64 excess;
	__u64 ahead;
	__u64 rest;
	__u64 carry;
	__u64 state;
	__u64 seen;
	__u64 asked;
	__u64 quota;
	__u64 dropped;
	__u64 credited;
	__u64 grant;
	__u32 before;
	__u32 demand;
};

/**
 * struct obs_sample_rng - a CPU's random numbers
 * @state: seeded with any number, another one on each CPU
 */
struct obs_sample_rng {
	__u64 state;
};

/**
 * struct obs_sample_floor - a source's floor
 * @word: begin of the minute, ticks << 16 | used
 */
struct obs_sample_floor {
	__u64 word;
};

/* ---- Randomness ---------------------------------------------------------- */

/* wyrand: a nested call takes another value of the counter, and none is taken twice. */
static inline __u64 obs_sample_random(struct obs_sample_rng *rng)
{
	__u64 z = obs_add_return_local(&rng->state, 0xa0761d6478bd642fULL);

	return obs_mul_fold(z, z ^ 0xe7037ed1a0b428dbULL);
}

/* A trace's 56 bits, where no rv is given: its id's last 7 bytes. */
static inline __u64 obs_sample_randomness(const struct obsring_trace *trace)
{
	__u64 r = 0;
	int i;

	for (i = 9; i < 16; i++)
		r = r << 8 | trace->trace_id[i];
	return r;
}

/* ---- Rules --------------------------------------------------------------- */

/* Is @value one that a rule of that kind may have? KEEP and DROP take any. */
static inline bool obs_sample_valid(__u32 kind, __u64 value)
{
	switch (kind) {
	case OBSRING_RULE_KEEP:
	case OBSRING_RULE_DROP:
		return true;
	case OBSRING_RULE_ONE_IN:
		return value && value <= OBS_SAMPLE_ONE_IN_MAX;
	case OBSRING_RULE_PROBABILITY:
	case OBSRING_RULE_TRACE:
		return value < OBSRING_THRESHOLD_ONE;
	case OBSRING_RULE_RATE:
	case OBSRING_RULE_TARGET:
		return value && value <= OBS_SAMPLE_RATE_MAX;
	}
	return false;
}

static inline __u64 obs_sample_mode_word(enum obs_sample_mode mode, __u64 threshold)
{
	/* What is never below its threshold needs no drawing. */
	if (!threshold && (mode == OBS_SAMPLE_BLOCKS || mode == OBS_SAMPLE_TRACE))
		mode = OBS_SAMPLE_KEEP;
	return (__u64)mode << OBS_SAMPLE_MODE_SHIFT | threshold;
}

/* A valid rule's word, without epoch. RATE and TARGET are the controller's. */
static inline __u64 obs_sample_make_word(__u32 kind, __u64 value)
{
	switch (kind) {
	case OBSRING_RULE_DROP:
		return obs_sample_mode_word(OBS_SAMPLE_DROP, 0);
	case OBSRING_RULE_ONE_IN:
		return obs_sample_mode_word(OBS_SAMPLE_BLOCKS, OBSRING_THRESHOLD_ONE -
					    (OBSRING_THRESHOLD_ONE + value / 2) / value);
	case OBSRING_RULE_PROBABILITY:
		return obs_sample_mode_word(OBS_SAMPLE_BLOCKS, value);
	case OBSRING_RULE_TRACE:
		return obs_sample_mode_word(OBS_SAMPLE_TRACE, value);
	case OBSRING_RULE_RATE:
		return obs_sample_mode_word(OBS_SAMPLE_RATE, 0);
	case OBSRING_RULE_TARGET:
		return obs_sample_mode_word(OBS_SAMPLE_TARGET, 0);
	}
	return obs_sample_mode_word(OBS_SAMPLE_KEEP, 0);
}

/* Publish a word made by the above, of a new epoch. One caller at a time. */
static inline void obs_sample_set_word(struct obs_sample_rule *rule, __u64 word)
{
	__u64 epoch = obs_read_once(&rule->word) + (1ULL << OBS_SAMPLE_EPOCH_SHIFT);

	/* rule_set:A, pairs with rule_get:B */
	obs_store_release(&rule->word, word | (epoch & OBS_SAMPLE_EPOCH_MASK));
}

/* The one word that a decision reads. */
static inline __u64 obs_sample_word(const struct obs_sample_rule *rule)
{
	/* rule_get:B, pairs with rule_set:A */
	return obs_load_acquire(&rule->word);
}

static inline enum obs_sample_mode obs_sample_mode(__u64 word)
{
	return word >> OBS_SAMPLE_MODE_SHIFT;
}

static inline __u64 obs_sample_threshold(__u64 word)
{
	return word & OBS_SAMPLE_THRESHOLD_MASK;
}

/* Does a decision by this word look at the slot and the rng? */
static inline bool obs_sample_uses_slot(__u64 word)
{
	return obs_sample_mode(word) > OBS_SAMPLE_DROP;
}

/* ---- Blocks -------------------------------------------------------------- */

static inline bool obs_sample_picks_kept(__u64 word)
{
	return word & OBS_SAMPLE_PICKS_KEPT;
}

/* Picks in 2^56 events: 1 to 2^55. */
static inline __u64 obs_sample_density(__u64 word)
{
	__u64 threshold = obs_sample_threshold(word);

	return obs_sample_picks_kept(word) ? OBSRING_THRESHOLD_ONE - threshold : threshold;
}

/*
 * The owner draws the next block: events from the last one's pick to its pick. The
 * fractions make an event now and then; there is nothing to divide. Nobody else has part
 * in its numbers: so a linear congruential generator does, of which the upper bits are
 * taken (Steele and Vigna, "Computationally easy, spectrally good multipliers for
 * congruential pseudorandom number generators", 2021: 64 bits).
 */
static inline __u64 obs_sample_next(struct obs_sample_slot *slot)
{
	__u64 density = slot->density;
	__u64 state = slot->state * 0xd1342543de82ef95ULL + 1;
	__u64 carry = slot->carry + slot->excess;
	bool longer = carry >= density;
	__u64 length = slot->length + longer;
	__u64 pick = obs_mul_high(state, length);
	__u64 left = slot->rest + pick;

	slot->state = state;
	slot->carry = carry - (longer ? density : 0);
	slot->rest = length - 1 - pick;
	return left;
}

/*
 * The owner begins somewhere in a block, which it would be in at a random moment
 * had it always been so: events until the next pick.
 */
static inline __u64 obs_sample_begin(struct obs_sample_slot *slot,
				     struct obs_sample_rng *rng, __u64 density)
{
	__u64 units = obs_sample_random(rng) >> 8;
	__u64 over = (units + density - 1) / density;
	__u64 pick;

	slot->density = density;
	slot->length = OBSRING_THRESHOLD_ONE / density;
	slot->excess = OBSRING_THRESHOLD_ONE % density;
	slot->state = obs_sample_random(rng);
	slot->carry = over * density - units;
	slot->rest = 0;
	pick = obs_sample_next(slot);
	if (pick >= over)
		return pick - over;
	/* That block's is over: what is left of it, and the next one. */
	slot->rest += pick + 1 - over;
	return obs_sample_next(slot);
}

/* An event for itself: what became of it. */
static obs_outline __u64 obs_sample_coin(struct obs_sample_rng *rng, __u64 word)
{
	__u64 threshold = obs_sample_threshold(word);

	return obs_sample_random(rng) >> 8 < threshold ? OBS_SAMPLE_DROPPED : threshold;
}

static inline __u64 obs_sample_picked(__u64 word, bool picked)
{
	return picked == obs_sample_picks_kept(word) ? obs_sample_threshold(word) :
						       OBS_SAMPLE_DROPPED;
}

/* left was decremented below 0. */
static obs_outline __u64 obs_sample_pick(struct obs_sample_slot *slot,
					 struct obs_sample_rng *rng, __u64 word)
{
	__u64 left;

	if (obs_read_once(&slot->left) != OBS_SAMPLE_OWNED) {
		obs_add_local(&slot->left, 1);
		return obs_sample_coin(rng, word);
	}
	/* A nested context may have drawn for another one before it was ours. */
	word = obs_read_once(&slot->word);
	left = slot->ahead;
	slot->ahead = obs_sample_next(slot);
	obs_barrier();
	obs_write_once(&slot->left, left);
	return obs_sample_picked(word, true);
}

/* The slot was drawn for another word: make it ours, draw, and decide. */
static obs_outline __u64 obs_sample_redraw(struct obs_sample_slot *slot,
					   struct obs_sample_rng *rng, __u64 word)
{
	__u64 left = obs_read_once(&slot->left);
	bool picked;

	do {
		if ((__s64)left < 0)
			return obs_sample_coin(rng, word);
	} while (!obs_try_cmpxchg_local(&slot->left, &left, OBS_SAMPLE_OWNED));
	obs_write_once(&slot->word, word);
	left = obs_sample_begin(slot, rng, obs_sample_density(word));
	picked = !left;
	left = picked ? obs_sample_next(slot) : left - 1;
	slot->ahead = obs_sample_next(slot);
	obs_barrier();
	obs_write_once(&slot->left, left);
	return obs_sample_picked(word, picked);
}

static inline __u64 obs_sample_blocks(struct obs_sample_slot *slot,
				      struct obs_sample_rng *rng, __u64 word)
{
	if (!obs_likely(obs_read_once(&slot->word) == word))
		return obs_sample_redraw(slot, rng, word);
	if (!obs_likely(!obs_dec_negative_local(&slot->left)))
		return obs_sample_pick(slot, rng, word);
	return obs_sample_picked(word, false);
}

/* ---- Quota --------------------------------------------------------------- */

/* This CPU's grant is used up. @quota: as last seen. */
static inline bool obs_sample_take_pool(struct obs_sample_rule *rule,
					struct obs_sample_slot *slot,
					__u64 quota, __u64 period)
{
	__u64 pool = obs_read_once(&rule->pool);

	do {
		if (pool >> OBS_SAMPLE_PERIOD_SHIFT != period)
			return false;
		if (!(__u32)pool) {
			/* If a nested one was at it, the next event finds out. */
			obs_try_cmpxchg_local(&slot->quota, &quota,
					      period << OBS_SAMPLE_PERIOD_SHIFT |
					      OBS_SAMPLE_DRY);
			return false;
		}
	} while (!obs_try_cmpxchg(&rule->pool, &pool, pool - 1));
	return true;
}

/* May one more be kept in this period? */
static inline bool obs_sample_take(struct obs_sample_rule *rule,
				   struct obs_sample_slot *slot)
{
	__u64 quota = obs_read_once(&slot->quota), grant, period, left;

	do {
		/* Behind quota: so it is not older than the one quota is of. */
		grant = obs_read_once(&slot->grant);
		period = grant >> OBS_SAMPLE_PERIOD_SHIFT;
		left = (__u32)grant;
		if (quota >> OBS_SAMPLE_PERIOD_SHIFT == period) {
			if (quota & OBS_SAMPLE_DRY)
				return false;
			left = quota & OBS_SAMPLE_LEFT_MASK;
		}
		if (!left)
			return obs_sample_take_pool(rule, slot, quota, period);
	} while (!obs_try_cmpxchg_local(&slot->quota, &quota,
					period << OBS_SAMPLE_PERIOD_SHIFT | (left - 1)));
	return true;
}

/* The weight of a record that was kept with that threshold, in its unit. */
static inline __u64 obs_sample_weight(__u64 threshold)
{
	return OBS_SAMPLE_WEIGHT_ONE * OBSRING_THRESHOLD_ONE /
	       (OBSRING_THRESHOLD_ONE - threshold);
}

/* A kept record stands for what was dropped before it as well: its threshold. */
static inline __u64 obs_sample_credit(struct obs_sample_slot *slot, __u64 threshold)
{
	__u64 credited = obs_read_once(&slot->credited), dropped, weight, keep;

	do {
		dropped = obs_read_once(&slot->dropped);
		if (dropped == credited)
			return threshold;
	} while (!obs_try_cmpxchg_local(&slot->credited, &credited, dropped));
	weight = obs_sample_weight(threshold) + (dropped - credited);
	keep = (OBS_SAMPLE_WEIGHT_ONE * OBSRING_THRESHOLD_ONE + weight / 2) / weight;
	return OBSRING_THRESHOLD_ONE - (keep ? keep : 1);
}

static obs_outline __u64 obs_sample_ask_slowly(struct obs_sample_rule *rule,
					       struct obs_sample_slot *slot,
					       __u64 threshold)
{
	if (obs_sample_take(rule, slot))
		return obs_sample_credit(slot, threshold);
	obs_add_local(&slot->dropped, obs_sample_weight(threshold));
	return OBS_SAMPLE_DROPPED;
}

/* Is everything used that this CPU may keep in this period? */
static inline bool obs_sample_is_dry(struct obs_sample_slot *slot)
{
	__u64 quota = obs_read_once(&slot->quota);

	return quota & OBS_SAMPLE_DRY &&
	       !((quota ^ obs_read_once(&slot->grant)) >> OBS_SAMPLE_PERIOD_SHIFT);
}

static inline __u64 obs_sample_rate(struct obs_sample_rule *rule,
				    struct obs_sample_slot *slot)
{
	obs_add_local(&slot->asked, 1);
	if (!obs_likely(obs_sample_is_dry(slot)))
		return obs_sample_ask_slowly(rule, slot, 0);
	obs_add_local(&slot->dropped, OBS_SAMPLE_WEIGHT_ONE);
	return OBS_SAMPLE_DROPPED;
}

static inline __u64 obs_sample_target(struct obs_sample_rule *rule,
				      struct obs_sample_slot *slot,
				      struct obs_sample_rng *rng, __u64 word)
{
	__u64 threshold = obs_sample_threshold(word);

	obs_add_local(&slot->seen, 1);
	if (threshold)
		threshold = obs_sample_blocks(slot, rng, word);
	if (threshold == OBS_SAMPLE_DROPPED)
		return threshold;
	obs_add_local(&slot->asked, 1);
	return obs_sample_ask_slowly(rule, slot, threshold);
}

/* ---- Decision ------------------------------------------------------------ */

/* The threshold with which an event is kept, or OBS_SAMPLE_DROPPED. */
static inline __u64 obs_sample_verdict(__u64 word, struct obs_sample_rule *rule,
				       struct obs_sample_slot *slot,
				       struct obs_sample_rng *rng,
				       const __u64 *randomness)
{
	enum obs_sample_mode mode = obs_sample_mode(word);

	/* First what has the most to do yet: there a jump more counts. */
	if (obs_likely((__s64)word < 0)) {
		if (randomness && mode == OBS_SAMPLE_TRACE)
			return *randomness < obs_sample_threshold(word) ?
				OBS_SAMPLE_DROPPED : obs_sample_threshold(word);
		return obs_sample_blocks(slot, rng, word);
	}
	if (mode == OBS_SAMPLE_KEEP)
		return 0;
	if (mode == OBS_SAMPLE_RATE)
		return obs_sample_rate(rule, slot);
	if (mode == OBS_SAMPLE_TARGET)
		return obs_sample_target(rule, slot, rng, word);
	return OBS_SAMPLE_DROPPED;
}

/**
 * obs_sample_decide_word() - is this event kept?
 * @word: what obs_sample_word() has given for @rule
 * @rule: the rule of the event's source and level
 * @slot: this CPU's of @rule; not looked at unless obs_sample_uses_slot(@word)
 * @rng: this CPU's; likewise
 * @randomness: of the event's trace, 56 bits; NULL: it has no trace context
 * @ret_threshold: set if it is kept
 *
 * Context: any, NMI included; preemption is off.
 */
static inline bool obs_sample_decide_word(__u64 word, struct obs_sample_rule *rule,
					  struct obs_sample_slot *slot,
					  struct obs_sample_rng *rng,
					  const __u64 *randomness,
					  __u64 *ret_threshold)
{
	__u64 verdict = obs_sample_verdict(word, rule, slot, rng, randomness);

	if (verdict == OBS_SAMPLE_DROPPED)
		return false;
	*ret_threshold = verdict;
	return true;
}

/* The same for a slot that is always there. */
static inline bool obs_sample_decide(struct obs_sample_rule *rule,
				     struct obs_sample_slot *slot,
				     struct obs_sample_rng *rng,
				     const __u64 *randomness, __u64 *ret_threshold)
{
	return obs_sample_decide_word(obs_sample_word(rule), rule, slot, rng, randomness,
				      ret_threshold);
}

/**
 * obs_sample_floor_take() - is an event kept that its rule drops?
 * @floor: of its source
 * @limit: records a minute, up to OBS_SAMPLE_FLOOR_MAX; 0: none
 * @now: a coarse clock's ticks (jiffies); may lag a little on some CPUs
 * @minute: ticks of a minute
 *
 * Context: any, NMI included.
 * Return: true: keep it, marked OBSRING_RECORD_FLOOR.
 */
static inline bool obs_sample_floor_take(struct obs_sample_floor *floor, __u32 limit,
					 __u64 now, __u64 minute)
{
	__u64 word = obs_read_once(&floor->word), next;
	__s64 age;

	if (!limit)
		return false;
	do {
		/* Of 48 bits; little below 0: a CPU whose clock is ahead has begun it. */
		age = (__s64)((now << OBS_SAMPLE_FLOOR_SHIFT) -
			      (word & ~(__u64)OBS_SAMPLE_FLOOR_MAX)) >> OBS_SAMPLE_FLOOR_SHIFT;
		if (age >= (__s64)minute || age < -(__s64)minute)
			next = (now << OBS_SAMPLE_FLOOR_SHIFT) + 1;
		else if ((word & OBS_SAMPLE_FLOOR_MAX) < limit)
			next = word + 1;
		else
			return false;
	} while (!obs_try_cmpxchg(&floor->word, &word, next));
	return true;
}

#endif /* _OBSRING_SAMPLE_H */
