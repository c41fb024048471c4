// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "body.h"

/* Kept for the next scrapes; a burst's others are freed after it. */
#define BODIES_KEPT 2

void body_pool_init(struct body_pool *pool)
{
	*pool = (struct body_pool){ 0 };
	pthread_mutex_init(&pool->lock, NULL);
}

static void body_free(struct body *body)
{
	text_free(&body->text);
	free(body);
}

void body_pool_exit(struct body_pool *pool)
{
	struct body *body, *next;

	for (body = pool->free; body; body = next) {
		next = body->next;
		body_free(body);
	}
	pthread_mutex_destroy(&pool->lock);
}

static struct body *take_free(struct body_pool *pool)
{
	struct body *body;

	pthread_mutex_lock(&pool->lock);
	body = pool->free;
	if (body) {
		pool->free = body->next;
		pool->nr_free--;
	}
	pthread_mutex_unlock(&pool->lock);
	return body;
}

struct body *body_get(struct body_pool *pool)
{
	struct body *body = take_free(pool);

	if (!body)
		body = calloc(1, sizeof(*body));
	if (!body)
		return NULL;
	body->pool = pool;
	text_clear(&body->text);
	return body;
}

void body_put(struct body *body)
{
	struct body_pool *pool = body->pool;
	bool keep;

	pthread_mutex_lock(&pool->lock);
	keep = pool->nr_free < BODIES_KEPT && !text_failed(&body->text);
	if (keep) {
		body->next = pool->free;
		pool->free = body;
		pool->nr_free++;
	}
	pthread_mutex_unlock(&pool->lock);
	if (!keep)
		body_free(body);
}
