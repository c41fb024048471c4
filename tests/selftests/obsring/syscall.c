// SPDX-License-Identifier: MIT
/* Source syscall: each call counted, chosen ones timed. */
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "test.h"

#define CALLS	"obsring_syscalls_total"
#define LATENCY	"obsring_syscall_latency_seconds"

FIXTURE(syscall)
{
	struct session session;
	struct obs_control *control;
	struct view *view;
};

FIXTURE_SETUP(syscall)
{
	ASSERT_EQ(0, session_open(&self->session));
	self->control = self->session.control;
	self->view = &self->session.view;
	ASSERT_EQ(0, obs_source_set(self->control, "syscall", true, NULL, 0));
}

FIXTURE_TEARDOWN(syscall)
{
	const char *option[] = { "latency=read,write", "sample=1000" };

	EXPECT_EQ(0, obs_source_set(self->control, "syscall", false, option, 2));
	session_close(&self->session);
}

static void call(long nr, unsigned int times)
{
	while (times--)
		syscall(nr, 0, 0, 0);
}

static int choose(struct obs_control *control, const char *latency, const char *sample)
{
	const char *option[] = { latency, sample };

	return obs_source_set(control, "syscall", true, option, 2);
}

/* ---- Counting ------------------------------------------------------------ */

TEST_F(syscall, counts_exactly)
{
	int64_t getppid = metric(self->view, CALLS, "getppid");
	int64_t getsid = metric(self->view, CALLS, "getsid");

	ASSERT_LE(0, getppid);
	call(SYS_getppid, 1234);
	EXPECT_EQ(getppid + 1234, metric(self->view, CALLS, "getppid"));
	EXPECT_EQ(getsid, metric(self->view, CALLS, "getsid"));
	call(SYS_getsid, 10);
	EXPECT_EQ(getppid + 1234, metric(self->view, CALLS, "getppid"));
	EXPECT_EQ(getsid + 10, metric(self->view, CALLS, "getsid"));
}

/* A call that fails was made as well. */
TEST_F(syscall, failed_calls_count)
{
	int64_t before = metric(self->view, CALLS, "rmdir");
	int i;

#ifdef SYS_rmdir
	for (i = 0; i < 50; i++)
		EXPECT_EQ(-1, syscall(SYS_rmdir, "/no/such/folder"));
	EXPECT_EQ(before + 50, metric(self->view, CALLS, "rmdir"));
#else
	before = metric(self->view, CALLS, "unlinkat");
	for (i = 0; i < 50; i++)
		EXPECT_EQ(-1, syscall(SYS_unlinkat, -1, "/no/such/folder", 0));
	EXPECT_EQ(before + 50, metric(self->view, CALLS, "unlinkat"));
#endif
}

TEST_F(syscall, unknown_numbers)
{
	int64_t before = metric(self->view, CALLS, "unknown");

	ASSERT_LE(0, before);
	call(9999, 20);
	call(0x7fffffff, 1);
	EXPECT_EQ(before + 21, metric(self->view, CALLS, "unknown"));
}

#ifdef __x86_64__
/* getpid as a 32-bit program calls it. */
static int call_compat(void *arg)
{
	int i, ret = -1;

	for (i = 0; i < 30; i++)
		__asm__ volatile("int $0x80" : "=a"(ret) : "a"(20) : "memory",
				 "r8", "r9", "r10", "r11");
	(void)arg;
	return ret == getpid() ? 0 : -ENOSYS;
}

TEST_F(syscall, calls_of_32_bit)
{
	int64_t before = metric(self->view, CALLS, "compat");
	int64_t write = metric(self->view, CALLS, "writev");

	if (child_run(call_compat, NULL))
		SKIP(return, "this kernel runs no 32-bit programs");
	EXPECT_EQ(before + 30, metric(self->view, CALLS, "compat"));
	/* Number 20 is writev to 64-bit programs. */
	EXPECT_EQ(write, metric(self->view, CALLS, "writev"));
}
#endif

TEST_F(syscall, all_cpus_together)
{
	int64_t before = metric(self->view, CALLS, "getppid");
	int i, status;

	for (i = 0; i < 8; i++) {
		pid_t pid = fork();

		if (!pid) {
			call(SYS_getppid, 5000);
			_exit(0);
		}
		ASSERT_LT(0, pid);
	}
	while (waitpid(-1, &status, 0) > 0)
		;
	EXPECT_EQ(before + 40000, metric(self->view, CALLS, "getppid"));
}

/* ---- Timing -------------------------------------------------------------- */

