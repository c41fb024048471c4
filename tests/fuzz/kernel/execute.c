// SPDX-License-Identifier: MIT
/*
 * Runs a program: as whom, with which fault in which call. What calls do is in device.c,
 * mapping.c, service.c and netlink.c. Descriptors have fixed numbers, so that bytes in a
 * program can name them; all of a program's are closed behind it.
 */
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <linux/obsring.h>

#include "execute.h"

#define STACK_BYTES	(512 << 10)
#define GROUP_OBSRING	978	/* the guest's */

uint8_t *low;
struct obsring_context *context;
bool failing;
struct kcov *child_kcov;

static int fail_nth;		/* this process' */

static void on_alarm(int number)
{
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
	struct sigaction alarm = { .sa_handler = on_alarm };
	unsigned int role;

	child_kcov = child;
	stack_grow();
	fail_nth = open("/proc/thread-self/fail-nth", O_WRONLY | O_CLOEXEC);
	if (fail_nth < 0)
		err(2, "fail-nth");
	sigaction(SIGALRM, &alarm, NULL);
	mapping_begin();
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
void *data_of(const struct call *call)
{
	if (call->flags & CALL_FAULT)
		return low + LOW_BYTES - (call->size > 8 ? 8 : 0);
	memcpy(low, call->data, call->size);
	return low;
}

void give(int from, int to)
{
	if (from < 0)
		return;
	dup3(from, to, O_CLOEXEC);
	close(from);
}

/* Root alone: some other user, for one call. Each has limits of its own. */
void as_other(uid_t real, uid_t effective)
{
	int tries = 2;

	/* The call's fault may be this one's. */
	while (syscall(SYS_setresuid, real, effective, 0) && --tries)
		;
	if (!tries)
		err(2, "setresuid");
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
	[OP_NETLINK] = do_request,
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
	unsigned int kind = call_kind(call);
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
	__atomic_add_fetch(&shared->made[kind], 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&shared->took_ns[kind], took, __ATOMIC_RELAXED);
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
	mapping_end();
	close_range(DEVICE_FD(0), SERVICE_FD(1), 0);
	become(ROLE_ROOT);
	netlink_end(program);
	behind();
}
