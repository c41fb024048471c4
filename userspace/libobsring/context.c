// SPDX-License-Identifier: MIT
/*
 * The calling thread's trace context, for the kernel and for what the thread itself
 * logs in a hosted segment. The memory that the kernel is told of is the thread's own,
 * from the first set on until a key's destructor has taken it back: what the kernel may
 * still read is never given back. It is written whether the kernel knows of it or not.
 * The device is open only while it is told, so that a traced process does not keep the
 * module.
 *
 * A child of fork() has its parent's memory and no registration: the one thread
 * that it has begins anew, without a context, with its next set.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <obsring.h>
#include <obsring/logline.h>

#include "context.h"

/* What a set looks at is at a fixed distance from the thread's pointer. */
static __thread struct {
	struct obsring_context *context;
	bool registered;		/* the kernel knows it */
	int error;			/* why not, from the last try */
} self __attribute__((tls_model("initial-exec")));

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static int once_error;

/* @context NULL: no more. */
static int tell(const struct obsring_context *context)
{
	__u64 address = (uintptr_t)context;
	int fd, r;

	fd = open(OBSRING_DEVICE, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = ioctl(fd, OBSRING_IOC_CONTEXT, &address) ? -errno : 0;
	close(fd);
	return r;
}

static void thread_ends(void *unused)
{
	(void)unused;
	if (!self.registered || !tell(NULL))
		free(self.context);
	self.context = NULL;
	self.registered = false;
}

static void child_begins(void)
{
	self.registered = false;
	self.error = 0;
	if (self.context)
		obs_context_init(self.context);
}

static void prepare(void)
{
	once_error = pthread_key_create(&key, thread_ends);
	if (!once_error)
		once_error = pthread_atfork(NULL, NULL, child_begins);
}

static int thread_register(void)
{
	int r;

	pthread_once(&once, prepare);
	if (once_error)
		return -once_error;
	if (!self.context) {
		self.context = aligned_alloc(64, sizeof(*self.context));
		if (!self.context)
			return -ENOMEM;
	}
	/* Any value: without one there is no destructor. */
	r = pthread_setspecific(key, &self);
	if (r)
		return -r;
	obs_context_init(self.context);
	return tell(self.context);
}

int obs_trace_register(void)
{
	self.error = thread_register();
	/* What was registered may still be. */
	if (!self.error)
		self.registered = true;
	return self.error;
}

static int set(const struct obs_context *to)
{
	if (!self.registered && !self.error)
		obs_trace_register();
	if (self.context && !obs_context_set(self.context, to))
		return -EBUSY;
	return self.registered ? 0 : self.error;
}

int obs_trace_set_ids(const uint8_t trace_id[16], const uint8_t span_id[8], uint8_t flags)
{
	struct obs_context to = { .trace.flags = flags };

	memcpy(to.trace.trace_id, trace_id, sizeof(to.trace.trace_id));
	memcpy(to.trace.span_id, span_id, sizeof(to.trace.span_id));
	return set(&to);
}

int obs_trace_set(const struct obs_trace_context *context)
{
	struct obs_context to = {
		.trace.flags = context->flags,
		.has_rv = context->has_rv,
		.rv = context->rv,
	};

	memcpy(to.trace.trace_id, context->trace_id, sizeof(to.trace.trace_id));
	memcpy(to.trace.span_id, context->span_id, sizeof(to.trace.span_id));
	return set(&to);
}

int obs_trace_set_traceparent(const char *text)
{
	struct obs_context to = { 0 };
	size_t len = strlen(text);

	if (len > OBSRING_MESSAGE_MAX ||
	    !obs_logline_traceparent(text, (__u32)len, &to.trace))
		return -EINVAL;
	return set(&to);
}

void obs_trace_clear(void)
{
	if (self.context)
		obs_context_clear(self.context);
}

bool obs_context_own(struct obs_context *ret)
{
	return self.context && obs_context_parse(self.context, ret);
}
