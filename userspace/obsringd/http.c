// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

#include "answer.h"
#include "http.h"
#include "log.h"
#include "page.h"
#include "reply.h"
#include "serve.h"

#define STOP_SECONDS_MAX	5

#define HEADER_TIMEOUT	"X-Prometheus-Scrape-Timeout-Seconds"

static bool takes_method(const struct path *path, const char *method)
{
	if (path && path->acts)
		return !strcmp(method, MHD_HTTP_METHOD_POST) ||
		       !strcmp(method, MHD_HTTP_METHOD_PUT);
	return !strcmp(method, MHD_HTTP_METHOD_GET) ||
	       !strcmp(method, MHD_HTTP_METHOD_HEAD);
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
		return reply_bad_method(http, connection, path->acts);
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
	struct client *client = http_client(connection);
	struct http *http = cls;
	const struct path *path = path_find(http, url);

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
	http->failed = response_text("out of memory\n");
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
