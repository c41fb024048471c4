// SPDX-License-Identifier: MIT
/*
 * What the calls of a program do. Descriptors have fixed numbers, so that bytes in a
 * program can name them; all of a program's are closed behind it.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/obsring.h>

#include "execute.h"
#include "fuzz.h"

#define PAGE		4096
#define LOW_BYTES	(64 << 10)
#define STACK_BYTES	(512 << 10)
#define GROUP_OBSRING	978	/* the guest's */
#define IOCTL_COMPAT	54	/* its number in the table of 32-bit programs */

/* Memory that 32-bit programs could name; behind it is a page of nothing. */
static uint8_t *low;
static struct obsring_context *context;
static sigjmp_buf touched;
static volatile sig_atomic_t touching;

static struct mapping {
	uint8_t *at;
	size_t bytes;
} maps[4], joined[2];

static uint64_t service_bytes;
static struct obsring_header header;
static struct kcov *child_kcov;
static int fail_nth;		/* this process' */
static bool failing;		/* the call has a fault to come */

/* One of our own is a bug of ours, and ends the worker. */
static void on_fault(int number)
{
	if (touching)
		siglongjmp(touched, 1);
	signal(number, SIG_DFL);
}

static void on_alarm(int number)
{
}

void execute_header(void)
{
	int fd = open(OBSRING_DEVICE, O_RDONLY);
	void *page = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);

	if (page == MAP_FAILED)
		err(2, OBSRING_DEVICE);
	memcpy(&header, page, sizeof(header));
	munmap(page, PAGE);
	close(fd);
}

/*
 * The saved numbers stay root's, so that there is a way back. System calls, as glibc
 * would ask each thread.
 */
static void become(enum role role)
{
	static const uid_t uids[] = { [ROLE_MEMBER] = 1001, [ROLE_NOBODY] = 65534 };
	static const gid_t group = GROUP_OBSRING;
	static enum role now = ROLE_ROOT;
	uid_t uid = uids[role];

	if (role == now)
		return;
	now = role;
	if (syscall(SYS_setresuid, 0, 0, 0) ||
	    syscall(SYS_setgroups, role == ROLE_MEMBER, &group) ||
	    syscall(SYS_setresgid, uid, uid, 0) || syscall(SYS_setresuid, uid, uid, 0))
		err(2, "setresuid");
	netlink_as(role);
}

/* Once it is there: a fault that a call asks for must not be that it can't grow. */
static void stack_grow(void)
{
	volatile uint8_t deep[STACK_BYTES];
	uint32_t i;

	for (i = 0; i < STACK_BYTES; i += PAGE)
		deep[i] = 0;
	(void)deep[0];
}

void execute_begin(struct kcov *child)
{
	unsigned int role;

	struct sigaction fault = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };
	struct sigaction alarm = { .sa_handler = on_alarm };

	child_kcov = child;
	stack_grow();
	fail_nth = open("/proc/thread-self/fail-nth", O_WRONLY | O_CLOEXEC);
	if (fail_nth < 0)
		err(2, "fail-nth");
	sigaction(SIGBUS, &fault, NULL);
	sigaction(SIGSEGV, &fault, NULL);
	sigaction(SIGALRM, &alarm, NULL);
	low = mmap(NULL, LOW_BYTES + PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (low == MAP_FAILED || mprotect(low + LOW_BYTES, PAGE, PROT_NONE))
		err(2, "mmap");
	context = (void *)(low + LOW_BYTES - PAGE);
	/* Who opens a socket is who asks by it. */
	for (role = ROLE_NR; role--; ) {
		become(role);
		netlink_begin(role);
	}
}

/* The call's data where the kernel shall find it; or a place where nothing is. */
static void *data_of(const struct call *call)
{
	if (call->flags & CALL_FAULT)
		return low + LOW_BYTES - (call->size > 8 ? 8 : 0);
	memcpy(low, call->data, call->size);
	return low;
}

static void give(int from, int to)
{
	if (from < 0)
		return;
	dup3(from, to, O_CLOEXEC);
	close(from);
}

