// SPDX-License-Identifier: MIT
/*
 * Readers as people have them, many at once: cat, grep, head, poll, epoll. Each
 * reads or is told as lost all that is stored, while every context writes and
 * CPUs come and go.
 */
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "test.h"

#define RECORDS	"obsring_log_records_total"

FIXTURE(cats)
{
	struct session session;
};

FIXTURE_SETUP(cats)
{
	/* Small rings: who is slow loses records. */
	ASSERT_EQ(0, module_reload("log_kernel_bytes=16384"));
	ASSERT_EQ(0, session_open(&self->session));
}

FIXTURE_TEARDOWN(cats)
{
	session_close(&self->session);
}

/* ---- Readers ------------------------------------------------------------- */

enum kind { CAT, GREP, HEAD, POLL, EDGE, LEVEL };

static const enum kind readers[] = {
	CAT, CAT, CAT, CAT, CAT, CAT, CAT, CAT, GREP, GREP, GREP, GREP,
	HEAD, HEAD, HEAD, HEAD, POLL, POLL, POLL, POLL, EDGE, EDGE, EDGE, EDGE,
	LEVEL, LEVEL, LEVEL, LEVEL,
};

#define NR_READERS	ARRAY_SIZE(readers)

static const char *const *const programs[] = {
	[CAT] = (const char *const[]){ "cat", OBSRING_DEVICE, NULL },
	[GREP] = (const char *const[]){ "grep", "--line-buffered", "=", OBSRING_DEVICE, NULL },
	[HEAD] = (const char *const[]){ "head", "-n", "5", OBSRING_DEVICE, NULL },
};

static const char *const kind_name[] = {
	"cat", "grep --line-buffered", "head -n 5", "poll", "epoll, edges", "epoll, levels",
};

/**
 * struct tally - what a reader saw
 * @read: records
 * @lost: records that it was told it lost
 * @torn: lines that are none
 * @pid: of the program
 * @open: the device is
 * @status: as waitpid() tells of a program, else errno
 */
struct tally {
	unsigned long long read, lost, torn;
	pid_t pid;
	int open;
	int status;
};

/* A line that is being read. */
static struct {
	char text[16384];
	size_t len;
} line;

static void line_end(struct tally *tally)
{
	line.text[line.len] = '\0';
	if (!strncmp(line.text, "lost=", 5)) {
		tally->lost += strtoull(line.text + 5, NULL, 10);
	} else {
		tally->read++;
		tally->torn += strncmp(line.text, "ts=", 3) || !strstr(line.text, " msg=\"") ||
			       line.text[line.len - 1] != '"';
	}
	line.len = 0;
}

static void take(struct tally *tally, const char *text, ssize_t n)
{
	for (; n > 0; n--, text++) {
		if (*text == '\n')
			line_end(tally);
		else if (line.len < sizeof(line.text) - 1)
			line.text[line.len++] = *text;
	}
}

/* A program whose output comes by a pipe: its end to read from. */
static int program_start(const char *const *argv, pid_t *ret_pid)
{
	int ends[2];

	if (pipe(ends))
		return -1;
	*ret_pid = fork();
	if (!*ret_pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	close(ends[1]);
	return ends[0];
}

static void program_read(struct tally *tally, const char *const *argv)
{
	static char text[65536];
	int status = -1, fd;
	ssize_t n;
	pid_t pid;

	fd = program_start(argv, &pid);
	__atomic_store_n(&tally->pid, pid, __ATOMIC_RELEASE);
	while ((n = read(fd, text, sizeof(text))) > 0)
		take(tally, text, n);
	waitpid(pid, &status, 0);
	tally->status = status;
}

/* Until the file is readable, by @kind: 0 or errno. */
static int wait_readable(enum kind kind, int fd, int epoll)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct epoll_event got;
	int n = kind == POLL ? poll(&p, 1, -1) : epoll_wait(epoll, &got, 1, -1);

	return n == 1 ? 0 : errno;
}

