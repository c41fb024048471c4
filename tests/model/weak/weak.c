// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "weak.h"

#define LOCATIONS	192
#define THREADS		(1 + WEAK_WRITERS + 1 + WEAK_READERS)
#define MESSAGES	1024	/* of an execution */
#define STEPS		4096
#define CHOICES		4096
#define STACK		65536
#define TRACE		2048
#define EXECUTIONS	60000000UL
#define SIGHTS		32

enum {
	STARTER,
	FIRST_WRITER,
	INTERRUPT = FIRST_WRITER + WEAK_WRITERS,
	FIRST_READER
};

/* Of each location a value, NULL: the first; of each thread how far it is known. */
struct view {
	struct message *at[LOCATIONS];
	unsigned int clock[THREADS];
};

struct message {
	struct message *next;	/* in modification order */
	unsigned int place;	/* there */
	bool exchanged;		/* the next one is an exchange that read this one */
	bool delayed;		/* the interrupt came before it */
	uint64_t value;
	struct view view;
};

struct location {
	char *at;
	size_t size;
	bool owned;
	unsigned int writers;	/* threads, a bit each; of all executions */
	struct message *first;
	/* Of an owned one: who wrote it last, and who read it when. */
	unsigned int wrote, wrote_clock, read_clock[THREADS];
};

struct thread {
	unsigned int id;
	struct view view;	/* the oldest that it may read */
	struct view acquired;	/* of what it read relaxed */
	struct view released;	/* at its last release fence */
	void (*run)(void);
	bool started, done;
	ucontext_t ready;
	jmp_buf at;
};

/* A store of the interrupted writer since its last compiler barrier. */
struct unsettled {
	struct message *message;
	const struct location *location;
	bool release;
	unsigned int fences;	/* write barriers before it */
};

struct choice {
	unsigned short taken, nr;
};

struct step {
	unsigned char thread;
	const char *what;
	const void *at;
	uint64_t value;
	unsigned int place;
};

static struct location location[LOCATIONS];
static unsigned int nr_locations;
static struct message *message;
static unsigned int nr_messages;
static struct thread thread[THREADS];
static struct thread *now;
static struct choice choices[CHOICES];
static unsigned int nr_choices, depth;
static struct step trace[TRACE];
static unsigned int nr_trace;
static const struct weak_scenario *running;
static bool writing, again;
static unsigned int interrupts;
static struct unsettled unsettled[STEPS];
static unsigned int nr_unsettled, fences;
static unsigned int steps;
static jmp_buf scheduler;
static const char *sights[SIGHTS];

/* ---- The search ---------------------------------------------------------- */

static void fail(const char *what)
{
	static const char *const who[THREADS] = {
		"start", "writer 1", "writer 2", "writer 3", "interrupt", "reader 1",
		"reader 2",
	};
	unsigned int i;

	printf("%s: %s\n", running->name, what);
	for (i = 0; i < nr_trace; i++)
		printf("  %-10s%-16s%p%22llx  %u\n", who[trace[i].thread], trace[i].what,
		       trace[i].at, (unsigned long long)trace[i].value, trace[i].place);
	exit(1);
}

/* The machine's own fault, not what is being checked. */
static void give_up(const char *what)
{
	fprintf(stderr, "%s: %s\n", running->name, what);
	exit(2);
}

unsigned int weak_choose(unsigned int nr)
{
	if (nr <= 1)
		return 0;
	if (depth == nr_choices) {
		if (nr_choices == CHOICES)
			give_up("too many choices");
		choices[nr_choices++] = (struct choice){ .nr = nr };
	}
	if (choices[depth].nr != nr)
		give_up("another choice than the last time");
	return choices[depth++].taken;
}

/* On to the next execution. */
static bool advance(void)
{
	while (nr_choices && choices[nr_choices - 1].taken + 1 == choices[nr_choices - 1].nr)
		nr_choices--;
	if (!nr_choices)
		return false;
	choices[nr_choices - 1].taken++;
	return true;
}

