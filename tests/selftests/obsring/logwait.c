// SPDX-License-Identifier: MIT
/* The log as text: who waits is woken, also while all contexts write and CPUs go. */
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "log.h"
#include "tally.h"

/* ---- Waiting ------------------------------------------------------------- */

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

TEST_F(log, sleeping_reader_wakes)
{
	pid_t pid;
	int i;

	for (i = 0; i < 50; i++) {
		pid = start_reader();
		EXPECT_TRUE(await(sleeps_in_call(pid, SYS_read)));
		ASSERT_EQ(0, say(self->fd, "wake"));
		EXPECT_EQ(200, end_of(pid));
	}
}

TEST_F(log, drained_readers_end)
{
	struct obs_control *control;
	pid_t pid = start_reader();

	EXPECT_TRUE(await(sleeps_in_call(pid, SYS_read)));
	ASSERT_EQ(0, say(self->fd, "last"));
	EXPECT_EQ(200, end_of(pid));
	pid = start_reader();
	EXPECT_TRUE(await(sleeps_in_call(pid, SYS_read)));
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
		EXPECT_TRUE(await(sleeps_in_call(reader, SYS_read)));
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
