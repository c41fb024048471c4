// SPDX-License-Identifier: MIT
#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/capability.h>

#include "file.h"
#include "user.h"

struct job {
	int (*fn)(void *arg);
	void *arg;
	unsigned int group;
	int cap;
	int flags;
};

int child_run(int (*fn)(void *arg), void *arg)
{
	int pipefd[2], r = -EPROTO;
	pid_t pid;

	if (pipe(pipefd))
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		r = fn(arg);
		_exit(write(pipefd[1], &r, sizeof(r)) != sizeof(r));
	}
	close(pipefd[1]);
	if (read(pipefd[0], &r, sizeof(r)) != sizeof(r))
		r = -EPROTO;
	close(pipefd[0]);
	waitpid(pid, NULL, 0);
	return r;
}

static int become_nobody(unsigned int group)
{
	gid_t gid = group;

	if (setgroups(group ? 1 : 0, &gid) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		return -EPROTO;
	return 0;
}

static int nobody_job(void *arg)
{
	struct job *job = arg;

	return become_nobody(job->group) ?: job->fn(job->arg);
}

int nobody_run(unsigned int group, int (*fn)(void *arg), void *arg)
{
	struct job job = { .fn = fn, .arg = arg, .group = group };

	return child_run(nobody_job, &job);
}

static int capability_only(int cap)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	data[cap / 32].effective = 1U << (cap % 32);
	data[cap / 32].permitted = data[cap / 32].effective;
	return syscall(SYS_capset, &head, data) ? -EPROTO : 0;
}

static int capable_job(void *arg)
{
	struct job *job = arg;

	if (prctl(PR_SET_KEEPCAPS, 1) || become_nobody(0) ||
	    capability_only(job->cap))
		return -EPROTO;
	return job->fn(job->arg);
}

int capable_run(int cap, int (*fn)(void *arg), void *arg)
{
	struct job job = { .fn = fn, .arg = arg, .cap = cap };

	return child_run(capable_job, &job);
}

static int namespace_job(void *arg)
{
	struct job *job = arg;

	if (unshare(CLONE_NEWUSER | job->flags))
		return -EOPNOTSUPP;
	return job->fn(job->arg);
}

int namespace_run(int flags, int (*fn)(void *arg), void *arg)
{
	struct job job = { .fn = fn, .arg = arg, .flags = flags };

	return child_run(namespace_job, &job);
}

int stay_on_cpu(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

bool sleeps_in_call(pid_t pid, long number)
{
	char path[64], text[256];

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	return file_read(path, text, sizeof(text)) > 0 && text[0] != 'r' &&
	       strtol(text, NULL, 0) == number;
}

int end_of(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ?
	       WEXITSTATUS(status) : -1;
}

bool hand_over(unsigned int nr)
{
	int to[2], fro[2];
	char byte = 0;
	pid_t pid;

	if (pipe(to) || pipe(fro))
		return false;
	pid = fork();
	if (!pid) {
		close(to[1]);
		while (read(to[0], &byte, 1) == 1)
			if (write(fro[1], &byte, 1) != 1)
				break;
		_exit(0);
	}
	close(to[0]);
	while (nr--)
		if (write(to[1], &byte, 1) != 1 || read(fro[0], &byte, 1) != 1)
			return false;
	close(to[1]);
	return waitpid(pid, NULL, 0) == pid && !close(fro[0]) && !close(fro[1]);
}
