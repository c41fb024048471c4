// SPDX-License-Identifier: MIT
/*
 * Source process: what a process holds, exactly where that can be exact, and where its
 * threads sleep; who may ask, and when.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "test.h"

#define SAVED	"obsring_process_sleeps_saved_total"
#define MISSED	"obsring_process_sleeps_missed_total"

#define THREADS	24
#define FILES	40
#define BYTES	(8UL << 20)

FIXTURE(process)
{
	struct session session;
	int fd;
};

FIXTURE_SETUP(process)
{
	ASSERT_EQ(0, session_open(&self->session));
	self->fd = obs_device_fd(self->session.view.device);
	ASSERT_EQ(0, obs_source_set(self->session.control, "process", true, NULL, 0));
}

FIXTURE_TEARDOWN(process)
{
	EXPECT_EQ(0, obs_source_set(self->session.control, "process", false, NULL, 0));
	session_close(&self->session);
}

/* ---- A process that holds something --------------------------------------- */

static void *sleep_in_read(void *arg)
{
	char byte;

	while (read(*(int *)arg, &byte, 1) != 0)
		;
	return NULL;
}

/* Threads that sleep in a pipe, files, and memory that is touched; then tell by @told. */
static int child_hold(int told)
{
	static int pipes[2];
	pthread_t thread;
	char *bytes;
	int i;

	prctl(PR_SET_NAME, "holder");
	if (pipe(pipes))
		return 1;
	for (i = 0; i < FILES; i++)
		if (open("/dev/null", O_RDONLY) < 0)
			return 2;
	bytes = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (bytes == MAP_FAILED)
		return 3;
	memset(bytes, 1, BYTES);
	for (i = 0; i < THREADS; i++)
		if (pthread_create(&thread, NULL, sleep_in_read, &pipes[0]))
			return 4;
	if (write(told, "x", 1) != 1)
		return 5;
	for (;;)
		pause();
}

static pid_t hold(int (*child)(int told))
{
	int told[2];
	char byte;
	pid_t pid;

	if (pipe(told))
		return -1;
	pid = fork();
	if (!pid)
		_exit(child(told[1]));
	close(told[1]);
	if (read(told[0], &byte, 1) != 1)
		pid = -1;
	close(told[0]);
	return pid;
}

static bool end(pid_t pid)
{
	return !kill(pid, SIGKILL) && waitpid(pid, NULL, 0) == pid;
}

/* ---- What it holds -------------------------------------------------------- */

struct found {
	pid_t pid;
	struct obsring_process process;
	unsigned int nr, all;
	uint32_t last;
	bool ordered;
};

static int find(const struct obsring_process *process, void *arg)
{
	struct found *found = arg;

	found->ordered &= process->pid > found->last;
	found->last = process->pid;
	found->all++;
	if (process->pid != (uint32_t)found->pid)
		return 0;
	found->process = *process;
	found->nr++;
	return 0;
}

/* Open files as /proc has them. */
static unsigned int files_of(pid_t pid)
{
	char path[64];
	unsigned int nr = 0;
	int fd;

	for (fd = 0; fd < 256; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
		nr += !faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW);
	}
	return nr;
}

TEST_F(process, figures)
{
	struct found found = { .pid = hold(child_hold), .ordered = true };

	ASSERT_LT(0, found.pid);
	ASSERT_EQ(0, obs_process_list(self->fd, find, &found));
	EXPECT_TRUE(found.ordered);
	ASSERT_EQ(1, found.nr);
	EXPECT_STREQ("holder", found.process.comm);
	EXPECT_EQ(THREADS + 1, found.process.threads);
	EXPECT_EQ(files_of(found.pid), found.process.files);
	EXPECT_LE(FILES, found.process.files);
	/* Its libraries' pages that were written, stacks; some pages a CPU unseen. */
	EXPECT_LE(BYTES / 10 * 9, found.process.memory_bytes);
	EXPECT_GE(BYTES * 2, found.process.memory_bytes);
	EXPECT_NE(0, found.process.start_ns);
	EXPECT_TRUE(end(found.pid));
}

/* One at a time they are the same, and the kernel's own threads are none. */
TEST_F(process, step_by_step)
{
	struct obsring_process process;
	struct obsring_processes list = {
		.size = sizeof(list), .pid = 1, .process = (uintptr_t)&process,
	};
	bool self_seen = false, kthreadd_seen = false;

	while (list.pid) {
		list.nr = 1;
		ASSERT_EQ(0, ioctl(self->fd, OBSRING_IOC_PROCESSES, &list));
		ASSERT_GE(1, list.nr);
		self_seen |= list.nr && process.pid == (uint32_t)getpid();
		kthreadd_seen |= list.nr && process.pid == 2;
	}
	EXPECT_TRUE(self_seen);
	EXPECT_FALSE(kthreadd_seen);
	list.pid = 1;
	list.nr = 0;
	EXPECT_EQ(0, ioctl(self->fd, OBSRING_IOC_PROCESSES, &list));
	EXPECT_EQ(0, list.nr);
}

