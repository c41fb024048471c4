// SPDX-License-Identifier: GPL-2.0-only
/* See sparse.h. */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/xarray.h>

#include "chardev.h"
#include "sparse.h"

static struct xarray pages[] = {	/* index -> struct page */
	XARRAY_INIT(pages[0], 0),
	XARRAY_INIT(pages[1], 0),
};

static unsigned long zeros;		/* a page of them */

static struct xarray *pages_of(enum obsring_region_id region)
{
	return &pages[region == OBSRING_REGION_SHARE_PAGES];
}

/* Readers that have mapped these fault again, and ask. */
static void unmap(enum obsring_region_id region, unsigned long first, unsigned int nr)
{
	obs_chardev_unmap(obs_header->region[region].offset + ((u64)first << PAGE_SHIFT),
			  (u64)nr << PAGE_SHIFT);
}

int obs_sparse_put(enum obsring_region_id region, unsigned long first,
		   struct page *const *page, unsigned int nr)
{
	struct xarray *xa = pages_of(region);
	unsigned int i;
	int ret = 0;

	for (i = 0; i < nr && !ret; i++)
		ret = xa_reserve(xa, first + i, GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (ret) {
		while (i--)
			xa_release(xa, first + i);
		return ret;
	}
	/* Whoever asked before is done with mapping; what he mapped goes below. */
	down_write(&obs_store_mapped);
	for (i = 0; i < nr; i++)
		xa_store(xa, first + i, page[i], GFP_KERNEL);
	up_write(&obs_store_mapped);
	unmap(region, first, nr);
	return 0;
}

void obs_sparse_take(enum obsring_region_id region, unsigned long first,
		     unsigned int nr)
{
	struct xarray *xa = pages_of(region);
	unsigned int i;

	down_write(&obs_store_mapped);
	for (i = 0; i < nr; i++)
		xa_erase(xa, first + i);
	up_write(&obs_store_mapped);
	unmap(region, first, nr);
}

unsigned long obs_sparse_pfn(enum obsring_region_id region, unsigned long index)
{
	struct page *page = xa_load(pages_of(region), index);

	return page ? page_to_pfn(page) : obs_store_pfn_of((void *)zeros);
}

static void region_init(enum obsring_region_id id, u32 nr, u32 pages_each)
{
	struct obsring_region *region = &obs_header->region[id];

	region->entry_size = PAGE_SIZE;
	region->size = (u64)nr * pages_each * PAGE_SIZE;
	region->nr = nr;
}

int obs_sparse_init(const struct obs_limits *limits)
{
	zeros = __get_free_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN);
	if (!zeros)
		return -ENOMEM;
	region_init(OBSRING_REGION_SERVICES, limits->service_pages, nr_cpu_ids + 1);
	region_init(OBSRING_REGION_SHARE_PAGES, limits->shares, 1);
	return 0;
}

void obs_sparse_exit(void)
{
	free_page(zeros);
	zeros = 0;
	xa_destroy(&pages[0]);
	xa_destroy(&pages[1]);
}