/* Edges are told once: all is read then. The end comes when the module drains. */
static void own_read(struct tally *tally, enum kind kind)
{
	struct epoll_event event = { .events = EPOLLIN | (kind == EDGE ? EPOLLET : 0) };
	int fd = open(OBSRING_DEVICE, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	static char text[4096];
	ssize_t n;

	if (fd < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
		tally->status = errno;
	__atomic_store_n(&tally->open, 1, __ATOMIC_RELEASE);
	while (!tally->status) {
		tally->status = wait_readable(kind, fd, epoll);
		do {
			n = read(fd, text, sizeof(text));
			take(tally, text, n);
		} while (n > 0 && kind != LEVEL);
		if (!n)
			break;
		if (n < 0 && errno != EAGAIN)
			tally->status = errno;
	}
}

static pid_t reader_start(struct tally *tally, enum kind kind)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (kind <= HEAD)
		program_read(tally, programs[kind]);
	else
		own_read(tally, kind);
	_exit(0);
}

/* Does a process sleep in read(2)? */
static bool sleeps_in_read(pid_t pid)
{
	char path[64], text[256];

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	return file_read(path, text, sizeof(text)) > 0 && text[0] != 'r' &&
	       strtol(text, NULL, 0) == SYS_read;
}

/* An empty log makes who has opened it sleep. */
static bool reader_is_there(const struct tally *tally)
{
	pid_t pid = __atomic_load_n(&tally->pid, __ATOMIC_ACQUIRE);

	return pid ? sleeps_in_read(pid) : __atomic_load_n(&tally->open, __ATOMIC_ACQUIRE);
}

/* ---- All at once --------------------------------------------------------- */

/* One after the other goes and comes back; CPU 0 can't. */
static pid_t hotplug_start(unsigned long long *rounds, const int *stop)
{
	int cpu, nr = (int)sysconf(_SC_NPROCESSORS_CONF);
	char path[64];
	pid_t pid = fork();

	if (pid)
		return pid;
	for (cpu = 1; nr > 1 && !__atomic_load_n(stop, __ATOMIC_RELAXED); cpu = cpu % (nr - 1) + 1) {
		snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
		*rounds += !file_write(path, "0");
		file_write(path, "1");
	}
	_exit(0);
}

struct shared {
	struct tally tally[NR_READERS];
	unsigned long long hotplugs;
	int stop;
};

static bool anybody_lost(const struct shared *shared)
{
	size_t i;

	for (i = 0; i < NR_READERS; i++)
		if (shared->tally[i].lost)
			return true;
	return false;
}

TEST_F_TIMEOUT(cats, all_at_once, 6000)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const char *updates = getenv("OBSRING_CATS_UPDATES") ?: "20000";
	struct obs_control *control = self->session.control;
	int64_t stored;
	size_t i;

	ASSERT_EQ(0, module_load("obsring_stress", "logging=1"));
	for (i = 0; i < NR_READERS; i++)
		ASSERT_LT(0, reader_start(&shared->tally[i], readers[i]));
	for (i = 0; i < NR_READERS; i++)
		ASSERT_TRUE(await(reader_is_there(&shared->tally[i])))
			TH_LOG("%s", kind_name[readers[i]]);
	ASSERT_LT(0, hotplug_start(&shared->hotplugs, &shared->stop));
	/* Until what it is about has happened, however long that takes. */
	while (!shared->hotplugs || !anybody_lost(shared))
		ASSERT_EQ(0, module_parameter_write("obsring_stress", "run", updates));
	__atomic_store_n(&shared->stop, 1, __ATOMIC_RELEASE);
	stored = metric_total(&self->session.view, RECORDS);
	/* Behind the last record comes the end. */
	ASSERT_EQ(0, obs_control_set_state(control, OBSRING_STATE_DRAINING));
	while (waitpid(-1, NULL, 0) > 0)
		;
	ASSERT_EQ(0, obs_control_set_state(control, OBSRING_STATE_RUNNING));
	EXPECT_EQ(stored, metric_total(&self->session.view, RECORDS));
	for (i = 0; i < NR_READERS; i++) {
		const struct tally *t = &shared->tally[i];

		EXPECT_EQ(0, t->status) TH_LOG("%s", kind_name[readers[i]]);
		EXPECT_EQ(0, t->torn) TH_LOG("%s", kind_name[readers[i]]);
		EXPECT_LT(0, t->read);
		if (readers[i] != HEAD)
			EXPECT_EQ(stored, (int64_t)(t->read + t->lost))
				TH_LOG("%s: read %llu, lost %llu", kind_name[readers[i]],
				       t->read, t->lost);
	}
	EXPECT_TRUE(anybody_lost(shared));
	EXPECT_LT(0, shared->hotplugs);
	TH_LOG("stored %lld, %zu readers, the first read %llu and lost %llu, hotplugs %llu",
	       (long long)stored, NR_READERS, shared->tally[0].read, shared->tally[0].lost,
	       shared->hotplugs);
	munmap(shared, sizeof(*shared));
	EXPECT_EQ(0, module_unload("obsring_stress"));
}

/* ---- One by one ---------------------------------------------------------- */

static int say(const char *format, int number)
{
	int fd = open(OBSRING_DEVICE, O_WRONLY | O_CLOEXEC);
	int n, r;

	if (fd < 0)
		return -errno;
	n = dprintf(fd, format, number);
	r = n > 0 ? 0 : -errno;
	close(fd);
	return r;
}

/* A line of the pipe within the time of await(), alone; false: none came. */
static bool line_comes(int fd, char *text, size_t size)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t len = 0;

	do {
		if (poll(&p, 1, AWAIT_SECONDS * 1000) != 1 ||
		    read(fd, text + len, 1) != 1)
			return false;
	} while (text[len] != '\n' && ++len < size - 1);
	text[len] = '\0';
	return true;
}

/* The next is said only when the last one came through. */
TEST_F(cats, grep_lets_lines_through_at_once)
{
	static const char *const argv[] = { "grep", "--line-buffered", "number", OBSRING_DEVICE,
					    NULL };
	char text[4096], want[32];
	pid_t pid;
	int fd, i;

	fd = program_start(argv, &pid);
	EXPECT_TRUE(await(sleeps_in_read(pid)));
	for (i = 0; i < 50; i++) {
		ASSERT_EQ(0, say("nothing %d", i));
		ASSERT_EQ(0, say("number %d", i));
		snprintf(want, sizeof(want), "msg=\"number %d\"", i);
		ASSERT_TRUE(line_comes(fd, text, sizeof(text)));
		EXPECT_NE(NULL, strstr(text, want)) TH_LOG("%s", text);
	}
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	close(fd);
}

/* With the fifth line, not with the next read; successfully. */
TEST_F(cats, head_ends)
{
	char text[4096], want[32];
	int fd, i, status = -1;
	pid_t pid;

	fd = program_start(programs[HEAD], &pid);
	EXPECT_TRUE(await(sleeps_in_read(pid)));
	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, say("number %d", i));
	for (i = 0; i < 5; i++) {
		snprintf(want, sizeof(want), "msg=\"number %d\"", i);
		ASSERT_TRUE(line_comes(fd, text, sizeof(text)));
		EXPECT_NE(NULL, strstr(text, want)) TH_LOG("%s", text);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, read(fd, text, sizeof(text)));
	close(fd);
}

TEST_HARNESS_MAIN
