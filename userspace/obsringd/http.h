/* SPDX-License-Identifier: MIT */
/*
 * The HTTP side, over libmicrohttpd: a request as it comes; answer.c has the paths.
 */
#ifndef OBSRINGD_HTTP_H
#define OBSRINGD_HTTP_H

#include <stdatomic.h>
#include <microhttpd.h>

#include "auth.h"
#include "clients.h"
#include "intake.h"
#include "metrics.h"
#include "page.h"
#include "requests.h"
#include "web.h"
#include "worker.h"

#define CONTROL_REASON_MAX 1024
#define HTTP_THREADS_MAX 2	/* that answer, with TLS and without */

/* What the daemon lets others do and see over HTTP. */
struct control {
	void *context;
	atomic_bool lifecycle;	/* reload and quit are on */
	atomic_bool log;	/* records are shown */
	int (*reload)(void *context, char reason[CONTROL_REASON_MAX]);	/* -errno */
	void (*quit)(void *context);
	void (*status)(void *context, struct text *json);
};

struct http {
	const char *telemetry_path;
	struct metrics *metrics;
	struct collector *collector;
	struct requests *requests;
	struct clients *clients;
	struct web_holder *web;
	struct control *control;
	/* Its own. */
	struct intake intake;
	struct auth auth;
	struct worker worker[HTTP_THREADS_MAX];	/* without TLS; .daemon NULL: not needed yet */
	unsigned int nr_threads, next_worker;
	struct MHD_Daemon *tls_daemon;		/* NULL: not needed yet */
	struct page page;
	bool running;
	struct MHD_Response *failed;
};

/*
 * Serve on @sockets, which are listening and stay the caller's, in threads of
 * its own. The pointers in @http are set, and what they point to outlives it.
 * -ENOMEM, -EIO: see the log.
 */
int http_start(struct http *http, const struct listen_sockets *sockets);

/*
 * Accept no more, let the answers in flight finish, for at most 5 seconds, and
 * close all. @http may be one that did not start.
 */
void http_stop(struct http *http);

#endif /* OBSRINGD_HTTP_H */
