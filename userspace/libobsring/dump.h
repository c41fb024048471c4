/* SPDX-License-Identifier: MIT */
/*
 * Series from the answers to a dump. One with more rows than a message holds
 * comes in several: the later ones have its names and further rows, but no
 * value. A series is complete when the next one begins, or the dump ends.
 */
#ifndef LIBOBSRING_DUMP_H
#define LIBOBSRING_DUMP_H

#include "control.h"

/**
 * struct obs_dump - a walk over series
 * @fn: gets each complete series
 * @arg: its argument
 * @open: @series is not complete yet
 * @series: its pointers are into what follows
 * @name: of the family
 * @text: the label values
 * @value: where each begins
 * @bucket: of the series
 * @row_cpu: by row
 * @row_number: by row
 * @row_bucket: by row, nr_buckets each
 */
struct obs_dump {
	int (*fn)(const struct obs_series_values *series, void *arg);
	void *arg;
	bool open;
	struct obs_series_values series;
	char name[OBSRING_NAME_MAX + 1];
	char text[OBSRING_LABELS_MAX][OBSRING_VALUE_MAX + 1];
	const char *value[OBSRING_LABELS_MAX];
	uint64_t bucket[OBSRING_SLOTS_MAX];
	uint32_t *row_cpu;
	int64_t *row_number;
	uint64_t *row_bucket;
};

/* Take an answer; what @fn returned, or -errno. */
int obs_dump_answer(struct obs_dump *dump, const struct obs_answer *answer);

/* The end: give the last series to @fn. */
int obs_dump_flush(struct obs_dump *dump);
void obs_dump_exit(struct obs_dump *dump);

#endif /* LIBOBSRING_DUMP_H */
