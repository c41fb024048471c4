/* SPDX-License-Identifier: MIT */
/*
 * A thread that serves connections without TLS: a daemon of libmicrohttpd's with epoll,
 * run from outside. In a thread of its own, version 0.9.75 waits for more when it was
 * given as many events at once as it asks for, 128: before it handles them, and for
 * ever, if all those clients wait for their answers. Run from outside it never waits.
 */
#ifndef OBSRINGD_WORKER_H
#define OBSRINGD_WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <microhttpd.h>

struct newcomer;

/**
 * struct worker - one of them
 * @daemon: without a thread and a socket to listen at; its own from worker_start() on
 * @lost: called for each connection that @daemon does not take, @context with it
 * @lock: of what follows
 * @first: connections that @daemon has not taken yet, the oldest first
 * @last: where the next goes
 * @stopping: its thread is to end
 * @wake: eventfd: one of those has changed
 * @run: which run of @daemon it is; its thread's, as is the next
 * @heard_ns: by then the daemon had heard of all that it looks at in this run; 0: nobody
 *	has asked yet
 */
struct worker {
	struct MHD_Daemon *daemon;
	void (*lost)(void *context);
	void *context;
	pthread_t thread;
	pthread_mutex_t lock;
	struct newcomer *first, **last;
	bool stopping;
	int wake;
	uint64_t run;
	uint64_t heard_ns;
};

/* @daemon: NULL: -EIO. Otherwise -errno, and it was stopped. */
int worker_start(struct worker *worker, struct MHD_Daemon *daemon,
		 void (*lost)(void *context), void *context);

/* Hand a connection over; taken or not, @fd is the worker's. Any thread. */
void worker_add(struct worker *worker, int fd, const struct sockaddr *address,
		socklen_t len);

/*
 * One of its connections was resumed: the daemon sees that when it runs, and run from
 * outside it has nothing of its own that would wake it. Any thread.
 */
void worker_wake(struct worker *worker);

/* Close all of its connections. */
void worker_stop(struct worker *worker);

#endif /* OBSRINGD_WORKER_H */
