/* SPDX-License-Identifier: MIT */
/* Answers as libmicrohttpd has them: a status, headers and a body, and each is counted. */
#ifndef OBSRINGD_REPLY_H
#define OBSRINGD_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "http.h"

/* Whose connection it is; NULL: nobody's any more. */
struct client *http_client(struct MHD_Connection *connection);

/* A copy of @data. NULL: no memory. */
struct MHD_Response *response_make(const char *type, const char *data, size_t len);
struct MHD_Response *response_text(const char *text);

/* With a response that stays its owner's. */
enum MHD_Result reply_kept(struct http *http, struct MHD_Connection *connection,
			   enum request_status status, struct MHD_Response *response);

/* With one that is used once: MHD frees it when it was sent. NULL: no memory. */
enum MHD_Result reply_once(struct http *http, struct MHD_Connection *connection,
			   enum request_status status, struct MHD_Response *response);
enum MHD_Result reply_text(struct http *http, struct MHD_Connection *connection,
			   enum request_status status, const char *text);

/* @acts: it takes POST and PUT, else GET and HEAD. */
enum MHD_Result reply_bad_method(struct http *http, struct MHD_Connection *connection,
				 bool acts);
enum MHD_Result reply_unauthorized(struct http *http, struct MHD_Connection *connection);

/* Come again in a second. */
enum MHD_Result reply_busy(struct http *http, struct MHD_Connection *connection,
			   enum request_status status, const char *text);

#endif /* OBSRINGD_REPLY_H */