/* Root alone: some other user, for one call. Each has limits of its own. */
static void as_other(uid_t real, uid_t effective)
{
	int tries = 2;

	/* The call's fault may be this one's. */
	while (syscall(SYS_setresuid, real, effective, 0) && --tries)
		;
	if (!tries)
		err(2, "setresuid");
}

static void do_open(const struct call *call)
{
	bool other = !geteuid() && call->a;

	if (other)
		as_other(call->a, 0);
	give(open(OBSRING_DEVICE, (call->flags & (O_ACCMODE | O_NONBLOCK)) | O_CLOEXEC),
	     DEVICE_FD(call->slot));
	if (other)
		as_other(0, 0);
}

static void do_write(const struct call *call)
{
	uint8_t *data = data_of(call);
	uint32_t size = call->size, i, n = call->a % 64;

	for (i = 1; i < n && !(call->flags & CALL_FAULT) && size + call->size < LOW_BYTES; i++) {
		memcpy(low + size, call->data, call->size);
		size += call->size;
	}
	if (write(DEVICE_FD(call->slot), data, size) < 0)
		return;
}

/* Blocking, if the file is so: a timer ends it. */
static void do_read(const struct call *call)
{
	struct itimerval soon = { { 0, 2000 }, { 0, 2000 } }, never = { };
	int fd = DEVICE_FD(call->slot), flags = fcntl(fd, F_GETFL);
	void *data = call->flags & CALL_FAULT ? low + LOW_BYTES - 8 : low;

	fcntl(fd, F_SETFL, call->op == OP_WAIT ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
	if (call->op == OP_WAIT)
		setitimer(ITIMER_REAL, &soon, NULL);
	if (read(fd, data, call->a % (LOW_BYTES - PAGE)) < 0)
		errno = 0;
	if (call->op == OP_WAIT)
		setitimer(ITIMER_REAL, &never, NULL);
}

static void do_poll(const struct call *call)
{
	struct pollfd fd = { .fd = DEVICE_FD(call->slot), .events = call->a };

	poll(&fd, 1, call->b & 1);
}

static void do_epoll(const struct call *call)
{
	struct epoll_event event = { .events = call->a | (call->b & 1 ? EPOLLET : 0) };
	int fd = epoll_create1(EPOLL_CLOEXEC);

	epoll_ctl(fd, EPOLL_CTL_ADD, DEVICE_FD(call->slot), &event);
	epoll_wait(fd, &event, 1, 0);
	event.events = EPOLLIN | EPOLLPRI;
	epoll_ctl(fd, EPOLL_CTL_MOD, DEVICE_FD(call->slot), &event);
	epoll_wait(fd, &event, 1, 1);
	close(fd);
}

/* As a 32-bit program would, which a 64-bit one can. */
static void ioctl_compat(int fd, uint32_t cmd, void *data)
{
	long ret = IOCTL_COMPAT;

	asm volatile("int $0x80" : "+a"(ret) : "b"((long)fd), "c"((long)cmd), "d"(data)
		     : "memory", "r8", "r9", "r10", "r11");
}

static void do_ioctl(const struct call *call)
{
	int fd = call->b == 1 ? SERVICE_FD(call->slot) : DEVICE_FD(call->slot);
	struct call fixed = *call;
	void *data;

	/* The bit is a command's direction as well. */
	fixed.flags = call->b == 2 ? CALL_FAULT : 0;
	data = data_of(&fixed);
	if (call->op == OP_COMPAT)
		ioctl_compat(fd, call->flags, data);
	else
		ioctl(fd, call->flags, data);
}

/* a: 1: the right address, 0: none more; else that one. */
static void do_context(const struct call *call)
{
	uint64_t address = call->a == 1 ? (uintptr_t)context : call->a;

	memcpy(context, call->data, sizeof(*context));
	ioctl(DEVICE_FD(call->slot), OBSRING_IOC_CONTEXT, &address);
}

static void unmap(struct mapping *mapping)
{
	if (mapping->at && !munmap(mapping->at, mapping->bytes))
		mapping->at = NULL;
}

static uint64_t map_offset(uint64_t a)
{
	uint32_t region = a >> 32;

	if (region < header.nr_regions)
		return header.region[region].offset + (a & 0xfffff) * PAGE;
	return a * PAGE;
}

static void do_map(const struct call *call)
{
	struct mapping *mapping = &maps[call->slot % 4];
	size_t bytes = (call->b & 0xffff) * PAGE;
	void *at;

	unmap(mapping);
	at = mmap(NULL, bytes, call->flags & 7,
		  call->flags & 0x100 ? MAP_PRIVATE : MAP_SHARED, DEVICE_FD(call->slot),
		  map_offset(call->a));
	if (at != MAP_FAILED)
		*mapping = (struct mapping){ at, bytes };
}

static size_t within(const struct mapping *mapping, uint64_t at)
{
	return mapping->bytes ? at % (mapping->bytes / PAGE) * PAGE : 0;
}

static void do_unmap(const struct call *call)
{
	struct mapping *mapping = &maps[call->slot % 4];
	size_t at = within(mapping, call->a);

	if (!mapping->at)
		return;
	/* A hole, which touching must survive; or all of it. */
	if (call->b & 1)
		munmap(mapping->at + at, PAGE);
	else
		unmap(mapping);
}

static void do_remap(const struct call *call)
{
	struct mapping *mapping = call->flags & 1 ? &joined[call->slot % 2] :
						    &maps[call->slot % 4];
	size_t bytes = call->b & 1 ? mapping->bytes + PAGE : mapping->bytes;
	void *at;

	if (!mapping->at)
		return;
	at = mremap(mapping->at, call->b & 2 ? PAGE : mapping->bytes, bytes, MREMAP_MAYMOVE);
	if (at != MAP_FAILED && !(call->b & 2))
		*mapping = (struct mapping){ at, bytes };
}

static void do_protect(const struct call *call)
{
	struct mapping *mapping = call->flags & 8 ? &joined[call->slot % 2] :
						    &maps[call->slot % 4];

	if (mapping->at && mapping->bytes)
		mprotect(mapping->at + within(mapping, call->a), PAGE, call->flags & 7);
}

/* By the kernel, which answers EFAULT: a fault in a signal's frame would kill us. */
static void touch_quietly(void *word, bool write)
{
	if (write)
		syscall(SYS_getcpu, word, NULL, NULL);
	else if (access(word, F_OK))
		errno = 0;
}

/* Faults of it end here. */
static void touch(struct mapping *mapping, uint64_t at, uint32_t pages, bool write)
{
	volatile uint64_t *word;
	uint32_t i;

	touching = true;
	for (i = 0; mapping->at && mapping->bytes && i < pages; i++) {
		word = (void *)(mapping->at + within(mapping, at + i) + (at >> 20) % 512 * 8);
		if (failing) {
			touch_quietly((void *)word, write);
			continue;
		}
		if (sigsetjmp(touched, 1))
			continue;
		if (write)
			__atomic_fetch_add(word, 1, __ATOMIC_RELAXED);
		else
			(void)*word;
	}
	touching = false;
}

static void do_attach(const struct call *call)
{
	struct obsring_attach *attach = data_of(call);
	bool other = !geteuid() && call->a;
	int ret;

	if (other)
		as_other(call->a, call->a);
	ret = ioctl(DEVICE_FD(call->slot), OBSRING_IOC_ATTACH, attach);
	if (other)
		as_other(0, 0);
	if (ret)
		return;
	service_bytes = attach->map_bytes;
	give(attach->fd, SERVICE_FD(call->slot));
}

/* a: pages of offset; b: other bytes than all. */
static void do_join(const struct call *call)
{
	struct mapping *mapping = &joined[call->slot % 2];
	size_t bytes = call->b ? call->b & 0xfffff : service_bytes;
	void *at;

	unmap(mapping);
	at = mmap(NULL, bytes, call->flags & 7, call->flags & 0x100 ? MAP_PRIVATE : MAP_SHARED,
		  SERVICE_FD(call->slot), call->a % 16 * PAGE);
	if (at != MAP_FAILED)
		*mapping = (struct mapping){ at, bytes };
}

static void do_metric(const struct call *call)
{
	struct obsring_metric *m = (void *)low;
	uint32_t bounds;

	memcpy(low, call->data, call->size);
	bounds = m->nr_bounds < 200 ? m->nr_bounds * 8 : 0;
	m->bounds = (uintptr_t)(m + 1);
	m->text = call->flags & CALL_FAULT ? (uintptr_t)(low + LOW_BYTES - 4) : m->bounds + bounds;
	if (call->flags & CALL_FAULT && m->nr_bounds)
		m->bounds = (uintptr_t)(low + LOW_BYTES - 4);
	/* What follows the text is no more of it than a program's memory is. */
	memset(low + call->size, 0, PAGE);
	ioctl(SERVICE_FD(call->slot), OBSRING_IOC_METRIC, m);
}

/* What source netdrop tells of, in the task itself. */
static void do_drop(const struct call *call)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair))
		return;
	if (send(pair[0], call->data, 1 + call->size % 64, MSG_DONTWAIT) < 0)
		errno = 0;
	close(pair[1]);
	close(pair[0]);
}

