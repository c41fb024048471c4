/* SPDX-License-Identifier: MIT */
/*
 * An opened device (or a file of the same layout): its mapping, and what of its
 * header was checked. Constant once opened but for the chunks, so that snapshots of
 * several threads can share it.
 */
#ifndef LIBOBSRING_DEVICE_H
#define LIBOBSRING_DEVICE_H

#include <stdint.h>

#include <obsring.h>
#include <obsring/counter.h>

#define OBS_REGIONS	(OBSRING_REGION_MAX + 1)
#define OBS_CHUNKS	33

/**
 * struct obs_region - a region as the header described it when it was opened
 * @offset: in the mapping space
 * @size: mappable bytes
 * @entry_size: from one entry to the next
 * @limit: entries that @size has room for: the header's nr never exceeds it
 * @base: its mapping; NULL for VALUES and SERVICES, which are mapped in chunks, and
 *	LOG, ring by ring
 */
struct obs_region {
	uint64_t offset;
	uint64_t size;
	uint32_t entry_size;
	uint32_t limit;
	const uint8_t *base;
};

/**
 * struct obs_pages - a region of pages with rows: VALUES or SERVICES
 * @offset: of the region
 * @limit: pages that it has room for
 * @rows: of a page; 0: no such region
 * @chunk_pages: pages of the first chunk
 * @chunk: chunk 0 holds pages 0 to @chunk_pages - 1, chunk i those from
 *	@chunk_pages << (i - 1) to (@chunk_pages << i) - 1; mapped when needed
 */
struct obs_pages {
	uint64_t offset;
	uint32_t limit;
	uint32_t rows;
	uint32_t chunk_pages;
	const uint8_t *chunk[OBS_CHUNKS];
};

struct obs_segment;

/**
 * struct obs_device - an open device
 * @fd: its descriptor
 * @hosted: a regular file: its size is looked at before it is read, because a
 *	mapping beyond the end of a file can't be touched
 * @bytes: end of the last region
 * @header: mapped; its constant fields are used from the copies below
 * @header_bytes: of its mapping
 * @page_size: checked copy
 * @nr_cpus: checked copy
 * @cpu_mask: checked copy
 * @region: by enum obsring_region_id
 * @values: VALUES, a row for each CPU
 * @services: SERVICES, a row for each CPU and everyone's
 * @segment: the same file as its writers have it, if it is hosted and may be written:
 *	to tidy it; else NULL
 * @tidied_ns: when, CLOCK_MONOTONIC
 */
struct obs_device {
	int fd;
	bool hosted;
	uint64_t bytes;
	const struct obsring_header *header;
	size_t header_bytes;
	uint32_t page_size;
	uint32_t nr_cpus;
	__u64 cpu_mask[OBSRING_CPU_MASK_WORDS];
	struct obs_region region[OBS_REGIONS];
	struct obs_pages values, services;
	struct obs_segment *segment;
	__u64 tidied_ns;
};

/*
 * segtidy.c: do for a hosted segment what its writers have left, if that is some time
 * ago. Without effect if it may not be written.
 */
void obs_device_tidy_init(struct obs_device *device, const char *path);
void obs_device_tidy_exit(struct obs_device *device);
void obs_device_tidy(struct obs_device *device);

/* header.c: take over what @header says, or -EPROTO, -EPROTONOSUPPORT. */
int obs_header_check(const struct obsring_header *header, struct obs_device *device);

/* Entries of a region that may be touched now; -EPROTO if that is damaged. */
int obs_region_nr(const struct obs_device *device, enum obsring_region_id id,
		  uint32_t *ret_nr);

/* Entry @index, below the region's nr. */
static inline const void *obs_region_entry(const struct obs_device *device,
					   enum obsring_region_id id, uint32_t index)
{
	const struct obs_region *region = &device->region[id];

	return region->base + (uint64_t)index * region->entry_size;
}

/* Map a part of one region, to read it. -ENOMEM, -EPROTO, -ESHUTDOWN. */
int obs_device_map(const struct obs_device *device, uint64_t offset, uint64_t size,
		   const uint8_t **ret_base);

/*
 * The pages of a table of a file are no longer this process's, until it reads them again:
 * of a large directory they are more than what was made of it.
 */
void obs_device_forget_pages(const struct obs_device *device, unsigned int table);

/* Does the file still have its size? -EPROTO if not. */
int obs_device_check_size(const struct obs_device *device);

/* Row 0 of page @page, below the region's nr. -ENOMEM, -EPROTO. */
int obs_device_page(const struct obs_device *device, struct obs_pages *pages,
		    uint32_t page, const uint8_t **ret_base);

#endif /* LIBOBSRING_DEVICE_H */
