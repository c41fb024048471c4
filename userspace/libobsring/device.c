// SPDX-License-Identifier: MIT
/*
 * Opening and mapping. The mapping space is that of the device; a file of the
 * same layout is mapped alike.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <obsring/directory.h>

#include "device.h"

#define CHUNK_BYTES_MIN	(1U << 20)

/* A mapping that is refused for what was asked means another layout. */
static int map_error(int error)
{
	switch (error) {
	case ENOMEM:
	case EAGAIN:
		return -ENOMEM;
	case ESHUTDOWN:
		return -ESHUTDOWN;
	default:
		return -EPROTO;
	}
}

int obs_device_map(const struct obs_device *device, uint64_t offset, uint64_t size,
		   const uint8_t **ret_base)
{
	void *base;

	if (size > SIZE_MAX)
		return -ENOMEM;
	base = mmap(NULL, size, PROT_READ, MAP_SHARED | MAP_NORESERVE, device->fd,
		    (off_t)offset);
	if (base == MAP_FAILED)
		return map_error(errno);
	*ret_base = base;
	return 0;
}

static int device_check_type(struct obs_device *device)
{
	struct stat st;

	if (fstat(device->fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))
		return -EPROTO;
	device->hosted = S_ISREG(st.st_mode);
	return 0;
}

int obs_device_check_size(const struct obs_device *device)
{
	off_t size;

	if (!device->hosted)
		return 0;
	/* Before each snapshot: in a third of fstat()'s time. */
	size = lseek(device->fd, 0, SEEK_END);
	if (size < 0)
		return -errno;
	return (uint64_t)size < device->bytes ? -EPROTO : 0;
}

void obs_device_forget_pages(const struct obs_device *device, unsigned int table)
{
	const struct obs_region *region = &device->region[table];

	if (device->hosted && region->base)
		madvise((void *)region->base, region->size, MADV_DONTNEED);
}

/* Map the first page, copy the header and check the copy. */
static int device_read_header(struct obs_device *device)
{
	union {
		struct obsring_header header;
		__u64 word[sizeof(struct obsring_header) / sizeof(__u64)];
	} copy;
	const uint8_t *base;
	const __u64 *word;
	size_t i;
	int r;

	device->header_bytes = (size_t)sysconf(_SC_PAGESIZE);
	device->bytes = device->header_bytes;
	r = obs_device_check_size(device);
	if (r)
		return r;
	r = obs_device_map(device, 0, device->header_bytes, &base);
	if (r)
		return r;
	device->header = (const struct obsring_header *)base;
	word = (const __u64 *)base;
	for (i = 0; i < sizeof(copy.word) / sizeof(copy.word[0]); i++)
		copy.word[i] = obs_read_once(&word[i]);
	return obs_header_check(&copy.header, device);
}

/* Mapped piece by piece. */
static bool region_is_large(unsigned int id)
{
	return id == OBSRING_REGION_VALUES || id == OBSRING_REGION_LOG ||
	       id == OBSRING_REGION_SERVICES;
}

static void pages_init(struct obs_pages *pages, const struct obs_device *device,
		       enum obsring_region_id id, uint32_t rows)
{
	const struct obs_region *region = &device->region[id];
	uint64_t bytes = (uint64_t)rows * device->page_size;

	if (!region->size)
		return;
	pages->offset = region->offset;
	pages->limit = region->limit;
	pages->rows = rows;
	pages->chunk_pages = bytes < CHUNK_BYTES_MIN ? CHUNK_BYTES_MIN / bytes : 1;
}

static int device_map_regions(struct obs_device *device)
{
	unsigned int id;
	int r;

	for (id = 0; id < OBS_REGIONS; id++) {
		struct obs_region *region = &device->region[id];

		/* HOST is for those who write. */
		if (region_is_large(id) || id == OBSRING_REGION_HOST || !region->size)
			continue;
		r = obs_device_map(device, region->offset, region->size, &region->base);
		if (r)
			return r;
	}
	pages_init(&device->values, device, OBSRING_REGION_VALUES, device->nr_cpus);
	pages_init(&device->services, device, OBSRING_REGION_SERVICES,
		   device->nr_cpus + 1);
	return 0;
}

