// SPDX-License-Identifier: MIT
/*
 * Members and their shares: <obsring/host.h> says how one that is gone is told from one
 * that lives. What a member that was killed had of the gauges goes with its shares,
 * when someone notices.
 */
#include <errno.h>

#include <obsring/directory.h>

#include "segment.h"

void obs_segment_members_relock(struct obs_segment *segment)
{
	uint32_t i;

	for (i = 0; i < segment->nr.nr_members; i++)
		if (segment->mine[i])
			obs_segment_byte_take(segment, obs_segment_member(segment, i));
	for (i = 0; i < segment->nr.nr_leases; i++)
		if (segment->leased[i])
			obs_segment_byte_take(segment, obs_segment_lease(segment, i));
}

/* ---- Shares -------------------------------------------------------------- */

static __u64 *share_page(const struct obs_segment *segment, uint32_t share)
{
	return (__u64 *)((uint8_t *)obs_segment_region(segment, OBSRING_REGION_SHARE_PAGES) +
			 (uint64_t)share * segment->view.page_size);
}

static void share_clear(const struct obs_segment *segment, uint32_t share)
{
	__u64 *slot = share_page(segment, share);
	uint32_t i;

	for (i = 0; i < obs_segment_page_slots(segment); i++)
		if (obs_read_once(&slot[i]))
			obs_write_once(&slot[i], 0);
}

static int share_find(const struct obs_segment *segment, uint32_t number, uint32_t chunk,
		      uint32_t owner, uint32_t *ret_share)
{
	const struct obsring_share *share;
	uint32_t i;

	for (i = 0; i < segment->nr.nr_shares; i++) {
		share = obs_segment_share(segment, i);
		if (!obs_gen_alive(share->gen) || share->service != number ||
		    share->chunk != chunk || obs_segment_owner(segment, i)->owner != owner)
			continue;
		*ret_share = i;
		return 0;
	}
	return -ENOENT;
}

static int share_make(struct obs_segment *segment, uint32_t number, uint32_t chunk,
		      uint32_t owner, uint32_t *ret_share)
{
	struct obsring_share *share;
	uint32_t i;

	if (obs_segment_take_index(segment, OBSRING_REGION_SHARES, &i) ||
	    i >= segment->nr.nr_shares)
		return -ENOSPC;
	share_clear(segment, i);
	share = obs_segment_share(segment, i);
	obs_write_once(&share->service, number);
	obs_write_once(&share->chunk, chunk);
	obs_write_once(&obs_segment_owner(segment, i)->owner, owner);
	obs_segment_publish(segment, OBSRING_REGION_SHARES, i, &share->gen);
	*ret_share = i;
	return 0;
}

int obs_segment_share_get(struct obs_segment *segment, uint32_t number, uint32_t chunk,
			  uint32_t member, uint32_t *ret_share)
{
	int r = share_find(segment, number, chunk, member, ret_share);

	if (r)
		r = share_make(segment, number, chunk, member, ret_share);
	if (!r || member == OBS_HOST_COMMON)
		return r;
	obs_segment_count(segment, OBS_HOST_SHARES_REFUSED, 1);
	return share_find(segment, number, chunk, OBS_HOST_COMMON, ret_share);
}

static void shares_retire(struct obs_segment *segment, uint32_t number, uint32_t member)
{
	struct obsring_share *share;
	uint32_t i;

	for (i = 0; i < segment->nr.nr_shares; i++) {
		share = obs_segment_share(segment, i);
		if (obs_gen_alive(share->gen) && share->service == number &&
		    obs_segment_owner(segment, i)->owner == member)
			obs_segment_retire(segment, OBSRING_REGION_SHARES, i, &share->gen);
	}
}

/* ---- Members ------------------------------------------------------------- */

int obs_segment_join(struct obs_segment *segment, uint32_t number, uint32_t *ret_member)
{
	struct obs_host_member *member;
	uint32_t i;

	for (i = 0; i < segment->nr.nr_members; i++) {
		member = obs_segment_member(segment, i);
		if (member->state != OBS_HOST_FREE || !obs_segment_byte_take(segment, member))
			continue;
		member->service = number;
		member->process = segment->self;
		/* Before it: nobody looks at the entry. */
		obs_store_release(&member->state, OBS_HOST_MEMBER);
		segment->mine[i] = 1;
		*ret_member = i;
		return 0;
	}
	return -ENOSPC;
}

/* In this order: a kill in between leaves what is done again. */
static void member_end(struct obs_segment *segment, uint32_t index)
{
	struct obs_host_member *member = obs_segment_member(segment, index);

	shares_retire(segment, member->service, index);
	obs_store_release(&member->state, OBS_HOST_FREE);
}

void obs_segment_leave(struct obs_segment *segment, uint32_t index)
{
	member_end(segment, index);
	obs_segment_byte_release(segment, obs_segment_member(segment, index));
	segment->mine[index] = 0;
}

static bool member_lives(const struct obs_segment *segment, uint32_t index)
{
	const struct obs_host_member *member = obs_segment_member(segment, index);

	return segment->mine[index] || obs_segment_holds(segment, member, &member->process);
}

uint32_t obs_segment_members(struct obs_segment *segment, uint32_t number)
{
	const struct obs_host_member *member;
	uint32_t i, living = 0;

	for (i = 0; i < segment->nr.nr_members; i++) {
		member = obs_segment_member(segment, i);
		if (member->state != OBS_HOST_MEMBER || member->service != number)
			continue;
		if (member_lives(segment, i))
			living++;
		else
			member_end(segment, i);
	}
	return living;
}
