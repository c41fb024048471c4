// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "accept.h"
#include "answer.h"
#include "api.h"
#include "reply.h"
#include "sendbuf.h"

#define LIFECYCLE_OFF	"off; see --web.enable-lifecycle\n"

#define TYPE_HTML	"text/html; charset=utf-8"
#define TYPE_JSON	"application/json"

static enum MHD_Result reply_unavailable(struct http *http,
					 struct MHD_Connection *connection,
					 const char *reason)
{
	char text[COLLECT_REASON_MAX + 16];

	snprintf(text, sizeof(text), "not ready: %s\n", reason);
	return reply_text(http, connection, REQUEST_UNAVAILABLE, text);
}

static enum MHD_Result take_accept(void *accept, enum MHD_ValueKind kind,
				   const char *key, const char *value)
{
	(void)kind;
	if (value && !strcasecmp(key, MHD_HTTP_HEADER_ACCEPT))
		accept_parse(accept, value);
	return MHD_YES;
}

static enum format_id negotiate(struct MHD_Connection *connection)
{
	struct accept accept;

	accept_init(&accept);
	MHD_get_connection_values(connection, MHD_HEADER_KIND, take_accept, &accept);
	return accept_choose(&accept);
}

static bool takes_gzip(struct MHD_Connection *connection)
{
	const char *value;

	value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
					    MHD_HTTP_HEADER_ACCEPT_ENCODING);
	return value && accept_gzip(value);
}

static enum MHD_Result take_argument(void *filter, enum MHD_ValueKind kind,
				     const char *key, const char *value)
{
	(void)kind;
	filter_add(filter, key, value);
	return MHD_YES;
}

/*
 * When the request had come; 0: nobody knows. libmicrohttpd asks for all of its events
 * before it handles the first of them, so that whatever a worker looks at in one run had
 * come before the first of it is: what is read after that is new to all of them, and is
 * read once. Only the second request of a client in one run can have come later.
 */
static uint64_t asked_ns(const struct http *http, struct client *client)
{
	struct worker *worker = client->worker;

	if (!worker || client->run == worker->run)
		return 0;
	client->run = worker->run;
	if (!worker->heard_ns)
		worker->heard_ns = http->metrics->now_ns();
	return worker->heard_ns;
}

/* The client gives the body back when the answer was sent: completed(). */
static enum MHD_Result reply_metrics(struct http *http,
				     struct MHD_Connection *connection,
				     const struct metrics_request *request)
{
	struct client *client = http_client(connection);
	char reason[COLLECT_REASON_MAX];
	int r;

	r = metrics_scrape(http->metrics, request, &client->body, reason);
	if (r == -ENOMEM)
		return reply_kept(http, connection, REQUEST_FAILED, http->failed);
	if (r < 0)
		return reply_unavailable(http, connection, reason);
	sendbuf_fit(client, body_len(client->body));
	if (client->web && client->web->config.nr_headers)
		return reply_once(http, connection, REQUEST_OK,
				  body_response(client->body));
	return reply_kept(http, connection, REQUEST_OK, client->body->response);
}

static enum MHD_Result answer_metrics(struct http *http,
				      struct MHD_Connection *connection)
{
	struct metrics_request request = {
		.format = negotiate(connection),
		.gzip = takes_gzip(connection),
		.asked_ns = asked_ns(http, http_client(connection)),
	};
	enum MHD_Result result;
	struct filter filter;

	filter_init(&filter);
	MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, take_argument,
				  &filter);
	if (!filter_empty(&filter))
		request.filter = &filter;
	if (filter_failed(&filter))
		result = reply_kept(http, connection, REQUEST_FAILED, http->failed);
	else
		result = reply_metrics(http, connection, &request);
	filter_exit(&filter);
	return result;
}

static enum MHD_Result answer_healthy(struct http *http,
				      struct MHD_Connection *connection)
{
	return reply_text(http, connection, REQUEST_OK, "healthy\n");
}

static enum MHD_Result answer_ready(struct http *http,
				    struct MHD_Connection *connection)
{
	char reason[COLLECT_REASON_MAX];

	if (collector_ready(http->collector, reason) < 0)
		return reply_unavailable(http, connection, reason);
	return reply_text(http, connection, REQUEST_OK, "ready\n");
}

