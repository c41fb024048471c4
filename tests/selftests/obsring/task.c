// SPDX-License-Identifier: MIT
/* Source task, against the kernel's own count of forks and threads. */
#include <pthread.h>
#include <sys/wait.h>

#include "kernel.h"
#include "test.h"

#define FORKS	"obsring_task_forks_total"
#define EXITS	"obsring_task_exits_total"
#define LIFETIME "obsring_task_lifetime_seconds"

FIXTURE(task)
{
	struct view view;
};

FIXTURE_SETUP(task)
{
	ASSERT_EQ(0, view_open(&self->view));
}

FIXTURE_TEARDOWN(task)
{
	view_close(&self->view);
}

/* Threads that exist, of "0.00 0.00 0.00 running/existing last". */
static int64_t threads(void)
{
	char text[128];
	long long existing = -1;

	if (file_read("/proc/loadavg", text, sizeof(text)) > 0)
		sscanf(text, "%*s %*s %*s %*d/%lld", &existing);
	return existing;
}

/**
 * struct counts - what the kernel and the source count
 * @processes: forks since boot, as the kernel has it
 * @threads: threads that exist
 */
struct counts {
	int64_t processes;
	int64_t threads;
	int64_t forks, exits, lifetimes, lived_ns;
};

static struct counts counts_of(struct view *view)
{
	return (struct counts){
		.processes = (int64_t)file_number("/proc/stat", "processes"),
		.threads = threads(),
		.forks = metric(view, FORKS),
		.exits = metric(view, EXITS),
		.lifetimes = metric(view, LIFETIME),
		.lived_ns = metric_sum(view, LIFETIME),
	};
}

/*
 * The same with nobody on the way out, who is counted as gone and whose life is not: false
 * if there always was.
 */
static bool counts_at_rest(struct view *view, struct counts *ret_counts)
{
	return await((*ret_counts = counts_of(view), !kernel_settle()) &&
		     metric(view, EXITS) == ret_counts->exits &&
		     metric(view, LIFETIME) == ret_counts->lifetimes);
}

/*
 * Do @make, which makes @nr threads and waits for their end, until nobody else
 * in the machine made or ended one meanwhile. Leaves what was counted in
 * @ret_counted; false if it was never quiet.
 */
static bool quietly(struct view *view, bool (*make)(unsigned int nr), unsigned int nr,
		    struct counts *ret_counted)
{
	struct counts before, after;
	time_t begun = await_begin();

	do {
		before = counts_of(view);
		if (!make(nr))
			return false;
		/* The last one may still be on its way out. */
		await(threads() <= before.threads);
		after = counts_of(view);
		after.processes = (int64_t)file_number("/proc/stat", "processes");
	} while ((after.processes != before.processes + nr ||
		  after.threads != before.threads) && await_go_on(begun));
	ret_counted->forks = after.forks - before.forks;
	ret_counted->exits = after.exits - before.exits;
	ret_counted->lifetimes = after.lifetimes - before.lifetimes;
	ret_counted->lived_ns = after.lived_ns - before.lived_ns;
	return after.processes == before.processes + nr &&
	       after.threads == before.threads;
}

static bool make_children(unsigned int nr)
{
	int status;
	pid_t pid;

	while (nr--) {
		pid = fork();
		if (!pid)
			_exit(0);
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			return false;
	}
	return true;
}

/* By itself: vfork's child runs on our stack. */
static pid_t vfork_one(void)
{
	pid_t pid = vfork();

	if (!pid)
		_exit(0);
	return pid;
}

static bool make_vforked(unsigned int nr)
{
	int status;
	pid_t pid;

	while (nr--) {
		pid = vfork_one();
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			return false;
	}
	return true;
}

static void *thread_fn(void *arg)
{
	return arg;
}

static bool make_threads(unsigned int nr)
{
	pthread_t thread;

	while (nr--) {
		if (pthread_create(&thread, NULL, thread_fn, NULL) ||
		    pthread_join(thread, NULL))
			return false;
	}
	return true;
}

