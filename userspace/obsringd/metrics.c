// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "metrics.h"
#include "render.h"

#define NS_PER_S	1000000000ULL
#define SHARED_NS	1000000ULL		/* how old an answer may be given again */
#define KEPT_NS		(300 * NS_PER_S)	/* a format that nobody asks for */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* ---- A format ------------------------------------------------------------ */

static void format_drop_bodies(struct metrics_format *format)
{
	body_put(format->plain);
	body_put(format->gzip);
	format->plain = NULL;
	format->gzip = NULL;
}

static void format_drop(struct metrics_format *format)
{
	format_drop_bodies(format);
	plan_exit(&format->device);
	plan_exit(&format->self);
	deflated_free(format->end);
	memset(format, 0, sizeof(*format));
}

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
static void format_build(struct metrics_format *format, enum format_id id,
			 const struct metrics *metrics, const struct filter *filter)
{
	const struct obs_snapshot *snapshot = metrics->collector->snapshot;
	const struct obs_family_info *family = NULL;

	format_drop(format);
	plan_init(&format->device, &formats[id]);
	plan_init(&format->self, &formats[id]);
	while ((family = obs_family_next(snapshot, family)))
		if (!self_has(family->kind, family->name) && wanted(filter, family))
			add_family(&format->device, snapshot, family);
	self_plan(metrics->self, &format->self, filter);
	format->epoch = metrics->epoch;
}

/* ---- Families and series that come and go -------------------------------- */

static struct plan *next_plan(struct metrics *metrics, int *id)
{
	struct metrics_format *format;

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

/* A body that is being sent stays as it is, and what changes is copied. */
static void lend(struct metrics_format *format)
{
	if (format->plain && !body_idle(format->plain)) {
		body_put(format->plain);
		format->plain = NULL;
	}
	format->device.lent = format->plain ? 1 : 0;
	format->self.lent = format->plain ? 1 : 0;
}

static int deflate_plan(struct metrics *metrics, const struct plan *plan)
{
	uint32_t i;
	int r = 0;

	for (i = 0; i < plan->nr_pieces && !r; i++)
		r = deflate_piece(metrics->deflater, plan->piece[i]);
	return r;
}

/* With the collector's snapshot. */
static int read_device(struct metrics *metrics, struct metrics_format *format,
		       const struct metrics_request *request)
{
	struct values values = { .snapshot = metrics->collector->snapshot };

	follow(metrics);
	if (format->epoch != metrics->epoch || plan_failed(&format->device) ||
	    plan_failed(&format->self))
		format_build(format, request->format, metrics, request->filter);
	lend(format);
	if (!plan_failed(&format->device))
		render(&format->device, &values);
	if (plan_failed(&format->device))
		return -ENOMEM;
	return request->gzip ? deflate_plan(metrics, &format->device) : 0;
}

static int read_self(struct metrics *metrics, struct metrics_format *format,
		     uint64_t start_ns, bool gzip)
{
	struct self_values own;
	struct values values = { .own = (const uint64_t *)&own };

	self_read(metrics->self, now_ns() - start_ns, &own);
	if (!plan_failed(&format->self))
		render(&format->self, &values);
	if (plan_failed(&format->self))
		return -ENOMEM;
	return gzip ? deflate_plan(metrics, &format->self) : 0;
}

/* ---- Bodies -------------------------------------------------------------- */

static unsigned int put_chunks(const struct plan *plan, struct chunk **chunk)
{
	uint32_t i;

	for (i = 0; i < plan->nr_pieces; i++)
		chunk[i] = plan->piece[i]->bytes;
	return plan->nr_pieces;
}

static int make_plain(struct metrics_format *format)
{
	const struct plan *device = &format->device, *self = &format->self;
	struct chunk **chunk = calloc(device->nr_pieces + self->nr_pieces + 1,
				      sizeof(*chunk));
	unsigned int nr;

	if (!chunk)
		return -ENOMEM;
	nr = put_chunks(device, chunk);
	nr += put_chunks(self, chunk + nr);
	format->plain = body_new(device->format->content_type, false, chunk, nr,
				 device->format->end);
	free(chunk);
	return format->plain ? 0 : -ENOMEM;
}

static size_t deflated_len(const struct plan *plan)
{
	size_t len = 0;
	uint32_t i;

	for (i = 0; i < plan->nr_pieces; i++)
		len += plan->piece[i]->deflated->len;
	return len;
}

static void gzip_plan(struct gzip *gzip, const struct plan *plan)
{
	uint32_t i;

	for (i = 0; i < plan->nr_pieces; i++)
		gzip_add(gzip, plan->piece[i]->deflated);
}

/*
 * Does an answer of @len bytes hold @need, without too much for nothing? A scrape
 * whose pieces are some bytes longer or shorter then takes the place of the last.
 */
static bool fits(size_t len, size_t need)
{
	return len >= need && len - need <= need / 8 + 512 &&
	       len - need <= GZIP_PAD_MAX - GZIP_PAD_MIN;
}

static struct body *new_gzip(const struct metrics_format *format, size_t need)
{
	size_t more = need / 16 < GZIP_PAD_MAX / 2 ? need / 16 : GZIP_PAD_MAX / 2;
	struct chunk *chunk = chunk_new(need + more + 128);
	struct body *body;

