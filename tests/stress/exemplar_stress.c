// SPDX-License-Identifier: MIT
/*
 * Exemplars under threads: writers, each interrupted by a timer's signals whose
 * handler writes the same few slots, readers that copy them without end, and
 * lives that end: when all writers are out, the slots are cleared, and what the
 * next life writes is of that life. Every copy must be whole (its parts are
 * made from one number), of the life that it was read in, and never older than
 * the one that the same reader saw before in the slot.
 *
 * usage: exemplar_stress [SECONDS]	exit 0: as it should be; 1: not
 *
 * Built with -fsanitize=thread it also finds a word that is touched without an
 * atomic access. All words being atomic, a missing order is no race to the
 * sanitizer: it shows as a torn exemplar, on a machine that reorders.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <obsring/directory.h>
#include <obsring/exemplar.h>

#define WRITERS		3
#define READERS		2
#define SLOTS		3
#define NESTED		16	/* writes of a signal */
#define SLOW_EVERY	64	/* reads between two that are slow */
#define SIGNAL_NS	200000
#define LIFE_NS		200000
#define MORE		30	/* s, for what did not happen yet */

struct tally {
	unsigned long stored, held, busy, nested_stored, nested_busy;
	unsigned long found, none, written, ended, repeated;
	unsigned long errors;
};

struct thread {
	pthread_t thread;
	pid_t tid;
	unsigned int nr;
	struct tally tally;
	unsigned long reads;				/* readers */
	__u64 last_time[SLOTS], last_gen[SLOTS];
};

static struct obsring_exemplar slot[SLOTS];
static __u32 gen = 1;		/* of the series that has the slots */
static atomic_ullong clock_ns;
static atomic_bool stop;
static atomic_uint inside;	/* writers that may hold the life's slots */
static atomic_bool closed;	/* none may come in: a life ends */
static _Thread_local struct thread *self;
static _Thread_local volatile sig_atomic_t writing;

static __u64 mix(__u64 n, __u64 part)
{
	n = (n ^ part * 0x9e3779b97f4a7c15ULL) * 0x2545f4914f6cdd1dULL;
	return n ^ n >> 29;
}

/* All of it follows from its value, which tells the life in its low half. */
static struct obsring_trace trace_of(__u64 value)
{
	__u64 word[3] = { mix(value, 1), mix(value, 2), mix(value, 3) | 1 };
	struct obsring_trace trace = { 0 };

	memcpy(trace.trace_id, &word[0], 16);
	memcpy(trace.span_id, &word[2], 8);
	return trace;
}

static enum obs_exemplar_put write_one(unsigned int i)
{
	__u64 seq = obs_exemplar_look(&slot[i]);
	/* Most are far enough from the one before not to be held. */
	__u64 time = atomic_fetch_add(&clock_ns, OBS_EXEMPLAR_HOLD_NS / 2) +
		     OBS_EXEMPLAR_HOLD_NS;
	__u64 value = time << 32 | obs_read_once(&gen);
	struct obsring_trace trace = trace_of(value);

	return obs_exemplar_put(&slot[i], seq, value, time, &trace);
}

/* What must happen; without any order, which would hide a race. */
enum {
	MET_STORED = 1 << 0,
	MET_HELD = 1 << 1,
	MET_BUSY = 1 << 2,
	MET_NESTED_STORED = 1 << 3,
	MET_NESTED_BUSY = 1 << 4,
	MET_FOUND = 1 << 5,
	MET_NONE = 1 << 6,
	MET_WRITTEN = 1 << 7,
	MET_ENDED = 1 << 8,
	MET_ALL = (1 << 9) - 1
};

static atomic_uint met;

static void meet(unsigned int what)
{
	if (!(atomic_load_explicit(&met, memory_order_relaxed) & what))
		atomic_fetch_or_explicit(&met, what, memory_order_relaxed);
}

static void interrupted(int signal)
{
	unsigned int i;

	(void)signal;
	if (!self || !writing)
		return;
	for (i = 0; i < NESTED; i++) {
		switch (write_one(i % SLOTS)) {
		case OBS_EXEMPLAR_STORED:
			self->tally.nested_stored++;
			meet(MET_NESTED_STORED);
			break;
		case OBS_EXEMPLAR_BUSY:
			self->tally.nested_busy++;
			meet(MET_NESTED_BUSY);
			break;
		case OBS_EXEMPLAR_HELD:
			break;
		}
	}
}

static timer_t timer_start(void)
{
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = SIGUSR1,
	};
	struct itimerspec often = {
		.it_value.tv_nsec = SIGNAL_NS,
		.it_interval.tv_nsec = SIGNAL_NS,
	};
	timer_t timer;

	event._sigev_un._tid = gettid();
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) ||
	    timer_settime(timer, 0, &often, NULL)) {
		perror("timer");
		exit(1);
	}
	return timer;
}

/* A stay among the writers: what the registry's grace period waits for. */
static bool writer_enter(void)
{
	atomic_fetch_add(&inside, 1);
	if (!atomic_load(&closed))
		return true;
	atomic_fetch_sub(&inside, 1);
	return false;
}

