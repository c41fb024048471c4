/* SPDX-License-Identifier: MIT */
/*
 * Passwords. A bcrypt takes a tenth of a second on purpose: it is computed in a
 * thread of its own, which gives way to those that answer, and a password that
 * was right is remembered (as a keyed hash of it), so that a scrape costs none.
 * How many wait for one is bounded, in all and for each address: who floods us with
 * wrong passwords waits for himself, or is told to come again.
 */
#ifndef OBSRINGD_AUTH_H
#define OBSRINGD_AUTH_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "basic.h"
#include "source.h"
#include "web.h"

#define AUTH_WAITING_MAX	16
#define AUTH_WAITING_OF_ONE_MAX	4
#define AUTH_KNOWN_MAX		64
#define AUTH_DIGEST_BYTES	32

enum auth_verdict {
	AUTH_UNKNOWN,	/* not asked yet */
	AUTH_GRANTED,
	AUTH_DENIED,
	AUTH_WAIT,	/* done() is called, once */
	AUTH_BUSY,	/* too many wait */
	AUTH_TOO_OFTEN,	/* not asked at all: rate_limit */
};

/* From the thread of auth: the verdict on @who, AUTH_GRANTED or AUTH_DENIED. */
typedef void (*auth_fn)(void *who, enum auth_verdict verdict);

/* Before @who begins to wait, under the lock: done() may come at once after it. */
typedef void (*auth_wait_fn)(void *who);

struct auth_job {
	void *who;
	struct source source;
	struct web *web;
	const char *hash;
	bool exists;		/* else the hash is another's, for the time that it takes */
	struct basic basic;
	uint8_t digest[AUTH_DIGEST_BYTES];
};

struct auth {
	auth_wait_fn wait;
	auth_fn done;
	pthread_mutex_t lock;
	pthread_cond_t more;
	pthread_t thread;
	bool running, stopping;
	uint8_t key[AUTH_DIGEST_BYTES];
	uint8_t known[AUTH_KNOWN_MAX][AUTH_DIGEST_BYTES];
	unsigned int nr_known, next_known;
	struct auth_job waiting[AUTH_WAITING_MAX];	/* a ring */
	unsigned int first, nr_waiting;
	struct source working_for;
	bool working;
	uint64_t nr_hashed;
};

/* -errno. The thread begins with the first password. */
int auth_init(struct auth *auth, auth_wait_fn wait, auth_fn done);

/* All who wait are denied. Nobody asks any more. */
void auth_exit(struct auth *auth);

/*
 * May a request with this header, or NULL, be answered under @web's settings? If
 * it has to wait, wait() and later done() are called with @who.
 */
enum auth_verdict auth_check(struct auth *auth, struct web *web, const char *header,
			     const struct sockaddr *address, void *who);

#endif /* OBSRINGD_AUTH_H */
