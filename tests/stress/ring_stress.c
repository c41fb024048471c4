// SPDX-License-Identifier: MIT
/*
 * Log ring under threads: each of WRITERS threads has rings of its own, small and
 * large, that others read, some fast, some slow, some coming and going. Between
 * any two accesses of a writer to shared memory a nested one may run, as an
 * interrupt would, up to NESTING deep, and write records up to the largest; or
 * another thread. A record describes itself: a reader knows each torn one. Only
 * what has been overwritten may be lost to a reader. In the end
 *
 *      tried == stored + lost              by each writer
 *      stored == read + missed             by each reader, since it began
 *      stored == overwritten + left        in each ring
 *
 * usage: ring_stress [SECONDS]	exit 0: as it should be; 1: not
 * With ThreadSanitizer it finds what is touched without an atomic access. All
 * words being atomic, a missing order is no race to it: that shows as a torn
 * record, on a machine that reorders.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <obsring/platform.h>

static void step(void);

/* Each access of the header's is a place where an interrupt may come. */
#undef obs_read_once
#undef obs_write_once
#undef obs_barrier
#define obs_read_once(p) (step(), __atomic_load_n((p), __ATOMIC_RELAXED))
#define obs_write_once(p, v) (step(), __atomic_store_n((p), (v), __ATOMIC_RELAXED))
#define obs_barrier() (step(), __atomic_signal_fence(__ATOMIC_SEQ_CST))

#include <obsring/ring.h>

#define WRITERS		2
#define NESTING		4
#define RINGS		2	/* of a writer */
#define READERS		3	/* of a ring: fast, slow, coming and going */

enum { FAST, SLOW, VISITING };

struct ring {
	struct obsring_ring control __attribute__((aligned(128)));
	struct obs_ring_writer writer;
	struct obs_ring_view view;
	__u64 stored, lost, overwritten, nested;	/* written by its writer */
	atomic_bool done;
};

struct writer {
	pthread_t thread;
	struct ring ring[RINGS];
	__u64 seed, tried;
	unsigned int depth;
};

struct reader {
	pthread_t thread;
	struct ring *ring;
	int manner;
	__u64 read, missed, overruns, visits, empty, pending, errors;
};

static struct writer writers[WRITERS];
static struct reader readers[WRITERS][RINGS][READERS];
static const __u32 sizes[RINGS] = { 64, 1024 };
static atomic_bool stop;
static _Thread_local struct writer *self;
static _Thread_local __u64 seed = 0x2545f4914f6cdd1dULL;

static __u64 random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Word @i of the record that @id stands for. */
static __u64 word_of(__u64 id, __u32 i)
{
	return (id + i) * 0x9e3779b97f4a7c15ULL ^ id >> 7;
}

/* A record: {its words, number by the ring}, id, then what follows from it. */
static void put(struct writer *w, struct ring *r)
{
	__u64 word[OBS_RING_RECORD_WORDS];
	__u64 id = random64();
	bool large = !(random64() % (w->depth > 1 ? 2 : 8));
	__u32 nr = 2 + random64() % (large ? OBS_RING_RECORD_WORDS - 1 : 20);
	__u32 i, overwritten = 0;

	word[0] = (__u64)nr << 32;
	word[1] = id;
	for (i = 2; i < nr; i++)
		word[i] = word_of(id, i);
	w->tried++;
	r->nested += w->depth > 1;
	if (!obs_ring_write(&r->writer, word, nr, &overwritten)) {
		r->lost++;
		return;
	}
	r->stored++;
	r->overwritten += overwritten;
}

/*
 * Now and then another thread, at any place; of a writer, an interrupt: a burst
 * of records into the rings, of which it may be writing one.
 */
static void step(void)
{
	struct writer *w = self;
	unsigned int n;

	if (!(random64() % 2048))
		sched_yield();
	if (!w || !w->depth || w->depth > NESTING || random64() % 512)
		return;
	w->depth++;
	for (n = 1 + random64() % 4; n; n--)
		put(w, &w->ring[random64() % RINGS]);
	w->depth--;
}

