// SPDX-License-Identifier: MIT
/*
 * What a record costs its writer: the log ring, one a thread, beside a ring that
 * all threads share under a mutex and beside LTTng-UST, where it is compiled in and
 * its session is on. All overwrite the oldest; a ring has 1 MiB. What reading the
 * clock alone takes is told as well: no record that has its time is cheaper.
 *
 * usage: bench_ring [ROUNDS]		prints Markdown
 *
 * A record has 16 bytes of head, of which 8 are the time, and data. In each round
 * each way has a turn of about a millisecond in each case, so that what else the
 * machine does meets all of them; the median of the rounds is told. A turn lasts
 * from the first thread's start to the last one's end. Each thread has a processor of
 * its own, if there are enough. A turn is repeated if a thread
 * was preempted, or if the threads did not start together.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <obsring/ring.h>

#include "rows.h"

#ifdef WITH_LTTNG
#define TRACEPOINT_CREATE_PROBES
#define TRACEPOINT_DEFINE
#include "bench_ring_lttng.h"
#endif

#define LINES		16384	/* 1 MiB */
#define THREADS_MAX	2
#define RECORDS		20000	/* of a thread in a turn */
#define TRIES		200	/* of a turn */
#define ROUNDS_MAX	1001
#define DATA_BYTES	240
#define NR(array)	(sizeof(array) / sizeof((array)[0]))

struct writer {
	pthread_t thread;
	struct obsring_ring control __attribute__((aligned(128)));
	struct obs_ring_writer ring;
	__u64 word[OBS_RING_RECORD_WORDS];
	__u64 overwritten;
	__u64 plain_number;
	size_t plain_at;
	unsigned char plain[LINES * 64] __attribute__((aligned(64)));
	__u64 began, ended;
	bool preempted;
};

struct way {
	const char *name;
	void (*write)(struct writer *w, __u32 bytes);
	bool (*ready)(void);
};

static struct writer writers[THREADS_MAX];
static unsigned int nr_threads;
static const struct way *turn_way;
static __u32 turn_bytes;
static pthread_barrier_t turn_begins, turn_ends;
static atomic_uint at_start;
static unsigned int repeated, given_up;

static __u64 clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static inline __u64 cycles(void)
{
#if defined(__x86_64__)
	return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
	__u64 count;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r" (count));
	return count;
#else
	return clock_ns();
#endif
}

/* ---- Ways ---------------------------------------------------------------- */

static void ring_write(struct writer *w, __u64 now, __u32 bytes)
{
	__u32 overwritten = 0;

	w->word[1] = now;
	if (!obs_ring_write(&w->ring, w->word, bytes / 8, &overwritten))
		abort();
	w->overwritten += overwritten;
}

static void ring_cycles(struct writer *w, __u32 bytes)
{
	__u32 i;

	for (i = 0; i < RECORDS; i++)
		ring_write(w, cycles(), bytes);
}

static void ring_clock(struct writer *w, __u32 bytes)
{
	__u32 i;

	for (i = 0; i < RECORDS; i++)
		ring_write(w, clock_ns(), bytes);
}

/* Bytes one after the other; a record that does not fit at the end begins anew. */
static struct {
	pthread_mutex_t lock;
	__u64 number;
	size_t at;
	unsigned char byte[LINES * 64] __attribute__((aligned(64)));
} shared = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void shared_write(struct writer *w, __u64 now, __u32 bytes)
{
	w->word[1] = now;
	pthread_mutex_lock(&shared.lock);
	w->word[0] = shared.number++;
	if (shared.at + bytes > sizeof(shared.byte))
		shared.at = 0;
	memcpy(shared.byte + shared.at, w->word, bytes);
	shared.at += bytes;
	pthread_mutex_unlock(&shared.lock);
}

static void shared_cycles(struct writer *w, __u32 bytes)
{
	__u32 i;

	for (i = 0; i < RECORDS; i++)
		shared_write(w, cycles(), bytes);
}

