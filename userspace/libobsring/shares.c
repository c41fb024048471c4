// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <obsring/directory.h>

#include "shares.h"
#include "text.h"

#define NONE		UINT32_MAX
#define BUCKETS_MIN	64

/**
 * struct obs_share_group - the shares of a service's gauges in one chunk
 * @next: in its bucket
 * @service: whose
 * @chunk: which
 * @first: a share; NONE: there is none
 * @users: series that hold slots of it
 * @slots: slots from 0 on that they may hold
 * @sum: two buffers of a page; NULL until a series held it
 */
struct obs_share_group {
	struct obs_share_group *next;
	uint32_t service, chunk;
	uint32_t first;
	uint32_t users, slots;
	__u64 *sum[2];
};

union share_copy {
	struct obsring_share entry;
	__u64 word[sizeof(struct obsring_share) / sizeof(__u64)];
};

void obs_shares_init(struct obs_shares *shares, struct obs_device *device)
{
	*shares = (struct obs_shares){ .device = device };
}

static void group_free(struct obs_share_group *group)
{
	free(group->sum[0]);
	free(group->sum[1]);
	free(group);
}

void obs_shares_exit(struct obs_shares *shares)
{
	struct obs_share_group *group, *next;
	uint32_t i;

	for (i = 0; i < shares->nr_buckets; i++) {
		for (group = shares->bucket[i]; group; group = next) {
			next = group->next;
			group_free(group);
		}
	}
	free(shares->bucket);
	free(shares->share);
}

/* ---- Groups -------------------------------------------------------------- */

static struct obs_share_group **group_bucket(const struct obs_shares *shares,
					     uint32_t service, uint32_t chunk)
{
	uint32_t hash = (service * 31 + chunk) * 0x9e3779b1U;

	return &shares->bucket[hash >> 16 & (shares->nr_buckets - 1)];
}

static void group_link(struct obs_shares *shares, struct obs_share_group *group)
{
	struct obs_share_group **bucket = group_bucket(shares, group->service, group->chunk);

	group->next = *bucket;
	*bucket = group;
}

/* As many buckets as groups, up to the bits that the hash has. */
static int buckets_grow(struct obs_shares *shares)
{
	struct obs_shares grown = *shares;
	struct obs_share_group *group, *next;
	uint32_t i;

	if (shares->nr_groups < shares->nr_buckets || shares->nr_buckets == 1U << 16)
		return 0;
	grown.nr_buckets = shares->nr_buckets ? 2 * shares->nr_buckets : BUCKETS_MIN;
	grown.bucket = calloc(grown.nr_buckets, sizeof(struct obs_share_group *));
	if (!grown.bucket)
		return -ENOMEM;
	for (i = 0; i < shares->nr_buckets; i++) {
		for (group = shares->bucket[i]; group; group = next) {
			next = group->next;
			group_link(&grown, group);
		}
	}
	free(shares->bucket);
	*shares = grown;
	return 0;
}

/* The group of @service and @chunk, made if need be. */
static int group_get(struct obs_shares *shares, uint32_t service, uint32_t chunk,
		     struct obs_share_group **ret_group)
{
	struct obs_share_group *group;
	int r;

	r = buckets_grow(shares);
	if (r)
		return r;
	group = *group_bucket(shares, service, chunk);
	while (group && (group->service != service || group->chunk != chunk))
		group = group->next;
	if (!group) {
		group = calloc(1, sizeof(*group));
		if (!group)
			return -ENOMEM;
		group->service = service;
		group->chunk = chunk;
		group->first = NONE;
		group_link(shares, group);
		shares->nr_groups++;
	}
	*ret_group = group;
	return 0;
}

/* Give up a group that has neither shares nor series. */
static void group_put(struct obs_shares *shares, struct obs_share_group *group)
{
	struct obs_share_group **at;

	if (group->users || group->first != NONE)
		return;
	at = group_bucket(shares, group->service, group->chunk);
	while (*at != group)
		at = &(*at)->next;
	*at = group->next;
	shares->nr_groups--;
	group_free(group);
}

int obs_shares_hold(struct obs_shares *shares, uint32_t service, uint32_t chunk,
		    uint32_t slots, struct obs_share_group **ret_group)
{
	struct obs_share_group *group;
	unsigned int i;
	int r;

	r = group_get(shares, service, chunk, &group);
	if (r)
		return r;
	group->users++;
	if (group->slots < slots)
		group->slots = slots;
	for (i = 0; i < 2; i++) {
		if (!group->sum[i])
			group->sum[i] = calloc(1, shares->device->page_size);
		if (!group->sum[i]) {
			obs_shares_release(shares, group);
			return -ENOMEM;
		}
	}
	*ret_group = group;
	return 0;
}

