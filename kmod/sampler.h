/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which records of the log are kept: rules by source and level, around
 * include/obsring/sample.h. A level of a source is decided by the first of these
 * that is in force:
 *
 *	the source's rule for that level
 *	the source's rule without a level	levels 4 (warning) to 7
 *	the rule of "*" for that level
 *	the rule of "*" without a level		levels 4 to 7
 *	none: it is kept
 *
 * A rule is one, for all that it decides: a rate of "*" is that of all sources
 * without a rule together. What a rule drops may still be kept by the source's
 * floor.
 *
 * Changes are commands with a time (CLOCK_REALTIME), and go through
 * include/obsring/sample_queue.h. Whoever sends one then plays the consumer,
 * under the sampler's mutex, and an hrtimer wakes a worker for what is due later.
 * So a command without a time is in force when its request is answered.
 */
#ifndef OBSRING_SAMPLER_H
#define OBSRING_SAMPLER_H

#include <linux/jump_label.h>
#include <linux/types.h>

#include <linux/obsring.h>
#include <obsring/context.h>
#include <obsring/sample.h>

struct netlink_ext_ack;
struct obs_logsource;
struct obs_rule;

#define OBS_LEVELS	8
#define OBS_LEVEL_NONE	OBS_LEVELS	/* of a rule without one */

/**
 * struct obs_sampler - what a source's records are decided by
 * @rule: by level; NULL: as "*" says. Read by decisions
 * @own: the rules that it has or had, by level; under the sampler's mutex
 * @floor: records kept in the present minute
 */
struct obs_sampler {
	struct obs_rule *rule[OBS_LEVELS];
	struct obs_rule *own[OBS_LEVELS + 1];
	struct obs_sample_floor floor;
};

/**
 * struct obs_sampled - how a record was kept
 * @threshold: struct obsring_record.threshold
 * @flags: OBSRING_RECORD_FLOOR or 0
 */
struct obs_sampled {
	u64 threshold;
	u8 flags;
};

/* Off while there is no rule, and none waits. */
DECLARE_STATIC_KEY_FALSE(obs_sampling);

bool __obs_sampler_keep(struct obs_logsource *source, u8 level,
			const struct obs_context *context, struct obs_sampled *ret);

/**
 * obs_sampler_keep() - is a record written?
 * @source: whose
 * @level: 0 to 7
 * @context: for which trace; NULL: none
 * @ret: how, if it is
 *
 * Context: any, NMI included.
 */
static __always_inline bool obs_sampler_keep(struct obs_logsource *source, u8 level,
					     const struct obs_context *context,
					     struct obs_sampled *ret)
{
	*ret = (struct obs_sampled){};
	return !static_branch_unlikely(&obs_sampling) ||
	       __obs_sampler_keep(source, level, context, ret);
}

/**
 * struct obs_sample_spec - a rule, or a command about one
 * @source: as obs_logsource_text() has it
 * @level: 0 to 7, OBS_LEVEL_NONE
 * @kind: UNSPEC: the rule is removed
 * @value: of @kind
 * @at_ns: CLOCK_REALTIME; 0: now, or it is in force
 * @id: of the command; sent, of the one that it replaces, 0: none
 */
struct obs_sample_spec {
	const char *source;
	u8 level;
	enum obsring_rule kind;
	u64 value;
	u64 at_ns;
	u64 id;
};

/*
 * Set or remove a rule, at once or later. -EINVAL; -ENOENT if there is nothing to
 * remove, or to replace; -ENOSPC past a limit; -ENOMEM. Process context, may sleep.
 */
int obs_sampler_send(const struct obs_sample_spec *spec,
		     struct netlink_ext_ack *extack, u64 *ret_id);

/* Take back a command that waits. -ENOENT: it does not, or not any more. */
int obs_sampler_cancel(u64 id, struct netlink_ext_ack *extack);

/**
 * struct obs_sampler_walk - where a walk is; zeroed at first
 * @serial: of the rule told last
 * @time: of the waiting command told last
 * @arrival: likewise, from 1; 0: none was
 */
struct obs_sampler_walk {
	u64 serial;
	u64 time;
	u64 arrival;
};

/*
 * Give @fn the rules in force, then the commands that wait, from @walk on, until
 * it returns not 0, which is returned; @walk then stands before that one.
 */
int obs_sampler_each(struct obs_sampler_walk *walk,
		     int (*fn)(const struct obs_sample_spec *spec, void *arg),
		     void *arg);

/* Account memory of sources and rules. Process context, may sleep. */
void obs_sampler_memory(long bytes);

/* What was accounted. Under the registry's mutex. */
u64 obs_sampler_bytes(void);

int obs_sampler_init(void);

/* No more commands: before the sources' entries go. */
void obs_sampler_exit(void);

#endif /* OBSRING_SAMPLER_H */
