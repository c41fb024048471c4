// SPDX-License-Identifier: MIT
/* Source printk: messages by level, against the log itself. */
#include <linux/capability.h>

#include "logged.h"
#include "test.h"
#include "wire.h"

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

/* ---- In the log ---------------------------------------------------------- */

#define NO_SYSLOG "log-level: messages of the kernel's log need CAP_SYSLOG in the initial user namespace"

FIXTURE(copy)
{
	struct session session;
	struct logged log;
	int kmsg;
};

FIXTURE_SETUP(copy)
{
	ASSERT_EQ(0, file_write("/proc/sys/kernel/printk", "1"));
	ASSERT_EQ(0, session_open(&self->session));
	ASSERT_EQ(0, logged_open(&self->log));
	self->kmsg = open("/dev/kmsg", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	ASSERT_LE(0, self->kmsg);
}

FIXTURE_TEARDOWN(copy)
{
	const char *const off = "log-level=off";

	EXPECT_EQ(0, obs_source_set(self->session.control, "printk", true, &off, 1));
	close(self->kmsg);
	logged_close(&self->log);
	session_close(&self->session);
}

/* Set log-level, or only switch if @level is NULL. */
static int copy_set(struct obs_control *control, bool enable, const char *level)
{
	char option[64];
	const char *const options[] = { option };

	snprintf(option, sizeof(option), "log-level=%s", level ?: "");
	return obs_source_set(control, "printk", enable, options, !!level);
}

/* Until all that was said so far has been read: a new message of level debug. */
static bool copied(struct view *view, int kmsg)
{
	int64_t before = metric(view, MESSAGES, "debug");

	return !say(kmsg, 7, 0) && await(metric(view, MESSAGES, "debug") > before);
}

TEST_F(copy, off_unless_asked)
{
	ASSERT_EQ(0, say(self->kmsg, 1, 1));
	EXPECT_TRUE(copied(&self->session.view, self->kmsg));
	EXPECT_EQ(0, logged(&self->log, "source=printk"));
}

/* Those of the level and above that are said from then on, each once. */
TEST_F(copy, by_level)
{
	static const char *const name[LEVELS] = {
		[1] = "alert", [2] = "crit", [3] = "err", [4] = "warning",
		[5] = "notice", [6] = "info", [7] = "debug",
	};
	char head[64], text[64];
	int level;

	ASSERT_EQ(0, say(self->kmsg, 3, 1000));
	ASSERT_EQ(0, copy_set(self->session.control, true, "warning"));
	for (level = 1; level < LEVELS; level++)
		ASSERT_EQ(0, say(self->kmsg, level, 2000 + level));
	ASSERT_EQ(0, copy_set(self->session.control, true, "off"));
	ASSERT_EQ(0, say(self->kmsg, 3, 3000));
	EXPECT_TRUE(copied(&self->session.view, self->kmsg));
	for (level = 1; level < LEVELS; level++) {
		snprintf(head, sizeof(head), " level=%s source=printk ", name[level]);
		snprintf(text, sizeof(text), "obsring selftest %d\" facility=1", 2000 + level);
		EXPECT_EQ(level <= 4, logged(&self->log, head, text, " pid=0 "));
		EXPECT_EQ(level <= 4, logged(&self->log, text));
	}
	EXPECT_EQ(0, logged(&self->log, "obsring selftest 1000"));
	EXPECT_EQ(0, logged(&self->log, "obsring selftest 3000"));
}

/* A program can neither make a line of its own nor pass for the kernel. */
TEST_F(copy, no_forging)
{
	static const char text[] = "<3>first\n<0>second\" level=emerg source=x facility=0\nthird\n";

	ASSERT_EQ(0, copy_set(self->session.control, true, "info"));
	ASSERT_EQ((ssize_t)sizeof(text) - 1, write(self->kmsg, text, sizeof(text) - 1));
	ASSERT_EQ(0, file_write("/proc/sysrq-trigger", "?"));
	EXPECT_TRUE(copied(&self->session.view, self->kmsg));
	EXPECT_EQ(1, logged(&self->log, " level=err source=printk ", "first\" facility=1"));
	EXPECT_EQ(1, logged(&self->log, " level=err source=printk ",
			    "<0>second\\\" level=emerg source=x facility=0\" facility=1"));
	EXPECT_EQ(1, logged(&self->log, " level=err source=printk ", "third\" facility=1"));
	EXPECT_EQ(1, logged(&self->log, " level=info source=printk ", "sysrq: HELP",
			    "\" facility=0"));
}

/* Nothing is copied twice, and what is not copied is told. */
TEST_F(copy, flood)
{
	struct view *view = &self->session.view;
	int64_t all = metric_total(view, MESSAGES), unknown = metric(view, MESSAGES, "unknown");
	int64_t stored, told;
	int i, n = 6000;

	ASSERT_EQ(0, copy_set(self->session.control, true, "debug"));
	stored = metric_total(view, "obsring_log_records_total");
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, say(self->kmsg, 7, i));
	EXPECT_TRUE(await(metric_total(view, MESSAGES) >= all + n));
	ASSERT_EQ(0, copy_set(self->session.control, true, "off"));
	all = metric_total(view, MESSAGES) - all;
	unknown = metric(view, MESSAGES, "unknown") - unknown;
	stored = metric_total(view, "obsring_log_records_total") - stored;
	/* Records that tell of messages that were missed, one or more each. */
	told = stored - (all - unknown);
	EXPECT_LE(unknown ? 1 : 0, told);
	EXPECT_GE(unknown, told);
	EXPECT_EQ(stored, (int64_t)(logged(&self->log, "source=printk") +
				    logged_sum(&self->log, "lost=")));
	TH_LOG("messages %lld, missed %lld, told by %lld", (long long)all,
	       (long long)unknown, (long long)told);
}