static void shared_clock(struct writer *w, __u32 bytes)
{
	__u32 i;

	for (i = 0; i < RECORDS; i++)
		shared_write(w, clock_ns(), bytes);
}

/* A thread's own, with nothing in it that tells a reader which record is whole. */
static void plain_write(struct writer *w, __u64 now, __u32 bytes)
{
	w->word[1] = now;
	w->word[0] = w->plain_number++;
	if (w->plain_at + bytes > sizeof(w->plain))
		w->plain_at = 0;
	memcpy(w->plain + w->plain_at, w->word, bytes);
	w->plain_at += bytes;
}

static void plain_cycles(struct writer *w, __u32 bytes)
{
	__u32 i;

	for (i = 0; i < RECORDS; i++)
		plain_write(w, cycles(), bytes);
}

static void plain_clock(struct writer *w, __u32 bytes)
{
	__u32 i;

	for (i = 0; i < RECORDS; i++)
		plain_write(w, clock_ns(), bytes);
}

static void cycles_alone(struct writer *w, __u32 bytes)
{
	__u32 i;

	(void)bytes;
	for (i = 0; i < RECORDS; i++)
		obs_write_once(&w->word[1], cycles());
}

static void clock_alone(struct writer *w, __u32 bytes)
{
	__u32 i;

	(void)bytes;
	for (i = 0; i < RECORDS; i++)
		obs_write_once(&w->word[1], clock_ns());
}

static bool always(void)
{
	return true;
}

#ifdef WITH_LTTNG
static void lttng_write(struct writer *w, __u32 bytes)
{
	const unsigned char *data = (const unsigned char *)(w->word + 2);
	__u32 i;

	if (bytes == 64)
		for (i = 0; i < RECORDS; i++)
			tracepoint(obsring_bench, record64, data);
	else
		for (i = 0; i < RECORDS; i++)
			tracepoint(obsring_bench, record256, data);
}

static bool lttng_ready(void)
{
	return tracepoint_enabled(obsring_bench, record64) &&
	       tracepoint_enabled(obsring_bench, record256);
}
#endif

static const struct way ways[] = {
	{ "ring, cycle counter", ring_cycles, always },
	{ "ring, clock_gettime", ring_clock, always },
	{ "mutex, cycle counter", shared_cycles, always },
	{ "mutex, clock_gettime", shared_clock, always },
	{ "plain ring of a thread, cycle counter", plain_cycles, always },
	{ "plain ring of a thread, clock_gettime", plain_clock, always },
	{ "cycle counter alone", cycles_alone, always },
	{ "clock_gettime alone", clock_alone, always },
#ifdef WITH_LTTNG
	{ "LTTng-UST", lttng_write, lttng_ready },
#endif
};

/* Their order above. */
enum {
	RING_CYCLES, RING_CLOCK, MUTEX_CYCLES, MUTEX_CLOCK, PLAIN_CYCLES, PLAIN_CLOCK,
	CYCLES_ALONE, CLOCK_ALONE, LTTNG
};

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
	struct writer *w = arg;
	long before;

	settle((unsigned int)(w - writers));
	for (;;) {
		pthread_barrier_wait(&turn_begins);
		if (!turn_way)
			return NULL;
		if (w - writers < nr_threads) {
			/* Closer together than the barrier lets them go. */
			atomic_fetch_add(&at_start, 1);
			while (atomic_load(&at_start) < nr_threads)
				;
			before = preemptions();
			w->began = clock_ns();
			turn_way->write(w, turn_bytes);
			w->ended = clock_ns();
			w->preempted = preemptions() != before;
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
		const struct writer *w = &writers[i];

		first = w->began < first ? w->began : first;
		last = w->began > last ? w->began : last;
		end = w->ended > end ? w->ended : end;
		preempted |= w->preempted;
	}
	*ret_ns = (double)(end - first) / RECORDS;
	return !preempted && last - first < (end - first) / 20;
}