void weak_verdict(bool holds, const char *text, const char *file, int line)
{
	char what[512];

	if (holds)
		return;
	snprintf(what, sizeof(what), "%s:%d: not so: %s", file, line, text);
	fail(what);
}

void weak_seen(const char *what)
{
	unsigned int i;

	for (i = 0; i < SIGHTS && sights[i]; i++)
		if (!strcmp(sights[i], what))
			return;
	if (i == SIGHTS)
		give_up("too many sights");
	sights[i] = what;
}

void weak_demand(const char *what, ...)
{
	unsigned int i;
	va_list list;

	va_start(list, what);
	for (; what; what = va_arg(list, const char *)) {
		for (i = 0; i < SIGHTS && sights[i] && strcmp(sights[i], what); i++)
			;
		if (i < SIGHTS && sights[i])
			continue;
		fprintf(stderr, "never seen: %s\n", what);
		exit(2);
	}
	va_end(list);
	memset(sights, 0, sizeof(sights));
}

static void note(const char *what, const void *at, uint64_t value, unsigned int place)
{
	if (nr_trace < TRACE)
		trace[nr_trace++] = (struct step){ now->id, what, at, value, place };
}

/* ---- Views --------------------------------------------------------------- */

static unsigned int place_of(const struct message *m)
{
	return m ? m->place : 0;
}

static void view_join(struct view *view, const struct view *with)
{
	unsigned int i;

	for (i = 0; i < nr_locations; i++)
		if (place_of(with->at[i]) > place_of(view->at[i]))
			view->at[i] = with->at[i];
	for (i = 0; i < THREADS; i++)
		if (with->clock[i] > view->clock[i])
			view->clock[i] = with->clock[i];
}

static void view_copy(struct view *view, const struct view *from)
{
	memcpy(view->at, from->at, nr_locations * sizeof(view->at[0]));
	memcpy(view->clock, from->clock, sizeof(view->clock));
}

/* ---- Locations ----------------------------------------------------------- */

static struct message *new_message(uint64_t value)
{
	struct message *m;

	if (nr_messages == MESSAGES)
		give_up("too many stores");
	m = &message[nr_messages++];
	m->next = NULL;
	m->exchanged = false;
	m->delayed = false;
	m->place = 0;
	m->value = value;
	memset(m->view.at, 0, nr_locations * sizeof(m->view.at[0]));
	memset(m->view.clock, 0, sizeof(m->view.clock));
	return m;
}

static uint64_t memory_get(const char *at, size_t size)
{
	uint64_t value = 0;

	memcpy(&value, at, size);
	return value;
}

static struct location *locate(const void *p, size_t size)
{
	struct location *l;
	unsigned int i;

	for (i = 0; i < nr_locations; i++)
		if (location[i].at == p)
			break;
	l = &location[i];
	if (i == nr_locations) {
		if (i == LOCATIONS)
			give_up("too many locations");
		*l = (struct location){ .at = (char *)p, .size = size };
		nr_locations++;
	}
	if (l->size != size)
		give_up("a word of two sizes");
	/* What was there before anybody stored: memory still has it. */
	if (!l->first)
		l->first = new_message(memory_get(p, size));
	return l;
}

void weak_owned(const void *p, size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes; i += sizeof(uint64_t))
		locate((const char *)p + i, sizeof(uint64_t))->owned = true;
}

/* Somebody who touches what he does not own? */
static void own(struct location *l, bool writes)
{
	unsigned int i;

	if (!l->owned || now->id == STARTER)
		return;
	if (l->wrote_clock > now->view.clock[l->wrote])
		fail("two at once at a word that one owns");
	for (i = 0; writes && i < THREADS; i++)
		if (l->read_clock[i] > now->view.clock[i])
			fail("written while another one reads that owns it");
	if (writes) {
		l->wrote = now->id;
		l->wrote_clock = now->view.clock[now->id];
	} else {
		l->read_clock[now->id] = now->view.clock[now->id];
	}
}

/* ---- Threads ------------------------------------------------------------- */

static struct thread *choose_thread(void)
{
	struct thread *able[WEAK_WRITERS];
	unsigned int i, nr = 0;

