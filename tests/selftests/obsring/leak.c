// SPDX-License-Identifier: MIT
/*
 * obsringd's leak watch, without a privilege, and programs that leak, are busy, or fill
 * and empty: one alarm for each leak, none for the others.
 *
 * What the programs hold follows the number of samples that the daemon says it took,
 * not a clock, and the daemon takes them the slower the longer one takes: a machine that
 * is slow makes all of it slow. What lags behind by more than a mark leaks by leaps, and
 * that is no trend: so all of it is on one processor, which is slow to all alike, and
 * there they come before the daemon whenever they have something to do.
 */
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "test.h"

#define SOCKET	"/tmp/obsring-leak.sock"
#define PAGE	4096UL

/*
 * What is leaked with each sample. Where samples are so slow that each is a mark, the
 * newest quarter of a window lies 17 samples above the oldest: what the watch takes for
 * noise (16 tasks of the machine, 4 MiB of a process) must be less.
 */
#define THREADS	2
#define STEP	(512UL << 10)
#define STEPS_MAX 400		/* more would be more than there is */

/* What all programs see: how many samples were taken. */
static atomic_uint *samples;

/* ---- Programs ------------------------------------------------------------ */

static void *block(void *arg)
{
	char byte;

	while (read(*(int *)arg, &byte, 1) != 0)
		;
	return NULL;
}

static bool thread_more(void *(*fn)(void *), void *arg)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 64 << 10);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	return !pthread_create(&thread, &attributes, fn, arg);
}

static unsigned int seen(void)
{
	return atomic_load(samples);
}

static char *map(size_t bytes)
{
	char *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (base == MAP_FAILED)
		_exit(1);
	return base;
}

static void touch(char *base, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes; i += PAGE)
		base[i] = 1;
}

static void allocates(void)
{
	unsigned int nr = 0;

	for (;; poll(NULL, 0, 1))
		for (; nr < seen() && nr < STEPS_MAX; nr++)
			touch(map(STEP), STEP);
}

static void blocks(void)
{
	static int pipes[2];
	unsigned int nr = 0;

	if (pipe(pipes))
		_exit(1);
	for (;; poll(NULL, 0, 1))
		for (; nr < THREADS * seen(); nr++)
			if (!thread_more(block, &pipes[0]))
				_exit(2);
}

static void *nap(void *arg)
{
	(void)arg;
	poll(NULL, 0, 5);
	return NULL;
}

/* Threads, files and memory, as many as it happens. */
static void busy(void)
{
	const size_t bytes = 32UL << 20;
	char *base = map(bytes);
	int file[100], nr, i;

	for (;;) {
		nr = (int)(random() % 100);
		touch(base, bytes / 100 * (size_t)nr);
		for (i = 0; i < nr; i++)
			file[i] = open("/dev/null", O_RDONLY);
		for (i = 0; i < nr % 8; i++)
			thread_more(nap, NULL);
		poll(NULL, 0, 3);
		for (i = 0; i < nr; i++)
			close(file[i]);
		madvise(base, bytes, MADV_DONTNEED);
	}
}

/* Fills and empties. */
static void teeth(void)
{
	const unsigned int period = 16;
	char *base = map(period * STEP);
	int file[16];
	unsigned int nr = 0, now;

	for (;; poll(NULL, 0, 1)) {
		now = seen() % period;
		while (nr < now) {
			touch(base + nr * STEP, STEP);
			file[nr++] = open("/dev/null", O_RDONLY);
		}
		if (nr <= now)
			continue;
		while (nr > now)
			close(file[--nr]);
		madvise(base + nr * STEP, (period - nr) * STEP, MADV_DONTNEED);
	}
}

static bool stay_on_one_cpu(void)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(sched_getcpu(), &cpus);
	return !sched_setaffinity(0, sizeof(cpus), &cpus);
}

static pid_t begin_as(const char *name, void (*fn)(void), int policy)
{
	const struct sched_param param = { .sched_priority = policy == SCHED_FIFO };
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, name);
	if (sched_setscheduler(0, policy, &param))
		_exit(4);
	fn();
	_exit(3);
}

static pid_t begin(const char *name, void (*fn)(void))
{
	return begin_as(name, fn, SCHED_FIFO);
}

static bool end(pid_t pid)
{
	return pid > 0 && !kill(pid, SIGKILL) && waitpid(pid, NULL, 0) == pid;
}

/* ---- The daemon ---------------------------------------------------------- */