/* ---- Where they sleep ----------------------------------------------------- */

struct place {
	const char *name;	/* a function of the stack that is looked for */
	unsigned int tasks, groups;
	bool addresses;
	char stack[OBSRING_STACK_MAX];
};

static int look(const struct obsring_sleep_group *group, void *arg)
{
	struct place *place = arg;

	place->groups++;
	place->addresses |= strstr(group->stack, "0x") || !group->stack[0];
	if (!strstr(group->stack, place->name))
		return 0;
	place->tasks += group->tasks;
	memcpy(place->stack, group->stack, sizeof(place->stack));
	return 0;
}

static unsigned int sleeping(int fd, pid_t pid, struct place *place,
			     struct obs_sleeper_counts *counts)
{
	place->tasks = 0;
	place->groups = 0;
	return obs_sleeper_list(fd, pid, counts, look, place) ? 0 : place->tasks;
}

TEST_F(process, sleepers_by_stack)
{
	struct place place = { .name = "pipe_read" };
	struct obs_sleeper_counts counts;
	pid_t pid = hold(child_hold);

	ASSERT_LT(0, pid);
	/* They all go to sleep, in time. */
	EXPECT_TRUE(await(sleeping(self->fd, pid, &place, &counts) == THREADS));
	TH_LOG("%s", place.stack);
	EXPECT_EQ(THREADS + 1, counts.tasks);
	EXPECT_FALSE(place.addresses);
	/* It begins where it says, not in the scheduler. */
	EXPECT_EQ(NULL, strstr(place.stack, "schedule"));
	EXPECT_EQ(0, counts.exited);
	EXPECT_TRUE(await(sleeping(self->fd, pid, &place, &counts) &&
			  !counts.running && !counts.unknown));
	/* The first thread in pause(), the others in the pipe. */
	EXPECT_EQ(2, place.groups);
	/* Among all tasks they are as many at least. */
	EXPECT_LE(THREADS, sleeping(self->fd, 0, &place, &counts));
	EXPECT_LT(THREADS + 1, counts.tasks);
	EXPECT_FALSE(place.addresses);
	EXPECT_TRUE(end(pid));
	EXPECT_EQ(0, sleeping(self->fd, pid, &place, &counts));
	EXPECT_EQ(0, counts.tasks);
}

TEST_F(process, exited_and_not_waited_for)
{
	struct place place = { .name = "?" };
	struct obs_sleeper_counts counts;
	struct found found = { .pid = fork() };
	pid_t pid = found.pid;

	if (!pid)
		_exit(0);
	EXPECT_TRUE(await(!obs_sleeper_list(self->fd, pid, &counts, look, &place) &&
			  counts.exited == 1));
	/* It holds nothing any more. */
	EXPECT_EQ(0, obs_process_list(self->fd, find, &found));
	EXPECT_EQ(0, found.nr);
	EXPECT_EQ(pid, waitpid(pid, NULL, 0));
}

static int64_t switches(void)
{
	return (int64_t)file_number("/proc/stat", "ctxt");
}

/* Of this process and of its children that were waited for. */
static int64_t own_sleeps(void)
{
	struct rusage self, children;

	getrusage(RUSAGE_SELF, &self);
	getrusage(RUSAGE_CHILDREN, &children);
	return self.ru_nvcsw + children.ru_nvcsw;
}

TEST_F(process, busy_ones_are_sampled)
{
	int64_t looked = metric(&self->session.view, SAVED) + metric(&self->session.view, MISSED);
	int64_t begun = switches(), sleeps = own_sleeps();

	/* The first sleeps are saved, later ones now and then. */
	ASSERT_TRUE(hand_over(4000));
	sleeps = own_sleeps() - sleeps;
	looked = metric(&self->session.view, SAVED) + metric(&self->session.view, MISSED) - looked;
	TH_LOG("%lld of %lld switches", (long long)looked, (long long)(switches() - begun));
	/* By chance: a half of what is to be expected, and none where few slept. */
	EXPECT_LE(sleeps / 32 - 16, looked);
	/* Others' first sleeps besides. */
	EXPECT_GE((switches() - begun) / 2, looked);
}

/* ---- Who may ask, and when ------------------------------------------------ */

static int ask(int fd)
{
	struct obs_sleeper_counts counts;
	struct place place = { .name = "?" };
	struct found found = { 0 };
	int r = obs_process_list(fd, find, &found);

	return r ? r : obs_sleeper_list(fd, 1, &counts, look, &place);
}

static int ask_device(void *arg)
{
	return ask(*(int *)arg);
}

TEST_F(process, off_tells_nothing)
{
	ASSERT_EQ(0, obs_source_set(self->session.control, "process", false, NULL, 0));
	EXPECT_EQ(-ENODATA, ask(self->fd));
	ASSERT_EQ(0, obs_source_set(self->session.control, "process", true, NULL, 0));
	EXPECT_EQ(0, ask(self->fd));
}

