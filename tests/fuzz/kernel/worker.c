// SPDX-License-Identifier: MIT
/* A process that makes programs, runs them and keeps those that found something. */
#include <err.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "fuzz.h"

#define GROUP_OBSRING	978	/* the guest's */
#define HINTS_MAX	96
#define HINTS_DEPTH	6
#define CHEAP_NS	20000000

/*
 * Who it is: root; a user in the device's group; one who may open nothing. Root may
 * do most, and is most of them.
 */
static void become(unsigned int role)
{
	static const gid_t group = GROUP_OBSRING;
	uid_t uid = role % 4 == 1 ? 1001 : 65534;

	if (role % 4 != 1 && role % 8 != 3)
		return;
	if (setgroups(role % 4 == 1, &group) || setgid(uid) || setuid(uid))
		err(2, "setuid");
}

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
	while (shared->cost_ns[at] > CHEAP_NS && --tries);
	return &shared->corpus[at];
}

static void next_program(struct random *random, struct program *program)
{
	const struct program *from = shared->guided && !chance(random, 4) ? choose(random) : NULL;

	if (!from) {
		program_make(random, program);
		return;
	}
	*program = *from;
	program_mutate(random, program, choose(random));
}

/* Noted first: what the kernel dies of must be known. */
static uint32_t run(struct worker *worker, const struct program *program,
		    const struct module_text *text, struct kcov *kcov, struct kcov *child)
{
	uint64_t cost_ns;
	uint32_t new;

	worker->last[worker->programs % LAST_MAX] = *program;
	__atomic_store_n(&worker->programs, worker->programs + 1, __ATOMIC_RELEASE);
	cost_ns = now_ns();
	execute(program);
	cost_ns = now_ns() - cost_ns;
	new = kcov_collect(kcov, text) + kcov_collect(child, text);
	if (new)
		keep(program, cost_ns);
	return new;
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

/**
 * struct trying - what it takes to try programs
 * @worker: whose they are
 * @text: of the module
 * @kcov: of this process
 * @child: of one that it forks
 * @random: numbers
 */
struct trying {
	struct worker *worker;
	const struct module_text *text;
	struct kcov *kcov, *child;
	struct random *random;
};

/*
 * What a program's bytes were compared with, in their place; and where that reaches a
 * new block, what is compared there, so that a word is found byte by byte. Single bytes
 * stand in many places: a few are tried.
 */
static void try_hints(struct trying *t, const struct program *program, unsigned int depth)
{
	uint64_t hint[HINTS_MAX][3];
	struct program changed;
	uint32_t nr, i, c, at, tries;

	kcov_disable(t->kcov);
	kcov_enable(t->kcov, true);
	execute(program);
	kcov_disable(t->kcov);
	nr = kcov_hints(t->kcov, t->text, hint, HINTS_MAX);
	kcov_enable(t->kcov, false);
	for (i = 0; i < nr; i++)
		for (tries = hint[i][0] == 1 ? 4 : 1; tries && !stopped(); tries--) {
			if (!place_of(t->random, program, hint[i][0], hint[i][1], &c, &at))
				break;
			changed = *program;
			memcpy(changed.call[c].data + at, &hint[i][2], hint[i][0]);
			if (run(t->worker, &changed, t->text, t->kcov, t->child) && depth)
				try_hints(t, &changed, depth - 1);
		}
}

void worker_run(struct worker *worker, const struct module_text *text, unsigned int role,
		struct kcov *kcov, struct kcov *child)
{
	struct random random = { worker->seed };
	struct trying trying = { worker, text, kcov, child, &random };
	struct program program;
	uint32_t new;

	prctl(PR_SET_PDEATHSIG, 9);
	become(role);
	execute_begin(child);
	kcov_enable(kcov, false);
	while (!stopped()) {
		next_program(&random, &program);
		new = run(worker, &program, text, kcov, child);
		if (shared->guided && (new || chance(&random, 64)))
			try_hints(&trying, &program, HINTS_DEPTH);
	}
	kcov_disable(kcov);
	__atomic_store_n(&worker->done, true, __ATOMIC_RELEASE);
}

void worker_replay(const struct program *program, unsigned int role, struct kcov *child)
{
	become(role);
	execute_begin(child);
	execute(program);
}