static pid_t daemon_start(void)
{
	pid_t pid;

	unlink(SOCKET);
	pid = fork();
	if (pid)
		return pid;
	if (setgroups(0, NULL) || setgid(OBSRING_GROUP) || setuid(NOBODY))
		_exit(1);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execl("/usr/bin/obsringd", "obsringd", "--web.listen-address=unix:" SOCKET,
	      "--leak.interval=20ms", "--leak.window=2s", "--leak.confirm=1s",
	      "--leak.max-cpu=10", NULL);
	_exit(2);
}

/* An answer, with a NUL behind: its length or -errno. */
static ssize_t get(const char *path, char *answer, size_t size)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SOCKET };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ssize_t n = 0, len = 0;

	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    dprintf(fd, "GET %s HTTP/1.0\r\n\r\n", path) < 0) {
		close(fd);
		return -errno;
	}
	while (len < (ssize_t)size - 1 && (n = read(fd, answer + len, size - 1 - (size_t)len)) > 0)
		len += n;
	answer[len] = '\0';
	close(fd);
	return n < 0 ? -errno : len;
}

static int64_t sample_of(const char *line, size_t len)
{
	return strncmp(line, "\n", 1) ? -1 : strtoll(line + len, NULL, 10);
}

/* A sample of the daemon's, as it writes its name and labels; -1: none. */
static int64_t own(const char *series)
{
	static char answer[256 << 10];
	char path[128], line[256];
	const char *at;

	snprintf(path, sizeof(path), "/metrics?name[]=%.*s", (int)strcspn(series, "{"), series);
	snprintf(line, sizeof(line), "\n%s ", series);
	if (get(path, answer, sizeof(answer)) < 0)
		return -1;
	at = strstr(answer, line);
	return at ? sample_of(at, strlen(line)) : -1;
}

/* Let the programs see it, as soon as it is so. */
static void follow(void)
{
	int64_t now;

	for (;; poll(NULL, 0, 1)) {
		now = own("obsringd_leak_samples_total");
		if (now > 0)
			atomic_store(samples, (unsigned int)now);
	}
}

/* ---- What it says -------------------------------------------------------- */

struct told {
	unsigned int alarms, others;
	char field[8][6][OBSRING_STACK_MAX];	/* of each alarm, by these keys */
};

static const char *const keys[6] = {
	"resource", "leak_pid", "leak_comm", "kind", "stack", "growth_per_second",
};

enum { RESOURCE, PID, COMM, KIND, STACK };

static const char *field_of(const struct obs_log_entry *entry, const char *key)
{
	unsigned int i;

	for (i = 0; i < entry->nr_fields; i++)
		if (!strcmp(entry->field[i].key, key))
			return entry->field[i].value;
	return "";
}

static void take(struct told *told, const struct obs_log_entry *entry)
{
	unsigned int i;

	if (strcmp(field_of(entry, "event"), "leak")) {
		told->others++;
		return;
	}
	for (i = 0; i < 6 && told->alarms < 8; i++)
		snprintf(told->field[told->alarms][i], OBSRING_STACK_MAX, "%s",
			 field_of(entry, keys[i]));
	told->alarms++;
}

/* All records of the daemon so far. */
static unsigned int listen_to(struct told *told)
{
	const struct obs_log_options options = { .source = "user.obsringd" };
	const struct obs_log_entry *entry;
	struct obs_log *log;

	*told = (struct told){ 0 };
	if (obs_log_open(NULL, &options, &log))
		return 0;
	while (obs_log_next(log, &entry) == OBS_LOG_RECORD)
		take(told, entry);
	obs_log_close(log);
	return told->alarms;
}

static int alarm_of(const struct told *told, pid_t pid)
{
	char number[16] = "";
	unsigned int i;

	if (pid)
		snprintf(number, sizeof(number), "%d", pid);
	for (i = 0; i < told->alarms && i < 8; i++)
		if (!strcmp(told->field[i][PID], number))
			return (int)i;
	return -1;
}

/* ---- The tests ------------------------------------------------------------ */

FIXTURE(leak)
{
	struct session session;
	struct told told;
	pid_t daemon, follower;
};

FIXTURE_SETUP(leak)
{
	ASSERT_TRUE(stay_on_one_cpu());
	ASSERT_EQ(0, module_reload(""));
	ASSERT_EQ(0, session_open(&self->session));
	samples = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, (void *)samples);
	if (access("/usr/bin/obsringd", X_OK))
		SKIP_SETUP("there is no obsringd here");
}

