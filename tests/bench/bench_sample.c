// SPDX-License-Identifier: MIT
/*
 * What a sampling decision costs: each kind of rule, beside a counter that all
 * threads share, modulo 100, one under a mutex, a generator and a countdown of each thread.
 *
 * usage: bench_sample [ROUNDS]		prints Markdown
 *
 * In each round each way has a turn in each case, so that what else the machine
 * does meets all of them; the median of the rounds is told. A turn lasts from the
 * first thread's start to the last one's end, and is a second to the controller of
 * rates and targets. Each thread has a processor of its own, if there are enough. A turn
 * is repeated if a thread was preempted, or if the threads
 * did not start together.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <obsring/sample_control.h>

#include "rows.h"

#define THREADS_MAX	2
#define DECISIONS	200000	/* of a thread in a turn */
#define TRACES		4096	/* a power of two */
#define TRIES		200	/* of a turn */
#define ROUNDS_MAX	1001
#define CASES		32	/* ways and numbers of threads, or more */
#define NR(array)	(sizeof(array) / sizeof((array)[0]))

#define PERCENT(n)	(OBSRING_THRESHOLD_ONE - (n) * OBSRING_THRESHOLD_ONE / 100)

struct decider {
	pthread_t thread;
	struct obs_sample_rng rng __attribute__((aligned(128)));
	/* One for each case, each beginning at a cache line. */
	struct obs_sample_slot slot[CASES] __attribute__((aligned(128)));
	__u64 randomness[TRACES];
	__u64 kept, weight;
	/* Of ways that are not obsring's: read and written for each event, as the slot is. */
	volatile __u64 wyrand, left;
	unsigned int answer;
	__u64 began, ended;
	bool preempted;
};

struct way {
	const char *name;
	void (*decide)(struct decider *d, unsigned int nr);
	__u32 kind;
	__u64 value;
};

static struct decider deciders[THREADS_MAX];
static struct obs_sample_rule rules[CASES] __attribute__((aligned(128)));
static struct obs_sample_control controls[CASES];
static bool answers[1 << 22];
static unsigned int nr_threads;
static const struct way *turn_way;
static unsigned int turn_case;
static pthread_barrier_t turn_begins, turn_ends;
static atomic_uint at_start;
static unsigned int repeated, given_up;

static __u64 clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* ---- Ways ---------------------------------------------------------------- */

/* Compiled for each caller, as the kernel compiles it where it logs. */
static inline __attribute__((always_inline)) void
decide(struct decider *d, unsigned int nr, bool traced)
{
	struct obs_sample_rule *rule = &rules[nr];
	struct obs_sample_slot *slot = &d->slot[nr];
	__u64 kept = 0, weight = 0, threshold = 0;
	__u32 i;

	/* Two addresses, as a caller has them: none of a field. */
	__asm__ volatile("" : "+r" (rule), "+r" (slot));
	for (i = 0; i < DECISIONS; i++)
		if (obs_sample_decide(rule, slot, &d->rng,
				      traced ? &d->randomness[i % TRACES] : NULL,
				      &threshold)) {
			kept++;
			weight += threshold;
		}
	d->kept += kept;
	d->weight += weight;
}

static void plain(struct decider *d, unsigned int nr)
{
	decide(d, nr, false);
}

static void traced(struct decider *d, unsigned int nr)
{
	decide(d, nr, true);
}

/*
 * Acting on answers that were drawn beforehand, each event's for itself: what a decision
 * at random costs whoever acts on it, however little it costs to decide.
 */
static void drawn(struct decider *d, unsigned int nr)
{
	__u64 kept = 0;
	__u32 i;

	(void)nr;
	for (i = 0; i < DECISIONS; i++)
		if (answers[d->answer++ % NR(answers)]) {
			kept++;
			/* A jump, not a sum. */
			__asm__ volatile("" : "+r" (kept));
		}
	d->kept += kept;
}

static struct {
	atomic_ulong counter __attribute__((aligned(128)));
	pthread_mutex_t lock __attribute__((aligned(128)));
	unsigned long locked;
} shared = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void counter(struct decider *d, unsigned int nr)
{
	__u64 kept = 0;
	__u32 i;

	(void)nr;
	for (i = 0; i < DECISIONS; i++)
		kept += atomic_fetch_add_explicit(&shared.counter, 1,
						  memory_order_relaxed) % 100 == 0;
	d->kept += kept;
}

