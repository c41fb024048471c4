// SPDX-License-Identifier: MIT
/*
 * The log through the mapping: the library gives what cat gives, misses no wake-up,
 * and accounts for each record, while rings are written, overwritten and replaced.
 */
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "test.h"

#define TEXT_MAX	(1 << 20)
#define RECORDS		"obsring_log_records_total"
#define LOST		"obsring_log_lost_total"

#ifdef SYS_poll
#define SLEEPS_IN	SYS_poll
#else
#define SLEEPS_IN	SYS_ppoll
#endif

FIXTURE(logread)
{
	struct view view;
	struct obs_log *log;
	const struct obs_log_entry *entry;
	char *text, *other;
	int fd;
};

FIXTURE_SETUP(logread)
{
	ASSERT_EQ(0, module_reload(""));
	ASSERT_EQ(0, view_open(&self->view));
	self->fd = open(OBSRING_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	ASSERT_EQ(0, obs_log_open(NULL, NULL, &self->log));
	self->text = calloc(2, TEXT_MAX);
	ASSERT_NE(NULL, self->text);
	self->other = self->text + TEXT_MAX;
}

FIXTURE_TEARDOWN(logread)
{
	free(self->text);
	obs_log_close(self->log);
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

/* What cat would print, NUL-terminated. */
static void cat(int fd, char *text)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, text + len, TEXT_MAX - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = 0;
}

/* The same through the library: its result at the end. */
static int read_all(struct obs_log *log, char *text)
{
	const struct obs_log_entry *entry;
	size_t len = 0;
	int r;

	while ((r = obs_log_next(log, &entry)) > 0 && len < TEXT_MAX - OBS_LOG_TEXT_MAX)
		len += obs_log_text(log, text + len, OBS_LOG_TEXT_MAX);
	text[len] = 0;
	return r;
}

static int64_t accounted(struct obs_log *log)
{
	struct obs_log_counts counts;

	obs_log_counts(log, &counts);
	return (int64_t)(counts.read + counts.filtered + counts.lost + counts.unread);
}

/* Records of both origins from every CPU. */
static int variety(int fd)
{
	int i, r = 0, nr = (int)sysconf(_SC_NPROCESSORS_ONLN);
	char line[128];

	for (i = 0; i < 200 && !r; i++) {
		stay_on_cpu(i % nr);
		snprintf(line, sizeof(line), "<%d>service=s%d step \"%d\"\x01", i % 8, i % 3, i);
		r = say(fd, line);
		if (!r && i % 50 == 20)
			r = module_parameter_write("obsring_example", "requests", "8");
	}
	return r;
}

TEST_F(logread, as_cat)
{
	ASSERT_EQ(0, module_load("obsring_example", ""));
	ASSERT_EQ(0, variety(self->fd));
	cat(self->fd, self->text);
	ASSERT_EQ(0, read_all(self->log, self->other));
	EXPECT_STREQ(self->text, self->other);
	EXPECT_NE(NULL, strstr(self->text, "source=example"));
	EXPECT_NE(NULL, strstr(self->text, "source=user.s2"));
	EXPECT_EQ(metric_total(&self->view, RECORDS), accounted(self->log));
}

static bool command_output(const char *command, char *text)
{
	FILE *p = popen(command, "re");
	size_t n;

	if (!p)
		return false;
	n = fread(text, 1, TEXT_MAX - 1, p);
	text[n] = 0;
	return !pclose(p);
}

TEST_F(logread, command)
{
	ASSERT_EQ(0, module_load("obsring_example", ""));
	ASSERT_EQ(0, variety(self->fd));
	cat(self->fd, self->text);
	ASSERT_TRUE(command_output("obsringctl log", self->other));
	EXPECT_STREQ(self->text, self->other);
	ASSERT_TRUE(command_output("obsringctl log --since 1h --level debug", self->other));
	EXPECT_STREQ(self->text, self->other);
	ASSERT_TRUE(command_output("obsringctl log --since 0s", self->other));
	EXPECT_STREQ("", self->other);
	/* As others filter the text. */
	ASSERT_TRUE(command_output("obsringctl log | "
				   "grep -E 'level=(emerg|alert|crit|err) source=user.s1 '",
				   self->text));
	ASSERT_TRUE(command_output("obsringctl log --level 3 --source user.s1", self->other));
	EXPECT_STREQ(self->text, self->other);
	EXPECT_NE(0, strlen(self->text));
	ASSERT_TRUE(command_output("obsringctl log --json --origin kernel | "
				   "grep -c '\"source\": \"example\", \"origin\": \"kernel\"'",
				   self->other));
	ASSERT_TRUE(command_output("obsringctl log | grep -c source=example",
				   self->text));
	EXPECT_STREQ(self->text, self->other);
}

/* Follows until the module is drained, from the end on. */
TEST_F(logread, command_follows)
{
	struct obs_control *control;
	char line[1024];
	FILE *p;
	int i;

	ASSERT_EQ(0, say(self->fd, "before"));
	p = popen("obsringctl log --follow --since 1h", "re");
	ASSERT_NE(NULL, p);
	ASSERT_NE(NULL, fgets(line, sizeof(line), p));
	EXPECT_NE(NULL, strstr(line, "msg=\"before\"\n"));
	for (i = 0; i < 20; i++) {
		ASSERT_EQ(0, say(self->fd, "next"));
		ASSERT_NE(NULL, fgets(line, sizeof(line), p));
		EXPECT_NE(NULL, strstr(line, "msg=\"next\"\n"));
	}
	ASSERT_EQ(0, obs_control_open(&control));
	ASSERT_EQ(0, obs_control_set_state(control, OBSRING_STATE_DRAINING));
	EXPECT_EQ(NULL, fgets(line, sizeof(line), p));
	EXPECT_EQ(0, pclose(p));
	ASSERT_EQ(0, obs_control_set_state(control, OBSRING_STATE_RUNNING));
	obs_control_close(control);
}

/* What is overwritten is told by its number, in its place. */
TEST_F(logread, overrun)
{
	const int all = 2000;
	int64_t lost;
	char line[64];
	int i;

	stay_on_cpu(0);
	for (i = 0; i < all; i++) {
		snprintf(line, sizeof(line), "number %d", i);
		ASSERT_EQ(0, say(self->fd, line));
	}
	EXPECT_EQ(all, accounted(self->log));
	ASSERT_EQ(OBS_LOG_LOST, obs_log_next(self->log, &self->entry));
	lost = (int64_t)self->entry->lost;
	EXPECT_EQ(OBSRING_ORIGIN_USER, self->entry->origin);
	EXPECT_EQ(lost, metric(&self->view, "obsring_log_overwritten_total"));
	for (i = (int)lost; i < all; i++) {
		ASSERT_EQ(OBS_LOG_RECORD, obs_log_next(self->log, &self->entry));
		snprintf(line, sizeof(line), "number %d", i);
		ASSERT_STREQ(line, self->entry->message);
	}
	EXPECT_EQ(OBS_LOG_NOTHING, obs_log_next(self->log, &self->entry));
	EXPECT_EQ(all, accounted(self->log));
}

/* ---- Rings of another size ----------------------------------------------- */

TEST_F(logread, resize)
{
	static const uint64_t bytes[] = { 4096, 1 << 20, 65536, 8192 };
	struct obs_control *control;
	int64_t said = 0;
	unsigned int i;

	ASSERT_EQ(0, obs_control_open(&control));
	for (i = 0; i < 4; i++) {
		stay_on_cpu((int)i % 2);
		ASSERT_EQ(0, say(self->fd, "one\ntwo\nthree"));
		said += 3;
		ASSERT_EQ(OBS_LOG_RECORD, obs_log_next(self->log, &self->entry));
		EXPECT_STREQ("one", self->entry->message);
		ASSERT_EQ(0, obs_log_set_size(control, OBSRING_ORIGIN_USER, bytes[i]));
		ASSERT_EQ(1, obs_log_wait(self->log, AWAIT_SECONDS * 1000));
		ASSERT_EQ(OBS_LOG_LOST, obs_log_next(self->log, &self->entry));
		EXPECT_EQ(2, self->entry->lost);
		EXPECT_EQ(OBS_LOG_NOTHING, obs_log_next(self->log, &self->entry));
		EXPECT_EQ(said, accounted(self->log));
		ASSERT_EQ(0, say(self->fd, "after"));
		said++;
		ASSERT_EQ(1, obs_log_wait(self->log, AWAIT_SECONDS * 1000));
		ASSERT_EQ(OBS_LOG_RECORD, obs_log_next(self->log, &self->entry));
		EXPECT_STREQ("after", self->entry->message);
		EXPECT_EQ(said, metric_total(&self->view, RECORDS));
	}
	obs_control_close(control);
}

/* ---- Waiting ------------------------------------------------------------- */

/* A child that waits at the end of the log: its status is the result, or errno. */
static pid_t start_waiter(void)
{
	const struct obs_log_options options = { .start = OBS_LOG_NEWEST };
	struct obs_log *log;
	pid_t pid = fork();
	int r;

	if (pid)
		return pid;
	if (obs_log_open(NULL, &options, &log))
		_exit(255);
	r = obs_log_wait(log, -1);
	_exit(r < 0 ? -r : r);
}

TEST_F(logread, sleeper_wakes)
{
	pid_t pid;
	int i;

	for (i = 0; i < 50; i++) {
		pid = start_waiter();
		ASSERT_TRUE(await(sleeps_in_call(pid, SLEEPS_IN)));
		ASSERT_EQ(0, say(self->fd, "wake"));
		EXPECT_EQ(1, end_of(pid));
	}
}

TEST_F(logread, drained_waiter_ends)
{
	struct obs_control *control;
	pid_t pid = start_waiter();

	EXPECT_TRUE(await(sleeps_in_call(pid, SLEEPS_IN)));
	ASSERT_EQ(0, say(self->fd, "last"));
	EXPECT_EQ(1, end_of(pid));
	pid = start_waiter();
	EXPECT_TRUE(await(sleeps_in_call(pid, SLEEPS_IN)));
	ASSERT_EQ(0, obs_control_open(&control));
	ASSERT_EQ(0, obs_control_set_state(control, OBSRING_STATE_DRAINING));
	EXPECT_EQ(ESHUTDOWN, end_of(pid));
	/* What is there can still be read, then comes the end. */
	EXPECT_EQ(1, obs_log_wait(self->log, -1));
	EXPECT_EQ(OBS_LOG_RECORD, obs_log_next(self->log, &self->entry));
	EXPECT_EQ(OBS_LOG_NOTHING, obs_log_next(self->log, &self->entry));
	EXPECT_EQ(-ESHUTDOWN, obs_log_wait(self->log, -1));
	ASSERT_EQ(0, obs_control_set_state(control, OBSRING_STATE_RUNNING));
	obs_control_close(control);
}

/* Having read all, there is nothing to wake up for, though nobody read the file. */
TEST_F(logread, no_spinning)
{
	struct pollfd p = { .fd = obs_log_fd(self->log), .events = POLLIN };
	int timeout_ms;

	ASSERT_EQ(0, say(self->fd, "one\ntwo"));
	EXPECT_EQ(1, poll(&p, 1, 0));
	ASSERT_EQ(0, read_all(self->log, self->text));
	ASSERT_EQ(0, obs_log_prepare(self->log, &timeout_ms));
	EXPECT_EQ(-1, timeout_ms);
	EXPECT_EQ(0, poll(&p, 1, 0));
	ASSERT_EQ(0, say(self->fd, "three"));
	EXPECT_EQ(1, poll(&p, 1, AWAIT_SECONDS * 1000));
	ASSERT_EQ(0, obs_log_prepare(self->log, &timeout_ms));
	EXPECT_EQ(0, timeout_ms);
	EXPECT_EQ(OBS_LOG_RECORD, obs_log_next(self->log, &self->entry));
}

/* One record from another CPU, at any moment of our going to sleep. */
TEST_F(logread, no_lost_wakeup)
{
	int i, slept = 0;
	pid_t pid;

	for (i = 0; i < 300 || !slept; i++) {
		pid = fork();
		if (!pid) {
			stay_on_cpu(i % (int)sysconf(_SC_NPROCESSORS_ONLN));
			_exit(say(self->fd, "edge") ? 1 : 0);
		}
		if (obs_log_next(self->log, &self->entry) == OBS_LOG_NOTHING) {
			ASSERT_EQ(1, obs_log_wait(self->log, AWAIT_SECONDS * 1000));
			slept++;
		}
		ASSERT_EQ(0, end_of(pid));
		while (obs_log_next(self->log, &self->entry) == OBS_LOG_RECORD)
			;
		EXPECT_EQ(i + 1, accounted(self->log));
	}
	EXPECT_LT(0, slept);
	TH_LOG("waited %d times of %d", slept, i);
}

/* ---- Everything at once -------------------------------------------------- */

#define READERS	3

/**
 * struct tally - what a reader saw, in shared memory
 * @counts: at its end
 * @told: records that it was told to have lost
 * @gaps: how often
 * @torn: records that are not what was written
 * @waits: how often it slept
 * @began: it has a place in the log
 * @error: what made it give up
 */
struct tally {
	struct obs_log_counts counts;
	uint64_t told, gaps, torn, waits;
	int began;
	int error;
};

struct shared {
	struct tally tally[READERS];
	uint64_t hotplugs, resizes;
	int stop;
};

/* A record of obsring_stress: its number, and as many x as follow from it. */
static bool whole(const struct obs_log_entry *entry)
{
	unsigned long long number;
	char context[16];
	int at = 0;

	return sscanf(entry->message, "%15s %llu %n", context, &number, &at) == 2 &&
	       strspn(entry->message + at, "x") == number % 900 &&
	       entry->message_len == at + number % 900;
}

static int read_some(struct obs_log *log, struct tally *tally)
{
	const struct obs_log_entry *entry;
	int r;

	while ((r = obs_log_next(log, &entry)) > 0) {
		if (r == OBS_LOG_LOST) {
			tally->told += entry->lost;
			tally->gaps++;
			continue;
		}
		tally->torn += !whole(entry);
	}
	return r;
}

/* Read to the end of what is there after @stop was set. */
static void read_entries(struct tally *tally, const int *stop,
			 const struct obs_log_options *options)
{
	int r, timeout_ms;
	struct obs_log *log;
	bool last;

	tally->error = -obs_log_open(NULL, options, &log);
	__atomic_store_n(&tally->began, 1, __ATOMIC_RELEASE);
	if (tally->error)
		return;
	do {
		last = __atomic_load_n(stop, __ATOMIC_ACQUIRE);
		r = read_some(log, tally);
		if (!r && !last) {
			r = obs_log_wait(log, 10);
			tally->waits++;
		}
	} while (r >= 0 && !last);
	/* What is held back comes, and rings that are just being replaced. */
	while (r >= 0) {
		r = read_some(log, tally);
		if (!r)
			r = obs_log_prepare(log, &timeout_ms);
		if (r || timeout_ms < 0)
			break;
		poll(NULL, 0, 1);
	}
	obs_log_counts(log, &tally->counts);
	tally->error = r < 0 ? -r : 0;
	obs_log_close(log);
}

static uint64_t done(const char *what)
{
	return file_number("/sys/module/obsring_stress/parameters/done", what);
}

static bool cpu_switch(int cpu, const char *online)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	return !file_write(path, online);
}

