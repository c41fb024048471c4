// SPDX-License-Identifier: MIT
/*
 * What sources observe of a thread is tagged with its trace: calls, stalls, and
 * the direct and synchronous I/O that it submitted, and packets that are dropped
 * while it sends; what others do, or is done on behalf of nobody, is not.
 */
#include <arpa/inet.h>
#include <linux/fs.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "logged.h"
#include "packet.h"
#include "test.h"
#include "trace.h"
#include "uring.h"

#define CALLS	"obsring_syscall_latency_seconds"
#define IO	"obsring_block_io_latency_seconds"
#define DISK	"/dev/vda"
#define IO_SIZE	4096

FIXTURE(tag)
{
	struct session session;
	struct obs_control *control;
	struct view *view;
	struct obsring_context own;
	char *buffer;
	int fd, disk;
};

FIXTURE_SETUP(tag)
{
	const char *option[] = { "latency=getpgid", "sample=1" };

	ASSERT_EQ(0, session_open(&self->session));
	self->control = self->session.control;
	self->view = &self->session.view;
	ASSERT_EQ(0, obs_source_set(self->control, "syscall", true, option, 2));
	self->buffer = aligned_alloc(4096, IO_SIZE);
	ASSERT_NE(NULL, self->buffer);
	memset(self->buffer, 'x', IO_SIZE);
	self->disk = open(DISK, O_RDWR | O_DIRECT | O_CLOEXEC);
	self->fd = open(OBSRING_DEVICE, O_WRONLY | O_CLOEXEC);
	obs_context_init(&self->own);
	ASSERT_EQ(0, trace_register(self->fd, &self->own));
}

FIXTURE_TEARDOWN(tag)
{
	const char *option[] = { "latency=read,write", "sample=1000" };

	EXPECT_EQ(0, trace_register(self->fd, NULL));
	EXPECT_EQ(0, obs_source_set(self->control, "syscall", false, option, 2));
	session_close(&self->session);
	free(self->buffer);
	close(self->disk);
	close(self->fd);
}

static bool is_of(const struct obs_exemplar *e, unsigned int k)
{
	size_t i;

	for (i = 0; i < sizeof(e->trace_id); i++)
		if (e->trace_id[i] != k || e->span_id[i / 2] != k)
			return false;
	return e->time_ns;
}

/* How many of a series' exemplars are of context @k; negative: they can't be read. */
static int exemplars(struct view *view, unsigned int k, const char *const *names)
{
	const struct obs_series_info *series = view_series(view, names);
	struct obs_exemplar e[OBS_RANGES_MAX];
	unsigned int i;
	int r, n = 0;

	if (!series)
		return -1;
	r = obs_series_exemplars(view->snapshot, series, e, series->nr_exemplars);
	for (i = 0; r >= 0 && i < series->nr_exemplars; i++)
		n += is_of(&e[i], k);
	return r < 0 ? r : n;
}

#define of(k, ...)	exemplars(self->view, k, metric_names(__VA_ARGS__))

/* ---- Calls --------------------------------------------------------------- */

static int call(unsigned int times)
{
	while (times--)
		if (syscall(SYS_getpgid, 0) < 0)
			return -errno;
	return 1;
}

TEST_F(tag, call)
{
	ASSERT_EQ(1, call(10));
	EXPECT_EQ(0, of(1, CALLS, "getpgid"));
	trace_set(&self->own, 1);
	/* The one that is there may be less than 1 ms old, and stay. */
	EXPECT_TRUE(await(call(1) && of(1, CALLS, "getpgid") > 0));
	trace_set(&self->own, 2);
	EXPECT_TRUE(await(call(1) && of(2, CALLS, "getpgid") > 0));
	/* Whether or not there is such a series. */
	EXPECT_GE(0, of(2, CALLS, "read"));
}

static int call_job(void *unused)
{
	(void)unused;
	return call(100);
}

