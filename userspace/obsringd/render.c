// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

#include <obsring/state.h>

#include "number.h"
#include "proto.h"
#include "render.h"

/* The entry at hand, with its values looked up once. */
struct cursor {
	struct plan *plan;
	struct piece *piece;
	const struct piece *owned;	/* the last whose bytes were made writable */
	const struct values *values;
	uint64_t array;			/* of the sums below; -1: none */
	const uint64_t *sums;
	struct place place;
	/* Histograms. */
	unsigned int next_bucket;	/* not yet in cumulated */
	uint64_t cumulated;
	unsigned int next_range;
	unsigned int nr_exemplars;
	struct obs_exemplar *exemplar;	/* OBS_RANGES_MAX of them */
};

static const uint64_t *sums_of(struct cursor *cursor, uint64_t array)
{
	if (array != cursor->array) {
		cursor->array = array;
		cursor->sums = cursor->values->own ? cursor->values->own :
			       obs_snapshot_sums(cursor->values->snapshot, array);
	}
	return cursor->sums;
}

static const uint64_t *slots_of(struct cursor *cursor, const struct entry *entry)
{
	return sums_of(cursor, entry->array) + entry->slot;
}

static bool own(struct cursor *cursor)
{
	struct plan *plan = cursor->plan;
	struct chunk *before = cursor->piece->bytes;

	if (cursor->owned == cursor->piece)
		return true;
	if (piece_own(cursor->piece, 0, plan->lent) < 0) {
		plan->failed = true;
		return false;
	}
	if (cursor->piece->bytes != before)
		plan->moved = true;
	cursor->owned = cursor->piece;
	return true;
}

/* ---- Numbers in their places --------------------------------------------- */

/* Lines come in the order of their buckets. */
static uint64_t cumulate(struct cursor *cursor, const uint64_t *slots, unsigned int last)
{
	while (cursor->next_bucket <= last)
		cursor->cumulated += slots[1 + cursor->next_bucket++];
	return cursor->cumulated;
}

static uint64_t field_value(struct cursor *cursor, const struct field *field,
			    const uint64_t *slots)
{
	switch (field->type) {
	case FIELD_BUCKET:
	case FIELD_COUNT:
		return cumulate(cursor, slots, field->last);
	case FIELD_STATE:	/* what was never set is in no state */
		return obs_state_version(slots[0]) &&
		       obs_state_state(slots[0]) == field->last;
	case FIELD_VERSION:
		return obs_state_version(slots[0]);
	default:
		return slots[0];
	}
}

/*
 * The exemplar behind a bucket's number, which ends at byte @at. One is newer than the
 * counts may be: that of a range that holds nothing yet waits for the next scrape.
 */
static void render_exemplar(struct cursor *cursor, struct field *field, size_t at,
			    int exp10, bool empty)
{
	unsigned int range = cursor->next_range++;
	char text[EXPOSE_EXEMPLAR_LEN];
	size_t remove = field->exemplar ? sizeof(text) : 0;
	bool show;
	int r;

	show = range < cursor->nr_exemplars && cursor->exemplar[range].time_ns && !empty;
	if (!show && !field->exemplar)
		return;
	if (show)
		expose_exemplar(text, &cursor->exemplar[range], exp10);
	if (show && field->exemplar &&
	    !memcmp(cursor->piece->bytes->data + at, text, sizeof(text)))
		return;
	if (!own(cursor))
		return;
	r = piece_splice(cursor->piece, cursor->place.entry, at, remove, text,
			 show ? sizeof(text) : 0, cursor->plan->lent);
	if (r < 0) {
		cursor->plan->failed = true;
		return;
	}
	if (r > 0)
		cursor->plan->moved = true;
	field->exemplar = show;
}

