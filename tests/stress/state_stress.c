// SPDX-License-Identifier: MIT
/*
 * Versioned states under threads, and whether what they were told can have
 * happened in some order that agrees with real time (linearizability). Threads
 * update a few words, with versions that are new, late, repeated or contradicting;
 * each update is noted with a ticket before and behind it. Afterwards, for each
 * word, with those that were told inserted or updated called the successful:
 *
 *   1  exactly one was inserted, the smallest successful version
 *   2  no version succeeded twice
 *   3  one that ended before another began has the smaller version, if both succeeded
 *   4  told stale or conflict: a successful one that began before this ended has the
 *      greater version, or the same and the same state (stale) or another (conflict)
 *   5  the word holds the greatest successful version and its state
 *
 * A register whose versions only grow is linearizable if and only if these hold.
 * And what an updater wrote before, into a plain word, is seen by who reads its
 * state: ThreadSanitizer reports it otherwise.
 *
 * usage: state_stress [SECONDS]	exit 0: as it should be; 1: not
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <obsring/state.h>

#define THREADS		4
#define READERS		2
#define WORDS		3
#define UPDATES		400	/* of a thread and a word in a round */
#define NOTES		(THREADS * UPDATES)

struct note {
	__u64 begin, end;	/* tickets */
	__u64 version;
	__u8 state;
	enum obs_state_result result;
};

struct thread {
	pthread_t id;
	__u64 seed;
	unsigned int nr[WORDS];
	__u64 made[WORDS];	/* its newest version */
	struct note note[WORDS][UPDATES];
};

/* Reads only, and orders itself with no updater but by the words. */
struct reader {
	pthread_t id;
	unsigned long seen;
};

static __u64 word[WORDS];
#define PAYLOAD		0x9e3779b97f4a7c15ULL

static __u64 payload[WORDS][NOTES + 1];	/* by version, written before it is set */
static atomic_ullong next_version[WORDS];
static atomic_ullong ticket;
static pthread_barrier_t barrier;
static struct thread threads[THREADS];
static struct reader readers[READERS];
static atomic_bool stop;
static unsigned long counts[OBS_STATE_CONFLICT + 1], overlaps, seen;
static int failures;

static __u64 random64(struct thread *t)
{
	t->seed ^= t->seed << 13;
	t->seed ^= t->seed >> 7;
	t->seed ^= t->seed << 17;
	return t->seed;
}

/* The state that belongs to a version, if nobody contradicts it. */
static __u8 state_of(__u64 version)
{
	return (__u8)(version * 37);
}

/* What was set last is seen whole. */
static void look(struct reader *reader, unsigned int w)
{
	__u64 now = obs_state_word_get(&word[w]), version = obs_state_version(now);

	if (version && payload[w][version] != version * PAYLOAD) {
		printf("word %u, version %llu: %llx\n", w, version, payload[w][version]);
		exit(1);
	}
	reader->seen += !!version;
}

/* A new version, or one of this thread's own again, with another state or not. */
static void choose(struct thread *t, unsigned int w, struct note *note)
{
	unsigned int kind = random64(t) % 8;
	__u64 version = t->made[w];

	if (kind < 6 || !version) {
		version = atomic_fetch_add(&next_version[w], 1) + 1;
		payload[w][version] = version * PAYLOAD;
		t->made[w] = version;
	}
	note->version = version;
	note->state = (__u8)(state_of(version) + (kind == 7));
	/* Let others overtake it. */
	if (kind == 0)
		sched_yield();
}

static void update(struct thread *t, unsigned int w)
{
	struct note *note = &t->note[w][t->nr[w]++];

	choose(t, w, note);
	note->begin = atomic_fetch_add(&ticket, 1);
	note->result = obs_state_word_update(&word[w], note->version, note->state);
	note->end = atomic_fetch_add(&ticket, 1);
}

static void *run(void *arg)
{
	struct thread *t = arg;
	unsigned int i, w;

	pthread_barrier_wait(&barrier);
	for (i = 0; i < UPDATES; i++)
		for (w = 0; w < WORDS; w++)
			update(t, w);
	return NULL;
}

static void *read_states(void *arg)
{
	struct reader *reader = arg;
	unsigned int i;

	for (i = 0; !atomic_load_explicit(&stop, memory_order_relaxed); i++) {
		look(reader, i % WORDS);
		if (i % 64 == 0)
			sched_yield();
	}
	return NULL;
}

/* ---- Checking ------------------------------------------------------------ */

