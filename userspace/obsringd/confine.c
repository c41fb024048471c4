// SPDX-License-Identifier: MIT
#define _GNU_SOURCE	/* CLONE_THREAD */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <linux/obsring.h>

#include "confine.h"

#ifdef __x86_64__
#define ARCH		AUDIT_ARCH_X86_64
#define NUMBERS_END	0x40000000	/* x32's begin */
#elif defined(__aarch64__)
#define ARCH		AUDIT_ARCH_AARCH64
#define NUMBERS_END	0xffffffff
#else
#error "obsring is for x86-64 and arm64"
#endif

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif

/*
 * A call is let through if its argument's lower half, masked, is the value; without
 * a mask, always. One line adds one; a call may have several.
 */
struct rule {
	int number;
	uint32_t mask;
	uint32_t value;
	uint8_t argument;
};

#define ANY(name)			{ SYS_##name, 0, 0, 0 }
#define IF(name, argument, mask, value)	{ SYS_##name, mask, value, argument }
#define EXACTLY				0xffffffff

static const struct rule allowed[] = {
	/* Answers. */
	ANY(futex),
	ANY(recvfrom),
	ANY(sendto),
	ANY(sendmsg),
	ANY(recvmsg),
	ANY(read),
	ANY(readv),
	ANY(pread64),
	ANY(write),
	ANY(writev),
	ANY(close),
	ANY(shutdown),
	ANY(ppoll),
	ANY(epoll_pwait),
	ANY(epoll_ctl),
	ANY(accept4),
	ANY(setsockopt),
	ANY(getsockopt),
	ANY(getsockname),
	ANY(getpeername),
	ANY(sendfile),
	ANY(clock_gettime),
	ANY(gettimeofday),
	ANY(getrandom),
#ifdef __x86_64__
	ANY(poll),
	ANY(epoll_wait),
	ANY(time),
	ANY(getrlimit),
	ANY(readlink),
	ANY(access),
#endif
	/* Memory that is not code. */
	ANY(brk),
	ANY(munmap),
	ANY(madvise),
	ANY(mremap),
	IF(mmap, 2, PROT_EXEC, 0),
	IF(mprotect, 2, PROT_EXEC, 0),
	/* Files, to read. */
	IF(openat, 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY),
	ANY(newfstatat),
	ANY(fstat),
	ANY(statx),
	ANY(lseek),
	ANY(getdents64),
	ANY(readlinkat),
	ANY(faccessat),
	ANY(fcntl),
	ANY(inotify_add_watch),
	ANY(inotify_rm_watch),
	IF(ioctl, 1, EXACTLY, OBSRING_IOC_SEEN),
	IF(ioctl, 1, EXACTLY, OBSRING_IOC_PROCESSES),
	IF(ioctl, 1, EXACTLY, OBSRING_IOC_SLEEPERS),
	IF(ioctl, 1, EXACTLY, FIONBIO),
	IF(ioctl, 1, EXACTLY, FIONREAD),
	IF(ioctl, 1, EXACTLY, TCGETS),
	/* What more threads take, and descriptors of their own. */
	IF(clone, 0, CLONE_THREAD, CLONE_THREAD),
	ANY(set_robust_list),
	ANY(rseq),
	ANY(set_tid_address),
	ANY(exit),
	ANY(exit_group),
	ANY(sched_yield),
	ANY(sched_getaffinity),
	ANY(getcpu),
	ANY(membarrier),
	ANY(setpriority),
	IF(prctl, 0, EXACTLY, PR_SET_NAME),
	IF(prctl, 0, EXACTLY, PR_SET_VMA),
	ANY(eventfd2),
	ANY(epoll_create1),
	ANY(timerfd_create),
	ANY(timerfd_settime),
	ANY(pipe2),
	/* The service manager's socket. */
	IF(socket, 0, EXACTLY, AF_UNIX),
	/* Itself. */
	ANY(getpid),
	ANY(gettid),
	ANY(getuid),
	ANY(geteuid),
	ANY(getgid),
	ANY(getegid),
	ANY(getppid),
	ANY(getrusage),
	ANY(sysinfo),
	ANY(uname),
	IF(prlimit64, 2, EXACTLY, 0),
	ANY(clock_getres),
	ANY(clock_nanosleep),
	ANY(nanosleep),
	ANY(restart_syscall),
	ANY(rt_sigaction),
	ANY(rt_sigprocmask),
	ANY(rt_sigreturn),
	ANY(sigaltstack),
	ANY(tgkill),
};