	if (!chunk)
		return NULL;
	chunk->len = chunk->size;
	body = body_new(format->device.format->content_type, true, &chunk, 1, "");
	chunk_put(chunk);
	return body;
}

static int make_gzip(struct metrics *metrics, struct metrics_format *format)
{
	const char *end = format->device.format->end;
	struct gzip gzip;
	size_t need;

	if (!format->end && deflate_bytes(metrics->deflater, &format->end, end,
					  strlen(end)) < 0)
		return -ENOMEM;
	need = GZIP_FRAME_BYTES + GZIP_PAD_MIN + deflated_len(&format->device) +
	       deflated_len(&format->self) + format->end->len;
	if (format->gzip && (!body_idle(format->gzip) ||
			     !fits(format->gzip->chunk[0]->len, need))) {
		body_put(format->gzip);
		format->gzip = NULL;
	}
	if (!format->gzip)
		format->gzip = new_gzip(format, need);
	if (!format->gzip)
		return -ENOMEM;
	gzip_begin(&gzip, format->gzip->chunk[0]->data,
		   format->gzip->chunk[0]->len - need + GZIP_PAD_MIN);
	gzip_plan(&gzip, &format->device);
	gzip_plan(&gzip, &format->self);
	gzip_add(&gzip, format->end);
	gzip_end(&gzip);
	return 0;
}

/* What was moved is elsewhere than the body has it. */
static int make_body(struct metrics *metrics, struct metrics_format *format, bool gzip)
{
	if (format->device.moved || format->self.moved) {
		body_put(format->plain);
		format->plain = NULL;
		format->device.moved = false;
		format->self.moved = false;
	}
	if (gzip)
		return make_gzip(metrics, format);
	return format->plain ? 0 : make_plain(format);
}

/* ---- A scrape ------------------------------------------------------------ */

static int fill(struct metrics *metrics, struct metrics_format *format,
		const struct metrics_request *request,
		char reason[COLLECT_REASON_MAX])
{
	uint64_t start = now_ns();
	int r;

	if (request->gzip && !metrics->deflater)
		metrics->deflater = deflater_new();
	r = request->gzip && !metrics->deflater ? -ENOMEM : 0;
	if (!r) {
		r = collector_begin(metrics->collector, reason);
		if (r < 0)
			return r;
		r = read_device(metrics, format, request);
		collector_end(metrics->collector);
	}
	if (!r)
		r = read_self(metrics, format, start, request->gzip);
	if (!r)
		r = make_body(metrics, format, request->gzip);
	if (!r)
		(request->gzip ? format->gzip : format->plain)->read_ns = start;
	if (r < 0)
		snprintf(reason, COLLECT_REASON_MAX, "render: %s", strerror(-r));
	return r;
}

/* One that was read since this request came, or nearly, for one that is going on. */
static bool shared(const struct body *body, uint64_t asked_ns)
{
	return body && (body->read_ns > asked_ns ||
			(!body_idle(body) && asked_ns - body->read_ns < SHARED_NS));
}

static void drop_unused(struct metrics *metrics, uint64_t now)
{
	int id;

	for (id = 0; id < FORMAT_NR; id++)
		if (metrics->format[id].epoch &&
		    now - metrics->format[id].used_ns > KEPT_NS)
			format_drop(&metrics->format[id]);
}

static int scrape_all(struct metrics *metrics, const struct metrics_request *request,
		      uint64_t asked_ns, struct body **ret_body,
		      char reason[COLLECT_REASON_MAX])
{
	struct metrics_format *format = &metrics->format[request->format];
	struct body **body = request->gzip ? &format->gzip : &format->plain;
	int r;

	if (!shared(*body, asked_ns)) {
		r = fill(metrics, format, request, reason);
		if (r < 0)
			return r;
	}
	format->used_ns = asked_ns;
	*ret_body = body_get(*body);
	drop_unused(metrics, asked_ns);
	return 0;
}

/* What is filtered is made for this scrape alone. */
static int scrape_some(struct metrics *metrics, const struct metrics_request *request,
		       struct body **ret_body, char reason[COLLECT_REASON_MAX])
{
	struct metrics_format *format = calloc(1, sizeof(*format));
	int r = -ENOMEM;

	if (format)
		r = fill(metrics, format, request, reason);
	if (!r)
		*ret_body = body_get(request->gzip ? format->gzip : format->plain);
	if (format)
		format_drop(format);
	else
		snprintf(reason, COLLECT_REASON_MAX, "render: %s", strerror(ENOMEM));
	free(format);
	return r;
}

int metrics_scrape(struct metrics *metrics, const struct metrics_request *request,
		   struct body **ret_body, char reason[COLLECT_REASON_MAX])
{
	uint64_t asked_ns = now_ns();
	int r;

	pthread_mutex_lock(&metrics->lock);
	if (request->filter)
		r = scrape_some(metrics, request, ret_body, reason);
	else
		r = scrape_all(metrics, request, asked_ns, ret_body, reason);
	pthread_mutex_unlock(&metrics->lock);
	return r;
}

void metrics_init(struct metrics *metrics, struct collector *collector,
		  struct self *self)
{
	*metrics = (struct metrics){ .collector = collector, .self = self };
	pthread_mutex_init(&metrics->lock, NULL);
}

void metrics_exit(struct metrics *metrics)
{
	int id;

	for (id = 0; id < FORMAT_NR; id++)
		format_drop(&metrics->format[id]);
	deflater_free(metrics->deflater);
	pthread_mutex_destroy(&metrics->lock);
}
