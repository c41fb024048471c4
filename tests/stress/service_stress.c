// SPDX-License-Identifier: MIT
/*
 * Services under threads and processes that are moved, interrupted and killed:
 *
 *   exact     threads and forked processes count, unpinned, while a thread moves them
 *             from CPU to CPU and a timer's signal handler counts in the middle of it:
 *             nothing is lost or counted twice, the gauges of the processes are gone
 *             when they are
 *   killed    processes count until they are killed, again and again; what they had
 *             finished is there, and at most the update that each was in; some of them
 *             attach anew and are killed meanwhile. Gauges of the dead return to zero
 *
 * usage: service_stress [SECONDS]
 *        service_stress --updates N --kills N
 *        service_stress --device PATH ...	not in a segment of its own
 *        service_stress --signal-us US ...	signals that far apart, on a slow machine
 *
 * exit 0: as it should be; 1: not
 */
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <obsring.h>

#define THREADS		8
#define PROCESSES	8
#define WORKERS		(THREADS + PROCESSES)
#define SIGNAL_US	97	/* or --signal-us */
#define SECOND_UPDATES	4000000ULL	/* on a slow and busy machine */
#define SECOND_KILLS	20U
#define VICTIMS		2
#define STEPS_MAX	5000U		/* of a victim */
#define TURNS_LOG2_MAX	10		/* while another one attaches */
#define PATIENCE_S	60
#define MORE		50	/* times as much, until what it is about has happened */

#define OBSERVED	5		/* a victim's observation */
#define PROCESS_SHARE	1000		/* what a process leaves in its gauge */
#define THREAD_SHARE	1

enum series {
	LOOP, SIGNAL, OBSERVATIONS, MEMBERS, LAST,
	KILLED, KILLED_OBSERVED, KILLED_GAUGE,
	SERIES
};

static const uint64_t bounds[] = { 2, 8, 32 };

static const struct obs_family_spec specs[SERIES] = {
	[LOOP] = { .name = "stress_updates_total" },
	[SIGNAL] = { .name = "stress_signals_total" },
	[OBSERVATIONS] = { .name = "stress_observed", .nr_bounds = 3, .bound = bounds },
	[MEMBERS] = { .name = "stress_members" },
	[LAST] = { .name = "stress_last", .set = true },
	[KILLED] = { .name = "stress_killed_total" },
	[KILLED_OBSERVED] = { .name = "stress_killed_observed", .nr_bounds = 3,
			      .bound = bounds },
	[KILLED_GAUGE] = { .name = "stress_killed_at_once" },
};

/* What a worker or victim has done, in memory that outlives it. */
struct tally {
	_Atomic uint64_t updates, observed, sum, signals, aborted;
	_Atomic uint64_t started, finished;
	_Atomic uint64_t ready;
};

static struct shared {
	atomic_bool go;
	atomic_bool met;	/* a signal came in the middle of an update */
	struct tally tally[WORKERS];
	struct tally victim[VICTIMS];
} *shared;

static struct {
	const char *path;
	struct obs_service *service;
	struct obs_counter *loop, *signal, *killed;
	struct obs_histogram *observations, *killed_observed;
	struct obs_gauge *members, *last, *killed_gauge;
	struct obs_device *device;
	struct obs_snapshot *snapshot;
} on;

static int tally_fd;			/* of what shared is */
static long signal_us = SIGNAL_US;
static __thread struct tally *mine;
static int failures;

