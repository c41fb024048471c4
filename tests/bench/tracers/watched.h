/* SPDX-License-Identifier: MIT */
/* The program that a tracer watches, as the loaders beside this start it. */
#ifndef TRACERS_WATCHED_H
#define TRACERS_WATCHED_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static inline void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

/* Runs it to its end. */
static inline void watched_run(char **argv)
{
	pid_t child = fork();
	int status;

	if (!child) {
		execv(argv[0], argv);
		perror(argv[0]);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0 || status)
		die("%s failed", argv[0]);
}

/* How much the tracer has to have seen of it. */
static inline void watched_seen(const char *way, unsigned long long seen, const char *least)
{
	if (seen < strtoull(least, NULL, 0))
		die("%s: saw %llu of %s events", way, seen, least);
}

#endif