	for (i = 0; i < WEAK_WRITERS; i++)
		if (thread[FIRST_WRITER + i].run && !thread[FIRST_WRITER + i].done)
			able[nr++] = &thread[FIRST_WRITER + i];
	return nr ? able[weak_choose(nr)] : NULL;
}

static void go_on(struct thread *t)
{
	now = t;
	if (t->started)
		longjmp(t->at, 1);
	t->started = true;
	setcontext(&t->ready);
}

/*
 * Which of the stores that a compiler may delay are made before the interrupt comes? Of
 * one word those before it as well; a release, and what is behind a write barrier, not
 * without those before.
 */
static void settle(struct view *view)
{
	struct unsettled *u, *before;
	bool may;

	for (u = unsettled; u < unsettled + nr_unsettled; u++) {
		may = true;
		for (before = unsettled; before < u; before++)
			if (before->message->delayed &&
			    (u->release || before->fences < u->fences ||
			     before->location == u->location))
				may = false;
		u->message->delayed = !may || weak_choose(2);
		if (u->message->delayed)
			weak_seen("delayed");
	}
	for (u = unsettled; u < unsettled + nr_unsettled; u++)
		if (!u->message->delayed && u->message->place >
		    place_of(view->at[u->location - location]))
			view->at[u->location - location] = u->message;
}

static void interrupt(void)
{
	struct thread *outer = now, *inner = &thread[INTERRUPT];
	unsigned int i;

	interrupts++;
	now = inner;
	settle(&inner->view);
	view_join(&inner->view, &outer->view);
	view_copy(&inner->acquired, &inner->view);
	view_copy(&inner->released, &outer->released);
	running->interrupt();
	now = outer;
	for (i = 0; i < nr_unsettled; i++)
		unsettled[i].message->delayed = false;
	view_join(&outer->view, &inner->view);
	view_join(&outer->acquired, &inner->view);
	weak_seen("interrupted");
}

/* Before each access: who goes on? */
static void step(struct location *l)
{
	struct thread *next;

	if (++steps > STEPS)
		give_up("does not end");
	now->view.clock[now->id]++;
	if (!writing || now->id == INTERRUPT)
		return;
	if (running->interrupt && now->id == FIRST_WRITER &&
	    interrupts < running->interrupts && weak_choose(2))
		interrupt();
	if (l && !(l->writers & ~(1U << now->id)))
		return;
	next = choose_thread();
	if (next == now)
		return;
	if (!setjmp(now->at))
		go_on(next);
}

/* ---- Accesses ------------------------------------------------------------ */

static struct message **view_of(struct view *view, const struct location *l)
{
	return &view->at[l - location];
}

static struct message *oldest(struct location *l)
{
	struct message *m = *view_of(&now->view, l);

	return m ? m : l->first;
}

/* Before what is delayed. */
static struct message *newest(struct location *l)
{
	struct message *m = l->first;

	while (m->next && !m->next->delayed)
		m = m->next;
	return m;
}

static void took(struct location *l, struct message *m, enum weak_order order)
{
	struct message **seen = view_of(&now->view, l);

	if (m->place > place_of(*seen))
		*seen = m;
	view_join(&now->acquired, &m->view);
	if (order == WEAK_ACQUIRE)
		view_join(&now->view, &m->view);
}

static struct message *pick(struct location *l)
{
	struct message *m = oldest(l), *at;
	unsigned int nr = 0;

	if (now->id == STARTER) {
		while (m->next)
			m = m->next;
		return m;
	}
	/* One CPU: what was stored there is what is read there. */
	if (now->id == INTERRUPT)
		return newest(l);
	for (at = m; at; at = at->next)
		nr++;
	for (nr = weak_choose(nr); nr; nr--)
		m = m->next;
	return m;
}

/* Behind @m in modification order, and in memory. */
static struct message *put_behind(struct location *l, struct message *m, uint64_t value,
				  enum weak_order order)
{
	struct message *stored = new_message(value), *at;

