// SPDX-License-Identifier: MIT
/* The log as text: what is written is read, once, by everybody, and accounted. */
#include "log.h"

/* Read at run time: the compiler would warn. */
static void *volatile nowhere = (void *)1;

#define TRACEPARENT	"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

/* ---- A record ------------------------------------------------------------ */

TEST_F(log, line)
{
	char pid[32];

	ASSERT_EQ(0, say(self->fd, "<4>service=backup disk 93% full\n"));
	ASSERT_LT(0, drain(self->fd, self->text, TEXT_MAX));
	snprintf(pid, sizeof(pid), " pid=%d uid=0 ", getpid());
	EXPECT_EQ(1, lines(self->text)) TH_LOG("%s", self->text);
	EXPECT_TRUE(has(self->text, pid)) TH_LOG("%s", self->text);
	EXPECT_TRUE(has(self->text, " level=warning source=user.backup cpu="));
	EXPECT_TRUE(has(self->text, " msg=\"disk 93% full\""));
	EXPECT_FALSE(has(self->text, "trace_id"));
	EXPECT_EQ(1, metric(&self->view, RECORDS, "user", "warning"));
	EXPECT_EQ(1, metric_total(&self->view, RECORDS));
}

TEST_F(log, time_is_now)
{
	struct timespec before, after;
	struct tm tm = { 0 };
	time_t told;
	char *end;

	clock_gettime(CLOCK_REALTIME, &before);
	ASSERT_EQ(0, say(self->fd, "now"));
	clock_gettime(CLOCK_REALTIME, &after);
	ASSERT_LT(0, drain(self->fd, self->text, TEXT_MAX));
	end = strptime(self->text, "ts=%Y-%m-%dT%H:%M:%S", &tm);
	ASSERT_NE(NULL, end);
	EXPECT_EQ('.', *end);
	EXPECT_EQ(0, strncmp(end + 10, "Z level=info ", 13)) TH_LOG("%s", end);
	told = timegm(&tm);
	EXPECT_LE(before.tv_sec, told);
	EXPECT_GE(after.tv_sec, told);
}

TEST_F(log, lines_of_a_write)
{
	ASSERT_EQ(0, say(self->fd, "one\n<3>two\n\nthree"));
	ASSERT_LT(0, drain(self->fd, self->text, TEXT_MAX));
	EXPECT_EQ(3, lines(self->text)) TH_LOG("%s", self->text);
	EXPECT_TRUE(has(self->text, "msg=\"one\""));
	EXPECT_TRUE(has(self->text, "level=err "));
	EXPECT_TRUE(has(self->text, "msg=\"three\""));
	/* Without a service: the writer's name. */
	EXPECT_TRUE(has(self->text, "source=user.log "));
}

TEST_F(log, trace)
{
	ASSERT_EQ(0, say(self->fd, "service=shop traceparent=" TRACEPARENT " paid"));
	ASSERT_EQ(0, say(self->fd, "traceparent=" TRACEPARENT " service=shop first"));
	ASSERT_EQ(0, say(self->fd, "traceparent=00-0AF7 bad"));
	ASSERT_LT(0, drain(self->fd, self->text, TEXT_MAX));
	EXPECT_EQ(3, lines(self->text));
	EXPECT_TRUE(has(self->text,
			" trace_id=0af7651916cd43dd8448eb211c80319c span_id=b7ad6b7169203331 msg=\"paid\""))
		TH_LOG("%s", self->text);
	EXPECT_TRUE(has(self->text, "msg=\"first\""));
	EXPECT_TRUE(has(self->text, "msg=\"traceparent=00-0AF7 bad\""));
}

