/* SPDX-License-Identifier: MIT */
/*
 * Sums of the value pages in use. A page is summed as a whole, row by row, into
 * one of two buffers; the other one holds the sums that a snapshot shows, so
 * that an update that fails changes nothing.
 */
#ifndef LIBOBSRING_VALUES_H
#define LIBOBSRING_VALUES_H

#include "device.h"

/**
 * struct obs_value_page - a value page
 * @base: row 0 in the mapping; NULL until it was first needed
 * @sum: two buffers of a page
 * @users: series that hold slots of it
 * @single: those of them that have row 0 alone
 * @slots: slots from 0 on that users may hold
 */
struct obs_value_page {
	const uint8_t *base;
	__u64 *sum[2];
	uint32_t users;
	uint32_t single;
	uint32_t slots;
};

struct obs_values {
	struct obs_device *device;
	struct obs_value_page *page;
	uint32_t nr;
	unsigned int shown;	/* which sum[] the snapshot shows */
};

void obs_values_init(struct obs_values *values, struct obs_device *device);
void obs_values_exit(struct obs_values *values);

/* A series uses slots below @slots of @page, which is below the region's nr. */
int obs_values_hold(struct obs_values *values, uint32_t page, uint32_t slots,
		    bool single);
void obs_values_release(struct obs_values *values, uint32_t page, bool single);

/* Sum every page that is held, into the buffers that are not shown. */
void obs_values_read(struct obs_values *values);

/* Show what was read last. */
void obs_values_show(struct obs_values *values);

static inline const __u64 *obs_values_slots(const struct obs_values *values,
					    uint32_t page, uint32_t slot)
{
	return values->page[page].sum[values->shown] + slot;
}

#endif /* LIBOBSRING_VALUES_H */
