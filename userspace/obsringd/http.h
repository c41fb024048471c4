/* SPDX-License-Identifier: MIT */
/*
 * The HTTP side: a table of paths in http.c, over libmicrohttpd.
 */
#ifndef OBSRINGD_HTTP_H
#define OBSRINGD_HTTP_H

#include <microhttpd.h>

#include "metrics.h"
#include "requests.h"

struct http {
	const char *telemetry_path;
	struct metrics *metrics;
	struct collector *collector;
	struct requests *requests;
	struct MHD_Daemon *daemon;
	struct MHD_Response *page, *healthy, *ready, *not_found, *bad_method, *failed;
};

/*
 * Serve on @socket, which is listening, in threads of its own. The pointers in
 * @http are set, and what they point to outlives it. -ENOMEM, -EIO: see the log.
 */
int http_start(struct http *http, int socket);

/*
 * Accept no more, let the answers in flight finish, for at most 5 seconds, and
 * close all. @http may be one that did not start.
 */
void http_stop(struct http *http);

#endif /* OBSRINGD_HTTP_H */