TEST_F(log, fields)
{
	ASSERT_EQ(0, say(self->fd, "<4>service=shop .disk=sda .used=93 .note=\"a \\\"b\\n\" full"));
	ASSERT_EQ(0, say(self->fd, ".a=1 . .b=2 uid=7"));
	ASSERT_LT(0, drain(self->fd, self->text, TEXT_MAX));
	EXPECT_EQ(2, lines(self->text));
	EXPECT_TRUE(has(self->text, " msg=\"full\" disk=sda used=93 note=\"a \\\"b\\n\"\n"))
		TH_LOG("%s", self->text);
	EXPECT_TRUE(has(self->text, " msg=\".b=2 uid=7\" a=1\n")) TH_LOG("%s", self->text);
}

/* What has no room is left out, and the record says so; the most that there is fits. */
TEST_F(log, fields_too_long)
{
	char value[OBSRING_FIELDS_MAX], line[2 * OBSRING_FIELDS_MAX];

	memset(value, 'v', sizeof(value));
	snprintf(line, sizeof(line), ".a=%.*s .b=1 m", OBSRING_FIELDS_MAX - 3, value);
	ASSERT_EQ(0, say(self->fd, line));
	snprintf(line, sizeof(line), ".a=%.*s .b=1 m", OBSRING_FIELDS_MAX - 2, value);
	ASSERT_EQ(0, say(self->fd, line));
	ASSERT_LT(0, drain(self->fd, self->text, TEXT_MAX));
	EXPECT_EQ(2, lines(self->text));
	EXPECT_TRUE(has(self->text, " msg=\"m\" cut=true a=vvv")) TH_LOG("%s", self->text);
	EXPECT_TRUE(has(self->text, " msg=\"m\" cut=true b=1\n"));
	EXPECT_EQ(2, metric(&self->view, "obsring_log_truncated_total"));
}

/* Nothing in a message makes a line or a field of its own. */
TEST_F(log, no_forging)
{
	unsigned char all[256];
	unsigned int i, n = 0;
	char *at;

	for (i = 0; i < 256; i++)
		if (i != '\n')
			all[n++] = (unsigned char)i;
	ASSERT_EQ(n, write(self->fd, all, n));
	ASSERT_EQ(0, say(self->fd, "x\" level=emerg uid=0 msg=\"y\\"));
	ASSERT_EQ(0, say(self->fd, "service=a\"\x1b[2J=b z"));
	/* Fields of names that are the log's own. */
	ASSERT_EQ(0, say(self->fd, ".uid=0 .pid=1 .source=kernel .x=\"\\nlevel=emerg\" w"));
	ASSERT_LT(0, drain(self->fd, self->text, TEXT_MAX));
	EXPECT_EQ(4, lines(self->text));
	EXPECT_EQ(4, metric_total(&self->view, RECORDS));
	EXPECT_TRUE(has(self->text, " msg=\"w\" _uid=0 _pid=1 _source=kernel x=\"\\nlevel=emerg\"\n"))
		TH_LOG("%s", self->text);
	EXPECT_TRUE(has(self->text, "msg=\"x\\\" level=emerg uid=0 msg=\\\"y\\\\\"\n"))
		TH_LOG("%s", self->text);
	for (at = self->text; *at; at++)
		EXPECT_TRUE(*at == '\n' || (unsigned char)*at >= ' ');
}

TEST_F(log, too_long)
{
	static char line[200000];

	memset(line, 'y', sizeof(line) - 1);
	line[sizeof(line) - 2] = '\n';
	ASSERT_EQ(0, say(self->fd, line));
	ASSERT_EQ(0, say(self->fd, "short"));
	ASSERT_LT(0, drain(self->fd, self->text, TEXT_MAX));
	EXPECT_EQ(2, lines(self->text));
	EXPECT_TRUE(has(self->text, "cut=true"));
	EXPECT_EQ(1024, strspn(strchr(self->text, 'y') ?: "", "y"));
	EXPECT_TRUE(has(self->text, "msg=\"short\""));
	EXPECT_EQ(1, metric(&self->view, "obsring_log_truncated_total"));
}

/* ---- Who ----------------------------------------------------------------- */

