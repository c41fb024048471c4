// SPDX-License-Identifier: MIT
/*
 * Trace context of a thread at full speed: rewritten and remapped by another while it is
 * read, and of threads that come and go.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "context.h"
#include "kernel.h"

#define HOSTILE_ROUND	50	/* records between two looks at the log */
#define HOSTILE_ROUNDS	20

struct hostile {
	struct obsring_context *at;
	bool stop;
	unsigned long sets;
};

static void *hostile_fn(void *arg)
{
	struct hostile *h = arg;

	while (!__atomic_load_n(&h->stop, __ATOMIC_RELAXED))
		trace_set(h->at, 1 + h->sets++ % 255);
	return NULL;
}

/* The tags of all lines of the speaker's in @text, by what they are. */
static void tags_count(const char *text, unsigned int *tagged, unsigned int *none,
		       unsigned int *mixed)
{
	for (; *text; text = strchr(text, '\n') + 1) {
		int k = tag_of(text);

		*tagged += k >= 0;
		*none += k == NONE;
		*mixed += k == MIXED;
	}
}

/* Another thread rewrites the context while it is read: whole ones or none. */
TEST_F(context, rewritten_by_another)
{
	struct hostile hostile = { .at = self->own };
	unsigned int i, tagged = 0, none = 0, mixed = 0;
	pthread_t thread;
	char what[32];

	ASSERT_EQ(0, trace_register(self->fd, self->own));
	drain(self);
	ASSERT_EQ(0, pthread_create(&thread, NULL, hostile_fn, &hostile));
	snprintf(what, sizeof(what), "task %d", HOSTILE_ROUND);
	for (i = 0; i < HOSTILE_ROUNDS || !tagged || !none; i++) {
		ASSERT_EQ(0, say(what));
		tags_count(drain(self), &tagged, &none, &mixed);
	}
	hostile.stop = true;
	pthread_join(thread, NULL);
	EXPECT_EQ(0, mixed);
	EXPECT_LT(0, tagged);
	EXPECT_LT(0, none);
	TH_LOG("%lu sets; %u records tagged, %u met a set", hostile.sets, tagged, none);
}

static unsigned long remapped;

static void *remapping_fn(void *arg)
{
	struct hostile *h = arg;
	size_t page = (size_t)getpagesize();

	while (!__atomic_load_n(&h->stop, __ATOMIC_RELAXED)) {
		mmap(h->at, page, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		trace_set(h->at, 1 + h->sets++ % 255);
		mprotect(h->at, page, PROT_NONE);
		remapped++;
	}
	mmap(h->at, page, PROT_READ | PROT_WRITE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	return NULL;
}

/* Its page comes and goes under the reads. */
TEST_F(context, remapped_by_another)
{
	struct hostile hostile = { .at = self->own };
	unsigned int i, tagged = 0, none = 0, mixed = 0;
	pthread_t thread;
	char what[32];

	ASSERT_EQ(0, trace_register(self->fd, self->own));
	drain(self);
	ASSERT_EQ(0, pthread_create(&thread, NULL, remapping_fn, &hostile));
	snprintf(what, sizeof(what), "locked %d", HOSTILE_ROUND);
	for (i = 0; i < HOSTILE_ROUNDS || !tagged || !none; i++) {
		ASSERT_EQ(0, say(what));
		tags_count(drain(self), &tagged, &none, &mixed);
	}
	hostile.stop = true;
	pthread_join(thread, NULL);
	EXPECT_EQ(0, mixed);
	EXPECT_LT(0, tagged);
	EXPECT_LT(0, none);
	TH_LOG("%lu mappings; %u records tagged, %u not", remapped, tagged, none);
}

#define STORM_THREADS	8	/* at once */
#define STORM_LIVES	60	/* of each, one after the other */

struct storm {
	int fd;
	unsigned long registered, ended, died, wrong;
};

static void *storm_life(void *arg)
{
	static const char line[] = "service=storm x";
	struct storm *storm = arg;
	struct obsring_context own;
	unsigned int i;

	obs_context_init(&own);
	trace_set(&own, 1 + (unsigned int)gettid() % 255);
	for (i = 0; i < 4; i++) {
		if (trace_register(storm->fd, &own) ||
		    write(storm->fd, line, strlen(line)) < 0)
			__atomic_fetch_add(&storm->wrong, 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&storm->registered, 1, __ATOMIC_RELAXED);
		/* The last one is left to the exit. */
		if (i < 3 && !trace_register(storm->fd, NULL))
			__atomic_fetch_add(&storm->ended, 1, __ATOMIC_RELAXED);
	}
	__atomic_fetch_add(&storm->died, 1, __ATOMIC_RELAXED);
	return (void *)(long)gettid();
}

/* Whoever joins it may go on before the module is told of its exit. */
static bool thread_gone(pid_t tid)
{
	return syscall(SYS_tgkill, getpid(), tid, 0) && errno == ESRCH;
}

static void *storm_fn(void *arg)
{
	struct storm *storm = arg;
	pthread_t life;
	unsigned int i;
	void *tid;

	for (i = 0; i < STORM_LIVES; i++) {
		if (pthread_create(&life, NULL, storm_life, storm))
			_exit(1);
		pthread_join(life, &tid);
		if (!await(thread_gone((pid_t)(long)tid)))
			_exit(1);
	}
	return NULL;
}

/* Threads come, register, end it or die with it, on all CPUs at once. */
TEST_F(context, storm)
{
	struct storm storm = { .fd = open(OBSRING_DEVICE, O_RDWR | O_CLOEXEC) };
	pthread_t thread[STORM_THREADS];
	unsigned int tagged = 0, none = 0, mixed = 0;
	int i;

	close(self->fd);
	munmap(self->own, self->page);
	close(storm.fd);
	ASSERT_EQ(0, module_unload("obsring_speaker"));
	/* Room for as many as there are at once: each that leaks is missed. */
	ASSERT_EQ(0, setup(self, "max_contexts=64 log_user_bytes=1048576"));
	storm.fd = open(OBSRING_DEVICE, O_WRONLY | O_CLOEXEC);
	for (i = 0; i < STORM_THREADS; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, storm_fn, &storm));
	for (i = 0; i < STORM_THREADS; i++)
		pthread_join(thread[i], NULL);
	EXPECT_TRUE(threads_gone());
	while (*drain(self))
		tags_count(self->text, &tagged, &none, &mixed);
	EXPECT_EQ(0, storm.wrong);
	EXPECT_EQ(0, mixed);
	EXPECT_EQ(0, none);
	EXPECT_EQ(storm.registered, tagged);
	EXPECT_EQ(STORM_THREADS * STORM_LIVES, storm.died);
	EXPECT_EQ(3 * storm.died, storm.ended);
	EXPECT_EQ(16, crowd_run(self, 20));
	TH_LOG("%lu registered, %lu ended it, %lu died with it, %u tags", storm.registered,
	       storm.ended, storm.died, tagged);
	close(storm.fd);
}

TEST_HARNESS_MAIN
