// SPDX-License-Identifier: MIT
/*
 * Services of a segment, as service.h wants them. A gauge's slot is shown at an
 * address of the member's window, where each chunk's share page of this address space
 * is mapped a second time; a child of fork() has its own page put there before it runs
 * on, so that what it adds is not its parent's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <obsring/directory.h>

#include "segment.h"
#include "service.h"

#define NO_ENTRY	OBS_HOST_COMMON

/**
 * struct obs_member - a service that this process attached to
 * @segment: where it is
 * @service: its number
 * @index: its entry, while that has this number
 * @entry: of this process, NO_ENTRY: none was free
 * @pid: whose entry that is
 * @uid: the service's
 * @window: of OBS_HOST_CHUNKS pages
 * @mapped: a share is shown there
 * @name: the service's
 */
struct obs_member {
	struct obs_segment *segment;
	uint32_t service;
	uint32_t index;
	uint32_t entry;
	pid_t pid;
	uint32_t uid;
	uint8_t *window;
	bool mapped[OBS_HOST_CHUNKS];
	char name[OBSRING_NAME_MAX + 1];
};

static struct obs_host_service *service_of(const struct obs_member *member)
{
	struct obs_host_service *service = obs_segment_service(member->segment,
							       member->index);

	return service->state == OBS_HOST_SERVICE && service->number == member->service ?
	       service : NULL;
}

/* ---- Shares -------------------------------------------------------------- */

static uint8_t *chunk_address(const struct obs_member *member, uint32_t chunk)
{
	return member->window + (size_t)chunk * member->segment->view.page_size;
}

/* A second mapping of the page needs no descriptor: one of length 0 is not moved. */
static int chunk_map(struct obs_member *member, uint32_t chunk, uint32_t share)
{
	size_t page = member->segment->view.page_size;
	uint8_t *from = obs_segment_region(member->segment, OBSRING_REGION_SHARE_PAGES);
	void *at;

	at = mremap(from + (size_t)share * page, 0, page, MREMAP_MAYMOVE | MREMAP_FIXED,
		    chunk_address(member, chunk));
	if (at == MAP_FAILED)
		return -errno;
	member->mapped[chunk] = true;
	return 0;
}

static int chunk_show(struct obs_member *member, uint32_t chunk)
{
	uint32_t share;
	int r;

	if (chunk >= OBS_HOST_CHUNKS)
		return -EPROTO;
	if (member->mapped[chunk])
		return 0;
	r = obs_segment_share_get(member->segment, member->service, chunk, member->entry,
				  &share);
	return r ? r : chunk_map(member, chunk, share);
}

/* ---- Attaching ----------------------------------------------------------- */

/* Past all entries: who has none is never known to be gone. */
static void join(struct obs_member *member, struct obs_host_service *service)
{
	member->pid = getpid();
	if (!obs_segment_join(member->segment, member->service, &member->entry))
		return;
	member->entry = NO_ENTRY;
	service->pinned = 1;
}

static int attach_locked(struct obs_member *member, const char *name,
			 const struct obs_service_options *options)
{
	struct obs_segment *segment = member->segment;
	struct obs_host_service *service;
	int r;

	r = obs_segment_service_get(segment, name, member->uid, &member->index);
	if (r)
		return r;
	service = obs_segment_service(segment, member->index);
	member->service = service->number;
	r = obs_segment_join(segment, member->service, &member->entry);
	if (r)
		return r;
	member->pid = getpid();
	if (options->has_ttl)
		service->ttl_s = options->ttl_s;
	obs_segment_service_count(segment, member->index);
	return 0;
}

static int member_attach(struct obs_member *member, const char *name,
			 const struct obs_service_options *options)
{
	int r;

	r = obs_segment_lock(member->segment);
	if (r)
		return r;
	r = attach_locked(member, name, options);
	obs_segment_unlock(member->segment);
	return r;
}

static int segment_attach(int fd, const char *name,
			  const struct obs_service_options *options,
			  struct obs_member **ret_member)
{
	struct obs_member *member = calloc(1, sizeof(*member));
	void *window;
	int r;

