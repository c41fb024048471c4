// SPDX-License-Identifier: MIT
/* The log as text: what is written is read, once, by everybody, and accounted. */
#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tally.h"
#include "test.h"

#define TEXT_MAX	65536
#define RECORDS		"obsring_log_records_total"
#define LOST		"obsring_log_lost_total"
/* Read at run time: the compiler would warn. */
static void *volatile nowhere = (void *)1;

#define TRACEPARENT	"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

FIXTURE(log)
{
	struct view view;
	char text[TEXT_MAX];
	int fd;
};

FIXTURE_SETUP(log)
{
	ASSERT_EQ(0, module_reload(""));
	ASSERT_EQ(0, view_open(&self->view));
	self->fd = open(OBSRING_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(log)
{
	close(self->fd);
	view_close(&self->view);
	if (module_loaded("obsring_example"))
		EXPECT_EQ(0, module_unload("obsring_example"));
}

static int say(int fd, const char *text)
{
	ssize_t n = write(fd, text, strlen(text));

	return n < 0 ? -errno : n == (ssize_t)strlen(text) ? 0 : -EIO;
}

/* All that is there, NUL-terminated: its bytes or -errno. */
static ssize_t drain(int fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size - 1 && (n = read(fd, text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = 0;
	return n < 0 && errno != EAGAIN ? -errno : (ssize_t)len;
}

static unsigned int lines(const char *text)
{
	unsigned int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static bool has(const char *text, const char *what)
{
	return strstr(text, what);
}

/* The number behind the first @key in @text; 0 without it. */
static unsigned long long number_behind(const char *text, const char *key)
{
	const char *at = strstr(text, key);

	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

/* Records that a text stands for: a line each, and those that it says are lost. */
static unsigned int accounted(const char *text)
{
	unsigned int n = lines(text);
	const char *at = text;

	while ((at = strstr(at, "lost="))) {
		at += strlen("lost=");
		n += (unsigned int)strtoul(at, NULL, 10) - 1;
	}
	return n;
}

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

static void stay_on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
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

/* ---- Waiting ------------------------------------------------------------- */

/* Does a process sleep in a system call of that number? */
static bool sleeps_in(pid_t pid, long number)
{
	char path[64], text[256];

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	return file_read(path, text, sizeof(text)) > 0 && text[0] != 'r' &&
	       strtol(text, NULL, 0) == number;
}

/* A child that reads once, waiting: its exit status is what it got, or errno. */
static pid_t start_reader(void)
{
	pid_t pid = fork();
	char text[256];
	ssize_t n;
	int fd;

	if (pid)
		return pid;
	fd = open(OBSRING_DEVICE, O_RDONLY | O_CLOEXEC);
	lseek(fd, 0, SEEK_END);
	n = read(fd, text, sizeof(text));
	_exit(n < 0 ? errno : n ? 200 : 0);
}

static int end_of(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ?
	       WEXITSTATUS(status) : -1;
}

TEST_F(log, sleeping_reader_wakes)
{
	pid_t pid;
	int i;

	for (i = 0; i < 50; i++) {
		pid = start_reader();
		EXPECT_TRUE(await(sleeps_in(pid, SYS_read)));
		ASSERT_EQ(0, say(self->fd, "wake"));
		EXPECT_EQ(200, end_of(pid));
	}
}

TEST_F(log, drained_readers_end)
{
	struct obs_control *control;
	pid_t pid = start_reader();

	EXPECT_TRUE(await(sleeps_in(pid, SYS_read)));
	ASSERT_EQ(0, say(self->fd, "last"));
	EXPECT_EQ(200, end_of(pid));
	pid = start_reader();
	EXPECT_TRUE(await(sleeps_in(pid, SYS_read)));
	ASSERT_EQ(0, obs_control_open(&control));
	ASSERT_EQ(0, obs_control_set_state(control, OBSRING_STATE_DRAINING));
	EXPECT_EQ(0, end_of(pid));
	/* What is there can still be read, then comes the end. */
	EXPECT_LT(0, read(self->fd, self->text, TEXT_MAX));
	EXPECT_EQ(0, read(self->fd, self->text, TEXT_MAX));
	ASSERT_EQ(0, obs_control_set_state(control, OBSRING_STATE_RUNNING));
	obs_control_close(control);
}

/* Edge-triggered: whoever reads until there is no more is told of the next. */
TEST_F(log, edges)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET }, got;
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	pid_t pid;
	int i;

	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->fd, &event));
	EXPECT_EQ(0, epoll_wait(epoll, &got, 1, 0));
	for (i = 0; i < 300; i++) {
		/* From another CPU, at any moment of our going to sleep. */
		pid = fork();
		if (!pid) {
			stay_on_cpu(i % (int)sysconf(_SC_NPROCESSORS_ONLN));
			_exit(say(self->fd, "edge") ? 1 : 0);
		}
		ASSERT_EQ(1, epoll_wait(epoll, &got, 1, AWAIT_SECONDS * 1000));
		EXPECT_TRUE(got.events & EPOLLIN);
		ASSERT_LT(0, drain(self->fd, self->text, TEXT_MAX));
		ASSERT_EQ(0, end_of(pid));
	}
	close(epoll);
}

/* Going back gives those something to read that wait on the same file. */
TEST_F(log, seek_wakes)
{
	struct epoll_event event = { .events = EPOLLIN }, got;
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_EQ(0, say(self->fd, "before"));
	ASSERT_LT(0, drain(self->fd, self->text, TEXT_MAX));
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->fd, &event));
	EXPECT_EQ(0, epoll_wait(epoll, &got, 1, 0));
	ASSERT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	EXPECT_EQ(1, epoll_wait(epoll, &got, 1, AWAIT_SECONDS * 1000));
	close(epoll);
}

