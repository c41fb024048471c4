/* SPDX-License-Identifier: MIT */
/*
 * A ring of the log, mapped, and a place in it. What its control block says is
 * copied and checked before it is used; its lines may be anything at any time.
 */
#ifndef LIBOBSRING_LOGRING_H
#define LIBOBSRING_LOGRING_H

#include <obsring/record.h>

#include "device.h"

/**
 * struct obs_logring - a reader's ring
 * @control: in the mapping of RINGS
 * @view: what is read; its line is NULL as long as nothing is mapped
 * @cursor: what is read next
 * @index: in RINGS
 * @leased: of a hosted segment: threads', not CPUs'
 * @known: @cursor is set
 * @lost: records lost that were not told yet
 */
struct obs_logring {
	const struct obsring_ring *control;
	struct obs_ring_view view;
	struct obs_ring_cursor cursor;
	uint32_t index;
	bool leased;
	bool known;
	uint64_t lost;
};

static inline uint32_t obs_logring_cpu(const struct obs_logring *ring)
{
	return ring->leased ? ring->index : ring->index / (OBSRING_ORIGIN_MAX + 1);
}

static inline enum obsring_origin obs_logring_origin(const struct obs_logring *ring)
{
	return ring->leased ? OBSRING_ORIGIN_USER : ring->index % (OBSRING_ORIGIN_MAX + 1);
}

/* Ring @index, below the region's nr; nothing of it is looked at yet. */
void obs_logring_init(struct obs_logring *ring, const struct obs_device *device,
		      uint32_t index);
void obs_logring_exit(struct obs_logring *ring);

/*
 * Go to the oldest record or behind the newest. 0, or -errno as below; a ring that is
 * being replaced will be read from its new beginning.
 */
int obs_logring_seek(struct obs_logring *ring, const struct obs_device *device,
		     bool oldest);

/*
 * Copy up to @max words of the next record, and stay there: enum obs_ring_result;
 * -EPROTO if the control block is damaged, -ENOMEM. LOST: the cursor was moved on,
 * perhaps into a new ring; try again.
 */
int obs_logring_peek(struct obs_logring *ring, const struct obs_device *device,
		     __u64 *word, uint32_t max, struct obs_ring_peeked *ret_peeked);

/*
 * Records behind the cursor, finished or not. False: not known, the ring is being
 * replaced.
 */
bool obs_logring_behind(const struct obs_logring *ring, uint64_t *ret_nr);

#endif /* LIBOBSRING_LOGRING_H */
