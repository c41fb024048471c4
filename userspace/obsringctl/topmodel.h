/* SPDX-License-Identifier: MIT */
/*
 * What `top` shows, apart from where: readings of series become rates and quantiles,
 * rows are filtered and sorted, those that are expanded are followed by their CPUs.
 *
 *	snapshot -> topread.c -> rows -> top_model_order() -> lines -> topview.c, topprint.c
 */
#ifndef OBSRINGCTL_TOPMODEL_H
#define OBSRINGCTL_TOPMODEL_H

#include <regex.h>

#include "obsringctl.h"

enum top_sort {
	TOP_NAME,
	TOP_RATE,
	TOP_VALUE,
	TOP_P99,
	TOP_SORT_NR
};

extern const char *const top_sort_names[TOP_SORT_NR];

#define TOP_QUANTILES	3
extern const double top_quantiles[TOP_QUANTILES];

/* What one row of a series counted; of a histogram, its observations. */
struct top_cpu {
	unsigned int cpu;		/* OBSRING_CPU_SHARED: everyone's */
	uint64_t now, before;
	unsigned int readings;
};

/**
 * struct top_row - a series, as of the last two readings
 * @series: it, in the snapshot that was read last
 * @id, @gen: the same series from snapshot to snapshot
 * @text: its selector, without control characters
 * @now, @before: counter, gauge, or a histogram's observations
 * @bucket, @bucket_before: nr_bounds + 1; NULL if it is no histogram
 * @readings: of these two that were taken: 0 to 2
 * @state: of a state set, as its producer calls it: hostile text
 * @expanded: its CPUs are read and shown
 * @cpu, @nr_cpus: they
 * @cpus_ns, @cpus_seconds: when they were read last, and how long after the time before
 * @kept: for topread.c, while it looks what is gone
 * @value, @rate, @quantile: in the Prometheus unit; NaN: none
 */
struct top_row {
	const struct obs_series_info *series;
	uint32_t id, gen;
	char *text;
	uint64_t now, before;
	uint64_t *bucket, *bucket_before;
	unsigned int readings;
	char state[64];
	bool expanded;
	struct top_cpu *cpu;
	unsigned int nr_cpus;
	uint64_t cpus_ns;
	double cpus_seconds;
	bool kept;
	double value, rate;
	double quantile[TOP_QUANTILES];
};

struct top_line {
	struct top_row *row;
	int cpu;			/* index of its CPU; -1: the series itself */
};

/**
 * struct top_model - all of them
 * @row: in the directory's order
 * @line: what is shown, in its order
 * @nr_shown: rows among them
 * @seconds: between the last two readings; 0: there was one
 * @whole: quantiles of all observations, not of those between two readings
 * @expand: rows come expanded
 * @generation, @read_ns: of the last reading; 0: there was none
 */
struct top_model {
	struct top_row **row;
	size_t nr;
	struct top_line *line;
	size_t nr_lines, nr_shown;
	enum top_sort sort;
	bool reversed;
	bool filtered;
	regex_t filter;
	double seconds;
	bool whole;
	bool expand;
	uint64_t generation, read_ns;
};

void top_model_free(struct top_model *model);

/* A new reading: @number, or the buckets of a histogram. -ENOMEM. */
int top_row_read(struct top_row *row, uint64_t number, const uint64_t *bucket);
void top_row_free(struct top_row *row);

/* Value, rate and quantiles from the readings. */
void top_row_compute(const struct top_model *model, struct top_row *row);
double top_cpu_value(const struct top_row *row, const struct top_cpu *cpu);
double top_cpu_rate(const struct top_row *row, const struct top_cpu *cpu);

/*
 * As histogram_quantile() has it: linear within a bucket of given bounds, by factors
 * within an exponential one; the last finite bound for what is above. NaN: of none.
 */
double top_quantile(const struct obs_family_info *family, const uint64_t *bucket, double q);

/* -EINVAL: @pattern is no extended regular expression, @error says why. "" takes all. */
int top_model_filter(struct top_model *model, const char *pattern, char *error,
		     size_t size);

/* Names rise, figures fall; a second time the other way. */
void top_model_sort(struct top_model *model, enum top_sort sort);

/* Make the lines: after a reading, and after a change of all above. -ENOMEM. */
int top_model_order(struct top_model *model);

/* topread.c: the next reading; errors as obs_snapshot_update() has them. */
int top_read(struct top_model *model, const struct ctl_reader *reader);
/*
 * Show a row's CPUs, read now and from then on with the row; or no longer. -ESTALE: the
 * series is gone, as the next reading will tell.
 */
int top_expand(struct top_row *row, const struct ctl_reader *reader, bool expand);

#endif /* OBSRINGCTL_TOPMODEL_H */
