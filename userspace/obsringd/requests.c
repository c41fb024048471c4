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
	pthread_mutex_lock(&requests->lock);
	requests->in_flight++;
	pthread_mutex_unlock(&requests->lock);
}

void requests_count(struct requests *requests, enum request_status status)
{
	pthread_mutex_lock(&requests->lock);
	requests->answered[status]++;
	pthread_mutex_unlock(&requests->lock);
}

void requests_end(struct requests *requests)
{
	pthread_mutex_lock(&requests->lock);
	if (!--requests->in_flight)
		pthread_cond_broadcast(&requests->idle);
	pthread_mutex_unlock(&requests->lock);
}

void requests_get(struct requests *requests, uint64_t *ret_in_flight,
		  uint64_t ret_answered[REQUEST_STATUS_NR])
{
	pthread_mutex_lock(&requests->lock);
	*ret_in_flight = requests->in_flight;
	memcpy(ret_answered, requests->answered, sizeof(requests->answered));
	pthread_mutex_unlock(&requests->lock);
}

bool requests_wait_idle(struct requests *requests, unsigned int seconds)
{
	struct timespec deadline;
	bool idle;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += seconds;
	pthread_mutex_lock(&requests->lock);
	while (requests->in_flight && !r)
		r = pthread_cond_timedwait(&requests->idle, &requests->lock, &deadline);
	idle = !requests->in_flight;
	pthread_mutex_unlock(&requests->lock);
	return idle;
}
