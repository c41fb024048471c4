/* SPDX-License-Identifier: MIT */
/*
 * What is noted of a suspicion: where the tasks slept that there were then, so that
 * the alarm can say where those sleep that came after.
 */
#ifndef OBSRINGD_LEAKNOTE_H
#define OBSRINGD_LEAKNOTE_H

#include "leakwatch.h"

struct leaknote;

/* NULL without memory: the others take that. Give it back with free(). */
struct leaknote *leaknote_new(void);

/* Count the tasks of process @pid, or all (0), by @device_fd (-1: none). */
void leaknote_suspect(struct leaknote *note, int device_fd, uint32_t pid);

/* Count them again: did those in one place become more? */
void leaknote_alarm(struct leaknote *note, int device_fd, uint32_t pid);

/* Of what is no task: it allocates. */
enum leak_kind leaknote_kind(const struct leaknote *note);
const char *leaknote_kind_name(const struct leaknote *note);

/* Where they sleep, if it blocks; else "". */
const char *leaknote_stack(const struct leaknote *note);
unsigned int leaknote_more(const struct leaknote *note);	/* so many more */

/* Can anything be seen by @device_fd? */
bool leaknote_sees(int device_fd);

/* As struct leak_calls has clear(). */
void leaknote_forget(void *context, struct leak_subject *subject,
		     enum leak_resource resource, bool alarmed, enum leak_end end);

#endif /* OBSRINGD_LEAKNOTE_H */
