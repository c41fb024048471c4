// SPDX-License-Identifier: GPL-2.0-only
/* From objects to netlink attributes. */
#include <net/netlink.h>

#include "netlink.h"
#include "probe.h"
#include "sampler.h"
#include "source.h"

static int fill_u64(struct sk_buff *skb, int attr, u64 value)
{
	return nla_put_u64_64bit(skb, attr, value, OBSRING_A_PAD);
}

static int fill_bounds(struct sk_buff *skb, const struct obs_family *family)
{
	const struct obs_family_desc *desc = &family->desc;
	u32 i;

	if (desc->kind != OBSRING_KIND_HISTOGRAM)
		return 0;
	if (!desc->bounds)
		return nla_put_s32(skb, OBSRING_A_SCHEMA, desc->schema) ||
		       nla_put_s32(skb, OBSRING_A_MIN_LOG2, desc->min_log2) ||
		       nla_put_s32(skb, OBSRING_A_MAX_LOG2, desc->max_log2) ?
		       -EMSGSIZE : 0;
	for (i = 0; i < desc->nr_bounds; i++) {
		if (fill_u64(skb, OBSRING_A_BOUND, desc->bounds[i]))
			return -EMSGSIZE;
	}
	return 0;
}

int obs_fill_family(struct sk_buff *skb, const struct obs_family *family)
{
	const struct obs_family_desc *desc = &family->desc;
	const struct obsring_family *entry =
		obs_region_entry(OBSRING_REGION_FAMILIES, family->index);
	const char *state = family->text + family->states;
	u32 i;

	if (nla_put_u32(skb, OBSRING_A_FAMILY_ID, family->index) ||
	    nla_put_u32(skb, OBSRING_A_GEN, entry->gen) ||
	    nla_put_string(skb, OBSRING_A_NAME, desc->name) ||
	    nla_put_string(skb, OBSRING_A_HELP, desc->help) ||
	    nla_put_string(skb, OBSRING_A_UNIT, desc->unit) ||
	    nla_put_u32(skb, OBSRING_A_KIND, desc->kind) ||
	    (desc->set && nla_put_flag(skb, OBSRING_A_SET)) ||
	    nla_put_s32(skb, OBSRING_A_EXP10, desc->exp10) ||
	    nla_put_u32(skb, OBSRING_A_SERIES, family->nr_series) ||
	    fill_u64(skb, OBSRING_A_CREATED_NS, family->created_ns))
		return -EMSGSIZE;
	for (i = 0; i < family->nr_labels; i++) {
		if (nla_put_string(skb, OBSRING_A_LABEL_NAME, desc->label[i]))
			return -EMSGSIZE;
	}
	for (i = 0; i < desc->nr_states; i++) {
		if (nla_put_string(skb, OBSRING_A_STATE_NAME, state))
			return -EMSGSIZE;
		state += strlen(state) + 1;
	}
	return fill_bounds(skb, family);
}

int obs_fill_series(struct sk_buff *skb, const struct obs_series *series)
{
	const struct obsring_series *entry =
		obs_region_entry(OBSRING_REGION_SERIES, series->index);
	const char *value = series->text;

	if (nla_put_u32(skb, OBSRING_A_SERIES_ID, series->index) ||
	    nla_put_u32(skb, OBSRING_A_GEN, entry->gen) ||
	    nla_put_u32(skb, OBSRING_A_FAMILY_ID, series->family->index) ||
	    nla_put_string(skb, OBSRING_A_NAME, series->family->desc.name) ||
	    nla_put_u32(skb, OBSRING_A_KIND, series->family->desc.kind) ||
	    (series->flags & OBSRING_SERIES_OVERFLOW &&
	     nla_put_flag(skb, OBSRING_A_OVERFLOW)) ||
	    fill_u64(skb, OBSRING_A_CREATED_NS, series->created_ns))
		return -EMSGSIZE;
	for (; value < series->text + series->text_len; value += strlen(value) + 1) {
		if (nla_put_string(skb, OBSRING_A_LABEL_VALUE, value))
			return -EMSGSIZE;
	}
	return 0;
}

/* Slots of a row, or of all rows together if @cpu is negative. */
static int fill_slots(struct sk_buff *skb, const struct obs_series *series, int cpu)
{
	const struct obs_slots *slots = &series->slots;
	u32 i;
	u64 v;

	if (!slots->nr)	/* info */
		return nla_put_s64(skb, OBSRING_A_VALUE, 1, OBSRING_A_PAD);
	for (i = 0; i < slots->nr; i++) {
		int attr = OBSRING_A_VALUE;

		if (series->family->desc.kind == OBSRING_KIND_HISTOGRAM)
			attr = i ? OBSRING_A_BUCKET : OBSRING_A_SUM;
		v = cpu < 0 ? obs_series_sum(series, i) :
			      obs_series_read(series, i, cpu);
		if (fill_u64(skb, attr, v))
			return -EMSGSIZE;
	}
	return 0;
}

