// SPDX-License-Identifier: MIT
#include <stdlib.h>

#include "chunk.h"

struct chunk *chunk_new(size_t size)
{
	struct chunk *chunk = malloc(sizeof(*chunk) + size);

	if (!chunk)
		return NULL;
	chunk->refs = 1;
	chunk->len = 0;
	chunk->size = size;
	return chunk;
}

struct chunk *chunk_get(struct chunk *chunk)
{
	__atomic_add_fetch(&chunk->refs, 1, __ATOMIC_RELAXED);
	return chunk;
}

void chunk_put(struct chunk *chunk)
{
	/* chunk_put:A, pairs with chunk_alone:B; and who frees it comes last */
	if (chunk && !__atomic_sub_fetch(&chunk->refs, 1, __ATOMIC_ACQ_REL))
		free(chunk);
}

bool chunk_held_by(const struct chunk *chunk, unsigned int nr)
{
	/* chunk_alone:B, pairs with chunk_put:A */
	return __atomic_load_n(&chunk->refs, __ATOMIC_ACQUIRE) <= nr;
}
