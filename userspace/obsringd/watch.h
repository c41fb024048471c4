/* SPDX-License-Identifier: MIT */
/*
 * What the main thread waits for: the signals that end the daemon or have it read
 * its configuration again, a device that hangs up, a device that comes, goes or
 * changes its rights, and configuration files that change.
 */
#ifndef OBSRINGD_WATCH_H
#define OBSRINGD_WATCH_H

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "collect.h"

#define WATCH_FILES_MAX 8

struct watch_calls {
	void *context;
	void (*reload)(void *context);		/* SIGHUP */
	void (*poked)(void *context);		/* watch_poke() */
	void (*timed)(void *context);		/* watch_time() */
	/*
	 * Nothing more has happened for a moment where configuration files
	 * are. @named: and it happened to one of them by name.
	 */
	void (*changed)(void *context, bool named);
};

struct watch {
	struct watch_calls calls;
	int epoll;
	int signals;
	int poke;
	int timer;
	atomic_bool ending;
	int inotify;
	char name[NAME_MAX + 1];	/* of the device in its directory */
	char file[WATCH_FILES_MAX][NAME_MAX + 1];	/* of configuration */
	int file_directory[WATCH_FILES_MAX];		/* inotify's number, or -errno */
	unsigned int nr_files;
	bool pending, named;		/* something happened to them */
	uint64_t first_ms, last_ms;	/* and when */
};

/*
 * Block SIGTERM, SIGINT and SIGHUP, in the threads that are made later too, and
 * wait for them here. -errno.
 */
int watch_init(struct watch *watch, const struct watch_calls *calls);

/* @watch may be zeroed, or half built. */
void watch_exit(struct watch *watch);

/* Watch the directory of @path. -errno: its return is then seen by scrapes. */
int watch_path(struct watch *watch, const char *path);

/*
 * Configuration files from now on: their directories are watched, and they are
 * looked at every half a minute, for file systems that tell nothing.
 */
void watch_files(struct watch *watch, const char (*path)[PATH_MAX], unsigned int nr);

/* Serve @collector until a signal ends it: its number; 0: watch_end(). */
int watch_run(struct watch *watch, struct collector *collector);

/* From any thread: watch_run() returns. */
void watch_end(struct watch *watch);

/* From any thread: poked() is called, in watch_run()'s. */
void watch_poke(struct watch *watch);

/* From any thread: timed() is called in @ns, in watch_run()'s. */
void watch_time(struct watch *watch, uint64_t ns);

#endif /* OBSRINGD_WATCH_H */
