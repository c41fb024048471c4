// SPDX-License-Identifier: MIT
/*
 * Exemplars are read when they are asked for, from the mapping: a snapshot that
 * nobody asks for them does not pay for them.
 */
#include <errno.h>
#include <string.h>

#include <obsring/directory.h>
#include <obsring/exemplar.h>
#include <obsring/histogram.h>

#include "snapshot.h"

static uint32_t shift_of(const struct obs_family_info *family)
{
	return family->exponential ? (uint32_t)family->schema : 0;
}

unsigned int obs_family_nr_ranges(const struct obs_family_info *family)
{
	if (family->kind != OBSRING_KIND_HISTOGRAM)
		return 0;
	return obs_histogram_nr_ranges(family->nr_bounds, shift_of(family));
}

unsigned int obs_family_range_last(const struct obs_family_info *family,
				   unsigned int range)
{
	return obs_histogram_range_last(range, family->nr_bounds, shift_of(family));
}

static bool range_holds(const struct obs_family_info *family, unsigned int range,
			uint64_t value)
{
	unsigned int last = obs_family_range_last(family, range);

	if (range && value <= family->bound[obs_family_range_last(family, range - 1)])
		return false;
	return last == family->nr_bounds || value <= family->bound[last];
}

static bool is_zero(const uint8_t *byte, size_t nr)
{
	while (nr && !byte[nr - 1])
		nr--;
	return !nr;
}

/* 1: filled; 0: none, or one that was being written whenever it was looked at. */
static int exemplar_read(const struct obs_snapshot *snapshot, uint32_t index,
			 struct obs_exemplar *exemplar)
{
	struct obsring_exemplar copy;

	if (obs_exemplar_get(obs_region_entry(snapshot->device,
					      OBSRING_REGION_EXEMPLARS, index),
			     &copy) != OBS_EXEMPLAR_FOUND) {
		*exemplar = (struct obs_exemplar){ 0 };
		return 0;
	}
	exemplar->value = copy.value;
	exemplar->time_ns = copy.time_ns;
	memcpy(exemplar->trace_id, copy.trace_id, sizeof(copy.trace_id));
	memcpy(exemplar->span_id, copy.span_id, sizeof(copy.span_id));
	return 1;
}

static bool exemplar_valid(const struct obs_family_info *family, unsigned int range,
			   const struct obs_exemplar *exemplar)
{
	return range_holds(family, range, exemplar->value) &&
	       !is_zero(exemplar->trace_id, sizeof(exemplar->trace_id)) &&
	       !is_zero(exemplar->span_id, sizeof(exemplar->span_id));
}

int obs_series_exemplars(const struct obs_snapshot *snapshot,
			 const struct obs_series_info *info,
			 struct obs_exemplar *exemplar, unsigned int nr)
{
	const struct obs_series *series = (const struct obs_series *)info;
	const __u32 *gen = obs_entry_gen(&snapshot->directory,
					 OBSRING_REGION_SERIES, info->id);
	bool damaged = false;
	unsigned int i;
	int found = 0, r;

	if (nr > info->nr_exemplars)
		return -EINVAL;
	if (!nr)
		return 0;
	r = obs_device_check_size(snapshot->device);
	if (r)
		return r;
	if (obs_entry_begin(gen) != info->gen)
		return -ESTALE;
	for (i = 0; i < nr; i++) {
		if (!exemplar_read(snapshot, series->exemplar + i, &exemplar[i]))
			continue;
		found++;
		if (!exemplar_valid(info->family, i, &exemplar[i]))
			damaged = true;
	}
	if (!obs_entry_end(gen, info->gen))
		return -ESTALE;
	return damaged ? -EPROTO : found;
}