static enum MHD_Result answer_page(struct http *http,
				   struct MHD_Connection *connection)
{
	struct MHD_Response *response;

	response = MHD_create_response_from_buffer(http->page.html.len,
						   http->page.html.data,
						   MHD_RESPMEM_PERSISTENT);
	if (response) {
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, TYPE_HTML);
		MHD_add_response_header(response, "Content-Security-Policy",
					http->page.policy.data);
		MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
		MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
	}
	return reply_once(http, connection, REQUEST_OK, response);
}

static enum MHD_Result take_query(void *query, enum MHD_ValueKind kind,
				  const char *key, const char *value)
{
	(void)kind;
	query_add(query, key, value);
	return MHD_YES;
}

static enum MHD_Result reply_json(struct http *http, struct MHD_Connection *connection,
				  enum request_status status, struct text *json)
{
	struct MHD_Response *response = NULL;

	if (!text_failed(json))
		response = response_make(TYPE_JSON, json->data, json->len);
	if (response)
		MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	text_free(json);
	return reply_once(http, connection, status, response);
}

static enum MHD_Result answer_api(struct http *http, struct MHD_Connection *connection,
				  api_fn *api)
{
	struct query query = { .problem = NULL };
	struct text json = { 0 };
	enum request_status status;

	MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, take_query, &query);
	status = api(http->collector, &query, &json);
	return reply_json(http, connection, status, &json);
}

static enum MHD_Result answer_series(struct http *http,
				     struct MHD_Connection *connection)
{
	return answer_api(http, connection, api_series);
}

static enum MHD_Result answer_series_cpu(struct http *http,
					 struct MHD_Connection *connection)
{
	return answer_api(http, connection, api_series_cpu);
}

static enum MHD_Result answer_log(struct http *http, struct MHD_Connection *connection)
{
	return answer_api(http, connection, http->control->log ? api_log : api_log_off);
}

static enum MHD_Result answer_status(struct http *http,
				     struct MHD_Connection *connection)
{
	struct text text = { 0 };

	http->control->status(http->control->context, &text);
	return reply_json(http, connection, REQUEST_OK, &text);
}

static enum MHD_Result answer_reload(struct http *http,
				     struct MHD_Connection *connection)
{
	char reason[CONTROL_REASON_MAX], text[CONTROL_REASON_MAX + 32];

	if (!http->control->lifecycle)
		return reply_text(http, connection, REQUEST_FORBIDDEN, LIFECYCLE_OFF);
	if (!http->control->reload(http->control->context, reason))
		return reply_text(http, connection, REQUEST_OK, "reloaded\n");
	snprintf(text, sizeof(text), "failed to reload: %s\n", reason);
	return reply_text(http, connection, REQUEST_FAILED, text);
}

/* The answer is sent before all stops: http_stop(). */
static enum MHD_Result answer_quit(struct http *http,
				   struct MHD_Connection *connection)
{
	if (!http->control->lifecycle)
		return reply_text(http, connection, REQUEST_FORBIDDEN, LIFECYCLE_OFF);
	http->control->quit(http->control->context);
	return reply_text(http, connection, REQUEST_OK, "stopping\n");
}

static const struct path paths[] = {
	{ "/-/healthy", answer_healthy, false, false },
	{ "/-/ready", answer_ready, false, false },
	{ "/health/live", answer_healthy, false, false },
	{ "/health/ready", answer_ready, false, false },
	{ "/-/reload", answer_reload, false, true },
	{ "/-/quit", answer_quit, false, true },
	{ "/api/v1/series", answer_series, true, false },
	{ "/api/v1/series/cpu", answer_series_cpu, true, false },
	{ "/api/v1/log", answer_log, true, false },
	{ "/api/v1/status", answer_status, true, false },
	{ "/", answer_page, true, false },
};

static const struct path telemetry_path = { NULL, answer_metrics, true, false };

const struct path *path_find(const struct http *http, const char *path)
{
	size_t i;

	if (!strcmp(path, http->telemetry_path))
		return &telemetry_path;
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (!strcmp(path, paths[i].path))
			return &paths[i];
	return NULL;
}
