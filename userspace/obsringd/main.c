// SPDX-License-Identifier: MIT
/*
 * obsringd: what the obsring module counts, for Prometheus.
 *
 *	collect   the device, opened and read through libobsring
 *	plan      its families and series, as text, whenever they change
 *	render    that text with the numbers of a snapshot
 *	self      the daemon's own numbers
 *	metrics   all of it: the body of an answer
 *	http      the answer
 *
 * The main thread waits for signals and for the device's coming and going;
 * libmicrohttpd's threads answer.
 */
#define _GNU_SOURCE	/* sigabbrev_np */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "collect.h"
#include "http.h"
#include "listen.h"
#include "log.h"
#include "metrics.h"
#include "notify.h"
#include "options.h"
#include "self.h"
#include "version.h"
#include "watch.h"

struct server {
	struct options options;
	struct watch watch;
	struct collector collector;
	struct requests requests;
	struct self self;
	struct metrics metrics;
	struct http http;
};

static int fail(const char *what, const char *reason)
{
	fprintf(stderr, "obsringd: %s: %s\n", what, reason);
	return EXIT_FAILURE;
}

static int open_socket(const struct options *options, int *ret_socket)
{
	const char *problem = listen_open(&options->listen, ret_socket);
	char what[512];

	if (!problem)
		return 0;
	snprintf(what, sizeof(what), "listen on %s", options->listen_text);
	return fail(what, problem);
}

static void watch_device(struct server *server)
{
	const char *path = server->options.device;
	int r = watch_path(&server->watch, path);

	if (r < 0)
		log_event(LEVEL_WARN, "can't watch the device's directory",
			  "device", path, "reason", strerror(-r), NULL);
	collector_check(&server->collector);
}

static void log_listening(int socket, const struct options *options)
{
	char name[LISTEN_NAME_MAX];

	listen_name(socket, name);
	log_event(LEVEL_INFO, "listening", "address", name, "path",
		  options->telemetry_path, "version", obsringd_version, NULL);
}

static int serve(struct server *server, int socket)
{
	int r;

	server->http = (struct http){
		.telemetry_path = server->options.telemetry_path,
		.metrics = &server->metrics,
		.collector = &server->collector,
		.requests = &server->requests,
	};
	r = http_start(&server->http, socket);
	if (r < 0) {
		close(socket);
		return fail("start the HTTP server", strerror(-r));
	}
	log_listening(socket, &server->options);
	notify("READY=1");
	r = watch_run(&server->watch, &server->collector);
	log_event(LEVEL_INFO, "stopping", "signal", sigabbrev_np(r), NULL);
	notify("STOPPING=1");
	http_stop(&server->http);
	return EXIT_SUCCESS;
}

static int run(struct server *server, int socket)
{
	int status;

	requests_init(&server->requests);
	if (self_init(&server->self, &server->requests) < 0)
		return fail("start", "out of memory");
	collector_init(&server->collector, server->options.device,
		       server->watch.epoll);
	metrics_init(&server->metrics, &server->collector, &server->self);
	watch_device(server);
	status = serve(server, socket);
	metrics_exit(&server->metrics);
	collector_exit(&server->collector);
	self_exit(&server->self);
	requests_exit(&server->requests);
	return status;
}

int main(int argc, char **argv)
{
	static struct server server;
	int status, socket, r;

	if (!options_parse(&server.options, argc, argv, &status))
		return status;
	log_setup(server.options.log_level, server.options.log_format);
	signal(SIGPIPE, SIG_IGN);
	if (open_socket(&server.options, &socket))
		return EXIT_FAILURE;
	r = watch_init(&server.watch);
	if (r < 0)
		return fail("wait for signals", strerror(-r));
	status = run(&server, socket);
	watch_exit(&server.watch);
	return status;
}
