// SPDX-License-Identifier: MIT
/*
 * Sampling in a segment: the rules stand in its table, a thread's slots of them are
 * those of its ring. <obsring/sample.h> decides. There is no clock's thread: who logs,
 * by a rule that follows the load, begins its next period, if the directory's lock is
 * free at that time.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include <obsring.h>
#include <obsring/logline.h>

#include "segment.h"

#define ANY_LEVELS	4	/* from this one on */

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- Which rule ---------------------------------------------------------- */

static bool source_is(const struct obs_host_rule *rule, const char *name, uint32_t len)
{
	return len < sizeof(rule->source) && !memcmp(rule->source, name, len) &&
	       !rule->source[len];
}

/* What a rule says of a record; the greatest counts. 0: nothing. */
static unsigned int rule_rank(const struct obs_host_rule *rule, const char *name,
			      uint32_t len, uint32_t level)
{
	bool own = source_is(rule, name, len);

	if (!own && !source_is(rule, OBSRING_SOURCE_ANY, 1))
		return 0;
	if (rule->level == level)
		return own ? 4 : 2;
	return rule->level == OBS_HOST_NO_LEVEL && level >= ANY_LEVELS ? own ? 3 : 1 : 0;
}

/* Its index, nr_rules: none. */
static uint32_t rule_of(const struct obs_segment *segment, const char *name, uint32_t len,
			uint32_t level)
{
	uint32_t nr = segment->nr.nr_rules, found = nr, i;
	unsigned int rank, best = 0;

	for (i = 0; i < nr; i++) {
		const struct obs_host_rule *rule = obs_segment_rule(segment, i);

		/* Pairs with rule_set(): the rest is whole. */
		if (!obs_load_acquire(&rule->in_force))
			continue;
		rank = rule_rank(rule, name, len, level);
		if (rank > best) {
			best = rank;
			found = i;
		}
	}
	return found;
}

/* ---- Decision ------------------------------------------------------------ */

struct rule_slots {
	const struct obs_segment *segment;
	uint32_t rule;
};

static struct obs_sample_slot *slot_of(void *context, unsigned int lease)
{
	const struct rule_slots *slots = context;

	return obs_segment_slot(slots->segment, slots->rule, lease);
}

static void rule_control(struct obs_segment *segment, uint32_t index)
{
	struct obs_host_rule *rule = obs_segment_rule(segment, index);
	struct rule_slots slots = { .segment = segment, .rule = index };
	const struct obs_sample_cpus cpus = {
		.slot = slot_of, .context = &slots, .nr = segment->nr.nr_leases,
	};
	uint64_t now_ns = clock_ns(CLOCK_MONOTONIC), elapsed_ns;

	if (!obs_sample_is_controlled(obs_read_once(&rule->control.kind)) ||
	    now_ns - obs_read_once(&rule->period_ns) < OBS_SAMPLE_PERIOD_NS ||
	    obs_segment_trylock(segment))
		return;
	elapsed_ns = now_ns - rule->period_ns;
	/* Another one was first? */
	if (elapsed_ns >= OBS_SAMPLE_PERIOD_NS && elapsed_ns <= INT64_MAX) {
		obs_sample_control_run(&rule->control, &rule->shared, &cpus, elapsed_ns);
		obs_write_once(&rule->period_ns, now_ns);
	}
	obs_segment_unlock(segment);
}

/* A damaged word or slot must lead to no division by 0: it keeps all. */
static bool decide(struct obs_host_rule *rule, struct obs_sample_slot *slot,
		   struct obs_sample_rng *rng, const __u64 *randomness,
		   __u64 *ret_threshold)
{
	__u64 word = obs_sample_word(&rule->shared);
	enum obs_sample_mode mode = obs_sample_mode(word);

	if (mode >= OBS_SAMPLE_BLOCKS && !obs_sample_threshold(word))
		word = 0;
	if ((__s64)(obs_read_once(&slot->dropped) - obs_read_once(&slot->credited)) < 0)
		obs_write_once(&slot->credited, obs_read_once(&slot->dropped));
	return obs_sample_decide_word(word, &rule->shared, slot, rng, randomness,
				      ret_threshold);
}

bool obs_segment_keep(struct obs_segment *segment, uint32_t lease,
		      struct obs_sample_rng *rng, const struct obs_logline *line,
		      const char *source, uint32_t source_len, struct obsring_record *head)
{
	char name[sizeof("user.") + OBSRING_SOURCE_MAX] = "user.";
	uint32_t at = sizeof("user.") - 1, index;
	struct obs_host_rule *rule;
	__u64 randomness, threshold;

	if (!obs_read_once(&segment->host->rules))
		return true;
	memcpy(name + at, source, source_len);
	index = rule_of(segment, name, at + source_len, line->level);
	if (index == segment->nr.nr_rules)
		return true;
	rule = obs_segment_rule(segment, index);
	rule_control(segment, index);
	randomness = line->has_rv ? line->rv : obs_sample_randomness(&line->trace);
	if (decide(rule, obs_segment_slot(segment, index, lease), rng,
		   line->has_trace ? &randomness : NULL, &threshold)) {
		head->threshold = threshold;
		return true;
	}
	if (obs_sample_floor_take(&rule->floor, OBS_SAMPLE_FLOOR,
				  clock_ns(CLOCK_MONOTONIC_COARSE) / 1000000000, 60)) {
		head->flags |= OBSRING_RECORD_FLOOR;
		return true;
	}
	obs_segment_count(segment, OBS_HOST_SAMPLED_OUT, 1);
	return false;
}