	if (now->id >= FIRST_READER)
		give_up("a reader that writes");
	if (now->id == FIRST_WRITER && running->interrupt)
		unsettled[nr_unsettled++] = (struct unsettled){
			.message = stored, .location = l, .fences = fences,
			.release = order == WEAK_RELEASE,
		};
	stored->next = m->next;
	m->next = stored;
	for (at = stored; at; at = at->next)
		at->place = m->place + 1, m = at;
	if (now->id != STARTER && !(l->writers & 1U << now->id)) {
		l->writers |= 1U << now->id;
		again = true;
	}
	*view_of(&now->view, l) = stored;
	view_copy(&stored->view, order == WEAK_RELEASE ? &now->view : &now->released);
	*view_of(&stored->view, l) = stored;
	memcpy(l->at, &value, l->size);
	return stored;
}

void weak_unseen(void *p, size_t size, uint64_t value)
{
	struct location *l = locate(p, size);
	struct message *m, *stored = new_message(value);

	for (m = l->first; m->next; m = m->next)
		;
	m->next = stored;
	stored->place = m->place + 1;
	*view_of(&stored->view, l) = stored;
}

uint64_t weak_load(const void *p, size_t size, enum weak_order order)
{
	struct location *l = locate(p, size);
	struct message *m;

	step(l);
	own(l, false);
	m = pick(l);
	took(l, m, order);
	note(order == WEAK_ACQUIRE ? "load acquire" : "load", p, m->value, m->place);
	return m->value;
}

void weak_store(void *p, size_t size, uint64_t value, enum weak_order order)
{
	struct location *l = locate(p, size);
	struct message *m, *at;
	unsigned int nr = 0;

	if (size < sizeof(value))
		value &= (1ULL << 8 * size) - 1;
	step(l);
	own(l, true);
	if (now->id == INTERRUPT) {
		m = put_behind(l, newest(l), value, order);
		note(order == WEAK_RELEASE ? "store release" : "store", p, value, m->place);
		return;
	}
	/* Behind each that it may, but not between an exchange and what that read. */
	for (at = oldest(l); at; at = at->next)
		nr += !at->exchanged;
	nr = weak_choose(nr);
	for (m = oldest(l); nr || m->exchanged; m = m->next)
		nr -= !m->exchanged;
	m = put_behind(l, m, value, order);
	note(order == WEAK_RELEASE ? "store release" : "store", p, value, m->place);
}

/* What an exchange may read: not what another one has. */
static struct message *pick_exchange(struct location *l, const uint64_t *other)
{
	struct message *able[MESSAGES], *m;
	unsigned int nr = 0;

	if (now->id == INTERRUPT)
		return newest(l);
	for (m = oldest(l); m; m = m->next)
		if (!m->exchanged || (other && m->value != *other))
			able[nr++] = m;
	return able[weak_choose(nr)];
}

static void exchange(struct location *l, struct message *m, uint64_t value,
		     enum weak_order order)
{
	struct message *stored = put_behind(l, m, value, order);

	m->exchanged = true;
	/* It is made where it stands. */
	if (now->id == FIRST_WRITER && running->interrupt)
		nr_unsettled--;
	view_join(&stored->view, &m->view);
	note("exchange", l->at, value, stored->place);
}

bool weak_cmpxchg(void *p, size_t size, void *old, uint64_t value, enum weak_order order)
{
	uint64_t expected = memory_get(old, size);
	struct location *l = locate(p, size);
	struct message *m;

	step(l);
	own(l, true);
	m = pick_exchange(l, &expected);
	took(l, m, m->value == expected ? order : WEAK_RELAXED);
	if (m->value == expected) {
		exchange(l, m, value, order);
		return true;
	}
	note("no exchange", p, m->value, m->place);
	memcpy(old, &m->value, size);
	return false;
}

uint64_t weak_add(void *p, uint64_t value)
{
	struct location *l = locate(p, sizeof(value));
	struct message *m;

	step(l);
	m = pick_exchange(l, NULL);
	took(l, m, WEAK_RELAXED);
	value += m->value;
	exchange(l, m, value, WEAK_RELAXED);
	return value;
}

