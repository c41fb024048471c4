// SPDX-License-Identifier: MIT
/* `top --once`: for scripts. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "decimal.h"
#include "print.h"
#include "top.h"
#include "toptext.h"

int top_print_lines(const struct top *top)
{
	const struct top_model *model = &top->model;
	char figures[TOP_FIGURES_SIZE], *name;
	size_t i;

	printf("%s NAME\n", top_heads(figures));
	for (i = 0; i < model->nr_lines; i++) {
		name = top_name(&model->line[i]);
		if (!name)
			return -ENOMEM;
		printf("%s ", top_figures(figures, &model->line[i]));
		print_text(stdout, name);
		putchar('\n');
		free(name);
	}
	return 0;
}

static void double_json(struct json *json, const char *key, double value)
{
	char text[DECIMAL_SIZE];

	json_number(json, key, isfinite(value) ? double_format(text, value) : "null");
}

/* Exact, as `get` has it; a histogram's is its count. */
static void number_json(struct json *json, const struct obs_family_info *family,
			uint64_t number)
{
	char text[DECIMAL_SIZE];

	if (family->kind == OBSRING_KIND_HISTOGRAM)
		json_u64(json, "count", number);
	else if (family->kind == OBSRING_KIND_GAUGE)
		json_number(json, "value",
			    decimal_format_signed(text, (int64_t)number, family->exp10));
	else
		json_number(json, "value", decimal_format(text, number, family->exp10));
}

static void cpus_json(struct json *json, const struct top_row *row)
{
	const struct top_cpu *cpu;

	json_open(json, "cpus", '[');
	for (cpu = row->cpu; cpu < row->cpu + row->nr_cpus; cpu++) {
		json_open(json, NULL, '{');
		if (cpu->cpu == OBSRING_CPU_SHARED)
			json_string(json, "cpu", "shared");
		else
			json_u64(json, "cpu", cpu->cpu);
		number_json(json, row->series->family, cpu->now);
		double_json(json, "rate", top_cpu_rate(row, cpu));
		json_close(json, '}');
	}
	json_close(json, ']');
}

static void quantiles_json(struct json *json, const struct top_row *row)
{
	char key[DECIMAL_SIZE];
	unsigned int i;

	json_open(json, "quantiles", '{');
	for (i = 0; i < TOP_QUANTILES; i++)
		double_json(json, double_format(key, top_quantiles[i]), row->quantile[i]);
	json_close(json, '}');
}

static void row_json(struct json *json, const struct top_row *row)
{
	const struct obs_family_info *family = row->series->family;
	unsigned int i;

	json_open(json, NULL, '{');
	json_string(json, "name", family->name);
	json_string(json, "kind", ctl_kind_name(family->kind));
	json_open(json, "labels", '{');
	for (i = 0; i < family->nr_labels; i++)
		json_string(json, family->label[i], row->series->value[i]);
	json_close(json, '}');
	if (family->kind == OBSRING_KIND_STATE)
		json_string(json, "state", row->state);
	else
		number_json(json, family, row->now);
	if (family->kind == OBSRING_KIND_COUNTER || family->kind == OBSRING_KIND_HISTOGRAM)
		double_json(json, "rate", row->rate);
	if (family->kind == OBSRING_KIND_HISTOGRAM)
		quantiles_json(json, row);
	if (row->expanded)
		cpus_json(json, row);
	json_close(json, '}');
}

void top_print_json(const struct top *top)
{
	struct json json = { .out = stdout };
	size_t i;

	json_open(&json, NULL, '[');
	for (i = 0; i < top->model.nr_lines; i++)
		if (top->model.line[i].cpu < 0)
			row_json(&json, top->model.line[i].row);
	json_close(&json, ']');
}
