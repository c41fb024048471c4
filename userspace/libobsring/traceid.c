// SPDX-License-Identifier: MIT
/*
 * New ids: xoshiro256++ (Blackman and Vigna, 2019), a generator for each thread,
 * seeded from the kernel's. A child of fork seeds its own anew, or it would give
 * out its parent's ids.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/random.h>
#include <time.h>

#include "propagate.h"

/**
 * struct generator - of a thread
 * @forks: what @forks_seen was when it was seeded, plus 1; 0: never
 * @state: not all 0
 */
struct generator {
	unsigned int forks;
	uint64_t state[4];
};

static __thread struct generator generator;
static unsigned int forks_seen;

static void forked(void)
{
	__atomic_fetch_add(&forks_seen, 1, __ATOMIC_RELAXED);
}

__attribute__((constructor))
static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, forked);
}

/* Where the kernel gives nothing: no two threads at the same place and time. */
static void seed_poorly(uint64_t state[4])
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	state[0] = (uint64_t)now.tv_sec;
	state[1] = (uint64_t)now.tv_nsec;
	state[2] = (uint64_t)(uintptr_t)&generator;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	state[3] = (uint64_t)now.tv_nsec | 1;
}

static void seed(struct generator *g, unsigned int forks)
{
	ssize_t n;

	do {
		n = getrandom(g->state, sizeof(g->state), 0);
	} while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(g->state) ||
	    obs_id_is_zero((const uint8_t *)g->state, sizeof(g->state)))
		seed_poorly(g->state);
	g->forks = forks;
}

static uint64_t rotate(uint64_t n, int bits)
{
	return n << bits | n >> (64 - bits);
}

static uint64_t next(void)
{
	unsigned int forks = __atomic_load_n(&forks_seen, __ATOMIC_RELAXED) + 1;
	struct generator *g = &generator;
	uint64_t *s = g->state, result, old = s[1];

	if (g->forks != forks) {
		seed(g, forks);
		old = s[1];
	}
	result = rotate(s[0] + s[3], 23) + s[0];
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= old << 17;
	s[3] = rotate(s[3], 45);
	return result;
}

static void span_id_new(struct obs_trace_context *context)
{
	uint64_t id;

	do {
		id = next();
	} while (!id);
	memcpy(context->span_id, &id, sizeof(id));
}

void obs_trace_new(struct obs_trace_context *context, bool sampled)
{
	uint64_t id[2] = { next(), 0 };

	do {
		id[1] = next();
	} while (!id[1]);
	memset(context, 0, offsetof(struct obs_trace_context, tracestate) + 1);
	memcpy(context->trace_id, id, sizeof(id));
	span_id_new(context);
	context->flags = OBS_TRACE_RANDOM | (sampled ? OBS_TRACE_SAMPLED : 0);
}

void obs_trace_child(struct obs_trace_context *context)
{
	span_id_new(context);
}