/* A child has its parent's memory, and no context. */
TEST_F(tag, call_of_a_child)
{
	int64_t before = metric(self->view, CALLS, "getpgid");

	trace_set(&self->own, 3);
	ASSERT_EQ(1, child_run(call_job, NULL));
	EXPECT_EQ(before + 100, metric(self->view, CALLS, "getpgid"));
	EXPECT_EQ(0, of(3, CALLS, "getpgid"));
}

/* ---- Stalls -------------------------------------------------------------- */

TEST_F(tag, compaction)
{
	if (access("/proc/sys/vm/compact_memory", W_OK))
		SKIP(return, "this kernel does not compact");
	trace_set(&self->own, 4);
	EXPECT_TRUE(await(!file_write("/proc/sys/vm/compact_memory", "1") &&
			  of(4, "obsring_compaction_stall_seconds") > 0));
}

/* Ends by SIGKILL. */
static void hog(int fd)
{
	const size_t step = 1 << 20;
	struct obsring_context own;
	char *at;

	obs_context_init(&own);
	trace_set(&own, 5);
	if (file_write("/proc/self/oom_score_adj", "1000") || trace_register(fd, &own))
		_exit(1);
	for (;;) {
		at = mmap(NULL, step, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (at == MAP_FAILED)
			_exit(1);
		memset(at, 1, step);
	}
}

TEST_F(tag, reclaim)
{
	pid_t pid = fork();
	int status = 0;

	if (!pid)
		hog(self->fd);
	ASSERT_LT(0, pid);
	EXPECT_TRUE(await(of(5, "obsring_reclaim_stall_seconds") > 0 ||
			  waitpid(pid, &status, WNOHANG)));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	EXPECT_LT(0, of(5, "obsring_reclaim_stall_seconds"));
}

/* ---- I/O ----------------------------------------------------------------- */

static int64_t requests(struct view *view, const char *op)
{
	int64_t n = metric(view, IO, "vda", op);

	return n == METRIC_NONE ? 0 : n;
}

TEST_F(tag, direct_io)
{
	if (self->disk < 0)
		SKIP(return, "no scratch disk");
	trace_set(&self->own, 6);
	EXPECT_TRUE(await(pwrite(self->disk, self->buffer, IO_SIZE, 0) == IO_SIZE &&
			  of(6, IO, "vda", "write") > 0));
	trace_set(&self->own, 7);
	EXPECT_TRUE(await(pread(self->disk, self->buffer, IO_SIZE, 0) == IO_SIZE &&
			  of(7, IO, "vda", "read") > 0));
	EXPECT_EQ(0, of(7, IO, "vda", "write"));
	EXPECT_EQ(0, metric(self->view, "obsring_block_untagged_total"));
}

/* What the thread itself waits for is its own, buffered or not. */
TEST_F(tag, synchronous_io)
{
	int fd = open(DISK, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		SKIP(return, "no scratch disk");
	trace_set(&self->own, 8);
	EXPECT_TRUE(await(pwrite(fd, self->buffer, IO_SIZE, 1 << 20) == IO_SIZE &&
			  !fdatasync(fd) && of(8, IO, "vda", "write") > 0));
	close(fd);
}

static int sync_job(void *arg)
{
	(void)arg;
	sync();
	return 0;
}

/* Whoever writes it back is not the one who wrote it. */
TEST_F(tag, buffered_io)
{
	int64_t before = requests(self->view, "write");
	int i, fd = open(DISK, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		SKIP(return, "no scratch disk");
	trace_set(&self->own, 9);
	for (i = 0; i < 64; i++)
		ASSERT_EQ(IO_SIZE, pwrite(fd, self->buffer, IO_SIZE, (i * 2 + 1) * 65536));
	ASSERT_EQ(0, child_run(sync_job, NULL));
	EXPECT_TRUE(await(requests(self->view, "write") > before));
	EXPECT_EQ(0, of(9, IO, "vda", "write"));
	close(fd);
}

/* A worker of io_uring does not know for whose trace it works. */
TEST_F(tag, worker_of_io_uring)
{
	int64_t before = requests(self->view, "read");
	int i, r = self->disk < 0 ? -ENOSYS : 0;

	trace_set(&self->own, 10);
	for (i = 0; i < 64 && r >= 0; i++)
		r = uring_read(self->disk, self->buffer, IO_SIZE, IOSQE_ASYNC);
	if (r == -ENOSYS)
		SKIP(return, "no scratch disk, or no io_uring");
	ASSERT_EQ(IO_SIZE, r);
	EXPECT_EQ(before + 64, requests(self->view, "read"));
	EXPECT_EQ(0, of(10, IO, "vda", "read"));
	/* What the thread submits itself is its own, through the same ring. */
	EXPECT_TRUE(await(uring_read(self->disk, self->buffer, IO_SIZE, 0) == IO_SIZE &&
			  of(10, IO, "vda", "read") > 0));
}

/* ---- Packets ------------------------------------------------------------- */

#define OF_11	" trace_id=0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b span_id=0b0b0b0b0b0b0b0b "

FIXTURE(packet)
{
	struct session session;
	struct logged log;
	struct obsring_context own;
	int fd;
};

static int lose(const char *verb, const char *share)
{
	return program("tc", "qdisc", verb, "dev", "lo", "root", "netem", "loss", share);
}

FIXTURE_SETUP(packet)
{
	const char *const on = "log-drop=on";

	ASSERT_EQ(0, session_open(&self->session));
	ASSERT_EQ(0, logged_open(&self->log));
	program("modprobe", "-q", "sch_netem");
	if (lose("add", "0%"))
		SKIP_SETUP("no netem: neither tc nor the kernel's sch_netem may be missing");
	ASSERT_EQ(0, obs_source_set(self->session.control, "netdrop", true, &on, 1));
	self->fd = open(OBSRING_DEVICE, O_WRONLY | O_CLOEXEC);
	obs_context_init(&self->own);
	trace_set(&self->own, 11);
	ASSERT_EQ(0, trace_register(self->fd, &self->own));
}

FIXTURE_TEARDOWN(packet)
{
	const char *const off = "log-drop=off";

	program("tc", "qdisc", "del", "dev", "lo", "root");
	EXPECT_EQ(0, trace_register(self->fd, NULL));
	EXPECT_EQ(0, obs_source_set(self->session.control, "netdrop", true, &off, 1));
	close(self->fd);
	logged_close(&self->log);
	session_close(&self->session);
}

/* Its queue loses what the thread sends: in the call that sends. */
TEST_F(packet, sent)
{
	ASSERT_EQ(0, lose("change", "100%"));
	ASSERT_EQ(0, packets_without_socket(20));
	EXPECT_EQ(20, logged(&self->log, " source=netdrop ", " bytes=43 ", OF_11));
	EXPECT_EQ(20, logged(&self->log, " source=netdrop ", " bytes=43 "));
}

/* The other end of the same packets: whoever sent them is not known there. */
TEST_F(packet, received)
{
	ASSERT_EQ(0, packets_without_socket(20));
	EXPECT_TRUE(await(logged(&self->log, " reason=NO_SOCKET ") >= 20));
	EXPECT_EQ(0, logged(&self->log, " reason=NO_SOCKET ", " trace_id="));
}

/* A SYN is the thread's own; sent again, it is a timer's. */
TEST_F(packet, sent_again)
{
	const struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(9),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	ASSERT_EQ(0, lose("change", "100%"));
	ASSERT_GT(0, connect(fd, (const void *)&to, sizeof(to)));
	ASSERT_EQ(EINPROGRESS, errno);
	EXPECT_TRUE(await(logged(&self->log, " source=netdrop ", " protocol=ipv4 ") >= 3));
	EXPECT_EQ(1, logged(&self->log, " source=netdrop ", " protocol=ipv4 ", OF_11));
	close(fd);
}

TEST_HARNESS_MAIN