TEST_F(process, those_who_may_read)
{
	int fd = open("/dev/obsring", O_WRONLY);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EPERM, ask(fd));
	close(fd);
	/* The group opens it, and needs no capability. */
	EXPECT_EQ(0, nobody_run(OBSRING_GROUP, ask_device, &self->fd));
}

static int ask_elsewhere(void *arg)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(-ask(*(int *)arg));
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? -WEXITSTATUS(status) :
								       -EPROTO;
}

TEST_F(process, not_from_another_pid_namespace)
{
	int r = namespace_run(CLONE_NEWPID, ask_elsewhere, &self->fd);

	if (r == -EOPNOTSUPP)
		SKIP(return, "this kernel has no PID namespaces");
	EXPECT_EQ(-EPERM, r);
}

/* What it writes to is what it reads. */
static int ioctl_groups(int fd, const struct obsring_sleepers *sleepers)
{
	struct obsring_sleepers asked = *sleepers;

	return ioctl(fd, OBSRING_IOC_SLEEPERS, &asked) ? -errno : 0;
}

TEST_F(process, malformed)
{
	struct obsring_process process;
	struct obsring_processes list = {
		.size = sizeof(list), .pid = 1, .nr = 1, .process = (uintptr_t)&process,
	}, bad;
	struct obsring_sleep_group group;
	struct obsring_sleepers sleepers = {
		.size = sizeof(sleepers), .nr = 1, .group = (uintptr_t)&group,
	};

	EXPECT_EQ(-1, ioctl(self->fd, OBSRING_IOC_PROCESSES, NULL));
	EXPECT_EQ(EFAULT, errno);
	bad = list;
	bad.size--;
	EXPECT_EQ(-1, ioctl(self->fd, OBSRING_IOC_PROCESSES, &bad));
	EXPECT_EQ(EINVAL, errno);
	bad = list;
	bad.reserved = 1;
	EXPECT_EQ(-1, ioctl(self->fd, OBSRING_IOC_PROCESSES, &bad));
	EXPECT_EQ(EINVAL, errno);
	bad = list;
	bad.pid = 0;
	EXPECT_EQ(-1, ioctl(self->fd, OBSRING_IOC_PROCESSES, &bad));
	EXPECT_EQ(EINVAL, errno);
	bad.pid = 1U << 31;
	EXPECT_EQ(-1, ioctl(self->fd, OBSRING_IOC_PROCESSES, &bad));
	EXPECT_EQ(EINVAL, errno);
	bad = list;
	bad.process = 8;
	EXPECT_EQ(-1, ioctl(self->fd, OBSRING_IOC_PROCESSES, &bad));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, ioctl(self->fd, OBSRING_IOC_SLEEPERS, NULL));
	EXPECT_EQ(EFAULT, errno);
	sleepers.size++;
	EXPECT_EQ(-1, ioctl(self->fd, OBSRING_IOC_SLEEPERS, &sleepers));
	EXPECT_EQ(EINVAL, errno);
	sleepers.size--;
	sleepers.group = 8;
	/* Something sleeps where it was seen, sooner or later. */
	EXPECT_TRUE(await(ioctl_groups(self->fd, &sleepers) == -EFAULT));
}

/* What one who asks was told, in memory that it shares. */
struct asked {
	unsigned int answered, refused;
	int error;
};

static void ask_on(int fd, struct asked *asked)
{
	int r;

	for (;; poll(NULL, 0, 1)) {
		r = ask(fd);
		if (r && r != -ENODATA)
			break;
		__atomic_fetch_add(r ? &asked->refused : &asked->answered, 1, __ATOMIC_RELAXED);
	}
	asked->error = r;
}

/* It is switched while others ask, and their answers are whole or none. */
TEST_F(process, switched_while_asked)
{
	struct asked *asked = mmap(NULL, sizeof(*asked), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status, n;
	pid_t pid;

	ASSERT_NE(MAP_FAILED, asked);
	pid = fork();
	if (!pid) {
		ask_on(self->fd, asked);
		_exit(1);
	}
	/* Until it was told both. */
	for (n = 0; n < 30 || ((!__atomic_load_n(&asked->answered, __ATOMIC_RELAXED) ||
				!__atomic_load_n(&asked->refused, __ATOMIC_RELAXED)) &&
			       !waitpid(pid, &status, WNOHANG)); n++)
		ASSERT_EQ(0, obs_source_set(self->session.control, "process", n % 2, NULL, 0));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, asked->error);
	EXPECT_LT(0, asked->answered);
	EXPECT_LT(0, asked->refused);
	TH_LOG("switched %d times, %u answers, %u refusals", n, asked->answered, asked->refused);
	munmap(asked, sizeof(*asked));
}

TEST_HARNESS_MAIN
