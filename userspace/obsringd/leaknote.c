// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <obsring.h>

#include "leaknote.h"

#define PLACES		64
#define LEAST_MORE	2
#define EXITED		"(exited, not waited for)"

/* Tasks that sleep in one place, which a hash of its text stands for. */
struct place {
	uint64_t hash;
	uint32_t tasks;
};

struct leaknote {
	enum leak_kind kind;
	unsigned int more;		/* that sleep in @stack */
	char stack[OBSRING_STACK_MAX];
	bool counted;
	struct place place[PLACES + 1];	/* at the suspicion */
	unsigned int nr;
};

/* The second count, beside the first. */
struct comparison {
	struct leaknote *note;
	uint64_t all;		/* in all places that became more */
};

struct leaknote *leaknote_new(void)
{
	return calloc(1, sizeof(struct leaknote));
}

/* FNV-1a. */
static uint64_t hash_of(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 0x100000001b3;
	return hash;
}

/* Of one text there may be several groups: other functions before what is told. */
static int place_note(const struct obsring_sleep_group *group, void *arg)
{
	struct leaknote *note = arg;
	uint64_t hash = hash_of(group->stack);
	unsigned int i;

	for (i = 0; i < note->nr && note->place[i].hash != hash; i++)
		;
	if (i == PLACES + 1)
		return 0;
	if (i == note->nr)
		note->place[note->nr++] = (struct place){ .hash = hash };
	note->place[i].tasks += group->tasks;
	return 0;
}

static void exited_add(const struct obs_sleeper_counts *counts,
		       int (*fn)(const struct obsring_sleep_group *group, void *arg),
		       void *arg)
{
	struct obsring_sleep_group exited = { .tasks = counts->exited, .stack = EXITED };

	if (counts->exited)
		fn(&exited, arg);
}

void leaknote_suspect(struct leaknote *note, int device_fd, uint32_t pid)
{
	struct obs_sleeper_counts counts;

	if (!note || device_fd < 0 ||
	    obs_sleeper_list(device_fd, pid, &counts, place_note, note) < 0)
		return;
	exited_add(&counts, place_note, note);
	note->counted = true;
}

static int place_compare(const struct obsring_sleep_group *group, void *arg)
{
	struct comparison *comparison = arg;
	struct leaknote *note = comparison->note;
	uint64_t hash = hash_of(group->stack);
	unsigned int i, before = 0, more;

	for (i = 0; i < note->nr; i++) {
		if (note->place[i].hash != hash)
			continue;
		before = note->place[i].tasks;
		/* Another group of that text is all more. */
		note->place[i].tasks = 0;
	}
	more = group->tasks > before ? group->tasks - before : 0;
	comparison->all += more;
	if (more > note->more) {
		note->more = more;
		memcpy(note->stack, group->stack, sizeof(note->stack));
	}
	return 0;
}

void leaknote_alarm(struct leaknote *note, int device_fd, uint32_t pid)
{
	struct comparison comparison = { .note = note };
	struct obs_sleeper_counts counts;

	if (!note)
		return;
	note->kind = LEAK_UNAVAILABLE;
	if (!note->counted || device_fd < 0 ||
	    obs_sleeper_list(device_fd, pid, &counts, place_compare, &comparison) < 0)
		return;
	exited_add(&counts, place_compare, &comparison);
	if (comparison.all >= LEAST_MORE)
		note->kind = 2 * note->more >= comparison.all ? LEAK_BLOCKS : LEAK_ALLOCATES;
	else if (counts.running >= LEAST_MORE)
		note->kind = LEAK_ALLOCATES;
	if (note->kind != LEAK_BLOCKS)
		note->stack[0] = '\0';
}

enum leak_kind leaknote_kind(const struct leaknote *note)
{
	return note ? note->kind : LEAK_ALLOCATES;
}

const char *leaknote_kind_name(const struct leaknote *note)
{
	static const char *const name[LEAK_KIND_NR] = {
		[LEAK_ALLOCATES] = "allocates",
		[LEAK_BLOCKS] = "blocks",
		[LEAK_UNAVAILABLE] = "unavailable",
	};

	return name[leaknote_kind(note)];
}

const char *leaknote_stack(const struct leaknote *note)
{
	return note ? note->stack : "";
}

unsigned int leaknote_more(const struct leaknote *note)
{
	return note ? note->more : 0;
}

static int nothing(const struct obsring_sleep_group *group, void *arg)
{
	(void)group;
	(void)arg;
	return 0;
}

bool leaknote_sees(int device_fd)
{
	struct obs_sleeper_counts counts;

	return device_fd >= 0 && !obs_sleeper_list(device_fd, 1, &counts, nothing, NULL);
}

void leaknote_forget(void *context, struct leak_subject *subject,
		     enum leak_resource resource, bool alarmed, enum leak_end end)
{
	(void)context;
	(void)alarmed;
	(void)end;
	free(subject->note[resource]);
	subject->note[resource] = NULL;
}
