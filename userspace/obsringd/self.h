/* SPDX-License-Identifier: MIT */
/*
 * The daemon's metrics about itself: one table of them in self.c.
 */
#ifndef OBSRINGD_SELF_H
#define OBSRINGD_SELF_H

#include "clients.h"
#include "expose.h"
#include "filter.h"
#include "leakshow.h"
#include "leakwatch.h"
#include "plan.h"
#include "process.h"
#include "requests.h"
#include "web.h"

/* Where the numbers of a body come from: slots of one page. */
struct self_values {
	uint64_t one;
	uint64_t scrape_ns;
	struct process_usage process;
	uint64_t in_flight;
	uint64_t answered[REQUEST_STATUS_NR];
	uint64_t connections;
	uint64_t ended[CLIENT_END_NR];
	uint64_t config_successful;
	uint64_t config_loaded_ns;
	struct leakwatch_counts leak;
	uint64_t leak_growth[LEAKWATCH_ROWS];
};

#define SELF_SERIES_MAX 96

struct self {
	struct requests *requests;
	struct clients *clients;	/* all set by who has them, or NULL */
	struct web_holder *web;
	struct leakwatch *leakwatch;
	uint64_t start_ns;
	/* As the library has those of a device. */
	struct obs_family_info *family;
	struct obs_series_info series[SELF_SERIES_MAX];
	uint32_t slot[SELF_SERIES_MAX];
	unsigned int nr_families, nr_series;
	struct leakshow leak;	/* guarded as usage is */
	const struct obs_family_info *leak_family;
	uint64_t epoch;		/* counts changes of series; from 1 */
	/* Guarded by whoever reads: it is not read again within a moment. */
	struct process_usage usage;
	uint64_t usage_ns;
};

/* -ENOMEM. @requests is read at each scrape. */
int self_init(struct self *self, struct requests *requests);
void self_exit(struct self *self);

/*
 * Would a family of the device, or one of its samples, be called as one of ours
 * is, in any format? A body that has a name twice is refused as a whole.
 */
bool self_has(enum obsring_kind kind, const char *name);

/* Before self_plan(): what series are there now? self->epoch tells if they changed. */
void self_update(struct self *self);

/* Add all, or those that @filter has, to @plan. */
void self_plan(struct self *self, struct plan *plan, const struct filter *filter);

/*
 * Their numbers now. What takes long to find out (of the process) is at most
 * SELF_USAGE_NS old.
 */
#define SELF_USAGE_NS 200000000ULL

void self_read(struct self *self, uint64_t scrape_ns, struct self_values *ret_values);

#endif /* OBSRINGD_SELF_H */