/* Whoever asks for input only later is told of it as well. */
TEST_F(log, epoll_modified)
{
	struct epoll_event event = { .events = EPOLLPRI }, got;
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->fd, &event));
	event.events = EPOLLIN;
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_MOD, self->fd, &event));
	EXPECT_EQ(0, epoll_wait(epoll, &got, 1, 0));
	ASSERT_EQ(0, say(self->fd, "later"));
	EXPECT_EQ(1, epoll_wait(epoll, &got, 1, AWAIT_SECONDS * 1000));
	close(epoll);
}

/* A wake-up a record would be many: bursts are told together. */
TEST_F(log, bursts)
{
	struct pollfd p = { .fd = self->fd, .events = POLLIN };
	unsigned int wakes = 0, seen = 0;
	pid_t pid = fork();
	int i;

	if (!pid) {
		for (i = 0; i < 4000; i++)
			say(self->fd, "burst");
		_exit(0);
	}
	while (seen < 4000 && poll(&p, 1, AWAIT_SECONDS * 1000) == 1) {
		ASSERT_LT(0, drain(self->fd, self->text, TEXT_MAX));
		seen += accounted(self->text);
		wakes++;
	}
	EXPECT_EQ(0, end_of(pid));
	EXPECT_EQ(4000, seen);
	TH_LOG("%u wake-ups for 4000 records", wakes);
}

/* ---- Everything at once -------------------------------------------------- */

#define READERS		3
#define DYING_ROUNDS	12	/* CPUs that go off line */
#define DYING_LINES	50	/* written there meanwhile */

static uint64_t done(const char *what)
{
	return file_number("/sys/module/obsring_stress/parameters/done", what);
}

/* Sleep for each line; count it, and what is lost. */
static void follow(unsigned int *seen)
{
	FILE *file = fopen(OBSRING_DEVICE, "re");
	char line[16384];

	if (!file)
		_exit(1);
	while (fgets(line, sizeof(line), file))
		__atomic_add_fetch(seen, accounted(line), __ATOMIC_RELEASE);
	_exit(0);
}

/*
 * What a CPU writes last, where it takes no interrupt any more, is told as well,
 * with nothing behind it that would wake the reader.
 */