static int open_and_say(void *unused)
{
	int fd = open(OBSRING_DEVICE, O_WRONLY | O_CLOEXEC);

	(void)unused;
	return fd < 0 ? -errno : say(fd, "mine");
}

static int say_inherited(void *fd)
{
	return say(*(int *)fd, "lent");
}

TEST_F(log, uid_is_the_openers)
{
	ASSERT_EQ(0, nobody_run(OBSRING_GROUP, open_and_say, NULL));
	ASSERT_EQ(0, nobody_run(0, say_inherited, &self->fd));
	ASSERT_LT(0, drain(self->fd, self->text, TEXT_MAX));
	EXPECT_TRUE(has(self->text, " uid=65534 ")) TH_LOG("%s", self->text);
	EXPECT_TRUE(has(self->text, " uid=0 "));
	EXPECT_EQ(-EACCES, nobody_run(0, open_and_say, NULL));
}

/* A second's worth and the burst, then no more: lost, counted, not refused. */
TEST_F(log, rate)
{
	static char many[2 * 1000 + 1];
	int64_t stored, lost, all = 0;
	size_t i;

	for (i = 0; i + 1 < sizeof(many); i += 2)
		memcpy(many + i, "x\n", 2);
	/* However slow this machine is: until it has written faster than that. */
	do {
		ASSERT_EQ(0, say(self->fd, many));
		all += 1000;
		lost = metric(&self->view, LOST, "rate_limited");
	} while (all < 10000 || !lost);
	stored = metric_total(&self->view, RECORDS);
	EXPECT_EQ(all, stored + lost);
	EXPECT_LT(0, lost);
	EXPECT_LE(10000, stored);
	/* Opening anew gives no new burst; another user has its own. */
	ASSERT_EQ(0, nobody_run(OBSRING_GROUP, open_and_say, NULL));
	EXPECT_LE(stored + 1, metric_total(&self->view, RECORDS));
	TH_LOG("stored %lld, rate limited %lld", (long long)stored, (long long)lost);
}

/* ---- Reading ------------------------------------------------------------- */

TEST_F(log, empty)
{
	struct pollfd p = { .fd = self->fd, .events = POLLIN };

	EXPECT_EQ(-1, read(self->fd, self->text, 1));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(0, poll(&p, 1, 0));
	EXPECT_EQ(0, read(self->fd, self->text, 0));
}

TEST_F(log, seek)
{
	ASSERT_EQ(0, say(self->fd, "one\ntwo"));
	ASSERT_LT(0, drain(self->fd, self->text, TEXT_MAX));
	EXPECT_EQ(2, lines(self->text));
	EXPECT_EQ(0, drain(self->fd, self->text, TEXT_MAX));
	EXPECT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	ASSERT_LT(0, drain(self->fd, self->text, TEXT_MAX));
	EXPECT_EQ(2, lines(self->text));
	EXPECT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	EXPECT_EQ(0, lseek(self->fd, 0, SEEK_END));
	EXPECT_EQ(0, drain(self->fd, self->text, TEXT_MAX));
	EXPECT_EQ(-1, lseek(self->fd, 1, SEEK_SET));
	EXPECT_EQ(EINVAL, errno);
	/* Else nobody could use dprintf(). */
	EXPECT_EQ(-1, lseek(self->fd, 0, SEEK_CUR));
	EXPECT_EQ(ESPIPE, errno);
	EXPECT_EQ(13, dprintf(self->fd, "number %s", "three\n"));
	ASSERT_LT(0, drain(self->fd, self->text, TEXT_MAX));
	EXPECT_TRUE(has(self->text, "msg=\"number three\"\n")) TH_LOG("%s", self->text);
}

/* Any size of a read gives the same bytes. */
TEST_F(log, piecewise)
{
	char whole[1024], piece[1024];
	size_t at = 0;

	ASSERT_EQ(0, say(self->fd, "service=a one\nservice=b two"));
	ASSERT_LT(0, drain(self->fd, whole, sizeof(whole)));
	ASSERT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	while (at < sizeof(piece) && read(self->fd, piece + at, 1) == 1)
		at++;
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(strlen(whole), at);
	EXPECT_EQ(0, memcmp(whole, piece, at));
}