/* Of a segment that processes host: what is there. */
static const struct rule updating =
	IF(openat, 2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDWR);

/* Records of its own in the device's log. */
static const struct rule appending =
	IF(openat, 2, O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND, O_WRONLY | O_APPEND);

static const int unlinking[] = {
	SYS_unlinkat,
#ifdef __x86_64__
	SYS_unlink,
#endif
};

/* No mistake leads here: who does this is no longer us. */
static const int deadly[] = {
	SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv,
	SYS_process_vm_writev, SYS_bpf, SYS_mount, SYS_init_module,
	SYS_finit_module, SYS_kexec_load, SYS_unshare, SYS_setns,
};

#define NR(array) (sizeof(array) / sizeof((array)[0]))
#define PER_RULE 6
#define FILTER_MAX (16 + PER_RULE * (NR(allowed) + 2) + 2 * (NR(unlinking) + NR(deadly)))

struct filter {
	struct sock_filter code[FILTER_MAX];
	unsigned short len;
};

static void put(struct filter *filter, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	filter->code[filter->len++] = (struct sock_filter){
		.code = code, .jt = yes, .jf = no, .k = k };
}

#define LOAD	(BPF_LD | BPF_W | BPF_ABS)
#define RETURN	(BPF_RET | BPF_K)
#define AND	(BPF_ALU | BPF_AND | BPF_K)
#define EQUAL	(BPF_JMP | BPF_JEQ | BPF_K)
#define ATLEAST	(BPF_JMP | BPF_JGE | BPF_K)

#define DATA(member) offsetof(struct seccomp_data, member)

static void put_call(struct filter *filter, int number, uint32_t action)
{
	put(filter, EQUAL, number, 0, 1);
	put(filter, RETURN, action, 0, 0);
}

/* Both architectures are little-endian: the lower half is first. */
static void put_rule(struct filter *filter, const struct rule *rule)
{
	if (!rule->mask) {
		put_call(filter, rule->number, SECCOMP_RET_ALLOW);
		return;
	}
	put(filter, EQUAL, rule->number, 0, 5);
	put(filter, LOAD, DATA(args) + 8 * rule->argument, 0, 0);
	put(filter, AND, rule->mask, 0, 0);
	put(filter, EQUAL, rule->value, 0, 1);
	put(filter, RETURN, SECCOMP_RET_ALLOW, 0, 0);
	put(filter, LOAD, DATA(nr), 0, 0);
}

static void build(struct filter *filter, bool unlinks, bool updates, bool appends)
{
	unsigned int i;

	filter->len = 0;
	put(filter, LOAD, DATA(arch), 0, 0);
	put(filter, EQUAL, ARCH, 1, 0);
	put(filter, RETURN, SECCOMP_RET_KILL_PROCESS, 0, 0);
	put(filter, LOAD, DATA(nr), 0, 0);
	put(filter, ATLEAST, NUMBERS_END, 0, 1);
	put(filter, RETURN, SECCOMP_RET_KILL_PROCESS, 0, 0);
	for (i = 0; i < NR(allowed); i++)
		put_rule(filter, &allowed[i]);
	if (updates)
		put_rule(filter, &updating);
	if (appends)
		put_rule(filter, &appending);
	for (i = 0; unlinks && i < NR(unlinking); i++)
		put_call(filter, unlinking[i], SECCOMP_RET_ALLOW);
	for (i = 0; i < NR(deadly); i++)
		put_call(filter, deadly[i], SECCOMP_RET_KILL_PROCESS);
	/* Its flags are in memory: libc goes on with clone. */
	put_call(filter, SYS_clone3, SECCOMP_RET_ERRNO | ENOSYS);
	put(filter, RETURN, SECCOMP_RET_ERRNO | EPERM, 0, 0);
}

int confine(bool unlinks, bool updates, bool appends)
{
	struct sock_fprog program;
	struct filter filter;

	build(&filter, unlinks, updates, appends);
	program = (struct sock_fprog){ .len = filter.len, .filter = filter.code };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return -errno;
	return 0;
}
