// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "metrics.h"
#include "render.h"

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

void metrics_init(struct metrics *metrics, struct collector *collector,
		  const struct self *self)
{
	int id;

	*metrics = (struct metrics){ .collector = collector, .self = self };
	for (id = 0; id < FORMAT_NR; id++)
		body_pool_init(&metrics->format[id].pool);
}

void metrics_exit(struct metrics *metrics)
{
	int id;

	for (id = 0; id < FORMAT_NR; id++) {
		plan_free(&metrics->format[id].plan);
		body_pool_exit(&metrics->format[id].pool);
	}
}

/* The plan is of this opening of the device, and of its newest directory. */
static int update_plan(struct metrics_format *format, enum format_id id,
		       const struct collector *collector)
{
	uint64_t generation = obs_snapshot_generation(collector->snapshot);
	int r;

	if (format->epoch == collector->epoch && format->generation == generation)
		return 0;
	format->epoch = 0;
	r = plan_build(&format->plan, &formats[id], collector->snapshot, self_has);
	if (r < 0)
		return r;
	format->epoch = collector->epoch;
	format->generation = generation;
	return 0;
}

static int scrape_device(struct metrics *metrics, enum format_id id,
			 struct text *text, char reason[COLLECT_REASON_MAX])
{
	struct metrics_format *format = &metrics->format[id];
	int r = collector_begin(metrics->collector, reason);

	if (r < 0)
		return r;
	r = update_plan(format, id, metrics->collector);
	if (!r)
		render(&format->plan, metrics->collector->snapshot, text);
	else
		snprintf(reason, COLLECT_REASON_MAX, "render: %s", strerror(-r));
	collector_end(metrics->collector);
	return r;
}

static int fill(struct metrics *metrics, enum format_id id, struct text *text,
		char reason[COLLECT_REASON_MAX])
{
	uint64_t start = now_ns();
	int r = scrape_device(metrics, id, text, reason);

	if (r < 0)
		return r;
	self_render(metrics->self, id, now_ns() - start, text);
	text_puts(text, formats[id].end);
	if (!text_failed(text))
		return 0;
	snprintf(reason, COLLECT_REASON_MAX, "render: %s", strerror(ENOMEM));
	return -ENOMEM;
}

int metrics_scrape(struct metrics *metrics, enum format_id id,
		   struct body **ret_body, char reason[COLLECT_REASON_MAX])
{
	struct body *body = body_get(&metrics->format[id].pool);
	int r;

	if (!body) {
		snprintf(reason, COLLECT_REASON_MAX, "render: %s", strerror(ENOMEM));
		return -ENOMEM;
	}
	r = fill(metrics, id, &body->text, reason);
	if (r < 0) {
		body_put(body);
		return r;
	}
	*ret_body = body;
	return 0;
}