TEST_F(syscall, times_each_chosen_call)
{
	int64_t count, sum;

	ASSERT_EQ(0, choose(self->control, "latency=getpgid,getsid", "sample=1"));
	count = metric(self->view, LATENCY, "getpgid");
	sum = metric_sum(self->view, LATENCY, "getpgid");
	call(SYS_getpgid, 500);
	EXPECT_EQ(count + 500, metric(self->view, LATENCY, "getpgid"));
	EXPECT_LT(sum, metric_sum(self->view, LATENCY, "getpgid"));
	EXPECT_EQ(0, metric(self->view, LATENCY, "getsid"));
	call(SYS_getsid, 3);
	EXPECT_EQ(3, metric(self->view, LATENCY, "getsid"));
	EXPECT_EQ(0, metric(self->view, "obsring_syscall_missed_total"));
}

TEST_F(syscall, times_one_of_n)
{
	int64_t before;

	ASSERT_EQ(0, stay_on_cpu(0));
	ASSERT_EQ(0, choose(self->control, "latency=getpgid", "sample=10"));
	before = metric(self->view, LATENCY, "getpgid");
	call(SYS_getpgid, 1000);
	EXPECT_EQ(before + 100, metric(self->view, LATENCY, "getpgid"));
}

TEST_F(syscall, chosen_no_more)
{
	int64_t before;

	ASSERT_EQ(0, choose(self->control, "latency=getpgid", "sample=1"));
	call(SYS_getpgid, 5);
	before = metric(self->view, LATENCY, "getpgid");
	ASSERT_EQ(0, choose(self->control, "latency=", "sample=1"));
	call(SYS_getpgid, 5);
	EXPECT_EQ(before, metric(self->view, LATENCY, "getpgid"));
}

/* Sleeps in poll, a call that nobody else makes. */
TEST_F(syscall, time_is_that_of_the_call)
{
	int64_t count, sum;
	struct timespec time = { .tv_nsec = 50000000 };

	ASSERT_EQ(0, choose(self->control, "latency=ppoll", "sample=1"));
	count = metric(self->view, LATENCY, "ppoll");
	sum = metric_sum(self->view, LATENCY, "ppoll");
	ASSERT_EQ(0, syscall(SYS_ppoll, NULL, 0, &time, NULL, 8));
	EXPECT_EQ(count + 1, metric(self->view, LATENCY, "ppoll"));
	EXPECT_LE(sum + 50000000, metric_sum(self->view, LATENCY, "ppoll"));
}

static int listener(struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address->sun_family = AF_UNIX;
	snprintf(address->sun_path + 1, sizeof(address->sun_path) - 1, "selftest%d", getpid());
	return bind(fd, (void *)address, sizeof(*address)) || listen(fd, 8) ? -1 : fd;
}

static bool asleep(pid_t pid)
{
	char path[64], text[256];
	const char *at;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (file_read(path, text, sizeof(text)) < 0)
		return false;
	at = strrchr(text, ')');
	return at && at[2] == 'S';
}

/* A thread that is inside a call when the source starts is not timed. */
TEST_F(syscall, calls_that_began_before)
{
	struct sockaddr_un address = { 0 };
	int fd = listener(&address), status, client[2], i;
	int64_t before;
	pid_t pid;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, choose(self->control, "latency=accept4", "sample=1"));
	before = metric(self->view, LATENCY, "accept4");
	ASSERT_EQ(0, obs_source_set(self->control, "syscall", false, NULL, 0));
	pid = fork();
	if (!pid)
		_exit(accept4(fd, NULL, NULL, 0) < 0 || accept4(fd, NULL, NULL, 0) < 0);
	ASSERT_LT(0, pid);
	ASSERT_TRUE(await(asleep(pid)));
	ASSERT_EQ(0, obs_source_set(self->control, "syscall", true, NULL, 0));
	for (i = 0; i < 2; i++) {
		client[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		ASSERT_EQ(0, connect(client[i], (void *)&address, sizeof(address)));
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(before + 1, metric(self->view, LATENCY, "accept4"));
	close(client[0]);
	close(client[1]);
	close(fd);
}

/* A call that a signal ends, even the last one, ends before its thread does. */
TEST_F(syscall, calls_of_the_killed)
{
	int64_t before;
	int i;

	ASSERT_EQ(0, choose(self->control, "latency=rt_sigsuspend", "sample=1"));
	before = metric(self->view, LATENCY, "rt_sigsuspend");
	for (i = 0; i < 50; i++) {
		sigset_t none;
		pid_t pid = fork();

		sigemptyset(&none);
		if (!pid) {
			sigsuspend(&none);
			_exit(0);
		}
		ASSERT_LT(0, pid);
		ASSERT_TRUE(await(asleep(pid)));
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	}
	EXPECT_EQ(before + 50, metric(self->view, LATENCY, "rt_sigsuspend"));
	EXPECT_EQ(0, metric(self->view, "obsring_syscall_missed_total"));
}

TEST_HARNESS_MAIN
