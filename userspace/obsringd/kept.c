// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kept.h"

static void drop_plain(struct kept *kept)
{
	unsigned int i;

	body_put(kept->plain);
	kept->plain = NULL;
	for (i = 0; i < KEPT_SPARES; i++) {
		body_put(kept->spare[i]);
		kept->spare[i] = NULL;
	}
}

void kept_drop(struct kept *kept)
{
	drop_plain(kept);
	body_put(kept->gzip);
	plan_exit(&kept->device);
	plan_exit(&kept->self);
	deflate_codes_free(kept->codes);
	deflated_free(kept->end);
	memset(kept, 0, sizeof(*kept));
}

static void set_lent(struct kept *kept, unsigned int lent)
{
	kept->device.lent = lent;
	kept->self.lent = lent;
}

/* What was moved is elsewhere than the body has it. */
static void drop_moved(struct kept *kept)
{
	if (!kept->device.moved && !kept->self.moved)
		return;
	drop_plain(kept);
	kept->device.moved = false;
	kept->self.moved = false;
}

/* ---- All in one place ---------------------------------------------------- */

static size_t plan_len(const struct plan *plan)
{
	size_t len = 0;
	uint32_t i;

	for (i = 0; i < plan->nr_pieces; i++)
		len += plan->piece[i]->bytes->len;
	return len;
}

static size_t plain_len(const struct kept *kept)
{
	return plan_len(&kept->device) + plan_len(&kept->self) +
	       strlen(kept->device.format->end);
}

static struct body *new_flat(const struct kept *kept, size_t len)
{
	struct chunk *whole = chunk_new(len);
	struct body *body;

	if (!whole)
		return NULL;
	whole->len = len;
	body = body_new(kept->device.format->content_type, false, &whole, 1, "");
	chunk_put(whole);
	return body;
}

/* The bytes of the plan's pieces go to @at, and are the pieces' from now on. */
static int move_in(struct plan *plan, struct chunk *whole, size_t *at)
{
	struct piece *piece;
	struct chunk *part;
	uint32_t i;

	for (i = 0; i < plan->nr_pieces; i++) {
		piece = plan->piece[i];
		part = chunk_part(whole, *at, piece->bytes->len);
		if (!part)
			return -ENOMEM;
		memcpy(part->data, piece->bytes->data, part->len);
		*at += part->len;
		chunk_put(piece->bytes);
		piece->bytes = part;
	}
	return 0;
}

static int make_flat(struct kept *kept, size_t len)
{
	const char *end = kept->device.format->end;
	struct body *body = new_flat(kept, len);
	struct chunk *whole = body ? body->chunk[0] : NULL;
	size_t at = 0;

	if (!body)
		return -ENOMEM;
	if (move_in(&kept->device, whole, &at) < 0 ||
	    move_in(&kept->self, whole, &at) < 0) {
		body_put(body);
		return -ENOMEM;
	}
	memcpy(whole->data + at, end, strlen(end));
	kept->plain = body;
	return 0;
}

static void move_parts(struct plan *plan, struct chunk *whole)
{
	uint32_t i;

	for (i = 0; i < plan->nr_pieces; i++)
		chunk_part_move(plan->piece[i]->bytes, whole);
}

/* One that nobody is sending, in the place of one that was given away for it. */
static struct body **find_spare(struct kept *kept)
{
	unsigned int i;

	for (i = 0; i < KEPT_SPARES; i++)
		if (kept->spare[i] && body_idle(kept->spare[i]))
			return &kept->spare[i];
	for (i = 0; i < KEPT_SPARES - 1 && kept->spare[i]; i++)
		;
	return &kept->spare[i];
}

/* The body is being sent: another one says the same, and takes its place. */
static int replace_flat(struct kept *kept)
{
	struct chunk *old = kept->plain->chunk[0];
	struct body **spare = find_spare(kept), *body = *spare;

	if (!body || !body_idle(body)) {
		body = new_flat(kept, old->len);
		if (!body)
			return -ENOMEM;
		body_put(*spare);
	}
	memcpy(body->chunk[0]->data, old->data, old->len);
	move_parts(&kept->device, body->chunk[0]);
	move_parts(&kept->self, body->chunk[0]);
	*spare = kept->plain;
	kept->plain = body;
	return 0;
}

/* ---- A list of pieces ---------------------------------------------------- */

