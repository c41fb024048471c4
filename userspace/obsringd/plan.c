// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"
#include "proto.h"

#define ENTRY_BYTES_MIN 32	/* hidden ones have none; finding one looks at all */

void plan_init(struct plan *plan, const struct format *format)
{
	*plan = (struct plan){ .format = format, .piece_bytes = PLAN_PIECE_BYTES };
	layout_init(&plan->layout, format);
}

void plan_exit(struct plan *plan)
{
	uint32_t i;

	for (i = 0; i < plan->nr_pieces; i++)
		piece_free(plan->piece[i]);
	free(plan->piece);
	free(plan->family);
	free(plan->series);
	free(plan->waking);
	layout_exit(&plan->layout);
	memset(plan, 0, sizeof(*plan));
}

/* What failed for want of memory leaves a plan that nobody uses. */
static bool ok(struct plan *plan, int r)
{
	if (r < 0)
		plan->failed = true;
	return r >= 0;
}

/* ---- Maps from ids ------------------------------------------------------- */

static int grow(void *array, uint32_t *nr, uint32_t want, size_t size)
{
	void **data = array, *new;
	uint32_t max = *nr + *nr / 2;

	if (want <= *nr)
		return 0;
	if (max < want)
		max = want;
	new = reallocarray(*data, max, size);
	if (!new)
		return -ENOMEM;
	memset((char *)new + *nr * size, 0, (max - *nr) * size);
	*data = new;
	*nr = max;
	return 0;
}

static struct plan_family *family_of(struct plan *plan,
				     const struct obs_family_info *family, enum part part)
{
	uint32_t index = family->id * PART_NR + part;

	return index < plan->nr_families ? &plan->family[index] : NULL;
}

static struct piece *series_piece(const struct plan *plan,
				  const struct obs_series_info *series, enum part part)
{
	uint32_t index = series->id * PART_NR + part;

	return index < plan->nr_series ? plan->series[index] : NULL;
}

/* The part that an entry is of stands with it: a piece may have both. */
static void map_entry(struct plan *plan, const struct entry *entry, struct piece *piece)
{
	if (entry->type == ENTRY_FAMILY)
		plan->family[entry->family->id * PART_NR + entry->part].piece = piece;
	else
		plan->series[entry->series->id * PART_NR + entry->part] = piece;
}

/* ---- Pieces -------------------------------------------------------------- */

static uint32_t piece_index(const struct plan *plan, const struct piece *piece)
{
	uint32_t i = plan->nr_pieces;

	/* Most is done at the end. */
	while (plan->piece[--i] != piece)
		;
	return i;
}

static int pieces_insert(struct plan *plan, uint32_t index, struct piece *piece)
{
	struct piece **new;
	uint32_t max = plan->max_pieces;

	if (plan->nr_pieces == max) {
		max += max / 2 + 4;
		new = reallocarray(plan->piece, max, sizeof(*new));
		if (!new)
			return -ENOMEM;
		plan->piece = new;
		plan->max_pieces = max;
	}
	memmove(&plan->piece[index + 1], &plan->piece[index],
		(plan->nr_pieces - index) * sizeof(*plan->piece));
	plan->piece[index] = piece;
	plan->nr_pieces++;
	if (plan->nr_pieces >= PLAN_PIECES_MANY &&
	    !(plan->nr_pieces % PLAN_PIECES_STEP) && plan->piece_bytes < 1U << 30)
		plan->piece_bytes *= 2;
	plan->moved = true;
	return 0;
}

static void pieces_remove(struct plan *plan, struct piece *piece)
{
	uint32_t index = piece_index(plan, piece);

	plan->nr_pieces--;
	memmove(&plan->piece[index], &plan->piece[index + 1],
		(plan->nr_pieces - index) * sizeof(*plan->piece));
	plan->moved = true;
	piece_free(piece);
}

static struct piece *piece_add(struct plan *plan, uint32_t index)
{
	struct piece *piece = piece_new(plan->piece_bytes + plan->piece_bytes / 4);

	if (!piece || pieces_insert(plan, index, piece) < 0) {
		piece_free(piece);
		return NULL;
	}
	return piece;
}

static bool piece_full(const struct plan *plan, const struct piece *piece)
{
	return piece->bytes->len >= plan->piece_bytes ||
	       piece->nr_entries >= plan->piece_bytes / ENTRY_BYTES_MIN;
}

/*
 * Where something is put in: @piece and @place. Behind a full one that is the last,
 * as when all are first read, begins another, which leaves full pieces behind.
 */
static int make_room(struct plan *plan, struct piece **piece, struct place *place)
{
	if (!*piece || (piece_full(plan, *piece) && place->entry == (*piece)->nr_entries &&
			*piece == plan->piece[plan->nr_pieces - 1])) {
		*piece = piece_add(plan, plan->nr_pieces);
		*place = (struct place){ 0 };
	}
	return *piece ? 0 : -ENOMEM;
}