#define EXPECT(condition, ...)						\
	do {								\
		if (!(condition)) {					\
			failures++;					\
			printf("%s:%d: %s: ", __FILE__, __LINE__, #condition); \
			printf(__VA_ARGS__);				\
			putchar('\n');					\
		}							\
	} while (0)

static void must(int r, const char *what)
{
	if (r >= 0)
		return;
	printf("%s: %s\n", what, strerror(-r));
	exit(1);
}

/* ---- The service --------------------------------------------------------- */

static void attach(void)
{
	const struct obs_service_options options = { .device = on.path };

	must(obs_service_attach_with("stress", &options, &on.service), "attach");
	must(obs_counter_new(on.service, &specs[LOOP], NULL, &on.loop), "counter");
	must(obs_counter_new(on.service, &specs[SIGNAL], NULL, &on.signal), "counter");
	must(obs_histogram_new(on.service, &specs[OBSERVATIONS], NULL, &on.observations),
	     "histogram");
	must(obs_gauge_new(on.service, &specs[MEMBERS], NULL, &on.members), "gauge");
	must(obs_gauge_set_new(on.service, &specs[LAST], NULL, &on.last), "gauge");
	must(obs_counter_new(on.service, &specs[KILLED], NULL, &on.killed), "counter");
	must(obs_histogram_new(on.service, &specs[KILLED_OBSERVED], NULL,
			       &on.killed_observed), "histogram");
	must(obs_gauge_new(on.service, &specs[KILLED_GAUGE], NULL, &on.killed_gauge),
	     "gauge");
}

/* The series as a reader sees it now. */
static const struct obs_series_info *look(enum series which)
{
	const struct obs_series_info *series = NULL;
	const struct obs_family_info *family;

	must(obs_snapshot_update(on.snapshot), "snapshot");
	family = obs_family_find(on.snapshot, specs[which].name);
	while (family && (series = obs_series_next(on.snapshot, family, series)))
		if (!strcmp(series->value[0], "stress"))
			return series;
	printf("%s is not there\n", specs[which].name);
	exit(1);
}

static uint64_t value(enum series which)
{
	const struct obs_series_info *series = look(which);

	return obs_series_counter(on.snapshot, series);
}

static uint64_t count(enum series which)
{
	const struct obs_series_info *series = look(which);

	return obs_series_count(on.snapshot, series);
}

/* In a segment nobody notices who is gone but those who come and go. */
static void come_and_go(void)
{
	const struct obs_service_options options = { .device = on.path };
	struct obs_service *other;

	must(obs_service_attach_with("stress_other", &options, &other), "attach");
	obs_service_detach(other);
}

/* A share may be given back a little after who had it is gone. */
static void gauge_becomes(enum series which, int64_t expected)
{
	time_t end = time(NULL) + PATIENCE_S;
	int64_t is;

	while ((is = (int64_t)value(which)) != expected && time(NULL) < end)
		come_and_go();
	EXPECT(is == expected, "%s is %lld, not %lld", specs[which].name, (long long)is,
	       (long long)expected);
}

/* ---- Exact --------------------------------------------------------------- */

/*
 * Where a sequence goes on that was aborted: the kernel has put the thread there before
 * the handler. On arm64 such places are in no section of their own.
 */
#ifdef __x86_64__
#define CAN_TELL	true

extern const char __start___rseq_failure[], __stop___rseq_failure[];

static bool was_aborted(const ucontext_t *context)
{
	uintptr_t at = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];

	return at >= (uintptr_t)__start___rseq_failure &&
	       at < (uintptr_t)__stop___rseq_failure;
}
#else
#define CAN_TELL	false

static bool was_aborted(const ucontext_t *context)
{
	(void)context;
	return false;
}
#endif

static void on_signal(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)info;
	if (!mine)
		return;
	obs_counter_add(on.signal, 3);
	atomic_fetch_add_explicit(&mine->signals, 1, memory_order_relaxed);
	if (!was_aborted(context))
		return;
	atomic_fetch_add_explicit(&mine->aborted, 1, memory_order_relaxed);
	atomic_store(&shared->met, true);
}

static void timer_begin(void)
{
	struct itimerval interval = {
		.it_interval.tv_usec = signal_us, .it_value.tv_usec = signal_us,
	};

	setitimer(ITIMER_REAL, &interval, NULL);
}

static void timer_end(void)
{
	struct itimerval none = { .it_value.tv_usec = 0 };

	setitimer(ITIMER_REAL, &none, NULL);
}

