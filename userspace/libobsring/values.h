/* SPDX-License-Identifier: MIT */
/*
 * Sums of the pages in use. A page is summed as a whole, row by row, into one of two
 * buffers; the other one holds the sums that a snapshot shows, so that an update that
 * fails changes nothing.
 */
#ifndef LIBOBSRING_VALUES_H
#define LIBOBSRING_VALUES_H

#include "device.h"
#include "shares.h"

enum obs_store {
	OBS_STORE_VALUES,	/* rows of CPUs; a single one is row 0 */
	OBS_STORE_SERVICES,	/* and everyone's behind them; a single one is that */
	OBS_STORE_SHARES,	/* a page of each share */
};

/**
 * struct obs_slots - where a series' values are
 * @store: in which region
 * @single: one row alone
 * @page: there; of shares: which one of each
 * @slot: first slot
 * @nr: consecutive slots; 0: no values
 * @service: of shares: number of the service
 * @group: of shares: those that are summed; set while they are held
 */
struct obs_slots {
	enum obs_store store;
	bool single;
	uint32_t page, slot, nr;
	uint32_t service;
	struct obs_share_group *group;
};

/**
 * struct obs_value_page - a page with rows
 * @base: row 0 in the mapping; NULL until it was first needed
 * @sum: two buffers of a page: of all rows
 * @lone: likewise: the row that stands alone; NULL until it was first needed
 * @users: series that hold slots of it
 * @single: those of them that have one row alone
 * @slots: slots from 0 on that users may hold
 */
struct obs_value_page {
	const uint8_t *base;
	__u64 *sum[2], *lone[2];
	uint32_t users;
	uint32_t single;
	uint32_t slots;
};

/**
 * struct obs_value_pages - the pages of one store
 * @mapped: where they are
 * @page: by index
 * @nr: of them
 */
struct obs_value_pages {
	struct obs_pages *mapped;
	struct obs_value_page *page;
	uint32_t nr;
};

struct obs_values {
	struct obs_device *device;
	struct obs_value_pages pages[2];	/* VALUES, SERVICES */
	struct obs_shares shares;
	unsigned int shown;	/* which buffers the snapshot shows */
};

void obs_values_init(struct obs_values *values, struct obs_device *device);
void obs_values_exit(struct obs_values *values);

/* A series has these slots, which were checked. -ENOMEM, -EPROTO. */
int obs_values_hold(struct obs_values *values, struct obs_slots *slots);
void obs_values_release(struct obs_values *values, struct obs_slots *slots);

/* Sum every page that is held, into the buffers that are not shown. */
void obs_values_read(struct obs_values *values);

/* Show what was read last. */
void obs_values_show(struct obs_values *values);

/* The values as shown. */
const __u64 *obs_values_slots(const struct obs_values *values,
			      const struct obs_slots *slots);

/*
 * The values of a row now: @cpu has one, or it is OBSRING_CPU_SHARED of a service's.
 * -ENXIO: no such row.
 */
int obs_values_row(const struct obs_values *values, const struct obs_slots *slots,
		   uint32_t cpu, __u64 *to, uint32_t nr);

#endif /* LIBOBSRING_VALUES_H */
