/* SPDX-License-Identifier: MIT */
/*
 * Shares of gauges: of each address space that is in a service, some pages; the gauges
 * are the sums over those that live. Which do, the journal tells: nothing is scanned
 * but after an overrun.
 *
 * What is known of them is not shown to anyone, so it needs no second copy: a share
 * that was read by an update that then failed is one that lives.
 */
#ifndef LIBOBSRING_SHARES_H
#define LIBOBSRING_SHARES_H

#include "device.h"

struct obs_share_group;

/**
 * struct obs_share - entry of SHARES, as it was read
 * @gen: odd: it lives, and is in @group
 * @next: index of the next one in the group; no index of a share: none
 * @prev: likewise
 * @group: those of its service and chunk
 */
struct obs_share {
	uint32_t gen;
	uint32_t next, prev;
	struct obs_share_group *group;
};

struct obs_shares {
	struct obs_device *device;
	struct obs_share *share;
	uint32_t nr;
	struct obs_share_group **bucket;	/* by service and chunk */
	uint32_t nr_groups, nr_buckets;
};

void obs_shares_init(struct obs_shares *shares, struct obs_device *device);
void obs_shares_exit(struct obs_shares *shares);

/* Entry @index, below the region's nr, may have changed. -ENOMEM, -EPROTO. */
int obs_shares_look(struct obs_shares *shares, uint32_t index);

/* A series has slots below @slots of page @chunk of each share of @service. */
int obs_shares_hold(struct obs_shares *shares, uint32_t service, uint32_t chunk,
		    uint32_t slots, struct obs_share_group **ret_group);
void obs_shares_release(struct obs_shares *shares, struct obs_share_group *group);

/* Sum all that are held into buffer @buffer, 0 or 1. */
void obs_shares_read(const struct obs_shares *shares, unsigned int buffer);

/* What was read into it. */
const __u64 *obs_shares_slots(const struct obs_share_group *group, unsigned int buffer);

/* Sum @nr slots of a group from @slot on now. */
void obs_shares_sum(const struct obs_shares *shares, const struct obs_share_group *group,
		    uint32_t slot, __u64 *sum, uint32_t nr);

#endif /* LIBOBSRING_SHARES_H */
