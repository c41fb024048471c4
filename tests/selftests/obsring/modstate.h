/* SPDX-License-Identifier: MIT */
/* All that the module has and holds, as text: two are compared to tell what changed. */
#ifndef SELFTEST_MODSTATE_H
#define SELFTEST_MODSTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct modstate - what the module was seen to have
 * @text: lines, sorted: references, families and series by netlink and in the mapped
 *	directory, numbers of series whose names begin with t_, sources and the hooks
 *	that are set, probes and the kernel's kprobes, rings and what processes wrote, rules,
 *	services; without the module, traces of it that should not be
 * @room_bytes: pages for values and the directory. They are kept for the next series.
 * @refused: what the module says it refused, or gave a common page instead of
 */
struct modstate {
	char text[131072];
	size_t len;
	uint64_t room_bytes;
	uint64_t refused;
};

/* 0 or -errno; -EAGAIN if it changed meanwhile. */
int modstate_take(struct modstate *state);

bool modstate_same(const struct modstate *a, const struct modstate *b);

/*
 * Is @a what @b is without all the lines that have the first of @word, the second, or
 * either? NULL: there is none.
 */
bool modstate_same_without(const struct modstate *a, const struct modstate *b,
			   const char *const word[2]);

/* How many lines one has and the other has not. */
unsigned int modstate_changes(const struct modstate *a, const struct modstate *b);

/* Prints these lines, as comments. */
void modstate_print_changes(const struct modstate *a, const struct modstate *b);

#endif /* SELFTEST_MODSTATE_H */
