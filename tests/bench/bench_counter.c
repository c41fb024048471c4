// SPDX-License-Identifier: MIT
/*
 * What an update costs a process: of a service's series, beside a word that all threads
 * share, one under a mutex, one a processor by rseq, one that is found by its labels' text
 * under locks, the library whose method that is, where it is compiled in, and the Go client.
 *
 * usage: bench_counter [ROUNDS [PEER]]		prints Markdown
 *
 * PEER is a program that answers lines "WAY THREADS UPDATES" by nanoseconds an update
 * (tests/bench/counter). In each round each way has a turn in each case, so that what
 * else the machine does meets all of them; the median of the rounds is told. Each thread
 * has a processor of its own. A turn lasts from the first thread's start to the last
 * one's end. It is repeated if a thread was preempted, or if the threads did not start
 * together (of the peer's: if it took a tenth more time than processor time).
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <obsring.h>

#include "labelled.h"
#include "rows.h"
#include "rseq_add.h"

#ifdef WITH_PROM
#include <prom.h>
#endif

#define THREADS_MAX	2
#define TRIES		100	/* of a turn */
#define ROUNDS_MAX	1001
#define NR(array)	(sizeof(array) / sizeof((array)[0]))

static const uint64_t bounds[] = { 1, 3, 10, 30, 100, 300, 1000, 3000, 10000, 30000 };
static const char *const labels[] = { "method", "code", "path" };
static const char *const values[] = { "GET", "200", "/api/v1/things" };

static struct {
	struct obs_service *service;
	struct obs_counter *counter;
	struct obs_gauge *gauge, *set;
	struct obs_histogram *histogram;
} obs;

static const struct obs_family_spec counter_spec = {
	.name = "bench_requests_total", .nr_labels = 3, .label = labels,
};

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "bench_counter: %s\n", what);
	exit(1);
}

/* ---- Ways ---------------------------------------------------------------- */

static void rows(unsigned int n)
{
	while (n--)
		obs_counter_add(obs.counter, 1);
}

static void called(unsigned int n)
{
	while (n--)
		(obs_counter_add)(obs.counter, 1);
}

static void found(unsigned int n)
{
	struct obs_counter *counter;

	while (n--) {
		if (obs_counter_new(obs.service, &counter_spec, values, &counter))
			abort();
		obs_counter_add(counter, 1);
	}
}

static void histogram(unsigned int n)
{
	while (n--)
		obs_histogram_observe(obs.histogram, n & 0xffff);
}

static void gauge(unsigned int n)
{
	while (n--)
		obs_gauge_add(obs.gauge, 1);
}

static void gauge_set(unsigned int n)
{
	while (n--)
		obs_gauge_set(obs.set, n);
}

static struct {
	atomic_ulong word __attribute__((aligned(128)));
	pthread_mutex_t lock __attribute__((aligned(128)));
	unsigned long locked;
} shared = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void atomic_word(unsigned int n)
{
	while (n--)
		atomic_fetch_add_explicit(&shared.word, 1, memory_order_relaxed);
}

static void mutex(unsigned int n)
{
	while (n--) {
		pthread_mutex_lock(&shared.lock);
		shared.locked++;
		pthread_mutex_unlock(&shared.lock);
	}
}

#ifdef WITH_RSEQ
static struct rseq_word rseq_words[RSEQ_CPUS];
static atomic_ulong rseq_wanted;

static void rseq(unsigned int n)
{
	atomic_fetch_add(&rseq_wanted, n);
	while (n--)
		rseq_add(rseq_words, 1);
}

static void rseq_check(void)
{
	unsigned long sum = 0;
	unsigned int i;

	for (i = 0; i < RSEQ_CPUS; i++)
		sum += rseq_words[i].value;
	must(sum == rseq_wanted, "rseq: updates were lost");
}
#endif

static void by_labels(unsigned int n)
{
	while (n--)
		labelled_inc();
}

#ifdef WITH_PROM
static prom_counter_t *prom;

static void by_prom(unsigned int n)
{
	while (n--)
		prom_counter_inc(prom, (const char **)values);
}
#endif