static void *write_all(void *arg)
{
	struct writer *w = arg;
	int i;

	seed = w->seed;
	self = w;
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		struct ring *r = &w->ring[random64() % RINGS];

		w->depth = 1;
		put(w, r);
		w->depth = 0;
		if (!(random64() % 64))
			sched_yield();
	}
	self = NULL;
	for (i = 0; i < RINGS; i++)
		atomic_store_explicit(&w->ring[i].done, true, memory_order_release);
	return NULL;
}

static void check(struct reader *r, const __u64 *word, const struct obs_ring_peeked *peeked)
{
	__u32 nr = word[0] >> 32, i;

	if (nr < 2 || obs_ring_lines_for(nr) != peeked->lines) {
		if (!r->errors++)
			fprintf(stderr, "a record of %u words in %u lines\n", nr, peeked->lines);
		return;
	}
	for (i = 2; i < nr; i++) {
		if (word[i] == word_of(word[1], i))
			continue;
		if (!r->errors++)
			fprintf(stderr, "torn at word %u of %u\n", i, nr);
		return;
	}
}

/* Until there is no more: false if the writer is done and all has been seen. */
static bool read_some(struct reader *r, struct obs_ring_cursor *c)
{
	bool done = atomic_load_explicit(&r->ring->done, memory_order_acquire);
	__u64 word[OBS_RING_RECORD_WORDS], line, record, was = c->line;
	struct obs_ring_peeked peeked = { 0 };

	switch (obs_ring_peek(&r->ring->view, c, word, OBS_RING_RECORD_WORDS,
			      &peeked, &r->missed)) {
	case OBS_RING_RECORD:
		r->read++;
		check(r, word, &peeked);
		obs_ring_next(c, &peeked);
		return true;
	case OBS_RING_LOST:
		r->overruns++;
		obs_ring_head(r->ring->view.ring, &line, &record);
		if (line - was <= r->ring->view.nr_lines && !r->errors++)
			fprintf(stderr, "lost what has not been overwritten\n");
		return true;
	case OBS_RING_EMPTY:
		r->empty++;
		obs_ring_head(r->ring->view.ring, &line, &record);
		r->pending += !done && record != c->record;
		sched_yield();
		return !done;
	}
	return false;
}

static void expect(struct reader *r, __u64 began, __u64 read, __u64 missed,
		   const struct obs_ring_cursor *c)
{
	if (c->record - began == r->read - read + r->missed - missed)
		return;
	r->errors++;
	fprintf(stderr, "%llu records from %llu on: %llu read, %llu missed\n",
		c->record - began, began, r->read - read, r->missed - missed);
}

static void *read_all(void *arg)
{
	struct reader *r = arg;
	struct obs_ring_cursor c;
	bool more = true;

	seed = (__u64)(uintptr_t)r * 0x9e3779b97f4a7c15ULL | 1;
	while (more) {
		__u64 read = r->read, missed = r->missed, began;
		__u64 line, record;
		unsigned long left = ~0UL;

		if (r->manner == VISITING && random64() & 1)
			obs_ring_seek_newest(&r->ring->view, &c);
		else
			obs_ring_seek_oldest(&r->ring->view, &c);
		if (r->manner == VISITING)
			left = random64() % 256;
		began = c.record;
		r->visits++;
		while ((more = read_some(r, &c)) && left--)
			if (r->manner == SLOW && !(random64() % 16))
				sched_yield();
		expect(r, began, read, missed, &c);
		obs_ring_head(r->ring->view.ring, &line, &record);
		if (!more && (c.record != record || c.line != line)) {
			fprintf(stderr, "ended before the last record\n");
			r->errors++;
		}
	}
	return NULL;
}

