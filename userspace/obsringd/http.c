// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "accept.h"
#include "http.h"
#include "log.h"
#include "page.h"

#define THREADS			2
#define CONNECTION_BYTES_MAX	(16 * 1024)	/* request line and headers */
#define STOP_SECONDS_MAX	5

#define HEADER_TIMEOUT	"X-Prometheus-Scrape-Timeout-Seconds"

#define LIFECYCLE_OFF	"off; see --web.enable-lifecycle\n"

#define TYPE_PLAIN	"text/plain; charset=utf-8"
#define TYPE_HTML	"text/html; charset=utf-8"
#define TYPE_JSON	"application/json"

static const unsigned int status_number[REQUEST_STATUS_NR] = {
	[REQUEST_OK] = MHD_HTTP_OK,
	[REQUEST_FORBIDDEN] = MHD_HTTP_FORBIDDEN,
	[REQUEST_NOT_FOUND] = MHD_HTTP_NOT_FOUND,
	[REQUEST_BAD_METHOD] = MHD_HTTP_METHOD_NOT_ALLOWED,
	[REQUEST_FAILED] = MHD_HTTP_INTERNAL_SERVER_ERROR,
	[REQUEST_UNAVAILABLE] = MHD_HTTP_SERVICE_UNAVAILABLE,
};

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

/* For an answer that is used once: MHD frees it when it was sent. */
static enum MHD_Result reply_once(struct http *http,
				  struct MHD_Connection *connection,
				  enum request_status status,
				  struct MHD_Response *response)
{
	enum MHD_Result result;

	if (!response)
		return reply(http, connection, REQUEST_FAILED, http->failed);
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

static void put_body(void *body)
{
	body_put(body);
}

static enum MHD_Result answer_metrics(struct http *http,
				      struct MHD_Connection *connection)
{
	enum format_id id = negotiate(connection);
	char reason[COLLECT_REASON_MAX];
	struct MHD_Response *response;
	struct body *body;
	int r;

	r = metrics_scrape(http->metrics, id, &body, reason);
	if (r == -ENOMEM)
		return reply(http, connection, REQUEST_FAILED, http->failed);
	if (r < 0)
		return reply_unavailable(http, connection, reason);
	response = MHD_create_response_from_buffer_with_free_callback_cls(
		body->text.len, body->text.data, put_body, body);
	if (!response) {
		body_put(body);
		return reply(http, connection, REQUEST_FAILED, http->failed);
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
				formats[id].content_type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Accept");
	return reply_once(http, connection, REQUEST_OK, response);
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
	return reply(http, connection, REQUEST_OK, http->page);
}

static enum MHD_Result answer_status(struct http *http,
				     struct MHD_Connection *connection)
{
	struct MHD_Response *response = NULL;
	struct text text = { 0 };

	http->control->status(http->control->context, &text);
	if (!text_failed(&text))
		response = make_response(TYPE_JSON, text.data, text.len);
	text_free(&text);
	return reply_once(http, connection, REQUEST_OK, response);
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
}

/* All was read: @path answers, if there is one and room for it. */
static enum MHD_Result answer(struct http *http, struct MHD_Connection *connection,
			      struct client *client, const struct path *path)
{
	if (!path)
		return reply_text(http, connection, REQUEST_NOT_FOUND,
				  "no such page; see /\n");
	if (path->limited && !client_admit(client))
		return reply_text(http, connection, REQUEST_UNAVAILABLE,
				  "too many requests at once; see --web.max-requests\n");
	return path->answer(http, connection);
}

static struct client *client_of(struct MHD_Connection *connection)
{
	return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
		->socket_context;
}

/*
 * MHD calls first when the headers are there, then for each piece of a body,
 * then when all was read. A method that the path takes waits for that; another
 * one is refused at once, without its body.
 */
static enum MHD_Result handle(void *cls, struct MHD_Connection *connection,
			      const char *url, const char *method,
			      const char *version, const char *upload,
			      size_t *upload_size, void **request)
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
		if (takes_method(path, method))
			return MHD_YES;
		return path ? reply_bad_method(http, connection, path) :
			      answer(http, connection, client, NULL);
	}
	if (*upload_size) {
		*upload_size = 0;
		return MHD_YES;
	}
	return answer(http, connection, client, path);
}

