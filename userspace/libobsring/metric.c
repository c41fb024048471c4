// SPDX-License-Identifier: MIT
/* What a snapshot shows: families, series and their values. */
#include <errno.h>
#include <string.h>

#include <obsring/directory.h>
#include <obsring/state.h>

#include "snapshot.h"

/* The first family at or behind @index. */
static const struct obs_family_info *family_from(const struct obs_snapshot *snapshot,
						 uint32_t index)
{
	const struct obs_table *table =
		&snapshot->directory.table[OBSRING_REGION_FAMILIES];

	for (; index < table->nr; index++)
		if (table->cell[index].shown)
			return &((struct obs_family *)table->cell[index].shown)->info;
	return NULL;
}

const struct obs_family_info *
obs_family_next(const struct obs_snapshot *snapshot,
		const struct obs_family_info *family)
{
	return family_from(snapshot, family ? family->id + 1 : 0);
}

const struct obs_family_info *
obs_family_find(const struct obs_snapshot *snapshot, const char *name)
{
	const struct obs_family_info *family = NULL;

	while ((family = obs_family_next(snapshot, family)))
		if (!strcmp(family->name, name))
			return family;
	return NULL;
}

static const struct obs_family *family_of(const struct obs_family_info *info)
{
	return (const struct obs_family *)info;
}

static const struct obs_series *series_of(const struct obs_series_info *info)
{
	return (const struct obs_series *)info;
}

unsigned int obs_family_nr_series(const struct obs_snapshot *snapshot,
				  const struct obs_family_info *family)
{
	(void)snapshot;
	return family_of(family)->nr_series;
}

const struct obs_series_info *
obs_series_next(const struct obs_snapshot *snapshot,
		const struct obs_family_info *family,
		const struct obs_series_info *series)
{
	const struct obs_series *next;

	(void)snapshot;
	next = series ? series_of(series)->next : family_of(family)->first;
	return next ? &next->info : NULL;
}

static const __u64 *series_slots(const struct obs_snapshot *snapshot,
				 const struct obs_series_info *info)
{
	return obs_values_slots(&snapshot->values, &series_of(info)->slots);
}

/* An array: the store in bits 0 and 1, single in bit 2; page or group behind them. */
bool obs_series_place(const struct obs_series_info *info, uint64_t *ret_array,
		      uint32_t *ret_slot)
{
	const struct obs_slots *slots = &series_of(info)->slots;

	if (!slots->nr)
		return false;
	*ret_array = slots->store | (uint64_t)slots->single << 2 |
		     (slots->store == OBS_STORE_SHARES ? (uintptr_t)slots->group :
						       (uint64_t)slots->page << 3);
	*ret_slot = slots->slot;
	return true;
}

const uint64_t *obs_snapshot_sums(const struct obs_snapshot *snapshot, uint64_t array)
{
	const struct obs_slots slots = {
		.store = array & 3,
		.single = array >> 2 & 1,
		.page = array >> 3,
		.group = (struct obs_share_group *)(uintptr_t)(array & ~7ULL),
	};

	return (const uint64_t *)obs_values_slots(&snapshot->values, &slots);
}

uint64_t obs_series_counter(const struct obs_snapshot *snapshot,
			    const struct obs_series_info *series)
{
	if (!series_of(series)->slots.nr)
		return 1;	/* info */
	return series_slots(snapshot, series)[0];
}

int64_t obs_series_gauge(const struct obs_snapshot *snapshot,
			 const struct obs_series_info *series)
{
	return (int64_t)obs_series_counter(snapshot, series);
}

uint64_t obs_series_sum(const struct obs_snapshot *snapshot,
			const struct obs_series_info *series)
{
	return obs_series_counter(snapshot, series);
}

const uint64_t *obs_series_buckets(const struct obs_snapshot *snapshot,
				   const struct obs_series_info *series)
{
	if (series->family->kind != OBSRING_KIND_HISTOGRAM)
		return NULL;
	return (const uint64_t *)series_slots(snapshot, series) + 1;
}

uint64_t obs_series_count(const struct obs_snapshot *snapshot,
			  const struct obs_series_info *series)
{
	const uint64_t *bucket = obs_series_buckets(snapshot, series);
	uint64_t count = 0;
	unsigned int i;

	for (i = 0; bucket && i <= series->family->nr_bounds; i++)
		count += bucket[i];
	return count;
}

uint64_t obs_series_state(const struct obs_snapshot *snapshot,
			  const struct obs_series_info *series, unsigned int *ret_state)
{
	uint64_t word = obs_series_counter(snapshot, series);

	*ret_state = obs_state_state(word);
	return obs_state_version(word);
}

int obs_series_row(const struct obs_snapshot *snapshot,
		   const struct obs_series_info *info, unsigned int cpu,
		   uint64_t *slots, unsigned int nr)
{
	const struct obs_series *series = series_of(info);
	const __u32 *gen = obs_entry_gen(&snapshot->directory,
					 OBSRING_REGION_SERIES, info->id);
	int r;

	if (!series->slots.nr)
		return -ENXIO;
	if (nr > series->slots.nr)
		return -EINVAL;
	r = obs_device_check_size(snapshot->device);
	if (r)
		return r;
	if (obs_entry_begin(gen) != info->gen)
		return -ESTALE;
	r = obs_values_row(&snapshot->values, &series->slots, cpu, (__u64 *)slots, nr);
	if (r)
		return r;
	return obs_entry_end(gen, info->gen) ? 0 : -ESTALE;
}
