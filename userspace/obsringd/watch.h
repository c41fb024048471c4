/* SPDX-License-Identifier: MIT */
/*
 * What the main thread waits for: the signals that end the daemon or have it read
 * its configuration again, a device that hangs up, and a device that comes, goes
 * or changes its rights.
 */
#ifndef OBSRINGD_WATCH_H
#define OBSRINGD_WATCH_H

#include <limits.h>
#include <stdbool.h>

#include "collect.h"

struct watch {
	int epoll;
	int signals;
	int end;
	int inotify;
	void (*reload)(void *context);
	void *context;
	char name[NAME_MAX + 1];	/* of the device in its directory */
};

/*
 * Block SIGTERM, SIGINT and SIGHUP, in the threads that are made later too, and
 * wait for them here; @reload is called at SIGHUP. -errno.
 */
int watch_init(struct watch *watch, void (*reload)(void *context), void *context);

/* @watch may be zeroed, or half built. */
void watch_exit(struct watch *watch);

/* Watch the directory of @path. -errno: its return is then seen by scrapes. */
int watch_path(struct watch *watch, const char *path);

/* Serve @collector until a signal ends it: its number; 0: watch_end(). */
int watch_run(struct watch *watch, struct collector *collector);

/* From any thread: watch_run() returns. */
void watch_end(struct watch *watch);

#endif /* OBSRINGD_WATCH_H */
