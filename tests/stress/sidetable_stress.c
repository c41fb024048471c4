// SPDX-License-Identifier: MIT
/*
 * Side table under threads: each owns keys of its own and puts and takes them in
 * a table that is too small for all, while all threads fight over a few shared
 * keys. Every value taken must belong to its key and be whole; of a thread's own
 * keys nothing may be lost or appear twice; in the end what was put new is what
 * was taken.
 *
 * usage: sidetable_stress [SECONDS]	exit 0: as it should be; 1: not
 * Built with -fsanitize=thread it also finds a word that is touched without an
 * atomic access. All words being atomic, a missing order is no race to the
 * sanitizer: it shows as a torn value, on a machine that reorders.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <obsring/sidetable.h>

#define THREADS		4
#define OWN_KEYS	48	/* 4 * 48 keys on 2^4 * 8 entries: sets fill up */
#define SHARED_KEYS	5
#define ORDER		4

struct worker {
	pthread_t thread;
	unsigned int nr;
	__u64 seed;
	__u64 live[OWN_KEYS];	/* time that was put last, 0: not in the table */
	unsigned long puts, replaced, full, takes, shared_takes, shared_puts;
	unsigned long collisions;
	unsigned long errors;
};

static struct obs_sidetable table;
static atomic_bool stop;

static __u64 random64(struct worker *w)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return w->seed;
}

/* Ties a value to its key and time, so that a mixture is noticed. */
static __u64 seal(__u64 key, __u64 time)
{
	return (key ^ time * 0x2545f4914f6cdd1dULL) + 77;
}

static __u64 own_key(const struct worker *w, unsigned int i)
{
	return 0xffff888000000000ULL + ((__u64)w->nr * OWN_KEYS + i + 1) * 0x1c0;
}

static void check(struct worker *w, __u64 key, const struct obs_sidetable_value *v)
{
	if (v->extra == seal(key, v->time))
		return;
	if (!w->errors++)
		fprintf(stderr, "key %llx: time %llx and extra %llx do not belong together\n",
			key, v->time, v->extra);
}

static void own_step(struct worker *w)
{
	unsigned int i = random64(w) % OWN_KEYS;
	__u64 key = own_key(w, i), time = random64(w) | 1;
	struct obs_sidetable_value v;
	bool found;

	if (random64(w) & 1) {
		enum obs_sidetable_put put;
		bool had = w->live[i];

		if (obs_sidetable_has(&table, key) != had)
			w->errors++;
		put = obs_sidetable_put(&table, key, time, seal(key, time));
		if (put == OBS_SIDETABLE_FULL) {
			w->full++;
			w->errors += had;
			return;
		}
		w->errors += (put == OBS_SIDETABLE_REPLACED) != had;
		w->replaced += put == OBS_SIDETABLE_REPLACED;
		w->puts += put == OBS_SIDETABLE_NEW;
		/* A set that others use as well: entries are told apart by key. */
		w->collisions += key !=
			obs_read_once(&obs_sidetable_find(&table, key)->key[0]);
		w->live[i] = time;
		return;
	}
	found = obs_sidetable_take(&table, key, &v);
	if (found != !!w->live[i])
		w->errors++;
	if (found) {
		check(w, key, &v);
		w->errors += v.time != w->live[i];
		w->takes++;
	}
	w->live[i] = 0;
}

/* Overlapping calls with one key: nothing torn, and each entry taken once. */
static void shared_step(struct worker *w)
{
	__u64 key = 0x1000 + (random64(w) % SHARED_KEYS) * 64;
	__u64 time = random64(w) | 1;
	struct obs_sidetable_value v;

	if (random64(w) & 1) {
		w->shared_puts += obs_sidetable_put(&table, key, time, seal(key, time)) ==
				  OBS_SIDETABLE_NEW;
	} else if (obs_sidetable_take(&table, key, &v)) {
		check(w, key, &v);
		w->shared_takes++;
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;

	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		own_step(w);
		if (random64(w) % 4 == 0)
			shared_step(w);
	}
	return NULL;
}

static unsigned long drain(void)
{
	struct obs_sidetable_value v;
	unsigned long left = 0;

	for (unsigned int s = 0; s < 1U << ORDER; s++) {
		for (unsigned int i = 0; i < OBS_SIDETABLE_WAYS; i++) {
			__u64 key = table.sets[s].key[i];

			left += key > OBS_SIDETABLE_BUSY &&
				obs_sidetable_take(&table, key, &v);
		}
	}
	return left;
}

int main(int argc, char **argv)
{
	struct timespec span = { .tv_sec = argc > 1 ? atoi(argv[1]) : 2 };
	static struct worker worker[THREADS];
	struct worker sum = { 0 };
	unsigned long left;

	table.order = ORDER;
	table.sets = aligned_alloc(64, obs_sidetable_bytes(ORDER));
	if (!table.sets)
		return 1;
	memset(table.sets, 0, obs_sidetable_bytes(ORDER));

	for (unsigned int i = 0; i < THREADS; i++) {
		worker[i].nr = i;
		worker[i].seed = 0x9e3779b97f4a7c15ULL * (i + 1);
		if (pthread_create(&worker[i].thread, NULL, work, &worker[i]))
			return 1;
	}
	nanosleep(&span, NULL);
	atomic_store(&stop, true);
	for (unsigned int i = 0; i < THREADS; i++) {
		pthread_join(worker[i].thread, NULL);
		sum.puts += worker[i].puts + worker[i].shared_puts;
		sum.takes += worker[i].takes + worker[i].shared_takes;
		sum.shared_takes += worker[i].shared_takes;
		sum.replaced += worker[i].replaced;
		sum.full += worker[i].full;
		sum.collisions += worker[i].collisions;
		sum.errors += worker[i].errors;
	}
	left = drain();
	if (sum.puts != sum.takes + left) {
		fprintf(stderr, "put %lu, taken %lu, left %lu\n", sum.puts, sum.takes, left);
		sum.errors++;
	}
	printf("puts=%lu replaced=%lu takes=%lu shared=%lu full=%lu collisions=%lu left=%lu errors=%lu\n",
	       sum.puts, sum.replaced, sum.takes, sum.shared_takes, sum.full,
	       sum.collisions, left, sum.errors);
	free(table.sets);
	return sum.errors || !sum.puts || !sum.replaced || !sum.takes ||
	       !sum.shared_takes || !sum.full || !sum.collisions;
}
