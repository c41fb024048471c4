/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exemplars of histograms: where they are, and keeping one. Pages of the region
 * EXEMPLARS count towards max_bytes, of which they are a quarter at most; a run of
 * entries belongs to a series until no update can find it any more, and is empty
 * when it is given out.
 *
 * All of it but obs_exemplar_keep() is called under the registry's mutex.
 */
#ifndef OBSRING_EXEMPLAR_H
#define OBSRING_EXEMPLAR_H

#include <linux/types.h>

#include <linux/obsring.h>

struct obs_limits;

int obs_exemplars_init(const struct obs_limits *limits);
void obs_exemplars_exit(void);

/* @nr consecutive entries, empty; -ENOSPC past a limit, -ENOMEM. */
int obs_exemplars_alloc(u32 nr, u32 *ret_first);
void obs_exemplars_free(u32 first, u32 nr);

/* An observation @v in bucket @bucket of cells that have exemplars. Any context. */
void obs_exemplar_keep(const struct obs_histogram_cells *cells, u32 bucket, u64 v,
		       const struct obsring_trace *trace);

#endif /* OBSRING_EXEMPLAR_H */
