/* SPDX-License-Identifier: MIT */
/*
 * A plan of a body in one format: all of its text but the numbers, escaped
 * once, in the order of the lines, and for each line what number ends it. It
 * holds as long as the snapshot's generation is the same.
 */
#ifndef OBSRINGD_PLAN_H
#define OBSRINGD_PLAN_H

#include <obsring.h>

#include "expose.h"
#include "text.h"

enum plan_number {
	PLAN_NONE,	/* the line's text is complete, with its line end */
	PLAN_ONE,
	PLAN_COUNTER,
	PLAN_GAUGE,
	PLAN_SUM,
	PLAN_BUCKET,	/* observations in buckets up to last_bucket */
	PLAN_COUNT,	/* the same of all buckets, on a line that is no bucket's */
};

struct plan_line {
	uint32_t len;		/* of its text; the next line's text follows */
	uint16_t number;	/* enum plan_number */
	uint16_t last_bucket;
};

struct plan_series {
	const struct obs_series_info *info;
	size_t offset;		/* its first line's text in plan->text */
	size_t first_line;
	unsigned int nr_lines;
};

struct plan_family {
	const struct obs_family_info *info;
	size_t header_offset;
	size_t header_len;
	size_t first_series;
	unsigned int nr_series;
};

struct plan {
	const struct format *format;
	struct text text;
	struct plan_family *family;
	struct plan_series *series;
	struct plan_line *line;
	size_t nr_families;
	size_t nr_series;
	size_t nr_lines;
	size_t nr_exemplars;	/* that lines may end with */
};

/*
 * Make @plan, empty or made before, one of all in @snapshot but the families
 * whose name @reserved claims (NULL: none). -ENOMEM: it is empty.
 */
int plan_build(struct plan *plan, const struct format *format,
	       const struct obs_snapshot *snapshot,
	       bool (*reserved)(enum obsring_kind kind, const char *name));
void plan_free(struct plan *plan);

#endif /* OBSRINGD_PLAN_H */
