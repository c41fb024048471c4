// SPDX-License-Identifier: MIT
/*
 * Trace context of a thread: what the kernel logs for it is tagged, nothing else
 * is, and no address, no memory and no timing does harm. Contexts describe
 * themselves, by each of their bytes: a mix of two is seen.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "context.h"
#include "kernel.h"

/* ---- Whose records ------------------------------------------------------- */

TEST_F(context, of_the_thread)
{
	trace_set(self->own, 1);
	EXPECT_EQ(NONE, tag(self, "task"));
	ASSERT_EQ(0, trace_register(self->fd, self->own));
	EXPECT_EQ(1, tag(self, "task"));
	/* From now on, a store. */
	trace_set(self->own, 2);
	EXPECT_EQ(2, tag(self, "task"));
	obs_context_clear(self->own);
	EXPECT_EQ(NONE, tag(self, "task"));
	trace_set(self->own, 3);
	/* The file is of no matter. */
	close(self->fd);
	self->fd = open(OBSRING_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	EXPECT_EQ(3, tag(self, "task"));
	trace_set(self->own + 1, 4);
	ASSERT_EQ(0, trace_register(self->fd, self->own + 1));
	EXPECT_EQ(4, tag(self, "task"));
	ASSERT_EQ(0, trace_register(self->fd, NULL));
	EXPECT_EQ(NONE, tag(self, "task"));
	EXPECT_EQ(0, trace_register(self->fd, NULL));
}

TEST_F(context, where_it_is_known)
{
	trace_set(self->own, 1);
	ASSERT_EQ(0, trace_register(self->fd, self->own));
	EXPECT_EQ(1, tag(self, "bh"));
	EXPECT_EQ(1, tag(self, "locked"));
	EXPECT_EQ(NONE, tag(self, "softirq"));
	EXPECT_EQ(NONE, tag(self, "irq"));
	EXPECT_EQ(NONE, tag(self, "work"));
	EXPECT_EQ(NO_RECORD, tag(self, "nowhere"));
}

TEST_F(context, of_what_the_thread_writes)
{
	static const char plain[] = "service=shop paid";
	static const char traced[] = "service=shop traceparent="
		"00-09090909090909090909090909090909-0909090909090909-01 paid";

	trace_set(self->own, 1);
	ASSERT_EQ(0, trace_register(self->fd, self->own));
	ASSERT_LT(0, write(self->fd, plain, strlen(plain)));
	EXPECT_EQ(1, only_tag(self, " source=user.shop "));
	ASSERT_LT(0, write(self->fd, traced, strlen(traced)));
	EXPECT_EQ(9, only_tag(self, " source=user.shop "));
}

static int tag_in_child(FIXTURE_DATA(context) *self)
{
	int r = tag(self, "task");

	if (r != NONE)
		return r;
	trace_set(self->own, 7);
	return trace_register(self->fd, self->own) ?: tag(self, "task");
}

static int fork_job(void *self)
{
	return tag_in_child(self);
}

TEST_F(context, not_of_children)
{
	trace_set(self->own, 1);
	ASSERT_EQ(0, trace_register(self->fd, self->own));
	EXPECT_EQ(7, child_run(fork_job, self));
	drain(self);
	EXPECT_EQ(1, tag(self, "task"));
}

/* Another task on the same memory: as vfork and as threads are. */
static int sharing_fn(void *arg)
{
	(void)arg;
	_exit(say("task"));
}

static int sharing_run(int flags)
{
	static char stack[65536] __attribute__((aligned(16)));
	int status;
	pid_t pid = clone(sharing_fn, stack + sizeof(stack), flags | SIGCHLD, NULL);

	return pid < 0 || waitpid(pid, &status, 0) != pid ? -errno : status;
}

static void *thread_say(void *arg)
{
	*(int *)arg = say("task");
	return NULL;
}

TEST_F(context, not_of_others_on_the_same_memory)
{
	pthread_t thread;
	int r;

	trace_set(self->own, 1);
	ASSERT_EQ(0, trace_register(self->fd, self->own));
	ASSERT_EQ(0, sharing_run(CLONE_VM | CLONE_VFORK));
	EXPECT_EQ(NONE, only_tag(self, " source=speaker "));
	ASSERT_EQ(0, sharing_run(CLONE_VM));
	EXPECT_EQ(NONE, only_tag(self, " source=speaker "));
	ASSERT_EQ(0, pthread_create(&thread, NULL, thread_say, &r));
	pthread_join(thread, NULL);
	ASSERT_EQ(0, r);
	EXPECT_EQ(NONE, only_tag(self, " source=speaker "));
	EXPECT_EQ(1, tag(self, "task"));
}

static int exec_job(void *arg)
{
	FIXTURE_DATA(context) *self = arg;
	int r;

	trace_set(self->own, 1);
	r = trace_register(self->fd, self->own);
	/* One that fails changes nothing. */
	execl("/no/such/program", "program", NULL);
	if (r || tag(self, "task") != 1)
		return -EPROTO;
	execl("/bin/sh", "sh", "-c", "echo task >" SAY, NULL);
	return -errno;
}

TEST_F(context, not_of_what_is_executed)
{
	/* The pipe of child_run() ends with the exec: no answer. */
	EXPECT_EQ(-EPROTO, child_run(exec_job, self));
	EXPECT_TRUE(await(strstr(drain(self), "comm=sh ")));
	EXPECT_EQ(NONE, tag_of(self->text)) TH_LOG("%s", self->text);
}

/* ---- No tag, no harm ----------------------------------------------------- */

TEST_F(context, what_is_none)
{
	ASSERT_EQ(0, trace_register(self->fd, self->own));
	EXPECT_EQ(NONE, tag(self, "task"));
	trace_set(self->own, 1);
	self->own->sequence++;
	EXPECT_EQ(NONE, tag(self, "task"));
	self->own->sequence++;
	EXPECT_EQ(1, tag(self, "task"));
	memset(self->own->span_id, 0, 8);
	EXPECT_EQ(NONE, tag(self, "task"));
	trace_set(self->own, 1);
	memset(self->own->trace_id, 0, 16);
	EXPECT_EQ(NONE, tag(self, "task"));
	memset(self->own, 0xfe, sizeof(*self->own));
	EXPECT_EQ(0xfe, tag(self, "task"));
	memset(self->own, 0xff, sizeof(*self->own));
	EXPECT_EQ(NONE, tag(self, "task"));
}

static const struct {
	__u64 address;
	int expected;
} addresses[] = {
	{ 1, -EINVAL },
	{ 8, 0 },
	{ 0x1000 + 4, -EINVAL },
	{ ~0ULL, -EINVAL },
	{ ~7ULL, -EFAULT },
	{ ~0ULL << 63, -EFAULT },
	{ 0xffffffff81000000, -EFAULT },
	{ 0xffff888000000000, -EFAULT },
	{ 0x0123456789abcde8, -EFAULT },
};

TEST_F(context, addresses)
{
	size_t i;

	trace_set(self->own, 1);
	for (i = 0; i < ARRAY_SIZE(addresses); i++) {
		ASSERT_EQ(0, trace_register(self->fd, self->own));
		EXPECT_EQ(addresses[i].expected,
			  ioctl(self->fd, OBSRING_IOC_CONTEXT, &addresses[i].address) ?
			  -errno : 0)
			TH_LOG("%llx", (unsigned long long)addresses[i].address);
		/* What was refused changed nothing. */
		EXPECT_EQ(addresses[i].expected ? 1 : NONE, tag(self, "task"));
		EXPECT_EQ(addresses[i].expected ? 1 : NONE, tag(self, "locked"));
	}
	EXPECT_EQ(-1, ioctl(self->fd, OBSRING_IOC_CONTEXT, NULL));
	EXPECT_EQ(EFAULT, errno);
}

/* Memory that is there, and then is not, and so on. */
TEST_F(context, memory_that_goes)
{
	char *at = mmap(NULL, 2 * self->page, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct obsring_context *c = (void *)(at + self->page - sizeof(*c) / 2);

	ASSERT_NE(MAP_FAILED, at);
	ASSERT_EQ(0, trace_register(self->fd, c));
	/* Never touched: not there. */
	EXPECT_EQ(NONE, tag(self, "locked"));
	trace_set(c, 1);
	EXPECT_EQ(1, tag(self, "locked"));
	/* Each of the two pages alone. */
	ASSERT_EQ(0, mprotect(at, self->page, PROT_NONE));
	EXPECT_EQ(NONE, tag(self, "locked"));
	ASSERT_EQ(0, mprotect(at, self->page, PROT_READ));
	EXPECT_EQ(1, tag(self, "locked"));
	ASSERT_EQ(0, mprotect(at + self->page, self->page, PROT_NONE));
	EXPECT_EQ(NONE, tag(self, "locked"));
	ASSERT_EQ(0, munmap(at + self->page, self->page));
	EXPECT_EQ(NONE, tag(self, "locked"));
	EXPECT_EQ(NONE, tag(self, "task"));
	ASSERT_EQ(0, munmap(at, self->page));
	EXPECT_EQ(NONE, tag(self, "task"));
	/* Something else comes to be there: it is read as a context. */
	ASSERT_EQ(at, mmap(at, 2 * self->page, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	trace_set(c, 2);
	EXPECT_EQ(2, tag(self, "task"));
	munmap(at, 2 * self->page);
}

/* A page of a file that has been cut off: touching it would be SIGBUS. */
TEST_F(context, file_that_is_cut)
{
	int fd = memfd_create("context", MFD_CLOEXEC);
	struct obsring_context *c;

	ASSERT_EQ(0, ftruncate(fd, (off_t)self->page));
	c = mmap(NULL, self->page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, c);
	trace_set(c, 1);
	ASSERT_EQ(0, trace_register(self->fd, c));
	EXPECT_EQ(1, tag(self, "task"));
	ASSERT_EQ(0, ftruncate(fd, 0));
	EXPECT_EQ(NONE, tag(self, "task"));
	munmap(c, self->page);
	close(fd);
}

/* The device itself is as good an address as any other. */
TEST_F(context, memory_of_the_device)
{
	void *header = mmap(NULL, self->page, PROT_READ, MAP_SHARED, self->fd, 0);

	ASSERT_NE(MAP_FAILED, header);
	ASSERT_EQ(OBSRING_MAGIC, *(__u64 *)header);
	ASSERT_EQ(0, trace_register(self->fd, header));
	/* Its first word is odd. */
	EXPECT_EQ(NONE, tag(self, "locked"));
	munmap(header, self->page);
}

/* ---- Who may, and how many ----------------------------------------------- */

TEST_F(context, only_who_may_write)
{
	int fd = open(OBSRING_DEVICE, O_RDONLY | O_CLOEXEC);

	trace_set(self->own, 1);
	EXPECT_EQ(-EPERM, trace_register(fd, self->own));
	EXPECT_EQ(NONE, tag(self, "task"));
	ASSERT_EQ(0, trace_register(self->fd, self->own));
	EXPECT_EQ(-EPERM, trace_register(fd, NULL));
	EXPECT_EQ(1, tag(self, "task"));
	close(fd);
	fd = open(OBSRING_DEVICE, O_WRONLY | O_CLOEXEC);
	EXPECT_EQ(0, trace_register(fd, NULL));
	EXPECT_EQ(NONE, tag(self, "task"));
	close(fd);
}

#ifdef __x86_64__
/* ioctl as a 32-bit program calls it, the arguments below 4 GiB. */
static int ioctl_compat(int fd, unsigned int cmd, const void *arg)
{
	int ret;

	__asm__ volatile("int $0x80" : "=a"(ret)
			 : "a"(54), "b"(fd), "c"(cmd), "d"(arg)
			 : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

static int compat_job(void *arg)
{
	FIXTURE_DATA(context) *self = arg;
	__u64 *word = mmap(NULL, self->page, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	if (word == MAP_FAILED)
		return -errno;
	*word = (uintptr_t)self->own;
	return ioctl_compat(self->fd, OBSRING_IOC_CONTEXT, word);
}

TEST_F(context, not_of_32_bit_programs)
{
	int r = child_run(compat_job, self);

	if (r == -EPROTO)
		SKIP(return, "this kernel runs no 32-bit programs");
	EXPECT_EQ(-EOPNOTSUPP, r);
}
#endif

static int crowd_job(void *self)
{
	return crowd_run(self, 8);
}

TEST_F(context, limit)
{
	int i;

	close(self->fd);
	munmap(self->own, self->page);
	ASSERT_EQ(0, module_unload("obsring_speaker"));
	ASSERT_EQ(0, setup(self, "max_contexts=12"));
	/* A quarter for a user; those that exited have made room. */
	for (i = 0; i < 5; i++)
		EXPECT_EQ(3, crowd_run(self, 8));
	ASSERT_EQ(0, trace_register(self->fd, self->own));
	EXPECT_EQ(2, crowd_run(self, 8));
	EXPECT_EQ(3, nobody_run(OBSRING_GROUP, crowd_job, self));
	/* Who is registered may change the address. */
	EXPECT_EQ(0, trace_register(self->fd, self->own + 1));
	close(self->fd);
	munmap(self->own, self->page);
	ASSERT_EQ(0, module_unload("obsring_speaker"));
	ASSERT_EQ(0, setup(self, "max_contexts=0"));
	EXPECT_EQ(-ENOSPC, trace_register(self->fd, self->own));
}

/* Nothing is hooked while nobody has one. Nobody else hooks this tracepoint. */
TEST_F(context, costs_nothing_when_off)
{
	static const char name[] = "sched_process_exec";

	if (kernel_tracepoint_on(name) < 0)
		SKIP(return, "this kernel does not show its memory");
	EXPECT_EQ(0, kernel_tracepoint_on(name));
	ASSERT_EQ(0, trace_register(self->fd, self->own));
	EXPECT_EQ(1, kernel_tracepoint_on(name));
	ASSERT_EQ(0, trace_register(self->fd, NULL));
	EXPECT_TRUE(await(kernel_tracepoint_on(name) == 0));
	trace_set(self->own, 5);
	ASSERT_EQ(0, trace_register(self->fd, self->own));
	EXPECT_EQ(5, tag(self, "task"));
}

TEST_F(context, unload_while_registered)
{
	int i;

	for (i = 0; i < 10; i++) {
		trace_set(self->own, 1);
		ASSERT_EQ(0, trace_register(self->fd, self->own));
		ASSERT_EQ(1, tag(self, "task"));
		close(self->fd);
		ASSERT_EQ(0, module_unload("obsring_speaker"));
		ASSERT_EQ(0, module_reload(""));
		ASSERT_EQ(0, module_load("obsring_speaker", ""));
		self->fd = open(OBSRING_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
		EXPECT_EQ(NONE, tag(self, "task"));
	}
}

/* ---- The library --------------------------------------------------------- */

static int trace_number(unsigned int k)
{
	uint8_t id[16];

	memset(id, (int)k, sizeof(id));
	return obs_trace_set_ids(id, id, 1);
}

TEST_F(context, library)
{
	static const char traceparent[] =
		"00-0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b-0b0b0b0b0b0b0b0b-01";
	struct obs_trace_context context = { .flags = 1, .has_rv = true, .rv = 77 };

	obs_trace_clear();
	ASSERT_EQ(0, trace_number(1));
	EXPECT_EQ(1, tag(self, "task"));
	ASSERT_EQ(0, trace_number(2));
	EXPECT_EQ(2, tag(self, "task"));
	obs_trace_clear();
	EXPECT_EQ(NONE, tag(self, "task"));
	ASSERT_EQ(0, obs_trace_set_traceparent(traceparent));
	EXPECT_EQ(11, tag(self, "task"));
	EXPECT_EQ(-EINVAL, obs_trace_set_traceparent("00-0b"));
	EXPECT_EQ(-EINVAL, obs_trace_set_traceparent(""));
	EXPECT_EQ(11, tag(self, "task"));
	memset(context.trace_id, 12, sizeof(context.trace_id));
	memset(context.span_id, 12, sizeof(context.span_id));
	ASSERT_EQ(0, obs_trace_set(&context));
	EXPECT_EQ(12, tag(self, "task"));
	ASSERT_EQ(0, obs_trace_register());
	EXPECT_EQ(NONE, tag(self, "task"));
}

static int library_job(void *self)
{
	int r = tag(self, "task");

	if (r != NONE)
		return r;
	return trace_number(4) ?: tag(self, "task");
}

TEST_F(context, library_in_a_child)
{
	ASSERT_EQ(0, trace_number(3));
	EXPECT_EQ(4, child_run(library_job, self));
	drain(self);
	EXPECT_EQ(3, tag(self, "task"));
}

static int who_may_not(void *unused)
{
	int r = trace_number(5);

	(void)unused;
	/* Nor does the next one ask again. */
	return r == trace_number(5) ? r : -EPROTO;
}

static int who_may(void *self)
{
	return trace_number(6) ?: tag(self, "task");
}

TEST_F(context, library_of_nobody)
{
	EXPECT_EQ(-EACCES, nobody_run(0, who_may_not, NULL));
	/* It may; but only root may have the speaker speak. */
	EXPECT_EQ(NO_RECORD, nobody_run(OBSRING_GROUP, who_may, self));
}

/* The library does not keep the module; a new one must be told. */
TEST_F(context, library_and_a_new_module)
{
	ASSERT_EQ(0, trace_number(7));
	EXPECT_EQ(7, tag(self, "task"));
	close(self->fd);
	ASSERT_EQ(0, module_unload("obsring_speaker"));
	ASSERT_EQ(0, module_unload("obsring"));
	EXPECT_EQ(0, trace_number(8));
	EXPECT_EQ(-ENOENT, obs_trace_register());
	EXPECT_EQ(0, trace_number(8));
	munmap(self->own, self->page);
	ASSERT_EQ(0, setup(self, ""));
	EXPECT_EQ(NONE, tag(self, "task"));
	ASSERT_EQ(0, obs_trace_register());
	ASSERT_EQ(0, trace_number(9));
	EXPECT_EQ(9, tag(self, "task"));
}

static void *library_thread(void *arg)
{
	long k = (long)arg;

	return (void *)(long)(trace_number((unsigned int)k) || say("task"));
}

/* Threads that end give back what they had: a limit that leaks is met. */
TEST_F(context, library_in_threads)
{
	pthread_t thread;
	void *failed;
	long k;

	close(self->fd);
	munmap(self->own, self->page);
	ASSERT_EQ(0, module_unload("obsring_speaker"));
	ASSERT_EQ(0, setup(self, "max_contexts=4"));
	for (k = 1; k < 30; k++) {
		ASSERT_EQ(0, pthread_create(&thread, NULL, library_thread, (void *)k));
		pthread_join(thread, &failed);
		ASSERT_EQ(NULL, failed);
		ASSERT_TRUE(threads_gone());
		EXPECT_EQ(k, only_tag(self, " source=speaker "));
	}
	ASSERT_EQ(0, trace_number(1));
	ASSERT_EQ(0, pthread_create(&thread, NULL, library_thread, (void *)2));
	pthread_join(thread, &failed);
	EXPECT_NE(NULL, failed);
}

TEST_HARNESS_MAIN
