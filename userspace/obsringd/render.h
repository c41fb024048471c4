/* SPDX-License-Identifier: MIT */
/*
 * From values to bytes: the numbers of a plan that are no longer what it shows are
 * written over, where they stand.
 */
#ifndef OBSRINGD_RENDER_H
#define OBSRINGD_RENDER_H

#include "plan.h"

/* Where values are: a device's, or with @own the only array. */
struct values {
	const struct obs_snapshot *snapshot;
	const uint64_t *own;
};

/*
 * Bring @plan up to date. Allocates nothing unless something is shown that was not,
 * an overflow series or an exemplar, a histogram's encoding grows, or the bytes are
 * held by others than plan->lent. Failure: plan_failed().
 */
void render(struct plan *plan, const struct values *values);

#endif /* OBSRINGD_RENDER_H */
