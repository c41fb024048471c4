// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "accept.h"
#include "api.h"
#include "http.h"
#include "log.h"
#include "page.h"
#include "sendbuf.h"
#include "serve.h"

#define STOP_SECONDS_MAX	5

#define HEADER_TIMEOUT	"X-Prometheus-Scrape-Timeout-Seconds"

#define LIFECYCLE_OFF	"off; see --web.enable-lifecycle\n"

#define TYPE_PLAIN	"text/plain; charset=utf-8"
#define TYPE_HTML	"text/html; charset=utf-8"
#define TYPE_JSON	"application/json"

static const unsigned int status_number[REQUEST_STATUS_NR] = {
	[REQUEST_OK] = MHD_HTTP_OK,
	[REQUEST_BAD] = MHD_HTTP_BAD_REQUEST,
	[REQUEST_UNAUTHORIZED] = MHD_HTTP_UNAUTHORIZED,
	[REQUEST_FORBIDDEN] = MHD_HTTP_FORBIDDEN,
	[REQUEST_NOT_FOUND] = MHD_HTTP_NOT_FOUND,
	[REQUEST_BAD_METHOD] = MHD_HTTP_METHOD_NOT_ALLOWED,
	[REQUEST_TOO_MANY] = MHD_HTTP_TOO_MANY_REQUESTS,
	[REQUEST_FAILED] = MHD_HTTP_INTERNAL_SERVER_ERROR,
	[REQUEST_UNAVAILABLE] = MHD_HTTP_SERVICE_UNAVAILABLE,
};

static struct client *client_of(struct MHD_Connection *connection)
{
	return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
		->socket_context;
}

static enum MHD_Result reply(struct http *http, struct MHD_Connection *connection,
			     enum request_status status,
			     struct MHD_Response *response)
{
	requests_count(http->requests, status);
	return MHD_queue_response(connection, status_number[status], response);
}

static struct MHD_Response *make_response(const char *type, const char *data,
					  size_t len)
{
	struct MHD_Response *response;

	response = MHD_create_response_from_buffer(len, (void *)data,
						   MHD_RESPMEM_MUST_COPY);
	if (response)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	return response;
}

static struct MHD_Response *make_text(const char *text)
{
	return make_response(TYPE_PLAIN, text, strlen(text));
}

/* http_server_config: in the place of a header that the answer has of itself. */
static void add_headers(const struct web *web, struct MHD_Response *response)
{
	const struct web_header *header;
	const char *value;
	unsigned int i;

	for (i = 0; web && i < web->config.nr_headers; i++) {
		header = &web->config.header[i];
		value = MHD_get_response_header(response, header->name);
		if (value)
			MHD_del_response_header(response, header->name, value);
		MHD_add_response_header(response, header->name, header->value);
	}
}

/* For an answer that is used once: MHD frees it when it was sent. */
static enum MHD_Result reply_once(struct http *http,
				  struct MHD_Connection *connection,
				  enum request_status status,
				  struct MHD_Response *response)
{
	enum MHD_Result result;

	if (!response)
		return reply(http, connection, REQUEST_FAILED, http->failed);
	add_headers(client_of(connection)->web, response);
	result = reply(http, connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result reply_text(struct http *http,
				  struct MHD_Connection *connection,
				  enum request_status status, const char *text)
{
	return reply_once(http, connection, status, make_text(text));
}

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
	struct client *client = client_of(connection);
	char reason[COLLECT_REASON_MAX];
	int r;

	r = metrics_scrape(http->metrics, request, &client->body, reason);
	if (r == -ENOMEM)
		return reply(http, connection, REQUEST_FAILED, http->failed);
	if (r < 0)
		return reply_unavailable(http, connection, reason);
	sendbuf_fit(client, body_len(client->body));
	if (client->web && client->web->config.nr_headers)
		return reply_once(http, connection, REQUEST_OK,
				  body_response(client->body));
	return reply(http, connection, REQUEST_OK, client->body->response);
}

static enum MHD_Result answer_metrics(struct http *http,
				      struct MHD_Connection *connection)
{
	struct metrics_request request = {
		.format = negotiate(connection),
		.gzip = takes_gzip(connection),
		.asked_ns = asked_ns(http, client_of(connection)),
	};
	enum MHD_Result result;
	struct filter filter;