static const struct {
	const char *name;
	bool (*make)(unsigned int nr);
} makers[] = {
	{ "fork", make_children },
	{ "vfork", make_vforked },
	{ "threads", make_threads },
};

TEST_F(task, forks_and_exits_exactly)
{
	struct counts counted;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(makers); i++) {
		ASSERT_TRUE(quietly(&self->view, makers[i].make, 50, &counted))
			TH_LOG("%s: it was never quiet", makers[i].name);
		EXPECT_EQ(50, counted.forks)
			TH_LOG("%s", makers[i].name);
		EXPECT_EQ(50, counted.exits)
			TH_LOG("%s", makers[i].name);
		EXPECT_EQ(50, counted.lifetimes);
	}
}

/* All that ever was: what the kernel forked while the source is on. */
TEST_F(task, forks_equal_the_kernels)
{
	struct counts before, after;

	ASSERT_TRUE(counts_at_rest(&self->view, &before));
	ASSERT_TRUE(make_children(100));
	ASSERT_TRUE(counts_at_rest(&self->view, &after));
	/* The kernel's count was read first each time. */
	EXPECT_LE(100, after.forks - before.forks);
	EXPECT_LE(after.processes - before.processes - 16, after.forks - before.forks);
	EXPECT_EQ(after.exits - before.exits, after.lifetimes - before.lifetimes);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Lives from here to when it is told to end. */
static bool lived_at_least(int64_t *ret_ns)
{
	int go[2], up[2];
	uint64_t begun;
	char byte;
	pid_t pid;

	if (pipe(go) || pipe(up))
		return false;
	pid = fork();
	if (!pid) {
		close(go[1]);
		_exit(write(up[1], "x", 1) != 1 || read(go[0], &byte, 1) != 0);
	}
	if (pid < 0 || read(up[0], &byte, 1) != 1)
		return false;
	begun = now_ns();
	/* A life long enough to tell from none. */
	await(now_ns() - begun > 200000000);
	*ret_ns = (int64_t)(now_ns() - begun);
	close(go[1]);
	return waitpid(pid, NULL, 0) == pid && !close(go[0]) && !close(up[0]) &&
	       !close(up[1]);
}

TEST_F(task, lifetime_is_the_time_lived)
{
	int64_t before = metric_sum(&self->view, LIFETIME), lived = 0;
	const struct obs_series_info *series;
	const uint64_t *bucket;
	uint64_t above = 0, above_before = 0;
	unsigned int b;

	series = metric_series(&self->view, LIFETIME);
	ASSERT_NE(NULL, series);
	bucket = obs_series_buckets(self->view.snapshot, series);
	for (b = 1; b <= series->family->nr_bounds; b++)
		above_before += series->family->bound[b - 1] >= 100000000 ? bucket[b] : 0;
	ASSERT_TRUE(lived_at_least(&lived));
	EXPECT_LE(lived, metric_sum(&self->view, LIFETIME) - before);
	series = metric_series(&self->view, LIFETIME);
	bucket = obs_series_buckets(self->view.snapshot, series);
	for (b = 1; b <= series->family->nr_bounds; b++)
		above += series->family->bound[b - 1] >= 100000000 ? bucket[b] : 0;
	EXPECT_LE(above_before + 1, above);
}

/* Approximate, but not for long. */
TEST_F(task, number_of_threads)
{
	int go[2], i;

	EXPECT_TRUE(await(metric(&self->view, "obsring_tasks") == threads()));
	ASSERT_EQ(0, pipe(go));
	for (i = 0; i < 20; i++) {
		pid_t pid = fork();
		char byte;

		if (!pid) {
			close(go[1]);
			_exit(read(go[0], &byte, 1) != 0);
		}
		ASSERT_LT(0, pid);
	}
	EXPECT_TRUE(await(metric(&self->view, "obsring_tasks") == threads()));
	EXPECT_LT(20, metric(&self->view, "obsring_tasks"));
	close(go[1]);
	while (waitpid(-1, NULL, 0) > 0)
		;
	EXPECT_TRUE(await(metric(&self->view, "obsring_tasks") == threads()));
}

TEST_HARNESS_MAIN