static void render_fields(struct cursor *cursor, const struct entry *entry,
			  const uint64_t *slots)
{
	const struct format *format = cursor->plan->format;
	struct field *field = &cursor->piece->field[cursor->place.field];
	struct field *end = field + entry->nr_fields;
	uint64_t *shown = &cursor->piece->shown[cursor->place.field];
	size_t at = cursor->place.at;
	uint64_t value, before;

	for (; field < end; field++, shown++) {
		at += field->skip;
		before = cursor->cumulated;
		value = field_value(cursor, field, slots);
		if (value != *shown) {
			if (!own(cursor))
				return;
			layout_change(cursor->piece->bytes->data + at, format,
				      field->type, *shown, value, entry->exp10);
			*shown = value;
		}
		at += layout_width(format, field->type, entry->exp10);
		if (field->type == FIELD_BUCKET &&
		    (cursor->nr_exemplars || field->exemplar))
			render_exemplar(cursor, field, at, entry->exp10,
					cursor->cumulated == before);
		if (field->exemplar)
			at += EXPOSE_EXEMPLAR_LEN;
	}
}

/* One number and nothing else, as most series are. */
static void render_one(struct cursor *cursor, const struct entry *entry, uint64_t value)
{
	const struct field *field = &cursor->piece->field[cursor->place.field];
	uint64_t *shown = &cursor->piece->shown[cursor->place.field];

	if (value == *shown || !own(cursor))
		return;
	layout_change(cursor->piece->bytes->data + cursor->place.at + field->skip,
		      cursor->plan->format, field->type, *shown, value, entry->exp10);
	*shown = value;
}

/* ---- Histograms ---------------------------------------------------------- */

static void read_exemplars(struct cursor *cursor, const struct obs_series_info *series)
{
	unsigned int nr = cursor->plan->format->exemplars ? series->nr_exemplars : 0;

	if (nr && obs_series_exemplars(cursor->values->snapshot, series,
				       cursor->exemplar, nr) < 0)
		nr = 0;
	cursor->nr_exemplars = nr;
	cursor->next_bucket = 0;
	cursor->cumulated = 0;
	cursor->next_range = 0;
}

/* Its encoding has no fixed length: it is made, and put in if it is another one. */
static void render_proto(struct cursor *cursor, const struct obs_series_info *series,
			 const uint64_t *slots)
{
	struct plan *plan = cursor->plan;
	struct piece *piece = cursor->piece;
	struct text *text = &plan->layout.text;
	const struct entry *entry = &piece->entry[cursor->place.entry];
	uint32_t before = entry->len;
	int r;

	text_clear(text);
	proto_histogram(text, plan->format, series, slots, cursor->exemplar,
			cursor->nr_exemplars);
	if (text_failed(text)) {
		plan->failed = true;
		return;
	}
	if (text->len == before &&
	    !memcmp(piece->bytes->data + cursor->place.at, text->data, before))
		return;
	if (!own(cursor))
		return;
	r = piece_splice(piece, cursor->place.entry, cursor->place.at, before,
			 text->data, text->len, plan->lent);
	if (r < 0)
		plan->failed = true;
	else if (r > 0)
		plan_series_resized(plan, series->family, (int)text->len - (int)before);
}

static void render_histogram(struct cursor *cursor, const struct entry *entry,
			     const uint64_t *slots)
{
	read_exemplars(cursor, entry->series);
	if (cursor->plan->format->proto)
		render_proto(cursor, entry->series, slots);
	else
		render_fields(cursor, entry, slots);
}

/* ---- Entries ------------------------------------------------------------- */

static bool holds_something(const struct obs_series_info *series, const uint64_t *slots)
{
	unsigned int i;

	switch (series->family->kind) {
	case OBSRING_KIND_INFO:
		return false;
	case OBSRING_KIND_HISTOGRAM:
		for (i = 0; i <= series->family->nr_bounds; i++)
			if (slots[1 + i])
				return true;
		return false;
	default:
		return slots[0];
	}
}

static void render_hidden(struct cursor *cursor, const struct entry *entry)
{
	if (entry->kind != OBSRING_KIND_INFO &&
	    holds_something(entry->series, slots_of(cursor, entry)))
		plan_series_wake(cursor->plan, entry->series);
}

