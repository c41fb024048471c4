// SPDX-License-Identifier: MIT
/* Source reclaim: kills for want of memory, and what allocations wait for. */
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "test.h"

#define CGROUPS	"/sys/fs/cgroup"
#define GROUP	CGROUPS "/obsring-selftest"
#define KILLS	"obsring_oom_kills_total"
#define STALLS	"obsring_reclaim_stall_seconds"

FIXTURE(reclaim)
{
	struct view view;
};

FIXTURE_SETUP(reclaim)
{
	ASSERT_EQ(0, view_open(&self->view));
}

FIXTURE_TEARDOWN(reclaim)
{
	view_close(&self->view);
	rmdir(GROUP);
}

/* Take memory, up to @bytes, touching each page. */
static void take(uint64_t bytes)
{
	const size_t step = 1 << 20;
	char *at;

	for (; bytes; bytes -= step) {
		at = mmap(NULL, step, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (at == MAP_FAILED)
			_exit(1);
		memset(at, 1, step);
	}
}

static int group_make(void)
{
	int r = file_write(CGROUPS "/cgroup.subtree_control", "+memory");

	if (r)
		return r;
	if (mkdir(GROUP, 0755) && errno != EEXIST)
		return -errno;
	r = file_write(GROUP "/memory.max", "8388608");
	/* Absent without swap. */
	file_write(GROUP "/memory.swap.max", "0");
	return r;
}

/* The status of a child that wants more than its group may have. */
static int child_of_group(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (file_write(GROUP "/cgroup.procs", "0"))
			_exit(2);
		take(64 << 20);
		_exit(0);
	}
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

TEST_F(reclaim, kills_exactly)
{
	int64_t before = metric(&self->view, KILLS);
	uint64_t told;
	int i, status;

	if (group_make())
		SKIP(return, "this kernel has no memory cgroups");
	told = file_number(GROUP "/memory.events", "oom_kill");
	for (i = 0; i < 5; i++) {
		status = child_of_group();
		EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		EXPECT_EQ(before + i + 1, metric(&self->view, KILLS));
	}
	EXPECT_EQ(told + 5, file_number(GROUP "/memory.events", "oom_kill"));
	EXPECT_TRUE(await(!rmdir(GROUP)));
}

/* As the kernel counts them; -1 if it does not. */
static int64_t kernel_stalls(void)
{
	static const char *const key[] = {
		"allocstall_dma", "allocstall_dma32", "allocstall_normal",
		"allocstall_movable", "allocstall_device",
	};
	int64_t sum = -1;
	uint64_t n;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(key); i++) {
		n = file_number("/proc/vmstat", key[i]);
		if (n != UINT64_MAX)
			sum = (sum < 0 ? 0 : sum) + (int64_t)n;
	}
	return sum;
}

/* Ends by SIGKILL: ours once there was a stall, or the kernel's. */
TEST_F(reclaim, stalls_under_pressure)
{
	int64_t stalls = metric(&self->view, STALLS), sum = metric_sum(&self->view, STALLS);
	int64_t kernel = kernel_stalls(), kills = metric(&self->view, KILLS);
	int status;
	pid_t hog;

	hog = fork();
	if (!hog) {
		/* The one to be killed, if one must be. */
		if (file_write("/proc/self/oom_score_adj", "1000"))
			_exit(1);
		take(1ULL << 40);
	}
	ASSERT_LT(0, hog);
	EXPECT_TRUE(await(metric(&self->view, STALLS) > stalls ||
			  waitpid(hog, &status, WNOHANG)));
	kill(hog, SIGKILL);
	waitpid(hog, &status, 0);
	stalls = metric(&self->view, STALLS) - stalls;
	EXPECT_LT(0, stalls);
	EXPECT_LT(0, metric_sum(&self->view, STALLS) - sum);
	/* A stall may begin anew within itself: the kernel counts that twice. */
	if (kernel >= 0)
		EXPECT_LE(stalls, kernel_stalls() - kernel);
	EXPECT_GE(1, metric(&self->view, KILLS) - kills);
	EXPECT_EQ(0, metric(&self->view, "obsring_reclaim_missed_total"));
}

/* Memory moves together on demand: a writer of compact_memory is no kernel thread. */
TEST_F(reclaim, compaction)
{
	int64_t before = metric(&self->view, "obsring_compaction_stall_seconds");

	if (access("/proc/sys/vm/compact_memory", W_OK))
		SKIP(return, "this kernel does not compact");
	ASSERT_EQ(0, file_write("/proc/sys/vm/compact_memory", "1"));
	EXPECT_LT(before, metric(&self->view, "obsring_compaction_stall_seconds"));
}

TEST_HARNESS_MAIN
