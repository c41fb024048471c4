// SPDX-License-Identifier: MIT
/* Rows from a snapshot: the same series keeps its row, whatever else comes and goes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "print.h"
#include "topmodel.h"

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* NULL: no memory. */
static char *selector_text(const struct obs_series_info *series)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	print_selector(out, series->family->name, "", series, NULL);
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}

static struct top_row *row_new(const struct top_model *model,
			       const struct obs_series_info *series)
{
	struct top_row *row = calloc(1, sizeof(*row));

	if (!row)
		return NULL;
	row->text = selector_text(series);
	if (!row->text) {
		free(row);
		return NULL;
	}
	row->id = series->id;
	row->gen = series->gen;
	row->expanded = model->expand;
	return row;
}

static int ids_compare(const void *a, const void *b)
{
	const struct top_row *first = *(struct top_row *const *)a;
	const struct top_row *second = *(struct top_row *const *)b;

	return (first->id > second->id) - (first->id < second->id);
}

/* Take the row of @series out of @old, which is sorted by id. NULL: it had none. */
static struct top_row *row_take(struct top_row **old, size_t nr,
				const struct obs_series_info *series)
{
	struct top_row key = { .id = series->id }, *wanted = &key, **found;

	found = nr ? bsearch(&wanted, old, nr, sizeof(*old), ids_compare) : NULL;
	return found && (*found)->gen == series->gen ? *found : NULL;
}

static size_t series_count(const struct obs_snapshot *snapshot)
{
	const struct obs_family_info *family = NULL;
	size_t nr = 0;

	while ((family = obs_family_next(snapshot, family)))
		nr += obs_family_nr_series(snapshot, family);
	return nr;
}

/* Fill @row, which has room for all: how many, or fewer where memory ended. */
static size_t rows_fill(const struct top_model *model, const struct obs_snapshot *snapshot,
			struct top_row **row)
{
	const struct obs_family_info *family = NULL;
	const struct obs_series_info *series;
	size_t n = 0;

	while ((family = obs_family_next(snapshot, family))) {
		series = NULL;
		while ((series = obs_series_next(snapshot, family, series))) {
			row[n] = row_take(model->row, model->nr, series);
			if (!row[n])
				row[n] = row_new(model, series);
			if (!row[n])
				return n;
			row[n++]->series = series;
		}
	}
	return n;
}

/* Free the rows of @row that are not among the @nr of @kept: no series is theirs now. */
static void rows_drop(struct top_row **row, size_t nr_rows, struct top_row **kept, size_t nr)
{
	size_t i;

	for (i = 0; i < nr_rows; i++)
		row[i]->kept = false;
	for (i = 0; i < nr; i++)
		kept[i]->kept = true;
	for (i = 0; i < nr_rows; i++)
		if (!row[i]->kept)
			top_row_free(row[i]);
}

/*
 * The rows for a directory that changed. Where memory ends the model has those that
 * were found until then.
 */
static int rows_renew(struct top_model *model, const struct obs_snapshot *snapshot)
{
	size_t nr = series_count(snapshot), n;
	struct top_row **row = calloc(nr + 1, sizeof(struct top_row *));

	if (!row)
		return -ENOMEM;
	if (model->nr)
		qsort(model->row, model->nr, sizeof(struct top_row *), ids_compare);
	n = rows_fill(model, snapshot, row);
	rows_drop(model->row, model->nr, row, n);
	free(model->row);
	model->row = row;
	model->nr = n;
	/* Lines would point to rows that are gone. */
	model->nr_lines = 0;
	return n == nr ? 0 : -ENOMEM;
}

/* ---- CPUs ---------------------------------------------------------------- */

static int cpu_add(struct top_row *row, unsigned int number, uint64_t now)
{
	struct top_cpu *cpu;

	cpu = realloc(row->cpu, (row->nr_cpus + 1) * sizeof(*cpu));
	if (!cpu)
		return -ENOMEM;
	row->cpu = cpu;
	cpu[row->nr_cpus++] = (struct top_cpu){ .cpu = number, .now = now, .readings = 1 };
	return 0;
}

