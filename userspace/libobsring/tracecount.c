// SPDX-License-Identifier: MIT
/*
 * What became of the headers: counts of the process. Threads are spread over some
 * sets of counters, so that they do not fight over cache lines as a rule; where two
 * share one, atomic additions keep both.
 */
#include <pthread.h>

#include "propagate.h"

#define SETS	16

static struct set {
	uint64_t count[OBS_TRACE_RESULTS];
} sets[SETS] __attribute__((aligned(128)));

_Static_assert(sizeof(struct set) <= 128, "a set is a cache line and its neighbour");

/* Its number plus 1; 0: it has none yet. */
static __thread unsigned int own;
static unsigned int nr_given;

static const char *const names[] = {
	[OBS_TRACE_USED_NONE] = "new",
	[OBS_TRACE_USED_W3C] = "w3c",
	[OBS_TRACE_USED_B3_SINGLE] = "b3",
	[OBS_TRACE_USED_B3_MULTI] = "b3_multi",
	[OBS_TRACE_USED_GRPC] = "grpc",
	[OBS_TRACE_DROPPED + 0] = "bad_traceparent",
	[OBS_TRACE_DROPPED + 1] = "bad_tracestate",
	[OBS_TRACE_DROPPED + 2] = "cut_tracestate",
	[OBS_TRACE_DROPPED + 3] = "tracestate_alone",
	[OBS_TRACE_DROPPED + 4] = "bad_b3",
	[OBS_TRACE_DROPPED + 5] = "bad_b3_multi",
	[OBS_TRACE_DROPPED + 6] = "bad_grpc",
	[OBS_TRACE_DROPPED_BAGGAGE] = "bad_baggage",
};

_Static_assert(OBS_TRACE_BAD_GRPC == 1U << 6, "each reason has a name");

static unsigned int set_give(void)
{
	return __atomic_fetch_add(&nr_given, 1, __ATOMIC_RELAXED) % SETS + 1;
}

void obs_trace_count(enum obs_trace_result result)
{
	if (!own)
		own = set_give();
	__atomic_fetch_add(&sets[own - 1].count[result], 1, __ATOMIC_RELAXED);
}

void obs_trace_counts(uint64_t counts[OBS_TRACE_RESULTS])
{
	unsigned int i, set;

	for (i = 0; i < OBS_TRACE_RESULTS; i++) {
		counts[i] = 0;
		for (set = 0; set < SETS; set++)
			counts[i] += __atomic_load_n(&sets[set].count[i], __ATOMIC_RELAXED);
	}
}

const char *obs_trace_result_name(enum obs_trace_result result)
{
	return (unsigned int)result < OBS_TRACE_RESULTS ? names[result] : "";
}

/* What the parent had counted stays with it. */
static void forked(void)
{
	memset(sets, 0, sizeof(sets));
}

__attribute__((constructor))
static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, forked);
}
