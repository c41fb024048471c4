/* SPDX-License-Identifier: MIT */
/*
 * A scrape: the device's snapshot and the daemon's own numbers, as a body.
 *
 * For each format that was asked for in the last five minutes there is a plan, always
 * complete; one that nobody asks for goes by itself. A scrape reads the device and
 * writes over what changed, in place if no answer is being sent of it: see kept.h.
 */
#ifndef OBSRINGD_METRICS_H
#define OBSRINGD_METRICS_H

#include <pthread.h>

#include "collect.h"
#include "filter.h"
#include "kept.h"
#include "self.h"

struct metrics {
	uint64_t (*now_ns)(void);	/* monotonic; a test has another */
	/* Have metrics_expire() called in @ns, once; NULL: nobody does. */
	void (*expire_in)(void *context, uint64_t ns);
	void *context;
	pthread_mutex_t lock;	/* of all below; before the collector's */
	bool expiring;		/* that was said, and it was not called yet */
	struct collector *collector;
	struct self *self;
	struct deflater *deflater;	/* made when first needed */
	uint64_t epoch;		/* opening whose events are heard; 0: none */
	struct kept format[FORMAT_NR];	/* plans of the device: also its lock */
};

struct metrics_request {
	enum format_id format;
	bool gzip;
	const struct filter *filter;	/* NULL: all */
	uint64_t asked_ns;		/* by then it had come; 0: now */
};

void metrics_init(struct metrics *metrics, struct collector *collector,
		  struct self *self);

/* All bodies were given back. No metrics_expire() any more. */
void metrics_exit(struct metrics *metrics);

/*
 * A body of all, or of what the filter has, as of now: it was read after the request
 * had come, or less than a millisecond before for another answer that is being sent.
 * -ENOMEM, or why the device can't be read, with @reason. Give it back with
 * body_put().
 */
int metrics_scrape(struct metrics *metrics, const struct metrics_request *request,
		   struct body **ret_body, char reason[COLLECT_REASON_MAX]);

/* Drop what nobody asked for in the last five minutes. */
void metrics_expire(struct metrics *metrics);

#endif /* OBSRINGD_METRICS_H */