/* Enough: what it is about has happened, or does not come. */
static bool is_done(uint64_t done, uint64_t nr)
{
	return done >= nr && (!CAN_TELL || done >= MORE * nr ||
			      atomic_load_explicit(&shared->met, memory_order_relaxed));
}

/* @nr updates of counters, or more, and one in 16 of the others. */
static void work(struct tally *tally, uint64_t nr)
{
	uint64_t i, observed = 0, sum = 0;

	mine = tally;
	atomic_store(&tally->ready, (uint64_t)syscall(SYS_gettid));
	while (!atomic_load(&shared->go))
		sched_yield();
	for (i = 0; !is_done(i, nr); i++) {
		obs_counter_add(on.loop, 1);
		if (i % 16)
			continue;
		obs_histogram_observe(on.observations, i % 41);
		observed++;
		sum += i % 41;
		obs_gauge_add(on.members, 7);
		obs_gauge_add(on.members, -7);
		obs_gauge_set(on.last, (int64_t)(i & 0xff));
	}
	mine = NULL;
	tally->updates = i;
	tally->observed = observed;
	tally->sum = sum;
}

static uint64_t updates_each;

static void *thread_main(void *arg)
{
	work(arg, updates_each);
	obs_gauge_add(on.members, THREAD_SHARE);
	return NULL;
}

static pid_t process_start(struct tally *tally)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	timer_begin();
	work(tally, updates_each);
	timer_end();
	obs_gauge_add(on.members, PROCESS_SHARE);
	_exit(0);
}

static bool all_done(void)
{
	unsigned int i;

	for (i = 0; i < WORKERS; i++)
		if (!shared->tally[i].updates)
			return false;
	return true;
}

/* Keep changing where they may run; CPUs that are not ours do not count. */
static uint64_t move_until_done(void)
{
	long nr_cpus = sysconf(_SC_NPROCESSORS_CONF);
	uint64_t moves = 0;
	unsigned int i, round;
	cpu_set_t all, one;

	sched_getaffinity(0, sizeof(all), &all);
	for (round = 0; !all_done(); round++) {
		for (i = 0; i < WORKERS; i++) {
			unsigned int cpu = (round + i) % (unsigned int)nr_cpus;

			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			if (CPU_ISSET(cpu, &all) &&
			    !sched_setaffinity((pid_t)shared->tally[i].ready, sizeof(one),
					       &one))
				moves++;
		}
		sched_yield();
	}
	return moves;
}

static void exact_check(uint64_t moves)
{
	struct tally sum = { .updates = 0 };
	unsigned int i;

	for (i = 0; i < WORKERS; i++) {
		sum.updates += shared->tally[i].updates;
		sum.observed += shared->tally[i].observed;
		sum.sum += shared->tally[i].sum;
		sum.signals += shared->tally[i].signals;
		sum.aborted += shared->tally[i].aborted;
	}
	printf("exact: %llu updates, %llu observations, %llu signals, of which %llu aborted a sequence, %llu moves\n",
	       (unsigned long long)sum.updates, (unsigned long long)sum.observed,
	       (unsigned long long)sum.signals, (unsigned long long)sum.aborted,
	       (unsigned long long)moves);
	EXPECT(value(LOOP) == sum.updates, "%llu", (unsigned long long)value(LOOP));
	EXPECT(value(SIGNAL) == 3 * sum.signals, "%llu", (unsigned long long)value(SIGNAL));
	EXPECT(count(OBSERVATIONS) == sum.observed, "%llu",
	       (unsigned long long)count(OBSERVATIONS));
	EXPECT(value(OBSERVATIONS) == sum.sum, "%llu",
	       (unsigned long long)value(OBSERVATIONS));
	EXPECT(value(LAST) <= 0xff, "%llu", (unsigned long long)value(LAST));
	gauge_becomes(MEMBERS, THREADS * THREAD_SHARE);
	EXPECT(sum.signals, "no signal came");
	EXPECT(moves || sysconf(_SC_NPROCESSORS_CONF) == 1, "nothing was moved");
	EXPECT(sum.aborted || !CAN_TELL, "no signal came in the middle of an update");
}

