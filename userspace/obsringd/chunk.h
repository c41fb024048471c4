/* SPDX-License-Identifier: MIT */
/*
 * Bytes that several may hold: the plan that writes them, and answers that are
 * being sent. Who finds that it alone holds a chunk may write it in place.
 *
 *   chunk_put:A        release of refs    what a sender read ...
 *   chunk_alone:B      acquire of refs    ... it read before the bytes change
 */
#ifndef OBSRINGD_CHUNK_H
#define OBSRINGD_CHUNK_H

#include <stdbool.h>
#include <stddef.h>

struct chunk {
	unsigned int refs;
	size_t len, size;
	char *data;
	struct chunk *whole;	/* that its bytes are of; NULL: its own */
};

/* Empty, with room for @size bytes; NULL: out of memory. */
struct chunk *chunk_new(size_t size);
struct chunk *chunk_get(struct chunk *chunk);

/*
 * @len bytes of @whole from @at on, as a chunk that holds it. NULL: out of memory.
 */
struct chunk *chunk_part(struct chunk *whole, size_t at, size_t len);

/* The same bytes of another one, for a part that one alone holds. */
void chunk_part_move(struct chunk *part, struct chunk *whole);

/* NULL is fine. */
void chunk_put(struct chunk *chunk);

/*
 * Do @nr hold it, and no more? Whoever can add a holder must be locked out. An answer
 * holds a whole, which is once for each of its parts.
 */
bool chunk_held_by(const struct chunk *chunk, unsigned int nr);

#endif /* OBSRINGD_CHUNK_H */