static void mutex(struct decider *d, unsigned int nr)
{
	__u64 kept = 0;
	__u32 i;

	(void)nr;
	for (i = 0; i < DECISIONS; i++) {
		pthread_mutex_lock(&shared.lock);
		kept += shared.locked++ % 100 == 0;
		pthread_mutex_unlock(&shared.lock);
	}
	d->kept += kept;
}

/* Wang Yi's generator, a number of 64 bits an event, compared. */
static void wyrand(struct decider *d, unsigned int nr)
{
	const __u64 below = ~0ULL / 100;
	__u64 kept = 0;
	__u32 i;

	(void)nr;
	for (i = 0; i < DECISIONS; i++) {
		__u64 state = d->wyrand + 0xa0761d6478bd642fULL;
		unsigned __int128 product = (unsigned __int128)state *
					    (state ^ 0xe7037ed1a0b428dbULL);

		d->wyrand = state;
		if (((__u64)product ^ (__u64)(product >> 64)) < below)
			kept++;
	}
	d->kept += kept;
}

/* Exactly one of 100 of each thread, and which one can be foreseen. */
static void countdown(struct decider *d, unsigned int nr)
{
	__u64 kept = 0;
	__u32 i;

	(void)nr;
	for (i = 0; i < DECISIONS; i++) {
		__u64 left = d->left;

		if (left) {
			d->left = left - 1;
			continue;
		}
		d->left = 99;
		kept++;
	}
	d->kept += kept;
}

static const struct way ways[] = {
	{ "keep", plain, OBSRING_RULE_KEEP, 0 },
	{ "1:100", plain, OBSRING_RULE_ONE_IN, 100 },
	{ "probability 1 %", plain, OBSRING_RULE_PROBABILITY, PERCENT(1) },
	{ "probability 10 %", plain, OBSRING_RULE_PROBABILITY, PERCENT(10) },
	{ "probability 90 %", plain, OBSRING_RULE_PROBABILITY, PERCENT(90) },
	{ "by trace, 1 %", traced, OBSRING_RULE_TRACE, PERCENT(1) },
	{ "by trace, 1 %, event without one", plain, OBSRING_RULE_TRACE, PERCENT(1) },
	{ "rate, 1000 a turn", plain, OBSRING_RULE_RATE, 1000 },
	{ "target, 2000 a turn", plain, OBSRING_RULE_TARGET, 2000 },
	{ "10 % drawn beforehand, acted on", drawn, OBSRING_RULE_UNSPEC, 0 },
	{ "shared counter % 100", counter, OBSRING_RULE_UNSPEC, 0 },
	{ "mutex, counter % 100", mutex, OBSRING_RULE_UNSPEC, 0 },
	{ "wyrand of a thread, 1 %", wyrand, OBSRING_RULE_UNSPEC, 0 },
	{ "countdown of a thread from 100", countdown, OBSRING_RULE_UNSPEC, 0 },
};

static struct obs_sample_slot *slot_of(void *context, unsigned int n)
{
	return &deciders[n].slot[*(unsigned int *)context];
}

/* Before the threads go: the case's rule, or its next period. */
static void prepare(unsigned int way, unsigned int nr, bool first)
{
	struct obs_sample_cpus cpus = { slot_of, &nr, THREADS_MAX };

	if (!ways[way].kind)
		return;
	if (first)
		obs_sample_apply(&controls[nr], &rules[nr], &cpus, ways[way].kind,
				 ways[way].value);
	else if (obs_sample_is_controlled(ways[way].kind))
		obs_sample_control_run(&controls[nr], &rules[nr], &cpus,
				       OBS_SAMPLE_PERIOD_NS);
}

/* ---- Turns --------------------------------------------------------------- */

static long preemptions(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_nivcsw;
}

/* A processor of its own, if there are enough. */
static void settle(unsigned int index)
{
	cpu_set_t all, one;
	unsigned int cpu;

	sched_getaffinity(0, sizeof(all), &all);
	CPU_ZERO(&one);
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all) && index-- == 0)
			CPU_SET(cpu, &one);
	if (CPU_COUNT(&one))
		sched_setaffinity(0, sizeof(one), &one);
}

static void *run(void *arg)
{
	struct decider *d = arg;
	long before;

	settle((unsigned int)(d - deciders));
	for (;;) {
		pthread_barrier_wait(&turn_begins);
		if (!turn_way)
			return NULL;
		if (d - deciders < nr_threads) {
			/* Closer together than the barrier lets them go. */
			atomic_fetch_add(&at_start, 1);
			while (atomic_load(&at_start) < nr_threads)
				;
			before = preemptions();
			d->began = clock_ns();
			turn_way->decide(d, turn_case);
			d->ended = clock_ns();
			d->preempted = preemptions() != before;
		}
		pthread_barrier_wait(&turn_ends);
	}
}