/* The series itself is not looked at unless it has to: it is in no cache. */
static void render_entry(struct cursor *cursor, const struct entry *entry)
{
	if (!entry->shown) {
		render_hidden(cursor, entry);
		return;
	}
	switch (entry->kind) {
	case OBSRING_KIND_COUNTER:
	case OBSRING_KIND_GAUGE:
		render_one(cursor, entry, slots_of(cursor, entry)[0]);
		return;
	case OBSRING_KIND_HISTOGRAM:
		render_histogram(cursor, entry, slots_of(cursor, entry));
		return;
	case OBSRING_KIND_STATE:
		render_fields(cursor, entry, slots_of(cursor, entry));
		return;
	default:
		return;
	}
}

/*
 * Here the most time of a large scrape goes, and of that much where bytes that are in no
 * cache are written: those of the numbers that changed are called for while the next ones
 * are looked at.
 */
#define AHEAD 64

static void render_some(struct cursor *cursor, const struct index_run *run,
			const uint64_t *sums, const uint32_t *at, uint64_t *shown,
			unsigned int nr)
{
	const struct format *format = cursor->plan->format;
	char *bytes = cursor->piece->bytes->data;
	unsigned int changed[AHEAD], nr_changed = 0, i, c;

	for (i = 0; i < nr; i++) {
		if (sums[i] == shown[i])
			continue;
		__builtin_prefetch(bytes + at[i] + NUMBER_DIGITS - 1, 1);
		changed[nr_changed++] = i;
	}
	if (!nr_changed || !own(cursor))
		return;
	bytes = cursor->piece->bytes->data;
	for (c = 0; c < nr_changed; c++) {
		i = changed[c];
		layout_change(bytes + at[i], format, run->type, shown[i], sums[i],
			      run->exp10);
		shown[i] = sums[i];
	}
}

static void render_run(struct cursor *cursor, const struct index_run *run,
		       const uint32_t *at, uint64_t *shown)
{
	const uint64_t *sums = sums_of(cursor, run->array) + run->slot;
	uint32_t i, nr;

	for (i = 0; i < run->nr; i += nr) {
		nr = run->nr - i < AHEAD ? run->nr - i : AHEAD;
		render_some(cursor, run, sums + i, at + i, shown + i, nr);
	}
}

static void render_indexed(struct cursor *cursor, const struct piece *piece)
{
	const struct index *index = &piece->index;
	uint32_t i, field = 0;

	for (i = 0; i < index->nr_runs; i++) {
		render_run(cursor, &index->run[i], index->at + field,
			   piece->shown + field);
		field += index->run[i].nr;
	}
	for (i = 0; i < index->nr_hidden; i++)
		render_hidden(cursor, &piece->entry[index->hidden[i]]);
}

static void render_piece(struct cursor *cursor, struct piece *piece)
{
	cursor->piece = piece;
	if (piece->index.state == INDEX_STALE)
		index_make(&piece->index, piece);
	if (piece->index.state == INDEX_READY) {
		render_indexed(cursor, piece);
		return;
	}
	cursor->place = (struct place){ 0 };
	while (cursor->place.entry < piece->nr_entries) {
		if (piece->entry[cursor->place.entry].type == ENTRY_SERIES)
			render_entry(cursor, &piece->entry[cursor->place.entry]);
		cursor->place = piece_after(piece, cursor->place);
	}
}

static void render_pieces(struct plan *plan, const struct values *values)
{
	struct obs_exemplar exemplar[OBS_RANGES_MAX];
	struct cursor cursor = { .plan = plan, .values = values, .array = UINT64_MAX,
				 .exemplar = exemplar };
	uint32_t i;

	for (i = 0; i < plan->nr_pieces; i++)
		render_piece(&cursor, plan->piece[i]);
}

void render(struct plan *plan, const struct values *values)
{
	do {
		render_pieces(plan, values);
	} while (plan_wake_all(plan) && !plan_failed(plan));
	if (!plan_failed(plan))
		plan_write_lengths(plan);
}
