/* SPDX-License-Identifier: MIT */
/*
 * What the main thread waits for: the signals that end the daemon, a device
 * that hangs up, and a device that comes, goes or changes its rights.
 */
#ifndef OBSRINGD_WATCH_H
#define OBSRINGD_WATCH_H

#include <limits.h>
#include <stdbool.h>

#include "collect.h"

struct watch {
	int epoll;
	int signals;
	int inotify;
	char name[NAME_MAX + 1];	/* of the device in its directory */
};

/*
 * Block SIGTERM and SIGINT, in the threads that are made later too, and wait
 * for them here. -errno.
 */
int watch_init(struct watch *watch);
void watch_exit(struct watch *watch);

/* Watch the directory of @path. -errno: its return is then seen by scrapes. */
int watch_path(struct watch *watch, const char *path);

/* Serve @collector until a signal ends it; the signal's number. */
int watch_run(struct watch *watch, struct collector *collector);

#endif /* OBSRINGD_WATCH_H */