TEST_F_TIMEOUT(log, dying_cpus, 600)
{
	unsigned int *seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int i, cpu, nr = (int)sysconf(_SC_NPROCESSORS_CONF);
	unsigned int said = 0;
	pid_t reader, writer;

	ASSERT_EQ(0, module_load("obsring_stress", "dying=1"));
	reader = fork();
	if (!reader)
		follow(seen);
	for (i = 0; i < DYING_ROUNDS; i++) {
		cpu = i % (nr - 1) + 1;
		EXPECT_TRUE(await(sleeps_in(reader, SYS_read)));
		writer = fork();
		if (!writer) {
			stay_on_cpu(cpu);
			for (int k = 0; k < DYING_LINES; k++)
				say(self->fd, "here");
			_exit(0);
		}
		EXPECT_TRUE(tally_cpu_switch(cpu, "0"));
		EXPECT_EQ(0, end_of(writer));
		said += DYING_LINES;
		EXPECT_EQ(i + 1, (int)done("died"));
		ASSERT_TRUE(await(__atomic_load_n(seen, __ATOMIC_ACQUIRE) ==
				  said + done("died")));
		EXPECT_TRUE(tally_cpu_switch(cpu, "1"));
	}
	TH_LOG("%llu CPUs went off line, %u records read",
	       (unsigned long long)done("died"), *seen);
	kill(reader, SIGKILL);
	waitpid(reader, NULL, 0);
	munmap(seen, sizeof(*seen));
	EXPECT_EQ(0, module_unload("obsring_stress"));
}

TEST_F_TIMEOUT(log, all_contexts, 6000)
{
	struct shared {
		struct tally tally[READERS];
		unsigned long long hotplugs;
		int stop;
	} *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const char *updates = getenv("OBSRING_LOG_UPDATES") ?: "200000";
	int64_t stored, lost;
	int i, rounds = 0;

	close(self->fd);
	view_close(&self->view);
	/* Rings as small as what an interrupt of obsring_stress writes. */
	ASSERT_EQ(0, module_reload("log_kernel_bytes=4096"));
	ASSERT_EQ(0, view_open(&self->view));
	self->fd = open(OBSRING_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	ASSERT_EQ(0, module_load("obsring_stress", "logging=1"));
	for (i = 0; i < READERS; i++)
		if (!fork()) {
			tally_read(&shared->tally[i], &shared->stop);
			_exit(0);
		}
	if (!fork()) {
		tally_hotplug(&shared->hotplugs, &shared->stop);
		_exit(0);
	}
	for (i = 0; i < READERS; i++)
		EXPECT_TRUE(await(__atomic_load_n(&shared->tally[i].began,
						  __ATOMIC_ACQUIRE)));
	/* Until what it is about has happened, however long that takes. */
	do {
		ASSERT_EQ(0, module_parameter_write("obsring_stress", "run", updates));
		rounds++;
	} while (!metric(&self->view, LOST, "nested") || !shared->hotplugs ||
		 !shared->tally[0].read || !shared->tally[0].lost);
	__atomic_store_n(&shared->stop, 1, __ATOMIC_RELEASE);
	while (waitpid(-1, NULL, 0) > 0)
		;
	stored = metric_total(&self->view, RECORDS);
	lost = metric(&self->view, LOST, "nested");
	EXPECT_EQ((int64_t)done("logged"), stored + lost);
	for (i = 0; i < READERS; i++) {
		const struct tally *t = &shared->tally[i];

		EXPECT_EQ(0, t->error);
		EXPECT_EQ(0, t->torn);
		EXPECT_EQ(stored, (int64_t)(t->read + t->lost));
		EXPECT_LT(0, t->read);
	}
	EXPECT_LT(0, lost);
	EXPECT_LT(0, metric(&self->view, "obsring_log_overwritten_total"));
	EXPECT_LT(0, shared->hotplugs);
	TH_LOG("%d rounds: logged %llu, stored %lld, bursts %llu, nested losses %lld, read %llu, missed %llu, hotplugs %llu",
	       rounds, (unsigned long long)done("logged"), (long long)stored,
	       (unsigned long long)done("bursts"), (long long)lost,
	       shared->tally[0].read, shared->tally[0].lost, shared->hotplugs);
	munmap(shared, sizeof(*shared));
	EXPECT_EQ(0, module_unload("obsring_stress"));
}

TEST_HARNESS_MAIN
