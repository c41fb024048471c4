// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * sample.h: a rule that is set behind what it needs, and a CPU that decides by it; a
 * decision that an interrupt's decisions interrupt.
 */
#include <string.h>

#include <obsring/sample.h>

#include "weak.h"

#define PERIOD	7ULL

static struct obs_sample_rule rule;
static struct obs_sample_slot slot;
static struct obs_sample_rng rng;

static void start(void)
{
	memset(&rule, 0, sizeof(rule));
	memset(&slot, 0, sizeof(slot));
	memset(&rng, 0, sizeof(rng));
}

/* As sample_control.h begins a period: grants first, then the word. */
static void set(void)
{
	obs_write_once(&slot.grant, PERIOD << OBS_SAMPLE_PERIOD_SHIFT | 3);
	obs_sample_set_word(&rule, obs_sample_make_word(OBSRING_RULE_RATE, 3));
}

static void get(void)
{
	__u64 word = obs_sample_word(&rule);

	if (obs_sample_mode(word) != OBS_SAMPLE_RATE) {
		weak_seen("not set yet");
		return;
	}
	weak_check(obs_read_once(&slot.grant) >> OBS_SAMPLE_PERIOD_SHIFT == PERIOD);
	weak_seen("set");
}

/* ---- Decisions that nest -------------------------------------------------- */

#define ONE_IN	4
#define NESTED	5	/* enough to come to a pick of their own */

static __u64 word, until;	/* events until the end of the block that is drawn ahead */
static unsigned int counted;

static __u64 one_in_four(void)
{
	return obs_sample_make_word(OBSRING_RULE_ONE_IN, ONE_IN);
}

static void blocks_of(__u64 of)
{
	slot.density = obs_sample_density(of);
	slot.length = OBSRING_THRESHOLD_ONE / slot.density;
	slot.excess = OBSRING_THRESHOLD_ONE % slot.density;
}

/*
 * The next event is the pick of its block, of which one, two or three remain; of the
 * next one, which is drawn ahead, it is any.
 */
static void start_block(void)
{
	__u64 remain = 1 + weak_choose(3), pick = weak_choose(ONE_IN);

	start();
	word = one_in_four();
	slot.word = word;
	blocks_of(word);
	slot.ahead = remain + pick;
	slot.rest = ONE_IN - 1 - pick;
	until = 1 + remain + ONE_IN;
	counted = 0;
}

/* And what is drawn at that pick is any. */
static void start_pick(void)
{
	start_block();
	slot.state = (__u64)weak_choose(4) << 62;
}

/* Drawn for another rule, whose blocks are longer. */
static void start_redraw(void)
{
	start_block();
	rng.state = weak_choose(4);
	slot.word = obs_sample_make_word(OBSRING_RULE_ONE_IN, 1000);
	blocks_of(slot.word);
	slot.left = 1 + weak_choose(2);
	slot.ahead = 500;
	slot.rest = 900;
}

static void decide(void)
{
	__u64 threshold;

	if (obs_sample_decide_word(word, &rule, &slot, &rng, NULL, &threshold))
		weak_seen("kept");
	else
		weak_seen("dropped");
	counted++;
}

static void decide_nested(void)
{
	__u64 threshold;
	int i;

	for (i = 0; i < NESTED; i++) {
		/* Beside one that is at it an event is decided for itself. */
		if ((__s64)obs_read_once(&slot.left) < 0)
			weak_seen("a coin");
		else
			counted++;
		obs_sample_decide_word(word, &rule, &slot, &rng, NULL, &threshold);
	}
}

/* The slot stands somewhere in a block of the rule. */
static void in_a_block(void)
{
	weak_check(obs_read_once(&slot.word) == word);
	weak_check(obs_read_once(&slot.rest) < ONE_IN);
	weak_check(obs_read_once(&slot.left) < 2 * ONE_IN);
	weak_check(obs_read_once(&slot.ahead) < 2 * ONE_IN);
	weak_check(obs_read_once(&slot.density) == obs_sample_density(word));
	weak_check(obs_read_once(&slot.length) == ONE_IN);
	weak_check(!obs_read_once(&slot.excess));
	weak_check(obs_read_once(&slot.carry) < OBSRING_THRESHOLD_ONE);
}

/* And just there where the events that were counted have led. */
static void in_its_block(void)
{
	in_a_block();
	weak_check((counted + obs_read_once(&slot.left) + 1 + obs_read_once(&slot.ahead) + 1 +
		    obs_read_once(&slot.rest)) % ONE_IN == until % ONE_IN);
}

int main(void)
{
	static const struct weak_scenario set_and_got = {
		.name = "sample: a rule and what it needs",
		.start = start,
		.writer = { set },
		.reader = { get },
	}, pick = {
		.name = "sample: a pick is interrupted",
		.start = start_pick,
		.writer = { decide },
		.interrupt = decide_nested,
		.interrupts = 1,
		.end = in_its_block,
	}, redraw = {
		.name = "sample: a drawing is interrupted",
		.start = start_redraw,
		.writer = { decide },
		.interrupt = decide_nested,
		.interrupts = 1,
		.end = in_a_block,
	};

	weak_explore(&set_and_got);
	weak_demand("not set yet", "set", NULL);
	weak_explore(&pick);
	weak_demand("kept", "interrupted", "delayed", "a coin", NULL);
	weak_explore(&redraw);
	weak_demand("kept", "dropped", "interrupted", "delayed", "a coin", NULL);
	return 0;
}
