// SPDX-License-Identifier: MIT
/*
 * What is free: all that no living entry names. It is looked up for each change of the
 * directory, in a millisecond for the largest tables, and kept nowhere: so it can't be
 * wrong after a kill.
 */
#include <errno.h>
#include <string.h>

#include <obsring/directory.h>

#include "segment.h"

static void mark(uint8_t *used, uint64_t limit, uint64_t first, uint64_t nr)
{
	if (first < limit)
		memset(used + first, 1, nr < limit - first ? nr : limit - first);
}

static void text_mark(struct obs_segment *segment, uint32_t granule, uint32_t len)
{
	mark(segment->granule_used, segment->view.region[OBSRING_REGION_TEXT].limit, granule,
	     ((uint64_t)len + OBSRING_GRANULE - 1) / OBSRING_GRANULE);
}

static uint32_t all_slots(const struct obs_segment *segment)
{
	return segment->view.region[OBSRING_REGION_SERVICES].limit *
	       obs_segment_page_slots(segment);
}

static void series_mark(struct obs_segment *segment, const struct obsring_series *series)
{
	text_mark(segment, series->text_off, series->text_len);
	if (series->flags & OBSRING_SERIES_SERVICE)
		mark(segment->slot_used, all_slots(segment),
		     (uint64_t)series->page * obs_segment_page_slots(segment) + series->slot,
		     series->nr_slots);
}

void obs_segment_room_look(struct obs_segment *segment)
{
	const struct obsring_family *family;
	const struct obsring_series *series;
	uint32_t i;

	memset(segment->granule_used, 0, segment->view.region[OBSRING_REGION_TEXT].limit);
	memset(segment->slot_used, 0, all_slots(segment));
	for (i = 0; i < obs_segment_families(segment); i++) {
		family = obs_segment_family(segment, i);
		if (obs_gen_alive(family->gen))
			text_mark(segment, family->text_off, family->text_len);
	}
	for (i = 0; i < obs_segment_nr_series(segment); i++) {
		series = obs_segment_series(segment, i);
		if (obs_gen_alive(series->gen))
			series_mark(segment, series);
	}
}

/* The first @nr free ones in a row of [@from, @to). */
static bool row_take(uint8_t *used, uint32_t from, uint32_t to, uint32_t nr,
		     uint32_t *ret_first)
{
	const uint8_t *taken;

	while (nr <= to - from) {
		taken = memchr(used + from, 1, nr);
		if (!taken) {
			memset(used + from, 1, nr);
			*ret_first = from;
			return true;
		}
		from = (uint32_t)(taken - used) + 1;
	}
	return false;
}

int obs_segment_take_text(struct obs_segment *segment, uint32_t len, uint32_t *ret_granule)
{
	uint32_t nr = (len + OBSRING_GRANULE - 1) / OBSRING_GRANULE;

	if (!nr) {
		*ret_granule = 0;
		return 0;
	}
	return row_take(segment->granule_used, 0,
			segment->view.region[OBSRING_REGION_TEXT].limit, nr, ret_granule) ?
	       0 : -ENOSPC;
}

/* Readers of an earlier owner may look on: they know that it is gone. */
static void slots_clear(struct obs_segment *segment, uint32_t page, uint32_t slot,
			uint32_t nr)
{
	uint32_t cpu, i;
	__u64 *row;

	for (cpu = 0; cpu <= segment->view.nr_cpus; cpu++) {
		row = obs_segment_row(segment, page, cpu) + slot;
		for (i = 0; i < nr; i++)
			if (obs_read_once(&row[i]))
				obs_write_once(&row[i], 0);
	}
}

int obs_segment_take_slots(struct obs_segment *segment, uint32_t nr, uint32_t *ret_page,
			   uint32_t *ret_slot)
{
	uint32_t pages = segment->view.region[OBSRING_REGION_SERVICES].limit, page, first;
	uint32_t slots = obs_segment_page_slots(segment);

	for (page = 0; page < pages; page++) {
		if (!row_take(segment->slot_used, page * slots, (page + 1) * slots, nr, &first))
			continue;
		*ret_page = page;
		*ret_slot = first - page * slots;
		slots_clear(segment, page, *ret_slot, nr);
		return 0;
	}
	return -ENOSPC;
}

int obs_segment_take_index(const struct obs_segment *segment,
			   enum obsring_region_id table, uint32_t *ret_index)
{
	uint32_t limit = segment->view.region[table].limit, i;
	const __u32 *gen = obs_segment_region(segment, table);
	uint32_t words = segment->view.region[table].entry_size / sizeof(*gen);

	for (i = 0; i < limit; i++) {
		if (obs_gen_alive(gen[(uint64_t)i * words]))
			continue;
		*ret_index = i;
		return 0;
	}
	return -ENOSPC;
}

int obs_segment_take_share_slot(const struct obs_segment *segment, uint32_t number,
				uint32_t *ret_chunk, uint32_t *ret_slot)
{
	uint32_t slots = obs_segment_page_slots(segment), first, i;
	uint8_t used[OBS_HOST_CHUNKS * (65536 / sizeof(__u64))] = { 0 };
	const struct obsring_series *series;

	/* A series has one slot: chunks need not be told apart. */
	for (i = 0; i < obs_segment_nr_series(segment); i++) {
		series = obs_segment_series(segment, i);
		if (obs_gen_alive(series->gen) && series->flags & OBSRING_SERIES_SHARES &&
		    series->service == number)
			mark(used, OBS_HOST_CHUNKS * slots,
			     (uint64_t)series->page * slots + series->slot, 1);
	}
	if (!row_take(used, 0, OBS_HOST_CHUNKS * slots, 1, &first))
		return -ENOSPC;
	*ret_chunk = first / slots;
	*ret_slot = first % slots;
	return 0;
}