int obs_fill_value(struct sk_buff *skb, const struct obs_series *series)
{
	return fill_slots(skb, series, -1);
}

/* Everyone's row is behind those of the CPUs. */
static u32 row_name(u32 cpu)
{
	return cpu == nr_cpu_ids ? OBSRING_CPU_SHARED : cpu;
}

static int fill_row(struct sk_buff *skb, const struct obs_series *series, u32 cpu)
{
	struct nlattr *nest = nla_nest_start(skb, OBSRING_A_ROW);

	if (!nest)
		return -EMSGSIZE;
	if (nla_put_u32(skb, OBSRING_A_CPU, row_name(cpu)) ||
	    fill_slots(skb, series, cpu)) {
		nla_nest_cancel(skb, nest);
		return -EMSGSIZE;
	}
	nla_nest_end(skb, nest);
	return 0;
}

/* Does a series have this row? */
static bool row_exists(const struct obs_series *series, u32 cpu)
{
	const struct obs_slots *slots = &series->slots;

	if (slots->shared)
		return cpu == (slots->service ? nr_cpu_ids : 0);
	return cpu == nr_cpu_ids ? !!slots->service : cpu_possible(cpu);
}

int obs_fill_rows(struct sk_buff *skb, const struct obs_series *series, u32 cpu)
{
	bool any = false;

	if (!series->slots.nr)
		return OBS_ROWS_END;
	for (; cpu < OBS_ROWS_END; cpu++) {
		if (!row_exists(series, cpu))
			continue;
		if (fill_row(skb, series, cpu))
			return any ? (int)cpu : -EMSGSIZE;
		any = true;
	}
	return OBS_ROWS_END;
}

static int fill_option(struct sk_buff *skb, const struct obs_source_option *option)
{
	struct nlattr *nest = nla_nest_start(skb, OBSRING_A_OPTION);
	char value[256] = "";

	if (!nest)
		return -EMSGSIZE;
	option->show(option, value, sizeof(value));
	if (nla_put_string(skb, OBSRING_A_OPTION_KEY, option->key) ||
	    nla_put_string(skb, OBSRING_A_OPTION_VALUE, value) ||
	    nla_put_string(skb, OBSRING_A_HELP, option->help))
		return -EMSGSIZE;
	nla_nest_end(skb, nest);
	return 0;
}

int obs_fill_source(struct sk_buff *skb, const void *object)
{
	const struct obs_source *source = object;
	unsigned int i;

	if (nla_put_string(skb, OBSRING_A_NAME, source->name) ||
	    nla_put_string(skb, OBSRING_A_HELP, source->help) ||
	    nla_put_u8(skb, OBSRING_A_ENABLED, source->enabled) ||
	    (source->unavailable &&
	     nla_put_string(skb, OBSRING_A_REASON, source->unavailable)))
		return -EMSGSIZE;
	for (i = 0; i < source->nr_options; i++) {
		if (fill_option(skb, &source->options[i]))
			return -EMSGSIZE;
	}
	return 0;
}

int obs_fill_probe_spec(struct sk_buff *skb, const void *object)
{
	const struct obs_probe_spec *spec = object;

	return nla_put_string(skb, OBSRING_A_NAME, spec->name) ||
	       (spec->target &&
		(nla_put_string(skb, OBSRING_A_PROBE_TARGET, spec->target) ||
		 nla_put_u32(skb, OBSRING_A_PROBE_TYPE, spec->type))) ?
	       -EMSGSIZE : 0;
}

int obs_fill_sample(struct sk_buff *skb, const struct obs_sample_spec *spec)
{
	return nla_put_string(skb, OBSRING_A_NAME, spec->source) ||
	       (spec->level != OBS_LEVEL_NONE &&
		nla_put_u32(skb, OBSRING_A_LEVEL, spec->level)) ||
	       (spec->kind &&
		(nla_put_u32(skb, OBSRING_A_RULE, spec->kind) ||
		 fill_u64(skb, OBSRING_A_RULE_VALUE, spec->value))) ||
	       (spec->id &&
		(fill_u64(skb, OBSRING_A_SAMPLE_ID, spec->id) ||
		 fill_u64(skb, OBSRING_A_AT_NS, spec->at_ns))) ?
	       -EMSGSIZE : 0;
}
