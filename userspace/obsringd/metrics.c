// SPDX-License-Identifier: MIT
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lock.h"
#include "metrics.h"
#include "render.h"

#define NS_PER_S	1000000000ULL
#define SHARED_NS	1000000ULL		/* how old an answer may be given again */
#define KEPT_NS		(300 * NS_PER_S)	/* a format that nobody asks for */

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* ---- A format ------------------------------------------------------------ */

static bool wanted(const struct filter *filter, const struct obs_family_info *family)
{
	return !filter || filter_has(filter, family->kind, family->name);
}

static void add_family(struct plan *plan, const struct obs_snapshot *snapshot,
		       const struct obs_family_info *family)
{
	const struct obs_series_info *series = NULL, *before;

	plan_family_add(plan, family);
	for (;;) {
		before = series;
		series = obs_series_next(snapshot, family, series);
		if (!series)
			return;
		plan_series_add(plan, series, before);
	}
}

/* From nothing: all that the device and the daemon have. */
static void format_build(struct kept *format, enum format_id id,
			 const struct metrics *metrics, const struct filter *filter)
{
	const struct obs_snapshot *snapshot = metrics->collector->snapshot;
	const struct obs_family_info *family = NULL;

	kept_drop(format);
	plan_init(&format->device, &formats[id]);
	plan_init(&format->self, &formats[id]);
	while ((family = obs_family_next(snapshot, family)))
		if (!self_has(family->kind, family->name) && wanted(filter, family))
			add_family(&format->device, snapshot, family);
	self_plan(metrics->self, &format->self, filter);
	format->epoch = metrics->epoch;
	format->self_epoch = metrics->self->epoch;
}

/* Own series came or went: those of the device stay as they are. */
static void format_build_self(struct kept *format, enum format_id id,
			      const struct metrics *metrics, const struct filter *filter)
{
	plan_exit(&format->self);
	plan_init(&format->self, &formats[id]);
	self_plan(metrics->self, &format->self, filter);
	format->self.moved = true;
	format->self_epoch = metrics->self->epoch;
}

/* ---- Families and series that come and go -------------------------------- */

static struct plan *next_plan(struct metrics *metrics, int *id)
{
	struct kept *format;

	while (*id < FORMAT_NR) {
		format = &metrics->format[(*id)++];
		if (format->epoch == metrics->epoch)
			return &format->device;
	}
	return NULL;
}

static void family_comes(void *arg, const struct obs_family_info *family)
{
	struct plan *plan;
	int id = 0;

	if (self_has(family->kind, family->name))
		return;
	while ((plan = next_plan(arg, &id)))
		plan_family_add(plan, family);
}

static void family_goes(void *arg, const struct obs_family_info *family)
{
	struct plan *plan;
	int id = 0;

	while ((plan = next_plan(arg, &id)))
		plan_family_remove(plan, family);
}

static void series_comes(void *arg, const struct obs_series_info *series,
			 const struct obs_series_info *before)
{
	struct plan *plan;
	int id = 0;

	while ((plan = next_plan(arg, &id)))
		plan_series_add(plan, series, before);
}

static void series_goes(void *arg, const struct obs_series_info *series)
{
	struct plan *plan;
	int id = 0;

	while ((plan = next_plan(arg, &id)))
		plan_series_remove(plan, series);
}

/* A device that was opened again has other families; those of before are gone. */
static void follow(struct metrics *metrics)
{
	const struct obs_snapshot_events events = {
		.arg = metrics,
		.family_goes = family_goes,
		.family_comes = family_comes,
		.series_goes = series_goes,
		.series_comes = series_comes,
	};

	if (metrics->epoch == metrics->collector->epoch)
		return;
	metrics->epoch = metrics->collector->epoch;
	obs_snapshot_watch(metrics->collector->snapshot, &events);
}

/* ---- Numbers ------------------------------------------------------------- */

static int deflate_plan(struct metrics *metrics, const struct deflate_codes *codes,
			const struct plan *plan)
{
	uint32_t i;
	int r = 0;

	for (i = 0; i < plan->nr_pieces && !r; i++)
		r = deflate_piece(metrics->deflater, codes, plan->piece[i]);
	return r;
}

static int deflate_device(struct metrics *metrics, struct kept *format)
{
	const struct plan *plan = &format->device;
	int r = deflate_codes_fit(&format->codes, plan->piece, plan->nr_pieces);

	return r < 0 ? r : deflate_plan(metrics, format->codes, plan);
}

/* With the collector's snapshot. */
static int read_device(struct metrics *metrics, struct kept *format,
		       const struct metrics_request *request)
{
	struct values values = { .snapshot = metrics->collector->snapshot };

	follow(metrics);
	self_update(metrics->self);
	if (format->epoch != metrics->epoch || plan_failed(&format->device) ||
	    plan_failed(&format->self))
		format_build(format, request->format, metrics, request->filter);
	if (format->self_epoch != metrics->self->epoch)
		format_build_self(format, request->format, metrics, request->filter);
	kept_lend(format);
	if (!plan_failed(&format->device))
		render(&format->device, &values);
	if (plan_failed(&format->device))
		return -ENOMEM;
	return request->gzip ? deflate_device(metrics, format) : 0;
}

static int read_self(struct metrics *metrics, struct kept *format,
		     uint64_t start_ns, bool gzip)
{
	struct self_values own;
	struct values values = { .own = (const uint64_t *)&own };

	self_read(metrics->self, metrics->now_ns() - start_ns, &own);
	if (!plan_failed(&format->self))
		render(&format->self, &values);
	if (plan_failed(&format->self))
		return -ENOMEM;
	return gzip ? deflate_plan(metrics, format->codes, &format->self) : 0;
}

