// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "failnth.h"
#include "file.h"

#define DEBUG	"/sys/kernel/debug/"
#define STACK_BYTES	65536

static int nth_fd = -1;
static unsigned int armed;

/* Allocations that may sleep are spared unless one asks: ours all may. */
static const char *const settings[][2] = {
	{ DEBUG "failslab/ignore-gfp-wait", "N" },
	{ DEBUG "fail_page_alloc/ignore-gfp-wait", "N" },
	{ DEBUG "fail_page_alloc/ignore-gfp-highmem", "N" },
	{ DEBUG "fail_page_alloc/min-order", "0" },
};

/* Each would print a stack, thousands of them: 2 shows where the last one was. */
static const char *const verbose[] = {
	DEBUG "failslab/verbose", DEBUG "fail_page_alloc/verbose",
	DEBUG "fail_usercopy/verbose", DEBUG "fail_function/verbose",
};

static const char *verbosity(void)
{
	return getenv("OBSRING_FAULT_VERBOSE") ?: "0";
}

/*
 * A page of ours that is not there yet, or not ours alone since a fork, would be a point
 * too. What is mapped later is no concern of this: the heap stays as large as it was.
 */
static bool memory_touch(void)
{
	volatile char stack[STACK_BYTES];
	size_t i;

	for (i = 0; i < sizeof(stack); i += 4096)
		stack[i] = 0;
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	return !mlockall(MCL_CURRENT);
}

/*
 * Whoever was preempted has its restartable sequence looked at on its way back: a copy
 * that fails there ends the process, whatever it asked for.
 */
static void rseq_leave(void)
{
	char *thread = __builtin_thread_pointer();

	if (__rseq_size)
		syscall(SYS_rseq, thread + __rseq_offset, 32, RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
}

const char *faults_missing(void)
{
	unsigned int i;

	if (access("/proc/self/fail-nth", W_OK))
		return "this kernel injects no faults (CONFIG_FAULT_INJECTION)";
	for (i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (file_write(settings[i][0], settings[i][1]))
			return "this kernel lacks CONFIG_FAILSLAB or CONFIG_FAIL_PAGE_ALLOC";
	for (i = 0; i < sizeof(verbose) / sizeof(verbose[0]); i++)
		if (file_write(verbose[i], verbosity()))
			return "this kernel lacks CONFIG_FAULT_INJECTION_USERCOPY or CONFIG_FAIL_FUNCTION";
	rseq_leave();
	return memory_touch() ? NULL : "memory can't be locked";
}

static void nth_write(unsigned int nth)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", nth);

	/* Copies the number from here: that is a point as well, if one is armed. */
	while (pwrite(nth_fd, text, (size_t)len, 0) < 0 && errno == EFAULT)
		;
}

void fault_arm(unsigned int nth)
{
	/* That of this task, which may have been forked. */
	nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	armed = nth;
	nth_write(nth);
}

struct fault fault_disarm(void)
{
	struct fault fault = { 0 };
	unsigned int left = 1;
	char text[16] = "";

	/* Of the last point that is left this read is the one that meets it. */
	if (pread(nth_fd, text, sizeof(text) - 1, 0) > 0)
		left = (unsigned int)strtoul(text, NULL, 10);
	nth_write(0);
	close(nth_fd);
	fault.points = armed - left;
	fault.hit = !left;
	return fault;
}

int fault_function(const char *function, const char *value)
{
	char path[128];
	int r;

	if (!function)
		return file_write(DEBUG "fail_function/inject", " ");	/* all of them */
	snprintf(path, sizeof(path), DEBUG "fail_function/%s/retval", function);
	r = file_write(DEBUG "fail_function/inject", function);
	return r ? r : file_write(path, value);
}

/* ---- Workers ------------------------------------------------------------- */

/* Those that were armed: the kernel may make others meanwhile, which fail at nothing. */
static char worker[256][32];
static unsigned int nr_workers;

static bool is_worker(const char *pid)
{
	char path[64], text[64];

	snprintf(path, sizeof(path), "/proc/%.16s/comm", pid);
	return file_read(path, text, sizeof(text)) > 0 && !strncmp(text, "kworker/", 8);
}

void fault_arm_workers(unsigned int nth)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	char text[16];

	armed = nth;
	nr_workers = 0;
	snprintf(text, sizeof(text), "%u", nth);
	while (proc && (entry = readdir(proc)) && nr_workers < 256) {
		if (!isdigit((unsigned char)entry->d_name[0]) || !is_worker(entry->d_name))
			continue;
		snprintf(worker[nr_workers], sizeof(worker[0]), "/proc/%.16s/fail-nth",
			 entry->d_name);
		if (!file_write(worker[nr_workers], text))
			nr_workers++;
	}
	if (proc)
		closedir(proc);
}

static bool worker_left(unsigned int i, unsigned int *ret_left)
{
	char text[16];

	if (file_read(worker[i], text, sizeof(text)) <= 0)
		return false;
	*ret_left = (unsigned int)strtoul(text, NULL, 10);
	return true;
}

bool fault_workers_hit(void)
{
	unsigned int i, left;

	for (i = 0; i < nr_workers; i++)
		if (worker_left(i, &left) && !left)
			return true;
	return false;
}

struct fault fault_disarm_workers(void)
{
	struct fault fault = { 0 };
	unsigned int i, left;

	for (i = 0; i < nr_workers; i++) {
		if (!worker_left(i, &left))
			continue;
		file_write(worker[i], "0");
		fault.points += armed - left;
		fault.hit |= !left;
	}
	return fault;
}
