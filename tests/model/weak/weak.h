/* SPDX-License-Identifier: MIT */
/*
 * A memory that reorders as much as C11 lets it, and a search through all that it may
 * do: the headers of include/obsring themselves, compiled against it (platform.h), are
 * run again and again, until each possible choice was made once.
 *
 * Memory. A location has all values that were ever stored in it, in one order (its
 * modification order, which need not be the order in which the stores were executed).
 * A thread has a view: of each location, the oldest value that it may still read. It
 * reads that or any later one, which is a choice; a store goes behind what is in the
 * view, before or behind others' stores, which is one as well; an exchange goes
 * directly behind what it read.
 *
 *   store-release   the value takes the thread's view along
 *   load-acquire    the thread takes the value's view over
 *   release fence   later relaxed stores take the view of this moment along
 *   acquire fence   the views of what was read relaxed before are taken over
 *   an exchange passes on the view of what it read
 *
 * That is what the literature calls the view semantics of RC11. What it does not have:
 * a load that is satisfied by a store which depends on what stands behind the load
 * (load buffering). In its place, words that belong to one thread at a time are named
 * by weak_owned(): who touches one without being ordered behind those who did before
 * has failed. So the order of a load before a release is checked there alone.
 * Words that a header touches plainly are what was stored there last.
 *
 * Threads. @writer run interleaved at each access of a word that another one writes.
 * @reader only read: so they run behind the writers, and still read of each location
 * any value, old ones as well; that is the same set of executions. An interrupt comes
 * at any access of its writer, up to @interrupts times, runs to its end, and then the
 * writer goes on. It is on the writer's CPU: it reads what was stored there last, but
 * for stores since the writer's last compiler barrier, any of which a compiler may have
 * left for later: those come behind the interrupt.
 */
#ifndef WEAK_H
#define WEAK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum weak_order {
	WEAK_RELAXED,
	WEAK_ACQUIRE,
	WEAK_RELEASE,
	WEAK_COMPILER,
};

#define WEAK_WRITERS	3
#define WEAK_READERS	2

struct weak_scenario {
	const char *name;
	void (*start)(void);		/* makes what is there before */
	void (*writer[WEAK_WRITERS])(void);
	void (*interrupt)(void);	/* of the only writer */
	unsigned int interrupts;
	void (*reader[WEAK_READERS])(void);
	void (*end)(void);		/* who sees everything */
};

/*
 * Goes through all of the scenario. Prints how many executions it has and, if a check
 * fails, the one in which it did, and exits.
 */
void weak_explore(const struct weak_scenario *scenario);

/* What must hold at this point. */
#define weak_check(condition) weak_verdict(condition, #condition, __FILE__, __LINE__)
void weak_verdict(bool holds, const char *text, const char *file, int line);

/* What must happen in at least one execution: else the scenario shows nothing. */
void weak_seen(const char *what);
/* All that must have been seen by now; NULL ends the list. */
void weak_demand(const char *what, ...);

/* One of @nr, each in turn. */
unsigned int weak_choose(unsigned int nr);

/* Words of one thread at a time. Called by start. */
void weak_owned(const void *p, size_t bytes);

/* A store of somebody of whom nobody has heard, behind all there are: called by start. */
void weak_unseen(void *p, size_t size, uint64_t value);

uint64_t weak_load(const void *p, size_t size, enum weak_order order);
void weak_store(void *p, size_t size, uint64_t value, enum weak_order order);
bool weak_cmpxchg(void *p, size_t size, void *old, uint64_t value, enum weak_order order);
uint64_t weak_add(void *p, uint64_t value);
void weak_fence(enum weak_order order);

#endif /* WEAK_H */
