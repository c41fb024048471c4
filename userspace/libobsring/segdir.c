// SPDX-License-Identifier: MIT
/*
 * The directory's writer: <obsring/directory.h> says what readers see, <obsring/host.h>
 * what is made good when a writer was killed. Between two stores of this file a kill
 * may happen at any place; their order is what makes that harmless, and it is the
 * program's: what a process stored before it was killed is there.
 */
#include <obsring/directory.h>

#include "segment.h"

static uint32_t table_nr(const struct obs_segment *segment, enum obsring_region_id table)
{
	return segment->view.region[table].limit;
}

static void tell(struct obs_segment *segment, enum obsring_region_id table, uint32_t index)
{
	obs_journal_tell(segment->header, obs_segment_region(segment, OBSRING_REGION_JOURNAL),
			 table_nr(segment, OBSRING_REGION_JOURNAL), table, index);
}

static void live_add(struct obs_segment *segment, enum obsring_region_id table, int n)
{
	__u32 *live = &segment->header->series_live;

	if (table == OBSRING_REGION_SERIES)
		obs_write_once(live, obs_read_once(live) + (__u32)n);
}

static void intend(struct obs_segment *segment, __u64 what)
{
	obs_barrier();
	obs_write_once(&segment->host->intent, what);
	obs_barrier();
}

static __u64 intent_of(enum obsring_region_id table, uint32_t index)
{
	return OBS_HOST_INTENT | (__u64)table << 32 | index;
}

void obs_segment_publish(struct obs_segment *segment, enum obsring_region_id table,
			 uint32_t index, __u32 *gen)
{
	intend(segment, intent_of(table, index));
	obs_entry_publish(gen);
	live_add(segment, table, 1);
	tell(segment, table, index);
	intend(segment, 0);
}

void obs_segment_retire(struct obs_segment *segment, enum obsring_region_id table,
			uint32_t index, __u32 *gen)
{
	intend(segment, intent_of(table, index));
	obs_entry_retire(gen);
	live_add(segment, table, -1);
	tell(segment, table, index);
	intend(segment, 0);
}

const char *obs_segment_text(const struct obs_segment *segment, uint32_t granule,
			     uint32_t len)
{
	const struct obs_region *text = &segment->view.region[OBSRING_REGION_TEXT];
	uint64_t granules = ((uint64_t)len + OBSRING_GRANULE - 1) / OBSRING_GRANULE;

	if (granule > text->limit || granules > text->limit - granule)
		return NULL;
	return (const char *)obs_segment_region(segment, OBSRING_REGION_TEXT) +
	       (uint64_t)granule * OBSRING_GRANULE;
}

/* ---- Making good --------------------------------------------------------- */

static bool family_has_series(const struct obs_segment *segment, uint32_t family)
{
	uint32_t gen = obs_segment_family(segment, family)->gen, i;
	const struct obsring_series *series;

	for (i = 0; i < obs_segment_nr_series(segment); i++) {
		series = obs_segment_series(segment, i);
		if (obs_gen_alive(series->gen) && series->family == family &&
		    series->family_gen == gen)
			return true;
	}
	return false;
}

void obs_segment_retire_families(struct obs_segment *segment)
{
	struct obsring_family *family;
	uint32_t i;

	for (i = 0; i < obs_segment_families(segment); i++) {
		family = obs_segment_family(segment, i);
		if (obs_gen_alive(family->gen) && !family_has_series(segment, i))
			obs_segment_retire(segment, OBSRING_REGION_FAMILIES, i, &family->gen);
	}
}

static void live_count(struct obs_segment *segment)
{
	uint32_t i, live = 0;

	for (i = 0; i < obs_segment_nr_series(segment); i++)
		live += obs_gen_alive(obs_segment_series(segment, i)->gen);
	obs_write_once(&segment->header->series_live, live);
}

/* What may have changed without being told; that it did not does no harm. */
static void intent_mend(struct obs_segment *segment)
{
	__u64 intent = segment->host->intent;
	enum obsring_region_id table = intent >> 32 & 0xff;
	uint32_t index = (uint32_t)intent;

	if (!(intent & OBS_HOST_INTENT))
		return;
	if ((table == OBSRING_REGION_FAMILIES || table == OBSRING_REGION_SERIES ||
	     table == OBSRING_REGION_SHARES) && index < table_nr(segment, table))
		tell(segment, table, index);
	intend(segment, 0);
}

void obs_segment_mend(struct obs_segment *segment)
{
	uint32_t i;

	intent_mend(segment);
	live_count(segment);
	obs_segment_retire_families(segment);
	for (i = 0; i < segment->nr.nr_services; i++)
		if (obs_segment_service(segment, i)->state == OBS_HOST_ENDING)
			obs_segment_service_end(segment, i);
	obs_segment_rules_show(segment);
}
