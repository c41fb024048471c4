// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of services: pages, shares' chunks, and slots in them. Slots are given out one
 * after the other and stay until the service goes: no member can hold one that is
 * another series' by then.
 *
 * A page that was made for a series which then failed goes at once. Members could have
 * touched it, by chance or by locking all memory, and would write to it when another one
 * has its place: they get pages and chunks that are kept, which is as soon as a process
 * was told of a series in them. Under the registry's mutex, but for their faults.
 */
#include <linux/idr.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "service.h"
#include "sparse.h"

#define GFP_SERVICE	(GFP_KERNEL_ACCOUNT | __GFP_NOWARN)
#define SLOTS_PER_PAGE	((u32)(PAGE_SIZE / sizeof(u64)))

/* ---- Pages --------------------------------------------------------------- */

static DEFINE_IDA(page_indices);	/* of SERVICES */
static u64 nr_rows;			/* that have memory */

u64 obs_service_bytes(void)
{
	return (nr_rows + obs_shares_nr()) * PAGE_SIZE;
}

static u32 page_nr_rows(const struct obs_service_page *p)
{
	return p->single ? 1 : num_possible_cpus() + 1;
}

u32 obs_service_share_pages(void)
{
	return DIV_ROUND_UP(obs_service_limits.service_series, SLOTS_PER_PAGE);
}

static void page_put_rows(struct obs_service_page *p)
{
	u32 i;

	for (i = 0; i <= nr_cpu_ids; i++)
		if (p->row[i])
			put_page(p->row[i]);
}

static int page_get_rows(struct obs_service_page *p)
{
	u32 i;

	for (i = 0; i <= nr_cpu_ids; i++) {
		if (i < nr_cpu_ids && (p->single || !cpu_possible(i)))
			continue;
		p->row[i] = alloc_page(GFP_SERVICE | __GFP_ZERO);
		if (!p->row[i]) {
			page_put_rows(p);
			return -ENOMEM;
		}
	}
	return 0;
}

static struct obs_service_page *page_alloc(bool single)
{
	struct obs_service_page *p;
	int ret;

	p = kzalloc(struct_size(p, row, nr_cpu_ids + 1), GFP_SERVICE);
	if (!p)
		return ERR_PTR(-ENOMEM);
	p->single = single;
	ret = page_get_rows(p);
	if (ret)
		goto err;
	ret = ida_alloc_max(&page_indices, obs_service_limits.pages - 1, GFP_SERVICE);
	if (ret < 0)
		goto err_index;
	p->index = ret;
	ret = obs_sparse_put(OBSRING_REGION_SERVICES,
			     (unsigned long)p->index * (nr_cpu_ids + 1), p->row,
			     nr_cpu_ids + 1);
	if (!ret) {
		nr_rows += page_nr_rows(p);
		return p;
	}
	ida_free(&page_indices, p->index);
err_index:
	page_put_rows(p);
err:
	kfree(p);
	return ERR_PTR(ret);
}

static void page_free(struct obs_service_page *p)
{
	obs_sparse_take(OBSRING_REGION_SERVICES,
			(unsigned long)p->index * (nr_cpu_ids + 1), nr_cpu_ids + 1);
	ida_free(&page_indices, p->index);
	nr_rows -= page_nr_rows(p);
	page_put_rows(p);
	kfree(p);
}

static int page_new(struct obs_service *service, bool single)
{
	struct obs_service_page *p;

	if (service->nr_pages == obs_service_limits.service_pages)
		return obs_registry_refuse(OBS_REFUSED_SERVICE_BYTES, -ENOSPC);
	if (service->user->pages >= obs_service_limits.user_pages)
		return obs_registry_refuse(OBS_REFUSED_USER_BYTES, -ENOSPC);
	p = page_alloc(single);
	if (IS_ERR(p))
		return obs_registry_refuse(p == ERR_PTR(-ENOSPC) ?
					   OBS_REFUSED_SERVICES_BYTES :
					   OBS_REFUSED_MEMORY, PTR_ERR(p));
	service->page[service->nr_pages++] = p;
	service->user->pages++;
	return 0;
}