	filter_init(&filter);
	MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, take_argument,
				  &filter);
	if (!filter_empty(&filter))
		request.filter = &filter;
	if (filter_failed(&filter))
		result = reply(http, connection, REQUEST_FAILED, http->failed);
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
		response = make_response(TYPE_JSON, json->data, json->len);
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

/* A limited one counts against --web.max-requests. */
static const struct path {
	const char *path;
	enum MHD_Result (*answer)(struct http *http, struct MHD_Connection *connection);
	bool limited;
	bool acts;	/* POST and PUT, where others have GET and HEAD */
} paths[] = {
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

static const struct path *find_path(const struct http *http, const char *path)
{
	size_t i;

	if (!strcmp(path, http->telemetry_path))
		return &telemetry_path;
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (!strcmp(path, paths[i].path))
			return &paths[i];
	return NULL;
}

static bool takes_method(const struct path *path, const char *method)
{
	if (path && path->acts)
		return !strcmp(method, MHD_HTTP_METHOD_POST) ||
		       !strcmp(method, MHD_HTTP_METHOD_PUT);
	return !strcmp(method, MHD_HTTP_METHOD_GET) ||
	       !strcmp(method, MHD_HTTP_METHOD_HEAD);
}

static enum MHD_Result reply_bad_method(struct http *http,
					struct MHD_Connection *connection,
					const struct path *path)
{
	struct MHD_Response *response;

	response = make_text(path->acts ? "only POST and PUT\n" : "only GET and HEAD\n");
	if (response)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW,
					path->acts ? "POST, PUT" : "GET, HEAD");
	return reply_once(http, connection, REQUEST_BAD_METHOD, response);
}

static void begin(struct http *http, struct MHD_Connection *connection,
		  struct client *client)
{
	const char *timeout;

	timeout = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, HEADER_TIMEOUT);
	requests_begin(http->requests);
	client_begin(client, client_timeout(timeout));
	client->connection = connection;
	client->web = web_get(http->web);
	if (!client->web)
		client->verdict = AUTH_GRANTED;
	else
		client->verdict = web_take_rate(client->web) ? AUTH_UNKNOWN : AUTH_TOO_OFTEN;
}

/* Under auth's lock: the verdict may come at once after it. */
static void wait_for_verdict(void *who)
{
	struct client *client = who;

	MHD_suspend_connection(client->connection);
}

static void take_verdict(void *who, enum auth_verdict verdict)
{
	struct client *client = who;
	struct worker *worker = client->worker;

	client->verdict = verdict;
	/* From then on it may be another's. */
	MHD_resume_connection(client->connection);
	if (worker)
		worker_wake(worker);
}

/* AUTH_WAIT: MHD calls again, with the verdict in @client. */
static enum auth_verdict authorize(struct http *http, struct MHD_Connection *connection,
				   struct client *client)
{
	const union MHD_ConnectionInfo *info;
	const char *header;

	if (client->verdict != AUTH_UNKNOWN)
		return client->verdict;
	header = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
					     MHD_HTTP_HEADER_AUTHORIZATION);
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	return auth_check(&http->auth, client->web, header, info->client_addr, client);
}

static enum MHD_Result reply_unauthorized(struct http *http,
					  struct MHD_Connection *connection)
{
	struct MHD_Response *response = make_text("a name and its password are wanted\n");

	if (response)
		MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
					"Basic realm=\"obsringd\", charset=\"UTF-8\"");
	return reply_once(http, connection, REQUEST_UNAUTHORIZED, response);
}

static enum MHD_Result reply_busy(struct http *http, struct MHD_Connection *connection,
				  enum request_status status, const char *text)
{
	struct MHD_Response *response = make_text(text);

	if (response)
		MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
	return reply_once(http, connection, status, response);
}

/* All was read: @path answers, if there is one and room for it. */
static enum MHD_Result answer(struct http *http, struct MHD_Connection *connection,
			      struct client *client, const struct path *path)
{
	if (!path)
		return reply_text(http, connection, REQUEST_NOT_FOUND,
				  "no such page; see /\n");
	if (path->limited && !client_admit(client))
		return reply_busy(http, connection, REQUEST_UNAVAILABLE,
				  "too many requests at once; see --web.max-requests\n");
	return path->answer(http, connection);
}

