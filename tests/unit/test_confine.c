// SPDX-License-Identifier: MIT
/* The filter of system calls, in a child: what is refused, what kills, what is let through. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "obsringd/confine.h"

/* The child ends with what @fn returns; its status as wait(2) has it. */
static int confined(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid)
		_exit(confine(false, false, false) ? 200 : fn());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static int exit_of(int (*fn)(void))
{
	int status = confined(fn);

	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define REFUSED(call) (syscall call == -1 && errno == EPERM)

/* The number of the first that is not refused, else 0. */
static int try_refused(void)
{
	char stack[64];

	if (!REFUSED((SYS_openat, AT_FDCWD, "/dev/null", O_WRONLY)))
		return 1;
	if (!REFUSED((SYS_openat, AT_FDCWD, "/tmp/x", O_RDONLY | O_CREAT, 0600)))
		return 2;
	if (!REFUSED((SYS_socket, AF_INET, SOCK_STREAM, 0)))
		return 3;
	if (!REFUSED((SYS_socket, AF_NETLINK, SOCK_RAW, 0)))
		return 4;
	if (!REFUSED((SYS_connect, 0, stack, 16)))
		return 5;
	if (!REFUSED((SYS_mmap, NULL, 4096, PROT_READ | PROT_EXEC,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)))
		return 6;
	if (!REFUSED((SYS_mprotect, stack, 1, PROT_READ | PROT_WRITE | PROT_EXEC)))
		return 7;
	if (!REFUSED((SYS_clone, SIGCHLD, NULL, NULL, NULL, 0)))
		return 8;
	if (!REFUSED((SYS_unlinkat, AT_FDCWD, "/tmp/x", 0)))
		return 9;
	if (!REFUSED((SYS_ioctl, 0, TIOCSTI, "x")))
		return 10;
	if (!REFUSED((SYS_kill, 1, 0)))
		return 11;
	if (!REFUSED((SYS_bind, 0, stack, 16)))
		return 12;
	if (!REFUSED((SYS_prlimit64, 0, 7, stack, NULL)))
		return 13;
	if (!REFUSED((SYS_prctl, 22, 0, 0, 0, 0)))
		return 14;
	if (syscall(SYS_clone3, stack, sizeof(stack)) != -1 || errno != ENOSYS)
		return 15;
	return 0;
}

static void test_refused(void **state)
{
	(void)state;
	assert_int_equal(exit_of(try_refused), 0);
}

static void *nothing(void *arg)
{
	return arg;
}

static int try_allowed(void)
{
	pthread_t thread;
	char byte;
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, &byte, 1) != 1 || close(fd))
		return 1;
	if (pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL))
		return 2;
	if (socket(AF_UNIX, SOCK_DGRAM, 0) < 0)
		return 3;
	if (mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
	    MAP_FAILED)
		return 4;
	return 0;
}

static void test_allowed(void **state)
{
	(void)state;
	assert_int_equal(exit_of(try_allowed), 0);
}

/* What a hosted segment takes, and no more. */
static void test_updates(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (!pid) {
		if (confine(false, true, false))
			_exit(200);
		if (syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR) < 0)
			_exit(1);
		if (!REFUSED((SYS_openat, AT_FDCWD, "/dev/null", O_WRONLY)))
			_exit(2);
		_exit(REFUSED((SYS_openat, AT_FDCWD, "/tmp/x", O_RDWR | O_CREAT, 0600)) ?
		      0 : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* What it takes to log to the device, and no more. */
static void test_appends(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (!pid) {
		if (confine(false, false, true))
			_exit(200);
		if (syscall(SYS_openat, AT_FDCWD, "/dev/null", O_WRONLY | O_APPEND) < 0)
			_exit(1);
		if (!REFUSED((SYS_openat, AT_FDCWD, "/dev/null", O_WRONLY)))
			_exit(2);
		if (!REFUSED((SYS_openat, AT_FDCWD, "/dev/null", O_RDWR | O_APPEND)))
			_exit(3);
		_exit(REFUSED((SYS_openat, AT_FDCWD, "/tmp/x",
			       O_WRONLY | O_APPEND | O_CREAT, 0600)) ? 0 : 4);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int try_exec(void)
{
	char *const none[] = { NULL };

	return syscall(SYS_execve, "/bin/true", none, none) ? 1 : 2;
}

static int try_ptrace(void)
{
	return syscall(SYS_ptrace, 0, 0, 0, 0) ? 1 : 2;
}

static void test_deadly(void **state)
{
	int (*const tried[])(void) = { try_exec, try_ptrace };
	size_t i;
	int status;

	(void)state;
	for (i = 0; i < sizeof(tried) / sizeof(tried[0]); i++) {
		status = confined(tried[i]);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGSYS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_allowed),
		cmocka_unit_test(test_updates),
		cmocka_unit_test(test_appends),
		cmocka_unit_test(test_deadly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
