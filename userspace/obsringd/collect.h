/* SPDX-License-Identifier: MIT */
/*
 * The device's life in the daemon: opened when it is there, closed at once
 * when the module drains (an open or mapped device can't be unloaded) or was
 * replaced, opened again when it is back. Each change of state is logged once.
 */
#ifndef OBSRINGD_COLLECT_H
#define OBSRINGD_COLLECT_H

#include <pthread.h>
#include <stdbool.h>

#include <obsring.h>

#define COLLECT_REASON_MAX 512

struct collector {
	pthread_mutex_t lock;	/* guards all below */
	const char *path;
	int epoll;
	struct obs_device *device;	/* NULL: closed */
	struct obs_snapshot *snapshot;
	uint64_t epoch;		/* counts openings */
	int told;		/* what the log said last: 1 open, -errno why not */
};

/*
 * While the device is open, @epoll has it under the key @collector: hand what
 * it reports to collector_hangup(). @path is kept.
 */
void collector_init(struct collector *collector, const char *path, int epoll);
void collector_exit(struct collector *collector);

/*
 * Read the device, opening it if it is closed. 0: until collector_end() its
 * snapshot is the caller's alone; plans made from it hold while epoch and
 * generation are the same. -errno: @reason says why, and nothing is held.
 */
int collector_begin(struct collector *collector, char reason[COLLECT_REASON_MAX]);
void collector_end(struct collector *collector);

/* Is the device open, or can it be opened and read, and not draining? As above. */
int collector_ready(struct collector *collector, char reason[COLLECT_REASON_MAX]);

/*
 * A descriptor of the open device, to be closed soon: it keeps the module from being
 * unloaded. -ENODEV: it is closed; -errno.
 */
int collector_dup(struct collector *collector);

/* Something happened to the path: open, or close what it no longer names. */
void collector_check(struct collector *collector);

/* The open device hung up: the module is draining. */
void collector_hangup(struct collector *collector);

#endif /* OBSRINGD_COLLECT_H */
