// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

#include "api.h"
#include "jsontext.h"
#include "records.h"
#include "series.h"

static void begin(struct text *json)
{
	jsontext_open(json, NULL, '{');
	jsontext_string(json, "status", "success");
	jsontext_open(json, "data", '{');
}

static enum request_status end(struct text *json)
{
	jsontext_close(json, '}');
	jsontext_close(json, '}');
	text_put(json, "\n", 1);
	return REQUEST_OK;
}

/* In the place of what was begun. */
static enum request_status fail(struct text *json, enum request_status status,
				const char *reason)
{
	text_clear(json);
	jsontext_open(json, NULL, '{');
	jsontext_string(json, "status", "error");
	jsontext_string(json, "error", reason);
	jsontext_close(json, '}');
	text_put(json, "\n", 1);
	return status;
}

static enum request_status finish(struct text *json, int r, const char *reason)
{
	if (!r)
		return end(json);
	if (r == -ENOMEM)
		return fail(json, REQUEST_FAILED, "out of memory");
	return fail(json, r == -ESTALE ? REQUEST_NOT_FOUND : REQUEST_UNAVAILABLE, reason);
}

enum request_status api_series(struct collector *collector, const struct query *query,
			       struct text *json)
{
	char reason[COLLECT_REASON_MAX];
	int r;

	if (query->problem)
		return fail(json, REQUEST_BAD, query->problem);
	begin(json);
	r = series_write(collector, query, json, reason);
	return finish(json, r, reason);
}

enum request_status api_series_cpu(struct collector *collector, const struct query *query,
				   struct text *json)
{
	char reason[COLLECT_REASON_MAX];
	int r;

	if (query->problem)
		return fail(json, REQUEST_BAD, query->problem);
	if (!query->has_id || !query->has_gen)
		return fail(json, REQUEST_BAD, "id and gen are wanted");
	begin(json);
	r = series_write_cpus(collector, query, json, reason);
	return finish(json, r, reason);
}

enum request_status api_log(struct collector *collector, const struct query *query,
			    struct text *json)
{
	char reason[COLLECT_REASON_MAX];
	int r;

	if (query->problem)
		return fail(json, REQUEST_BAD, query->problem);
	if (collector_ready(collector, reason) < 0)
		return fail(json, REQUEST_UNAVAILABLE, reason);
	begin(json);
	r = records_write(collector->path, query, json);
	return finish(json, r, r == -EOPNOTSUPP ? "this device has no log" : strerror(-r));
}

enum request_status api_log_off(struct collector *collector, const struct query *query,
				struct text *json)
{
	(void)collector;
	(void)query;
	return fail(json, REQUEST_FORBIDDEN, "off; see --web.log");
}
