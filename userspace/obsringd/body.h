/* SPDX-License-Identifier: MIT */
/*
 * Bodies of answers: rendered once, sent while others are rendered, and used
 * again, with the memory that they have grown to.
 */
#ifndef OBSRINGD_BODY_H
#define OBSRINGD_BODY_H

#include <pthread.h>

#include "text.h"

struct body {
	struct text text;
	struct body_pool *pool;
	struct body *next;	/* in the pool */
};

struct body_pool {
	pthread_mutex_t lock;
	struct body *free;
	unsigned int nr_free;
};

void body_pool_init(struct body_pool *pool);

/* All bodies are back. */
void body_pool_exit(struct body_pool *pool);

/* An empty body, or NULL: out of memory. Give it back with body_put(). */
struct body *body_get(struct body_pool *pool);
void body_put(struct body *body);

#endif /* OBSRINGD_BODY_H */