TEST_F(log, readers_are_independent)
{
	int other = open(OBSRING_DEVICE, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char text[1024];

	ASSERT_EQ(0, say(self->fd, "for all"));
	ASSERT_LT(0, drain(self->fd, self->text, TEXT_MAX));
	ASSERT_LT(0, drain(other, text, sizeof(text)));
	EXPECT_STREQ(self->text, text);
	close(other);
}

TEST_F(log, modes)
{
	int reading = open(OBSRING_DEVICE, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	int writing = open(OBSRING_DEVICE, O_WRONLY | O_CLOEXEC);

	EXPECT_EQ(-1, write(reading, "x", 1));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(-1, read(writing, self->text, 1));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(-1, write(writing, nowhere, 1));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(0, say(writing, "x"));
	EXPECT_EQ(-1, read(reading, nowhere, 1));
	EXPECT_EQ(EFAULT, errno);
	/* That took nothing away. */
	EXPECT_LT(0, drain(reading, self->text, TEXT_MAX));
	close(reading);
	close(writing);
}

/* What is overwritten before it was read is told by its number, in its place. */
TEST_F(log, overrun)
{
	const int all = 2000;
	unsigned long long lost;
	unsigned int read_lines;
	int i;

	stay_on_cpu(0);
	ASSERT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	for (i = 0; i < all; i++) {
		char line[64];

		snprintf(line, sizeof(line), "number %d", i);
		ASSERT_EQ(0, say(self->fd, line));
	}
	ASSERT_LT(0, drain(self->fd, self->text, TEXT_MAX));
	EXPECT_EQ(0, strncmp("lost=", self->text, 5));
	lost = number_behind(self->text, "lost=");
	read_lines = lines(self->text) - 1;
	EXPECT_EQ(all, lost + read_lines);
	EXPECT_EQ(lost, metric(&self->view, "obsring_log_overwritten_total"));
	EXPECT_EQ(all, metric_total(&self->view, RECORDS));
	/* The first that is left follows on the gap. */
	EXPECT_EQ(lost, number_behind(self->text, "number "));
	TH_LOG("lost %llu, read %u", lost, read_lines);
}

/* No process can push out what the kernel said. */
TEST_F(log, kernel_records_stay)
{
	int i;

	ASSERT_EQ(0, module_load("obsring_example", ""));
	ASSERT_EQ(0, module_parameter_write("obsring_example", "requests", "8"));
	for (i = 0; i < 5000; i++)
		ASSERT_EQ(0, say(self->fd, "flood"));
	ASSERT_LT(0, drain(self->fd, self->text, TEXT_MAX));
	EXPECT_TRUE(has(self->text, "level=warning source=example "));
	EXPECT_TRUE(has(self->text,
			"msg=\"request 7 took 7 ms\" op=write device=\"example 0\"\n"));
	EXPECT_EQ(1, metric(&self->view, RECORDS, "kernel", "warning"));
}

TEST_F(log, order_over_cpus)
{
	int cpu, i, nr = (int)sysconf(_SC_NPROCESSORS_ONLN);
	const char *at;

	for (i = 0; i < 64; i++) {
		char line[64];

		cpu = i % nr;
		stay_on_cpu(cpu);
		snprintf(line, sizeof(line), "step %d", i);
		ASSERT_EQ(0, say(self->fd, line));
	}
	ASSERT_LT(0, drain(self->fd, self->text, TEXT_MAX));
	EXPECT_EQ(64, lines(self->text));
	for (i = 0, at = self->text; i < 64; i++) {
		EXPECT_EQ((unsigned long long)i, number_behind(at, "step "));
		at = strchr(at, '\n') + 1;
	}
}

TEST_HARNESS_MAIN
