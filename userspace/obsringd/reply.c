// SPDX-License-Identifier: MIT
#include <string.h>

#include "http.h"
#include "reply.h"

#define TYPE_PLAIN	"text/plain; charset=utf-8"

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

struct client *http_client(struct MHD_Connection *connection)
{
	return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
		->socket_context;
}

enum MHD_Result reply_kept(struct http *http, struct MHD_Connection *connection,
			   enum request_status status, struct MHD_Response *response)
{
	requests_count(http->requests, status);
	return MHD_queue_response(connection, status_number[status], response);
}

struct MHD_Response *response_make(const char *type, const char *data, size_t len)
{
	struct MHD_Response *response;

	response = MHD_create_response_from_buffer(len, (void *)data,
						   MHD_RESPMEM_MUST_COPY);
	if (response)
		MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	return response;
}

struct MHD_Response *response_text(const char *text)
{
	return response_make(TYPE_PLAIN, text, strlen(text));
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
enum MHD_Result reply_once(struct http *http, struct MHD_Connection *connection,
			   enum request_status status, struct MHD_Response *response)
{
	enum MHD_Result result;

	if (!response)
		return reply_kept(http, connection, REQUEST_FAILED, http->failed);
	add_headers(http_client(connection)->web, response);
	result = reply_kept(http, connection, status, response);
	MHD_destroy_response(response);
	return result;
}

enum MHD_Result reply_text(struct http *http, struct MHD_Connection *connection,
			   enum request_status status, const char *text)
{
	return reply_once(http, connection, status, response_text(text));
}

enum MHD_Result reply_bad_method(struct http *http, struct MHD_Connection *connection,
				 bool acts)
{
	struct MHD_Response *response;

	response = response_text(acts ? "only POST and PUT\n" : "only GET and HEAD\n");
	if (response)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW,
					acts ? "POST, PUT" : "GET, HEAD");
	return reply_once(http, connection, REQUEST_BAD_METHOD, response);
}

enum MHD_Result reply_unauthorized(struct http *http, struct MHD_Connection *connection)
{
	struct MHD_Response *response = response_text("a name and its password are wanted\n");

	if (response)
		MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
					"Basic realm=\"obsringd\", charset=\"UTF-8\"");
	return reply_once(http, connection, REQUEST_UNAUTHORIZED, response);
}

enum MHD_Result reply_busy(struct http *http, struct MHD_Connection *connection,
			   enum request_status status, const char *text)
{
	struct MHD_Response *response = response_text(text);

	if (response)
		MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
	return reply_once(http, connection, status, response);
}