FIXTURE_TEARDOWN(leak)
{
	if (self->follower)
		EXPECT_TRUE(end(self->follower));
	EXPECT_TRUE(end(self->daemon));
	session_close(&self->session);
	munmap((void *)samples, PAGE);
}

TEST_F(leak, one_alarm_for_each)
{
	struct told *told = &self->told;
	unsigned int until;
	pid_t pid[4];
	int i;

	ASSERT_EQ(0, obs_source_set(self->session.control, "process", true, NULL, 0));
	pid[0] = begin("allocator", allocates);
	pid[1] = begin("blocker", blocks);
	pid[2] = begin_as("busy", busy, SCHED_OTHER);
	pid[3] = begin("teeth", teeth);
	self->daemon = daemon_start();
	ASSERT_LT(0, self->daemon);
	self->follower = begin("follower", follow);
	EXPECT_TRUE(await(listen_to(told) >= 2));
	/* And for half as long again nothing else. */
	until = seen() / 2 * 3;
	EXPECT_TRUE(await(seen() >= until));
	listen_to(told);
	for (i = 0; i < (int)told->alarms && i < 8; i++)
		TH_LOG("%s of %s (%s): %s, %s a second, %s", told->field[i][RESOURCE],
		       told->field[i][COMM], told->field[i][PID], told->field[i][KIND],
		       told->field[i][5], told->field[i][STACK]);
	EXPECT_EQ(2, told->alarms);
	i = alarm_of(told, pid[0]);
	ASSERT_LE(0, i);
	EXPECT_STREQ("rss", told->field[i][RESOURCE]);
	EXPECT_STREQ("allocator", told->field[i][COMM]);
	EXPECT_STREQ("allocates", told->field[i][KIND]);
	i = alarm_of(told, pid[1]);
	ASSERT_LE(0, i);
	EXPECT_STREQ("threads", told->field[i][RESOURCE]);
	EXPECT_STREQ("blocker", told->field[i][COMM]);
	EXPECT_STREQ("blocks", told->field[i][KIND]);
	EXPECT_NE(NULL, strstr(told->field[i][STACK], "pipe_read"));
	EXPECT_EQ(1, own("obsringd_leak_alarms_total{resource=\"rss\",kind=\"allocates\"}"));
	EXPECT_EQ(1, own("obsringd_leak_alarms_total{resource=\"threads\",kind=\"blocks\"}"));
	EXPECT_EQ(1, own("obsringd_leak_available{resource=\"stacks\"}"));
	TH_LOG("%lld samples of %lld processes", (long long)atomic_load(samples),
	       (long long)own("obsringd_leak_processes"));
	for (i = 0; i < 4; i++)
		EXPECT_TRUE(end(pid[i]));
}

/* Nobody tells of processes: the machine's tasks leak, and where is not to be seen. */
TEST_F(leak, unavailable_without_the_source)
{
	struct told *told = &self->told;
	pid_t pid = begin("blocker", blocks);
	unsigned int until;

	self->daemon = daemon_start();
	ASSERT_LT(0, self->daemon);
	self->follower = begin("follower", follow);
	EXPECT_TRUE(await(listen_to(told)));
	until = seen() / 4 * 5;
	EXPECT_TRUE(await(seen() >= until));
	EXPECT_EQ(1, listen_to(told));
	EXPECT_STREQ("tasks", told->field[0][RESOURCE]);
	EXPECT_STREQ("", told->field[0][PID]);
	EXPECT_STREQ("unavailable", told->field[0][KIND]);
	EXPECT_EQ(0, own("obsringd_leak_available{resource=\"threads\"}"));
	EXPECT_EQ(0, own("obsringd_leak_available{resource=\"stacks\"}"));
	EXPECT_EQ(1, own("obsringd_leak_available{resource=\"tasks\"}"));
	EXPECT_TRUE(end(pid));
}

/* The module can be unloaded while the daemon watches. */
TEST_F(leak, unload)
{
	ASSERT_EQ(0, obs_source_set(self->session.control, "process", true, NULL, 0));
	self->daemon = daemon_start();
	ASSERT_LT(0, self->daemon);
	EXPECT_TRUE(await(own("obsringd_leak_processes") > 0));
	ASSERT_EQ(0, obs_control_set_state(self->session.control, OBSRING_STATE_DRAINING));
	session_close(&self->session);
	EXPECT_TRUE(await(!module_unload("obsring")));
	ASSERT_EQ(0, module_load("obsring", ""));
	ASSERT_EQ(0, session_open(&self->session));
}

TEST_HARNESS_MAIN
