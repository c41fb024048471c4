// SPDX-License-Identifier: MIT
/* Source block: requests to the scratch disk, against the kernel's own counts. */
#include <linux/fs.h>
#include <sys/ioctl.h>

#include "kernel.h"
#include "logged.h"
#include "test.h"

#define LATENCY	"obsring_block_io_latency_seconds"
#define BYTES	"obsring_block_io_bytes_total"
#define DISK	"/dev/vda"

FIXTURE(block)
{
	struct view view;
	char *buffer;
	int fd;
};

FIXTURE_SETUP(block)
{
	ASSERT_EQ(0, view_open(&self->view));
	self->buffer = aligned_alloc(4096, 65536);
	ASSERT_NE(NULL, self->buffer);
	memset(self->buffer, 'x', 65536);
	self->fd = open(DISK, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (self->fd < 0)
		SKIP_SETUP("no scratch disk");
}

FIXTURE_TEARDOWN(block)
{
	if (self->fd >= 0)
		close(self->fd);
	free(self->buffer);
	view_close(&self->view);
}

static int64_t counted(struct view *view, const char *family, const char *op)
{
	int64_t n = metric(view, family, "vda", op);

	return n == METRIC_NONE ? 0 : n;
}

/* The overflow series takes what comes before a worker has made a disk's series. */
static int64_t overflown(struct view *view, const char *family)
{
	return metric(view, family, OBSRING_OVERFLOW_VALUE, OBSRING_OVERFLOW_VALUE);
}

/* A number of /sys/block/vda/stat, from 0. */
static int64_t kernel(unsigned int field)
{
	char text[512], *at = text;
	int64_t n = -1;

	if (file_read("/sys/block/vda/stat", text, sizeof(text)) < 0)
		return -1;
	do {
		n = strtoll(at, &at, 10);
	} while (field--);
	return n;
}

enum { READS = 0, SECTORS_READ = 2, WRITES = 4, SECTORS_WRITTEN = 6, FLUSHES = 15 };

/* Until the disk's series of @op exist. */
static bool known(struct view *view, int fd, char *buffer, const char *op)
{
	return await((!strcmp(op, "read") ? pread(fd, buffer, 4096, 0) :
		      pwrite(fd, buffer, 4096, 0)) == 4096 &&
		     metric(view, BYTES, "vda", op) != METRIC_NONE);
}

TEST_F(block, first_requests_are_not_lost)
{
	int64_t bytes, count;
	int i;

	ASSERT_EQ(0, module_loaded("obsring") ? 0 : -1);
	bytes = counted(&self->view, BYTES, "write") + overflown(&self->view, BYTES);
	count = counted(&self->view, LATENCY, "write") + overflown(&self->view, LATENCY);
	for (i = 0; i < 20; i++)
		ASSERT_EQ(4096, pwrite(self->fd, self->buffer, 4096, i * 4096));
	EXPECT_TRUE(await(metric(&self->view, BYTES, "vda", "write") != METRIC_NONE));
	EXPECT_EQ(bytes + 20 * 4096, counted(&self->view, BYTES, "write") +
		  overflown(&self->view, BYTES));
	EXPECT_EQ(count + 20, counted(&self->view, LATENCY, "write") +
		  overflown(&self->view, LATENCY));
}

TEST_F(block, writes_exactly)
{
	int64_t bytes, count, writes, sectors, sum;
	int i;

	ASSERT_TRUE(known(&self->view, self->fd, self->buffer, "write"));
	bytes = counted(&self->view, BYTES, "write");
	count = counted(&self->view, LATENCY, "write");
	sum = metric_sum(&self->view, LATENCY, "vda", "write");
	/* The kernel counts a request after it woke who waits for it. */
	ASSERT_EQ(0, kernel_settle());
	writes = kernel(WRITES);
	sectors = kernel(SECTORS_WRITTEN);
	for (i = 0; i < 100; i++)
		ASSERT_EQ(8192, pwrite(self->fd, self->buffer, 8192, i * 65536));
	EXPECT_EQ(bytes + 100 * 8192, counted(&self->view, BYTES, "write"));
	EXPECT_EQ(count + 100, counted(&self->view, LATENCY, "write"));
	EXPECT_LT(sum, metric_sum(&self->view, LATENCY, "vda", "write"));
	ASSERT_EQ(0, kernel_settle());
	EXPECT_EQ(kernel(WRITES) - writes, counted(&self->view, LATENCY, "write") - count);
	EXPECT_EQ((kernel(SECTORS_WRITTEN) - sectors) * 512,
		  counted(&self->view, BYTES, "write") - bytes);
}

TEST_F(block, reads_exactly)
{
	int64_t bytes, count, write;
	int i;

	ASSERT_TRUE(known(&self->view, self->fd, self->buffer, "read"));
	write = counted(&self->view, BYTES, "write");
	bytes = counted(&self->view, BYTES, "read");
	count = counted(&self->view, LATENCY, "read");
	for (i = 0; i < 70; i++)
		ASSERT_EQ(16384, pread(self->fd, self->buffer, 16384, i * 16384));
	EXPECT_EQ(bytes + 70 * 16384, counted(&self->view, BYTES, "read"));
	EXPECT_EQ(count + 70, counted(&self->view, LATENCY, "read"));
	EXPECT_EQ(write, counted(&self->view, BYTES, "write"));
}

TEST_F(block, flushes_carry_no_bytes)
{
	int64_t count, flushes;
	int i;

	/* The first makes the series. */
	EXPECT_TRUE(await(!fsync(self->fd) &&
			  metric(&self->view, LATENCY, "vda", "flush") != METRIC_NONE));
	count = counted(&self->view, LATENCY, "flush");
	flushes = kernel(FLUSHES);
	for (i = 0; i < 10; i++)
		ASSERT_EQ(0, fsync(self->fd));
	if (kernel(FLUSHES) == flushes)
		SKIP(return, "the scratch disk has no cache to flush");
	EXPECT_EQ(count + 10, counted(&self->view, LATENCY, "flush"));
	EXPECT_EQ(0, counted(&self->view, BYTES, "flush"));
}

/* ---- In the log ---------------------------------------------------------- */

static int log_io(const char *option)
{
	struct obs_control *control;
	int r = obs_control_open(&control);

	if (!r)
		r = obs_source_set(control, "block", true, &option, 1);
	if (r)
		return r;
	obs_control_close(control);
	return 0;
}

TEST_F(block, slow_ones_are_logged)
{
	struct logged log;
	const char *line;
	char where[64];
	int i;

	ASSERT_EQ(0, logged_open(&log));
	for (i = 0; i < 10; i++)
		ASSERT_EQ(8192, pwrite(self->fd, self->buffer, 8192, i * 65536));
	EXPECT_EQ(0, logged(&log, "source=block"));
	ASSERT_EQ(0, log_io("log-io=1us"));
	for (i = 0; i < 10; i++)
		ASSERT_EQ(8192, pwrite(self->fd, self->buffer, 8192, i * 65536));
	ASSERT_EQ(4096, pread(self->fd, self->buffer, 4096, 4096));
	EXPECT_EQ(11, logged(&log, " level=warning source=block ", " pid=0 ", " msg=\"a request took ",
			     " device=vda "));
	EXPECT_EQ(10, logged(&log, " op=write ", " bytes=8192 "));
	EXPECT_EQ(1, logged(&log, " op=read sector=8 bytes=4096 "));
	for (i = 0; i < 10; i++) {
		snprintf(where, sizeof(where), " op=write sector=%d ", i * 128);
		line = logged_line(&log, where);
		EXPECT_LE(1000, logged_number(line, " latency_ns="));
		EXPECT_NE(UINT64_MAX, logged_number(line, " latency_ns="));
	}
	ASSERT_EQ(0, log_io("log-io=3600s"));
	ASSERT_EQ(4096, pread(self->fd, self->buffer, 4096, 4096));
	ASSERT_EQ(0, log_io("log-io=off"));
	ASSERT_EQ(4096, pread(self->fd, self->buffer, 4096, 4096));
	EXPECT_EQ(11, logged(&log, "source=block"));
	logged_close(&log);
}

/* ---- A disk that comes and goes ------------------------------------------ */

FIXTURE(disk)
{
	struct view view;
	int fd;
};

FIXTURE_SETUP(disk)
{
	ASSERT_EQ(0, view_open(&self->view));
	if (program("modprobe", "null_blk", "nr_devices=1", "gb=1", "memory_backed=1",
		    "discard=1"))
		SKIP_SETUP("this kernel has no null_blk");
	if (access("/sys/module/null_blk/initstate", F_OK))
		SKIP_SETUP("null_blk is built in: it can't go");
	self->fd = open("/dev/nullb0", O_RDWR | O_DIRECT | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(disk)
{
	if (self->fd > 0)
		close(self->fd);
	program("rmmod", "null_blk");
	view_close(&self->view);
}

TEST_F(disk, discards)
{
	uint64_t range[2] = { 0, 1 << 20 };
	int64_t bytes;
	int i;

	EXPECT_TRUE(await(!ioctl(self->fd, BLKDISCARD, range) &&
			  metric(&self->view, BYTES, "nullb0", "discard") != METRIC_NONE));
	bytes = metric(&self->view, BYTES, "nullb0", "discard");
	for (i = 0; i < 5; i++) {
		range[0] = (uint64_t)i << 20;
		ASSERT_EQ(0, ioctl(self->fd, BLKDISCARD, range));
	}
	EXPECT_EQ(bytes + (5 << 20), metric(&self->view, BYTES, "nullb0", "discard"));
}

/* A disk that takes 30 ms for each: all are beyond 20 ms. */
TEST_F(disk, slow_disk_is_logged)
{
	struct logged log;
	char *buffer = aligned_alloc(4096, 4096);
	int i;

	ASSERT_EQ(0, logged_open(&log));
	close(self->fd);
	ASSERT_EQ(0, program("rmmod", "null_blk"));
	ASSERT_EQ(0, program("modprobe", "null_blk", "nr_devices=1", "gb=1", "irqmode=2",
			     "completion_nsec=30000000"));
	self->fd = open("/dev/nullb0", O_RDWR | O_DIRECT | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, log_io("log-io=20ms"));
	for (i = 0; i < 5; i++)
		ASSERT_EQ(4096, pread(self->fd, buffer, 4096, 1 << 20));
	EXPECT_LE(5, logged(&log, " device=nullb0 op=read sector=2048 bytes=4096 "));
	EXPECT_LE(20000000, logged_least(&log, " latency_ns="));
	ASSERT_EQ(0, log_io("log-io=off"));
	logged_close(&log);
	free(buffer);
}

/* A disk of that name again goes on where the last one ended. */
TEST_F(disk, goes_and_comes_back)
{
	char *buffer = aligned_alloc(4096, 4096);
	int64_t bytes;

	memset(buffer, 'x', 4096);
	EXPECT_TRUE(await(pwrite(self->fd, buffer, 4096, 0) == 4096 &&
			  metric(&self->view, BYTES, "nullb0", "write") != METRIC_NONE));
	bytes = metric(&self->view, BYTES, "nullb0", "write");
	close(self->fd);
	ASSERT_EQ(0, program("rmmod", "null_blk"));
	EXPECT_EQ(bytes, metric(&self->view, BYTES, "nullb0", "write"));
	ASSERT_EQ(0, program("modprobe", "null_blk", "nr_devices=1", "gb=1"));
	self->fd = open("/dev/nullb0", O_RDWR | O_DIRECT | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(4096, pwrite(self->fd, buffer, 4096, 0));
	EXPECT_EQ(bytes + 4096, metric(&self->view, BYTES, "nullb0", "write"));
	free(buffer);
}

TEST_HARNESS_MAIN
