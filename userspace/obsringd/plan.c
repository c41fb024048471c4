// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>

#include "number.h"
#include "plan.h"

/* What one plan_build() works with. */
struct build {
	struct plan *plan;
	const struct obs_snapshot *snapshot;
	const struct obs_family_info *family;
	struct expose_name name;
	struct text labels;	/* of the series at hand */
	size_t line_offset;	/* where the line at hand begins */
};

static unsigned int nr_lines(const struct format *format,
			     const struct obs_family_info *family)
{
	switch (family->kind) {
	case OBSRING_KIND_COUNTER:
		return format->created ? 2 : 1;
	case OBSRING_KIND_HISTOGRAM:	/* buckets, _sum, _count */
		return obs_family_nr_ranges(family) + 2 + (format->created ? 1 : 0);
	default:
		return 1;
	}
}

static void end_line(struct build *build, enum plan_number number,
		     unsigned int last_bucket)
{
	struct plan *plan = build->plan;

	plan->line[plan->nr_lines++] = (struct plan_line){
		.len = plan->text.len - build->line_offset,
		.number = number,
		.last_bucket = last_bucket,
	};
	build->line_offset = plan->text.len;
}

static void add_sample(struct build *build, const char *suffix,
		       enum plan_number number, unsigned int last_bucket)
{
	expose_sample(&build->plan->text, &build->name, suffix, &build->labels);
	end_line(build, number, last_bucket);
}

static void add_created(struct build *build, const struct obs_series_info *series)
{
	struct text *text = &build->plan->text;
	char number[NUMBER_MAX];

	if (!build->plan->format->created)
		return;
	expose_sample(text, &build->name, "_created", &build->labels);
	text_put(text, number,
		 number_scaled(number, series->created_ns, -9) - number);
	text_put(text, "\n", 1);
	end_line(build, PLAN_NONE, 0);
}

static size_t format_bound(const struct build *build, unsigned int i, char *out)
{
	const struct obs_family_info *family = build->family;
	bool point = build->plan->format->le_point;

	if (family->exponential)
		return number_bound_log2(out, family->min_log2 + (int)i, point) - out;
	return number_bound_scaled(out, family->bound[i], family->exp10, point) - out;
}

static void add_histogram(struct build *build, const struct obs_series_info *series)
{
	const struct obs_family_info *family = build->family;
	struct text *text = &build->plan->text;
	char bound[NUMBER_MAX];
	unsigned int i;

	for (i = 0; i < obs_family_nr_ranges(family) - 1; i++) {
		expose_bucket(text, &build->name, &build->labels, bound,
			      format_bound(build, i, bound));
		end_line(build, PLAN_BUCKET, obs_family_range_last(family, i));
	}
	expose_bucket(text, &build->name, &build->labels, "+Inf", 4);
	end_line(build, PLAN_BUCKET, family->nr_bounds);
	add_sample(build, "_sum", PLAN_SUM, 0);
	add_sample(build, "_count", PLAN_COUNT, family->nr_bounds);
	add_created(build, series);
}

static void add_lines(struct build *build, const struct obs_series_info *series)
{
	switch (build->family->kind) {
	case OBSRING_KIND_COUNTER:
		add_sample(build, build->name.suffix, PLAN_COUNTER, 0);
		add_created(build, series);
		return;
	case OBSRING_KIND_GAUGE:
		add_sample(build, build->name.suffix, PLAN_GAUGE, 0);
		return;
	case OBSRING_KIND_HISTOGRAM:
		add_histogram(build, series);
		return;
	default:
		add_sample(build, build->name.suffix, PLAN_ONE, 0);
		return;
	}
}

static void add_series(struct build *build, const struct obs_series_info *info)
{
	struct plan *plan = build->plan;
	struct plan_series *series = &plan->series[plan->nr_series++];

	text_clear(&build->labels);
	expose_labels(&build->labels, build->plan->format, build->family->label,
		      info->value, build->family->nr_labels);
	series->info = info;
	series->offset = plan->text.len;
	series->first_line = plan->nr_lines;
	build->line_offset = plan->text.len;
	add_lines(build, info);
	series->nr_lines = plan->nr_lines - series->first_line;
	if (plan->format->exemplars)
		plan->nr_exemplars += info->nr_exemplars;
}

static void add_family(struct build *build, const struct obs_family_info *info)
{
	struct plan *plan = build->plan;
	struct plan_family *family = &plan->family[plan->nr_families++];
	const struct obs_series_info *series = NULL;

	build->family = info;
	expose_name_init(&build->name, plan->format, info->kind, info->name);
	family->info = info;
	family->header_offset = plan->text.len;
	expose_header(&plan->text, plan->format, &build->name, info->kind,
		      info->help, info->unit);
	family->header_len = plan->text.len - family->header_offset;
	family->first_series = plan->nr_series;
	while ((series = obs_series_next(build->snapshot, info, series)))
		add_series(build, series);
	family->nr_series = plan->nr_series - family->first_series;
}

/* Room for all; at least one entry each, so that NULL means out of memory. */
static int allocate(struct plan *plan, const struct obs_snapshot *snapshot)
{
	const struct obs_family_info *family = NULL;
	size_t families = 1, series = 1, lines = 1;
	unsigned int nr;

	while ((family = obs_family_next(snapshot, family))) {
		nr = obs_family_nr_series(snapshot, family);
		families++;
		series += nr;
		lines += (size_t)nr * nr_lines(plan->format, family);
	}
	plan->family = calloc(families, sizeof(*plan->family));
	plan->series = calloc(series, sizeof(*plan->series));
	plan->line = calloc(lines, sizeof(*plan->line));
	return plan->family && plan->series && plan->line ? 0 : -ENOMEM;
}

int plan_build(struct plan *plan, const struct format *format,
	       const struct obs_snapshot *snapshot,
	       bool (*reserved)(enum obsring_kind kind, const char *name))
{
	struct build build = { .plan = plan, .snapshot = snapshot };
	const struct obs_family_info *family = NULL;
	bool failed;

	plan_free(plan);
	plan->format = format;
	if (allocate(plan, snapshot)) {
		plan_free(plan);
		return -ENOMEM;
	}
	while ((family = obs_family_next(snapshot, family)))
		if (!reserved || !reserved(family->kind, family->name))
			add_family(&build, family);
	failed = text_failed(&build.labels) || text_failed(&plan->text);
	text_free(&build.labels);
	if (failed)
		plan_free(plan);
	return failed ? -ENOMEM : 0;
}

void plan_free(struct plan *plan)
{
	text_free(&plan->text);
	free(plan->family);
	free(plan->series);
	free(plan->line);
	*plan = (struct plan){ 0 };
}