/* ---- Rules --------------------------------------------------------------- */

static uint32_t rule_find(const struct obs_segment *segment, const char *source,
			  uint32_t level)
{
	const struct obs_host_rule *rule;
	uint32_t i;

	for (i = 0; i < segment->nr.nr_rules; i++) {
		rule = obs_segment_rule(segment, i);
		if (rule->in_force && rule->level == level &&
		    !strncmp(rule->source, source, sizeof(rule->source)))
			break;
	}
	return i;
}

/* Decisions look while it is done: first it is what it will be, then it is in force. */
static void rule_set(struct obs_segment *segment, uint32_t index,
		     const struct obs_sample_info *sample, uint32_t level)
{
	struct obs_host_rule *rule = obs_segment_rule(segment, index);
	struct rule_slots slots = { .segment = segment, .rule = index };
	const struct obs_sample_cpus cpus = {
		.slot = slot_of, .context = &slots, .nr = segment->nr.nr_leases,
	};

	if (!rule->in_force) {
		rule->level = level;
		memset(rule->source, 0, sizeof(rule->source));
		memcpy(rule->source, sample->source,
		       strnlen(sample->source, sizeof(rule->source) - 1));
	}
	obs_sample_apply(&rule->control, &rule->shared, &cpus, sample->rule, sample->value);
	rule->value = sample->value;
	obs_write_once(&rule->period_ns, clock_ns(CLOCK_MONOTONIC));
	/* Pairs with rule_of(). */
	obs_store_release(&rule->in_force, 1);
}

static void rules_count(struct obs_segment *segment)
{
	uint32_t i, nr = 0;

	for (i = 0; i < segment->nr.nr_rules; i++)
		nr += obs_segment_rule(segment, i)->in_force != 0;
	obs_write_once(&segment->host->rules, nr);
}

static int sample_locked(struct obs_segment *segment, const struct obs_sample_info *sample)
{
	uint32_t level = sample->level == OBS_SAMPLE_NO_LEVEL ? OBS_HOST_NO_LEVEL :
								(uint32_t)sample->level;
	uint32_t nr = segment->nr.nr_rules, i = rule_find(segment, sample->source, level);

	if (!sample->rule && i == nr)
		return -ENOENT;
	if (!sample->rule)
		obs_store_release(&obs_segment_rule(segment, i)->in_force, 0);
	if (sample->rule && i == nr)
		for (i = 0; i < nr && obs_segment_rule(segment, i)->in_force; i++)
			;
	if (i == nr)
		return -ENOSPC;
	if (sample->rule)
		rule_set(segment, i, sample, level);
	rules_count(segment);
	obs_segment_rules_show(segment);
	return 0;
}

static bool sample_valid(const struct obs_sample_info *sample)
{
	size_t len = strnlen(sample->source, sizeof(sample->source));

	return len && len <= sizeof("user.") - 1 + OBSRING_SOURCE_MAX &&
	       sample->level >= OBS_SAMPLE_NO_LEVEL && sample->level <= 7 &&
	       (!sample->rule || obs_sample_valid(sample->rule, sample->value));
}

int obs_segment_sample_send(const char *path, const struct obs_sample_info *sample)
{
	struct obs_segment *segment;
	int r;

	if (!sample_valid(sample))
		return -EINVAL;
	/* Nobody is there to apply it at that time, and so none waits. */
	if (sample->at_ns || sample->id)
		return -EOPNOTSUPP;
	r = obs_segment_open(path, &segment);
	if (!r)
		r = obs_segment_lock(segment);
	if (r)
		return r;
	r = sample_locked(segment, sample);
	obs_segment_unlock(segment);
	return r;
}

static bool sample_fill(const struct obs_segment *segment, uint32_t index,
			struct obs_sample_info *sample)
{
	const struct obs_host_rule *rule = obs_segment_rule(segment, index);

	if (!rule->in_force)
		return false;
	*sample = (struct obs_sample_info){
		.level = rule->level == OBS_HOST_NO_LEVEL ? OBS_SAMPLE_NO_LEVEL :
							    (int)rule->level,
		.rule = rule->control.kind,
		.value = rule->value,
	};
	memcpy(sample->source, rule->source, sizeof(rule->source));
	sample->source[sizeof(rule->source) - 1] = '\0';
	return true;
}

int obs_segment_sample_list(const char *path,
			    int (*fn)(const struct obs_sample_info *sample, void *arg),
			    void *arg)
{
	struct obs_sample_info sample;
	struct obs_segment *segment;
	bool there;
	uint32_t i;
	int r;

	r = obs_segment_open(path, &segment);
	for (i = 0; !r && i < segment->nr.nr_rules; i++) {
		r = obs_segment_lock(segment);
		if (r)
			break;
		there = sample_fill(segment, i, &sample);
		obs_segment_unlock(segment);
		if (there)
			r = fn(&sample, arg);
	}
	return r;
}
