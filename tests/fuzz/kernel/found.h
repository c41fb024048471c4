/* SPDX-License-Identifier: MIT */
/* Between main.c and found.c. */
#ifndef OBS_FUZZ_FOUND_H
#define OBS_FUZZ_FOUND_H

#include <sys/types.h>

#include "fuzz.h"

#define STALLED_S	300	/* without a program's end: it hangs */

/**
 * struct report - what the log said
 * @pid: of whom; 0: nothing tells
 * @line: its first line
 */
struct report {
	pid_t pid;
	char line[256];
};

/**
 * struct story - programs, in their order
 * @nr: how many
 * @program: these
 */
struct story {
	unsigned int nr;
	struct program program[LAST_MAX];
};

void log_begin(void);
void log_wait(void);
bool log_read(struct report *report);

void story_of(struct story *story, const struct worker *worker);
void story_print(const struct story *story);
bool does_it(const struct program *program, unsigned int nr);
void found(const struct report *report, unsigned int nr_workers);

/* main.c: loads it again, with the limits that it has; if it can be unloaded. */
void module_anew(void);

#endif