static void exact(uint64_t updates)
{
	pthread_t thread[THREADS];
	pid_t pid[PROCESSES];
	unsigned int i;
	uint64_t moves;
	int status;

	updates_each = updates / WORKERS;
	for (i = 0; i < PROCESSES; i++)
		pid[i] = process_start(&shared->tally[THREADS + i]);
	for (i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, thread_main, &shared->tally[i]);
	for (i = 0; i < WORKERS; i++)
		while (!shared->tally[i].ready)
			sched_yield();
	timer_begin();
	atomic_store(&shared->go, true);
	moves = move_until_done();
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	timer_end();
	for (i = 0; i < PROCESSES; i++)
		EXPECT(waitpid(pid[i], &status, 0) == pid[i] && !status,
		       "process %u: status %d", i, status);
	exact_check(moves);
}

/* ---- Killed -------------------------------------------------------------- */

/* Each step is an update of each kind: at most one of them is begun and not done. */
static void victim_main(struct tally *tally)
{
	for (;;) {
		atomic_fetch_add(&tally->started, 1);
		obs_counter_add(on.killed, 1);
		obs_gauge_add(on.killed_gauge, 1);
		obs_histogram_observe(on.killed_observed, OBSERVED);
		atomic_fetch_add(&tally->finished, 1);
	}
}

/* One that is no child of who attached: it attaches itself. */
static void victim_anew(unsigned int index)
{
	char number[16], tally[16];

	snprintf(number, sizeof(number), "%u", index);
	snprintf(tally, sizeof(tally), "%d", tally_fd);
	execl("/proc/self/exe", "service_stress", "--victim", number, "--tally", tally,
	      "--device", on.path, NULL);
	_exit(1);
}

static pid_t victim_start(unsigned int index, bool anew)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	if (anew)
		victim_anew(index);
	victim_main(&shared->victim[index]);
	return 0;
}

struct storm {
	unsigned int kills, anew, hit, early;
	uint64_t finished, started;
};

/*
 * Where in its life a victim is killed is chance: after some steps of its own, or
 * before it made any, of one that attaches.
 */
static void victim_wait(const struct tally *tally, unsigned int steps, bool anew)
{
	unsigned int turns;

	if (anew) {
		for (turns = 1U << steps % TURNS_LOG2_MAX; turns && !tally->finished; turns--)
			sched_yield();
		return;
	}
	while (atomic_load(&tally->finished) < steps)
		sched_yield();
}

static void storm_round(struct storm *storm, unsigned int *seed)
{
	pid_t pid[VICTIMS];
	bool anew[VICTIMS];
	unsigned int i;
	int status;

	for (i = 0; i < VICTIMS; i++) {
		shared->victim[i] = (struct tally){ .started = 0 };
		anew[i] = rand_r(seed) % 4 == 0;
		pid[i] = victim_start(i, anew[i]);
	}
	for (i = 0; i < VICTIMS; i++) {
		struct tally *tally = &shared->victim[i];

		victim_wait(tally, (unsigned int)rand_r(seed) % STEPS_MAX, anew[i]);
		kill(pid[i], SIGKILL);
		EXPECT(waitpid(pid[i], &status, 0) == pid[i] && WIFSIGNALED(status),
		       "status %d", status);
		storm->kills++;
		storm->anew += anew[i];
		storm->early += anew[i] && !tally->started;
		storm->hit += tally->started != tally->finished;
		storm->finished += tally->finished;
		storm->started += tally->started;
	}
}

static void storm_check(const struct storm *storm)
{
	uint64_t is = value(KILLED), observed = count(KILLED_OBSERVED);
	uint64_t sum = value(KILLED_OBSERVED);

	EXPECT(is >= storm->finished && is <= storm->started,
	       "%llu finished, %llu started, %llu there",
	       (unsigned long long)storm->finished, (unsigned long long)storm->started,
	       (unsigned long long)is);
	EXPECT(observed >= storm->finished && observed <= storm->started,
	       "%llu observed", (unsigned long long)observed);
	/* The sum comes behind the bucket. */
	EXPECT(sum >= OBSERVED * storm->finished && sum <= OBSERVED * observed,
	       "%llu observed, their sum %llu", (unsigned long long)observed,
	       (unsigned long long)sum);
}

