/* SPDX-License-Identifier: MIT */
/*
 * What the leak watch has found, as series of one family whose labels come and go:
 * LEAKWATCH_ROWS at most. Who scrapes holds the lock of all of this.
 */
#ifndef OBSRINGD_LEAKSHOW_H
#define OBSRINGD_LEAKSHOW_H

#include <obsring.h>

#include "leakwatch.h"
#include "plan.h"

#define LEAKSHOW_LABELS 6

extern const char *const leakshow_label[LEAKSHOW_LABELS];

struct leakshow {
	struct leakwatch_row row[LEAKWATCH_ROWS];
	struct obs_series_info series[LEAKWATCH_ROWS];
	const char *value[LEAKWATCH_ROWS][LEAKSHOW_LABELS];
	unsigned int nr;
	uint64_t epoch;		/* of these labels */
};

/* Take over what is found now. True: labels are others, plans that have them are old. */
bool leakshow_update(struct leakshow *show, struct leakwatch *watch);

/* Add its series, which have ids from @id on, and values from @slot on. */
void leakshow_plan(struct leakshow *show, struct plan *plan,
		   const struct obs_family_info *family, uint32_t id, uint32_t slot,
		   uint64_t created_ns);

#endif /* OBSRINGD_LEAKSHOW_H */
