// SPDX-License-Identifier: MIT
#define _GNU_SOURCE	/* pthread_setname_np */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/eventfd.h>

#include "worker.h"

struct newcomer {
	struct newcomer *next;
	int fd;
	socklen_t len;
	struct sockaddr_storage address;
};

void worker_wake(struct worker *worker)
{
	const uint64_t one = 1;

	/* It can't fail but where the last one was not seen yet. */
	if (write(worker->wake, &one, sizeof(one)) < 0)
		return;
}

/* All that have come; false: it is to end. */
static bool take_newcomers(struct worker *worker, struct newcomer **ret)
{
	uint64_t count;
	bool stopping;

	if (read(worker->wake, &count, sizeof(count)) < 0)
		count = 0;
	pthread_mutex_lock(&worker->lock);
	*ret = worker->first;
	worker->first = NULL;
	worker->last = &worker->first;
	stopping = worker->stopping;
	pthread_mutex_unlock(&worker->lock);
	return !stopping;
}

static void drop(struct worker *worker, struct newcomer *newcomer)
{
	struct newcomer *next;

	for (; newcomer; newcomer = next) {
		next = newcomer->next;
		close(newcomer->fd);
		worker->lost(worker->context);
		free(newcomer);
	}
}

/* The daemon closes what it does not take. */
static void hand_on(struct worker *worker, struct newcomer *newcomer)
{
	struct newcomer *next;

	for (; newcomer; newcomer = next) {
		next = newcomer->next;
		if (MHD_add_connection(worker->daemon, newcomer->fd,
				       (struct sockaddr *)&newcomer->address,
				       newcomer->len) != MHD_YES)
			worker->lost(worker->context);
		free(newcomer);
	}
}

static int timeout_ms(struct MHD_Daemon *daemon)
{
	MHD_UNSIGNED_LONG_LONG ms;

	if (MHD_get_timeout(daemon, &ms) != MHD_YES)
		return -1;
	return ms < INT_MAX ? (int)ms : INT_MAX;
}

static void *run(void *arg)
{
	struct worker *worker = arg;
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(worker->daemon,
							       MHD_DAEMON_INFO_EPOLL_FD);
	struct pollfd fds[2] = {
		{ .fd = info->epoll_fd, .events = POLLIN },
		{ .fd = worker->wake, .events = POLLIN },
	};
	struct newcomer *newcomers;

	for (;;) {
		if (poll(fds, 2, timeout_ms(worker->daemon)) < 0)
			fds[1].revents = 0;
		if (fds[1].revents) {
			if (!take_newcomers(worker, &newcomers)) {
				drop(worker, newcomers);
				return NULL;
			}
			hand_on(worker, newcomers);
		}
		worker->run++;
		worker->heard_ns = 0;
		MHD_run(worker->daemon);
	}
}

int worker_start(struct worker *worker, struct MHD_Daemon *daemon,
		 void (*lost)(void *context), void *context)
{
	int r;

	*worker = (struct worker){ .daemon = daemon, .lost = lost, .context = context };
	if (!daemon)
		return -EIO;
	worker->last = &worker->first;
	pthread_mutex_init(&worker->lock, NULL);
	worker->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = worker->wake < 0 ? errno : pthread_create(&worker->thread, NULL, run, worker);
	if (!r) {
		pthread_setname_np(worker->thread, "worker");
		return 0;
	}
	if (worker->wake >= 0)
		close(worker->wake);
	pthread_mutex_destroy(&worker->lock);
	MHD_stop_daemon(daemon);
	worker->daemon = NULL;
	return -r;
}

void worker_add(struct worker *worker, int fd, const struct sockaddr *address,
		socklen_t len)
{
	struct newcomer *newcomer = malloc(sizeof(*newcomer));

	if (!newcomer) {
		close(fd);
		worker->lost(worker->context);
		return;
	}
	*newcomer = (struct newcomer){ .fd = fd, .len = len };
	memcpy(&newcomer->address, address, len);
	pthread_mutex_lock(&worker->lock);
	*worker->last = newcomer;
	worker->last = &newcomer->next;
	pthread_mutex_unlock(&worker->lock);
	worker_wake(worker);
}

void worker_stop(struct worker *worker)
{
	if (!worker->daemon)
		return;
	pthread_mutex_lock(&worker->lock);
	worker->stopping = true;
	pthread_mutex_unlock(&worker->lock);
	worker_wake(worker);
	pthread_join(worker->thread, NULL);
	MHD_stop_daemon(worker->daemon);
	close(worker->wake);
	pthread_mutex_destroy(&worker->lock);
	worker->daemon = NULL;
}