	if (!member)
		return -ENOMEM;
	member->uid = geteuid();
	strcpy(member->name, name);
	r = obs_segment_get(fd, &member->segment);
	if (r)
		goto err;
	window = mmap(NULL, (size_t)OBS_HOST_CHUNKS * member->segment->view.page_size,
		      PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	r = window == MAP_FAILED ? -errno : 0;
	if (r)
		goto err;
	member->window = window;
	r = member_attach(member, name, options);
	if (r)
		goto err_window;
	*ret_member = member;
	return 0;

err_window:
	munmap(window, (size_t)OBS_HOST_CHUNKS * member->segment->view.page_size);
err:
	free(member);
	return r;
}

/* ---- Series -------------------------------------------------------------- */

static int place_fill(struct obs_member *member, uint32_t index, struct obs_place *place)
{
	struct obs_segment *segment = member->segment;
	const struct obsring_series *series = obs_segment_series(segment, index);
	uint32_t slots = obs_segment_page_slots(segment), nr_cpus = segment->view.nr_cpus;
	int r;

	*place = (struct obs_place){ .series = index, .nr_slots = series->nr_slots };
	if (series->nr_slots > slots || series->slot > slots - series->nr_slots)
		return -EPROTO;
	if (series->flags & OBSRING_SERIES_SHARES) {
		r = chunk_show(member, series->page);
		if (r)
			return r;
		place->share = (__u64 *)chunk_address(member, series->page) + series->slot;
		return 0;
	}
	if (series->page >= segment->view.region[OBSRING_REGION_SERVICES].limit)
		return -EPROTO;
	place->rows.shared = obs_segment_row(segment, series->page, nr_cpus) + series->slot;
	if (series->rows)
		return 0;
	place->rows.base = obs_segment_row(segment, series->page, 0) + series->slot;
	place->rows.stride = segment->view.page_size;
	place->rows.nr_cpus = nr_cpus;
	return 0;
}

static int metric_locked(struct obs_member *member, const struct obs_family_spec *spec,
			 const char *const *value, struct obs_place *ret_place)
{
	const struct obs_segment_metric metric = {
		.service = member->service,
		.service_name = member->name,
		.uid = member->uid,
		.spec = spec,
		.value = value,
	};
	struct obs_place place;
	uint32_t index;
	bool overflow;
	int r;

	if (!service_of(member))
		return -ESTALE;
	r = obs_segment_metric(member->segment, &metric, &index, &overflow);
	if (!r)
		r = place_fill(member, index, &place);
	if (r)
		return r;
	place.overflow = overflow;
	*ret_place = place;
	return 0;
}

static int segment_metric(struct obs_member *member, const struct obs_family_spec *spec,
			  const char *const *value, struct obs_place *ret_place)
{
	int r;

	r = obs_segment_lock(member->segment);
	if (r)
		return r;
	r = metric_locked(member, spec, value, ret_place);
	obs_segment_unlock(member->segment);
	return r;
}

/* ---- fork, leaving ------------------------------------------------------- */

static void child_joins(struct obs_member *member)
{
	struct obs_host_service *service = service_of(member);
	uint32_t chunk;

	member->entry = NO_ENTRY;
	if (!service)
		return;
	join(member, service);
	for (chunk = 0; chunk < OBS_HOST_CHUNKS; chunk++) {
		if (!member->mapped[chunk])
			continue;
		member->mapped[chunk] = false;
		chunk_show(member, chunk);
	}
	obs_segment_service_count(member->segment, member->index);
}

/* Without a descriptor nothing can be locked: the common shares are there. */
static void child_stays(struct obs_member *member)
{
	struct obs_host_service *service = service_of(member);
	uint32_t chunk, share;

	member->entry = NO_ENTRY;
	if (service)
		service->pinned = 1;
	for (chunk = 0; chunk < OBS_HOST_CHUNKS; chunk++)
		if (member->mapped[chunk] &&
		    !obs_segment_share_get(member->segment, member->service, chunk, NO_ENTRY,
					   &share))
			chunk_map(member, chunk, share);
}

static void segment_forked(struct obs_member *member)
{
	obs_segment_forked(member->segment);
	if (obs_segment_lock(member->segment)) {
		child_stays(member);
		return;
	}
	child_joins(member);
	obs_segment_unlock(member->segment);
}

static int segment_set_ttl(struct obs_member *member, int fd, const char *name,
			   uint32_t ttl_s)
{
	struct obs_host_service *service;
	int r;

	(void)fd;
	(void)name;
	r = obs_segment_lock(member->segment);
	if (r)
		return r;
	service = service_of(member);
	if (service)
		service->ttl_s = ttl_s;
	obs_segment_unlock(member->segment);
	return service ? 0 : -ESTALE;
}

static void segment_detach(struct obs_member *member)
{
	struct obs_segment *segment = member->segment;

	/* Of a child that fork() did not tell of, the entry is its parent's. */
	if (member->pid == getpid() && member->entry != NO_ENTRY &&
	    !obs_segment_lock(segment)) {
		obs_segment_leave(segment, member->entry);
		if (service_of(member))
			obs_segment_service_count(segment, member->index);
		obs_segment_unlock(segment);
	}
	munmap(member->window, (size_t)OBS_HOST_CHUNKS * segment->view.page_size);
	free(member);
}

const struct obs_backend obs_segment_backend = {
	.attach = segment_attach,
	.metric = segment_metric,
	.forked = segment_forked,
	.set_ttl = segment_set_ttl,
	.detach = segment_detach,
};