/* All that is wanted of the request is there. */
static enum MHD_Result respond(struct http *http, struct MHD_Connection *connection,
			       struct client *client, const struct path *path,
			       const char *method)
{
	if (client->verdict == AUTH_TOO_OFTEN)
		return reply_busy(http, connection, REQUEST_TOO_MANY,
				  "too many requests; see rate_limit\n");
	if (client->verdict == AUTH_BUSY)
		return reply_busy(http, connection, REQUEST_UNAVAILABLE,
				  "too many passwords to check\n");
	if (client->verdict != AUTH_GRANTED)
		return reply_unauthorized(http, connection);
	if (path && !takes_method(path, method))
		return reply_bad_method(http, connection, path);
	return answer(http, connection, client, path);
}

static bool has_body(struct MHD_Connection *connection)
{
	const char *length = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
							 MHD_HTTP_HEADER_CONTENT_LENGTH);

	return (length && strcmp(length, "0")) ||
	       MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
					   MHD_HTTP_HEADER_TRANSFER_ENCODING);
}

/*
 * The headers are there. A request that is refused is so at once if it has a body,
 * which ends the connection; else as others, which doesn't.
 */
static enum MHD_Result handle_headers(struct http *http, struct MHD_Connection *connection,
				      struct client *client, const struct path *path,
				      const char *method)
{
	enum auth_verdict verdict = authorize(http, connection, client);

	if (verdict == AUTH_WAIT)
		return MHD_YES;
	client->verdict = verdict;
	client->decided = true;
	if (!has_body(connection))
		return MHD_YES;
	if (verdict != AUTH_GRANTED || !path || !takes_method(path, method))
		return respond(http, connection, client, path, method);
	client_set_reading(client, true);
	return MHD_YES;
}

/*
 * MHD calls when the headers are there, and again if the connection was suspended
 * in that call; then for each piece of a body; then when all was read.
 */
enum MHD_Result http_handle(void *cls, struct MHD_Connection *connection,
			    const char *url, const char *method, const char *version,
			    const char *upload, size_t *upload_size, void **request)
{
	struct client *client = client_of(connection);
	struct http *http = cls;
	const struct path *path = find_path(http, url);

	(void)version;
	(void)upload;
	if (!client)
		return MHD_NO;
	if (!*request) {
		*request = client;
		begin(http, connection, client);
	}
	if (!client->decided)
		return handle_headers(http, connection, client, path, method);
	if (*upload_size) {
		*upload_size = 0;
		return MHD_YES;
	}
	if (client->reading)
		client_set_reading(client, false);
	return respond(http, connection, client, path, method);
}

void http_completed(void *cls, struct MHD_Connection *connection, void **request,
		    enum MHD_RequestTerminationCode code)
{
	struct client *client = *request;
	struct http *http = cls;

	(void)connection;
	(void)code;
	if (!client)
		return;
	body_put(client->body);
	client->body = NULL;
	web_put(client->web);
	client->web = NULL;
	client->decided = false;
	client_end(client);
	requests_end(http->requests);
	*request = NULL;
}

static int make_answers(struct http *http)
{
	page_build(&http->page, http->telemetry_path);
	http->failed = make_text("out of memory\n");
	return !text_failed(&http->page.html) && !text_failed(&http->page.policy) &&
	       http->failed ? 0 : -ENOMEM;
}

static void free_answers(struct http *http)
{
	page_free(&http->page);
	if (http->failed)
		MHD_destroy_response(http->failed);
	http->failed = NULL;
}

static int start(struct http *http, const struct listen_sockets *sockets)
{
	int r = make_answers(http);

	if (!r)
		r = auth_init(&http->auth, wait_for_verdict, take_verdict);
	return r ? r : serve_start(http, sockets);
}

static void stop(struct http *http)
{
	auth_exit(&http->auth);
	serve_stop(http);
	free_answers(http);
	http->running = false;
}

int http_start(struct http *http, const struct listen_sockets *sockets)
{
	int r = start(http, sockets);

	http->running = !r;
	if (r < 0)
		stop(http);
	return r;
}

void http_stop(struct http *http)
{
	if (!http->running)
		return;
	intake_stop(&http->intake);
	if (!requests_wait_idle(http->requests, STOP_SECONDS_MAX))
		log_event(LEVEL_WARN, "some answers were not finished", NULL);
	stop(http);
}
