/* SPDX-License-Identifier: MIT */
/*
 * Handles: what an update needs of a series, in a cache line that nobody writes.
 * struct obs_counter, obs_gauge, obs_histogram and obs_state are names of it.
 */
#ifndef LIBOBSRING_HANDLE_H
#define LIBOBSRING_HANDLE_H

#include <obsring/histogram.h>

#include "service.h"

/**
 * struct obs_metric - a family that handles were asked of
 * @node: by its name
 * @spec: a copy; what it points to follows
 * @layout: of a histogram
 * @overflow: its overflow series, if it came to that
 */
struct obs_metric {
	struct obs_node node;
	struct obs_family_spec spec;
	struct obs_histogram_layout layout;
	struct obs_handle *overflow;
};

/**
 * struct obs_handle - a series that this process counts in
 * @rows: as in struct obs_place; the first, for obs_counter_add() within programs
 * @layout: of a histogram
 * @share: of an add-type gauge
 * @node: by family and label values, but for overflow series
 * @metric: its family
 * @series: index in SERIES
 * @value: its label values, each with its NUL
 */
struct obs_handle {
	struct obs_rows rows;
	union {
		struct obs_histogram_layout layout;
		__u64 *share;
	};
	struct obs_node node;
	struct obs_metric *metric;
	__u32 series;
	char value[];
} __attribute__((aligned(64)));

#endif /* LIBOBSRING_HANDLE_H */