/* ---- Slots --------------------------------------------------------------- */

static int rows_alloc(struct obs_service *service, u32 nr, struct obs_slots *slots)
{
	struct obs_service_page *p;
	u32 i;
	int ret;

	for (i = 0; ; i++) {
		if (i == service->nr_pages) {
			ret = page_new(service, slots->shared);
			if (ret)
				return ret;
		}
		p = service->page[i];
		if (p->single == slots->shared && SLOTS_PER_PAGE - p->nr_used >= nr)
			break;
	}
	slots->page = i;
	slots->slot = p->nr_used;
	p->nr_used += nr;
	return 0;
}

/* A gauge's slot in everyone's share pages. */
static int share_alloc(struct obs_service *service, struct obs_slots *slots)
{
	struct obs_share *share;

	if (!service->nr_common || service->nr_chunk_used == SLOTS_PER_PAGE) {
		/* No more than service_series slots are ever asked for. */
		share = obs_share_new(service, service->nr_common, NULL);
		if (IS_ERR(share))
			return obs_registry_refuse(OBS_REFUSED_MEMORY, PTR_ERR(share));
		service->common[service->nr_common++] = share;
		service->nr_chunk_used = 0;
	}
	slots->page = service->nr_common - 1;
	slots->slot = service->nr_chunk_used++;
	return 0;
}

static bool slots_are_last(const struct obs_slots *slots, bool shares)
{
	const struct obs_service *service = slots->service;

	if (shares)
		return slots->page + 1 == service->nr_common &&
		       slots->slot + slots->nr == service->nr_chunk_used;
	return slots->slot + slots->nr == service->page[slots->page]->nr_used;
}

/* What no series is in, and nobody was told of. */
static void room_drop(struct obs_service *service)
{
	struct obs_service_page *p;

	while (service->nr_pages > service->nr_pages_kept) {
		p = service->page[service->nr_pages - 1];
		if (p->nr_used)
			break;
		service->page[--service->nr_pages] = NULL;
		service->user->pages--;
		page_free(p);
	}
	if (service->nr_common > service->nr_common_kept && !service->nr_chunk_used) {
		obs_share_free(service->common[--service->nr_common]);
		service->common[service->nr_common] = NULL;
		/* The one before was full: that is why there was another. */
		service->nr_chunk_used = SLOTS_PER_PAGE;
	}
}

int obs_service_slots_get(struct obs_service *service, bool shares, struct obs_slots *slots)
{
	slots->service = service;
	return shares ? share_alloc(service, slots) : rows_alloc(service, slots->nr, slots);
}

void obs_service_slots_put(const struct obs_slots *slots, bool shares)
{
	struct obs_service *service = slots->service;

	if (!slots_are_last(slots, shares))
		return;
	if (shares)
		service->nr_chunk_used -= slots->nr;
	else
		service->page[slots->page]->nr_used -= slots->nr;
	room_drop(service);
}

void obs_service_room_keep(struct obs_service *service)
{
	/* Pairs with service_page(): what is counted is complete, and stays. */
	smp_store_release(&service->nr_pages_kept, service->nr_pages);
	/* Pairs with share_get(). */
	smp_store_release(&service->nr_common_kept, service->nr_common);
}

void obs_service_room_free(struct obs_service *service)
{
	u32 i;

	/* Readers were told: what they read from here on, they throw away. */
	for (i = 0; i < service->nr_common; i++)
		obs_share_free(service->common[i]);
	for (i = 0; i < service->nr_pages; i++)
		page_free(service->page[i]);
	service->user->pages -= service->nr_pages;
	service->nr_pages = 0;
	service->nr_common = 0;
	obs_service_room_keep(service);
}
