/* SPDX-License-Identifier: MIT */
/*
 * The series of a piece that are one number each and nothing else, as most are, in runs
 * whose values stand one after the other in the snapshot, as what they say does in the
 * piece. So the search for those that changed goes through 16 bytes a series, not through
 * its entry, which is in no cache where there are many.
 */
#ifndef OBSRINGD_INDEX_H
#define OBSRINGD_INDEX_H

#include <stdint.h>

struct piece;

enum index_state {
	INDEX_STALE,	/* entries, fields or bytes moved since it was made */
	INDEX_READY,
	INDEX_NONE,	/* the piece has others as well */
};

/* So many fields of the piece one after the other, whose slots in @array are, too. */
struct index_run {
	uint64_t array;
	uint32_t slot;		/* of the first */
	uint32_t nr;
	uint8_t type;		/* of the fields */
	int8_t exp10;
};

struct index {
	enum index_state state;
	struct index_run *run;
	uint32_t *at;		/* of each field, in the piece's bytes */
	uint32_t *hidden;	/* series that are not shown, as indices of entries */
	uint32_t nr_runs, max_runs;
	uint32_t nr_fields, max_fields;
	uint32_t nr_hidden, max_hidden;
};

void index_exit(struct index *index);

/* Make it what the piece is. INDEX_NONE also for want of memory. */
enum index_state index_make(struct index *index, const struct piece *piece);

#endif /* OBSRINGD_INDEX_H */
