// SPDX-License-Identifier: MIT
#define _GNU_SOURCE	/* PTHREAD_MUTEX_ADAPTIVE_NP */
#include "lock.h"

void lock_init(pthread_mutex_t *lock)
{
	pthread_mutexattr_t adaptive;

	pthread_mutexattr_init(&adaptive);
	pthread_mutexattr_settype(&adaptive, PTHREAD_MUTEX_ADAPTIVE_NP);
	pthread_mutex_init(lock, &adaptive);
	pthread_mutexattr_destroy(&adaptive);
}
