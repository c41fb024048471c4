// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "values.h"

void obs_values_init(struct obs_values *values, struct obs_device *device)
{
	*values = (struct obs_values){ .device = device };
	values->pages[OBS_STORE_VALUES].mapped = &device->values;
	values->pages[OBS_STORE_SERVICES].mapped = &device->services;
	obs_shares_init(&values->shares, device);
}

static void pages_free(struct obs_value_pages *pages)
{
	unsigned int k;
	uint32_t i;

	for (i = 0; i < pages->nr; i++) {
		for (k = 0; k < 2; k++) {
			free(pages->page[i].sum[k]);
			free(pages->page[i].lone[k]);
		}
	}
	free(pages->page);
}

void obs_values_exit(struct obs_values *values)
{
	pages_free(&values->pages[OBS_STORE_VALUES]);
	pages_free(&values->pages[OBS_STORE_SERVICES]);
	obs_shares_exit(&values->shares);
}

static int pages_grow(struct obs_value_pages *pages, uint32_t nr)
{
	struct obs_value_page *page;

	if (nr <= pages->nr)
		return 0;
	page = reallocarray(pages->page, nr, sizeof(*page));
	if (!page)
		return -ENOMEM;
	memset(page + pages->nr, 0, (nr - pages->nr) * sizeof(*page));
	pages->page = page;
	pages->nr = nr;
	return 0;
}

static int buffers_make(__u64 *buffer[2], uint32_t bytes)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		if (!buffer[i])
			buffer[i] = calloc(1, bytes);
		if (!buffer[i])
			return -ENOMEM;
	}
	return 0;
}

/* Mapping and buffers of a page, once made, stay until the end. */
static int page_prepare(struct obs_values *values, struct obs_value_pages *pages,
			uint32_t index, bool single)
{
	struct obs_value_page *page = &pages->page[index];
	int r;

	r = buffers_make(single ? page->lone : page->sum, values->device->page_size);
	if (r || page->base)
		return r;
	return obs_device_page(values->device, pages->mapped, index, &page->base);
}

static int page_hold(struct obs_values *values, const struct obs_slots *slots)
{
	struct obs_value_pages *pages = &values->pages[slots->store];
	struct obs_value_page *page;
	int r;

	r = pages_grow(pages, slots->page + 1);
	if (r)
		return r;
	r = page_prepare(values, pages, slots->page, slots->single);
	if (r)
		return r;
	page = &pages->page[slots->page];
	page->users++;
	page->single += slots->single;
	if (page->slots < slots->slot + slots->nr)
		page->slots = slots->slot + slots->nr;
	return 0;
}

int obs_values_hold(struct obs_values *values, struct obs_slots *slots)
{
	if (!slots->nr)
		return 0;
	if (slots->store != OBS_STORE_SHARES)
		return page_hold(values, slots);
	return obs_shares_hold(&values->shares, slots->service, slots->page,
			       slots->slot + slots->nr, &slots->group);
}

void obs_values_release(struct obs_values *values, struct obs_slots *slots)
{
	struct obs_value_page *page;

	if (!slots->nr)
		return;
	if (slots->store == OBS_STORE_SHARES) {
		obs_shares_release(&values->shares, slots->group);
		return;
	}
	page = &values->pages[slots->store].page[slots->page];
	page->users--;
	page->single -= slots->single;
	if (!page->users)
		page->slots = 0;
}

static const __u64 *page_row(const struct obs_device *device,
			     const struct obs_value_page *page, uint32_t row)
{
	return (const __u64 *)(page->base + (uint64_t)row * device->page_size);
}

/* The row that is there for all CPUs. */
static uint32_t lone_row(const struct obs_device *device, unsigned int store)
{
	return store == OBS_STORE_SERVICES ? device->nr_cpus : 0;
}

static void page_sum(const struct obs_device *device, unsigned int store,
		     const struct obs_value_page *page, __u64 *sum)
{
	uint32_t cpu;

	memset(sum, 0, page->slots * sizeof(*sum));
	for (cpu = 0; cpu < device->nr_cpus; cpu++)
		if (obs_cpu_has_row(device->cpu_mask, cpu))
			obs_row_add(sum, page_row(device, page, cpu), page->slots);
	if (store == OBS_STORE_SERVICES)
		obs_row_add(sum, page_row(device, page, device->nr_cpus), page->slots);
}

static void pages_read(const struct obs_values *values, unsigned int store)
{
	const struct obs_value_pages *pages = &values->pages[store];
	const struct obs_device *device = values->device;
	const struct obs_value_page *page;
	uint32_t i;

	for (i = 0; i < pages->nr; i++) {
		page = &pages->page[i];
		if (page->users > page->single)
			page_sum(device, store, page, page->sum[!values->shown]);
		if (page->single)
			obs_words_copy(page->lone[!values->shown],
				       page_row(device, page, lone_row(device, store)),
				       page->slots);
	}
}

void obs_values_read(struct obs_values *values)
{
	pages_read(values, OBS_STORE_VALUES);
	pages_read(values, OBS_STORE_SERVICES);
	obs_shares_read(&values->shares, !values->shown);
}

void obs_values_show(struct obs_values *values)
{
	values->shown = !values->shown;
}

const __u64 *obs_values_slots(const struct obs_values *values,
			      const struct obs_slots *slots)
{
	const struct obs_value_page *page;
	unsigned int shown = values->shown;

	if (slots->store == OBS_STORE_SHARES)
		return obs_shares_slots(slots->group, shown) + slots->slot;
	page = &values->pages[slots->store].page[slots->page];
	return (slots->single ? page->lone[shown] : page->sum[shown]) + slots->slot;
}

static bool row_find(const struct obs_device *device, const struct obs_slots *slots,
		     uint32_t cpu, uint32_t *ret_row)
{
	bool shared = cpu == OBSRING_CPU_SHARED;

	*ret_row = shared ? device->nr_cpus : cpu;
	if (shared)
		return slots->store == OBS_STORE_SERVICES;
	if (slots->single)
		return slots->store == OBS_STORE_VALUES && cpu == 0;
	return cpu < device->nr_cpus && obs_cpu_has_row(device->cpu_mask, cpu);
}

int obs_values_row(const struct obs_values *values, const struct obs_slots *slots,
		   uint32_t cpu, __u64 *to, uint32_t nr)
{
	const struct obs_value_page *page;
	uint32_t row;

	if (slots->store == OBS_STORE_SHARES) {
		if (cpu != OBSRING_CPU_SHARED)
			return -ENXIO;
		obs_shares_sum(&values->shares, slots->group, slots->slot, to, nr);
		return 0;
	}
	if (!row_find(values->device, slots, cpu, &row))
		return -ENXIO;
	page = &values->pages[slots->store].page[slots->page];
	obs_words_copy(to, page_row(values->device, page, row) + slots->slot, nr);
	return 0;
}