static int rings_make(struct writer *w)
{
	int i;

	for (i = 0; i < RINGS; i++) {
		struct ring *r = &w->ring[i];
		size_t bytes = sizes[i] * sizeof(struct obsring_line);
		struct obsring_line *line = aligned_alloc(64, bytes);

		if (!line)
			return 1;
		memset(line, 0, bytes);
		obs_ring_init(&r->writer, &r->control, line, sizes[i]);
		r->view.ring = &r->control;
		r->view.line = line;
		r->view.nr_lines = sizes[i];
	}
	return 0;
}

/* What is still in a ring, told by a reader that starts at the oldest. */
static __u64 left_in(const struct ring *r)
{
	struct obs_ring_cursor c;
	__u64 line, record;

	obs_ring_seek_oldest(&r->view, &c);
	obs_ring_head(&r->control, &line, &record);
	return record - c.record;
}

int main(int argc, char **argv)
{
	struct timespec span = { .tv_sec = argc > 1 ? atoi(argv[1]) : 2 };
	__u64 stored = 0, lost = 0, overwritten = 0, nested = 0, tried = 0, wraps = 0;
	struct reader sum = { 0 };
	int i, j, k;

	for (i = 0; i < WRITERS; i++)
		if (rings_make(&writers[i]))
			return 1;
	for (i = 0; i < WRITERS; i++) {
		writers[i].seed = 0x9e3779b97f4a7c15ULL * (i + 1);
		for (j = 0; j < RINGS; j++)
			for (k = 0; k < READERS; k++) {
				readers[i][j][k].ring = &writers[i].ring[j];
				readers[i][j][k].manner = k;
				if (pthread_create(&readers[i][j][k].thread, NULL,
						   read_all, &readers[i][j][k]))
					return 1;
			}
		if (pthread_create(&writers[i].thread, NULL, write_all, &writers[i]))
			return 1;
	}
	nanosleep(&span, NULL);
	atomic_store(&stop, true);
	for (i = 0; i < WRITERS; i++) {
		pthread_join(writers[i].thread, NULL);
		tried += writers[i].tried;
		for (j = 0; j < RINGS; j++) {
			struct ring *r = &writers[i].ring[j];
			__u64 line, record;

			for (k = 0; k < READERS; k++) {
				struct reader *d = &readers[i][j][k];

				pthread_join(d->thread, NULL);
				sum.read += d->read;
				sum.missed += d->missed;
				sum.overruns += d->overruns;
				sum.visits += d->visits;
				sum.pending += d->pending;
				sum.errors += d->errors;
			}
			obs_ring_head(&r->control, &line, &record);
			if (record - r->control.first_record != r->stored) {
				fprintf(stderr, "%llu stored, %llu counted\n", r->stored,
					record - r->control.first_record);
				sum.errors++;
			}
			if (r->stored != r->overwritten + left_in(r)) {
				fprintf(stderr, "%llu stored, %llu overwritten, %llu left\n",
					r->stored, r->overwritten, left_in(r));
				sum.errors++;
			}
			wraps += (line >> 32) + (record >> 32);
			stored += r->stored;
			lost += r->lost;
			overwritten += r->overwritten;
			nested += r->nested;
		}
	}
	if (tried != stored + lost) {
		fprintf(stderr, "%llu tried, %llu stored, %llu lost\n", tried, stored, lost);
		sum.errors++;
	}
	printf("tried=%llu stored=%llu lost=%llu nested=%llu overwritten=%llu wraps=%llu "
	       "read=%llu missed=%llu overruns=%llu visits=%llu unfinished=%llu errors=%llu\n",
	       tried, stored, lost, nested, overwritten, wraps, sum.read, sum.missed,
	       sum.overruns, sum.visits, sum.pending, sum.errors);
	return sum.errors || !lost || !nested || !overwritten || !sum.read ||
	       !sum.missed || !sum.overruns || !sum.pending || sum.visits < 20 ||
	       wraps != 2 * WRITERS * RINGS;
}
