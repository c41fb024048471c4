/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Sampling rules as metrics: a set-type gauge for each rule in force.
 *
 *	obsring_sample_rule_ratio{source,level,rule}
 *		what a rule lets through of all, in OBS_SAMPLE_RATIO_EXP10
 *	obsring_sample_rule_records_per_second{source,level,rule}
 *		what RATE and TARGET let through
 *
 * What an administrator may set to any number is a value, not a label: there are no more
 * series than rules, of which both sides have a limited number, and a rule that changes
 * its number stays one series.
 */
#ifndef _OBSRING_SAMPLE_METRIC_H
#define _OBSRING_SAMPLE_METRIC_H

#include <linux/obsring.h>
#include "platform.h"
#include "record.h"

#define OBS_SAMPLE_RATIO_NAME	"obsring_sample_rule_ratio"
#define OBS_SAMPLE_RATIO_HELP	\
	"Part of the records that a sampling rule in force lets through; without a level it is of warning to debug."
#define OBS_SAMPLE_RATIO_UNIT	"ratio"
#define OBS_SAMPLE_RATIO_EXP10	(-12)
#define OBS_SAMPLE_RATIO_ONE	1000000000000ULL

#define OBS_SAMPLE_RATE_NAME	"obsring_sample_rule_records_per_second"
#define OBS_SAMPLE_RATE_HELP	\
	"Records a second that a sampling rule in force lets through (rate) or aims at (target); without a level it is of warning to debug."

#define OBS_SAMPLE_LABELS	{ "source", "level", "rule" }
#define OBS_SAMPLE_NR_LABELS	3

/* Is it of the second family? */
static inline bool obs_sample_has_rate(enum obsring_rule rule)
{
	return rule == OBSRING_RULE_RATE || rule == OBSRING_RULE_TARGET;
}

/* The label of a rule. */
static inline const char *obs_sample_rule_name(enum obsring_rule rule)
{
	static const char * const name[OBSRING_RULE_MAX + 1] = {
		"none", "keep", "drop", "one_in", "probability", "trace", "rate", "target",
	};

	return name[rule <= OBSRING_RULE_MAX ? rule : 0];
}

/* That of a level of a rule: above 7, it has none. */
static inline const char *obs_sample_level_name(__u32 level)
{
	return level <= 7 ? obs_level_name((__u8)level) : "";
}

/* The gauge of a rule whose value is valid. */
static inline __u64 obs_sample_rule_gauge(enum obsring_rule rule, __u64 value)
{
	switch (rule) {
	case OBSRING_RULE_KEEP:
		return OBS_SAMPLE_RATIO_ONE;
	case OBSRING_RULE_ONE_IN:
		return (OBS_SAMPLE_RATIO_ONE + value / 2) / (value ? value : 1);
	case OBSRING_RULE_PROBABILITY:
	case OBSRING_RULE_TRACE:
		/* Parts of 2^56, doubled and halved again: rounded. */
		return (obs_mul_high((OBSRING_THRESHOLD_ONE - value) << 7,
				     4 * OBS_SAMPLE_RATIO_ONE) + 1) / 2;
	case OBSRING_RULE_RATE:
	case OBSRING_RULE_TARGET:
		return value;
	default:
		return 0;
	}
}

#endif /* _OBSRING_SAMPLE_METRIC_H */