static unsigned int put_chunks(const struct plan *plan, struct chunk **chunk)
{
	uint32_t i;

	for (i = 0; i < plan->nr_pieces; i++)
		chunk[i] = plan->piece[i]->bytes;
	return plan->nr_pieces;
}

static int make_list(struct kept *kept)
{
	const struct plan *device = &kept->device, *self = &kept->self;
	struct chunk **chunk = calloc(device->nr_pieces + self->nr_pieces + 1,
				      sizeof(*chunk));
	unsigned int nr;

	if (!chunk)
		return -ENOMEM;
	nr = put_chunks(device, chunk);
	nr += put_chunks(self, chunk + nr);
	kept->plain = body_new(device->format->content_type, false, chunk, nr,
			       device->format->end);
	free(chunk);
	return kept->plain ? 0 : -ENOMEM;
}

static int make_plain(struct kept *kept)
{
	size_t len = plain_len(kept);

	kept->flat = len <= KEPT_FLAT_BYTES;
	return kept->flat ? make_flat(kept, len) : make_list(kept);
}

/* ---- gzip ---------------------------------------------------------------- */

static size_t deflated_len(const struct plan *plan)
{
	size_t len = 0;
	uint32_t i;

	for (i = 0; i < plan->nr_pieces; i++)
		len += plan->piece[i]->deflated->len;
	return len;
}

static void gzip_plan(struct gzip *gzip, const struct plan *plan)
{
	uint32_t i;

	for (i = 0; i < plan->nr_pieces; i++)
		gzip_add(gzip, plan->piece[i]->deflated);
}

/*
 * Does an answer of @len bytes hold @need, without too much for nothing? A scrape
 * whose pieces are some bytes longer or shorter then takes the place of the last.
 */
static bool fits(size_t len, size_t need)
{
	return len >= need && len - need <= need / 8 + 512 &&
	       len - need <= GZIP_PAD_MAX - GZIP_PAD_MIN;
}

static struct body *new_gzip(const struct kept *kept, size_t need)
{
	size_t more = need / 16 < GZIP_PAD_MAX / 2 ? need / 16 : GZIP_PAD_MAX / 2;
	struct chunk *chunk = chunk_new(need + more + 128);
	struct body *body;

	if (!chunk)
		return NULL;
	chunk->len = chunk->size;
	body = body_new(kept->device.format->content_type, true, &chunk, 1, "");
	chunk_put(chunk);
	return body;
}

static int make_gzip(struct kept *kept, struct deflater *deflater)
{
	const char *end = kept->device.format->end;
	struct gzip gzip;
	size_t need;

	if (!kept->end && deflate_bytes(deflater, NULL, &kept->end, end, strlen(end)) < 0)
		return -ENOMEM;
	need = GZIP_FRAME_BYTES + GZIP_PAD_MIN + deflated_len(&kept->device) +
	       deflated_len(&kept->self) + kept->end->len;
	if (kept->gzip && (!body_idle(kept->gzip) ||
			   !fits(kept->gzip->chunk[0]->len, need))) {
		body_put(kept->gzip);
		kept->gzip = NULL;
	}
	if (!kept->gzip)
		kept->gzip = new_gzip(kept, need);
	if (!kept->gzip)
		return -ENOMEM;
	gzip_begin(&gzip, kept->gzip->chunk[0]->data,
		   kept->gzip->chunk[0]->len - need + GZIP_PAD_MIN);
	gzip_plan(&gzip, &kept->device);
	gzip_plan(&gzip, &kept->self);
	gzip_add(&gzip, kept->end);
	gzip_end(&gzip);
	return 0;
}

/* ---- A scrape ------------------------------------------------------------ */

int kept_lend(struct kept *kept)
{
	int r = 0;

	drop_moved(kept);
	if (kept->plain && !body_idle(kept->plain)) {
		if (kept->flat)
			r = replace_flat(kept);
		else
			drop_plain(kept);
	}
	set_lent(kept, kept->plain && !r ? 1 : 0);
	return r;
}

int kept_make(struct kept *kept, struct deflater *deflater, bool gzip)
{
	drop_moved(kept);
	if (gzip)
		return make_gzip(kept, deflater);
	return kept->plain ? 0 : make_plain(kept);
}

void kept_end(struct kept *kept)
{
	set_lent(kept, 0);
}