static double turn(const struct way *way, unsigned int threads, __u32 bytes)
{
	unsigned int tries = TRIES;
	double ns = 0;

	turn_way = way;
	turn_bytes = bytes;
	nr_threads = threads;
	while (tries--) {
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

static void writers_end(void)
{
	unsigned int i;

	turn_way = NULL;
	pthread_barrier_wait(&turn_begins);
	for (i = 0; i < THREADS_MAX; i++)
		pthread_join(writers[i].thread, NULL);
}

static void writers_start(void)
{
	size_t bytes = LINES * sizeof(struct obsring_line);
	unsigned int i, j;

	pthread_barrier_init(&turn_begins, NULL, THREADS_MAX + 1);
	pthread_barrier_init(&turn_ends, NULL, THREADS_MAX + 1);
	for (i = 0; i < THREADS_MAX; i++) {
		struct writer *w = &writers[i];
		struct obsring_line *line = aligned_alloc(64, bytes);

		if (!line)
			abort();
		memset(line, 0, bytes);
		obs_ring_init(&w->ring, &w->control, line, LINES);
		for (j = 0; j < OBS_RING_RECORD_WORDS; j++)
			w->word[j] = j * 0x9e3779b97f4a7c15ULL;
		if (pthread_create(&w->thread, NULL, run, w))
			abort();
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* ---- The table ----------------------------------------------------------- */

static void cell(double ns, double to)
{
	if (to > 0)
		printf(" %.2f |", ns / to);
	else
		printf(" |");
}

static void rows(__u32 bytes, unsigned int threads, const double *median, const double *best)
{
	double mutex, lttng;
	unsigned int i;

	for (i = 0; i < NR(ways); i++) {
		bool by_cycles = i == RING_CYCLES || i == MUTEX_CYCLES ||
				 i == CYCLES_ALONE;

		if (!ways[i].ready())
			continue;
		mutex = median[by_cycles ? MUTEX_CYCLES : MUTEX_CLOCK];
		lttng = NR(ways) > LTTNG ? median[LTTNG] : 0;
		printf("| %u | %u | %s | %.1f | %.1f |", bytes, threads, ways[i].name, median[i],
		       best[i]);
		cell(median[i], i < MUTEX_CYCLES ? mutex : 0);
		cell(median[i], i < LTTNG ? lttng : 0);
		printf("\n");
	}
}

int main(int argc, char **argv)
{
	static const __u32 sizes[] = { 64, 256 };
	static double ns[NR(sizes)][THREADS_MAX][NR(ways)][ROUNDS_MAX];
	unsigned int rounds = argc > 1 ? atoi(argv[1]) : 101;
	unsigned int round, size, threads, i, turns = 0;

	if (!rounds || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: bench_ring [ROUNDS], 1 to %u\n", ROUNDS_MAX);
		return 2;
	}
	writers_start();
	for (round = 0; round < rounds; round++)
		for (size = 0; size < NR(sizes); size++)
			for (threads = 1; threads <= THREADS_MAX; threads++)
				for (i = 0; i < NR(ways); i++)
					if (ways[i].ready()) {
						ns[size][threads - 1][i][round] =
							turn(&ways[i], threads, sizes[size]);
						turns++;
					}
	writers_end();

	printf("| bytes | threads | way | ns a record | best round | of the mutex's | "
	       "of LTTng's |\n| --- | --- | --- | --- | --- | --- | --- |\n");
	for (size = 0; size < NR(sizes); size++)
		for (threads = 1; threads <= THREADS_MAX; threads++) {
			double median[NR(ways)], best[NR(ways)];

			for (i = 0; i < NR(ways); i++) {
				double *of = ns[size][threads - 1][i];

				qsort(of, rounds, sizeof(*of), compare);
				median[i] = of[rounds / 2];
				best[i] = of[0];
				if (ways[i].ready())
					row_threads(size ? "record_256" : "record_64",
						    ways[i].name, threads, of, rounds);
			}
			rows(sizes[size], threads, median, best);
		}
	printf("\n%u rounds, %u turns; %u were disturbed, and %u taken though they were.\n",
	       rounds, turns, repeated, given_up);
	return 0;
}
