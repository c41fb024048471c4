// SPDX-License-Identifier: MIT
/* Source runqueue, against the kernel's count of switches and of waiting. */
#include <sys/resource.h>
#include <sys/wait.h>

#include "kernel.h"
#include "test.h"

#define SWITCHES "obsring_context_switches_total"
#define LATENCY	"obsring_runqueue_latency_seconds"
#define HOGS	2

FIXTURE(runqueue)
{
	struct session session;
	struct view *view;
};

FIXTURE_SETUP(runqueue)
{
	ASSERT_EQ(0, session_open(&self->session));
	self->view = &self->session.view;
	ASSERT_EQ(0, obs_source_set(self->session.control, "runqueue", true, NULL, 0));
}

FIXTURE_TEARDOWN(runqueue)
{
	EXPECT_EQ(0, obs_source_set(self->session.control, "runqueue", false, NULL, 0));
	session_close(&self->session);
}

static int64_t kernel_switches(void)
{
	return (int64_t)file_number("/proc/stat", "ctxt");
}

/* Each count is read between two of the kernel's, which bound it. */
TEST_F(runqueue, switches_equal_the_kernels)
{
	int64_t first[2], last[2], begin, end;

	first[0] = kernel_switches();
	/* It counts a switch before it tells of it. */
	ASSERT_EQ(0, kernel_settle());
	begin = metric(self->view, SWITCHES);
	first[1] = kernel_switches();
	ASSERT_TRUE(hand_over(500));
	last[0] = kernel_switches();
	ASSERT_EQ(0, kernel_settle());
	end = metric(self->view, SWITCHES);
	last[1] = kernel_switches();
	EXPECT_LE(last[0] - first[1], end - begin);
	EXPECT_GE(last[1] - first[0], end - begin);
	EXPECT_LE(500, end - begin);
}

/* Nanoseconds that a process waited on a run queue. */
static int64_t waited(pid_t pid)
{
	char path[64], text[128];
	long long delay = 0;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	if (file_read(path, text, sizeof(text)) < 0 ||
	    sscanf(text, "%*d %lld", &delay) != 1)
		return -1;
	return delay;
}

/* Kernels without scheduler statistics tell zeros. */
static bool waits_are_told(void)
{
	char text[128];

	return file_read("/proc/self/schedstat", text, sizeof(text)) > 0 &&
	       strncmp(text, "0 0 0", 5);
}

static pid_t hog_start(void)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	stay_on_cpu(0);
	for (;;)
		__asm__ volatile("" ::: "memory");
}

TEST_F(runqueue, hogs_on_one_cpu_wait_for_each_other)
{
	int64_t count = metric(self->view, LATENCY), sum = metric_sum(self->view, LATENCY);
	int64_t hogs_waited = 0;
	pid_t hog[HOGS];
	int i;

	if (!waits_are_told())
		SKIP(return, "this kernel does not tell how long a thread waited");
	for (i = 0; i < HOGS; i++) {
		hog[i] = hog_start();
		ASSERT_LT(0, hog[i]);
	}
	/* Each was preempted by the other some times. */
	EXPECT_TRUE(await(waited(hog[0]) > 100000000 && waited(hog[1]) > 100000000));
	for (i = 0; i < HOGS; i++)
		hogs_waited += waited(hog[i]);
	for (i = 0; i < HOGS; i++) {
		kill(hog[i], SIGKILL);
		ASSERT_EQ(hog[i], waitpid(hog[i], NULL, 0));
	}
	EXPECT_LE(4, metric(self->view, LATENCY) - count);
	/* The hogs' waits are among all; two clocks, so not to the nanosecond. */
	EXPECT_LE(hogs_waited / 10 * 9, metric_sum(self->view, LATENCY) - sum);
	EXPECT_EQ(0, metric(self->view, "obsring_runqueue_missed_total"));
}

/* How often this process, and children that it waited for, went to sleep. */
static int64_t own_sleeps(void)
{
	struct rusage self, children;

	getrusage(RUSAGE_SELF, &self);
	getrusage(RUSAGE_CHILDREN, &children);
	return self.ru_nvcsw + children.ru_nvcsw;
}

/*
 * A wait is no wait if the CPU idles: many waits of little time. Each sleep ends with one.
 * Who is given a byte while it has not gone to sleep yet does not wait for it.
 */
TEST_F(runqueue, each_switch_in_is_one_wait)
{
	int64_t switches = metric(self->view, SWITCHES), waits = metric(self->view, LATENCY);
	int64_t begun = own_sleeps(), sleeps;

	do {
		ASSERT_TRUE(hand_over(500));
		sleeps = own_sleeps() - begun;
	} while (sleeps < 900);
	ASSERT_EQ(0, kernel_settle());
	waits = metric(self->view, LATENCY) - waits;
	switches = metric(self->view, SWITCHES) - switches;
	EXPECT_LE(sleeps, waits);
	/* The idle threads are switched in without having waited. */
	EXPECT_GE(switches, waits);
}

TEST_HARNESS_MAIN