static int device_init(struct obs_device *device, const char *path)
{
	int r;

	/* Not blocking: the path may turn out to be a pipe. */
	device->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (device->fd < 0)
		return -errno;
	r = device_check_type(device);
	if (r)
		return r;
	r = device_read_header(device);
	if (r)
		return r;
	r = obs_device_check_size(device);
	if (r)
		return r;
	if (obs_device_draining(device))
		return -ESHUTDOWN;
	r = device_map_regions(device);
	if (!r)
		obs_device_tidy_init(device, path);
	return r;
}

int obs_device_open(const char *path, struct obs_device **ret_device)
{
	struct obs_device *device;
	int r;

	device = calloc(1, sizeof(*device));
	if (!device)
		return -ENOMEM;
	r = device_init(device, path ? path : OBSRING_DEVICE);
	if (r) {
		obs_device_close(device);
		return r;
	}
	*ret_device = device;
	return 0;
}

/* Pages [*ret_first, *ret_first + *ret_nr) of chunk @i, cut at the region's end. */
static void chunk_range(const struct obs_pages *pages, unsigned int i,
			uint64_t *ret_first, uint64_t *ret_nr)
{
	uint64_t first = i ? (uint64_t)pages->chunk_pages << (i - 1) : 0;
	uint64_t nr = i ? first : pages->chunk_pages;

	*ret_first = first;
	*ret_nr = first + nr > pages->limit ? pages->limit - first : nr;
}

static unsigned int chunk_of(const struct obs_pages *pages, uint32_t page)
{
	uint32_t q = page / pages->chunk_pages;

	return q ? 32 - (unsigned int)__builtin_clz(q) : 0;
}

static uint64_t chunk_bytes(const struct obs_device *device,
			    const struct obs_pages *pages, uint64_t nr)
{
	return nr * pages->rows * device->page_size;
}

/* Two threads may map one chunk at once: the first is kept. */
static int chunk_map(const struct obs_device *device, struct obs_pages *pages,
		     unsigned int i, uint64_t first, uint64_t nr)
{
	const uint8_t *base, *none = NULL;
	int r;

	r = obs_device_map(device, pages->offset + chunk_bytes(device, pages, first),
			   chunk_bytes(device, pages, nr), &base);
	if (r)
		return r;
	if (!__atomic_compare_exchange_n(&pages->chunk[i], &none, base, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		munmap((void *)base, chunk_bytes(device, pages, nr));
	return 0;
}

int obs_device_page(const struct obs_device *device, struct obs_pages *pages,
		    uint32_t page, const uint8_t **ret_base)
{
	unsigned int i = chunk_of(pages, page);
	uint64_t first, nr;
	int r;

	chunk_range(pages, i, &first, &nr);
	if (!obs_load_acquire(&pages->chunk[i])) {
		r = chunk_map(device, pages, i, first, nr);
		if (r)
			return r;
	}
	*ret_base = obs_load_acquire(&pages->chunk[i]) +
		    obs_row_offset(page - (uint32_t)first, 0, pages->rows,
				   device->page_size);
	return 0;
}

static void pages_unmap(const struct obs_device *device, struct obs_pages *pages)
{
	uint64_t first, nr;
	unsigned int i;

	for (i = 0; i < OBS_CHUNKS; i++) {
		if (!pages->chunk[i])
			continue;
		chunk_range(pages, i, &first, &nr);
		munmap((void *)pages->chunk[i], chunk_bytes(device, pages, nr));
	}
}

static void device_unmap(struct obs_device *device)
{
	unsigned int i;

	pages_unmap(device, &device->values);
	pages_unmap(device, &device->services);
	for (i = 0; i < OBS_REGIONS; i++)
		if (device->region[i].base)
			munmap((void *)device->region[i].base,
			       device->region[i].size);
	if (device->header)
		munmap((void *)device->header, device->header_bytes);
}

void obs_device_close(struct obs_device *device)
{
	if (!device)
		return;
	obs_device_tidy_exit(device);
	device_unmap(device);
	if (device->fd >= 0)
		close(device->fd);
	free(device);
}

int obs_device_fd(const struct obs_device *device)
{
	return device->fd;
}

const struct obsring_header *obs_device_header(const struct obs_device *device)
{
	return device->header;
}

bool obs_device_draining(const struct obs_device *device)
{
	return obs_read_once(&device->header->state) == OBSRING_STATE_DRAINING;
}

int obs_cpu_next(const struct obs_device *device, int cpu)
{
	for (cpu++; cpu < (int)device->nr_cpus; cpu++)
		if (obs_cpu_has_row(device->cpu_mask, (uint32_t)cpu))
			return cpu;
	return -1;
}
