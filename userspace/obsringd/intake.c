// SPDX-License-Identifier: MIT
#define _GNU_SOURCE	/* accept4 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "intake.h"
#include "log.h"

/* Of one socket, before the others have their turn. */
#define ACCEPT_MAX	64
/* No more files or memory: until some are given back. */
#define STARVED_MS	50
/* Those that have to go are about to. */
#define FULL_MS		1

/* Until who is gone is told so again. */
#define GONE_MS		10

#define TICK_MS		1000
#define QUIET_TICKS	60

static void pause_a_little(const struct intake *intake, int ms)
{
	struct pollfd stop = { .fd = intake->stop, .events = POLLIN };

	poll(&stop, 1, ms);
}

/* True: it is one that gave up before it was accepted. */
static bool accept_failed(struct intake *intake, int error)
{
	clients_give_back(intake->clients);
	switch (error) {
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		log_event(LEVEL_DEBUG, "can't accept", "reason", strerror(error), NULL);
		pause_a_little(intake, STARVED_MS);
		return false;
	}
	return error != EAGAIN && error != EBADF && error != EINVAL;
}

/* False: nobody else waits there, or has to. */
static bool accept_one(struct intake *intake, int socket)
{
	struct sockaddr_storage address = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(address);
	int fd;

	if (!clients_make_room(intake->clients)) {
		pause_a_little(intake, FULL_MS);
		return false;
	}
	fd = accept4(socket, (struct sockaddr *)&address, &len,
		     SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return accept_failed(intake, errno);
	intake->take(intake->context, fd, (struct sockaddr *)&address, len);
	return true;
}

static void accept_some(struct intake *intake, int socket)
{
	int i;

	for (i = 0; i < ACCEPT_MAX; i++)
		if (!accept_one(intake, socket))
			return;
}

/* What was accepted becomes a client a moment later. */
static int next_tick(struct intake *intake, int quiet)
{
	unsigned int nr = clients_reap(intake->clients);

	if (clients_nudge(intake->clients))
		return GONE_MS;
	return nr || quiet < QUIET_TICKS ? TICK_MS : -1;
}

/* A socket where some wait, or a connection that is gone. */
static void take_event(struct intake *intake, uint64_t key)
{
	if (key >> 32)
		clients_gone(intake->clients, key);
	else
		accept_some(intake, key);
}

static void *run(void *arg)
{
	struct intake *intake = arg;
	struct epoll_event events[LISTEN_MAX + 1];
	int i, nr, quiet = QUIET_TICKS, timeout = -1;

	for (;;) {
		nr = epoll_wait(intake->epoll, events, LISTEN_MAX + 1, timeout);
		quiet = nr ? 0 : quiet + 1;
		for (i = 0; i < nr; i++) {
			if (events[i].data.u64 == (uint64_t)intake->stop)
				return NULL;
			take_event(intake, events[i].data.u64);
		}
		timeout = next_tick(intake, quiet);
	}
}

static int add(const struct intake *intake, int fd)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = fd };

	return epoll_ctl(intake->epoll, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int prepare(struct intake *intake, const struct listen_sockets *sockets)
{
	unsigned int i;
	int r;

	intake->epoll = epoll_create1(EPOLL_CLOEXEC);
	intake->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (intake->epoll < 0 || intake->stop < 0)
		return -errno;
	r = add(intake, intake->stop);
	for (i = 0; i < sockets->nr && !r; i++)
		r = add(intake, sockets->fd[i]);
	return r;
}

static void close_files(struct intake *intake)
{
	clients_set_epoll(intake->clients, -1);
	if (intake->epoll >= 0)
		close(intake->epoll);
	if (intake->stop >= 0)
		close(intake->stop);
}

int intake_start(struct intake *intake, const struct listen_sockets *sockets,
		 struct clients *clients, intake_fn take, void *context)
{
	int r;

	*intake = (struct intake){ .clients = clients, .take = take,
				   .context = context };
	r = prepare(intake, sockets);
	if (!r)
		clients_set_epoll(clients, intake->epoll);
	if (!r)
		r = -pthread_create(&intake->thread, NULL, run, intake);
	if (r)
		close_files(intake);
	return r;
}

void intake_stop(struct intake *intake)
{
	eventfd_write(intake->stop, 1);
	pthread_join(intake->thread, NULL);
	close_files(intake);
}
