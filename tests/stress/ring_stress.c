// SPDX-License-Identifier: MIT
/*
 * Log ring under threads: each of WRITERS threads has rings of its own, small and
 * large, that others read, some fast, some slow, some coming and going. Between
 * any two accesses of a writer to shared memory a nested one may run, as an
 * interrupt would, up to NESTING deep, and write records up to the largest; or
 * another thread. A record describes itself: a reader knows each torn one. Only
 * what has been overwritten or replaced may be lost to a reader.
 *
 * Meanwhile another thread gives the rings other lines, of all sizes: the writer
 * takes them between any two accesses, as a CPU does in an interrupt, and nested
 * writers come at each step of that. Readers find them by the writer or, as if by
 * a mapping, when the ring is open again. Old lines are overwritten and freed when
 * no reader can be in them. In the end
 *
 *      tried == stored + lost                        by each writer
 *      stored == read + missed                       by each reader, since it began
 *      stored == overwritten + replaced + left       in each ring
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
#define obs_write_pair(to, from) \
	(obs_write_once(&(to)[0], (from)[0]), obs_write_once(&(to)[1], (from)[1]))
#define obs_barrier() (step(), __atomic_signal_fence(__ATOMIC_SEQ_CST))

#include <obsring/ring.h>

#define WRITERS		2
#define NESTING		4
#define RINGS		2	/* of a writer */
#define READERS		4	/* of a ring */
#define LINES_SHIFT	5	/* rings are replaced by some of 64 << 0 to 4 lines */

enum { FAST, SLOW, VISITING, MAPPED };

struct ring {
	struct obsring_ring control __attribute__((aligned(128)));
	struct obs_ring_writer writer;
	/* Written by its writer. */
	__u64 stored, lost, overwritten, nested;
	__u64 replaced, changes, interrupted, closed, wraps, errors;
	struct lines *_Atomic offered;	/* to the writer */
	struct lines *_Atomic taken;	/* by it: now the old lines */
	struct obsring_line *_Atomic mapped;
	struct lines *now;		/* only the writer, then who changes lines */
	atomic_bool done;
};

/* Lines, and what says how many. */
struct lines {
	__u32 nr;
	struct obsring_line line[] __attribute__((aligned(64)));
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
	struct obs_ring_view view;
	int manner;
	_Atomic __u64 sections;		/* odd: it may be in lines that it found */
	__u64 replaced, read, missed, overruns, visits, empty, pending, errors;
};

static struct writer writers[WRITERS];
static struct reader readers[WRITERS][RINGS][READERS];
static const __u32 sizes[RINGS] = { 64, 1024 };
static atomic_bool stop;
static _Thread_local struct writer *self;
static _Thread_local bool taking;	/* other lines */
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

/* ---- Lines that are replaced --------------------------------------------- */

static struct lines *lines_new(__u32 nr)
{
	size_t bytes = sizeof(struct lines) + nr * sizeof(struct obsring_line);
	struct lines *l = aligned_alloc(64, bytes);

	if (!l)
		abort();
	memset(l, 0, bytes);
	l->nr = nr;
	return l;
}

/* Records in lines that nobody writes any more: all are whole. */
static __u64 records_in(struct ring *r, struct lines *l)
{
	__u64 stamp, nr = 0;
	__u32 i;

	for (i = 0; i < l->nr; i++) {
		stamp = __atomic_load_n(&l->line[i].stamp, __ATOMIC_RELAXED);
		if (stamp & OBSRING_LINE_BUSY && !r->errors++)
			fprintf(stderr, "an unfinished line was replaced\n");
		nr += !!(stamp & OBSRING_LINE_FIRST);
	}
	return nr;
}

/* The writer, wherever it is, is interrupted, and given the lines on offer. */
static void take(struct ring *r)
{
	struct lines *fresh = atomic_exchange(&r->offered, NULL), *old = r->now;
	__u64 line, record;
	bool taken;

	if (!fresh)
		return;
	obs_ring_head(&r->control, &line, &record);
	taking = true;
	taken = obs_ring_replace(&r->writer, fresh->line, fresh->nr);
	taking = false;
	if (!taken) {
		r->interrupted++;
		atomic_store(&r->offered, fresh);
		return;
	}
	r->now = fresh;
	r->changes++;
	r->wraps += line >> 32;
	r->replaced += records_in(r, old);
	atomic_store(&r->taken, old);
}

