// SPDX-License-Identifier: MIT
/* Source printk: messages by level, against the log itself. */
#include "test.h"

#define MESSAGES "obsring_kernel_messages_total"
#define LEVELS	8

static const char *const level_name[LEVELS] = {
	"emerg", "alert", "crit", "err", "warn", "notice", "info", "debug",
};

FIXTURE(printk)
{
	struct view view;
	char ratelimit[32];
	char console[64];
	int log;
};

FIXTURE_SETUP(printk)
{
	ASSERT_EQ(0, view_open(&self->view));
	ASSERT_LT(0, file_read("/proc/sys/kernel/printk_devkmsg", self->ratelimit,
			       sizeof(self->ratelimit)));
	/* On the kernel's command line it is set for good. */
	if (strcmp(self->ratelimit, "on\n"))
		ASSERT_EQ(0, file_write("/proc/sys/kernel/printk_devkmsg", "on\n"));
	/* Nothing of it need be on the console. */
	ASSERT_LT(0, file_read("/proc/sys/kernel/printk", self->console,
			       sizeof(self->console)));
	ASSERT_EQ(0, file_write("/proc/sys/kernel/printk", "1"));
	self->log = open("/dev/kmsg", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	ASSERT_LE(0, self->log);
}

FIXTURE_TEARDOWN(printk)
{
	if (strcmp(self->ratelimit, "on\n"))
		file_write("/proc/sys/kernel/printk_devkmsg", self->ratelimit);
	file_write("/proc/sys/kernel/printk", self->console);
	close(self->log);
	view_close(&self->view);
}

static void counts_of(struct view *view, int64_t counts[LEVELS + 1])
{
	int level;

	for (level = 0; level < LEVELS; level++)
		counts[level] = metric(view, MESSAGES, level_name[level]);
	counts[LEVELS] = metric(view, MESSAGES, "unknown");
}

/* The records since @log's position, by level; others may write as well. */
static void read_log(int log, int64_t counts[LEVELS])
{
	char record[8192];
	ssize_t n;

	while ((n = read(log, record, sizeof(record) - 1)) > 0) {
		record[n] = '\0';
		counts[strtoul(record, NULL, 10) % 8]++;
	}
}

static int say(int log, int level, int number)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "<%d>obsring selftest %d\n", level, number);

	return write(log, text, (size_t)n) == n ? 0 : -errno;
}

static bool all_counted(struct view *view, const int64_t expected[LEVELS])
{
	int64_t counts[LEVELS + 1];

	counts_of(view, counts);
	return !memcmp(counts, expected, LEVELS * sizeof(counts[0]));
}

/* Expects what the log gained since @before. */
static bool settles(struct view *view, int log, const int64_t before[LEVELS + 1])
{
	int64_t expected[LEVELS];

	memcpy(expected, before, sizeof(expected));
	return await((read_log(log, expected), all_counted(view, expected)));
}

TEST_F(printk, each_level_exactly)
{
	int64_t before[LEVELS + 1], after[LEVELS + 1];
	int level, i;

	ASSERT_LE(0, lseek(self->log, 0, SEEK_END));
	counts_of(&self->view, before);
	/* Quiet levels only: emerg would go to every terminal. */
	for (level = 1; level < LEVELS; level++)
		for (i = 0; i < 5 * level; i++)
			ASSERT_EQ(0, say(self->log, level, i));
	EXPECT_TRUE(settles(&self->view, self->log, before));
	counts_of(&self->view, after);
	for (level = 1; level < LEVELS; level++)
		EXPECT_LE(before[level] + 5 * level, after[level])
			TH_LOG("level %d", level);
	EXPECT_EQ(before[LEVELS], after[LEVELS]);
}

/* A facility is no level. */
TEST_F(printk, facilities)
{
	int64_t before[LEVELS + 1];
	int i;

	ASSERT_LE(0, lseek(self->log, 0, SEEK_END));
	counts_of(&self->view, before);
	for (i = 0; i < 10; i++)
		ASSERT_EQ(0, say(self->log, 3 << 3 | 7, i));
	EXPECT_TRUE(settles(&self->view, self->log, before));
	EXPECT_LE(before[7] + 10, metric(&self->view, MESSAGES, "debug"));
	EXPECT_EQ(before[LEVELS], metric(&self->view, MESSAGES, "unknown"));
}

/* What the kernel itself says. */
TEST_F(printk, the_kernels_own)
{
	int64_t before[LEVELS + 1];

	ASSERT_LE(0, lseek(self->log, 0, SEEK_END));
	counts_of(&self->view, before);
	/* sysrq's help line, of level info. */
	ASSERT_EQ(0, file_write("/proc/sysrq-trigger", "?"));
	EXPECT_TRUE(settles(&self->view, self->log, before));
	EXPECT_LT(before[6], metric(&self->view, MESSAGES, "info"));
}

/*
 * More than the log holds while nobody counts: what was overwritten between is
 * not lost from the sum.
 */
TEST_F(printk, nothing_is_lost_in_a_flood)
{
	int64_t before = metric_total(&self->view, MESSAGES);
	int i, n = 6000;

	for (i = 0; i < n; i++)
		ASSERT_EQ(0, say(self->log, 7, i));
	EXPECT_TRUE(await(metric_total(&self->view, MESSAGES) >= before + n));
}

TEST_F(printk, off_and_on)
{
	struct obs_control *control;
	int64_t before[LEVELS + 1];

	ASSERT_EQ(0, obs_control_open(&control));
	ASSERT_EQ(0, obs_source_set(control, "printk", false, NULL, 0));
	counts_of(&self->view, before);
	ASSERT_EQ(0, say(self->log, 7, 0));
	ASSERT_EQ(0, obs_source_set(control, "printk", true, NULL, 0));
	ASSERT_LE(0, lseek(self->log, 0, SEEK_END));
	/* What came while it was off stays out. */
	ASSERT_EQ(0, say(self->log, 7, 1));
	EXPECT_TRUE(settles(&self->view, self->log, before));
	obs_control_close(control);
}

TEST_HARNESS_MAIN
