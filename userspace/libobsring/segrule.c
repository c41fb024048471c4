// SPDX-License-Identifier: MIT
/*
 * A segment's sampling rules as metrics, <obsring/sample_metric.h>, with the directory's
 * lock: what is shown is made to be what is in force, whatever it was. So a kill in the
 * middle of it is made good by doing it again.
 */
#include <stdio.h>
#include <string.h>

#include <obsring.h>
#include <obsring/directory.h>
#include <obsring/sample_metric.h>

#include "segment.h"

static const char *const labels[] = OBS_SAMPLE_LABELS;

static const struct obs_family_spec ratio_spec = {
	.name = OBS_SAMPLE_RATIO_NAME,
	.help = OBS_SAMPLE_RATIO_HELP,
	.unit = OBS_SAMPLE_RATIO_UNIT,
	.kind = OBSRING_KIND_GAUGE,
	.set = true,
	.exp10 = OBS_SAMPLE_RATIO_EXP10,
	.nr_labels = OBS_SAMPLE_NR_LABELS,
	.label = labels,
};

static const struct obs_family_spec rate_spec = {
	.name = OBS_SAMPLE_RATE_NAME,
	.help = OBS_SAMPLE_RATE_HELP,
	.kind = OBSRING_KIND_GAUGE,
	.set = true,
	.nr_labels = OBS_SAMPLE_NR_LABELS,
	.label = labels,
};

/* What is shown of a rule: others may write to it meanwhile. */
struct shown {
	const struct obs_family_spec *spec;
	char source[sizeof(((struct obs_host_rule *)0)->source)];
	const char *value[OBS_SAMPLE_NR_LABELS];
	uint64_t gauge;
};

/* False: it is not in force. */
static bool shown_get(const struct obs_host_rule *rule, struct shown *shown)
{
	enum obsring_rule kind = obs_read_once(&rule->control.kind);

	if (!obs_load_acquire(&rule->in_force) || !kind || kind > OBSRING_RULE_MAX)
		return false;
	memcpy(shown->source, rule->source, sizeof(shown->source));
	shown->source[sizeof(shown->source) - 1] = '\0';
	shown->spec = obs_sample_has_rate(kind) ? &rate_spec : &ratio_spec;
	shown->value[0] = shown->source;
	shown->value[1] = obs_sample_level_name(obs_read_once(&rule->level));
	shown->value[2] = obs_sample_rule_name(kind);
	shown->gauge = obs_sample_rule_gauge(kind, obs_read_once(&rule->value));
	return true;
}

static bool series_is(const struct obs_segment *segment, const struct obsring_series *series,
		      const struct shown *shown)
{
	const char *text = obs_segment_text(segment, series->text_off, series->text_len);
	size_t at = 0, len;
	unsigned int i;

	for (i = 0; text && i < OBS_SAMPLE_NR_LABELS; i++) {
		len = strlen(shown->value[i]) + 1;
		if (len > series->text_len - at || memcmp(text + at, shown->value[i], len))
			return false;
		at += len;
	}
	return text && at == series->text_len;
}

static bool is_in_force(const struct obs_segment *segment,
			const struct obsring_series *series,
			const struct obs_family_spec *spec)
{
	struct shown shown;
	uint32_t i;

	for (i = 0; i < segment->nr.nr_rules; i++)
		if (shown_get(obs_segment_rule(segment, i), &shown) &&
		    shown.spec == spec && series_is(segment, series, &shown))
			return true;
	return false;
}

/* Of which of the two families: NULL: of neither. */
static const struct obs_family_spec *spec_of(const struct obs_segment *segment,
					     const struct obsring_series *series)
{
	static const struct obs_family_spec *const spec[] = { &ratio_spec, &rate_spec };
	const struct obsring_family *family;
	const char *text;
	size_t i, len;

	if (series->service || series->family >= obs_segment_families(segment))
		return NULL;
	family = obs_segment_family(segment, series->family);
	if (!obs_gen_alive(family->gen) || family->gen != series->family_gen)
		return NULL;
	text = obs_segment_text(segment, family->text_off, family->text_len);
	for (i = 0; text && i < 2; i++) {
		len = strlen(spec[i]->name) + 1;
		if (len <= family->text_len && !memcmp(text, spec[i]->name, len))
			return spec[i];
	}
	return NULL;
}

static void hide(struct obs_segment *segment)
{
	const struct obs_family_spec *spec;
	struct obsring_series *series;
	uint32_t i;

	for (i = 0; i < obs_segment_nr_series(segment); i++) {
		series = obs_segment_series(segment, i);
		if (!obs_gen_alive(series->gen))
			continue;
		spec = spec_of(segment, series);
		if (spec && !is_in_force(segment, series, spec))
			obs_segment_retire(segment, OBSRING_REGION_SERIES, i, &series->gen);
	}
}

/* Without room for it, which is counted, the rule is in force all the same. */
static void show(struct obs_segment *segment, const struct shown *shown)
{
	const struct obs_segment_metric metric = {
		.spec = shown->spec, .value = shown->value,
	};
	const struct obsring_series *series;
	uint32_t index;
	bool overflow;

	if (obs_segment_metric(segment, &metric, &index, &overflow))
		return;
	series = obs_segment_series(segment, index);
	if (series->page < segment->view.region[OBSRING_REGION_SERVICES].limit &&
	    series->slot < obs_segment_page_slots(segment))
		obs_write_once(obs_segment_row(segment, series->page, segment->view.nr_cpus) +
			       series->slot, shown->gauge);
}

void obs_segment_rules_show(struct obs_segment *segment)
{
	struct shown shown;
	uint32_t i;

	hide(segment);
	for (i = 0; i < segment->nr.nr_rules; i++)
		if (shown_get(obs_segment_rule(segment, i), &shown))
			show(segment, &shown);
	obs_segment_retire_families(segment);
}
