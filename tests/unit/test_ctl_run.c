// SPDX-License-Identifier: MIT
/*
 * obsringctl run: the command's status, signals and descriptors are as without it, even
 * where nothing can be recorded.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl.h"
#include "obsringctl/child.h"

/* A device that is not there: the command runs, and a line says what is missing. */
#define RUN	"--device /nonexistent run --service job -- "
#define IGNORING "env --ignore-signal="
#define UNRECORDED \
	"obsringctl: nothing is recorded of this run: cannot attach to service \"job\": " \
	"no such device: the obsring module is not loaded\n"

static const struct {
	const char *command;
	int status;
	const char *output;
} commands[] = {
	{ "true", 0, "" },
	{ "sh -c 'exit 3'", 3, "" },
	{ "sh -c 'exit 255'", 255, "" },
	{ "sh -c 'kill -KILL $$'", 128 + 9, "" },
	{ "sh -c 'kill -TERM $$'", 128 + 15, "" },
	{ "/nonexistent/command", 127,
	  "obsringctl: cannot run /nonexistent/command: No such file or directory\n" },
	{ "/etc/passwd", 126, "obsringctl: cannot run /etc/passwd: Permission denied\n" },
	{ "echo --json -- --service x", 0, "--json -- --service x\n" },
	{ "-- true", 127, "obsringctl: cannot run --: No such file or directory\n" },
	/* A child that others left behind is not waited for. */
	{ "sh -c 'sleep 100 >/dev/null 2>&1 & echo $! ; exit 4' | { read pid; kill $pid; }; "
	  "true", 0, NULL },
	/* What was closed, ignored or blocked is so for the command. */
	{ "sh -c 'ls -l /proc/self/fd/0 2>/dev/null || echo closed' <&-", 0, "closed\n" },
	{ "grep -c 'SigBlk:\t0000000000000000' /proc/self/status", 0, "1\n" },
};

static void test_run(void **state)
{
	char args[512];
	size_t i;
	int r;

	(void)state;
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		snprintf(args, sizeof(args), RUN "%s", commands[i].command);
		r = ctl(args);
		if (r != commands[i].status)
			fail_msg("%s: status %d\n%s", args, r, output);
		if (!commands[i].output)
			continue;
		snprintf(args, sizeof(args), "%s" UNRECORDED, commands[i].output);
		assert_string_equal(output, args);
	}
	/* Options end at the command without "--" as well. */
	assert_int_equal(ctl("--device /nonexistent run --service job sh -c 'exit 5'"), 5);
	/* Nor does a service of an impossible name keep it from running. */
	assert_int_equal(ctl("--device /nonexistent run --service '' -- sh -c 'exit 6'"), 6);
	/* Nobody reads what we have to say: the status is still the command's. */
	assert_int_equal(ctl(RUN "sh -c 'exit 7' 2>&-"), 7);
	assert_int_equal(ctl_redirected(RUN "sh -c 'exit 8'", "2>&1 >/dev/full"), 8);
}

/* Ignored signals stay ignored, SIGCHLD among them, whose status is had all the same. */
static void test_run_ignored(void **state)
{
	(void)state;
	assert_int_equal(system(IGNORING "HUP,CHLD,PIPE " OBJECTS "/bin/obsringctl " RUN
				"grep SigIgn /proc/self/status 2>/dev/null | { read name mask; "
				"[ $((0x$mask & 0x11001)) = $((0x11001)) ]; }"), 0);
	assert_int_equal(WEXITSTATUS(system(IGNORING "CHLD " OBJECTS "/bin/obsringctl " RUN
					    "sh -c 'exit 9' 2>/dev/null")), 9);
}

/* A shell script that says "ready", and when it gets @signo says so and exits with 5. */
static pid_t run_trap(const char *name, int signo, FILE **ret_out)
{
	char script[256];
	int fd[2];
	pid_t pid;

	assert_int_equal(pipe(fd), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		snprintf(script, sizeof(script), "trap 'echo got; exit 5' %s; echo ready; "
			 "while :; do read x <&3 || sleep 0.01; done 3</dev/null", name);
		/* What was ignored when it began, no shell can trap. */
		signal(signo, SIG_DFL);
		dup2(fd[1], STDOUT_FILENO);
		close(fd[0]);
		close(fd[1]);
		freopen("/dev/null", "w", stderr);
		execl(OBJECTS "/bin/obsringctl", "obsringctl", "--device", "/nonexistent",
		      "run", "--service", "job", "--", "sh", "-c", script, NULL);
		_exit(1);
	}
	close(fd[1]);
	*ret_out = fdopen(fd[0], "r");
	return pid;
}

static void test_run_forwards(void **state)
{
	static const struct {
		const char *name;
		int signo;
	} signals[] = {
		{ "HUP", SIGHUP }, { "INT", SIGINT }, { "QUIT", SIGQUIT },
		{ "TERM", SIGTERM }, { "USR1", SIGUSR1 }, { "USR2", SIGUSR2 },
	};
	char line[32];
	int status;
	size_t i;
	pid_t pid;
	FILE *out;

	(void)state;
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		pid = run_trap(signals[i].name, signals[i].signo, &out);
		assert_non_null(fgets(line, sizeof(line), out));
		assert_string_equal(line, "ready\n");
		assert_int_equal(kill(pid, signals[i].signo), 0);
		assert_non_null(fgets(line, sizeof(line), out));
		assert_string_equal(line, "got\n");
		assert_null(fgets(line, sizeof(line), out));
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 5);
		fclose(out);
	}
}

/* Sets a timer as soon as there is something to read. */
static void *timer_set(void *fd)
{
	const struct itimerval soon = { .it_value.tv_usec = 1000 };
	sigset_t all;
	char byte;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	if (read(*(int *)fd, &byte, 1) == 1)
		setitimer(ITIMER_REAL, &soon, NULL);
	return NULL;
}

/* A timer that runs out is meant for the command, though the kernel sends the signal. */
static void test_run_timer(void **state)
{
	char script[] = "trap 'exit 5' ALRM; echo >&9; i=0; "
			"while [ $i -lt 6000 ]; do i=$((i + 1)); sleep 0.01; done";
	char *command[] = { "sh", "-c", script, NULL };
	struct rusage usage;
	int fd[2], status;
	pthread_t thread;
	pid_t pid;

	(void)state;
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		if (pipe(fd) || dup2(fd[1], 9) < 0 ||
		    pthread_create(&thread, NULL, timer_set, &fd[0]))
			_exit(1);
		_exit(child_run(command, &usage));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_run_ignored),
		cmocka_unit_test(test_run_forwards),
		cmocka_unit_test(test_run_timer),
	};

	return cmocka_run_group_tests_name("obsringctl run", tests, NULL, NULL);
}
