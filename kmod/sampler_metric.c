// SPDX-License-Identifier: GPL-2.0-only
#include <obsring/sample_metric.h>

#include "metric.h"
#include "sampler.h"
#include "sampler_metric.h"

enum { METRIC_RATIO, METRIC_RATE };

static struct obs_metric metrics[] = {
	[METRIC_RATIO] = {
		.desc = {
			.name = OBS_SAMPLE_RATIO_NAME,
			.help = OBS_SAMPLE_RATIO_HELP,
			.unit = OBS_SAMPLE_RATIO_UNIT,
			.label = OBS_SAMPLE_LABELS,
			.kind = OBSRING_KIND_GAUGE,
			.set = true,
			.exp10 = OBS_SAMPLE_RATIO_EXP10,
		},
	},
	[METRIC_RATE] = {
		.desc = {
			.name = OBS_SAMPLE_RATE_NAME,
			.help = OBS_SAMPLE_RATE_HELP,
			.label = OBS_SAMPLE_LABELS,
			.kind = OBSRING_KIND_GAUGE,
			.set = true,
		},
	},
};

static struct obs_family *family_of(enum obsring_rule rule)
{
	return metrics[obs_sample_has_rate(rule) ? METRIC_RATE : METRIC_RATIO].family;
}

void obs_rule_metric_init(struct obs_rule_metric *metric)
{
	*metric = (struct obs_rule_metric){ .gauge = OBS_GAUGE_SET_INIT };
}

void obs_rule_metric_hide(struct obs_rule_metric *metric,
			  const struct obs_sample_spec *spec)
{
	const char *const label[] = {
		spec->source, obs_sample_level_name(spec->level),
		obs_sample_rule_name(metric->rule),
	};

	if (!metric->rule)
		return;
	obs_gauge_set_detach(&metric->gauge);
	obs_series_remove(family_of(metric->rule), label);
	metric->rule = OBSRING_RULE_UNSPEC;
}

void obs_rule_metric_show(struct obs_rule_metric *metric,
			  const struct obs_sample_spec *spec)
{
	const char *const label[] = {
		spec->source, obs_sample_level_name(spec->level),
		obs_sample_rule_name(spec->kind),
	};

	if (metric->rule != spec->kind) {
		obs_rule_metric_hide(metric, spec);
		if (obs_gauge_set_attach(family_of(spec->kind), label, &metric->gauge)) {
			/* It has been counted; the overflow series is no rule's. */
			obs_gauge_set_detach(&metric->gauge);
			return;
		}
		metric->rule = spec->kind;
	}
	obs_gauge_set(&metric->gauge, (s64)obs_sample_rule_gauge(spec->kind, spec->value));
}

int obs_rule_metrics_init(void)
{
	return obs_metrics_register(metrics, ARRAY_SIZE(metrics));
}

void obs_rule_metrics_exit(void)
{
	obs_metrics_remove(metrics, ARRAY_SIZE(metrics));
}