/* Nobody who is in the ring's lines now will be. */
static void grace(struct reader *of)
{
	__u64 sections;
	int k;

	for (k = 0; k < READERS; k++) {
		sections = atomic_load(&of[k].sections);
		while (sections & 1 && atomic_load(&of[k].sections) == sections)
			sched_yield();
	}
}

static void change(struct ring *r, struct reader *of)
{
	struct lines *fresh = lines_new(OBSRING_RING_LINES_MIN << random64() % LINES_SHIFT);
	struct lines *old;

	obs_ring_prepare(fresh->line, fresh->nr);
	atomic_store(&r->offered, fresh);
	while (!(old = atomic_exchange(&r->taken, NULL))) {
		if (atomic_load(&r->done)) {
			free(atomic_exchange(&r->offered, NULL));
			old = atomic_exchange(&r->taken, NULL);
			if (!old)
				return;
			break;
		}
		sched_yield();
	}
	atomic_store(&r->mapped, fresh->line);
	grace(of);
	obs_ring_reopen(&r->control);
	/* Not atomic: a race, if anybody looks. */
	memset(old->line, 0xa5, old->nr * sizeof(*old->line));
	free(old);
}

static void *change_all(void *unused)
{
	int i, j;

	seed ^= 1;
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		i = (int)(random64() % WRITERS);
		j = (int)(random64() % RINGS);
		change(&writers[i].ring[j], readers[i][j]);
	}
	return unused;
}

/* The view of the ring as it is now; false: look again. */
static bool look(struct reader *r)
{
	struct ring *ring = r->ring;

	if (r->manner != MAPPED)
		return obs_ring_view_of(&ring->writer, &r->view);
	r->view.ring = &ring->control;
	r->view.gen_at = &ring->control.gen;
	if (!obs_ring_attach(&r->view))
		return false;
	r->view.line = atomic_load(&ring->mapped);
	return obs_ring_still(&r->view);
}

static void enter(struct reader *r)
{
	atomic_fetch_add(&r->sections, 1);
	while (!look(r)) {
		atomic_fetch_add(&r->sections, 1);
		sched_yield();
		atomic_fetch_add(&r->sections, 1);
	}
}

static void leave(struct reader *r)
{
	atomic_fetch_add(&r->sections, 1);
}

/* ---- Writers ------------------------------------------------------------- */

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
	r->closed += r->writer.nesting == OBS_RING_CLOSED;
	if (!obs_ring_write(&r->writer, word, nr, &overwritten)) {
		r->lost++;
		return;
	}
	r->stored++;
	r->overwritten += overwritten;
}

/*
 * Now and then another thread, at any place; of a writer, an interrupt: a burst
 * of records into the rings, of which it may be writing one, or other lines for
 * one.
 */