static void hotplug(struct shared *shared)
{
	int cpu, nr = (int)sysconf(_SC_NPROCESSORS_CONF);

	for (cpu = 1; !__atomic_load_n(&shared->stop, __ATOMIC_RELAXED);
	     cpu = cpu % (nr - 1) + 1) {
		shared->hotplugs += cpu_switch(cpu, "0");
		cpu_switch(cpu, "1");
	}
}

static void resize(struct shared *shared)
{
	struct obs_control *control;
	uint64_t bytes = 4096;

	if (obs_control_open(&control))
		return;
	while (!__atomic_load_n(&shared->stop, __ATOMIC_RELAXED)) {
		shared->resizes += !obs_log_set_size(control, OBSRING_ORIGIN_KERNEL,
						     bytes);
		bytes = bytes == 4096 ? 65536 : bytes / 2;
		poll(NULL, 0, 20);
	}
	obs_control_close(control);
}

/* Without filter; with a window; and one that passes over all. */
static const struct obs_log_options stress_options[READERS] = {
	{ .window_ns = 0 }, { .window_ns = 5000000 }, { .levels = 0x0f },
};

TEST_F_TIMEOUT(logread, all_contexts, 6000)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	const char *updates = getenv("OBSRING_LOG_UPDATES") ?: "200000";
	int64_t stored, lost;
	int i, rounds = 0;

	ASSERT_EQ(0, module_load("obsring_stress", "logging=1"));
	for (i = 0; i < READERS; i++)
		if (!fork()) {
			read_entries(&shared->tally[i], &shared->stop,
				     &stress_options[i]);
			_exit(0);
		}
	for (i = 0; i < READERS; i++)
		EXPECT_TRUE(await(__atomic_load_n(&shared->tally[i].began,
						  __ATOMIC_ACQUIRE)));
	if (!fork()) {
		hotplug(shared);
		_exit(0);
	}
	if (!fork()) {
		resize(shared);
		_exit(0);
	}
	/* Until what it is about has happened, however long that takes. */
	do {
		ASSERT_EQ(0, module_parameter_write("obsring_stress", "run", updates));
		rounds++;
	} while (!shared->hotplugs || shared->resizes < 8 || !shared->tally[0].gaps ||
		 !shared->tally[0].waits);
	__atomic_store_n(&shared->stop, 1, __ATOMIC_RELEASE);
	while (waitpid(-1, NULL, 0) > 0)
		;
	stored = metric_total(&self->view, RECORDS);
	lost = metric_total(&self->view, LOST);
	EXPECT_EQ((int64_t)done("logged"), stored + lost);
	EXPECT_EQ(stored, accounted(self->log));
	for (i = 0; i < READERS; i++) {
		const struct tally *t = &shared->tally[i];

		EXPECT_EQ(0, t->error);
		EXPECT_EQ(0, t->torn);
		EXPECT_EQ(0, t->counts.unread);
		EXPECT_EQ(stored, (int64_t)(t->counts.read + t->counts.filtered +
					    t->counts.lost));
		EXPECT_EQ(t->told, t->counts.lost);
		EXPECT_EQ(!stress_options[i].levels, !t->counts.filtered);
		TH_LOG("read %llu, filtered %llu, lost %llu in %llu gaps, waited %llu times",
		       (unsigned long long)t->counts.read,
		       (unsigned long long)t->counts.filtered,
		       (unsigned long long)t->told, (unsigned long long)t->gaps,
		       (unsigned long long)t->waits);
	}
	EXPECT_LT(0, shared->tally[0].counts.read);
	TH_LOG("%d rounds: stored %lld, not stored %lld, resizes %llu, hotplugs %llu",
	       rounds, (long long)stored, (long long)lost,
	       (unsigned long long)shared->resizes, (unsigned long long)shared->hotplugs);
	munmap(shared, sizeof(*shared));
	EXPECT_EQ(0, module_unload("obsring_stress"));
}

TEST_HARNESS_MAIN
