// SPDX-License-Identifier: MIT
/*
 * Services of the device: section 7 of <linux/obsring.h>. The mapping is inherited by
 * fork(), and shows a child a share page of its own at the same address: the kernel
 * sees to that.
 *
 * The descriptor is needed for each new series, for as long as the service is
 * attached, and programs that close all their descriptors close it: what stands at
 * its number is looked at before it is used.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service.h"

#define TEXT_MAX	8192

/**
 * struct obs_member - an attached service
 * @next: in the list of all
 * @fd: of the service; -1: it was closed by someone
 * @st: what fstat() says of it
 * @base: the mapping
 * @bytes: of it
 * @page_size: of the machine
 * @nr_cpus: rows of CPUs; everyone's comes behind
 * @value_pages: of the mapping
 * @share_pages: behind those
 */
struct obs_member {
	struct obs_member *next;
	int fd;
	struct stat st;
	uint8_t *base;
	size_t bytes;
	uint32_t page_size, nr_cpus;
	uint32_t value_pages, share_pages;
};

static struct obs_member *members;	/* under the services' lock */

int obs_fd_keep(int fd)
{
	static const int lowest[] = { 512, 64, 0 };
	int kept = -1;
	size_t i;

	for (i = 0; kept < 0 && i < sizeof(lowest) / sizeof(lowest[0]); i++)
		kept = fcntl(fd, F_DUPFD_CLOEXEC, lowest[i]);
	/* There may be no room for a second one. */
	if (kept < 0)
		return fd;
	close(fd);
	return kept;
}

/* Is the descriptor what it was? All of the device's services have one inode. */
static bool fd_is_ours(const struct obs_member *member)
{
	struct stat st;

	return member->fd >= 0 && !fstat(member->fd, &st) &&
	       st.st_dev == member->st.st_dev && st.st_ino == member->st.st_ino &&
	       st.st_mode == member->st.st_mode && st.st_rdev == member->st.st_rdev;
}

/* A number that another service's descriptor has now was closed behind our back. */
static void fd_taken(int fd)
{
	struct obs_member *member;

	for (member = members; member; member = member->next)
		if (member->fd == fd)
			member->fd = -1;
}

static int attach_error(int error)
{
	switch (error) {
	case ENOTTY:
		return -EPROTO;
	case EPERM:
		return -EACCES;
	default:
		return -error;
	}
}

static bool attach_valid(const struct obs_member *member)
{
	uint64_t pages = (uint64_t)member->value_pages * (member->nr_cpus + 1ULL) +
			 member->share_pages;

	return member->bytes && member->bytes / member->page_size >= pages;
}

static int member_map(struct obs_member *member)
{
	void *base;

	if (!attach_valid(member) || fstat(member->fd, &member->st) < 0)
		return -EPROTO;
	base = mmap(NULL, member->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, member->fd, 0);
	if (base == MAP_FAILED)
		return -errno;
	member->base = base;
	return 0;
}

static int attach_ask(int fd, const char *name, bool has_ttl, uint32_t ttl_s,
		      struct obsring_attach *attach)
{
	*attach = (struct obsring_attach){
		.size = sizeof(*attach),
		.flags = has_ttl ? OBSRING_ATTACH_TTL : 0,
		.ttl_s = ttl_s,
	};
	strcpy(attach->name, name);
	return ioctl(fd, OBSRING_IOC_ATTACH, attach) ? attach_error(errno) : 0;
}

static int device_attach(int fd, const char *name,
			 const struct obs_service_options *options,
			 struct obs_member **ret_member)
{
	struct obsring_attach attach;
	struct obs_member *member;
	int r;

	member = calloc(1, sizeof(*member));
	if (!member)
		return -ENOMEM;
	r = attach_ask(fd, name, options->has_ttl, options->ttl_s, &attach);
	if (r) {
		free(member);
		return r;
	}
	member->fd = obs_fd_keep(attach.fd);
	member->page_size = (uint32_t)sysconf(_SC_PAGESIZE);
	member->bytes = attach.map_bytes;
	member->nr_cpus = attach.nr_cpus;
	member->value_pages = attach.value_pages;
	member->share_pages = attach.share_pages;
	r = member_map(member);
	if (r) {
		close(member->fd);
		free(member);
		return r;
	}
	fd_taken(member->fd);
	member->next = members;
	members = member;
	*ret_member = member;
	return 0;
}

static int device_set_ttl(struct obs_member *member, int fd, const char *name,
			  uint32_t ttl_s)
{
	struct obsring_attach attach;
	int r;

	(void)member;
	r = attach_ask(fd, name, true, ttl_s, &attach);
	if (!r)
		close(attach.fd);
	return r;
}

/* Strings, each with its NUL. What does not fit was refused by obs_spec_check(). */
struct text {
	char byte[TEXT_MAX];
	uint32_t len;
};

