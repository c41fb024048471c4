// SPDX-License-Identifier: MIT
#include <string.h>

#include "leakshow.h"

const char *const leakshow_label[LEAKSHOW_LABELS] = {
	"resource", "pid", "comm", "state", "kind", "stack",
};

bool leakshow_update(struct leakshow *show, struct leakwatch *watch)
{
	uint64_t before = show->epoch;

	show->nr = leakwatch_rows(watch, show->row, &show->epoch);
	return show->epoch != before;
}

void leakshow_plan(struct leakshow *show, struct plan *plan,
		   const struct obs_family_info *family, uint32_t id, uint32_t slot,
		   uint64_t created_ns)
{
	const struct obs_series_info *before = NULL;
	unsigned int i;

	if (show->nr)
		plan_family_add(plan, family);
	for (i = 0; i < show->nr; i++) {
		const struct leakwatch_row *row = &show->row[i];
		const char *const value[LEAKSHOW_LABELS] = {
			row->resource, row->pid, row->comm, row->state, row->kind,
			row->stack,
		};

		memcpy(show->value[i], value, sizeof(value));
		show->series[i] = (struct obs_series_info){
			.id = id + i,
			.family = family,
			.value = show->value[i],
			.created_ns = created_ns,
		};
		plan_series_add_at(plan, &show->series[i], before, 0, slot + i);
		before = &show->series[i];
	}
}
