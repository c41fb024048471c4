/* SPDX-License-Identifier: MIT */
/*
 * Requests: how many are being answered, and how many were, by status.
 */
#ifndef OBSRINGD_REQUESTS_H
#define OBSRINGD_REQUESTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum request_status {
	REQUEST_OK,
	REQUEST_BAD,
	REQUEST_UNAUTHORIZED,
	REQUEST_FORBIDDEN,
	REQUEST_NOT_FOUND,
	REQUEST_BAD_METHOD,
	REQUEST_TOO_MANY,
	REQUEST_FAILED,
	REQUEST_UNAVAILABLE,

	REQUEST_STATUS_NR
};

/* "200", "404", ... */
extern const char *const request_code[REQUEST_STATUS_NR];

/* Counted by the threads that answer, without a lock. */
struct requests {
	_Atomic uint64_t in_flight;
	_Atomic uint64_t answered[REQUEST_STATUS_NR];
	atomic_bool waiting;	/* somebody does, for none to be in flight */
	pthread_mutex_t lock;	/* of those who wait */
	pthread_cond_t idle;
};

void requests_init(struct requests *requests);
void requests_exit(struct requests *requests);

/* A request came; its answer was chosen; its answer was sent, or given up. */
void requests_begin(struct requests *requests);
void requests_count(struct requests *requests, enum request_status status);
void requests_end(struct requests *requests);

void requests_get(struct requests *requests, uint64_t *ret_in_flight,
		  uint64_t ret_answered[REQUEST_STATUS_NR]);

/* Wait until none is in flight, one at a time; false: some still were after @seconds. */
bool requests_wait_idle(struct requests *requests, unsigned int seconds);

#endif /* OBSRINGD_REQUESTS_H */
