/* SPDX-License-Identifier: MIT */
/*
 * From a snapshot to bytes: a plan's text with the snapshot's numbers.
 */
#ifndef OBSRINGD_RENDER_H
#define OBSRINGD_RENDER_H

#include "plan.h"

/*
 * Append to @body all families of @plan that have something to show, with the
 * values of @snapshot, which the plan was built from and whose generation has
 * not changed. An overflow series is shown once it holds something. Allocates
 * only where @body has to grow. Failure: text_failed(@body).
 */
void render(const struct plan *plan, const struct obs_snapshot *snapshot,
	    struct text *body);

#endif /* OBSRINGD_RENDER_H */