void weak_fence(enum weak_order order)
{
	if (order == WEAK_ACQUIRE)
		view_join(&now->view, &now->acquired);
	if (order == WEAK_RELEASE)
		view_copy(&now->released, &now->view);
	if (now->id == FIRST_WRITER && order == WEAK_COMPILER)
		nr_unsettled = 0;
	if (now->id == FIRST_WRITER && order == WEAK_RELEASE)
		fences++;
	note(order == WEAK_ACQUIRE ? "read barrier" : order == WEAK_RELEASE ?
	     "write barrier" : "barrier", NULL, 0, 0);
}

/* ---- An execution -------------------------------------------------------- */

static void thread_main(void)
{
	struct thread *next;

	now->run();
	now->done = true;
	next = choose_thread();
	if (next)
		go_on(next);
	longjmp(scheduler, 1);
}

/* On a stack of its own, before its first step. */
static void thread_prepare(struct thread *t, unsigned int i)
{
	static char stack[WEAK_WRITERS][STACK] __attribute__((aligned(16)));

	t->started = false;
	getcontext(&t->ready);
	t->ready.uc_stack.ss_sp = stack[i];
	t->ready.uc_stack.ss_size = sizeof(stack[i]);
	t->ready.uc_link = NULL;
	makecontext(&t->ready, thread_main, 0);
}

static void write_all(void)
{
	unsigned int i, nr = 0;

	for (i = 0; i < WEAK_WRITERS; i++)
		nr += !!running->writer[i];
	writing = true;
	if (nr == 1) {
		now = &thread[FIRST_WRITER];
		now->run();
		if (running->interrupt && interrupts < running->interrupts &&
		    weak_choose(2))
			interrupt();
		now->done = true;
	} else if (nr && !setjmp(scheduler)) {
		for (i = 0; i < WEAK_WRITERS; i++)
			thread_prepare(&thread[FIRST_WRITER + i], i);
		go_on(choose_thread());
	}
	writing = false;
}

static void reset(void)
{
	unsigned int i;

	for (i = 0; i < nr_locations; i++) {
		location[i].first = NULL;
		location[i].wrote_clock = 0;
		memset(location[i].read_clock, 0, sizeof(location[i].read_clock));
	}
	for (i = 0; i < THREADS; i++) {
		memset(&thread[i].view, 0, sizeof(thread[i].view));
		memset(&thread[i].acquired, 0, sizeof(thread[i].acquired));
		memset(&thread[i].released, 0, sizeof(thread[i].released));
		thread[i].id = i;
		thread[i].done = true;
	}
	nr_messages = nr_trace = depth = steps = 0;
	interrupts = nr_unsettled = fences = 0;
	now = &thread[STARTER];
}

/* Everybody knows what was made before. */
static void begin(void)
{
	unsigned int i;

	running->start();
	for (i = FIRST_WRITER; i < THREADS; i++) {
		view_copy(&thread[i].view, &thread[STARTER].view);
		view_copy(&thread[i].acquired, &thread[STARTER].view);
	}
	for (i = 0; i < WEAK_WRITERS; i++) {
		thread[FIRST_WRITER + i].run = running->writer[i];
		thread[FIRST_WRITER + i].done = !running->writer[i];
	}
}

static void execute(void)
{
	unsigned int i;

	reset();
	begin();
	write_all();
	for (i = 0; i < WEAK_READERS && running->reader[i]; i++) {
		now = &thread[FIRST_READER + i];
		running->reader[i]();
	}
	now = &thread[STARTER];
	if (running->end)
		running->end();
}

void weak_explore(const struct weak_scenario *scenario)
{
	unsigned long executions = 0;

	if (!message)
		message = calloc(MESSAGES, sizeof(*message));
	if (!message)
		abort();
	running = scenario;
	memset(location, 0, sizeof(location));
	nr_locations = nr_choices = 0;
	do {
		again = false;
		execute();
		/* Somebody wrote a word that nobody knew of: threads meet there. */
		if (again)
			nr_choices = 0;
		if (++executions > EXECUTIONS)
			give_up("more executions than are worth it");
	} while (again || advance());
	printf("%s: holds, %lu executions\n", scenario->name, executions);
}