static void killed(unsigned int kills)
{
	struct storm storm = { .kills = 0 };
	unsigned int seed = 1;

	while (!failures && (storm.kills < kills || ((!storm.hit || !storm.early) &&
						     storm.kills < MORE * kills))) {
		storm_round(&storm, &seed);
		storm_check(&storm);
		if (storm.kills % 500 < VICTIMS)
			gauge_becomes(KILLED_GAUGE, 0);
	}
	gauge_becomes(KILLED_GAUGE, 0);
	printf("killed: %u times, %u in the middle of an update, %u of %u that attached anew before they were done with it; %llu updates\n",
	       storm.kills, storm.hit, storm.early, storm.anew,
	       (unsigned long long)storm.finished);
	EXPECT(storm.hit, "none was hit");
	EXPECT(storm.early, "none was hit while it attached");
}

/* ---- Both ---------------------------------------------------------------- */

/* A segment of our own: any process of this run finds it under this name. */
static const char *segment_make(void)
{
	static char path[64];
	int fd = obs_segment_create_memfd(NULL);

	must(fd, "segment");
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), fd);
	return path;
}

static void shared_map(void)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, tally_fd,
		      0);
	must(shared == MAP_FAILED ? -1 : 0, "mmap");
}

/* A file, so that programs which are executed anew find it by its descriptor. */
static void shared_make(void)
{
	tally_fd = memfd_create("tally", 0);
	must(tally_fd < 0 || ftruncate(tally_fd, sizeof(*shared)) ? -1 : 0, "memfd");
	shared_map();
}

struct arguments {
	uint64_t updates;
	unsigned int kills;
	int victim;
};

static int arguments_get(int argc, char **argv, struct arguments *a)
{
	static const struct option options[] = {
		{ "updates", required_argument, NULL, 'u' },
		{ "kills", required_argument, NULL, 'k' },
		{ "device", required_argument, NULL, 'd' },
		{ "signal-us", required_argument, NULL, 's' },
		{ "victim", required_argument, NULL, 'v' },
		{ "tally", required_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 },
	};
	uint64_t seconds;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'u':
			a->updates = strtoull(optarg, NULL, 10);
			break;
		case 'k':
			a->kills = (unsigned int)strtoul(optarg, NULL, 10);
			break;
		case 'd':
			on.path = optarg;
			break;
		case 's':
			signal_us = atol(optarg);
			break;
		case 'v':
			a->victim = atoi(optarg);
			break;
		case 't':
			tally_fd = atoi(optarg);
			break;
		default:
			return -1;
		}
	}
	seconds = optind < argc ? strtoull(argv[optind], NULL, 10) : 5;
	if (!a->updates)
		a->updates = seconds * SECOND_UPDATES;
	if (!a->kills)
		a->kills = (unsigned int)seconds * SECOND_KILLS;
	return 0;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_sigaction = on_signal,
				    .sa_flags = SA_RESTART | SA_SIGINFO };
	struct arguments a = { .victim = -1 };

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (arguments_get(argc, argv, &a))
		return 2;
	if (a.victim >= 0) {
		shared_map();
		attach();
		victim_main(&shared->victim[a.victim]);
	}
	shared_make();
	if (!on.path)
		on.path = segment_make();
	attach();
	must(obs_device_open(on.path, &on.device), "open");
	must(obs_snapshot_new(on.device, &on.snapshot), "snapshot");
	sigaction(SIGALRM, &action, NULL);
	exact(a.updates);
	killed(a.kills);
	obs_snapshot_free(on.snapshot);
	obs_device_close(on.device);
	obs_service_detach(on.service);
	return !!failures;
}