static void *write_all(void *arg)
{
	timer_t timer;
	unsigned int i;

	self = arg;
	timer = timer_start();
	while (!atomic_load(&stop)) {
		if (!writer_enter()) {
			sched_yield();
			continue;
		}
		writing = 1;
		for (i = 0; i < 64; i++) {
			switch (write_one((self->nr + i) % SLOTS)) {
			case OBS_EXEMPLAR_STORED:
				self->tally.stored++;
				meet(MET_STORED);
				break;
			case OBS_EXEMPLAR_HELD:
				self->tally.held++;
				meet(MET_HELD);
				break;
			case OBS_EXEMPLAR_BUSY:
				self->tally.busy++;
				meet(MET_BUSY);
				break;
			}
		}
		writing = 0;
		atomic_signal_fence(memory_order_seq_cst);
		atomic_fetch_sub(&inside, 1);
	}
	timer_delete(timer);
	return NULL;
}

static void error(struct thread *t, const char *what,
		  const struct obsring_exemplar *e)
{
	if (!t->tally.errors++)
		fprintf(stderr, "%s: seq %llu value %llx time %llu\n", what,
			e->seq, e->value, e->time_ns);
}

static void check(struct thread *t, unsigned int i, __u32 life,
		  const struct obsring_exemplar *e)
{
	struct obsring_trace trace = trace_of(e->value);

	t->tally.found++;
	meet(MET_FOUND);
	if (e->value >> 32 != (__u32)e->time_ns ||
	    memcmp(e->trace_id, trace.trace_id, sizeof(e->trace_id)) ||
	    memcmp(e->span_id, trace.span_id, sizeof(e->span_id)))
		error(t, "torn", e);
	if ((__u32)e->value != life)
		error(t, "of another life", e);
	if (t->last_gen[i] == life && e->time_ns < t->last_time[i])
		error(t, "older than the one before", e);
	t->tally.repeated += t->last_time[i] == e->time_ns;
	t->last_time[i] = e->time_ns;
	t->last_gen[i] = life;
}

static void read_one(struct thread *t, unsigned int i)
{
	enum obs_exemplar_get get;
	struct obsring_exemplar e;
	__u32 life = obs_entry_begin(&gen);

	if (!obs_gen_alive(life))
		return;
	get = obs_exemplar_get(&slot[i], &e);
	if (++t->reads % SLOW_EVERY == 0)
		sched_yield();
	if (!obs_entry_end(&gen, life)) {
		t->tally.ended++;
		meet(MET_ENDED);
		return;
	}
	if (get == OBS_EXEMPLAR_FOUND) {
		check(t, i, life, &e);
	} else if (get == OBS_EXEMPLAR_NONE) {
		t->tally.none++;
		meet(MET_NONE);
	} else {
		t->tally.written++;
		meet(MET_WRITTEN);
	}
}

static void *read_all(void *arg)
{
	struct thread *t = arg;
	unsigned int i = 0;

	while (!atomic_load(&stop))
		read_one(t, i++ % SLOTS);
	return NULL;
}

/* As the registry does it: retire, tell, wait for writers, clear, publish. */
static void life_end(void)
{
	unsigned int i;

	obs_entry_retire(&gen);
	obs_wmb();
	atomic_store(&closed, true);
	while (atomic_load(&inside))
		sched_yield();
	for (i = 0; i < SLOTS; i++)
		obs_exemplar_clear(&slot[i]);
	obs_entry_publish(&gen);
	atomic_store(&closed, false);
}

/* And on until all that must happen has, where many others run. */
static unsigned long lives_until(time_t seconds)
{
	struct timespec life = { .tv_nsec = LIFE_NS }, now;
	unsigned long lives = 0;
	time_t end;

	clock_gettime(CLOCK_MONOTONIC, &now);
	for (end = now.tv_sec + seconds;
	     now.tv_sec < end || (atomic_load(&met) != MET_ALL && now.tv_sec < end + MORE);
	     lives++) {
		nanosleep(&life, NULL);
		life_end();
		clock_gettime(CLOCK_MONOTONIC, &now);
	}
	return lives;
}

static void tally_add(struct tally *sum, const struct tally *t)
{
	sum->stored += t->stored;
	sum->held += t->held;
	sum->busy += t->busy;
	sum->nested_stored += t->nested_stored;
	sum->nested_busy += t->nested_busy;
	sum->found += t->found;
	sum->none += t->none;
	sum->written += t->written;
	sum->ended += t->ended;
	sum->repeated += t->repeated;
	sum->errors += t->errors;
}

int main(int argc, char **argv)
{
	static struct thread thread[WRITERS + READERS];
	struct sigaction action = { .sa_handler = interrupted, .sa_flags = SA_RESTART };
	struct tally sum = { 0 };
	unsigned long lives;
	unsigned int i;

	sigaction(SIGUSR1, &action, NULL);
	for (i = 0; i < WRITERS + READERS; i++) {
		thread[i].nr = i;
		if (pthread_create(&thread[i].thread, NULL,
				   i < WRITERS ? write_all : read_all, &thread[i]))
			return 1;
	}
	lives = lives_until(argc > 1 ? atoi(argv[1]) : 2);
	atomic_store(&stop, true);
	for (i = 0; i < WRITERS + READERS; i++) {
		pthread_join(thread[i].thread, NULL);
		tally_add(&sum, &thread[i].tally);
	}
	printf("lives=%lu stored=%lu held=%lu busy=%lu nested_stored=%lu nested_busy=%lu found=%lu none=%lu being_written=%lu ended=%lu errors=%lu\n",
	       lives, sum.stored, sum.held, sum.busy, sum.nested_stored,
	       sum.nested_busy, sum.found, sum.none, sum.written, sum.ended,
	       sum.errors);
	return sum.errors || !lives || !sum.stored || !sum.held || !sum.busy ||
	       !sum.nested_stored || !sum.nested_busy || !sum.found ||
	       !sum.none || !sum.written || !sum.ended;
}