static void fail(unsigned int w, unsigned int rule, const struct note *note)
{
	failures++;
	printf("word %u, rule %u: version %llu state %u result %u [%llu, %llu]\n", w, rule,
	       note->version, note->state, note->result, note->begin, note->end);
}

static bool succeeded(const struct note *note)
{
	return note->result <= OBS_STATE_UPDATED;
}

/* May @other be why @note was told so? */
static bool explains(const struct note *other, const struct note *note)
{
	if (!succeeded(other) || other->begin > note->end)
		return false;
	if (note->result == OBS_STATE_CONFLICT)
		return other->version == note->version && other->state != note->state;
	return other->version > note->version ||
	       (other->version == note->version && other->state == note->state);
}

static void check_pair(unsigned int w, const struct note *a, const struct note *b)
{
	if (a == b || !succeeded(a) || !succeeded(b))
		return;
	if (a->version == b->version)
		fail(w, 2, a);
	if (a->end < b->begin && a->version >= b->version)
		fail(w, 3, b);
	overlaps += a->begin < b->begin && b->begin < a->end;
}

static void check_note(unsigned int w, const struct note *note, const struct note *all,
		       unsigned int nr)
{
	bool explained = succeeded(note);
	unsigned int i;

	for (i = 0; i < nr; i++) {
		check_pair(w, note, &all[i]);
		explained |= explains(&all[i], note);
	}
	if (!explained)
		fail(w, 4, note);
	counts[note->result]++;
}

static void check_word(unsigned int w)
{
	static struct note all[NOTES];
	const struct note *first = NULL, *last = NULL;
	unsigned int i, t, nr = 0, inserted = 0;

	for (t = 0; t < THREADS; t++)
		for (i = 0; i < threads[t].nr[w]; i++)
			all[nr++] = threads[t].note[w][i];
	for (i = 0; i < nr; i++) {
		check_note(w, &all[i], all, nr);
		if (!succeeded(&all[i]))
			continue;
		inserted += all[i].result == OBS_STATE_INSERTED;
		if (!first || all[i].version < first->version)
			first = &all[i];
		if (!last || all[i].version > last->version)
			last = &all[i];
	}
	if (inserted != 1 || first->result != OBS_STATE_INSERTED)
		fail(w, 1, first);
	if (word[w] != (last->version << 8 | last->state))
		fail(w, 5, last);
}

static void round_run(unsigned int number)
{
	unsigned int t, w;

	for (w = 0; w < WORDS; w++) {
		word[w] = 0;
		atomic_store(&next_version[w], 0);
	}
	atomic_store(&stop, false);
	for (t = 0; t < READERS; t++) {
		readers[t].seen = 0;
		pthread_create(&readers[t].id, NULL, read_states, &readers[t]);
	}
	for (t = 0; t < THREADS; t++) {
		threads[t] = (struct thread){
			.seed = (t + 1) * 0x9e3779b97f4a7c15ULL + number,
		};
		pthread_create(&threads[t].id, NULL, run, &threads[t]);
	}
	for (t = 0; t < THREADS; t++)
		pthread_join(threads[t].id, NULL);
	atomic_store_explicit(&stop, true, memory_order_relaxed);
	for (t = 0; t < READERS; t++) {
		pthread_join(readers[t].id, NULL);
		seen += readers[t].seen;
	}
	for (w = 0; w < WORDS; w++)
		check_word(w);
}

/* All that this is about. */
static bool happened(void)
{
	return counts[OBS_STATE_UPDATED] && counts[OBS_STATE_STALE] &&
	       counts[OBS_STATE_CONFLICT] && overlaps && seen;
}

int main(int argc, char **argv)
{
	long seconds = argc > 1 ? atol(argv[1]) : 5;
	time_t until = time(NULL) + seconds, latest = until + 5 * seconds;
	unsigned int rounds = 0;

	pthread_barrier_init(&barrier, NULL, THREADS);
	do {
		round_run(++rounds);
	} while (!failures && (time(NULL) < until ||
			      (!happened() && time(NULL) < latest)));
	printf("%u rounds: %lu inserted, %lu updated, %lu stale, %lu conflicts, %lu overlaps of successful ones, %lu states read\n",
	       rounds, counts[OBS_STATE_INSERTED], counts[OBS_STATE_UPDATED],
	       counts[OBS_STATE_STALE], counts[OBS_STATE_CONFLICT], overlaps, seen);
	if (!happened()) {
		printf("something did not happen at all\n");
		failures++;
	}
	return !!failures;
}
