/* SPDX-License-Identifier: MIT */
/*
 * Connections, from where they are accepted to where a request is handled:
 * workers, and libmicrohttpd's own threads with TLS.
 */
#ifndef OBSRINGD_SERVE_H
#define OBSRINGD_SERVE_H

#include "http.h"

/* -EIO, -errno. Accepting is stopped by intake_stop(), before serve_stop(). */
int serve_start(struct http *http, const struct listen_sockets *sockets);

/* Close all. Nobody waits for a verdict any more. */
void serve_stop(struct http *http);

/* In http.c, for MHD: a request goes on; it has ended. */
enum MHD_Result http_handle(void *cls, struct MHD_Connection *connection,
			    const char *url, const char *method, const char *version,
			    const char *upload, size_t *upload_size, void **request);
void http_completed(void *cls, struct MHD_Connection *connection, void **request,
		    enum MHD_RequestTerminationCode code);

#endif /* OBSRINGD_SERVE_H */
