// SPDX-License-Identifier: MIT
/*
 * Rings come and go as section 5 of <linux/obsring.h> has it; <obsring/ring.h> has
 * the order in which that is done and seen. A ring that is not there (nr_lines 0), or
 * is being replaced, is empty.
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
		.leased = device->region[OBSRING_REGION_HOST].size,
	};
	ring->view.ring = ring->control;
	ring->view.gen_at = &ring->control->gen;
}

void obs_logring_exit(struct obs_logring *ring)
{
	if (ring->view.line)
		munmap((void *)ring->view.line, lines_bytes(ring->view.nr_lines));
	ring->view.line = NULL;
	ring->view.nr_lines = 0;
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

/* Attach to the ring as it is now: RECORD if it can be read, EMPTY, or -errno. */
static int attach_anew(struct obs_logring *ring, const struct obs_device *device,
		       uint32_t gen)
{
	const struct obsring_ring *control = ring->control;
	const struct obs_ring_view view = { .gen = gen, .gen_at = &control->gen };
	uint32_t nr_lines = obs_read_once(&control->nr_lines);
	uint64_t offset = obs_read_once(&control->offset);
	bool whose = obs_read_once(&control->cpu) == obs_logring_cpu(ring) &&
		     obs_read_once(&control->origin) == obs_logring_origin(ring);
	int r;

	if (!obs_ring_still(&view) || !nr_lines)
		return OBS_RING_EMPTY;
	if (!whose || !lines_valid(device, offset, nr_lines))
		return -EPROTO;
	r = lines_map(ring, device, offset, nr_lines);
	if (r)
		return r;
	ring->view.gen = gen;
	return OBS_RING_RECORD;
}

static int attach(struct obs_logring *ring, const struct obs_device *device)
{
	/* ring_attach:L, pairs with ring_reopen:K */
	uint32_t gen = obs_load_acquire(&ring->control->gen);

	if (ring->view.line && gen == ring->view.gen)
		return OBS_RING_RECORD;
	return attach_anew(ring, device, gen);
}

int obs_logring_seek(struct obs_logring *ring, const struct obs_device *device,
		     bool oldest)
{
	int r = attach(ring, device);

	if (r != OBS_RING_RECORD)
		return r < 0 ? r : 0;
	if (oldest)
		obs_ring_seek_oldest(&ring->view, &ring->cursor);
	else
		obs_ring_seek_newest(&ring->view, &ring->cursor);
	ring->known = obs_ring_still(&ring->view);
	return 0;
}

int obs_logring_peek(struct obs_logring *ring, const struct obs_device *device,
		     __u64 *word, uint32_t max, struct obs_ring_peeked *ret_peeked)
{
	__u64 lost = 0;
	int r;

	if (!ring->known) {
		r = obs_logring_seek(ring, device, true);
		if (r || !ring->known)
			return r ?: OBS_RING_EMPTY;
	}
	r = attach(ring, device);
	if (r != OBS_RING_RECORD)
		return r;
	r = obs_ring_read(&ring->view, &ring->cursor, word, max, ret_peeked, &lost);
	ring->lost += lost;
	return r == OBS_RING_REPLACED ? OBS_RING_LOST : r;
}

bool obs_logring_behind(const struct obs_logring *ring, uint64_t *ret_nr)
{
	struct obs_ring_view view = ring->view;
	__u64 line, record = ring->cursor.record;

	/* ring_attach:L, pairs with ring_reopen:K */
	view.gen = obs_load_acquire(view.gen_at);
	if (ring->known)
		obs_ring_head(view.ring, &line, &record);
	else if (obs_read_once(&view.ring->nr_lines))
		return false;
	if (!obs_ring_still(&view))
		return false;
	*ret_nr = record - ring->cursor.record;
	return true;
}
