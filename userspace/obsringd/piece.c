// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "deflate.h"
#include "piece.h"

struct piece *piece_new(size_t size)
{
	struct piece *piece = calloc(1, sizeof(*piece));

	if (!piece)
		return NULL;
	piece->bytes = chunk_new(size);
	if (!piece->bytes) {
		free(piece);
		return NULL;
	}
	return piece;
}

void piece_free(struct piece *piece)
{
	if (!piece)
		return;
	chunk_put(piece->bytes);
	free(piece->entry);
	free(piece->field);
	free(piece->shown);
	index_exit(&piece->index);
	deflated_free(piece->deflated);
	free(piece);
}

struct place piece_find(const struct piece *piece, const void *info, unsigned int part)
{
	struct place place = { 0 };

	while (piece->entry[place.entry].family != info ||
	       piece->entry[place.entry].part != part)
		place = piece_after(piece, place);
	return place;
}

struct place piece_find_head(const struct piece *piece, uint32_t id, unsigned int part)
{
	const struct entry *entry = piece->entry;

	while (entry->type != ENTRY_FAMILY || entry->part != part ||
	       entry->family->id != id)
		entry++;
	return piece_find(piece, entry->family, part);
}

struct place piece_end(const struct piece *piece)
{
	return (struct place){
		.entry = piece->nr_entries,
		.field = piece->nr_fields,
		.at = piece->bytes->len,
	};
}

int piece_own(struct piece *piece, size_t more, unsigned int lent)
{
	struct chunk *old = piece->bytes, *new;
	size_t need = old->len + more;

	piece->changed = true;
	if (chunk_held_by(old, 1 + lent) && need <= old->size)
		return 0;
	new = chunk_new(need <= old->size ? old->size : need + need / 8);
	if (!new)
		return -ENOMEM;
	memcpy(new->data, old->data, old->len);
	new->len = old->len;
	piece->bytes = new;
	chunk_put(old);
	return 0;
}

int piece_splice(struct piece *piece, uint32_t entry, size_t at, size_t remove,
		 const void *data, size_t len, unsigned int lent)
{
	int r = piece_own(piece, len > remove ? len - remove : 0, lent);
	struct chunk *bytes = piece->bytes;

	if (r < 0)
		return r;
	if (len != remove)
		memmove(bytes->data + at + len, bytes->data + at + remove,
			bytes->len - at - remove);
	if (len)
		memcpy(bytes->data + at, data, len);
	bytes->len += len - remove;
	piece->entry[entry].len += len - remove;
	if (len != remove)
		piece->index.state = INDEX_STALE;
	return len != remove;
}

/* Room for one more of @size bytes each behind *nr; grown by half. */
static int reserve(void *array, uint32_t nr, uint32_t *max, uint32_t more, size_t size)
{
	uint32_t want = nr + more;
	void **data = array, *new;

	if (want <= *max)
		return 0;
	want += want / 4 + 4;
	new = reallocarray(*data, want, size);
	if (!new)
		return -ENOMEM;
	*data = new;
	*max = want;
	return 0;
}

int piece_insert(struct piece *piece, struct place place, const struct entry *entry)
{
	int r = reserve(&piece->entry, piece->nr_entries, &piece->max_entries, 1,
			sizeof(*piece->entry));

	if (r < 0)
		return r;
	memmove(&piece->entry[place.entry + 1], &piece->entry[place.entry],
		(piece->nr_entries - place.entry) * sizeof(*piece->entry));
	piece->entry[place.entry] = *entry;
	piece->nr_entries++;
	piece->index.state = INDEX_STALE;
	return 0;
}

static int reserve_fields(struct piece *piece, uint32_t more)
{
	int r = reserve(&piece->field, piece->nr_fields, &piece->max_fields, more,
			sizeof(*piece->field));

	return r ? r : reserve(&piece->shown, piece->nr_fields, &piece->max_shown, more,
			       sizeof(*piece->shown));
}

/* Those from @from on are from @to on. */
static void move_fields(struct piece *piece, uint32_t to, uint32_t from)
{
	memmove(&piece->field[to], &piece->field[from],
		(piece->nr_fields - from) * sizeof(*piece->field));
	memmove(&piece->shown[to], &piece->shown[from],
		(piece->nr_fields - from) * sizeof(*piece->shown));
}

int piece_fill(struct piece *piece, struct place place, const void *data, size_t len,
	       const struct field *field, unsigned int nr, unsigned int lent)
{
	int r = reserve_fields(piece, nr);

	if (r < 0)
		return r;
	r = piece_splice(piece, place.entry, place.at, 0, data, len, lent);
	if (r < 0)
		return r;
	if (nr) {
		move_fields(piece, place.field + nr, place.field);
		memcpy(&piece->field[place.field], field, nr * sizeof(*piece->field));
		memset(&piece->shown[place.field], 0, nr * sizeof(*piece->shown));
	}
	piece->nr_fields += nr;
	piece->entry[place.entry].nr_fields = nr;
	piece->entry[place.entry].shown = true;
	piece->index.state = INDEX_STALE;
	return 0;
}

int piece_clear(struct piece *piece, struct place place, unsigned int lent)
{
	struct entry *entry = &piece->entry[place.entry];
	unsigned int nr = entry->nr_fields;
	int r;

	r = piece_splice(piece, place.entry, place.at, entry->len, NULL, 0, lent);
	if (r < 0)
		return r;
	if (nr)
		move_fields(piece, place.field, place.field + nr);
	piece->nr_fields -= nr;
	entry->nr_fields = 0;
	entry->shown = false;
	piece->index.state = INDEX_STALE;
	return 0;
}

void piece_remove(struct piece *piece, struct place place)
{
	piece->nr_entries--;
	piece->index.state = INDEX_STALE;
	memmove(&piece->entry[place.entry], &piece->entry[place.entry + 1],
		(piece->nr_entries - place.entry) * sizeof(*piece->entry));
}

/* The tail gets copies; then the front forgets them. */
static int copy_tail(const struct piece *piece, struct place place, struct piece *tail)
{
	uint32_t nr_entries = piece->nr_entries - place.entry;
	uint32_t nr_fields = piece->nr_fields - place.field;
	int r;

	r = reserve(&tail->entry, 0, &tail->max_entries, nr_entries,
		    sizeof(*tail->entry));
	if (r < 0)
		return r;
	r = reserve_fields(tail, nr_fields);
	if (r < 0)
		return r;
	if (nr_entries)
		memcpy(tail->entry, piece->entry + place.entry,
		       nr_entries * sizeof(*tail->entry));
	if (nr_fields) {
		memcpy(tail->field, piece->field + place.field,
		       nr_fields * sizeof(*tail->field));
		memcpy(tail->shown, piece->shown + place.field,
		       nr_fields * sizeof(*tail->shown));
	}
	tail->nr_entries = nr_entries;
	tail->nr_fields = nr_fields;
	tail->bytes->len = piece->bytes->len - place.at;
	memcpy(tail->bytes->data, piece->bytes->data + place.at, tail->bytes->len);
	return 0;
}

struct piece *piece_split(struct piece *piece, struct place place, unsigned int lent)
{
	struct piece *tail = piece_new(piece->bytes->size);

	if (!tail)
		return NULL;
	if (copy_tail(piece, place, tail) < 0 || piece_own(piece, 0, lent) < 0) {
		piece_free(tail);
		return NULL;
	}
	piece->nr_entries = place.entry;
	piece->nr_fields = place.field;
	piece->bytes->len = place.at;
	piece->index.state = INDEX_STALE;
	tail->changed = true;
	return tail;
}