struct way {
	const char *name;
	void (*update)(unsigned int n);
	const char *peer;	/* in place of it: what the peer calls it */
	unsigned int updates;	/* of a thread in a turn */
};

static const struct way ways[] = {
	{ "`obs_counter_add()`", rows, NULL, 200000 },
	{ "`(obs_counter_add)()`, a call of the library", called, NULL, 200000 },
	{ "`obs_histogram_observe()`", histogram, NULL, 200000 },
	{ "`obs_gauge_add()`", gauge, NULL, 200000 },
	{ "`obs_gauge_set()`", gauge_set, NULL, 200000 },
	{ "`obs_counter_new()` of a known series and `obs_counter_add()`", found, NULL, 20000 },
	{ "a word shared by all threads, atomic", atomic_word, NULL, 100000 },
	{ "a word under a pthread mutex", mutex, NULL, 50000 },
#ifdef WITH_RSEQ
	{ "a word a processor, rseq", rseq, NULL, 200000 },
#endif
	{ "method of prometheus-client-c, 3 labels", by_labels, NULL, 5000 },
#ifdef WITH_PROM
	{ "prometheus-client-c, 3 labels", by_prom, NULL, 5000 },
#endif
	{ "Go client, `Inc()`", NULL, "inc", 100000 },
	{ "Go client, `WithLabelValues().Inc()`, 3 labels", NULL, "with", 20000 },
};

/* ---- The peer ------------------------------------------------------------ */

static FILE *peer_in, *peer_out;

static void peer_start(char *program)
{
	int in[2], out[2];

	must(!pipe(in) && !pipe(out), "pipe");
	if (!fork()) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		close(in[1]);
		close(out[0]);
		execl(program, program, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	peer_in = fdopen(in[1], "w");
	peer_out = fdopen(out[0], "r");
}

static double peer_ask(const struct way *way, unsigned int threads, bool *ret_good)
{
	double wall_ns, cpu_ns;

	fprintf(peer_in, "%s %u %u\n", way->peer, threads, way->updates);
	fflush(peer_in);
	must(fscanf(peer_out, "%lf %lf", &wall_ns, &cpu_ns) == 2, "the peer does not answer");
	*ret_good = wall_ns * threads < cpu_ns * 1.1;
	return wall_ns;
}

/* ---- Turns --------------------------------------------------------------- */

struct worker {
	pthread_t thread;
	uint64_t began, ended;
	bool preempted;
} __attribute__((aligned(128)));

static struct worker workers[THREADS_MAX];
static unsigned int nr_threads;
static const struct way *turn_way;
static pthread_barrier_t turn_begins, turn_ends;
static atomic_uint at_start;
static unsigned int repeated, given_up;

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

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
	struct worker *w = arg;
	long before;

	settle((unsigned int)(w - workers));
	for (;;) {
		pthread_barrier_wait(&turn_begins);
		if (!turn_way)
			return NULL;
		if (w - workers < nr_threads) {
			/* Closer together than the barrier lets them go. */
			before = preemptions();
			atomic_fetch_add(&at_start, 1);
			while (atomic_load(&at_start) < nr_threads)
				;
			w->began = clock_ns();
			turn_way->update(turn_way->updates);
			w->ended = clock_ns();
			w->preempted = preemptions() != before;
		}
		pthread_barrier_wait(&turn_ends);
	}
}

/* What it took; false if something else had a part in it. */
static bool turn_time(double *ret_ns)
{
	uint64_t first = ~0ULL, last = 0, end = 0;
	bool preempted = false;
	unsigned int i;

	for (i = 0; i < nr_threads; i++) {
		const struct worker *w = &workers[i];

		first = w->began < first ? w->began : first;
		last = w->began > last ? w->began : last;
		end = w->ended > end ? w->ended : end;
		preempted |= w->preempted;
	}
	*ret_ns = (double)(end - first) / turn_way->updates;
	return !preempted && last - first < (end - first) / 20;
}

