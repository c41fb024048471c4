/* SPDX-License-Identifier: MIT */
/*
 * A scrape: the device's snapshot and the daemon's own numbers, as a body.
 */
#ifndef OBSRINGD_METRICS_H
#define OBSRINGD_METRICS_H

#include "body.h"
#include "collect.h"
#include "plan.h"
#include "self.h"

struct metrics {
	struct collector *collector;
	const struct self *self;
	struct metrics_format {
		struct body_pool pool;
		struct plan plan;	/* guarded by the collector */
		uint64_t epoch;		/* what the plan was built from; 0: none */
		uint64_t generation;
	} format[FORMAT_NR];
};

void metrics_init(struct metrics *metrics, struct collector *collector,
		  const struct self *self);
void metrics_exit(struct metrics *metrics);

/*
 * Render all in format @id. -ENOMEM, or why the device can't be read, with
 * @reason. A warm scrape allocates nothing.
 */
int metrics_scrape(struct metrics *metrics, enum format_id id,
		   struct body **ret_body, char reason[COLLECT_REASON_MAX]);

#endif /* OBSRINGD_METRICS_H */
