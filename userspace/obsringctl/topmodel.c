// SPDX-License-Identifier: MIT
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "topmodel.h"

const char *const top_sort_names[TOP_SORT_NR] = {
	[TOP_NAME]	= "name",
	[TOP_RATE]	= "rate",
	[TOP_VALUE]	= "value",
	[TOP_P99]	= "p99",
};

const double top_quantiles[TOP_QUANTILES] = { 0.5, 0.9, 0.99 };

/* ---- Readings ------------------------------------------------------------ */

int top_row_read(struct top_row *row, uint64_t number, const uint64_t *bucket)
{
	unsigned int i, nr = row->series->family->nr_bounds + 1;
	uint64_t *swap;

	if (bucket && !row->bucket) {
		row->bucket = calloc(2 * (size_t)nr, sizeof(*bucket));
		if (!row->bucket)
			return -ENOMEM;
		row->bucket_before = row->bucket + nr;
	}
	row->before = row->now;
	row->now = number;
	if (row->readings < 2)
		row->readings++;
	if (!bucket)
		return 0;
	swap = row->bucket_before;
	row->bucket_before = row->bucket;
	row->bucket = swap;
	memcpy(row->bucket, bucket, nr * sizeof(*bucket));
	for (row->now = 0, i = 0; i < nr; i++)
		row->now += bucket[i];
	return 0;
}

void top_row_free(struct top_row *row)
{
	if (!row)
		return;
	/* One allocation, of which either half may be the newer. */
	free(row->bucket < row->bucket_before ? row->bucket : row->bucket_before);
	free(row->cpu);
	free(row->text);
	free(row);
}

/* What was reset counts from 0 again. */
static uint64_t increase(uint64_t now, uint64_t before)
{
	return now < before ? now : now - before;
}

static double scaled(const struct top_row *row, uint64_t number)
{
	const struct obs_family_info *family = row->series->family;

	switch (family->kind) {
	case OBSRING_KIND_HISTOGRAM:
		return (double)number;
	case OBSRING_KIND_GAUGE:
		return (double)(int64_t)number * pow(10, family->exp10);
	default:
		return (double)number * pow(10, family->exp10);
	}
}

static bool has_value(const struct top_row *row)
{
	return row->series->family->kind != OBSRING_KIND_STATE;
}

static bool has_rate(const struct top_row *row)
{
	enum obsring_kind kind = row->series->family->kind;

	return kind == OBSRING_KIND_COUNTER || kind == OBSRING_KIND_HISTOGRAM;
}

static double rate(const struct top_row *row, double seconds, uint64_t now,
		   uint64_t before, unsigned int readings)
{
	if (!has_rate(row) || readings < 2 || !(seconds > 0))
		return NAN;
	return scaled(row, increase(now, before)) / seconds;
}

double top_cpu_value(const struct top_row *row, const struct top_cpu *cpu)
{
	return scaled(row, cpu->now);
}

double top_cpu_rate(const struct top_row *row, const struct top_cpu *cpu)
{
	return rate(row, row->cpus_seconds, cpu->now, cpu->before, cpu->readings);
}

/* ---- Quantiles ----------------------------------------------------------- */

static double within(const struct obs_family_info *family, unsigned int index,
		     double part)
{
	double upper = obs_family_bound(family, index);
	double lower = index ? obs_family_bound(family, index - 1) : 0;

	if (index == family->nr_bounds)
		return index ? lower : NAN;
	if (!index && upper <= 0)
		return upper;
	if (family->exponential && lower > 0)
		return lower * pow(upper / lower, part);
	return lower + (upper - lower) * part;
}

/* @before: NULL, or what does not count. */
static double quantile(const struct obs_family_info *family, const uint64_t *bucket,
		       const uint64_t *before, double q)
{
	double count = 0, rank, upto = 0, n = 0;
	unsigned int i;

	for (i = 0; i <= family->nr_bounds; i++)
		count += (double)increase(bucket[i], before ? before[i] : 0);
	if (!(count > 0))
		return NAN;
	rank = q * count;
	for (i = 0; i < family->nr_bounds; i++) {
		n = (double)increase(bucket[i], before ? before[i] : 0);
		if (n > 0 && upto + n >= rank)
			break;
		upto += n;
	}
	return within(family, i, n > 0 ? (rank - upto) / n : 0);
}