/* One that has become twice as long is divided in the middle. */
static int divide(struct plan *plan, struct piece *piece)
{
	struct place place = { 0 };
	struct piece *tail;
	uint32_t i;

	if (piece->nr_entries < 2 ||
	    (piece->bytes->len < 2 * plan->piece_bytes &&
	     piece->nr_entries < 2 * (plan->piece_bytes / ENTRY_BYTES_MIN)))
		return 0;
	do {
		place = piece_after(piece, place);
	} while (place.entry < piece->nr_entries - 1 &&
		 place.at < piece->bytes->len / 2);
	tail = piece_split(piece, place, plan->lent);
	if (!tail)
		return -ENOMEM;
	if (pieces_insert(plan, piece_index(plan, piece) + 1, tail) < 0) {
		piece_free(tail);
		return -ENOMEM;
	}
	for (i = 0; i < tail->nr_entries; i++)
		map_entry(plan, &tail->entry[i], tail);
	return 0;
}

/* ---- Entries ------------------------------------------------------------- */

static int entry_insert(struct plan *plan, struct piece **piece, struct place *place,
			const struct entry *entry)
{
	int r = make_room(plan, piece, place);

	if (!r)
		r = piece_insert(*piece, *place, entry);
	if (!r)
		map_entry(plan, entry, *piece);
	return r;
}

static void entry_remove(struct plan *plan, struct piece *piece, struct place place)
{
	map_entry(plan, &piece->entry[place.entry], NULL);
	piece_remove(piece, place);
	if (!piece->nr_entries)
		pieces_remove(plan, piece);
}

/* What the layout has at hand becomes the bytes of the entry. */
static int entry_show(struct plan *plan, struct piece *piece, struct place place)
{
	const struct layout *layout = &plan->layout;

	plan->moved = true;
	return piece_fill(piece, place, layout->text.data, layout->text.len,
			  layout->field, layout->nr_fields, plan->lent);
}

static int entry_hide(struct plan *plan, struct piece *piece, struct place place)
{
	plan->moved = true;
	return piece_clear(piece, place, plan->lent);
}

static int head_show(struct plan *plan, const struct obs_family_info *info,
		     enum part part, struct plan_family *family)
{
	int r = layout_family(&plan->layout, info, part);

	if (r < 0)
		return r;
	family->resized = true;
	return entry_show(plan, family->piece, piece_find(family->piece, info, part));
}

static int series_show(struct plan *plan, const struct obs_series_info *series,
		       enum part part)
{
	struct plan_family *family = family_of(plan, series->family, part);
	struct piece *piece = series_piece(plan, series, part);
	int r = 0;

	if (!family->nr_shown++)
		r = head_show(plan, series->family, part, family);
	if (!r)
		r = layout_series(&plan->layout, series, part);
	if (r < 0)
		return r;
	family->len += plan->layout.text.len;
	family->resized = true;
	return entry_show(plan, piece, piece_find(piece, series, part));
}

static int series_hide(struct plan *plan, const struct obs_series_info *series,
		       enum part part)
{
	struct plan_family *family = family_of(plan, series->family, part);
	struct piece *piece = series_piece(plan, series, part);
	struct place place = piece_find(piece, series, part);
	int r;

	if (!piece->entry[place.entry].shown)
		return 0;
	family->len -= piece->entry[place.entry].len;
	family->resized = true;
	r = entry_hide(plan, piece, place);
	if (r < 0 || --family->nr_shown)
		return r;
	return entry_hide(plan, family->piece,
			  piece_find(family->piece, series->family, part));
}

/* ---- Families ------------------------------------------------------------ */

/* The head of the first family behind @index, or the end. */
static void find_next_head(const struct plan *plan, uint32_t index,
			   struct piece **piece, struct place *place)
{
	const struct plan_family *family;
	uint32_t i;

	for (i = index + 1; i < plan->nr_families; i++) {
		family = &plan->family[i];
		if (!family->piece)
			continue;
		*piece = family->piece;
		*place = piece_find_head(family->piece, i / PART_NR, i % PART_NR);
		return;
	}
	*piece = plan->nr_pieces ? plan->piece[plan->nr_pieces - 1] : NULL;
	*place = *piece ? piece_end(*piece) : (struct place){ 0 };
}

static int family_add(struct plan *plan, const struct obs_family_info *info,
		      enum part part)
{
	uint32_t index = info->id * PART_NR + part;
	struct entry entry = { .family = info, .type = ENTRY_FAMILY, .part = part };
	struct piece *piece;
	struct place place;
	int r;

	r = grow(&plan->family, &plan->nr_families, index + 1, sizeof(*plan->family));
	if (r < 0)
		return r;
	find_next_head(plan, index, &piece, &place);
	plan->family[index] = (struct plan_family){ 0 };
	return entry_insert(plan, &piece, &place, &entry);
}

void plan_family_add(struct plan *plan, const struct obs_family_info *family)
{
	unsigned int part;

	for (part = 0; part < layout_nr_parts(family); part++)
		if (plan->failed || !ok(plan, family_add(plan, family, part)))
			return;
}

