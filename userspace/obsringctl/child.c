// SPDX-License-Identifier: MIT
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"

/*
 * Who asks us to stop, or tells us something, means the command; so does a timer that
 * was set before we were started. Some the terminal sends to its whole foreground
 * group, in which the command is.
 */
static const struct {
	int signo;
	bool terminal;
} forwarded[] = {
	{ SIGHUP, true }, { SIGINT, true }, { SIGQUIT, true }, { SIGWINCH, true },
	{ SIGTERM, false }, { SIGALRM, false }, { SIGUSR1, false }, { SIGUSR2, false },
};

#define NR_FORWARDED	(sizeof(forwarded) / sizeof(forwarded[0]))

/* As we were started: what the command shall find. */
struct before {
	sigset_t mask;
	struct sigaction child, pipe;
};

static void waited_for(sigset_t *set)
{
	size_t i;

	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	for (i = 0; i < NR_FORWARDED; i++)
		sigaddset(set, forwarded[i].signo);
}

/*
 * Where SIGCHLD is ignored there is no status to wait for. A broken pipe must not end
 * us before the command.
 */
static void signals_hold(struct before *before)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t set;

	waited_for(&set);
	sigprocmask(SIG_BLOCK, &set, &before->mask);
	sigaction(SIGCHLD, &action, &before->child);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, &before->pipe);
}

static void signals_restore(const struct before *before)
{
	sigaction(SIGCHLD, &before->child, NULL);
	sigaction(SIGPIPE, &before->pipe, NULL);
	sigprocmask(SIG_SETMASK, &before->mask, NULL);
}

static _Noreturn void become(char **argv, const struct before *before)
{
	int error;

	signals_restore(before);
	execvp(argv[0], argv);
	error = errno;
	fprintf(stderr, "obsringctl: cannot run %s: %s\n", argv[0], strerror(error));
	_exit(error == ENOENT ? CHILD_NOT_FOUND : CHILD_NOT_EXECUTABLE);
}

static bool from_terminal(const siginfo_t *info)
{
	size_t i;

	for (i = 0; i < NR_FORWARDED; i++)
		if (forwarded[i].signo == info->si_signo)
			return forwarded[i].terminal && info->si_code == SI_KERNEL;
	return false;
}

/* What the command sends to its group, it has had. */
static void forward(pid_t child, const siginfo_t *info)
{
	if (!from_terminal(info) && (info->si_code > 0 || info->si_pid != child))
		kill(child, info->si_signo);
}

/* Until it is gone: wait(2)'s status. */
static int await(pid_t child, struct rusage *usage)
{
	siginfo_t info;
	sigset_t set;
	int status;

	waited_for(&set);
	for (;;) {
		if (wait4(child, &status, WNOHANG, usage) == child)
			return status;
		if (sigwaitinfo(&set, &info) > 0 && info.si_signo != SIGCHLD)
			forward(child, &info);
	}
}

int child_run(char **argv, struct rusage *ret_usage)
{
	struct before before;
	pid_t child;
	int status;

	fflush(NULL);
	signals_hold(&before);
	child = fork();
	if (!child)
		become(argv, &before);
	if (child < 0) {
		fprintf(stderr, "obsringctl: cannot run %s: %s\n", argv[0],
			strerror(errno));
		return CHILD_NOT_STARTED;
	}
	status = await(child, ret_usage);
	return WIFSIGNALED(status) ? CHILD_SIGNALLED + WTERMSIG(status) :
				     WEXITSTATUS(status);
}
