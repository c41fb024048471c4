// SPDX-License-Identifier: MIT
#include <string.h>
#include <time.h>

#include "requests.h"

const char *const request_code[REQUEST_STATUS_NR] = {
	[REQUEST_OK] = "200",
	[REQUEST_BAD] = "400",
	[REQUEST_UNAUTHORIZED] = "401",
	[REQUEST_FORBIDDEN] = "403",
	[REQUEST_NOT_FOUND] = "404",
	[REQUEST_BAD_METHOD] = "405",
	[REQUEST_TOO_MANY] = "429",
	[REQUEST_FAILED] = "500",
	[REQUEST_UNAVAILABLE] = "503",
};

void requests_init(struct requests *requests)
{
	pthread_condattr_t monotonic;

	memset(requests, 0, sizeof(*requests));
	pthread_mutex_init(&requests->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&requests->idle, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

void requests_exit(struct requests *requests)
{
	pthread_cond_destroy(&requests->idle);
	pthread_mutex_destroy(&requests->lock);
}

void requests_begin(struct requests *requests)
{
	atomic_fetch_add(&requests->in_flight, 1);
}

void requests_count(struct requests *requests, enum request_status status)
{
	atomic_fetch_add_explicit(&requests->answered[status], 1, memory_order_relaxed);
}

/*
 * requests_end:A, pairs with requests_wait_idle:B: who ends the last one sees that
 * somebody waits, or that one sees that it was ended.
 */
void requests_end(struct requests *requests)
{
	if (atomic_fetch_sub(&requests->in_flight, 1) != 1 ||
	    !atomic_load(&requests->waiting))
		return;
	pthread_mutex_lock(&requests->lock);
	pthread_cond_broadcast(&requests->idle);
	pthread_mutex_unlock(&requests->lock);
}

void requests_get(struct requests *requests, uint64_t *ret_in_flight,
		  uint64_t ret_answered[REQUEST_STATUS_NR])
{
	int status;

	*ret_in_flight = atomic_load_explicit(&requests->in_flight, memory_order_relaxed);
	for (status = 0; status < REQUEST_STATUS_NR; status++)
		ret_answered[status] = atomic_load_explicit(&requests->answered[status],
							    memory_order_relaxed);
}

bool requests_wait_idle(struct requests *requests, unsigned int seconds)
{
	struct timespec deadline;
	bool idle;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += seconds;
	pthread_mutex_lock(&requests->lock);
	/* requests_wait_idle:B, pairs with requests_end:A */
	atomic_store(&requests->waiting, true);
	while (atomic_load(&requests->in_flight) && !r)
		r = pthread_cond_timedwait(&requests->idle, &requests->lock, &deadline);
	idle = !atomic_load(&requests->in_flight);
	atomic_store(&requests->waiting, false);
	pthread_mutex_unlock(&requests->lock);
	return idle;
}
