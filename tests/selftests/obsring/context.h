/* SPDX-License-Identifier: MIT */
/* Trace context of a thread: obsring_speaker that speaks, and the tags of what it said. */
#ifndef SELFTEST_CONTEXT_H
#define SELFTEST_CONTEXT_H

#include <pthread.h>
#include <sys/mman.h>

#include "test.h"
#include "trace.h"

#define TEXT_MAX	(1 << 20)	/* more than any case has written when it looks */
#define NONE		(-1)	/* a record without a tag */
#define NO_RECORD	(-2)
#define MIXED		(-3)	/* a tag that no thread has set */

#define SAY		"/sys/module/obsring_speaker/parameters/say"

FIXTURE(context)
{
	struct obsring_context *own;	/* a page of it */
	size_t page;
	int fd;
	char text[TEXT_MAX];
};

static inline int say(const char *what)
{
	return file_write(SAY, what);
}

static inline int setup(FIXTURE_DATA(context) *self, const char *parameters);

FIXTURE_SETUP(context)
{
	ASSERT_EQ(0, setup(self, ""));
}

FIXTURE_TEARDOWN(context)
{
	trace_register(self->fd, NULL);
	munmap(self->own, self->page);
	close(self->fd);
	EXPECT_EQ(0, module_unload("obsring_speaker"));
}

static inline int setup(FIXTURE_DATA(context) *self, const char *parameters)
{
	int r = module_reload(parameters) ?: module_load("obsring_speaker", "");

	if (r)
		return r;
	self->fd = open(OBSRING_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	self->page = (size_t)getpagesize();
	self->own = mmap(NULL, self->page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return self->fd < 0 || self->own == MAP_FAILED ? -errno : 0;
}

/* ---- What the log says --------------------------------------------------- */

/* All of the log that was not read yet. */
static inline const char *drain(FIXTURE_DATA(context) *self)
{
	size_t len = 0;
	ssize_t n;

	while (len < TEXT_MAX - 1 &&
	       (n = read(self->fd, self->text + len, TEXT_MAX - 1 - len)) > 0)
		len += (size_t)n;
	self->text[len] = 0;
	return self->text;
}

/* Are the @nr bytes at @hex all @k? */
static inline bool all_are(const char *hex, unsigned int nr, unsigned int k)
{
	unsigned int i, byte;

	for (i = 0; i < nr; i++)
		if (sscanf(hex + 2 * i, "%2x", &byte) != 1 || byte != k)
			return false;
	return true;
}

/* The tag of the line that begins at @line. */
static inline int tag_of(const char *line)
{
	size_t len = strcspn(line, "\n");
	const char *trace = memmem(line, len, " trace_id=", 10);
	const char *span = memmem(line, len, " span_id=", 9);
	unsigned int k;

	if (!trace && !span)
		return NONE;
	if (!trace || !span || sscanf(trace + 10, "%2x", &k) != 1 ||
	    !all_are(trace + 10, 16, k) || !all_are(span + 9, 8, k))
		return MIXED;
	return (int)k;
}

/* The tag of the only record of the log's news from @source. */
static inline int only_tag(FIXTURE_DATA(context) *self, const char *source)
{
	const char *at = strstr(drain(self), source);

	if (!at || strstr(at + 1, source))
		return NO_RECORD;
	while (at > self->text && at[-1] != '\n')
		at--;
	return tag_of(at);
}

/* The tag of what the kernel says for this thread @where. */
static inline int tag(FIXTURE_DATA(context) *self, const char *where)
{
	drain(self);
	return say(where) ? NO_RECORD : only_tag(self, " source=speaker ");
}

/*
 * Until this process has one thread: those that were joined are gone, with what they had.
 * pthread_join() returns a little before.
 */
static inline bool threads_gone(void)
{
	return await(file_number("/proc/self/status", "Threads") == 1);
}

struct crowd {
	pthread_barrier_t all;
	struct obsring_context *at;
	int fd, refused, taken;
};

static inline void *crowd_member(void *arg)
{
	struct crowd *crowd = arg;
	int r = trace_register(crowd->fd, crowd->at);

	__atomic_fetch_add(r ? &crowd->refused : &crowd->taken, 1, __ATOMIC_RELAXED);
	pthread_barrier_wait(&crowd->all);
	return r && r != -ENOSPC ? arg : NULL;
}

/* Threads that are registered at the same time: how many could. */
static inline int crowd_run(FIXTURE_DATA(context) *self, unsigned int nr)
{
	struct crowd crowd = { .at = self->own, .fd = self->fd };
	pthread_t thread[32];
	void *failed = NULL, *one;
	unsigned int i;

	pthread_barrier_init(&crowd.all, NULL, nr);
	for (i = 0; i < nr; i++)
		if (pthread_create(&thread[i], NULL, crowd_member, &crowd))
			_exit(1);
	for (i = 0; i < nr; i++) {
		pthread_join(thread[i], &one);
		failed = failed ?: one;
	}
	return failed || !threads_gone() ? -EPROTO : crowd.taken;
}

#endif /* SELFTEST_CONTEXT_H */
