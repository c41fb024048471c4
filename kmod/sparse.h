/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pages behind SERVICES and SHARE_PAGES: some are there, behind all others
 * stands one page of zeros, so that no reader meets a hole. They come and go while
 * readers have them mapped, by PFN: a page is out of all page tables when
 * obs_sparse_take() returns. Under the registry's mutex, but for obs_sparse_pfn().
 */
#ifndef OBSRING_SPARSE_H
#define OBSRING_SPARSE_H

#include <linux/mm_types.h>

#include "store.h"

int obs_sparse_init(const struct obs_limits *limits);
void obs_sparse_exit(void);

/*
 * Put @nr pages, NULL among them where there is none, behind @first and what follows;
 * the reference stays the caller's. -ENOMEM: nothing was changed.
 */
int obs_sparse_put(enum obsring_region_id region, unsigned long first,
		   struct page *const *page, unsigned int nr);

/* Put zeros there again. */
void obs_sparse_take(enum obsring_region_id region, unsigned long first,
		     unsigned int nr);

/* PFN behind page @index, below the region's size; obs_store_mapped is held. */
unsigned long obs_sparse_pfn(enum obsring_region_id region, unsigned long index);

#endif /* OBSRING_SPARSE_H */
