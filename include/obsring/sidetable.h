/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Side table: where the beginning of something waits for its end. A map of
 * fixed size from a key, which is a pointer to what began (a request, a task),
 * to two words: when it began, and one more.
 *
 * Put and take are wait-free, from any context, NMI included: they look at the
 * eight entries of one set, never wait, never loop back.
 *
 *      set = hash(key):   | key 0 .. key 7 |  one cache line
 *                         | time, extra of 0 .. 7 |  two more
 *
 * An entry's key word is its state:
 *
 *   EMPTY   nobody's; its value means nothing
 *   BUSY    owned by the one put or take that made it so, which alone writes
 *           or reads the value, and stores the next state
 *   a key   holds that key's value, which nobody writes
 *
 *        put: EMPTY --A--> BUSY --B--> key        take: key --C--> BUSY --D--> EMPTY
 *        put over a live entry of the same key: key --C--> BUSY --B--> key
 *
 *   A  put_claim      try_cmpxchg_acquire   pairs with D: the last owner's reads
 *                                           of the value are over
 *   B  put_publish    store_release         pairs with C: the value is whole
 *   C  take_claim     try_cmpxchg_acquire   pairs with B
 *   D  take_release   store_release         pairs with A
 *
 * So a value is never torn and never another key's: whoever reads it owns the
 * entry since C, and the key that C compared is that of the value. An entry
 * that was taken and put again between the look and C is simply the newer one
 * (no ABA: key and value change together). An interrupted owner leaves BUSY
 * behind for as long as it is interrupted; others pass over it.
 *
 * Full: a put that finds none of its set's entries empty changes nothing and
 * says so; it never pushes out another live key. The caller counts it.
 *
 * One key is put and taken by one party at a time: a task's own by that task or
 * under its run queue's lock, a request's by whoever owns the request. Calls
 * with one key that do overlap corrupt nothing, but may leave two entries for
 * it, or not find the one that is being put.
 */
#ifndef _OBSRING_SIDETABLE_H
#define _OBSRING_SIDETABLE_H

#include "platform.h"

/* Loops over the ways are unrolled: most of an event's work would be theirs. */
#define OBS_SIDETABLE_WAYS	8
#define OBS_SIDETABLE_ORDER_MAX	20

/* Key words that are states; so no key may be 0 or 1. */
#define OBS_SIDETABLE_EMPTY	0ULL
#define OBS_SIDETABLE_BUSY	1ULL

/**
 * struct obs_sidetable_value - what waits
 * @time: when it began, ns
 * @extra: the user's
 */
struct obs_sidetable_value {
	__u64 time;
	__u64 extra;
};

/* Three cache lines: the table's memory begins at one. */
struct obs_sidetable_set {
	__u64 key[OBS_SIDETABLE_WAYS];
	struct obs_sidetable_value value[OBS_SIDETABLE_WAYS];
};

/**
 * struct obs_sidetable - a table of 2^order sets; constant once made
 * @sets: the memory, aligned to 64 bytes, all zero at first
 * @order: 1 to OBS_SIDETABLE_ORDER_MAX
 */
struct obs_sidetable {
	struct obs_sidetable_set *sets;
	__u32 order;
};

enum obs_sidetable_put {
	OBS_SIDETABLE_NEW,	/* the key had no entry, and has one now */
	OBS_SIDETABLE_REPLACED,	/* its entry has the new value now */
	OBS_SIDETABLE_FULL,	/* no room, nothing changed */
};

static inline __u64 obs_sidetable_bytes(__u32 order)
{
	return sizeof(struct obs_sidetable_set) << order;
}

/* Pointers differ in their middle bits: take the top ones of a product. */
static inline struct obs_sidetable_set *
obs_sidetable_find(const struct obs_sidetable *t, __u64 key)
{
	return &t->sets[key * 0x9e3779b97f4a7c15ULL >> (64 - t->order)];
}

/* Write and publish the value of an entry that the caller made BUSY. */
static inline void obs_sidetable_publish(struct obs_sidetable_set *set,
					 unsigned int i, __u64 key,
					 __u64 time, __u64 extra)
{
	obs_write_once(&set->value[i].time, time);
	obs_write_once(&set->value[i].extra, extra);
	/* put_publish:B, pairs with take_claim:C */
	obs_store_release(&set->key[i], key);
}

/**
 * obs_sidetable_put() - remember @time and @extra for @key
 * @t: table
 * @key: above 1
 * @time: when it began
 * @extra: one more word
 *
 * Context: any, NMI included.
 */
static inline enum obs_sidetable_put
obs_sidetable_put(const struct obs_sidetable *t, __u64 key, __u64 time, __u64 extra)
{
	struct obs_sidetable_set *set = obs_sidetable_find(t, key);
	__u64 seen;
	unsigned int i;

#pragma GCC unroll 8
	for (i = 0; i < OBS_SIDETABLE_WAYS; i++) {
		seen = key;
		if (obs_read_once(&set->key[i]) != key ||
		    /* take_claim:C, pairs with put_publish:B */
		    !obs_try_cmpxchg_acquire(&set->key[i], &seen,
					     OBS_SIDETABLE_BUSY))
			continue;
		obs_sidetable_publish(set, i, key, time, extra);
		return OBS_SIDETABLE_REPLACED;
	}
#pragma GCC unroll 8
	for (i = 0; i < OBS_SIDETABLE_WAYS; i++) {
		seen = OBS_SIDETABLE_EMPTY;
		if (obs_read_once(&set->key[i]) != OBS_SIDETABLE_EMPTY ||
		    /* put_claim:A, pairs with take_release:D */
		    !obs_try_cmpxchg_acquire(&set->key[i], &seen,
					     OBS_SIDETABLE_BUSY))
			continue;
		obs_sidetable_publish(set, i, key, time, extra);
		return OBS_SIDETABLE_NEW;
	}
	return OBS_SIDETABLE_FULL;
}

/**
 * obs_sidetable_take() - fetch what was put for @key, and forget it
 * @t: table
 * @key: above 1
 * @value: filled if there was something
 *
 * Context: any, NMI included.
 */
static inline bool obs_sidetable_take(const struct obs_sidetable *t, __u64 key,
				      struct obs_sidetable_value *value)
{
	struct obs_sidetable_set *set = obs_sidetable_find(t, key);
	__u64 seen;
	unsigned int i;

#pragma GCC unroll 8
	for (i = 0; i < OBS_SIDETABLE_WAYS; i++) {
		seen = key;
		if (obs_read_once(&set->key[i]) != key ||
		    /* take_claim:C, pairs with put_publish:B */
		    !obs_try_cmpxchg_acquire(&set->key[i], &seen,
					     OBS_SIDETABLE_BUSY))
			continue;
		value->time = obs_read_once(&set->value[i].time);
		value->extra = obs_read_once(&set->value[i].extra);
		/* take_release:D, pairs with put_claim:A */
		obs_store_release(&set->key[i], OBS_SIDETABLE_EMPTY);
		return true;
	}
	return false;
}

/* Whether @key has an entry: a hint, for those who would only put it anew. */
static inline bool obs_sidetable_has(const struct obs_sidetable *t, __u64 key)
{
	struct obs_sidetable_set *set = obs_sidetable_find(t, key);
	unsigned int i;

#pragma GCC unroll 8
	for (i = 0; i < OBS_SIDETABLE_WAYS; i++)
		if (obs_read_once(&set->key[i]) == key)
			return true;
	return false;
}

#endif /* _OBSRING_SIDETABLE_H */
