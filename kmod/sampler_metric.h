/* SPDX-License-Identifier: GPL-2.0-only */
/* The gauges of sampling rules: include/obsring/sample_metric.h. */
#ifndef OBSRING_SAMPLER_METRIC_H
#define OBSRING_SAMPLER_METRIC_H

#include <linux/obsring.h>

struct obs_sample_spec;

/**
 * struct obs_rule_metric - what is shown of a rule
 * @gauge: its value
 * @rule: of the series; UNSPEC: there is none
 */
struct obs_rule_metric {
	struct obs_gauge_set gauge;
	enum obsring_rule rule;
};

void obs_rule_metric_init(struct obs_rule_metric *metric);

/*
 * Show a rule as it is in force. Where limits or the memory refuse its series, which is
 * counted, it has none. Process context, may sleep, one at a time.
 */
void obs_rule_metric_show(struct obs_rule_metric *metric,
			  const struct obs_sample_spec *spec);

/* It is not in force any more. */
void obs_rule_metric_hide(struct obs_rule_metric *metric,
			  const struct obs_sample_spec *spec);

int obs_rule_metrics_init(void);

/* None is shown any more, and none is written to. */
void obs_rule_metrics_exit(void);

#endif /* OBSRING_SAMPLER_METRIC_H */
