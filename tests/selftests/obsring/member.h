/* SPDX-License-Identifier: MIT */
/* A member that means no good, on the ioctls, below the library. */
#ifndef SELFTEST_MEMBER_H
#define SELFTEST_MEMBER_H

#include <sys/ioctl.h>
#include <sys/mman.h>

#include "service.h"
#include "test.h"

#define SERVICE	"hostile"
#define ME	0

FIXTURE(member)
{
	struct obs_control *control;
	int device;
	struct obsring_attach attach;
	uint8_t *base;
	size_t page;
};

static inline int attach(int device, const char *name, struct obsring_attach *ret_attach)
{
	struct obsring_attach attach = { .size = sizeof(attach) };

	strcpy(attach.name, name);
	if (ioctl(device, OBSRING_IOC_ATTACH, &attach))
		return -errno;
	*ret_attach = attach;
	return 0;
}

static inline uint8_t *map(const struct obsring_attach *attach)
{
	return mmap(NULL, attach->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		    attach->fd, 0);
}

FIXTURE_SETUP(member)
{
	ASSERT_EQ(0, obs_control_open(&self->control));
	services_clear(self->control);
	self->page = (size_t)getpagesize();
	self->device = open(OBSRING_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->device);
	ASSERT_EQ(0, attach(self->device, SERVICE, &self->attach));
	self->base = map(&self->attach);
	ASSERT_NE(MAP_FAILED, self->base);
}

FIXTURE_TEARDOWN(member)
{
	munmap(self->base, self->attach.map_bytes);
	close(self->attach.fd);
	close(self->device);
	services_clear(self->control);
	obs_control_close(self->control);
}

/* ---- Making series without the library ----------------------------------- */

static char text[512];

/* name, "help", no unit, and a label "l" with a value, if that is not NULL. */
static inline uint32_t text_make(const char *name, const char *value)
{
	size_t n = (size_t)sprintf(text, "%s%chelp%c", name, 0, 0) + 1;

	if (value)
		n += (size_t)sprintf(text + n, "l%c%s", 0, value) + 1;
	return (uint32_t)n;
}

static inline struct obsring_metric metric_make(unsigned int kind, const char *name,
						const char *value)
{
	return (struct obsring_metric){
		.size = sizeof(struct obsring_metric),
		.kind = (uint8_t)kind,
		.nr_labels = !!value,
		.text_len = text_make(name, value),
		.text = (uintptr_t)text,
	};
}

static inline int ask(int fd, struct obsring_metric *m)
{
	return ioctl(fd, OBSRING_IOC_METRIC, m) ? -errno : 0;
}

static inline int counter_make(int fd, const char *name, const char *value,
			       struct obsring_metric *m)
{
	*m = metric_make(OBSRING_KIND_COUNTER, name, value);
	return ask(fd, m);
}

static inline int gauge_make(int fd, const char *name, struct obsring_metric *m)
{
	*m = metric_make(OBSRING_KIND_GAUGE, name, NULL);
	return ask(fd, m);
}

static inline uint64_t *row(const struct obsring_attach *attach, uint8_t *base, uint32_t page,
			    uint32_t cpu)
{
	return (uint64_t *)(base + ((uint64_t)page * (attach->nr_cpus + 1) + cpu) *
			    (uint64_t)getpagesize());
}

static inline uint64_t *share(const struct obsring_attach *attach, uint8_t *base, uint32_t page)
{
	return (uint64_t *)(base + ((uint64_t)attach->value_pages * (attach->nr_cpus + 1) +
				    page) * (uint64_t)getpagesize());
}

static inline int map_as(const struct obsring_attach *a, size_t bytes, int prot, int flags,
			 off_t offset)
{
	void *p = mmap(NULL, bytes, prot, flags, a->fd, offset);

	if (p == MAP_FAILED)
		return -errno;
	munmap(p, bytes);
	return 0;
}

#endif /* SELFTEST_MEMBER_H */
