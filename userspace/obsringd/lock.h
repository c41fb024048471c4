/* SPDX-License-Identifier: MIT */
/*
 * Locks that are held for microseconds at most, by threads that answer: who finds one
 * taken looks again a few times before it sleeps, which would cost more than the wait.
 */
#ifndef OBSRINGD_LOCK_H
#define OBSRINGD_LOCK_H

#include <pthread.h>

void lock_init(pthread_mutex_t *lock);

#endif /* OBSRINGD_LOCK_H */