static double turn(const struct way *way, unsigned int threads)
{
	unsigned int tries = TRIES;
	bool good = false;
	double ns = 0;

	turn_way = way;
	nr_threads = threads;
	while (tries-- && !good) {
		if (way->peer) {
			ns = peer_ask(way, threads, &good);
		} else {
			atomic_store(&at_start, 0);
			pthread_barrier_wait(&turn_begins);
			pthread_barrier_wait(&turn_ends);
			good = turn_time(&ns);
		}
		repeated += !good;
	}
	given_up += !good;
	return ns;
}

static void workers_start(void)
{
	unsigned int i;

	pthread_barrier_init(&turn_begins, NULL, THREADS_MAX + 1);
	pthread_barrier_init(&turn_ends, NULL, THREADS_MAX + 1);
	for (i = 0; i < THREADS_MAX; i++)
		must(!pthread_create(&workers[i].thread, NULL, run, &workers[i]), "thread");
}

static void workers_end(void)
{
	unsigned int i;

	turn_way = NULL;
	pthread_barrier_wait(&turn_begins);
	for (i = 0; i < THREADS_MAX; i++)
		pthread_join(workers[i].thread, NULL);
}

/* ---- The table ----------------------------------------------------------- */

static void service_start(void)
{
	static char path[64];
	const struct obs_service_options options = { .device = path };
	const struct obs_family_spec gauge_spec = { .name = "bench_in_flight" };
	const struct obs_family_spec set_spec = { .name = "bench_last" };
	const struct obs_family_spec histogram_spec = { .name = "bench_sizes",
		.nr_bounds = NR(bounds), .bound = bounds };
	int fd = obs_segment_create_memfd(NULL);

	must(fd >= 0, "no segment");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	must(!obs_service_attach_with("bench", &options, &obs.service), "no service");
	must(!obs_counter_new(obs.service, &counter_spec, values, &obs.counter) &&
	     !obs_gauge_new(obs.service, &gauge_spec, NULL, &obs.gauge) &&
	     !obs_gauge_set_new(obs.service, &set_spec, NULL, &obs.set) &&
	     !obs_histogram_new(obs.service, &histogram_spec, NULL, &obs.histogram),
	     "no series");
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	static double ns[NR(ways)][THREADS_MAX][ROUNDS_MAX];
	unsigned int rounds = argc > 1 ? (unsigned int)atoi(argv[1]) : 101;
	unsigned int round, threads, i, turns = 0;

	if (!rounds || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: bench_counter [ROUNDS [PEER]], 1 to %u\n", ROUNDS_MAX);
		return 2;
	}
	service_start();
	labelled_start(counter_spec.name, labels, values, NR(labels));
#ifdef WITH_RSEQ
	must(rseq_ready(), "no restartable sequences: glibc did not register them");
#endif
#ifdef WITH_PROM
	prom = prom_counter_new(counter_spec.name, "Requests.", NR(labels),
				(const char **)labels);
#endif
	if (argc > 2)
		peer_start(argv[2]);
	workers_start();
	for (round = 0; round < rounds; round++)
		for (threads = 1; threads <= THREADS_MAX; threads++)
			for (i = 0; i < NR(ways); i++) {
				if (ways[i].peer && !peer_in)
					continue;
				ns[i][threads - 1][round] = turn(&ways[i], threads);
				turns++;
			}
	workers_end();
#ifdef WITH_RSEQ
	rseq_check();
#endif

	printf("| update | threads | ns | best round | of `obs_counter_add()`'s |\n"
	       "| --- | --- | --- | --- | --- |\n");
	for (threads = 1; threads <= THREADS_MAX; threads++)
		for (i = 0; i < NR(ways); i++) {
			double *of = ns[i][threads - 1];

			if (ways[i].peer && !peer_in)
				continue;
			qsort(of, rounds, sizeof(*of), compare);
			printf("| %s | %u | %.2f | %.2f | %.1f |\n", ways[i].name, threads,
			       of[rounds / 2], of[0], of[rounds / 2] /
			       ns[0][threads - 1][rounds / 2]);
			row_threads("counter", ways[i].name, threads, of, rounds);
		}
	printf("\n%u rounds, %u turns; %u were disturbed, and %u taken though they were.\n",
	       rounds, turns, repeated, given_up);
	return 0;
}
