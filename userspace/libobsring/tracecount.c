// SPDX-License-Identifier: MIT
/*
 * What became of the headers: counts of the process, until a service has them. Threads
 * are spread over some sets of counters, so that they do not fight over cache lines as
 * a rule; where two share one, atomic additions keep both.
 *
 * Publishing loses nothing that is counted meanwhile, and counts nothing twice. A set
 * is paid to the service by taking all that is in it:
 *
 *      count                           publish
 *        add to the set                  store the service's counter
 *        counter there? pay the set      pay all sets
 *
 * Each is sequentially consistent: the one who adds sees the counter, or the one who
 * pays sees what was added.
 */
#include <pthread.h>

#include <obsring/name.h>

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

/* Where the result is published; NULL: nowhere. */
static struct obs_counter *published[OBS_TRACE_RESULTS];

static void pay(struct set *set, unsigned int result, struct obs_counter *counter)
{
	uint64_t n = __atomic_exchange_n(&set->count[result], 0, __ATOMIC_SEQ_CST);

	if (n)
		obs_counter_add(counter, n);
}

void obs_trace_count(enum obs_trace_result result)
{
	struct obs_counter *counter = __atomic_load_n(&published[result], __ATOMIC_ACQUIRE);

	if (counter) {
		obs_counter_add(counter, 1);
		return;
	}
	if (!own)
		own = set_give();
	__atomic_fetch_add(&sets[own - 1].count[result], 1, __ATOMIC_SEQ_CST);
	counter = __atomic_load_n(&published[result], __ATOMIC_SEQ_CST);
	if (counter)
		pay(&sets[own - 1], result, counter);
}

static void publish(struct obs_counter *const counters[OBS_TRACE_RESULTS])
{
	unsigned int i, set;

	for (i = 0; i < OBS_TRACE_RESULTS; i++) {
		__atomic_store_n(&published[i], counters[i], __ATOMIC_SEQ_CST);
		for (set = 0; counters[i] && set < SETS; set++)
			pay(&sets[set], i, counters[i]);
	}
}

int obs_trace_publish(struct obs_service *service)
{
	static const char *const label = OBS_LABEL_TRACE_CONTEXT;
	static const struct obs_family_spec spec = {
		.name = OBS_NAME_TRACE_CONTEXT,
		.help = "Requests by where their trace context came from, and headers with one by why they were not used.",
		.nr_labels = 1,
		.label = &label,
	};
	struct obs_counter *counters[OBS_TRACE_RESULTS] = { NULL };
	unsigned int i;
	int r = 0;

	for (i = 0; service && i < OBS_TRACE_RESULTS && r >= 0; i++)
		r = obs_counter_new(service, &spec, &names[i], &counters[i]);
	if (r < 0)
		return r;
	publish(counters);
	return 0;
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
