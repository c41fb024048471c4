/* SPDX-License-Identifier: MIT */
/*
 * A piece of a body: consecutive entries (the head of a family, or a series), their
 * bytes one after the other, and where in them numbers stand. All positions are
 * relative to what stands before, so that an entry is put in or taken out by moving
 * what follows in this piece, and nothing else.
 *
 *	entry   | head of a | a_total{x="1"} ... | a_total{x="2"} ... | head of b |
 *	bytes   # HELP a ...  a_total{x="1"}           7\na_total{x="2"} ...
 *	                     |<--- skip --->|<- width ->|<---- skip ---->|
 */
#ifndef OBSRINGD_PIECE_H
#define OBSRINGD_PIECE_H

#include <stdint.h>

#include <obsring.h>

#include "chunk.h"
#include "index.h"

enum field_type {
	FIELD_UNSIGNED,
	FIELD_SIGNED,
	FIELD_BUCKET,	/* observations in buckets up to .last */
	FIELD_COUNT,	/* the same of all buckets, in a line that is no bucket's */
	FIELD_STATE,	/* 1 if the state is .last, else 0 */
	FIELD_VERSION,
};

/* A number in an entry's bytes. */
struct field {
	uint32_t skip;		/* from the end of the one before, or the entry's start */
	uint16_t last;
	uint8_t type;
	bool exemplar;		/* one follows the number, EXPOSE_EXEMPLAR_LEN bytes */
};

enum entry_type {
	ENTRY_FAMILY,
	ENTRY_SERIES,
};

struct entry {
	union {
		const struct obs_family_info *family;
		const struct obs_series_info *series;
	};
	uint64_t array;		/* of a series' values, and its first slot there */
	uint32_t slot;
	uint32_t len;		/* bytes */
	uint16_t nr_fields;
	uint8_t type;
	uint8_t part;		/* of a family that is shown as several */
	bool shown;		/* else it has neither bytes nor fields */
	uint8_t kind;		/* of a series' family, which is far away, as is */
	int8_t exp10;		/* this */
};

struct piece {
	struct chunk *bytes;
	struct entry *entry;
	struct field *field;
	uint64_t *shown;	/* what each field says, in stored units */
	uint32_t nr_entries, max_entries;
	uint32_t nr_fields, max_fields, max_shown;
	struct index index;
	bool changed;		/* since whoever cares cleared it */
	struct deflated *deflated;	/* of its bytes, unless they changed; or NULL */
};

/* Where an entry is: its index, and where its bytes and fields begin. */
struct place {
	uint32_t entry, field;
	size_t at;
};

/* With room for @size bytes. NULL: out of memory. */
struct piece *piece_new(size_t size);
void piece_free(struct piece *piece);

/* The place of the entry of @info (a family or a series), which is there. */
struct place piece_find(const struct piece *piece, const void *info, unsigned int part);

/* The same of the head of family @id. */
struct place piece_find_head(const struct piece *piece, uint32_t id, unsigned int part);

/* The place behind the last entry, and that behind @place. */
struct place piece_end(const struct piece *piece);

static inline struct place piece_after(const struct piece *piece, struct place place)
{
	const struct entry *entry = &piece->entry[place.entry];

	return (struct place){
		.entry = place.entry + 1,
		.field = place.field + entry->nr_fields,
		.at = place.at + entry->len,
	};
}

/*
 * Make the bytes writable in place, with room for @more: if others than the piece and
 * @lent answers that nobody is sending hold them, they keep them, and the piece
 * gets a copy. -ENOMEM.
 */
int piece_own(struct piece *piece, size_t more, unsigned int lent);

/*
 * At byte @at, in the entry that @entry is the index of, replace @remove bytes by
 * @len of @data. 1: bytes moved; 0: they did not; -ENOMEM.
 */
int piece_splice(struct piece *piece, uint32_t entry, size_t at, size_t remove,
		 const void *data, size_t len, unsigned int lent);

/* Put in an entry without bytes and fields. -ENOMEM. */
int piece_insert(struct piece *piece, struct place place, const struct entry *entry);

/* Give the entry, which has none, bytes and fields. -ENOMEM: it is as it was. */
int piece_fill(struct piece *piece, struct place place, const void *data, size_t len,
	       const struct field *field, unsigned int nr, unsigned int lent);

/* Take its bytes and fields. -ENOMEM: it is as it was. */
int piece_clear(struct piece *piece, struct place place, unsigned int lent);

/* Take out an entry that has none. */
void piece_remove(struct piece *piece, struct place place);

/* A new piece of what stands from @place on. NULL: out of memory, and as it was. */
struct piece *piece_split(struct piece *piece, struct place place, unsigned int lent);

#endif /* OBSRINGD_PIECE_H */
