// SPDX-License-Identifier: MIT
/*
 * What nobody does in a segment while nobody looks, done by who looks; and services
 * from outside.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <obsring/directory.h>

#include "segment.h"

#define TIDY_NS		1000000000ULL	/* no more often */

/* ---- By readers ---------------------------------------------------------- */

void obs_device_tidy_init(struct obs_device *device, const char *path)
{
	int fd;

	if (!device->hosted || !device->region[OBSRING_REGION_HOST].size)
		return;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return;
	if (obs_segment_new_private(fd, &device->segment))
		device->segment = NULL;
	close(fd);
}

void obs_device_tidy_exit(struct obs_device *device)
{
	if (device->segment)
		obs_segment_free_private(device->segment);
}

void obs_device_tidy(struct obs_device *device)
{
	struct obs_segment *segment = device->segment;
	struct timespec now;
	__u64 now_ns, last_ns;

	/* A child of fork() has its parent's descriptor, whose locks hold it not off. */
	if (!segment || segment->pid != getpid())
		return;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	now_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	last_ns = obs_read_once(&device->tidied_ns);
	if ((last_ns && now_ns - last_ns < TIDY_NS) ||
	    !obs_try_cmpxchg(&device->tidied_ns, &last_ns, now_ns) ||
	    obs_segment_trylock(segment))
		return;
	obs_segment_sweep(segment);
	obs_segment_unlock(segment);
	obs_segment_mend_rings(segment);
}

/* ---- Services ------------------------------------------------------------ */

/* What it has made: that of its members is the segment's own. */
static void usage_add(const struct obs_segment *segment, struct obs_service_info *info,
		      const struct obs_host_service *service)
{
	const struct obsring_series *series;
	uint32_t i;

	for (i = 0; i < obs_segment_nr_series(segment); i++) {
		series = obs_segment_series(segment, i);
		if (!obs_gen_alive(series->gen) || series->service != service->number ||
		    (series->flags & OBSRING_SERIES_SERVICE &&
		     (series->page << 16 | series->slot) == service->members_slot))
			continue;
		info->series++;
		info->bytes += series->nr_slots * sizeof(__u64);
	}
}

static bool service_fill(struct obs_segment *segment, uint32_t index,
			 struct obs_service_info *info)
{
	const struct obs_host_service *service = obs_segment_service(segment, index);

	if (service->state != OBS_HOST_SERVICE)
		return false;
	*info = (struct obs_service_info){
		.uid = service->uid,
		.members = service->members,
		.ttl_s = service->ttl_s,
		.created_ns = service->created_ns,
		.detached_ns = service->detached_ns,
	};
	memcpy(info->name, service->name, sizeof(info->name));
	info->name[sizeof(info->name) - 1] = '\0';
	usage_add(segment, info, service);
	return true;
}

int obs_segment_service_list(const char *path,
			     int (*fn)(const struct obs_service_info *service, void *arg),
			     void *arg)
{
	struct obs_service_info info;
	struct obs_segment *segment;
	bool there;
	uint32_t i;
	int r;

	r = obs_segment_open(path, &segment);
	for (i = 0; !r && i < segment->nr.nr_services; i++) {
		r = obs_segment_lock(segment);
		if (r)
			break;
		if (!i)
			obs_segment_sweep(segment);
		there = service_fill(segment, i, &info);
		obs_segment_unlock(segment);
		if (there)
			r = fn(&info, arg);
	}
	return r;
}

/* A service of that name, with the lock held; or an error, without. */
static int service_open(const char *path, const char *name, uint32_t uid,
			struct obs_segment **ret_segment, uint32_t *ret_index)
{
	int r;

	r = obs_segment_open(path, ret_segment);
	if (!r)
		r = obs_segment_lock(*ret_segment);
	if (r)
		return r;
	obs_segment_sweep(*ret_segment);
	r = obs_segment_service_find(*ret_segment, name, uid, ret_index);
	if (r)
		obs_segment_unlock(*ret_segment);
	return r;
}

int obs_segment_service_set_ttl(const char *path, const char *name, uint32_t uid,
				uint32_t ttl_s)
{
	struct obs_segment *segment;
	uint32_t index;
	int r;

	r = service_open(path, name, uid, &segment, &index);
	if (r)
		return r;
	obs_segment_service(segment, index)->ttl_s = ttl_s;
	obs_segment_unlock(segment);
	return 0;
}

int obs_segment_service_delete(const char *path, const char *name, uint32_t uid)
{
	const struct obs_host_service *service;
	struct obs_segment *segment;
	uint32_t index;
	int r;

	r = service_open(path, name, uid, &segment, &index);
	if (r)
		return r;
	service = obs_segment_service(segment, index);
	if (service->members || service->pinned)
		r = -EBUSY;
	else
		obs_segment_service_end(segment, index);
	obs_segment_unlock(segment);
	return r;
}
