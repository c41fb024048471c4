// SPDX-License-Identifier: MIT
/*
 * Rings come and go as section 5 of <linux/obsring.h> has it. A ring that is not
 * there (nr_lines 0), or is being replaced, is empty.
 *
 *   logring_renew:A   load-acquire of gen: before the rest of the control block
 *                     and the lines, which are those of that gen or a later one
 *   logring_stays:B   acquire fence: they are read before the second look at gen
 *   Both pair with how the module replaces a ring: gen odd before the first change,
 *   even behind the last one.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "logring.h"

static uint64_t lines_bytes(uint32_t nr_lines)
{
	return (uint64_t)nr_lines * sizeof(struct obsring_line);
}

void obs_logring_init(struct obs_logring *ring, const struct obs_device *device,
		      uint32_t index)
{
	*ring = (struct obs_logring){
		.control = obs_region_entry(device, OBSRING_REGION_RINGS, index),
		.index = index,
	};
	ring->view.ring = ring->control;
}

void obs_logring_exit(struct obs_logring *ring)
{
	if (ring->view.line)
		munmap((void *)ring->view.line, lines_bytes(ring->view.nr_lines));
	ring->view.line = NULL;
	ring->view.nr_lines = 0;
}

/* Is all that was read since @gen was loaded of that generation? */
static bool stays(const struct obs_logring *ring, uint32_t gen)
{
	/* logring_stays:B */
	obs_rmb();
	return obs_read_once(&ring->control->gen) == gen;
}

static bool lines_valid(const struct obs_device *device, uint64_t offset,
			uint32_t nr_lines)
{
	const struct obs_region *log = &device->region[OBSRING_REGION_LOG];
	uint64_t bytes = lines_bytes(nr_lines);

	return nr_lines >= OBSRING_RING_LINES_MIN &&
	       nr_lines <= OBSRING_RING_LINES_MAX && !(nr_lines & (nr_lines - 1)) &&
	       offset % device->page_size == 0 && offset >= log->offset &&
	       bytes <= log->size && offset - log->offset <= log->size - bytes;
}

static int lines_map(struct obs_logring *ring, const struct obs_device *device,
		     uint64_t offset, uint32_t nr_lines)
{
	const uint8_t *base;
	int r;

	if (nr_lines == ring->view.nr_lines)
		return 0;
	r = obs_device_map(device, offset, lines_bytes(nr_lines), &base);
	if (r)
		return r;
	obs_logring_exit(ring);
	ring->view.line = (const struct obsring_line *)base;
	ring->view.nr_lines = nr_lines;
	return 0;
}

/* Begin with the ring as it is now: RECORD if it can be read, EMPTY, or -errno. */
static int take_over(struct obs_logring *ring, const struct obs_device *device,
		     uint32_t gen)
{
	const struct obsring_ring *control = ring->control;
	uint64_t first_record = obs_read_once(&control->first_record);
	uint64_t first_line = obs_read_once(&control->first_line);
	uint32_t nr_lines = obs_read_once(&control->nr_lines);
	uint64_t offset = obs_read_once(&control->offset);
	bool whose = obs_read_once(&control->cpu) == obs_logring_cpu(ring) &&
		     obs_read_once(&control->origin) == obs_logring_origin(ring);
	int r;

	if (!stays(ring, gen) || !nr_lines)
		return OBS_RING_EMPTY;
	if (!whose || !lines_valid(device, offset, nr_lines))
		return -EPROTO;
	r = lines_map(ring, device, offset, nr_lines);
	if (r)
		return r;
	if (ring->known)
		ring->lost += first_record - ring->cursor.record;
	ring->cursor = (struct obs_ring_cursor){ .line = first_line,
						 .record = first_record };
	ring->gen = gen;
	ring->known = true;
	return OBS_RING_RECORD;
}

/* RECORD: as it was; LOST: taken over anew; EMPTY; -errno. */
static int renew(struct obs_logring *ring, const struct obs_device *device)
{
	/* logring_renew:A */
	uint32_t gen = obs_load_acquire(&ring->control->gen);
	int r;

	if (gen % 2)
		return OBS_RING_EMPTY;
	if (ring->known && gen == ring->gen)
		return OBS_RING_RECORD;
	r = take_over(ring, device, gen);
	return r == OBS_RING_RECORD ? OBS_RING_LOST : r;
}

int obs_logring_seek(struct obs_logring *ring, const struct obs_device *device,
		     bool oldest)
{
	int r = renew(ring, device);

	if (r < 0 || r == OBS_RING_EMPTY)
		return r < 0 ? r : 0;
	if (oldest)
		obs_ring_seek_oldest(&ring->view, &ring->cursor);
	else
		obs_ring_seek_newest(&ring->view, &ring->cursor);
	ring->known = stays(ring, ring->gen);
	return 0;
}

int obs_logring_peek(struct obs_logring *ring, const struct obs_device *device,
		     __u64 *word, uint32_t max, struct obs_ring_peeked *ret_peeked)
{
	struct obs_ring_cursor cursor;
	__u64 lost = 0;
	int r = renew(ring, device);

	if (r != OBS_RING_RECORD)
		return r;
	cursor = ring->cursor;
	r = obs_ring_peek(&ring->view, &cursor, word, max, ret_peeked, &lost);
	/* Of a ring that was being replaced nothing is known, not what was lost. */
	if (!stays(ring, ring->gen))
		return OBS_RING_LOST;
	ring->cursor = cursor;
	ring->lost += lost;
	return r;
}

bool obs_logring_behind(const struct obs_logring *ring, uint64_t *ret_nr)
{
	__u64 line, record;

	if (!ring->known) {
		*ret_nr = 0;
		return obs_read_once(&ring->control->gen) % 2 == 0 &&
		       !obs_read_once(&ring->control->nr_lines);
	}
	obs_ring_head(ring->control, &line, &record);
	if (!stays(ring, ring->gen))
		return false;
	*ret_nr = record - ring->cursor.record;
	return true;
}