void obs_shares_release(struct obs_shares *shares, struct obs_share_group *group)
{
	if (!--group->users)
		group->slots = 0;
	group_put(shares, group);
}

/* ---- Shares -------------------------------------------------------------- */

static int shares_grow(struct obs_shares *shares, uint32_t nr)
{
	struct obs_share *share;

	if (nr <= shares->nr)
		return 0;
	if (nr < 2 * shares->nr)
		nr = 2 * shares->nr;
	share = reallocarray(shares->share, nr, sizeof(*share));
	if (!share)
		return -ENOMEM;
	memset(share + shares->nr, 0, (nr - shares->nr) * sizeof(*share));
	shares->share = share;
	shares->nr = nr;
	return 0;
}

static void share_leave(struct obs_shares *shares, uint32_t index)
{
	struct obs_share *share = &shares->share[index];
	struct obs_share_group *group = share->group;

	if (!group)
		return;
	if (share->prev == NONE)
		group->first = share->next;
	else
		shares->share[share->prev].next = share->next;
	if (share->next != NONE)
		shares->share[share->next].prev = share->prev;
	share->group = NULL;
	share->gen = 0;
	group_put(shares, group);
}

static void share_join(struct obs_shares *shares, uint32_t index, uint32_t gen,
		       struct obs_share_group *group)
{
	shares->share[index] = (struct obs_share){
		.gen = gen, .prev = NONE, .next = group->first, .group = group,
	};
	if (group->first != NONE)
		shares->share[group->first].prev = index;
	group->first = index;
}

static const __u32 *share_gen(const struct obs_shares *shares, uint32_t index)
{
	return obs_region_entry(shares->device, OBSRING_REGION_SHARES, index);
}

int obs_shares_look(struct obs_shares *shares, uint32_t index)
{
	const __u32 *mapped = share_gen(shares, index);
	struct obs_share_group *group;
	union share_copy copy;
	uint32_t gen, nr_pages;
	int r;

	r = shares_grow(shares, index + 1);
	if (r)
		return r;
	gen = obs_entry_begin(mapped);
	if (shares->share[index].group && shares->share[index].gen == gen)
		return 0;
	share_leave(shares, index);
	if (!obs_gen_alive(gen))
		return 0;
	obs_words_copy(copy.word, (const __u64 *)mapped, sizeof(copy.word) / sizeof(__u64));
	if (!obs_entry_end(mapped, gen))
		return 0;	/* the journal will tell */
	r = obs_region_nr(shares->device, OBSRING_REGION_SHARE_PAGES, &nr_pages);
	if (r)
		return r;
	if (index >= nr_pages)
		return -EPROTO;
	r = group_get(shares, copy.entry.service, copy.entry.chunk, &group);
	if (r)
		return r;
	share_join(shares, index, gen, group);
	return 0;
}

/* Add a share that lived all the while it was read. */
static void share_add(const struct obs_shares *shares, uint32_t index, uint32_t slot,
		      __u64 *sum, uint32_t nr)
{
	const __u32 *gen = share_gen(shares, index);
	const __u64 *page = obs_region_entry(shares->device, OBSRING_REGION_SHARE_PAGES,
					     index);
	__u64 copy[OBSRING_SLOTS_MAX];
	uint32_t i;

	if (obs_entry_begin(gen) != shares->share[index].gen)
		return;
	obs_words_copy(copy, page + slot, nr);
	if (!obs_entry_end(gen, shares->share[index].gen))
		return;
	for (i = 0; i < nr; i++)
		sum[i] += copy[i];
}

void obs_shares_sum(const struct obs_shares *shares, const struct obs_share_group *group,
		    uint32_t slot, __u64 *sum, uint32_t nr)
{
	uint32_t i, done, part;

	memset(sum, 0, nr * sizeof(*sum));
	for (i = group->first; i != NONE; i = shares->share[i].next) {
		for (done = 0; done < nr; done += part) {
			part = nr - done < OBSRING_SLOTS_MAX ? nr - done :
							       OBSRING_SLOTS_MAX;
			share_add(shares, i, slot + done, sum + done, part);
		}
	}
}

void obs_shares_read(const struct obs_shares *shares, unsigned int buffer)
{
	const struct obs_share_group *group;
	uint32_t i;

	for (i = 0; i < shares->nr_buckets; i++)
		for (group = shares->bucket[i]; group; group = group->next)
			if (group->users)
				obs_shares_sum(shares, group, 0, group->sum[buffer],
					       group->slots);
}

const __u64 *obs_shares_slots(const struct obs_share_group *group, unsigned int buffer)
{
	return group->sum[buffer];
}