double top_quantile(const struct obs_family_info *family, const uint64_t *bucket, double q)
{
	return quantile(family, bucket, NULL, q);
}

void top_row_compute(const struct top_model *model, struct top_row *row)
{
	const uint64_t *before = model->whole ? NULL : row->bucket_before;
	unsigned int i;

	row->value = has_value(row) ? scaled(row, row->now) : NAN;
	row->rate = rate(row, model->seconds, row->now, row->before, row->readings);
	for (i = 0; i < TOP_QUANTILES; i++)
		row->quantile[i] = row->bucket && (model->whole || row->readings == 2) ?
			quantile(row->series->family, row->bucket, before,
				 top_quantiles[i]) : NAN;
}

/* ---- What is shown, in what order ---------------------------------------- */

int top_model_filter(struct top_model *model, const char *pattern, char *error,
		     size_t size)
{
	regex_t filter;
	int r = 0;

	if (*pattern)
		r = regcomp(&filter, pattern, REG_EXTENDED | REG_NOSUB);
	if (r) {
		regerror(r, &filter, error, size);
		return -EINVAL;
	}
	if (model->filtered)
		regfree(&model->filter);
	model->filtered = *pattern;
	if (*pattern)
		model->filter = filter;
	return 0;
}

void top_model_sort(struct top_model *model, enum top_sort sort)
{
	model->reversed = model->sort == sort && !model->reversed;
	model->sort = sort;
}

static double figure(const struct top_model *model, const struct top_row *row)
{
	switch (model->sort) {
	case TOP_RATE:
		return row->rate;
	case TOP_VALUE:
		return row->value;
	default:
		return row->quantile[TOP_QUANTILES - 1];
	}
}

/* The greater first, what has none last, whichever way it is sorted. */
static int figures_compare(double a, double b, bool reversed)
{
	if (isnan(a) || isnan(b))
		return !!isnan(a) - !!isnan(b);
	if (a == b)
		return 0;
	return (a < b) != reversed ? 1 : -1;
}

static int lines_compare(const void *first, const void *second, void *arg)
{
	const struct top_row *a = ((const struct top_line *)first)->row;
	const struct top_row *b = ((const struct top_line *)second)->row;
	const struct top_model *model = arg;
	int r;

	if (model->sort != TOP_NAME) {
		r = figures_compare(figure(model, a), figure(model, b), model->reversed);
		if (r)
			return r;
	}
	r = strcmp(a->text, b->text);
	if (!r)
		r = (a->id > b->id) - (a->id < b->id);
	return model->sort == TOP_NAME && model->reversed ? -r : r;
}

static bool is_shown(const struct top_model *model, const struct top_row *row)
{
	return !model->filtered || !regexec(&model->filter, row->text, 0, NULL, 0);
}

/* @line: as many as are shown, sorted; to be followed by their CPUs, in place. */
static void lines_expand(struct top_line *line, size_t nr, size_t nr_lines)
{
	struct top_row *row;
	int i;

	while (nr) {
		row = line[--nr].row;
		for (i = row->expanded ? (int)row->nr_cpus : 0; i--;)
			line[--nr_lines] = (struct top_line){ row, i };
		line[--nr_lines] = (struct top_line){ row, -1 };
	}
}

int top_model_order(struct top_model *model)
{
	size_t i, nr = 0, nr_lines = 0;
	struct top_line *line;

	for (i = 0; i < model->nr; i++)
		nr_lines += 1 + (model->row[i]->expanded ? model->row[i]->nr_cpus : 0);
	line = calloc(nr_lines + 1, sizeof(*line));
	if (!line)
		return -ENOMEM;
	for (nr_lines = 0, i = 0; i < model->nr; i++) {
		struct top_row *row = model->row[i];

		top_row_compute(model, row);
		if (!is_shown(model, row))
			continue;
		line[nr++] = (struct top_line){ row, -1 };
		nr_lines += 1 + (row->expanded ? row->nr_cpus : 0);
	}
	qsort_r(line, nr, sizeof(*line), lines_compare, model);
	lines_expand(line, nr, nr_lines);
	free(model->line);
	model->line = line;
	model->nr_lines = nr_lines;
	model->nr_shown = nr;
	return 0;
}

void top_model_free(struct top_model *model)
{
	size_t i;

	for (i = 0; i < model->nr; i++)
		top_row_free(model->row[i]);
	free(model->row);
	free(model->line);
	if (model->filtered)
		regfree(&model->filter);
}
