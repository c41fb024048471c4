/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory behind the mapping: the header, the directory's regions, which
 * grow a page at a time, and value pages, of which each CPU has its own copy.
 *
 * Pages are never given back before the module goes, and it can't go while a
 * file is open: so no page that user space can reach is ever reused. What
 * changes owner are entries, granules and slots, by the protocol of
 * include/obsring/directory.h. The pages of LOG, SERVICES and SHARE_PAGES alone are
 * given back, by whoever provides them: when he has replaced them under
 * obs_store_mapped, and unmapped them then.
 *
 * All of it but obs_store_pfn() and obs_region_page() is called under the
 * registry's mutex, or before the device is there.
 */
#ifndef OBSRING_STORE_H
#define OBSRING_STORE_H

#include <linux/rwsem.h>
#include <linux/types.h>

#include <linux/obsring.h>

/* Bytes of LOG from one ring to the next. */
#define OBS_STORE_LOG_STRIDE \
	((u64)OBSRING_RING_LINES_MAX * sizeof(struct obsring_line))

/**
 * struct obs_limits - how large the store may become; constant after load
 * @series: series, overflow series included
 * @family_series: series of one family
 * @bytes: of value pages, over all CPUs, and of exemplars
 * @service_pages: of SERVICES, over all services
 * @shares: of gauges
 */
struct obs_limits {
	u32 series;
	u32 family_series;
	u64 bytes;
	u32 service_pages;
	u32 shares;
};

/**
 * struct obs_slots - consecutive slots of one value page
 * @page: index of the page
 * @slot: the first
 * @nr: how many; 0: none
 * @shared: one row for all CPUs
 * @service: whose memory they are in: @page is that of its mapping; NULL: the
 *	store's
 */
struct obs_slots {
	u32 page;
	u32 slot;
	u32 nr;
	bool shared;
	struct obs_service *service;
};

extern struct obsring_header *obs_header;

int obs_store_init(const struct obs_limits *limits);
void obs_store_exit(void);

/* Give a region room for @nr_max entries; before regions are placed. -ENOMEM. */
int obs_region_init(enum obsring_region_id region, u32 entry_size, u64 nr_max);

/* Put memory behind entries 0 to @nr - 1. -ENOSPC past the region, -ENOMEM. */
int obs_region_grow(enum obsring_region_id region, u32 nr);

/* Kernel address of page @page of a region, which is backed. Any context. */
void *obs_region_page(enum obsring_region_id region, u32 page);

/* Kernel address of entry @index, which is backed. */
void *obs_region_entry(enum obsring_region_id region, u32 index);

/* Tell readers that entry @index of FAMILIES or SERIES changed. */
void obs_store_tell(enum obsring_region_id table, u32 index);

/*
 * @nr slots, zero in all rows; -ENOSPC past the limit of bytes, -ENOMEM. Freed
 * only when no update can write them any more; they are zeroed then.
 */
int obs_slots_alloc(u32 nr, bool shared, struct obs_slots *ret_slots);
void obs_slots_free(const struct obs_slots *slots);

u64 __percpu *obs_slots_rows(const struct obs_slots *slots);
u64 *obs_slots_word(const struct obs_slots *slots);

/* Row @cpu of slot @slot (from 0) as it is now. */
u64 obs_slots_read(const struct obs_slots *slots, u32 slot, unsigned int cpu);

/* Sum of slot @slot over its rows. */
u64 obs_slots_sum(const struct obs_slots *slots, u32 slot);

/* Count bytes towards the limit; -ENOSPC past it. */
int obs_store_charge(u64 bytes);
void obs_store_uncharge(u64 bytes);

u64 obs_store_charged_bytes(void);
u64 obs_store_value_bytes(void);
u64 obs_store_exemplar_bytes(void);
u64 obs_store_directory_bytes(void);

/* Is the range, of whole pages, within one region? */
bool obs_store_range_valid(u64 offset, u64 size);

/*
 * PFN behind page @pgoff of the mapping space; -EFAULT if there is none. Who puts
 * it into a page table holds obs_store_mapped from here until that is done.
 */
int obs_store_pfn(unsigned long pgoff, unsigned long *ret_pfn);

/* Of a page of the module's: from the page allocator or vmalloc(). */
unsigned long obs_store_pfn_of(const void *addr);

/* Held for writing: nobody is between asking for a page and mapping it. */
extern struct rw_semaphore obs_store_mapped;

/* Who is asked for the pages of LOG: as obs_store_pfn(), from the region's start. */
void obs_store_log_provide(int (*pfn)(u64 page, unsigned long *ret_pfn));

#endif /* OBSRING_STORE_H */
