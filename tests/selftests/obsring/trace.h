/* SPDX-License-Identifier: MIT */
/* Contexts that describe themselves, by each of their bytes: a mix is seen. */
#ifndef SELFTEST_TRACE_H
#define SELFTEST_TRACE_H

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>

#include <obsring/context.h>

/* Give @c context number @k, 1 to 255. */
static inline void trace_set(struct obsring_context *c, unsigned int k)
{
	struct obs_context to = { .trace.flags = (__u8)k };

	memset(to.trace.trace_id, (int)k, sizeof(to.trace.trace_id));
	memset(to.trace.span_id, (int)k, sizeof(to.trace.span_id));
	obs_context_set(c, &to);
}

/* Tell where this thread's is; NULL ends it. 0 or -errno. */
static inline int trace_register(int fd, const void *at)
{
	__u64 address = (uintptr_t)at;

	return ioctl(fd, OBSRING_IOC_CONTEXT, &address) ? -errno : 0;
}

#endif /* SELFTEST_TRACE_H */
