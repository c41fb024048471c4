// SPDX-License-Identifier: MIT
/*
 * Workers of a service count exactly while CPUs go off and come back: forked ones,
 * with threads, that nobody pins, and that are moved and interrupted; and others that
 * are killed meanwhile. A reader that has all of it mapped never sees a counter fall.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "service.h"
#include "test.h"

#define SERVICE	"workers"
#define WORKERS	4
#define THREADS	2

static const struct obs_family_spec counter_spec = {
	.name = "worker_events_total", .help = "h",
};

static const struct obs_family_spec histogram_spec = {
	.name = "worker_seconds", .help = "h", .exp10 = -9,
	.schema = 3, .min_log2 = -20, .max_log2 = 3,
};

static const struct obs_family_spec gauge_spec = {
	.name = "worker_busy", .help = "h",
};

/* Shared with the workers. */
struct scene {
	unsigned int go, stop;
	uint64_t moved, interrupted, looks, fell, distinct;
	uint64_t finished[64];		/* updates of each who is killed */
	uint64_t begun[64];
};

static struct scene *scene;
static struct obs_counter *counter;
static struct obs_histogram *histogram;
static struct obs_gauge *gauge;

static unsigned int updates(void)
{
	const char *s = getenv("OBSRING_WORKER_UPDATES");

	return s ? (unsigned int)atoi(s) : 200000;
}

static void count(uint64_t *p, uint64_t n)
{
	__atomic_fetch_add(p, n, __ATOMIC_RELAXED);
}

static void tick(int signal)
{
	(void)signal;
	count(&scene->interrupted, 1);
	obs_counter_add(counter, 1);
}

static void *work(void *arg)
{
	unsigned int i, nr = *(unsigned int *)arg, cpu, last = (unsigned int)sched_getcpu();
	uint64_t moved = 0;

	for (i = 0; i < nr; i++) {
		obs_counter_add(counter, 1);
		obs_histogram_observe(histogram, 1000 + i);
		if (i & 0xff)
			continue;
		cpu = (unsigned int)sched_getcpu();
		moved += cpu != last;
		last = cpu;
	}
	count(&scene->moved, moved);
	return NULL;
}

/* Its threads count, while a timer interrupts them, whose handler counts as well. */
static void worker(void)
{
	const struct itimerval often = {
		.it_interval.tv_usec = 2000, .it_value.tv_usec = 1000,
	}, never = { 0 };
	unsigned int nr = updates(), i;
	pthread_t thread[THREADS];

	signal(SIGALRM, tick);
	if (obs_gauge_add(gauge, 1) || setitimer(ITIMER_REAL, &often, NULL))
		_exit(1);
	for (i = 0; i < THREADS; i++)
		if (pthread_create(&thread[i], NULL, work, &nr))
			_exit(2);
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	setitimer(ITIMER_REAL, &never, NULL);
	_exit(0);
}

/* Counts until it is killed, and tells before and after each update. */
static void victim(unsigned int slot)
{
	if (obs_gauge_add(gauge, 1))
		_exit(1);
	for (;;) {
		count(&scene->begun[slot], 1);
		obs_counter_add(counter, 1);
		count(&scene->finished[slot], 1);
	}
}

/* The counter, again and again, by a reader of its own. */
static void watcher(void)
{
	int64_t now, last = 0;
	struct view view;

	if (view_open(&view))
		_exit(1);
	while (!__atomic_load_n(&scene->stop, __ATOMIC_ACQUIRE)) {
		now = metric(&view, counter_spec.name, SERVICE, "0");
		count(&scene->looks, 1);
		count(&scene->fell, now < last);
		count(&scene->distinct, now > last);
		last = now;
	}
	_exit(0);
}

static int online(unsigned int cpu, const char *yes)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
	return file_write(path, yes);
}

FIXTURE(worker)
{
	struct obs_control *control;
	struct obs_service *service;
	unsigned int cpus;
};

FIXTURE_SETUP(worker)
{
	self->cpus = (unsigned int)sysconf(_SC_NPROCESSORS_CONF);
	ASSERT_EQ(0, obs_control_open(&self->control));
	services_clear(self->control);
	scene = mmap(NULL, sizeof(*scene), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, scene);
	ASSERT_EQ(0, obs_service_attach(SERVICE, &self->service));
	ASSERT_EQ(0, obs_counter_new(self->service, &counter_spec, NULL, &counter));
	ASSERT_EQ(0, obs_histogram_new(self->service, &histogram_spec, NULL, &histogram));
	ASSERT_EQ(0, obs_gauge_new(self->service, &gauge_spec, NULL, &gauge));
}

