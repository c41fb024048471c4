/* SPDX-License-Identifier: MIT */
/* A command that runs in our place: its signals, its end, what it took. */
#ifndef OBSRINGCTL_CHILD_H
#define OBSRINGCTL_CHILD_H

#include <sys/resource.h>

/* Where env(1) and timeout(1) have them. */
#define CHILD_NOT_STARTED	125	/* no process for it */
#define CHILD_NOT_EXECUTABLE	126
#define CHILD_NOT_FOUND		127
#define CHILD_SIGNALLED		128	/* and the signal's number */

/*
 * Run @argv with the signals, files and dispositions that we were started with, and
 * wait for its end: its exit status, or one of the above. *ret_usage has what it and
 * what it waited for have used. Signals that a process sends us go to it; those of
 * the terminal it gets itself.
 */
int child_run(char **argv, struct rusage *ret_usage);

#endif /* OBSRINGCTL_CHILD_H */
