// SPDX-License-Identifier: GPL-2.0-only
/* Exemplars: entries by first fit, pages as they are needed. See exemplar.h. */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

#include <obsring/exemplar.h>

#include "exemplar.h"
#include "store.h"

#define PER_PAGE	((u32)(PAGE_SIZE / sizeof(struct obsring_exemplar)))
/* Of a series with the most ranges: each bucket of the most explicit bounds. */
#define SERIES_BYTES	((OBSRING_BOUNDS_MAX + 1) * sizeof(struct obsring_exemplar))

static unsigned long *used;	/* a bit per entry */
static u32 nr_max;
static u32 nr_backed;
static u32 search_from;		/* all below it are used */

static struct obsring_exemplar *slot_of(u32 index)
{
	struct obsring_exemplar *page;

	page = obs_region_page(OBSRING_REGION_EXEMPLARS, index / PER_PAGE);
	return &page[index % PER_PAGE];
}

int obs_exemplars_init(const struct obs_limits *limits)
{
	u64 bytes = min(limits->bytes / 4, (u64)limits->series * SERIES_BYTES);
	int ret;

	BUILD_BUG_ON(sizeof(struct obsring_exemplar) != 64);

	nr_max = max_t(u64, bytes / PAGE_SIZE, 1) * PER_PAGE;
	used = kvcalloc(BITS_TO_LONGS(nr_max), sizeof(long), GFP_KERNEL);
	if (!used)
		return -ENOMEM;
	ret = obs_region_init(OBSRING_REGION_EXEMPLARS,
			      sizeof(struct obsring_exemplar), nr_max);
	if (ret)
		obs_exemplars_exit();
	return ret;
}

void obs_exemplars_exit(void)
{
	kvfree(used);
	used = NULL;
	nr_backed = 0;
	search_from = 0;
}

static int grow(u32 nr)
{
	int ret;

	while (nr_backed < nr) {
		ret = obs_store_charge(PAGE_SIZE);
		if (ret)
			return ret;
		ret = obs_region_grow(OBSRING_REGION_EXEMPLARS,
				      nr_backed + PER_PAGE);
		if (ret) {
			obs_store_uncharge(PAGE_SIZE);
			return ret;
		}
		nr_backed += PER_PAGE;
	}
	return 0;
}

int obs_exemplars_alloc(u32 nr, u32 *ret_first)
{
	unsigned long first;
	int ret;

	first = bitmap_find_next_zero_area(used, nr_max, search_from, nr, 0);
	if (first >= nr_max)
		return -ENOSPC;
	ret = grow(first + nr);
	if (ret)
		return ret;
	bitmap_set(used, first, nr);
	if (first == search_from)
		search_from += nr;
	*ret_first = first;
	return 0;
}

void obs_exemplars_free(u32 first, u32 nr)
{
	u32 i;

	if (!nr)
		return;
	for (i = 0; i < nr; i++)
		obs_exemplar_clear(slot_of(first + i));
	bitmap_clear(used, first, nr);
	search_from = min(search_from, first);
}

static bool trace_valid(const struct obsring_trace *trace)
{
	return memchr_inv(trace->trace_id, 0, sizeof(trace->trace_id)) &&
	       memchr_inv(trace->span_id, 0, sizeof(trace->span_id));
}

void obs_exemplar_keep(const struct obs_histogram_cells *cells, u32 bucket, u64 v,
		       const struct obsring_trace *trace)
{
	struct obsring_exemplar *slot;
	u64 seq;

	if (!trace_valid(trace))
		return;
	slot = slot_of(cells->exemplar +
		       obs_histogram_range(bucket, cells->range_shift));
	/* Who is preempted with the slot taken would keep all others off. */
	preempt_disable_notrace();
	seq = obs_exemplar_look(slot);
	obs_exemplar_put(slot, seq, v, ktime_get_real_fast_ns(), trace);
	preempt_enable_notrace();
}
