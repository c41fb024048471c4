/* SPDX-License-Identifier: MIT */
/* Doing something as somebody else, in a child process. */
#ifndef SELFTEST_USER_H
#define SELFTEST_USER_H

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

#endif /* SELFTEST_USER_H */
