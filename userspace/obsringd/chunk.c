// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "chunk.h"

struct chunk *chunk_new(size_t size)
{
	struct chunk *chunk = malloc(sizeof(*chunk) + size);

	if (!chunk)
		return NULL;
	*chunk = (struct chunk){ .refs = 1, .size = size, .data = (char *)(chunk + 1) };
	return chunk;
}

struct chunk *chunk_part(struct chunk *whole, size_t at, size_t len)
{
	struct chunk *part = malloc(sizeof(*part));

	if (part)
		*part = (struct chunk){ .refs = 1, .len = len, .size = len,
					.data = whole->data + at,
					.whole = chunk_get(whole) };
	return part;
}

void chunk_part_move(struct chunk *part, struct chunk *whole)
{
	size_t at = part->data - part->whole->data;

	chunk_put(part->whole);
	part->whole = chunk_get(whole);
	part->data = whole->data + at;
}

struct chunk *chunk_get(struct chunk *chunk)
{
	__atomic_add_fetch(&chunk->refs, 1, __ATOMIC_RELAXED);
	return chunk;
}

void chunk_put(struct chunk *chunk)
{
	/* chunk_put:A, pairs with chunk_alone:B; and who frees it comes last */
	if (!chunk || __atomic_sub_fetch(&chunk->refs, 1, __ATOMIC_ACQ_REL))
		return;
	chunk_put(chunk->whole);
	free(chunk);
}

bool chunk_held_by(const struct chunk *chunk, unsigned int nr)
{
	/* chunk_alone:B, pairs with chunk_put:A */
	return __atomic_load_n(&chunk->refs, __ATOMIC_ACQUIRE) + !!chunk->whole <= nr;
}
