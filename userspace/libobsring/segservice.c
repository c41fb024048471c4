// SPDX-License-Identifier: MIT
/* Services of a segment: found, made, ended. Nobody does so while nobody looks. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include <obsring/directory.h>

#include "segment.h"

#define TTL_S		(7 * 24 * 3600)
#define NO_SLOT		0xffffffffU
#define NS_PER_S	1000000000ULL

static uint64_t realtime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* ---- obsring_service_members --------------------------------------------- */

/* Without room for it, the service is all the same. */
static uint32_t members_slot(struct obs_segment *segment,
			     const struct obs_host_service *service, const char *name)
{
	static const struct obs_family_spec spec = {
		.name = "obsring_service_members",
		.help = "Address spaces that are attached to the service.",
		.kind = OBSRING_KIND_GAUGE,
		.set = true,
	};
	const struct obs_segment_metric metric = {
		.service = service->number,
		.service_name = name,
		.uid = service->uid,
		.spec = &spec,
	};
	const struct obsring_series *series;
	bool overflow;
	uint32_t index;

	if (obs_segment_metric(segment, &metric, &index, &overflow))
		return NO_SLOT;
	series = obs_segment_series(segment, index);
	return series->page << 16 | series->slot;
}

static void members_show(const struct obs_segment *segment,
			 const struct obs_host_service *service)
{
	uint32_t page = service->members_slot >> 16, slot = service->members_slot & 0xffff;

	if (page < segment->view.region[OBSRING_REGION_SERVICES].limit &&
	    slot < obs_segment_page_slots(segment))
		obs_write_once(obs_segment_row(segment, page, segment->view.nr_cpus) + slot,
			       service->members);
}

void obs_segment_service_count(struct obs_segment *segment, uint32_t index)
{
	struct obs_host_service *service = obs_segment_service(segment, index);

	service->members = obs_segment_members(segment, service->number);
	if (service->members)
		service->detached_ns = 0;
	else if (!service->detached_ns)
		service->detached_ns = realtime_ns();
	members_show(segment, service);
}

/* ---- Ending -------------------------------------------------------------- */

static void series_retire(struct obs_segment *segment, uint32_t number)
{
	struct obsring_series *series;
	uint32_t i;

	for (i = 0; i < obs_segment_nr_series(segment); i++) {
		series = obs_segment_series(segment, i);
		if (obs_gen_alive(series->gen) && series->service == number)
			obs_segment_retire(segment, OBSRING_REGION_SERIES, i, &series->gen);
	}
}

static void shares_retire(struct obs_segment *segment, uint32_t number)
{
	struct obsring_share *share;
	uint32_t i;

	for (i = 0; i < segment->nr.nr_shares; i++) {
		share = obs_segment_share(segment, i);
		if (obs_gen_alive(share->gen) && share->service == number)
			obs_segment_retire(segment, OBSRING_REGION_SHARES, i, &share->gen);
	}
}

void obs_segment_service_end(struct obs_segment *segment, uint32_t index)
{
	struct obs_host_service *service = obs_segment_service(segment, index);

	/* From here on it is ended, by whoever has the lock. */
	obs_store_release(&service->state, OBS_HOST_ENDING);
	series_retire(segment, service->number);
	obs_segment_retire_families(segment);
	shares_retire(segment, service->number);
	obs_store_release(&service->state, OBS_HOST_FREE);
}

static bool service_is_over(const struct obs_host_service *service, uint64_t now_ns)
{
	return !service->members && !service->pinned && service->ttl_s &&
	       service->detached_ns && now_ns >= service->detached_ns &&
	       now_ns - service->detached_ns >= service->ttl_s * NS_PER_S;
}

void obs_segment_sweep(struct obs_segment *segment)
{
	uint64_t now_ns = realtime_ns();
	const struct obs_host_service *service;
	uint32_t i;

	for (i = 0; i < segment->nr.nr_services; i++) {
		service = obs_segment_service(segment, i);
		if (service->state != OBS_HOST_SERVICE)
			continue;
		obs_segment_service_count(segment, i);
		if (service_is_over(service, now_ns))
			obs_segment_service_end(segment, i);
	}
}

/* ---- Finding, making ----------------------------------------------------- */

int obs_segment_service_find(struct obs_segment *segment, const char *name, uint32_t uid,
			     uint32_t *ret_index)
{
	const struct obs_host_service *service;
	uint32_t i;

	for (i = 0; i < segment->nr.nr_services; i++) {
		service = obs_segment_service(segment, i);
		if (service->state != OBS_HOST_SERVICE || service->uid != uid ||
		    strncmp(service->name, name, sizeof(service->name)))
			continue;
		*ret_index = i;
		return 0;
	}
	return -ENOENT;
}

static int service_make(struct obs_segment *segment, const char *name, uint32_t uid,
			uint32_t *ret_index)
{
	struct obs_host_service *service;
	uint32_t i;

	for (i = 0; i < segment->nr.nr_services; i++)
		if (obs_segment_service(segment, i)->state == OBS_HOST_FREE)
			break;
	if (i == segment->nr.nr_services)
		return -ENOSPC;
	service = obs_segment_service(segment, i);
	*service = (struct obs_host_service){
		.number = segment->host->next_service++,
		.uid = uid,
		.ttl_s = TTL_S,
		.members_slot = NO_SLOT,
		.created_ns = realtime_ns(),
		.detached_ns = realtime_ns(),
	};
	strncpy(service->name, name, sizeof(service->name) - 1);
	/* The rest is whole. */
	obs_store_release(&service->state, OBS_HOST_SERVICE);
	*ret_index = i;
	return 0;
}

int obs_segment_service_get(struct obs_segment *segment, const char *name, uint32_t uid,
			    uint32_t *ret_index)
{
	struct obs_host_service *service;
	int r;

	/* One that is over begins anew. */
	obs_segment_sweep(segment);
	r = obs_segment_service_find(segment, name, uid, ret_index);
	if (r == -ENOENT)
		r = service_make(segment, name, uid, ret_index);
	if (r)
		return r;
	service = obs_segment_service(segment, *ret_index);
	if (service->members_slot == NO_SLOT)
		service->members_slot = members_slot(segment, service, name);
	return 0;
}