static int cpu_read(struct top_row *row, unsigned int number, uint64_t now)
{
	struct top_cpu *cpu;
	unsigned int i;

	for (i = 0; i < row->nr_cpus; i++) {
		cpu = &row->cpu[i];
		if (cpu->cpu != number)
			continue;
		cpu->before = cpu->now;
		cpu->now = now;
		if (cpu->readings < 2)
			cpu->readings++;
		return 0;
	}
	return cpu_add(row, number, now);
}

/* -ENXIO: it has no such row. */
static int cpu_row_read(struct top_row *row, const struct ctl_reader *reader,
			unsigned int cpu, uint64_t *slots, unsigned int nr)
{
	int r = obs_series_row(reader->snapshot, row->series, cpu, slots, nr);
	uint64_t now = slots[0];
	unsigned int i;

	if (r < 0)
		return r;
	for (now = nr > 1 ? 0 : now, i = 1; i < nr; i++)
		now += slots[i];
	return cpu_read(row, cpu, now);
}

/* A single value, of which there is one row, and info have none by CPU. */
static bool has_cpus(const struct obs_family_info *family)
{
	return !family->set && family->kind != OBSRING_KIND_INFO &&
	       family->kind != OBSRING_KIND_STATE;
}

static int cpus_read(struct top_row *row, const struct ctl_reader *reader)
{
	uint64_t now_ns = monotonic_ns();
	unsigned int nr = row->bucket ? row->series->family->nr_bounds + 2 : 1;
	uint64_t *slots;
	int cpu = -1, r = 0;

	if (!has_cpus(row->series->family))
		return 0;
	slots = calloc(nr, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	row->cpus_seconds = row->cpus_ns ? (double)(now_ns - row->cpus_ns) / 1e9 : 0;
	row->cpus_ns = now_ns;
	while ((!r || r == -ENXIO) && (cpu = obs_cpu_next(reader->device, cpu)) >= 0)
		r = cpu_row_read(row, reader, (unsigned int)cpu, slots, nr);
	if (!r || r == -ENXIO)
		r = cpu_row_read(row, reader, OBSRING_CPU_SHARED, slots, nr);
	free(slots);
	return r == -ENXIO ? 0 : r;
}

int top_expand(struct top_row *row, const struct ctl_reader *reader, bool expand)
{
	row->expanded = expand;
	row->nr_cpus = 0;
	row->cpus_ns = 0;
	return expand ? cpus_read(row, reader) : 0;
}

/* ---- Values -------------------------------------------------------------- */

static void state_read(struct top_row *row, const struct obs_snapshot *snapshot)
{
	const struct obs_family_info *family = row->series->family;
	unsigned int state;

	if (!obs_series_state(snapshot, row->series, &state))
		snprintf(row->state, sizeof(row->state), "unset");
	else if (state < family->nr_states)
		snprintf(row->state, sizeof(row->state), "%s", family->state[state]);
	else
		snprintf(row->state, sizeof(row->state), "%u", state);
}

static int row_read(struct top_row *row, const struct ctl_reader *reader)
{
	const struct obs_snapshot *snapshot = reader->snapshot;
	int r;

	if (row->series->family->kind == OBSRING_KIND_STATE) {
		state_read(row, snapshot);
		return 0;
	}
	r = top_row_read(row, obs_series_counter(snapshot, row->series),
			 obs_series_buckets(snapshot, row->series));
	if (r || !row->expanded)
		return r;
	r = cpus_read(row, reader);
	return r == -ESTALE ? 0 : r;
}

int top_read(struct top_model *model, const struct ctl_reader *reader)
{
	uint64_t now_ns, generation;
	size_t i;
	int r;

	r = obs_snapshot_update(reader->snapshot);
	if (r < 0)
		return r;
	now_ns = monotonic_ns();
	generation = obs_snapshot_generation(reader->snapshot);
	if (!model->read_ns || r || generation != model->generation) {
		r = rows_renew(model, reader->snapshot);
		if (r)
			return r;
	}
	model->seconds = model->read_ns ? (double)(now_ns - model->read_ns) / 1e9 : 0;
	model->read_ns = now_ns;
	model->generation = generation;
	for (r = 0, i = 0; !r && i < model->nr; i++)
		r = row_read(model->row[i], reader);
	return r;
}
