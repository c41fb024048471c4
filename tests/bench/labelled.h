/* SPDX-License-Identifier: MIT */
/*
 * The method of prometheus-client-c, written anew, not its code: an increment takes the
 * metric's lock, puts name and labels together as the text of the sample, a string or a
 * character at a time in a buffer that grows, copies that, and begins another buffer. It
 * takes the map's lock, hashes the text (Sedgewick's universal hash of strings: two
 * divisions a character), makes a node with a copy of it to compare the nodes of the
 * bucket with, by a function that the list has, and frees what it made. Then it adds to a
 * double by compare-and-swap.
 */
#ifndef BENCH_LABELLED_H
#define BENCH_LABELLED_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define LABELLED_BUFFER		32
#define LABELLED_BUCKETS	32

struct node {
	char *text;
	struct sample *sample;
};

struct item {
	struct item *next;
	struct node *node;
};

struct sample {
	_Atomic double value;
};

struct builder {
	char *text;
	size_t len, room;
};

static struct {
	pthread_rwlock_t lock, map_lock;
	const char *name;
	const char *const *label, *const *value;
	unsigned int nr_labels;
	struct builder builder;
	size_t nr_buckets;
	struct item *bucket[LABELLED_BUCKETS];
	int (*compare)(const struct node *a, const struct node *b);
} labelled = { .lock = PTHREAD_RWLOCK_INITIALIZER, .map_lock = PTHREAD_RWLOCK_INITIALIZER };

static void *checked(void *p)
{
	if (!p)
		abort();
	return p;
}

static void builder_start(struct builder *b)
{
	b->text = checked(malloc(LABELLED_BUFFER));
	b->room = LABELLED_BUFFER;
	b->len = 0;
}

/* These are functions of another file there: never inline. */
static __attribute__((noinline)) void builder_grow(struct builder *b, size_t n)
{
	if (b->room >= b->len + n + 1)
		return;
	while (b->room < b->len + n + 1)
		b->room *= 2;
	b->text = checked(realloc(b->text, b->room));
}

static __attribute__((noinline)) void string_put(struct builder *b, const char *s)
{
	size_t n = strlen(s);

	builder_grow(b, n);
	memcpy(b->text + b->len, s, n);
	b->len += n;
	b->text[b->len] = '\0';
}

static __attribute__((noinline)) void char_put(struct builder *b, char c)
{
	builder_grow(b, 1);
	b->text[b->len++] = c;
	b->text[b->len] = '\0';
}

static char *sample_text(struct builder *b)
{
	unsigned int i;
	char *text;

	string_put(b, labelled.name);
	for (i = 0; i < labelled.nr_labels; i++) {
		if (!i)
			char_put(b, '{');
		string_put(b, labelled.label[i]);
		char_put(b, '=');
		char_put(b, '"');
		string_put(b, labelled.value[i]);
		char_put(b, '"');
		char_put(b, i == labelled.nr_labels - 1 ? '}' : ',');
	}
	text = checked(malloc(b->len + 1));
	memcpy(text, b->text, b->len + 1);
	free(b->text);
	builder_start(b);
	return text;
}

static size_t text_hash(const char *text, const size_t *nr)
{
	size_t hash = 0, a = 31415, b = 27183;

	for (; *text; text++, a = a * b % (*nr - 1))
		hash = (a * hash + (size_t)*text) % *nr;
	return hash;
}

static struct node *node_make(const char *text, struct sample *sample)
{
	struct node *node = checked(malloc(sizeof(*node)));

	node->text = checked(strdup(text));
	node->sample = sample;
	return node;
}

static __attribute__((noinline)) int node_compare(const struct node *a, const struct node *b)
{
	return strcmp(a->text, b->text);
}

static __attribute__((noinline)) struct sample *sample_find(const char *text)
{
	struct item *item = labelled.bucket[text_hash(text, &labelled.nr_buckets)];
	struct node *wanted = node_make(text, NULL);
	struct sample *found = NULL;

	for (; item && !found; item = item->next)
		if (!labelled.compare(item->node, wanted))
			found = item->node->sample;
	free(wanted->text);
	free(wanted);
	return found;
}

static __attribute__((noinline)) void sample_add(struct sample *sample, double n)
{
	double old = atomic_load(&sample->value);

	while (!atomic_compare_exchange_weak(&sample->value, &old, old + n))
		;
}

static void labelled_inc(void)
{
	struct sample *sample;
	char *text;

	pthread_rwlock_wrlock(&labelled.lock);
	text = sample_text(&labelled.builder);
	pthread_rwlock_wrlock(&labelled.map_lock);
	sample = sample_find(text);
	pthread_rwlock_unlock(&labelled.map_lock);
	pthread_rwlock_unlock(&labelled.lock);
	free(text);
	sample_add(sample, 1);
}

/* The one sample that there is, found a first time. */
static void labelled_start(const char *name, const char *const *label,
			   const char *const *value, unsigned int nr_labels)
{
	struct item *item = checked(calloc(1, sizeof(*item)));
	char *text;

	labelled.name = name;
	labelled.label = label;
	labelled.value = value;
	labelled.nr_labels = nr_labels;
	labelled.nr_buckets = LABELLED_BUCKETS;
	labelled.compare = node_compare;
	builder_start(&labelled.builder);
	text = sample_text(&labelled.builder);
	item->node = node_make(text, checked(calloc(1, sizeof(struct sample))));
	labelled.bucket[text_hash(text, &labelled.nr_buckets)] = item;
	free(text);
}

#endif
