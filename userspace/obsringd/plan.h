/* SPDX-License-Identifier: MIT */
/*
 * A body in one format: families in the order of their ids and their series, in pieces
 * of about PLAN_PIECE_BYTES each (larger ones where there would be too many for one
 * answer). It is kept up to date as they come and go, in time
 * that a piece takes, however many there are; render.h brings its numbers up to date.
 *
 * Once out of memory it is no longer whole: see plan_failed().
 */
#ifndef OBSRINGD_PLAN_H
#define OBSRINGD_PLAN_H

#include "layout.h"
#include "piece.h"

#define PLAN_PIECE_BYTES	(32 * 1024)
#define PLAN_PIECES_MANY	128	/* from here on they grow */
#define PLAN_PIECES_STEP	32	/* with each so many twice as large */

/* A family or the part of one: where its head is, and what of it is shown. */
struct plan_family {
	struct piece *piece;	/* NULL: it is not in the plan */
	uint32_t nr_shown;	/* series; without any, the head is not shown either */
	uint32_t len;		/* bytes of the series */
	bool resized;		/* len is not what the head says, if it says it */
};

struct plan {
	const struct format *format;
	struct layout layout;
	struct piece **piece;
	uint32_t nr_pieces, max_pieces;
	uint32_t piece_bytes;		/* of those to come */
	struct plan_family *family;	/* by id * PART_NR + part */
	uint32_t nr_families;
	struct piece **series;		/* the same */
	uint32_t nr_series;
	/* Series that now have something to show. */
	const struct obs_series_info **waking;
	uint32_t nr_waking, max_waking;
	unsigned int lent;	/* answers that hold the bytes, and that nobody sends */
	bool moved;		/* bytes moved, since whoever cares cleared it */
	bool failed;
};

void plan_init(struct plan *plan, const struct format *format);

/* Looks at no family and no series. */
void plan_exit(struct plan *plan);

static inline bool plan_failed(const struct plan *plan)
{
	return plan->failed;
}

/*
 * As struct obs_snapshot_events has them. A family that was not added may have series:
 * they are passed over.
 */
void plan_family_add(struct plan *plan, const struct obs_family_info *family);
void plan_family_remove(struct plan *plan, const struct obs_family_info *family);
void plan_series_add(struct plan *plan, const struct obs_series_info *series,
		     const struct obs_series_info *before);
void plan_series_remove(struct plan *plan, const struct obs_series_info *series);

/* One that is in no device, with its values at @slot. */
void plan_series_add_at(struct plan *plan, const struct obs_series_info *series,
			const struct obs_series_info *before, uint64_t array,
			uint32_t slot);

/* For render: an overflow series has something to show from now on. */
void plan_series_wake(struct plan *plan, const struct obs_series_info *series);
bool plan_wake_all(struct plan *plan);

/* For render: a series of that family became @more bytes longer; heads that say it. */
void plan_series_resized(struct plan *plan, const struct obs_family_info *family,
			 int more);
void plan_write_lengths(struct plan *plan);

#endif /* OBSRINGD_PLAN_H */
