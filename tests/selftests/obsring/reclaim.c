// SPDX-License-Identifier: MIT
/* Source reclaim: kills for want of memory, and what allocations wait for. */
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "logged.h"
#include "test.h"

#define CGROUPS	"/sys/fs/cgroup"
#define GROUP	CGROUPS "/obsring-selftest"
#define KILLS	"obsring_oom_kills_total"
#define STALLS	"obsring_reclaim_stall_seconds"

FIXTURE(reclaim)
{
	struct session session;
	struct view view;
	struct logged log;
};

FIXTURE_SETUP(reclaim)
{
	ASSERT_EQ(0, session_open(&self->session));
	self->view = self->session.view;
	ASSERT_EQ(0, logged_open(&self->log));
}

FIXTURE_TEARDOWN(reclaim)
{
	const char *const off[] = { "log-oom=off", "log-stall=off" };

	EXPECT_EQ(0, obs_source_set(self->session.control, "reclaim", true, off, 2));
	logged_close(&self->log);
	session_close(&self->session);
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
		if (file_write(GROUP "/cgroup.procs", "0") ||
		    file_write("/proc/self/oom_score_adj", "7"))
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
	EXPECT_EQ(0, logged(&self->log, "source=reclaim"));
	EXPECT_TRUE(await(!rmdir(GROUP)));
}

/* The child is killed for its own want: it is the victim, and the one who asked. */
TEST_F(reclaim, kills_are_logged)
{
	const char *const on = "log-oom=on";
	const char *line;
	char who[32];

	if (group_make())
		SKIP(return, "this kernel has no memory cgroups");
	ASSERT_EQ(0, obs_source_set(self->session.control, "reclaim", true, &on, 1));
	EXPECT_TRUE(WIFSIGNALED(child_of_group()));
	EXPECT_EQ(1, logged(&self->log, "source=reclaim"));
	line = logged_line(&self->log, " level=err source=reclaim ");
	snprintf(who, sizeof(who), " pid=%llu ",
		 (unsigned long long)logged_number(line, " victim_pid="));
	EXPECT_NE(NULL, strstr(line, who)) TH_LOG("%s", line);
	EXPECT_NE(NULL, strstr(line, " msg=\"out of memory: reclaim is killed\" victim=reclaim "));
	EXPECT_EQ(0, logged_number(line, " victim_uid="));
	EXPECT_EQ(7, logged_number(line, " oom_score_adj="));
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
	const char *const soon = "log-stall=1us";
	int status;
	pid_t hog;

	ASSERT_EQ(0, obs_source_set(self->session.control, "reclaim", true, &soon, 1));
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
	EXPECT_LT(0, logged(&self->log, " level=warning source=reclaim ",
			    " msg=\"an allocation stalled for ", " op=reclaim "));
	EXPECT_LE(1000, logged_least(&self->log, " stall_ns="));
}

/* Memory moves together on demand: a writer of compact_memory is no kernel thread. */
TEST_F(reclaim, compaction)
{
	int64_t before = metric(&self->view, "obsring_compaction_stall_seconds");

	if (access("/proc/sys/vm/compact_memory", W_OK))
		SKIP(return, "this kernel does not compact");
	ASSERT_EQ(0, file_write("/proc/sys/vm/compact_memory", "1"));
	EXPECT_LT(before, metric(&self->view, "obsring_compaction_stall_seconds"));
	EXPECT_EQ(0, logged(&self->log, "source=reclaim"));
}

/* Those that last as long, and no others. */
TEST_F(reclaim, threshold)
{
	static const char *const never = "log-stall=3600s", *const soon = "log-stall=1us";
	int64_t sum, compactions;

	if (access("/proc/sys/vm/compact_memory", W_OK))
		SKIP(return, "this kernel does not compact");
	ASSERT_EQ(0, obs_source_set(self->session.control, "reclaim", true, &never, 1));
	ASSERT_EQ(0, file_write("/proc/sys/vm/compact_memory", "1"));
	EXPECT_EQ(0, logged(&self->log, "source=reclaim"));
	ASSERT_EQ(0, obs_source_set(self->session.control, "reclaim", true, &soon, 1));
	compactions = metric(&self->view, "obsring_compaction_stall_seconds");
	sum = metric_sum(&self->view, "obsring_compaction_stall_seconds");
	ASSERT_EQ(0, file_write("/proc/sys/vm/compact_memory", "1"));
	compactions = metric(&self->view, "obsring_compaction_stall_seconds") - compactions;
	sum = metric_sum(&self->view, "obsring_compaction_stall_seconds") - sum;
	EXPECT_LT(0, logged(&self->log, "source=reclaim", " op=compaction "));
	EXPECT_LE(1000, logged_least(&self->log, " stall_ns="));
	/* What was not logged took less than the threshold. */
	EXPECT_GE(sum, (int64_t)logged_sum(&self->log, " stall_ns="));
	EXPECT_LE(sum - compactions * 1000, (int64_t)logged_sum(&self->log, " stall_ns="));
}

TEST_HARNESS_MAIN
