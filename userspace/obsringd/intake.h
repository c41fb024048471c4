/* SPDX-License-Identifier: MIT */
/*
 * The thread that accepts connections, on all sockets, and hands them on. It
 * is also the one that ends connections that take too long.
 */
#ifndef OBSRINGD_INTAKE_H
#define OBSRINGD_INTAKE_H

#include <pthread.h>
#include <sys/socket.h>

#include "clients.h"
#include "listen.h"

/* Takes @fd over, in all cases. */
typedef void (*intake_fn)(void *context, int fd, const struct sockaddr *address,
			  socklen_t len);

struct intake {
	struct clients *clients;
	intake_fn take;
	void *context;
	pthread_t thread;
	int epoll;
	int stop;
};

/* -errno. @sockets stay the caller's, and open until intake_stop(). */
int intake_start(struct intake *intake, const struct listen_sockets *sockets,
		 struct clients *clients, intake_fn take, void *context);

/* Accept no more. Connections that take too long are no longer ended. */
void intake_stop(struct intake *intake);

#endif /* OBSRINGD_INTAKE_H */