/* ---- Who may have it copied ---------------------------------------------- */

static int set_err(void *sentence)
{
	struct obs_control *control;
	int r = obs_control_open(&control);

	if (r)
		return r;
	r = copy_set(control, true, "err");
	if (r == -EPERM && strncmp(sentence, obs_control_error(control), strlen(sentence)))
		r = -EPROTO;
	obs_control_close(control);
	return r;
}

static int set_off(void *unused)
{
	struct obs_control *control;
	int r = obs_control_open(&control);

	(void)unused;
	return r ?: copy_set(control, true, "off");
}

static int switch_only(void *enable)
{
	struct obs_control *control;
	int r = obs_control_open(&control);

	return r ?: copy_set(control, *(bool *)enable, NULL);
}

TEST_F(copy, needs_syslog)
{
	bool on = true, off = false;

	EXPECT_EQ(-EPERM, capable_run(CAP_NET_ADMIN, set_err, NO_SYSLOG));
	EXPECT_EQ(-EPERM, capable_run(CAP_SYS_ADMIN, set_err, NO_SYSLOG));
	/* Alone it is not enough to change anything. */
	EXPECT_EQ(-EPERM, capable_run(CAP_SYSLOG, set_err, "this needs CAP_NET_ADMIN"));
	EXPECT_EQ(-EPERM, nobody_run(OBSRING_GROUP, set_err, "this needs CAP_NET_ADMIN"));
	EXPECT_EQ(0, capable_run(CAP_NET_ADMIN, set_off, NULL));
	ASSERT_EQ(0, say(self->kmsg, 1, 1));
	EXPECT_TRUE(copied(&self->session.view, self->kmsg));
	EXPECT_EQ(0, logged(&self->log, "source=printk"));
	/* What one with it has set, another may switch off, but not on again. */
	ASSERT_EQ(0, copy_set(self->session.control, true, "err"));
	EXPECT_EQ(0, capable_run(CAP_NET_ADMIN, switch_only, &on));
	EXPECT_EQ(0, capable_run(CAP_NET_ADMIN, switch_only, &off));
	EXPECT_EQ(-EPERM, capable_run(CAP_NET_ADMIN, switch_only, &on));
	EXPECT_EQ(0, switch_only(&on));
}

/* A capability in a namespace of one's own is none. */
TEST_F(copy, needs_it_in_the_initial_namespace)
{
	int r = namespace_run(0, set_err, "this needs CAP_NET_ADMIN");

	if (r == -EOPNOTSUPP)
		SKIP(return, "this kernel has no user namespaces");
	EXPECT_EQ(-EPERM, r);
}

/* The option is what is blamed, by its place in the request. */
static int blamed(void *unused)
{
	static const char key[] = "log-level", value[] = "err";
	struct request request;
	char nest[64] = { 0 };
	struct nlattr *attr;
	struct wire wire;
	uint32_t offset;
	int r;

	(void)unused;
	attr = (void *)nest;
	attr->nla_type = OBSRING_A_OPTION_KEY;
	attr->nla_len = NLA_HDRLEN + sizeof(key);
	memcpy(nest + NLA_HDRLEN, key, sizeof(key));
	attr = (void *)(nest + NLA_ALIGN(NLA_HDRLEN + sizeof(key)));
	attr->nla_type = OBSRING_A_OPTION_VALUE;
	attr->nla_len = NLA_HDRLEN + sizeof(value);
	memcpy((char *)attr + NLA_HDRLEN, value, sizeof(value));
	r = wire_open(&wire);
	if (r)
		return r;
	request_begin(&request, OBSRING_CMD_SOURCE_SET, 0);
	request_put_string(&request, OBSRING_A_NAME, "printk");
	request_put_u8(&request, OBSRING_A_ENABLED, 1);
	offset = request_put(&request, OBSRING_A_OPTION | NLA_F_NESTED, nest,
			     (size_t)((char *)attr - nest) + NLA_HDRLEN + sizeof(value));
	r = wire_ask(&wire, &request, NULL, NULL);
	return r == -EPERM && wire.offset == offset ? 0 : -EPROTO;
}

TEST_F(copy, says_what_is_refused)
{
	EXPECT_EQ(0, capable_run(CAP_NET_ADMIN, blamed, NULL));
}

TEST_HARNESS_MAIN
