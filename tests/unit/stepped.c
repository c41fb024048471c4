// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ucontext.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "stepped.h"

#define TRAP_FLAG	0x100	/* of x86's flags: a trap behind each instruction */

void require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

/* A private mapping, with a descriptor whose locks are its own. */
struct obs_segment *segment_of(int fd)
{
	struct obs_segment *segment = NULL;
	char path[32];
	int own;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, O_RDWR | O_CLOEXEC);
	require(own >= 0 && !obs_segment_new_private(own, &segment), "map a segment");
	close(own);
	return segment;
}

/* A file of that content. */
int image_fd(const uint8_t *image, uint64_t bytes)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	require(fd >= 0 && write(fd, image, bytes) == (ssize_t)bytes, "write an image");
	return fd;
}

#ifdef __x86_64__

/* In the child: what it may not write, and whom it tells. */
static struct {
	struct obs_segment *segment;
	int tell, answer;
} stepped;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	uint8_t *at = info->si_addr, *base = stepped.segment->base;
	ucontext_t *c = context;

	(void)signal;
	if (at < base || at >= base + stepped.segment->bytes)
		abort();
	mprotect(base, stepped.segment->bytes, PROT_READ | PROT_WRITE);
	c->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void on_step(int signal, siginfo_t *info, void *context)
{
	ucontext_t *c = context;
	char byte = 0;

	(void)signal;
	(void)info;
	c->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
	mprotect(stepped.segment->base, stepped.segment->bytes, PROT_READ);
	if (write(stepped.tell, &byte, 1) != 1 || read(stepped.answer, &byte, 1) != 1)
		_exit(2);
}

static void child(int fd, void (*run)(struct obs_segment *segment), int tell, int answer)
{
	const struct sigaction fault = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	const struct sigaction step = { .sa_sigaction = on_step, .sa_flags = SA_SIGINFO };
	struct obs_segment *segment = segment_of(fd);

	stepped.segment = segment;
	stepped.tell = tell;
	stepped.answer = answer;
	sigaction(SIGSEGV, &fault, NULL);
	sigaction(SIGTRAP, &step, NULL);
	mprotect(segment->base, segment->bytes, PROT_READ);
	run(segment);
	_exit(0);
}

/* All that a kill at one instruction or another can leave: how many images. */
unsigned int steps_check(int fd, void (*run)(struct obs_segment *segment),
			 void (*check)(const void *arg), const void *arg)
{
	int told[2], answer[2], status;
	unsigned int images = 0;
	char byte;
	pid_t pid;

	require(!pipe2(told, O_CLOEXEC) && !pipe2(answer, O_CLOEXEC), "pipe");
	pid = fork();
	require(pid >= 0, "fork");
	if (!pid) {
		close(told[0]);
		close(answer[1]);
		child(fd, run, told[1], answer[0]);
	}
	close(told[1]);
	while (read(told[0], &byte, 1) == 1) {
		check(arg);
		images++;
		require(write(answer[1], &byte, 1) == 1, "write");
	}
	require(waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
		!WEXITSTATUS(status), "the child failed");
	close(told[0]);
	close(answer[0]);
	close(answer[1]);
	print_message("%u images\n", images);
	return images;
}

#else

unsigned int steps_check(int fd, void (*run)(struct obs_segment *segment),
			 void (*check)(const void *arg), const void *arg)
{
	(void)fd;
	(void)run;
	(void)check;
	(void)arg;
	print_message("skipped: no process can step itself here\n");
	skip();
	return 0;
}

#endif
