// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "values.h"

void obs_values_init(struct obs_values *values, struct obs_device *device)
{
	*values = (struct obs_values){ .device = device };
}

void obs_values_exit(struct obs_values *values)
{
	uint32_t i;

	for (i = 0; i < values->nr; i++) {
		free(values->page[i].sum[0]);
		free(values->page[i].sum[1]);
	}
	free(values->page);
}

static int values_grow(struct obs_values *values, uint32_t nr)
{
	struct obs_value_page *page;

	if (nr <= values->nr)
		return 0;
	page = reallocarray(values->page, nr, sizeof(*page));
	if (!page)
		return -ENOMEM;
	memset(page + values->nr, 0, (nr - values->nr) * sizeof(*page));
	values->page = page;
	values->nr = nr;
	return 0;
}

/* Mapping and buffers of a page, once made, stay until the end. */
static int value_page_prepare(struct obs_values *values, uint32_t index)
{
	struct obs_value_page *page = &values->page[index];
	unsigned int i;

	for (i = 0; i < 2; i++) {
		if (!page->sum[i])
			page->sum[i] = calloc(1, values->device->page_size);
		if (!page->sum[i])
			return -ENOMEM;
	}
	if (page->base)
		return 0;
	return obs_device_value_page(values->device, index, &page->base);
}

int obs_values_hold(struct obs_values *values, uint32_t page, uint32_t slots,
		    bool single)
{
	struct obs_value_page *p;
	int r;

	r = values_grow(values, page + 1);
	if (r)
		return r;
	r = value_page_prepare(values, page);
	if (r)
		return r;
	p = &values->page[page];
	p->users++;
	p->single += single;
	if (p->slots < slots)
		p->slots = slots;
	return 0;
}

void obs_values_release(struct obs_values *values, uint32_t page, bool single)
{
	struct obs_value_page *p = &values->page[page];

	p->users--;
	p->single -= single;
	if (!p->users)
		p->slots = 0;
}

static void value_page_sum(const struct obs_device *device,
			   const struct obs_value_page *page, __u64 *sum)
{
	bool single = page->users == page->single;
	uint32_t cpu;

	memset(sum, 0, page->slots * sizeof(*sum));
	for (cpu = 0; cpu < device->nr_cpus; cpu++) {
		if (single ? cpu > 0 : !obs_cpu_has_row(device->cpu_mask, cpu))
			continue;
		obs_row_add(sum, (const __u64 *)(page->base +
						 (uint64_t)cpu * device->page_size),
			    page->slots);
	}
}

void obs_values_read(struct obs_values *values)
{
	uint32_t i;

	for (i = 0; i < values->nr; i++)
		if (values->page[i].users)
			value_page_sum(values->device, &values->page[i],
				       values->page[i].sum[!values->shown]);
}

void obs_values_show(struct obs_values *values)
{
	values->shown = !values->shown;
}