FIXTURE_TEARDOWN(worker)
{
	unsigned int cpu;

	for (cpu = 1; cpu < self->cpus; cpu++)
		online(cpu, "1");
	obs_service_detach(self->service);
	services_clear(self->control);
	obs_control_close(self->control);
	munmap(scene, sizeof(*scene));
}

static pid_t begin(void (*fn)(void))
{
	pid_t pid = fork();

	if (!pid)
		fn();
	return pid;
}

static uint64_t seen(const uint64_t *p)
{
	return __atomic_load_n(p, __ATOMIC_RELAXED);
}

/* How many have ended, of @nr; each well. */
static int ended(pid_t *pid, unsigned int nr)
{
	unsigned int i, n = 0;
	int status;

	for (i = 0; i < nr; i++) {
		if (pid[i] && waitpid(pid[i], &status, WNOHANG) == pid[i]) {
			if (status)
				return -1;
			pid[i] = 0;
		}
		n += !pid[i];
	}
	return (int)n;
}

static int64_t value(struct obs_control *control, const char *family)
{
	return service_value(control, family, SERVICE, 0, "");
}

TEST_F_TIMEOUT(worker, exact_while_cpus_come_and_go, TEST_TIMEOUT_LONG)
{
	unsigned int i, each = updates(), plugged = 0, cpu = 1, rounds = 0;
	uint64_t nr, sum = 0;
	pid_t pid[WORKERS], reader;
	int n;

	if (self->cpus < 2 || online(self->cpus - 1, "1"))
		SKIP(return, "no CPU here can go off line");
	reader = begin(watcher);
	EXPECT_TRUE(await(seen(&scene->looks)));
	/* Until what it is about has happened, however long that takes. */
	do {
		for (i = 0; i < WORKERS; i++)
			pid[i] = begin(worker);
		do {
			plugged += !online(cpu, "0");
			online(cpu, "1");
			cpu = cpu % (self->cpus - 1) + 1;
			n = ended(pid, WORKERS);
			ASSERT_LE(0, n);
		} while (n < WORKERS);
		rounds++;
	} while (!plugged || !seen(&scene->moved) || !seen(&scene->interrupted));
	EXPECT_TRUE(await(seen(&scene->distinct)));
	__atomic_store_n(&scene->stop, 1, __ATOMIC_RELEASE);
	waitpid(reader, NULL, 0);

	nr = (uint64_t)rounds * WORKERS * THREADS * each;
	EXPECT_EQ((int64_t)(nr + scene->interrupted), value(self->control, counter_spec.name));
	for (i = 0; i < each; i++)
		sum += 1000 + i;
	EXPECT_EQ((int64_t)(sum * WORKERS * THREADS * rounds),
		  value(self->control, histogram_spec.name));
	EXPECT_EQ(0, value(self->control, gauge_spec.name));
	EXPECT_EQ(0, scene->fell);
	TH_LOG("%llu updates, %u times off line, %llu moves, %llu in signal handlers; seen %llu times, %llu sums",
	       (unsigned long long)nr, plugged, (unsigned long long)scene->moved,
	       (unsigned long long)scene->interrupted, (unsigned long long)scene->looks,
	       (unsigned long long)scene->distinct);
	EXPECT_LT(0, plugged);
	EXPECT_LT(0, scene->moved);
	EXPECT_LT(0, scene->interrupted);
	EXPECT_LT(0, scene->distinct);
}

TEST_F_TIMEOUT(worker, killed_ones_lose_nothing, TEST_TIMEOUT_LONG)
{
	unsigned int i, round, rounds = updates() / 10000 + 1, killed = 0;
	uint64_t finished = 0, begun = 0, total;
	pid_t pid[4];

	for (round = 0; round < rounds; round++) {
		for (i = 0; i < 4; i++) {
			pid[i] = fork();
			if (!pid[i])
				victim(i);
		}
		for (i = 0; i < 4; i++) {
			uint64_t before = __atomic_load_n(&scene->finished[i], __ATOMIC_RELAXED);

			ASSERT_TRUE(await(__atomic_load_n(&scene->finished[i],
							  __ATOMIC_RELAXED) > before));
			kill(pid[i], SIGKILL);
			waitpid(pid[i], NULL, 0);
			killed++;
		}
		EXPECT_EQ(0, value(self->control, gauge_spec.name));
	}
	for (i = 0; i < 4; i++) {
		finished += scene->finished[i];
		begun += scene->begun[i];
	}
	total = (uint64_t)value(self->control, counter_spec.name);
	EXPECT_LE(finished, total);
	EXPECT_GE(begun, total);
	EXPECT_GE(killed, begun - finished);
	TH_LOG("%u killed, %llu of them within an update; %llu updates", killed,
	       (unsigned long long)(begun - finished), (unsigned long long)total);
	EXPECT_LT(0, total);
}

TEST_HARNESS_MAIN
