// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "collect.h"
#include "lock.h"
#include "log.h"

/* What an errno of the library means for this daemon's reader. */
static const struct {
	int error;
	const char *meaning;
} meanings[] = {
	{ ENOENT, "the obsring module is not loaded" },
	{ ENODEV, "the obsring module is not loaded" },
	{ ENXIO, "the obsring module is not loaded" },
	{ EACCES, "obsringd is not in the device's group" },
	{ EPERM, "the device is not allowed to this service" },
	{ ESHUTDOWN, "the obsring module is being unloaded" },
	{ EPROTO, "not an obsring device, or damaged" },
	{ EPROTONOSUPPORT, "the module and obsringd are of different versions" },
};

static const char *meaning(int error)
{
	size_t i;

	for (i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (meanings[i].error == error)
			return meanings[i].meaning;
	return NULL;
}

static void explain(const struct collector *collector, int r,
		    char reason[COLLECT_REASON_MAX])
{
	const char *more = meaning(-r);

	snprintf(reason, COLLECT_REASON_MAX, "%s: %s%s%s%s", collector->path,
		 strerror(-r), more ? " (" : "", more ? more : "", more ? ")" : "");
}

/* Say it in the log unless that was the last thing said; returns @state. */
static int tell(struct collector *collector, int state)
{
	char reason[COLLECT_REASON_MAX];

	if (state == collector->told)
		return state;
	collector->told = state;
	if (state > 0) {
		log_event(LEVEL_INFO, "device opened", "device", collector->path,
			  NULL);
		return state;
	}
	explain(collector, state, reason);
	log_event(LEVEL_WARN, "device not available, waiting for it", "device",
		  collector->path, "reason", reason, NULL);
	return state;
}

/*
 * A file that holds the layout in place of the device can't be polled (EPERM)
 * and is not unloaded either: there, each scrape sees that it drains.
 */
static void poll_device(struct collector *collector, int op)
{
	struct epoll_event event = { .data.ptr = collector };

	epoll_ctl(collector->epoll, op, obs_device_fd(collector->device), &event);
}

/* Read it once: what is damaged is not open, and not ready. */
static int open_snapshot(struct obs_device *device, struct obs_snapshot **ret_snapshot)
{
	struct obs_snapshot *snapshot;
	int r = obs_snapshot_new(device, &snapshot);

	if (r < 0)
		return r;
	r = obs_snapshot_update(snapshot);
	if (r < 0) {
		obs_snapshot_free(snapshot);
		return r;
	}
	*ret_snapshot = snapshot;
	return 0;
}

static int open_device(struct collector *collector)
{
	struct obs_device *device;
	struct obs_snapshot *snapshot;
	int r;

	if (collector->device)
		return 0;
	r = obs_device_open(collector->path, &device);
	if (r < 0)
		return tell(collector, r);
	r = open_snapshot(device, &snapshot);
	if (r < 0) {
		obs_device_close(device);
		return tell(collector, r);
	}
	collector->device = device;
	collector->snapshot = snapshot;
	collector->epoch++;
	poll_device(collector, EPOLL_CTL_ADD);
	tell(collector, 1);
	return 0;
}

static void close_device(struct collector *collector)
{
	if (!collector->device)
		return;
	poll_device(collector, EPOLL_CTL_DEL);
	obs_snapshot_free(collector->snapshot);
	obs_device_close(collector->device);
	collector->snapshot = NULL;
	collector->device = NULL;
}

static int ensure_open(struct collector *collector)
{
	if (collector->device && obs_device_draining(collector->device))
		close_device(collector);
	return open_device(collector);
}

static int read_device(struct collector *collector)
{
	int r = ensure_open(collector);

	if (r < 0)
		return r;
	r = obs_snapshot_update(collector->snapshot);
	if (r >= 0)
		return 0;
	if (r != -ENOMEM)
		close_device(collector);
	return tell(collector, r);
}

void collector_init(struct collector *collector, const char *path, int epoll)
{
	*collector = (struct collector){ .path = path, .epoll = epoll };
	lock_init(&collector->lock);
}

void collector_exit(struct collector *collector)
{
	close_device(collector);
	pthread_mutex_destroy(&collector->lock);
}

int collector_begin(struct collector *collector, char reason[COLLECT_REASON_MAX])
{
	int r;

	pthread_mutex_lock(&collector->lock);
	r = read_device(collector);
	if (!r)
		return 0;
	explain(collector, r, reason);
	pthread_mutex_unlock(&collector->lock);
	return r;
}

void collector_end(struct collector *collector)
{
	pthread_mutex_unlock(&collector->lock);
}

int collector_ready(struct collector *collector, char reason[COLLECT_REASON_MAX])
{
	int r;

	pthread_mutex_lock(&collector->lock);
	r = ensure_open(collector);
	if (r < 0)
		explain(collector, r, reason);
	pthread_mutex_unlock(&collector->lock);
	return r;
}

int collector_dup(struct collector *collector)
{
	int fd = -ENODEV;

	pthread_mutex_lock(&collector->lock);
	if (collector->device) {
		fd = fcntl(obs_device_fd(collector->device), F_DUPFD_CLOEXEC, 0);
		if (fd < 0)
			fd = -errno;
	}
	pthread_mutex_unlock(&collector->lock);
	return fd;
}

/* Does the path still name the file that is open? */
static bool same_file(const struct collector *collector)
{
	struct stat open_file, named;

	return !fstat(obs_device_fd(collector->device), &open_file) &&
	       !stat(collector->path, &named) &&
	       open_file.st_dev == named.st_dev &&
	       open_file.st_ino == named.st_ino;
}

void collector_check(struct collector *collector)
{
	pthread_mutex_lock(&collector->lock);
	if (collector->device && !same_file(collector))
		close_device(collector);
	ensure_open(collector);
	pthread_mutex_unlock(&collector->lock);
}

void collector_hangup(struct collector *collector)
{
	pthread_mutex_lock(&collector->lock);
	if (collector->device) {
		close_device(collector);
		tell(collector, -ESHUTDOWN);
	}
	pthread_mutex_unlock(&collector->lock);
}