/* What source printk does. */
static void do_kmsg(const struct call *call)
{
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	dprintf(fd, "<%u>fuzz %llx", (unsigned int)call->a % 200, (unsigned long long)call->b);
	close(fd);
}

static void cpu_set(const char *online)
{
	int fd = open("/sys/devices/system/cpu/cpu1/online", O_WRONLY | O_CLOEXEC);

	if (write(fd, online, 1) < 0)
		errno = 0;
	close(fd);
}

/* A CPU goes and comes back. */
static void do_hotplug(const struct call *call)
{
	cpu_set("0");
	cpu_set("1");
}

/*
 * A member that is born so; it reads the device's mappings as well. flags: 1: it
 * writes; 2: it has a context of its own, which its exit ends, or 4: exec.
 */
static void do_fork(const struct call *call)
{
	uint64_t address = (uintptr_t)context;
	pid_t child = fork();
	int i;

	if (child > 0)
		while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
			;
	if (child)
		return;
	if (child_kcov)
		kcov_enable(child_kcov, false);
	for (i = 0; i < 2; i++)
		touch(&joined[i], call->a, 1 + call->b % 8, true);
	for (i = 0; i < 4; i++)
		touch(&maps[i], call->a, 1, false);
	if (call->flags & 2) {
		memset(context, 1, sizeof(*context));
		context->sequence = 2;
		ioctl(DEVICE_FD(call->slot), OBSRING_IOC_CONTEXT, &address);
	}
	if (call->flags & 1 && write(DEVICE_FD(call->slot), "forked", 6) < 0)
		errno = 0;
	if (call->flags & 4)
		execl("/bin/true", "true", NULL);
	_exit(0);
}

