/* SPDX-License-Identifier: MIT */
/*
 * Connections, and how long each may take for what it does:
 *
 *	NEW	no request yet: a TLS handshake, headers that trickle in
 *	BUSY	a request is being answered
 *	IDLE	answered at least once, and kept for the next request
 *	ENDING	shut down; its server closes it
 *
 * Deadlines are of the whole state, not of a pause in it, so that nobody keeps a
 * place by a byte now and then. Where there is no place for one more, the one
 * that matters least makes it: of those without a request the oldest that never
 * had one, then the one that is idle the longest; and where most of the oldest come
 * from one address, one of these, so that a flood takes no place from who is slow with
 * its handshake elsewhere. One whose bytes are there and were not read yet has its
 * grace, for it is the server that is behind. So whoever comes and asks at once is
 * served, however many others sit there.
 */
#ifndef OBSRINGD_CLIENTS_H
#define OBSRINGD_CLIENTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "source.h"

struct client_limits {
	unsigned int connections;
	unsigned int requests;		/* in flight, of those that are limited */
	uint64_t new_ns;		/* deadlines of the states */
	uint64_t busy_ns;
	uint64_t idle_ns;
	uint64_t grace_ns;		/* a request may take it whoever waits */
};

extern const struct client_limits client_limits_default;

enum client_state {
	CLIENT_NONE,
	CLIENT_NEW,
	CLIENT_BUSY,
	CLIENT_IDLE,
	CLIENT_ENDING,

	CLIENT_STATE_NR
};

enum client_end {
	CLIENT_END_SLOW,	/* past its deadline */
	CLIENT_END_EVICTED,	/* for another connection */
	CLIENT_END_STUCK,	/* for another request */

	CLIENT_END_NR
};

struct worker;

struct client {
	struct clients *clients;
	int fd;
	uint32_t generation;	/* of all that have had this descriptor */
	struct source source;
	struct body *body;	/* that is being sent; of the thread that answers */
	/* Guarded by the lock. */
	TAILQ_ENTRY(client) entry;	/* of its state */
	enum client_state state;
	bool admitted;		/* counts against limits.requests */
	bool gone;		/* its peer sends no more: see clients_gone() */
	bool reading;		/* a request whose body is not all there yet */
	uint64_t since_ns;
	uint64_t deadline_ns;
	/* The server's: of the request, and of the connection. */
	void *connection;
	struct worker *worker;	/* whose it is; NULL: of a thread of the library's */
	uint64_t run;		/* of the worker, in which it was answered last */
	bool small;		/* its socket's buffer: see sendbuf.h */
	int verdict;		/* on its password */
	bool decided;
	struct web *web;
	struct web *tls_web;
};

TAILQ_HEAD(client_list, client);

struct clients {
	pthread_mutex_t lock;
	struct client_limits limits;
	struct client *table;	/* by descriptor */
	unsigned int size;
	struct client_list list[CLIENT_STATE_NR];	/* in order of since_ns */
	unsigned int nr;
	unsigned int nr_pending;	/* accepted, and not added yet */
	uint64_t accepted_ns;		/* the last of them */
	unsigned int nr_ending;
	unsigned int nr_admitted;
	unsigned int nr_gone;		/* of them those that a whole request is wanted of */
	uint32_t generation;		/* the last one's */
	int epoll;			/* tells who is gone; -1: none does */
	uint64_t ended[CLIENT_END_NR];
};

/* "slow", "evicted", ... */
extern const char *const client_end_name[CLIENT_END_NR];

/* -ENOMEM. Fewer connections, if the limit of open files demands it. */
int clients_init(struct clients *clients, const struct client_limits *limits);
void clients_exit(struct clients *clients);

void clients_set_requests(struct clients *clients, unsigned int requests);

/*
 * Is there a place for one more? It is taken then, for client_add() or
 * clients_give_back(). If not, one is made, and may be there in a moment.
 */
bool clients_make_room(struct clients *clients);
void clients_give_back(struct clients *clients);

/* Shut down who is past its deadline. Returns how many are there. */
unsigned int clients_reap(struct clients *clients);

/* A connection: NULL if its descriptor is beyond the table. */
struct client *client_add(struct clients *clients, int fd,
			  const struct sockaddr *address);
void client_remove(struct client *client);

/*
 * A server that waits for edges, as libmicrohttpd does with epoll, takes a read that
 * fills less than its buffer for the last, and misses the end that was there behind it:
 * it would keep half a request until its deadline. So another one listens for ends:
 * @epoll, whose events above 2^32 are keys for clients_gone(), from then on until -1.
 */
void clients_set_epoll(struct clients *clients, int epoll);
void client_watch(struct client *client);
void clients_gone(struct clients *clients, uint64_t key);

/* Give those that are gone without a whole request another edge. How many there are. */
unsigned int clients_nudge(struct clients *clients);

/* Of its request the body is awaited; no more. */
void client_set_reading(struct client *client, bool reading);

/* Its request: all of it takes no longer than @timeout_ns, if not 0. */
void client_begin(struct client *client, uint64_t timeout_ns);
void client_end(struct client *client);

/*
 * May the request be answered beside those that are? One of an address that has more
 * of them gives its place, or one that has had its grace, of a client that
 * does not take its answer.
 */
bool client_admit(struct client *client);

void clients_get(struct clients *clients, uint64_t *ret_nr,
		 uint64_t ret_ended[CLIENT_END_NR]);

/* A decimal number of seconds, as in X-Prometheus-Scrape-Timeout-Seconds; 0: none. */
uint64_t client_timeout(const char *text);

#endif /* OBSRINGD_CLIENTS_H */
