/* SPDX-License-Identifier: MIT */
/*
 * A complete answer: made once, given to any number of requests at once, and given
 * again as long as it is what would be answered.
 */
#ifndef OBSRINGD_BODY_H
#define OBSRINGD_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <microhttpd.h>

#include "chunk.h"

struct body {
	unsigned int refs;
	uint64_t read_ns;	/* when what it says began to be read; its owner's */
	struct MHD_Response *response;
	const char *content_type, *end;
	bool gzip;
	unsigned int nr_chunks;
	struct chunk *chunk[];
};

/*
 * The bytes of @chunk, which it holds from now on, then those of @end, which stays, as
 * does @content_type. NULL: out of memory.
 */
struct body *body_new(const char *content_type, bool gzip, struct chunk *const *chunk,
		      unsigned int nr, const char *end);

/*
 * Hold it, to answer; give it back when the answer was sent. From any thread; a body
 * that only its owner has left can't be got by others.
 */
struct body *body_get(struct body *body);
void body_put(struct body *body);

/*
 * Another response of the same, which lives no longer than the body is held: for one
 * who adds headers. NULL: out of memory.
 */
struct MHD_Response *body_response(const struct body *body);

/* How long the answer is, without its head. */
size_t body_len(const struct body *body);

/* Is nobody but its owner holding it? Whoever could get it must be locked out. */
bool body_idle(const struct body *body);

#endif /* OBSRINGD_BODY_H */
