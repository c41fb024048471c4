/* SPDX-License-Identifier: MIT */
/* Doing something as somebody else, in a child process; where, and how it goes on. */
#ifndef SELFTEST_USER_H
#define SELFTEST_USER_H

#include <stdbool.h>
#include <sys/types.h>

#define NOBODY	65534

/* Run @fn in a child: what it returned, which must fit an int; else -EPROTO. */
int child_run(int (*fn)(void *arg), void *arg);

/* The same as nobody, with no capability; in group @group unless it is 0. */
int nobody_run(unsigned int group, int (*fn)(void *arg), void *arg);

/* The same as nobody with the one capability @cap (CAP_...). */
int capable_run(int cap, int (*fn)(void *arg), void *arg);

/*
 * The same as root of new namespaces, @flags (CLONE_NEW...) besides the user
 * namespace: all capabilities there, none here. -EOPNOTSUPP without them.
 */
int namespace_run(int flags, int (*fn)(void *arg), void *arg);

/* 0 or -errno. */
int stay_on_cpu(unsigned int cpu);

/* Does a process sleep in a system call of that number? */
bool sleeps_in_call(pid_t pid, long number);

/* Wait for the end of a child: its exit status, or -1. */
int end_of(pid_t pid);

/* This process and a child hand a byte to and fro, so many times: both sleep for each. */
bool hand_over(unsigned int nr);

#endif /* SELFTEST_USER_H */
