// SPDX-License-Identifier: MIT
#define _GNU_SOURCE	/* CPU_COUNT */
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <gnutls/abstract.h>

#include "log.h"
#include "serve.h"

#define CONNECTION_BYTES_MAX	(16 * 1024)	/* request line and headers */

/* MHD 0.9.75 comes to its own limit with a lock that it never gives back. */
#define CONNECTIONS_NO_LIMIT	(1U << 30)

/* The settings of now are those of the connection, whatever comes later. */
static int begin_tls(struct http *http, struct client *client, gnutls_session_t session)
{
	client->tls_web = web_get(http->web);
	if (!web_has_tls(client->tls_web))
		return -EIO;	/* switched off since it was accepted */
	return tls_apply(&client->tls_web->tls, session);
}

static struct worker *worker_of(struct http *http, struct MHD_Connection *connection)
{
	const struct MHD_Daemon *daemon =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_DAEMON)->daemon;
	unsigned int i;

	for (i = 0; i < http->nr_threads; i++)
		if (http->worker[i].daemon == daemon)
			return &http->worker[i];
	return NULL;
}

static void connection_begins(struct http *http, struct MHD_Connection *connection,
			      void **context)
{
	const union MHD_ConnectionInfo *info;
	int fd = MHD_get_connection_info(connection,
					 MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	struct client *client;

	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	client = client_add(http->clients, fd, info->client_addr);
	*context = client;
	if (client)
		client->worker = worker_of(http, connection);
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	if (client && !(info && info->tls_session))
		client_watch(client);
	else if (!client || begin_tls(http, client, info->tls_session) < 0)
		shutdown(fd, SHUT_RDWR);
}

/* GnuTLS has done with the session. */
static void connection_ends(void **context)
{
	struct client *client = *context;

	*context = NULL;
	if (!client)
		return;
	web_put(client->tls_web);
	client_remove(client);
}

static void notify_connection(void *cls, struct MHD_Connection *connection,
			      void **context,
			      enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		connection_begins(cls, connection, context);
	else
		connection_ends(context);
}

/* MHD wants some way to certificates; begin_tls() gives each session its own. */
static int no_certificate(gnutls_session_t session, const gnutls_datum_t *names, int nr_names,
			  const gnutls_pk_algorithm_t *algorithms, int nr_algorithms,
			  gnutls_pcert_st **ret_cert, unsigned int *ret_nr,
			  gnutls_privkey_t *ret_key)
{
	(void)session;
	(void)names;
	(void)nr_names;
	(void)algorithms;
	(void)nr_algorithms;
	(void)ret_cert;
	(void)ret_nr;
	(void)ret_key;
	return -1;
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

/*
 * With epoll, but where there is TLS: a thousand idle connections cost nothing there,
 * and what MHD misses by it is made good: see worker.h and client_watch(). How many
 * there may be is for clients.h to say.
 */
static struct MHD_Daemon *start_daemon(struct http *http, bool tls)
{
	struct MHD_OptionItem more[] = {
		{ MHD_OPTION_THREAD_POOL_SIZE, http->nr_threads, NULL },
		{ MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)no_certificate },
		{ MHD_OPTION_END, 0, NULL },
	};

	return MHD_start_daemon(
		(tls ? MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_TLS : MHD_USE_EPOLL) |
		MHD_USE_ITC | MHD_USE_ERROR_LOG | MHD_USE_NO_LISTEN_SOCKET |
		MHD_ALLOW_SUSPEND_RESUME,
		0, NULL, NULL, http_handle, http,
		MHD_OPTION_EXTERNAL_LOGGER, log_mhd, NULL,
		MHD_OPTION_NOTIFY_COMPLETED, http_completed, http,
		MHD_OPTION_NOTIFY_CONNECTION, notify_connection, http,
		MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_NO_LIMIT,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES_MAX,
		MHD_OPTION_ARRAY, tls ? more : more + 2,
		MHD_OPTION_END);
}

static void lost(void *context)
{
	struct http *http = context;

	clients_give_back(http->clients);
}

static void stop_workers(struct http *http)
{
	unsigned int i;

	for (i = 0; i < http->nr_threads; i++)
		worker_stop(&http->worker[i]);
}

static int start_workers(struct http *http)
{
	unsigned int i;
	int r = 0;

	for (i = 0; i < http->nr_threads && !r; i++)
		r = worker_start(&http->worker[i], start_daemon(http, false), lost, http);
	if (r < 0)
		stop_workers(http);
	return r;
}

/* What has only to do with TLS, or without, need not run for the other. */
static bool ready(struct http *http, bool tls)
{
	if (tls && !http->tls_daemon)
		http->tls_daemon = start_daemon(http, true);
	if (tls)
		return http->tls_daemon;
	return http->worker[0].daemon || !start_workers(http);
}

static bool wants_tls(struct http *http)
{
	struct web *web = web_get(http->web);
	bool tls = web_has_tls(web);

	web_put(web);
	return tls;
}

/* From the thread that accepts. */
static void take_connection(void *context, int fd, const struct sockaddr *address,
			    socklen_t len)
{
	struct http *http = context;
	bool tls = wants_tls(http);

	if (!ready(http, tls)) {
		close(fd);
		lost(http);
	} else if (!tls) {
		worker_add(&http->worker[http->next_worker++ % http->nr_threads], fd, address, len);
	} else if (MHD_add_connection(http->tls_daemon, fd, address, len) != MHD_YES) {
		lost(http);
	}
}

/* Half of the processors that it may use, at the most: the rest is for what it tells of. */
static unsigned int count_threads(void)
{
	cpu_set_t set;
	int nr = sched_getaffinity(0, sizeof(set), &set) ? 1 : CPU_COUNT(&set) / 2;

	return nr < 1 ? 1 : nr < HTTP_THREADS_MAX ? nr : HTTP_THREADS_MAX;
}

int serve_start(struct http *http, const struct listen_sockets *sockets)
{
	http->nr_threads = count_threads();
	if (!ready(http, wants_tls(http)))
		return -EIO;
	return intake_start(&http->intake, sockets, http->clients, take_connection, http);
}

void serve_stop(struct http *http)
{
	stop_workers(http);
	if (http->tls_daemon)
		MHD_stop_daemon(http->tls_daemon);
	http->tls_daemon = NULL;
}
