// SPDX-License-Identifier: MIT
/*
 * An HTTP service that passes trace context on: a request's context is taken from its
 * headers, whatever their format, and goes on in those of the calls that it makes.
 *
 *      POST [{"url": URL, "arguments": JSON}, ...]
 *
 * posts each "arguments" to its "url", one after the other, and then answers 200 with
 * the statuses of the calls (0: there was none). That is the form in which the W3C's
 * test suite for Trace Context drives an implementation.
 *
 * What obsring adds: each request and each call is a span in the log, what the kernel
 * does for it meanwhile is tagged with it, and what became of the headers is counted.
 * All of that is left out where there is no module.
 *
 * It calls whatever URL it is told to: it listens on the loopback interface alone.
 */
#include <curl/curl.h>
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <obsring.h>

#define BODY_MAX	(1 << 20)
#define CALLS_MAX	64	/* of a request */
#define CALL_TIMEOUT_MS	5000L
#define CONNECTIONS_MAX	256

static struct obs_tracer *tracer;

/**
 * struct request - between its first byte and its answer
 * @body: @len bytes
 * @too_long: it had more than BODY_MAX, or there was no memory
 */
struct request {
	char *body;
	size_t len;
	bool too_long;
};

/* ---- Going out ----------------------------------------------------------- */

static int header_put(const char *name, const char *value, size_t len, void *list)
{
	struct curl_slist **headers = list, *longer;
	char *line;

	if (asprintf(&line, "%s: %.*s", name, (int)len, value) < 0)
		return -ENOMEM;
	longer = curl_slist_append(*headers, line);
	free(line);
	if (!longer)
		return -ENOMEM;
	*headers = longer;
	return 0;
}

/* What a call carries; NULL: no memory. */
static struct curl_slist *headers_make(const struct obs_trace_context *context,
				       const struct obs_trace_headers *received)
{
	struct curl_slist *headers = NULL;

	if (header_put("Content-Type", "application/json", 16, &headers) ||
	    obs_trace_inject(context, OBS_TRACE_W3C, header_put, &headers) ||
	    obs_baggage_inject(received, header_put, &headers)) {
		curl_slist_free_all(headers);
		return NULL;
	}
	return headers;
}

static size_t answer_ignore(char *text, size_t size, size_t nr, void *unused)
{
	(void)text, (void)unused;
	return size * nr;
}

static long post(const char *url, const char *body, struct curl_slist *headers)
{
	CURL *curl = curl_easy_init();
	long status = 0;

	if (!curl)
		return 0;
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, answer_ignore);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, CALL_TIMEOUT_MS);
	/* Threads and signals do not go together. */
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	if (curl_easy_perform(curl) == CURLE_OK)
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(curl);
	return status;
}

/* One call is one span: its id is what the other side gets as its parent. */
static long call(const struct obs_span *parent, const struct obs_trace_headers *received,
		 const char *url, const json_t *arguments)
{
	struct curl_slist *headers;
	struct obs_span span;
	long status = 0;
	char *body;

	obs_span_start(&span, tracer, &parent->context, OBS_SPAN_CLIENT, "POST");
	obs_trace_set(&span.context);
	obs_span_attribute(&span, "url.full", url);
	body = json_dumps(arguments, JSON_ENCODE_ANY | JSON_COMPACT);
	headers = headers_make(&span.context, received);
	if (body && headers)
		status = post(url, body, headers);
	obs_span_attribute_int(&span, "http.response.status_code", status);
	span.status = status >= 200 && status < 400 ? OBS_SPAN_UNSET : OBS_SPAN_ERROR;
	curl_slist_free_all(headers);
	free(body);
	obs_trace_set(&parent->context);
	obs_span_end(&span);
	return status;
}

/* The statuses of all calls; NULL: @body does not ask for any. */
static json_t *calls(const struct obs_span *span, const struct obs_trace_headers *received,
		     const struct request *request)
{
	json_t *asked = json_loadb(request->body ? request->body : "", request->len, 0, NULL);
	json_t *statuses = NULL, *none = json_array(), *one, *url, *arguments;
	size_t i;

	json_array_foreach(asked, i, one)
		if (!json_is_string(json_object_get(one, "url")))
			goto out;
	if (!json_is_array(asked) || json_array_size(asked) > CALLS_MAX)
		goto out;
	statuses = json_array();
	json_array_foreach(asked, i, one) {
		url = json_object_get(one, "url");
		arguments = json_object_get(one, "arguments");
		json_array_append_new(statuses,
				      json_integer(call(span, received, json_string_value(url),
							arguments ? arguments : none)));
	}
out:
	json_decref(none);
	json_decref(asked);
	return statuses;
}

/* ---- Coming in ----------------------------------------------------------- */

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned int status,
			      const char *text)
{
	struct MHD_Response *response;
	enum MHD_Result r;

	response = MHD_create_response_from_buffer(strlen(text), (void *)text,
						   MHD_RESPMEM_MUST_COPY);
	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, "Content-Type", "application/json");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, "Allow", "POST");
	r = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return r;
}

static enum MHD_Result header_take(void *headers, enum MHD_ValueKind kind,
				   const char *name, size_t name_len,
				   const char *value, size_t value_len)
{
	(void)kind;
	obs_trace_headers_add(headers, name, name_len, value, value_len);
	return MHD_YES;
}