/* What it took; false if something else had a part in it. */
static bool turn_time(double *ret_ns)
{
	__u64 first = ~0ULL, last = 0, end = 0;
	bool preempted = false;
	unsigned int i;

	for (i = 0; i < nr_threads; i++) {
		const struct decider *d = &deciders[i];

		first = d->began < first ? d->began : first;
		last = d->began > last ? d->began : last;
		end = d->ended > end ? d->ended : end;
		preempted |= d->preempted;
	}
	*ret_ns = (double)(end - first) / DECISIONS;
	return !preempted && last - first < (end - first) / 20;
}

static __u64 kept_by_all(void)
{
	unsigned int i;
	__u64 sum = 0;

	for (i = 0; i < THREADS_MAX; i++) {
		sum += deciders[i].kept;
		deciders[i].kept = 0;
	}
	return sum;
}

static double turn(unsigned int way, unsigned int threads)
{
	unsigned int tries = TRIES;
	double ns = 0;

	turn_way = &ways[way];
	turn_case = way * THREADS_MAX + threads - 1;
	nr_threads = threads;
	while (tries--) {
		prepare(way, turn_case, false);
		kept_by_all();
		atomic_store(&at_start, 0);
		pthread_barrier_wait(&turn_begins);
		pthread_barrier_wait(&turn_ends);
		if (turn_time(&ns))
			return ns;
		repeated++;
	}
	given_up++;
	return ns;
}

static void answers_draw(void)
{
	struct obs_sample_rng rng = { clock_ns() };
	size_t i;

	for (i = 0; i < NR(answers); i++)
		answers[i] = obs_sample_random(&rng) % 10 == 0;
}

static void deciders_start(void)
{
	unsigned int i, j;

	pthread_barrier_init(&turn_begins, NULL, THREADS_MAX + 1);
	pthread_barrier_init(&turn_ends, NULL, THREADS_MAX + 1);
	for (i = 0; i < THREADS_MAX; i++) {
		struct decider *d = &deciders[i];

		d->rng.state = clock_ns() * (i + 1);
		d->wyrand = d->rng.state;
		for (j = 0; j < TRACES; j++)
			d->randomness[j] = obs_sample_random(&d->rng) >> 8;
		if (pthread_create(&d->thread, NULL, run, d))
			abort();
	}
}

static void deciders_end(void)
{
	unsigned int i;

	turn_way = NULL;
	pthread_barrier_wait(&turn_begins);
	for (i = 0; i < THREADS_MAX; i++)
		pthread_join(deciders[i].thread, NULL);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* ---- The table ----------------------------------------------------------- */

int main(int argc, char **argv)
{
	static double ns[THREADS_MAX][NR(ways)][ROUNDS_MAX];
	static __u64 kept[THREADS_MAX][NR(ways)];
	unsigned int rounds = argc > 1 ? atoi(argv[1]) : 101;
	unsigned int round, threads, i, turns = 0;

	if (!rounds || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: bench_sample [ROUNDS], 1 to %u\n", ROUNDS_MAX);
		return 2;
	}
	_Static_assert(NR(ways) * THREADS_MAX <= CASES, "each has a case");
	answers_draw();
	deciders_start();
	for (i = 0; i < NR(ways) * THREADS_MAX; i++)
		prepare(i / THREADS_MAX, i, true);
	for (round = 0; round < rounds; round++)
		for (threads = 1; threads <= THREADS_MAX; threads++)
			for (i = 0; i < NR(ways); i++) {
				ns[threads - 1][i][round] = turn(i, threads);
				kept[threads - 1][i] = kept_by_all();
				turns++;
			}
	deciders_end();

	printf("| rule | threads | ns a decision | best round | kept in the last turn |\n"
	       "| --- | --- | --- | --- | --- |\n");
	for (i = 0; i < NR(ways); i++)
		for (threads = 1; threads <= THREADS_MAX; threads++) {
			double *of = ns[threads - 1][i];

			qsort(of, rounds, sizeof(*of), compare);
			printf("| %s | %u | %.2f | %.2f | %llu |\n", ways[i].name, threads,
			       of[rounds / 2], of[0], kept[threads - 1][i]);
			row_threads("sample", ways[i].name, threads, of, rounds);
		}
	printf("\n%u rounds of %u decisions a thread, %u turns; %u were disturbed, and %u taken though they were.\n",
	       rounds, DECISIONS, turns, repeated, given_up);
	return 0;
}
