// SPDX-License-Identifier: MIT
#include <stdbool.h>
#include <stdlib.h>

#include "index.h"
#include "piece.h"

void index_exit(struct index *index)
{
	free(index->run);
	free(index->at);
	free(index->hidden);
}

/* Room for one more behind @nr; NULL: out of memory. */
static void *reserve(void *array, uint32_t nr, uint32_t *max, size_t size)
{
	void **data = array, *new;
	uint32_t want = nr + nr / 4 + 4;

	if (nr < *max)
		return *data;
	new = reallocarray(*data, want, size);
	if (!new)
		return NULL;
	*data = new;
	*max = want;
	return new;
}

static bool add_hidden(struct index *index, uint32_t entry)
{
	if (!reserve(&index->hidden, index->nr_hidden, &index->max_hidden,
		     sizeof(*index->hidden)))
		return false;
	index->hidden[index->nr_hidden++] = entry;
	return true;
}

static bool continues(const struct index_run *run, const struct entry *entry,
		      const struct field *field)
{
	return run->array == entry->array && run->slot + run->nr == entry->slot &&
	       run->type == field->type && run->exp10 == entry->exp10;
}

static struct index_run *find_run(struct index *index, const struct entry *entry,
				  const struct field *field)
{
	struct index_run *run;

	if (index->nr_runs && continues(&index->run[index->nr_runs - 1], entry, field))
		return &index->run[index->nr_runs - 1];
	if (!reserve(&index->run, index->nr_runs, &index->max_runs, sizeof(*run)))
		return NULL;
	run = &index->run[index->nr_runs++];
	*run = (struct index_run){ .array = entry->array, .slot = entry->slot,
				   .type = field->type, .exp10 = entry->exp10 };
	return run;
}

static bool add_field(struct index *index, const struct entry *entry,
		      const struct field *field, size_t at)
{
	struct index_run *run = find_run(index, entry, field);

	if (!run || !reserve(&index->at, index->nr_fields, &index->max_fields,
			     sizeof(*index->at)))
		return false;
	index->at[index->nr_fields++] = at + field->skip;
	run->nr++;
	return true;
}

static bool is_one_number(const struct entry *entry)
{
	return entry->kind == OBSRING_KIND_COUNTER || entry->kind == OBSRING_KIND_GAUGE;
}

static bool add(struct index *index, const struct piece *piece, struct place place)
{
	const struct entry *entry = &piece->entry[place.entry];

	if (entry->type == ENTRY_FAMILY || entry->kind == OBSRING_KIND_INFO)
		return true;
	if (!entry->shown)
		return add_hidden(index, place.entry);
	return is_one_number(entry) &&
	       add_field(index, entry, &piece->field[place.field], place.at);
}

enum index_state index_make(struct index *index, const struct piece *piece)
{
	struct place place;

	index->nr_runs = 0;
	index->nr_fields = 0;
	index->nr_hidden = 0;
	index->state = INDEX_NONE;
	for (place = (struct place){ 0 }; place.entry < piece->nr_entries;
	     place = piece_after(piece, place))
		if (!add(index, piece, place))
			return INDEX_NONE;
	index->state = INDEX_READY;
	return INDEX_READY;
}
