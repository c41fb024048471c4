/* SPDX-License-Identifier: MIT */
/* Segments that have something of all that is rendered. */
#ifndef TESTS_RENDERED_H
#define TESTS_RENDERED_H

#include <stdint.h>

#include "segment.h"

#define NR(array) (sizeof(array) / sizeof((array)[0]))
#define NAMES(...) ((const char *const[]){ __VA_ARGS__ })
#define RENDERED_NR 7

extern const struct rendered {
	const char *name;
	void (*build)(struct segment *s);
} rendered[RENDERED_NR];

/* Names that are escaped in the formats; nothing. */
void build_odd(struct segment *s);
void build_empty(struct segment *s);

uint32_t labelled_add(struct segment *s, enum obsring_kind kind, const char *name,
		      const char *help, unsigned int nr, const char *const *label);
void exemplar_put(struct segment *s, uint32_t series, uint32_t range, uint64_t value,
		  uint64_t time_ns, uint8_t id);

#endif /* TESTS_RENDERED_H */