static void step(void)
{
	struct writer *w = self;
	unsigned int n;

	if (!(random64() % 2048))
		sched_yield();
	if (!w || !w->depth || w->depth > NESTING || random64() % (taking ? 64 : 512))
		return;
	w->depth++;
	if (!(random64() % 4))
		take(&w->ring[random64() % RINGS]);
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

/* ---- Readers ------------------------------------------------------------- */

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

/* Was what was lost overwritten, or was the ring replaced since? */
static void lost_check(struct reader *r, const struct obs_ring_cursor *before)
{
	__u64 line, record;

	obs_ring_head(r->view.ring, &line, &record);
	if (before->gen == r->view.gen && line - before->line <= r->view.nr_lines &&
	    obs_ring_still(&r->view) && !r->errors++)
		fprintf(stderr, "lost what has not been overwritten\n");
}

/* Until there is no more: false if the writer is done and all has been seen. */
static bool read_some(struct reader *r, struct obs_ring_cursor *c)
{
	bool done = atomic_load_explicit(&r->ring->done, memory_order_acquire);
	__u64 word[OBS_RING_RECORD_WORDS], line, record;
	struct obs_ring_cursor before = *c;
	struct obs_ring_peeked peeked = { 0 };
	enum obs_ring_result result;

	enter(r);
	result = obs_ring_read(&r->view, c, word, OBS_RING_RECORD_WORDS, &peeked,
			       &r->missed);
	if (result == OBS_RING_LOST)
		lost_check(r, &before);
	leave(r);
	switch (result) {
	case OBS_RING_RECORD:
		r->read++;
		check(r, word, &peeked);
		obs_ring_next(c, &peeked);
		return true;
	case OBS_RING_LOST:
		r->overruns++;
		return true;
	case OBS_RING_REPLACED:
		r->replaced++;
		return true;
	case OBS_RING_EMPTY:
		r->empty++;
		obs_ring_head(r->view.ring, &line, &record);
		r->pending += !done && record != c->record;
		sched_yield();
		return !done;
	}
	return false;
}

static void seek(struct reader *r, struct obs_ring_cursor *c)
{
	bool newest = r->manner == VISITING && random64() & 1;
	bool still;

	do {
		enter(r);
		if (newest)
			obs_ring_seek_newest(&r->view, c);
		else
			obs_ring_seek_oldest(&r->view, c);
		still = obs_ring_still(&r->view);
		leave(r);
	} while (!still);
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

		seek(r, &c);
		if (r->manner == VISITING)
			left = random64() % 256;
		began = c.record;
		r->visits++;
		while ((more = read_some(r, &c)) && left--)
			if (r->manner == SLOW && !(random64() % 16))
				sched_yield();
		expect(r, began, read, missed, &c);
		obs_ring_head(&r->ring->control, &line, &record);
		if (!more && (c.record != record || c.line != line)) {
			fprintf(stderr, "ended before the last record\n");
			r->errors++;
		}
	}
	return NULL;
}

static void rings_make(struct writer *w)
{
	int i;

	for (i = 0; i < RINGS; i++) {
		struct ring *r = &w->ring[i];

		r->now = lines_new(sizes[i]);
		obs_ring_init(&r->writer, &r->control, r->now->line, sizes[i]);
		r->mapped = r->now->line;
	}
}

/* What is still in a ring, told by a reader that starts at the oldest. */
static __u64 left_in(const struct ring *r)
{
	struct obs_ring_cursor c;
	struct obs_ring_view v;
	__u64 line, record;

	if (!obs_ring_view_of(&r->writer, &v))
		abort();
	obs_ring_seek_oldest(&v, &c);
	obs_ring_head(&r->control, &line, &record);
	return record - c.record;
}

int main(int argc, char **argv)
{
	struct timespec span = { .tv_sec = argc > 1 ? atoi(argv[1]) : 2 };
	__u64 stored = 0, lost = 0, overwritten = 0, nested = 0, tried = 0, wraps = 0;
	__u64 replaced = 0, changes = 0, interrupted = 0, closed = 0;
	struct reader sum = { 0 };
	pthread_t changer;
	int i, j, k;

	for (i = 0; i < WRITERS; i++)
		rings_make(&writers[i]);
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
	if (pthread_create(&changer, NULL, change_all, NULL))
		return 1;
	nanosleep(&span, NULL);
	atomic_store(&stop, true);
	pthread_join(changer, NULL);
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
				sum.replaced += d->replaced;
				sum.pending += d->pending;
				sum.errors += d->errors;
			}
			obs_ring_head(&r->control, &line, &record);
			if (record - OBS_RING_RECORD_START != r->stored) {
				fprintf(stderr, "%llu stored, %llu counted\n", r->stored,
					record - OBS_RING_RECORD_START);
				sum.errors++;
			}
			if (r->stored != r->overwritten + r->replaced + left_in(r)) {
				fprintf(stderr, "%llu stored, %llu overwritten, %llu replaced, %llu left\n",
					r->stored, r->overwritten, r->replaced, left_in(r));
				sum.errors++;
			}
			sum.errors += r->errors + (record >> 32 != 1);
			wraps += r->wraps + (line >> 32);
			replaced += r->replaced;
			changes += r->changes;
			interrupted += r->interrupted;
			closed += r->closed;
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
	printf("changes=%llu interrupted=%llu closed=%llu replaced=%llu found=%llu\n",
	       changes, interrupted, closed, replaced, sum.replaced);
	return sum.errors || !lost || !nested || !overwritten || !sum.read ||
	       !sum.missed || !sum.overruns || !sum.pending || sum.visits < 20 ||
	       !wraps || !changes || !interrupted || !closed || !replaced ||
	       !sum.replaced;
}
