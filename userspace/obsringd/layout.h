/* SPDX-License-Identifier: MIT */
/*
 * How an entry stands in a body: its bytes, complete but for the numbers, which have
 * the width of the greatest and say 0, and where they are.
 */
#ifndef OBSRINGD_LAYOUT_H
#define OBSRINGD_LAYOUT_H

#include "expose.h"
#include "piece.h"
#include "text.h"

/* Ranges, sum, count. */
#define LAYOUT_FIELDS_MAX (OBS_RANGES_MAX + 2)

/* A state set is two families: the states, and the versions. */
enum part {
	PART_VALUE,
	PART_VERSION,

	PART_NR
};

struct layout {
	const struct format *format;
	const struct obs_family_info *family;	/* that name and kind are of */
	enum part part;
	struct expose_name name;
	struct text labels;
	/* The entry at hand. */
	struct text text;
	struct field field[LAYOUT_FIELDS_MAX];
	unsigned int nr_fields;
	size_t mark;	/* end of the number before */
};

void layout_init(struct layout *layout, const struct format *format);
void layout_exit(struct layout *layout);

static inline unsigned int layout_nr_parts(const struct obs_family_info *family)
{
	return family->kind == OBSRING_KIND_STATE ? PART_NR : 1;
}

/* The entry of a family or a series, from now on that at hand. -ENOMEM. */
int layout_family(struct layout *layout, const struct obs_family_info *family,
		  enum part part);
int layout_series(struct layout *layout, const struct obs_series_info *series,
		  enum part part);

/* Bytes that a number takes. */
unsigned int layout_width(const struct format *format, enum field_type type, int exp10);

/* Write what @field says, @value in units of 10^@exp10, in that width. */
void layout_number(char *out, const struct format *format, enum field_type type,
		   uint64_t value, int exp10);

/* The same where @shown is what it says so far: no more than what differs. */
void layout_change(char *out, const struct format *format, enum field_type type,
		   uint64_t shown, uint64_t value, int exp10);

#endif /* OBSRINGD_LAYOUT_H */