/* Its series went before it. */
void plan_family_remove(struct plan *plan, const struct obs_family_info *info)
{
	struct plan_family *family;
	unsigned int part;

	/* Another one may come to be where it was. */
	plan->layout.family = NULL;
	for (part = 0; part < layout_nr_parts(info) && !plan->failed; part++) {
		family = family_of(plan, info, part);
		if (family && family->piece)
			entry_remove(plan, family->piece,
				     piece_find(family->piece, info, part));
	}
}

/* ---- Series -------------------------------------------------------------- */

static void find_behind(struct plan *plan, const struct obs_series_info *series,
			const struct obs_series_info *before, enum part part,
			struct piece **piece, struct place *place)
{
	if (before) {
		*piece = series_piece(plan, before, part);
		*place = piece_find(*piece, before, part);
	} else {
		*piece = family_of(plan, series->family, part)->piece;
		*place = piece_find(*piece, series->family, part);
	}
	*place = piece_after(*piece, *place);
}

static int series_add(struct plan *plan, const struct obs_series_info *series,
		      const struct obs_series_info *before, const struct entry *entry)
{
	struct piece *piece;
	struct place place;
	int r;

	r = grow(&plan->series, &plan->nr_series, (series->id + 1) * PART_NR,
		 sizeof(*plan->series));
	if (r < 0)
		return r;
	find_behind(plan, series, before, entry->part, &piece, &place);
	r = entry_insert(plan, &piece, &place, entry);
	if (!r && !series->overflow)
		r = series_show(plan, series, entry->part);
	return r < 0 ? r : divide(plan, piece);
}

void plan_series_add_at(struct plan *plan, const struct obs_series_info *series,
			const struct obs_series_info *before, uint64_t array,
			uint32_t slot)
{
	struct entry entry = {
		.series = series,
		.type = ENTRY_SERIES,
		.array = array,
		.slot = slot,
		.kind = series->family->kind,
		.exp10 = series->family->exp10,
	};
	const struct plan_family *family;

	for (; entry.part < layout_nr_parts(series->family); entry.part++) {
		family = family_of(plan, series->family, entry.part);
		if (plan->failed || !family || !family->piece)
			return;
		ok(plan, series_add(plan, series, before, &entry));
	}
}

void plan_series_add(struct plan *plan, const struct obs_series_info *series,
		     const struct obs_series_info *before)
{
	uint64_t array = 0;
	uint32_t slot = 0;

	obs_series_place(series, &array, &slot);
	plan_series_add_at(plan, series, before, array, slot);
}

void plan_series_remove(struct plan *plan, const struct obs_series_info *series)
{
	struct piece *piece;
	unsigned int part;

	for (part = 0; part < layout_nr_parts(series->family); part++) {
		piece = plan->failed ? NULL : series_piece(plan, series, part);
		if (!piece || !ok(plan, series_hide(plan, series, part)))
			return;
		entry_remove(plan, piece, piece_find(piece, series, part));
	}
}

/* ---- For render ---------------------------------------------------------- */

void plan_series_wake(struct plan *plan, const struct obs_series_info *series)
{
	const struct obs_series_info **new;
	uint32_t max = plan->max_waking;

	if (plan->nr_waking && plan->waking[plan->nr_waking - 1] == series)
		return;
	if (plan->nr_waking == max) {
		max = max * 2 + 4;
		new = reallocarray(plan->waking, max, sizeof(*new));
		if (!ok(plan, new ? 0 : -ENOMEM))
			return;
		plan->waking = new;
		plan->max_waking = max;
	}
	plan->waking[plan->nr_waking++] = series;
}

static void wake(struct plan *plan, const struct obs_series_info *series)
{
	struct piece *piece;
	unsigned int part;

	for (part = 0; part < layout_nr_parts(series->family); part++) {
		piece = series_piece(plan, series, part);
		if (plan->failed ||
		    piece->entry[piece_find(piece, series, part).entry].shown)
			return;
		if (ok(plan, series_show(plan, series, part)))
			ok(plan, divide(plan, piece));
	}
}

bool plan_wake_all(struct plan *plan)
{
	bool any = plan->nr_waking;
	uint32_t i;

	for (i = 0; i < plan->nr_waking; i++)
		wake(plan, plan->waking[i]);
	plan->nr_waking = 0;
	return any;
}

void plan_series_resized(struct plan *plan, const struct obs_family_info *info, int more)
{
	struct plan_family *family = family_of(plan, info, PART_VALUE);

	family->len += more;
	family->resized = true;
	plan->moved = true;
}

static void write_length(struct plan *plan, struct plan_family *family, uint32_t id,
			 enum part part)
{
	struct place place = piece_find_head(family->piece, id, part);
	uint32_t head = family->piece->entry[place.entry].len;

	if (!head || !ok(plan, piece_own(family->piece, 0, plan->lent)))
		return;
	proto_length(family->piece->bytes->data + place.at,
		     head - PROTO_LENGTH_BYTES + family->len);
}

void plan_write_lengths(struct plan *plan)
{
	uint32_t i;

	for (i = 0; i < plan->nr_families; i++) {
		if (!plan->family[i].piece || !plan->family[i].resized)
			continue;
		if (plan->format->proto)
			write_length(plan, &plan->family[i], i / PART_NR, i % PART_NR);
		plan->family[i].resized = false;
	}
}