static void do_close(const struct call *call)
{
	close(call->a & 1 ? SERVICE_FD(call->slot) : DEVICE_FD(call->slot));
}

static void do_seek(const struct call *call)
{
	lseek(DEVICE_FD(call->slot), call->a, call->flags & 7);
}

static void do_touch(const struct call *call)
{
	touch(&maps[call->slot % 4], call->a, call->b % 64, false);
}

/* flags: 1: from the end on, where share pages are. */
static void do_count(const struct call *call)
{
	struct mapping *mapping = &joined[call->slot % 2];
	uint64_t at = call->flags & 1 ? mapping->bytes / PAGE - 1 - call->a % 4 : call->a;

	touch(mapping, at, 1 + call->b % 8, true);
}

static void do_leave(const struct call *call)
{
	unmap(&joined[call->slot % 2]);
}

static void do_listen(const struct call *call)
{
	netlink_listen();
}

/* flags: 1: where they sleep; 2: a field that is to be 0 is not. a: room; b: of whom. */
static void do_ask(const struct call *call)
{
	uint32_t pid = call->b & 1 ? (uint32_t)getpid() : call->b & 2 ? call->b >> 8 : 0;
	uint64_t room = (uintptr_t)low + (call->flags & CALL_FAULT ? LOW_BYTES - 64 : PAGE);
	struct obsring_processes processes = {
		.size = call->b & 4 ? call->b >> 8 : sizeof(processes), .pid = pid,
		.nr = call->a % 64, .reserved = !!(call->flags & 2), .process = room,
	};
	struct obsring_sleepers sleepers = {
		.size = call->b & 4 ? call->b >> 8 : sizeof(sleepers), .pid = pid,
		.nr = call->a % 64, .reserved = !!(call->flags & 2), .group = room,
	};

	if (call->flags & 1)
		ioctl(DEVICE_FD(call->slot), OBSRING_IOC_SLEEPERS, &sleepers);
	else
		ioctl(DEVICE_FD(call->slot), OBSRING_IOC_PROCESSES, &processes);
}

