// SPDX-License-Identifier: MIT
/*
 * Checks of the header. What it says is used only after it passed here, and
 * from the copy that was checked.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "device.h"

#define PAGE_SIZE_MAX	(1U << 20)
#define CPUS_MAX	(OBSRING_CPU_MASK_WORDS * 64)

/* What the entries of each region must have. */
static const struct {
	uint32_t entry_size;
	bool exact;		/* else a newer module's may be longer */
} region_rule[OBS_REGIONS] = {
	[OBSRING_REGION_FAMILIES]	= { sizeof(struct obsring_family), false },
	[OBSRING_REGION_SERIES]		= { sizeof(struct obsring_series), false },
	[OBSRING_REGION_TEXT]		= { OBSRING_GRANULE, true },
	[OBSRING_REGION_JOURNAL]	= { sizeof(__u64), true },
	[OBSRING_REGION_VALUES]		= { 0, true },	/* page_size */
	[OBSRING_REGION_RINGS]		= { sizeof(struct obsring_ring), false },
	[OBSRING_REGION_LOG]		= { sizeof(struct obsring_line), true },
	[OBSRING_REGION_EXEMPLARS]	= { sizeof(struct obsring_exemplar), false },
	[OBSRING_REGION_SERVICES]	= { 0, true },	/* page_size */
	[OBSRING_REGION_SHARES]		= { sizeof(struct obsring_share), false },
	[OBSRING_REGION_SHARE_PAGES]	= { 0, true },	/* page_size */
	[OBSRING_REGION_HOST]		= { 0, true },	/* page_size */
};

static bool is_power_of_two(uint64_t n)
{
	return n && !(n & (n - 1));
}

static bool page_size_valid(uint32_t page_size)
{
	return is_power_of_two(page_size) && page_size <= PAGE_SIZE_MAX &&
	       page_size % (uint32_t)sysconf(_SC_PAGESIZE) == 0;
}

/* Only CPUs below nr_cpus, and at least one. */
static bool cpu_mask_valid(const __u64 *mask, uint32_t nr_cpus)
{
	bool any = false;
	uint32_t cpu;

	for (cpu = 0; cpu < CPUS_MAX; cpu++) {
		if (!obs_cpu_has_row(mask, cpu))
			continue;
		if (cpu >= nr_cpus)
			return false;
		any = true;
	}
	return any;
}

static bool entry_size_valid(const struct obs_device *device, unsigned int id,
			     uint32_t entry_size)
{
	uint32_t known = region_rule[id].entry_size;

	if (!known)
		known = device->page_size;
	if (region_rule[id].exact)
		return entry_size == known;
	return entry_size >= known && entry_size <= device->page_size &&
	       entry_size % sizeof(__u64) == 0;
}

static int region_check(struct obs_device *device, unsigned int id,
			const struct obsring_region *from)
{
	struct obs_region *region = &device->region[id];
	uint64_t bytes = from->entry_size, limit;

	if (!entry_size_valid(device, id, from->entry_size) ||
	    from->offset % device->page_size || from->size % device->page_size ||
	    from->offset < device->page_size || !from->size ||
	    from->offset > INT64_MAX || from->size > INT64_MAX - from->offset)
		return -EPROTO;
	if (id == OBSRING_REGION_VALUES)
		bytes *= device->nr_cpus;
	if (id == OBSRING_REGION_SERVICES)
		bytes *= device->nr_cpus + 1;
	limit = from->size / bytes;
	region->offset = from->offset;
	region->size = from->size;
	region->entry_size = from->entry_size;
	region->limit = limit < UINT32_MAX ? limit : UINT32_MAX;
	if (from->nr > region->limit)
		return -EPROTO;
	/* The journal's length is the mask of its positions. */
	if (id == OBSRING_REGION_JOURNAL) {
		if (!is_power_of_two(from->nr))
			return -EPROTO;
		region->limit = from->nr;
	}
	if (device->bytes < from->offset + from->size)
		device->bytes = from->offset + from->size;
	return 0;
}

/* Those behind VALUES came later. */
static bool region_absent(const struct obsring_header *header, unsigned int id)
{
	return id > OBSRING_REGION_VALUES &&
	       (id >= header->nr_regions || !header->region[id].size);
}

static bool regions_overlap(const struct obs_region *a, const struct obs_region *b)
{
	return a->offset < b->offset + b->size && b->offset < a->offset + a->size;
}

static int regions_check(struct obs_device *device,
			 const struct obsring_header *header)
{
	unsigned int id, other;
	int r;

	for (id = 0; id < OBS_REGIONS; id++) {
		if (region_absent(header, id))
			continue;
		r = region_check(device, id, &header->region[id]);
		if (r)
			return r;
		for (other = 0; other < id; other++)
			if (regions_overlap(&device->region[id],
					    &device->region[other]))
				return -EPROTO;
	}
	return 0;
}

int obs_header_check(const struct obsring_header *header, struct obs_device *device)
{
	if (header->magic != OBSRING_MAGIC)
		return -EPROTO;
	if (header->abi_major != OBSRING_ABI_MAJOR)
		return -EPROTONOSUPPORT;
	if (!page_size_valid(header->page_size) ||
	    header->header_size < sizeof(*header) ||
	    header->header_size > header->page_size ||
	    header->nr_cpus < 1 || header->nr_cpus > CPUS_MAX ||
	    header->nr_regions <= OBSRING_REGION_VALUES ||
	    header->nr_regions > sizeof(header->region) / sizeof(header->region[0]) ||
	    header->state > OBSRING_STATE_MAX)
		return -EPROTO;
	memcpy(device->cpu_mask, header->cpu_mask, sizeof(device->cpu_mask));
	if (!cpu_mask_valid(device->cpu_mask, header->nr_cpus))
		return -EPROTO;
	device->page_size = header->page_size;
	device->nr_cpus = header->nr_cpus;
	return regions_check(device, header);
}

int obs_region_nr(const struct obs_device *device, enum obsring_region_id id,
		  uint32_t *ret_nr)
{
	uint32_t nr = obs_load_acquire(&device->header->region[id].nr);

	if (nr > device->region[id].limit)
		return -EPROTO;
	*ret_nr = nr;
	return 0;
}