/* The whole request is there; its headers stay until it is answered. */
static enum MHD_Result serve(struct MHD_Connection *connection, const char *url,
			     const struct request *request)
{
	struct obs_trace_headers headers;
	struct obs_trace_context context;
	enum obs_trace_format format;
	unsigned int status = MHD_HTTP_BAD_REQUEST;
	struct obs_span span;
	json_t *statuses;
	char *text = NULL;
	enum MHD_Result r;

	obs_trace_headers_init(&headers);
	MHD_get_connection_values_n(connection, MHD_HEADER_KIND, header_take, &headers);
	format = obs_trace_extract(&headers, &context, NULL);
	obs_span_start(&span, tracer, format ? &context : NULL, OBS_SPAN_SERVER, "POST");
	obs_trace_set(&span.context);
	obs_span_attribute(&span, "url.path", url);

	statuses = request->too_long ? NULL : calls(&span, &headers, request);
	if (statuses) {
		text = json_dumps(statuses, JSON_COMPACT);
		status = text ? MHD_HTTP_OK : MHD_HTTP_INTERNAL_SERVER_ERROR;
	} else if (request->too_long) {
		status = MHD_HTTP_CONTENT_TOO_LARGE;
	}
	r = answer(connection, status, text ? text : "[]");

	obs_span_attribute_int(&span, "http.response.status_code", status);
	obs_trace_clear();
	obs_span_end(&span);
	free(text);
	json_decref(statuses);
	return r;
}

static void body_take(struct request *request, const char *data, size_t size)
{
	char *longer = NULL;

	if (size <= BODY_MAX - request->len)
		longer = realloc(request->body, request->len + size);
	if (!longer) {
		request->too_long = true;
		return;
	}
	memcpy(longer + request->len, data, size);
	request->body = longer;
	request->len += size;
}

static enum MHD_Result handle(void *unused, struct MHD_Connection *connection,
			      const char *url, const char *method, const char *version,
			      const char *data, size_t *data_size, void **own)
{
	struct request *request = *own;

	(void)unused, (void)version;
	if (!request) {
		*own = calloc(1, sizeof(*request));
		return *own ? MHD_YES : MHD_NO;
	}
	if (*data_size) {
		body_take(request, data, *data_size);
		*data_size = 0;
		return MHD_YES;
	}
	if (strcmp(method, "POST"))
		return answer(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "[]");
	return serve(connection, url, request);
}

static void handled(void *unused, struct MHD_Connection *connection, void **own,
		    enum MHD_RequestTerminationCode code)
{
	struct request *request = *own;

	(void)unused, (void)connection, (void)code;
	if (request)
		free(request->body);
	free(request);
}

/* ---- The program --------------------------------------------------------- */

static const char usage[] =
	"Usage: trace_service [--port N] [--device PATH] [--spans PATH] [--probability P]\n"
	"\n"
	"  --port N          on 127.0.0.1; 0 (the default): one that is free\n"
	"  --device PATH     where headers are counted; default: /dev/obsring\n"
	"  --spans PATH      where spans go; default: the device\n"
	"  --probability P   0 to 1, of traces that begin here; default: 1\n";

static int fail(const char *what, const char *why)
{
	fprintf(stderr, "trace_service: %s: %s\n", what, why);
	return 1;
}

static struct MHD_Daemon *listen_on(in_port_t port)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	/* A thread a connection: one may wait for another, if the service calls itself. */
	return MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION,
				port, NULL, NULL, handle, NULL,
				MHD_OPTION_SOCK_ADDR, &address,
				MHD_OPTION_NOTIFY_COMPLETED, handled, NULL,
				MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
				MHD_OPTION_CONNECTION_TIMEOUT, 60U,
				MHD_OPTION_END);
}

static int options(int argc, char **argv, in_port_t *port, const char **device,
		   const char **spans, double *probability)
{
	static const struct option known[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "device", required_argument, NULL, 'd' },
		{ "spans", required_argument, NULL, 's' },
		{ "probability", required_argument, NULL, 'P' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	char *end = "";
	long number = 0;
	int c;

	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'p':
			number = strtol(optarg, &end, 10);
			*port = (in_port_t)number;
			break;
		case 'd':
			*device = optarg;
			break;
		case 's':
			*spans = optarg;
			break;
		case 'P':
			*probability = strtod(optarg, &end);
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			return 2;
		}
		if (*end || number < 0 || number > 65535 ||
		    !(*probability >= 0 && *probability <= 1)) {
			fail(optarg, "not such a number");
			return 2;
		}
	}
	if (optind == argc)
		return 0;
	fputs(usage, stderr);
	return 2;
}

/* What became of headers, as a metric. */
static struct obs_service *count_on(const char *device)
{
	const struct obs_service_options options = { .device = device };
	struct obs_service *service = NULL;
	int r;

	r = obs_service_attach_with("trace-service", &options, &service);
	if (!r)
		r = obs_trace_publish(service);
	if (r)
		fail("headers are not counted", strerror(-r));
	return service;
}

int main(int argc, char **argv)
{
	const union MHD_DaemonInfo *info;
	struct MHD_Daemon *daemon;
	struct obs_service *service;
	const char *device = NULL, *spans = NULL;
	double probability = 1;
	in_port_t port = 0;
	sigset_t ends;
	int r, signal;

	r = options(argc, argv, &port, &device, &spans, &probability);
	if (r)
		return r;
	/* Threads inherit it; a peer that goes away is an error of write. */
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGPIPE);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	sigdelset(&ends, SIGPIPE);

	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return fail("libcurl", "can't be initialized");
	r = obs_tracer_open(spans ? spans : device, "trace-service", probability, &tracer);
	if (r)
		fail("no spans are recorded", strerror(-r));
	service = count_on(device);
	daemon = listen_on(port);
	if (!daemon)
		return fail("can't listen", strerror(errno));
	info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
	printf("http://127.0.0.1:%u/\n", info->port);
	fflush(stdout);

	sigwait(&ends, &signal);
	MHD_stop_daemon(daemon);
	obs_tracer_close(tracer);
	obs_trace_publish(NULL);
	obs_service_detach(service);
	curl_global_cleanup();
	return 0;
}