static void completed(void *cls, struct MHD_Connection *connection, void **request,
		      enum MHD_RequestTerminationCode code)
{
	struct client *client = *request;
	struct http *http = cls;

	(void)connection;
	(void)code;
	if (!client)
		return;
	client_end(client);
	requests_end(http->requests);
	*request = NULL;
}

/* A connection begins, in the thread that serves it, or has ended. */
static void notify_connection(void *cls, struct MHD_Connection *connection,
			      void **context,
			      enum MHD_ConnectionNotificationCode code)
{
	const union MHD_ConnectionInfo *info;
	struct http *http = cls;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		info = MHD_get_connection_info(connection,
					       MHD_CONNECTION_INFO_CONNECTION_FD);
		*context = client_add(http->clients, info->connect_fd);
	} else if (*context) {
		client_remove(*context);
		*context = NULL;
	}
}

/* From the thread that accepts. */
static void take_connection(void *context, int fd, const struct sockaddr *address,
			    socklen_t len)
{
	struct http *http = context;

	MHD_add_connection(http->daemon, fd, address, len);
}

/* Clients can cause what MHD complains about at will: no more than debug. */
static void log_mhd(void *cls, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

static void log_mhd(void *cls, const char *format, va_list args)
{
	char text[256];

	(void)cls;
	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	log_event(LEVEL_DEBUG, "http", "event", text, NULL);
}

static struct MHD_Response *make_page(const char *telemetry_path)
{
	struct MHD_Response *response = NULL;
	struct text page = { 0 };

	page_build(&page, telemetry_path);
	if (!text_failed(&page))
		response = make_response(TYPE_HTML, page.data, page.len);
	text_free(&page);
	if (!response)
		return NULL;
	MHD_add_response_header(response, "Content-Security-Policy",
				"default-src 'none'; style-src 'unsafe-inline'");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	return response;
}

static int make_responses(struct http *http)
{
	http->page = make_page(http->telemetry_path);
	http->failed = make_text("out of memory\n");
	return http->page && http->failed ? 0 : -ENOMEM;
}

static void free_responses(struct http *http)
{
	struct MHD_Response *responses[] = { http->page, http->failed };
	size_t i;

	for (i = 0; i < sizeof(responses) / sizeof(responses[0]); i++)
		if (responses[i])
			MHD_destroy_response(responses[i]);
}

/*
 * Not epoll: MHD arms it by edge, and does not see the end of a connection
 * that came together with half a request. Such a one would keep its place until
 * its deadline. MHD's own limits are no limits here: clients.h has them.
 */
static int start_daemon(struct http *http)
{
	http->daemon = MHD_start_daemon(
		MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_USE_ERROR_LOG |
		MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME,
		0, NULL, NULL, handle, http,
		MHD_OPTION_EXTERNAL_LOGGER, log_mhd, NULL,
		MHD_OPTION_NOTIFY_COMPLETED, completed, http,
		MHD_OPTION_NOTIFY_CONNECTION, notify_connection, http,
		MHD_OPTION_THREAD_POOL_SIZE, (unsigned int)THREADS,
		MHD_OPTION_CONNECTION_LIMIT, http->clients->size,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES_MAX,
		MHD_OPTION_END);
	return http->daemon ? 0 : -EIO;
}

static int start(struct http *http, const struct listen_sockets *sockets)
{
	int r = make_responses(http);

	if (!r)
		r = start_daemon(http);
	if (!r)
		r = intake_start(&http->intake, sockets, http->clients,
				 take_connection, http);
	return r;
}

static void stop(struct http *http)
{
	if (http->daemon)
		MHD_stop_daemon(http->daemon);
	http->daemon = NULL;
	free_responses(http);
}

int http_start(struct http *http, const struct listen_sockets *sockets)
{
	int r = start(http, sockets);

	if (r < 0)
		stop(http);
	return r;
}

void http_stop(struct http *http)
{
	if (!http->daemon)
		return;
	intake_stop(&http->intake);
	if (!requests_wait_idle(http->requests, STOP_SECONDS_MAX))
		log_event(LEVEL_WARN, "some answers were not finished", NULL);
	stop(http);
}
