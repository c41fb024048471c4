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
#define CONNECTIONS_MAX		512
#define CONNECTION_BYTES_MAX	(16 * 1024)	/* request line and headers */
#define IDLE_SECONDS_MAX	30
#define STOP_SECONDS_MAX	5

#define TYPE_PLAIN "text/plain; charset=utf-8"

static const unsigned int status_number[REQUEST_STATUS_NR] = {
	[REQUEST_OK] = MHD_HTTP_OK,
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

static enum MHD_Result reply_unavailable(struct http *http,
					 struct MHD_Connection *connection,
					 const char *reason)
{
	char text[COLLECT_REASON_MAX + 16];

	snprintf(text, sizeof(text), "not ready: %s\n", reason);
	return reply_once(http, connection, REQUEST_UNAVAILABLE, make_text(text));
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
	return reply(http, connection, REQUEST_OK, http->healthy);
}

static enum MHD_Result answer_ready(struct http *http,
				    struct MHD_Connection *connection)
{
	char reason[COLLECT_REASON_MAX];

	if (collector_ready(http->collector, reason) < 0)
		return reply_unavailable(http, connection, reason);
	return reply(http, connection, REQUEST_OK, http->ready);
}

static enum MHD_Result answer_page(struct http *http,
				   struct MHD_Connection *connection)
{
	return reply(http, connection, REQUEST_OK, http->page);
}

typedef enum MHD_Result (*answer_fn)(struct http *http,
				     struct MHD_Connection *connection);

static const struct {
	const char *path;
	answer_fn answer;
} paths[] = {
	{ "/-/healthy", answer_healthy },
	{ "/-/ready", answer_ready },
	{ "/", answer_page },
};

static answer_fn find_answer(const struct http *http, const char *path)
{
	size_t i;

	if (!strcmp(path, http->telemetry_path))
		return answer_metrics;
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (!strcmp(path, paths[i].path))
			return paths[i].answer;
	return NULL;
}

static bool is_reading(const char *method)
{
	return !strcmp(method, MHD_HTTP_METHOD_GET) ||
	       !strcmp(method, MHD_HTTP_METHOD_HEAD);
}

/*
 * MHD calls first when the headers are there, then for each piece of a body,
 * then when all was read. Only a method that reads waits for that; another one
 * is refused at once, without its body.
 */
static enum MHD_Result handle(void *cls, struct MHD_Connection *connection,
			      const char *url, const char *method,
			      const char *version, const char *upload,
			      size_t *upload_size, void **request)
{
	struct http *http = cls;
	answer_fn answer = find_answer(http, url);
	bool first = !*request;

	(void)version;
	(void)upload;
	if (first) {
		*request = http;
		requests_begin(http->requests);
	}
	if (!is_reading(method))
		return answer ? reply(http, connection, REQUEST_BAD_METHOD,
				      http->bad_method) :
				reply(http, connection, REQUEST_NOT_FOUND,
				      http->not_found);
	if (first)
		return MHD_YES;
	if (*upload_size) {
		*upload_size = 0;
		return MHD_YES;
	}
	if (!answer)
		return reply(http, connection, REQUEST_NOT_FOUND, http->not_found);
	return answer(http, connection);
}

static void completed(void *cls, struct MHD_Connection *connection, void **request,
		      enum MHD_RequestTerminationCode code)
{
	struct http *http = cls;

	(void)connection;
	(void)code;
	if (*request)
		requests_end(http->requests);
	*request = NULL;
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
		response = make_response("text/html; charset=utf-8", page.data,
					 page.len);
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
	http->healthy = make_text("healthy\n");
	http->ready = make_text("ready\n");
	http->not_found = make_text("no such page; see /\n");
	http->failed = make_text("out of memory\n");
	http->bad_method = make_text("only GET and HEAD\n");
	if (!http->page || !http->healthy || !http->ready || !http->not_found ||
	    !http->failed || !http->bad_method)
		return -ENOMEM;
	MHD_add_response_header(http->bad_method, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	return 0;
}

static void free_responses(struct http *http)
{
	struct MHD_Response *responses[] = {
		http->page, http->healthy, http->ready,
		http->not_found, http->failed, http->bad_method,
	};
	size_t i;

	for (i = 0; i < sizeof(responses) / sizeof(responses[0]); i++)
		if (responses[i])
			MHD_destroy_response(responses[i]);
}

int http_start(struct http *http, int socket)
{
	int r = make_responses(http);

	if (r < 0) {
		free_responses(http);
		return r;
	}
	/*
	 * Not epoll: MHD arms it by edge, and does not see the end of a
	 * connection that came together with half a request. Such a one would
	 * keep its place until its time-out.
	 */
	http->daemon = MHD_start_daemon(
		MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_USE_ERROR_LOG,
		0, NULL, NULL, handle, http,
		MHD_OPTION_EXTERNAL_LOGGER, log_mhd, NULL,
		MHD_OPTION_LISTEN_SOCKET, socket,
		MHD_OPTION_NOTIFY_COMPLETED, completed, http,
		MHD_OPTION_THREAD_POOL_SIZE, (unsigned int)THREADS,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned int)CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)IDLE_SECONDS_MAX,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES_MAX,
		MHD_OPTION_END);
	if (http->daemon)
		return 0;
	free_responses(http);
	return -EIO;
}

void http_stop(struct http *http)
{
	MHD_socket socket;

	if (!http->daemon)
		return;
	socket = MHD_quiesce_daemon(http->daemon);
	if (!requests_wait_idle(http->requests, STOP_SECONDS_MAX))
		log_event(LEVEL_WARN, "some answers were not finished", NULL);
	MHD_stop_daemon(http->daemon);
	if (socket != MHD_INVALID_SOCKET)
		close(socket);
	free_responses(http);
	http->daemon = NULL;
}