static void (*const doing[OP_NR])(const struct call *call) = {
	[OP_OPEN] = do_open,
	[OP_CLOSE] = do_close,
	[OP_WRITE] = do_write,
	[OP_READ] = do_read,
	[OP_WAIT] = do_read,
	[OP_POLL] = do_poll,
	[OP_EPOLL] = do_epoll,
	[OP_SEEK] = do_seek,
	[OP_IOCTL] = do_ioctl,
	[OP_COMPAT] = do_ioctl,
	[OP_CONTEXT] = do_context,
	[OP_MAP] = do_map,
	[OP_UNMAP] = do_unmap,
	[OP_REMAP] = do_remap,
	[OP_PROTECT] = do_protect,
	[OP_TOUCH] = do_touch,
	[OP_ATTACH] = do_attach,
	[OP_JOIN] = do_join,
	[OP_METRIC] = do_metric,
	[OP_COUNT] = do_count,
	[OP_LEAVE] = do_leave,
	[OP_ASK] = do_ask,
	[OP_DROP] = do_drop,
	[OP_KMSG] = do_kmsg,
	[OP_NETLINK] = netlink_send,
	[OP_LISTEN] = do_listen,
	[OP_FORK] = do_fork,
	[OP_HOTPLUG] = do_hotplug,
};

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* By the kernel's fault injection: what is allocated, or copied from and to us. */
static void fail_set(unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth), tries = 2;

	/* One that is still to come may be this one's. */
	while (pwrite(fail_nth, text, len, 0) != len && --tries)
		;
	if (!tries)
		err(2, "fail-nth");
}

static void timed_call(const struct call *call)
{
	uint64_t took = now_ns();

	/*
	 * What a signal's handler returns to is copied as well; a CPU that does not come
	 * back is no finding of ours.
	 */
	failing = call->fail && call->op != OP_WAIT && call->op != OP_HOTPLUG;
	if (failing)
		fail_set(call->fail);
	doing[call->op](call);
	if (failing)
		fail_set(0);
	took = now_ns() - took;
	__atomic_add_fetch(&shared->made[call->op], 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&shared->took_ns[call->op], took, __ATOMIC_RELAXED);
	if (call->op == OP_NETLINK) {
		__atomic_add_fetch(&shared->requested[call->a % 64], 1, __ATOMIC_RELAXED);
		__atomic_add_fetch(&shared->request_took_ns[call->a % 64], took,
				   __ATOMIC_RELAXED);
	}
}

void execute(const struct program *program, void (*behind)(void))
{
	uint64_t none = 0;
	uint32_t i;

	become(program->role);
	for (i = 0; i < program->nr; i++) {
		timed_call(&program->call[i]);
		behind();
	}
	__atomic_add_fetch(&shared->calls, program->nr, __ATOMIC_RELAXED);
	ioctl(DEVICE_FD(0), OBSRING_IOC_CONTEXT, &none);
	for (i = 0; i < 4; i++)
		unmap(&maps[i]);
	for (i = 0; i < 2; i++)
		unmap(&joined[i]);
	close_range(DEVICE_FD(0), SERVICE_FD(1), 0);
	become(ROLE_ROOT);
	netlink_end(program);
	behind();
}