static void text_add(struct text *text, const char *s)
{
	size_t n = s ? strlen(s) : 0;

	memcpy(text->byte + text->len, s ? s : "", n + 1);
	text->len += (uint32_t)n + 1;
}

static void text_fill(struct text *text, const struct obs_family_spec *spec,
		      const char *const *value)
{
	unsigned int i;

	text->len = 0;
	text_add(text, spec->name);
	text_add(text, spec->help);
	text_add(text, spec->unit);
	for (i = 0; i < spec->nr_labels; i++)
		text_add(text, spec->label[i]);
	for (i = 0; i < spec->nr_labels; i++)
		text_add(text, value[i]);
	for (i = 0; i < spec->nr_states; i++)
		text_add(text, spec->state[i]);
}

static bool is_exponential(const struct obs_family_spec *spec)
{
	return spec->kind == OBSRING_KIND_HISTOGRAM && !spec->nr_bounds;
}

static struct obsring_metric metric_from(const struct obs_family_spec *spec,
					 const struct text *text)
{
	struct obsring_metric metric = {
		.size = sizeof(metric),
		.kind = spec->kind,
		.nr_labels = (__u8)spec->nr_labels,
		.exp10 = (__s8)spec->exp10,
		.schema = -1,
		.flags = spec->set ? OBSRING_METRIC_SET : 0,
		.nr_bounds = spec->nr_bounds,
		.nr_states = spec->nr_states,
		.text_len = text->len,
		.text = (uintptr_t)text->byte,
		.bounds = (uintptr_t)spec->bound,
	};

	if (is_exponential(spec)) {
		metric.schema = (__s8)spec->schema;
		metric.min_log2 = (__s16)spec->min_log2;
		metric.max_log2 = (__s16)spec->max_log2;
	}
	return metric;
}

static bool metric_valid(const struct obs_member *member,
			 const struct obsring_metric *metric)
{
	uint32_t page_slots = member->page_size / sizeof(__u64);

	return metric->page < (metric->flags & OBSRING_METRIC_SHARES ?
			       member->share_pages : member->value_pages) &&
	       metric->nr_slots <= page_slots &&
	       metric->slot <= page_slots - metric->nr_slots;
}

static __u64 *slot_at(const struct obs_member *member, uint64_t page, uint32_t slot)
{
	return (__u64 *)(member->base + page * member->page_size) + slot;
}

static void place_fill(const struct obs_member *member,
		       const struct obsring_metric *metric, struct obs_place *place)
{
	uint32_t rows = member->nr_cpus + 1;
	uint64_t first = (uint64_t)metric->page * rows;

	*place = (struct obs_place){
		.series = metric->series,
		.nr_slots = metric->nr_slots,
		.overflow = metric->flags & OBSRING_METRIC_OVERFLOW,
	};
	if (metric->flags & OBSRING_METRIC_SHARES) {
		place->share = slot_at(member,
				       (uint64_t)member->value_pages * rows + metric->page,
				       metric->slot);
		return;
	}
	place->rows.stride = member->page_size;
	place->rows.base = slot_at(member, first, metric->slot);
	place->rows.shared = slot_at(member, first + member->nr_cpus, metric->slot);
	if (!(metric->flags & OBSRING_METRIC_SINGLE))
		place->rows.nr_cpus = member->nr_cpus;
}

static int device_metric(struct obs_member *member, const struct obs_family_spec *spec,
			 const char *const *value, struct obs_place *ret_place)
{
	struct obsring_metric metric;
	struct text text;
	int r;

	if (!fd_is_ours(member))
		return -EBADF;
	text_fill(&text, spec, value);
	metric = metric_from(spec, &text);
	do
		r = ioctl(member->fd, OBSRING_IOC_METRIC, &metric);
	while (r && errno == EINTR);
	if (r)
		return errno == ENOTTY ? -EBADF : -errno;
	if (!metric_valid(member, &metric))
		return -EPROTO;
	place_fill(member, &metric, ret_place);
	return 0;
}

/* Does the number still name a service? Other files know no such request. */
static bool fd_is_service(const struct obs_member *member)
{
	struct obsring_metric none = { .size = 0 };

	return fd_is_ours(member) && ioctl(member->fd, OBSRING_IOC_METRIC, &none) &&
	       errno != ENOTTY;
}

static void device_detach(struct obs_member *member)
{
	struct obs_member **at = &members;

	while (*at != member)
		at = &(*at)->next;
	*at = member->next;
	munmap(member->base, member->bytes);
	if (fd_is_service(member))
		close(member->fd);
	free(member);
}

const struct obs_backend obs_device_backend = {
	.attach = device_attach,
	.metric = device_metric,
	.set_ttl = device_set_ttl,
	.detach = device_detach,
};