/* ---- A scrape ------------------------------------------------------------ */

/* The collector's lock is what keeps others' events away from the plan's bytes. */
static int read_all(struct metrics *metrics, struct kept *format,
		    const struct metrics_request *request, uint64_t start_ns)
{
	int r = read_device(metrics, format, request);

	if (!r)
		r = read_self(metrics, format, start_ns, request->gzip);
	if (!r)
		r = kept_make(format, metrics->deflater, request->gzip);
	if (!r)
		(request->gzip ? format->gzip : format->plain)->read_ns = start_ns;
	kept_end(format);
	return r;
}

static int fill(struct metrics *metrics, struct kept *format,
		const struct metrics_request *request,
		char reason[COLLECT_REASON_MAX])
{
	uint64_t start_ns = metrics->now_ns();
	int r = 0;

	if (request->gzip && !metrics->deflater)
		metrics->deflater = deflater_new();
	if (request->gzip && !metrics->deflater)
		r = -ENOMEM;
	if (!r) {
		r = collector_begin(metrics->collector, reason);
		if (r < 0)
			return r;
		r = read_all(metrics, format, request, start_ns);
		collector_end(metrics->collector);
	}
	if (r < 0)
		snprintf(reason, COLLECT_REASON_MAX, "render: %s", strerror(-r));
	return r;
}

/* One that was read since the request came, or nearly, for one that is going on. */
static bool shared(const struct body *body, uint64_t asked_ns)
{
	return body && (body->read_ns > asked_ns ||
			(!body_idle(body) && asked_ns - body->read_ns < SHARED_NS));
}

/* Once is enough: metrics_expire() looks when the next one is due. */
static void expire_later(struct metrics *metrics, uint64_t ns)
{
	if (metrics->expiring || !metrics->expire_in)
		return;
	metrics->expiring = true;
	metrics->expire_in(metrics->context, ns);
}

static int scrape_all(struct metrics *metrics, const struct metrics_request *request,
		      uint64_t asked_ns, struct body **ret_body,
		      char reason[COLLECT_REASON_MAX])
{
	struct kept *format = &metrics->format[request->format];
	struct body **body = request->gzip ? &format->gzip : &format->plain;
	int r;

	if (!shared(*body, asked_ns)) {
		r = fill(metrics, format, request, reason);
		if (r < 0)
			return r;
	}
	format->used_ns = asked_ns;
	*ret_body = body_get(*body);
	expire_later(metrics, KEPT_NS);
	return 0;
}

/* What is filtered is made for this scrape alone. */
static int scrape_some(struct metrics *metrics, const struct metrics_request *request,
		       struct body **ret_body, char reason[COLLECT_REASON_MAX])
{
	struct kept *format = calloc(1, sizeof(*format));
	int r = -ENOMEM;

	if (format)
		r = fill(metrics, format, request, reason);
	if (!r)
		*ret_body = body_get(request->gzip ? format->gzip : format->plain);
	if (format)
		kept_drop(format);
	else
		snprintf(reason, COLLECT_REASON_MAX, "render: %s", strerror(ENOMEM));
	free(format);
	return r;
}

int metrics_scrape(struct metrics *metrics, const struct metrics_request *request,
		   struct body **ret_body, char reason[COLLECT_REASON_MAX])
{
	uint64_t asked_ns = request->asked_ns ? request->asked_ns : metrics->now_ns();
	int r;

	pthread_mutex_lock(&metrics->lock);
	if (request->filter)
		r = scrape_some(metrics, request, ret_body, reason);
	else
		r = scrape_all(metrics, request, asked_ns, ret_body, reason);
	pthread_mutex_unlock(&metrics->lock);
	return r;
}

/* Until the next is due, or 0: there is none. */
static uint64_t drop_unused(struct metrics *metrics)
{
	uint64_t now = metrics->now_ns(), unused_ns, next = 0;
	struct kept *format;
	int id;

	for (id = 0; id < FORMAT_NR; id++) {
		format = &metrics->format[id];
		unused_ns = now - format->used_ns;
		if (!format->epoch)
			continue;
		if (unused_ns >= KEPT_NS)
			kept_drop(format);
		else if (!next || KEPT_NS - unused_ns < next)
			next = KEPT_NS - unused_ns;
	}
	return next;
}

void metrics_expire(struct metrics *metrics)
{
	uint64_t next;

	pthread_mutex_lock(&metrics->lock);
	pthread_mutex_lock(&metrics->collector->lock);
	next = drop_unused(metrics);
	pthread_mutex_unlock(&metrics->collector->lock);
	metrics->expiring = false;
	if (next)
		expire_later(metrics, next);
	pthread_mutex_unlock(&metrics->lock);
	/* The kernel gets back what was theirs. */
	malloc_trim(0);
}

void metrics_init(struct metrics *metrics, struct collector *collector,
		  struct self *self)
{
	*metrics = (struct metrics){ .now_ns = monotonic_ns, .collector = collector,
				     .self = self };
	lock_init(&metrics->lock);
}

void metrics_exit(struct metrics *metrics)
{
	int id;

	for (id = 0; id < FORMAT_NR; id++)
		kept_drop(&metrics->format[id]);
	deflater_free(metrics->deflater);
	pthread_mutex_destroy(&metrics->lock);
}
