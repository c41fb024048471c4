// SPDX-License-Identifier: MIT
/* A process that makes programs, runs them and keeps those that found something. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

#define HINTS_MAX	96
#define HINTS_DEPTH	6
#define HINTS_TRIED	8	/* of a program: new ones find more */
#define MADE_MAX	64	/* programs, until one is not dear */
#define PAUSE_US	2000000	/* longer than a grace period of RCU's tasks */

static void keep(const struct program *program, uint64_t cost_ns)
{
	uint32_t at = __atomic_fetch_add(&shared->nr_claimed, 1, __ATOMIC_RELAXED);

	if (at >= CORPUS_MAX)
		return;
	shared->corpus[at] = *program;
	shared->cost_ns[at] = cost_ns;
	__atomic_store_n(&shared->whole[at], true, __ATOMIC_RELEASE);
	at = __atomic_load_n(&shared->nr_corpus, __ATOMIC_ACQUIRE);
	/* Up to the first that another worker is still writing. */
	while (at < CORPUS_MAX && __atomic_load_n(&shared->whole[at], __ATOMIC_ACQUIRE))
		__atomic_compare_exchange_n(&shared->nr_corpus, &at, at + 1, false,
					    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* What a program costs, as a rule. */
static uint64_t cheap_ns;

/*
 * Newer ones more often: they are what few programs reach. Cheap ones as well: one
 * that waits for a grace period costs a thousand others.
 */
static const struct program *choose(struct random *random)
{
	uint32_t nr = __atomic_load_n(&shared->nr_corpus, __ATOMIC_ACQUIRE);
	uint32_t newest = nr < 32 ? nr : 32, tries = 4, at;

	if (!nr)
		return NULL;
	do
		at = chance(random, 3) ? nr - 1 - below(random, newest) : below(random, nr);
	while (shared->cost_ns[at] > 3 * cheap_ns && --tries);
	return &shared->corpus[at];
}

/* One of an earlier corpus that nobody has run yet. */
static bool next_seed(struct program *program)
{
	uint32_t at;

	if (__atomic_load_n(&shared->nr_sown, __ATOMIC_RELAXED) >= shared->nr_seeds)
		return false;
	at = __atomic_fetch_add(&shared->nr_sown, 1, __ATOMIC_RELAXED);
	if (at >= shared->nr_seeds)
		return false;
	*program = shared->seed[at];
	return true;
}

/* Some kind of call in it takes more than its share: not now. */
static bool dear(struct random *random, const struct program *program)
{
	uint32_t i;

	for (i = 0; i < program->nr; i++)
		if (below(random, PATIENCE) >=
		    __atomic_load_n(&shared->patience[call_kind(&program->call[i])],
				    __ATOMIC_RELAXED))
			return true;
	return false;
}

static void make_program(struct random *random, struct program *program)
{
	const struct program *from = shared->guided && !chance(random, 4) ? choose(random) : NULL;

	if (!from) {
		program_make(random, program);
		return;
	}
	*program = *from;
	program_mutate(random, program, choose(random));
}

static void next_program(struct random *random, struct program *program)
{
	unsigned int tries = MADE_MAX;

	if (next_seed(program))
		return;
	do
		make_program(random, program);
	while (dear(random, program) && --tries);
}

/**
 * struct trying - what it takes to try programs; one a process
 * @worker: whose they are
 * @text: of the module
 * @kcov: of this process
 * @child: of one that it forks
 * @random: numbers
 * @new: blocks that the program reached first
 * @nr_hints: what its bytes were compared with
 * @hint: { bytes, what was there, with what }
 */
static struct trying {
	struct worker *worker;
	const struct module_text *text;
	struct kcov *kcov, *child;
	struct random random;
	uint32_t new;
	uint32_t nr_hints;
	uint64_t hint[HINTS_MAX][3];
} t;

/* Behind each call: its text alone may fill the area. */
static void collect(void)
{
	t.new += kcov_collect(t.kcov, t.text) + kcov_collect(t.child, t.text);
}

static void collect_hints(void)
{
	t.nr_hints = kcov_hints(t.kcov, t.text, t.hint, t.nr_hints, HINTS_MAX);
}

/* Noted first: what the kernel dies of must be known. */
static uint32_t run(const struct program *program)
{
	uint64_t cost_ns;

	t.worker->at = __atomic_fetch_add(&shared->nr_begun, 1, __ATOMIC_RELAXED) % LAST_MAX;
	shared->last[t.worker->at] = *program;
	__atomic_store_n(&t.worker->programs, t.worker->programs + 1, __ATOMIC_RELEASE);
	t.new = 0;
	cost_ns = now_ns();
	execute(program, collect);
	cost_ns = now_ns() - cost_ns;
	cheap_ns = (15 * cheap_ns + cost_ns) / 16;
	if (t.new)
		keep(program, cost_ns);
	return t.new;
}

static bool stopped(void)
{
	return __atomic_load_n(&shared->stop, __ATOMIC_RELAXED) ||
	       __atomic_load_n(&shared->calls, __ATOMIC_RELAXED) >=
	       __atomic_load_n(&shared->limit, __ATOMIC_RELAXED);
}

/* One of the places in a program's bytes where @value stands; false: there is none. */
static bool place_of(struct random *random, const struct program *program, uint64_t bytes,
		     uint64_t value, uint32_t *ret_call, uint32_t *ret_at)
{
	uint32_t c, at, nr = 0;

	for (c = 0; c < program->nr; c++)
		for (at = 0; at + bytes <= program->call[c].size; at++)
			if (!memcmp(program->call[c].data + at, &value, bytes) &&
			    chance(random, ++nr)) {
				*ret_call = c;
				*ret_at = at;
			}
	return nr;
}

/*
 * What a program's bytes were compared with, in their place, a few by chance; and where
 * that reaches a new block, what is compared there, so that a word is found byte by byte.
 */
static void try_hints(const struct program *program, unsigned int depth)
{
	uint64_t hint[HINTS_MAX][3];
	struct program changed;
	uint32_t nr, i, c, at, tries;

	kcov_disable(t.kcov);
	kcov_enable(t.kcov, true);
	t.nr_hints = 0;
	execute(program, collect_hints);
	kcov_disable(t.kcov);
	kcov_enable(t.kcov, false);
	nr = t.nr_hints;
	memcpy(hint, t.hint, sizeof(hint));
	for (tries = 0; nr && tries < HINTS_TRIED && !stopped(); tries++) {
		i = below(&t.random, nr);
		if (!place_of(&t.random, program, hint[i][0], hint[i][1], &c, &at))
			continue;
		changed = *program;
		memcpy(changed.call[c].data + at, &hint[i][2], hint[i][0]);
		if (run(&changed) && depth)
			try_hints(&changed, depth - 1);
	}
}

void worker_run(struct worker *worker, const struct module_text *text, struct kcov *kcov,
		struct kcov *child)
{
	struct program program;
	uint32_t new;

	t = (struct trying){
		.worker = worker, .text = text, .kcov = kcov, .child = child,
		.random = { worker->seed },
	};
	execute_begin(child);
	kcov_enable(kcov, false);
	while (!stopped()) {
		next_program(&t.random, &program);
		new = run(&program);
		if (shared->guided && (new || chance(&t.random, 128)) &&
		    !dear(&t.random, &program))
			try_hints(&program, HINTS_DEPTH);
	}
	kcov_disable(kcov);
	__atomic_store_n(&worker->done, true, __ATOMIC_RELEASE);
}

static void nothing(void)
{
}

/*
 * Twice, and a while between: what was removed is freed behind a grace period, and may be
 * met only then.
 */
void worker_replay(const struct program *program, unsigned int nr)
{
	unsigned int i, times = 2;

	execute_begin(NULL);
	while (times--) {
		for (i = 0; i < nr; i++)
			execute(&program[i], nothing);
		if (times)
			usleep(PAUSE_US);
	}
}
