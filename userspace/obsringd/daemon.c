// SPDX-License-Identifier: MIT
#define _GNU_SOURCE	/* sigabbrev_np */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "confine.h"
#include "log.h"
#include "notify.h"
#include "daemon.h"
#include "status.h"
#include "version.h"

static int fail(char reason[DAEMON_REASON_MAX], int r, const char *what, const char *why)
{
	snprintf(reason, DAEMON_REASON_MAX, "%s: %s", what, why);
	return r;
}

static int inherit_sockets(struct daemon *daemon, char reason[DAEMON_REASON_MAX])
{
	const char *problem = listen_inherit(&daemon->sockets);

	return problem ? fail(reason, -EINVAL, "--web.systemd-socket", problem) : 0;
}

static int open_sockets(struct daemon *daemon, char reason[DAEMON_REASON_MAX])
{
	const struct options *options = &daemon->options;
	const char *problem;
	char what[300];
	unsigned int i;

	if (options->systemd_socket)
		return inherit_sockets(daemon, reason);
	for (i = 0; i < options->nr_listen; i++) {
		problem = listen_open(&options->listen[i], &daemon->sockets);
		if (!problem)
			continue;
		snprintf(what, sizeof(what), "listen on %s", options->listen_text[i]);
		return fail(reason, -EADDRINUSE, what, problem);
	}
	return 0;
}

static void log_listening(const struct daemon *daemon)
{
	char name[LISTEN_NAME_MAX];
	unsigned int i;

	for (i = 0; i < daemon->sockets.nr; i++) {
		listen_name(daemon->sockets.fd[i], name);
		log_event(LEVEL_INFO, "listening", "address", name, "path",
			  daemon->options.telemetry_path, "version", obsringd_version,
			  NULL);
	}
}

static void watch_device(struct daemon *daemon)
{
	const char *path = daemon->options.device;
	int r = watch_path(&daemon->watch, path);

	if (r < 0)
		log_event(LEVEL_WARN, "can't watch the device's directory",
			  "device", path, "reason", strerror(-r), NULL);
	collector_check(&daemon->collector);
}

/* Only the main thread watches. */
static void follow_files(void *context)
{
	struct daemon *daemon = context;
	struct web_files files;

	web_files(&daemon->web, &files);
	watch_files(&daemon->watch, files.path, files.nr);
}

static int set_web_path(struct daemon *daemon, const char *path,
			char reason[DAEMON_REASON_MAX])
{
	if (strlen(path) >= sizeof(daemon->web_path))
		return fail(reason, -ENAMETOOLONG, path, strerror(ENAMETOOLONG));
	memmove(daemon->web_path, path, strlen(path) + 1);
	daemon->options.web_config_file = daemon->web_path;
	return 0;
}

/* In a thread of its own, confined as the others. */
static int watch_leaks(struct daemon *daemon)
{
	const struct options *options = &daemon->options;
	const struct leakwatch_config config = {
		.device = options->device,
		.proc = "/proc",
		.interval_ns = options->leak_interval_ms * 1000000ULL,
		.window_ns = options->leak_window_ms * 1000000ULL,
		.confirm_ns = options->leak_confirm_ms * 1000000ULL,
		.max_cpu = options->leak_max_cpu,
	};
	int r;

	if (!options->leak_watch)
		return 0;
	r = leakwatch_start(&daemon->leakwatch, &config, &daemon->collector);
	if (!r)
		daemon->self.leakwatch = &daemon->leakwatch;
	return r;
}

static bool same_places(const struct options *a, const struct options *b)
{
	unsigned int i;

	if (a->nr_listen != b->nr_listen)
		return false;
	for (i = 0; i < a->nr_listen; i++)
		if (strcmp(a->listen_text[i], b->listen_text[i]))
			return false;
	return a->systemd_socket == b->systemd_socket && !strcmp(a->device, b->device) &&
	       !strcmp(a->telemetry_path, b->telemetry_path) &&
	       a->max_connections == b->max_connections && a->leak_watch == b->leak_watch &&
	       a->leak_interval_ms == b->leak_interval_ms &&
	       a->leak_window_ms == b->leak_window_ms &&
	       a->leak_confirm_ms == b->leak_confirm_ms &&
	       a->leak_max_cpu == b->leak_max_cpu;
}

/* What can change while all runs. */
static void take_options(struct daemon *daemon, const struct options *options)
{
	if (!same_places(&daemon->options, options))
		log_event(LEVEL_WARN, "addresses, the device, paths, the number of "
			  "connections and the leak watch change at the next start only", NULL);
	daemon->options.max_requests = options->max_requests;
	daemon->options.enable_lifecycle = options->enable_lifecycle;
	daemon->options.web_log = options->web_log;
	daemon->options.log_level = options->log_level;
	daemon->options.log_format = options->log_format;
	clients_set_requests(&daemon->clients, options->max_requests);
	daemon->control.lifecycle = options->enable_lifecycle;
	daemon->control.log = options->web_log;
	log_setup(options->log_level, options->log_format);
}

/* All of it or nothing. */
static int reload_options(struct daemon *daemon, char reason[CONTROL_REASON_MAX])
{
	static struct options options;	/* under the lock, and large */
	int r;

	if (!daemon->argc)
		return web_load(&daemon->web, daemon->web_path, reason);
	if (options_read(&options, daemon->argc, daemon->argv, reason) != OPTIONS_RUN) {
		web_failed(&daemon->web);
		return -EINVAL;
	}
	r = web_load(&daemon->web, options.web_config_file, reason);
	if (!r)
		r = set_web_path(daemon, options.web_config_file, reason);
	if (!r)
		take_options(daemon, &options);
	options_free(&options);
	return r;
}

/* From any thread. What can't be read leaves all as it was. */
static int reload(struct daemon *daemon, char reason[CONTROL_REASON_MAX])
{
	int r;

	pthread_mutex_lock(&daemon->lock);
	notify_reloading();
	r = reload_options(daemon, reason);
	if (r < 0)
		log_event(LEVEL_ERROR, "can't reload, all stays as it was", "reason", reason,
			  NULL);
	else
		log_event(LEVEL_INFO, "reloaded", NULL);
	notify("READY=1");
	pthread_mutex_unlock(&daemon->lock);
	return r;
}

static int reload_by_request(void *context, char reason[CONTROL_REASON_MAX])
{
	struct daemon *daemon = context;
	int r = reload(daemon, reason);

	watch_poke(&daemon->watch);
	return r;
}

static void reload_by_signal(void *context)
{
	char reason[CONTROL_REASON_MAX];

	reload(context, reason);
	follow_files(context);
}

static void files_changed(void *context, bool named)
{
	struct daemon *daemon = context;

	if (named || web_changed(&daemon->web))
		reload_by_signal(context);
}

static void quit(void *context)
{
	struct daemon *daemon = context;

	watch_end(&daemon->watch);
}

static void expire_formats(void *context)
{
	struct daemon *daemon = context;

	metrics_expire(&daemon->metrics);
}

static void expire_formats_in(void *context, uint64_t ns)
{
	struct daemon *daemon = context;

	watch_time(&daemon->watch, ns);
}

static void status(void *context, struct text *json)
{
	struct daemon *daemon = context;

	pthread_mutex_lock(&daemon->lock);
	status_write(daemon, json);
	pthread_mutex_unlock(&daemon->lock);
}

static bool has_paths(const struct listen_sockets *sockets)
{
	unsigned int i;

	for (i = 0; i < sockets->nr; i++)
		if (sockets->path[i][0])
			return true;
	return false;
}

/* A segment that processes host: what those that were killed have left is made good. */
static bool is_file(const char *device)
{
	struct stat st;

	return !stat(device, &st) && S_ISREG(st.st_mode);
}

/* All is open that will be; the threads that follow are under it too. */
static void give_up_calls(const struct daemon *daemon)
{
	int r = confine(has_paths(&daemon->sockets), is_file(daemon->options.device),
			daemon->options.leak_watch);

	if (r < 0)
		log_event(LEVEL_WARN, "no seccomp filter", "reason", strerror(-r), NULL);
}

/* The ladder; daemon_stop() is its reverse, and takes what was built. */
static int start(struct daemon *daemon, char reason[DAEMON_REASON_MAX])
{
	const struct watch_calls calls = {
		.context = daemon,
		.reload = reload_by_signal,
		.poked = follow_files,
		.timed = expire_formats,
		.changed = files_changed,
	};
	int r;

	pthread_mutex_init(&daemon->lock, NULL);
	web_init(&daemon->web);
	r = set_web_path(daemon, daemon->options.web_config_file, reason);
	if (!r)
		r = web_load(&daemon->web, daemon->web_path, reason);
	if (!r)
		r = open_sockets(daemon, reason);
	if (r < 0)
		return r;
	r = watch_init(&daemon->watch, &calls);
	if (r < 0)
		return fail(reason, r, "wait for signals", strerror(-r));
	requests_init(&daemon->requests);
	collector_init(&daemon->collector, daemon->options.device,
		       daemon->watch.epoll);
	metrics_init(&daemon->metrics, &daemon->collector, &daemon->self);
	daemon->metrics.context = daemon;
	daemon->metrics.expire_in = expire_formats_in;
	r = self_init(&daemon->self, &daemon->requests);
	if (!r)
		r = clients_init(&daemon->clients, &daemon->limits);
	if (r < 0)
		return fail(reason, r, "start", strerror(-r));
	daemon->self.clients = &daemon->clients;
	daemon->self.web = &daemon->web;
	watch_device(daemon);
	follow_files(daemon);
	daemon->control = (struct control){
		.context = daemon,
		.lifecycle = daemon->options.enable_lifecycle,
		.log = daemon->options.web_log,
		.reload = reload_by_request,
		.quit = quit,
		.status = status,
	};
	daemon->http = (struct http){
		.telemetry_path = daemon->options.telemetry_path,
		.metrics = &daemon->metrics,
		.collector = &daemon->collector,
		.requests = &daemon->requests,
		.clients = &daemon->clients,
		.web = &daemon->web,
		.control = &daemon->control,
	};
	if (daemon->options.seccomp && daemon->argc)
		give_up_calls(daemon);
	r = watch_leaks(daemon);
	if (r < 0)
		return fail(reason, r, "watch for leaks", strerror(-r));
	r = http_start(&daemon->http, &daemon->sockets);
	return r < 0 ? fail(reason, r, "start the HTTP server", strerror(-r)) : 0;
}

int daemon_start(struct daemon *daemon, char reason[DAEMON_REASON_MAX])
{
	int r;

	daemon->limits.connections = daemon->options.max_connections;
	daemon->limits.requests = daemon->options.max_requests;
	r = start(daemon, reason);
	if (r < 0) {
		daemon_stop(daemon);
		return r;
	}
	log_listening(daemon);
	notify("READY=1");
	return 0;
}

void daemon_run(struct daemon *daemon)
{
	int signal = watch_run(&daemon->watch, &daemon->collector);

	log_event(LEVEL_INFO, "stopping", signal ? "signal" : "request",
		  signal ? sigabbrev_np(signal) : "/-/quit", NULL);
	notify("STOPPING=1");
}

void daemon_stop(struct daemon *daemon)
{
	http_stop(&daemon->http);
	clients_exit(&daemon->clients);
	leakwatch_stop(&daemon->leakwatch);
	self_exit(&daemon->self);
	if (daemon->collector.path) {
		metrics_exit(&daemon->metrics);
		collector_exit(&daemon->collector);
		requests_exit(&daemon->requests);
	}
	web_exit(&daemon->web);
	watch_exit(&daemon->watch);
	listen_close(&daemon->sockets);
	options_free(&daemon->options);
	pthread_mutex_destroy(&daemon->lock);
}

int daemon_check(const struct options *options, char reason[DAEMON_REASON_MAX])
{
	struct web_holder web;
	int r;

	web_init(&web);
	r = web_load(&web, options->web_config_file, reason);
	web_exit(&web);
	return r;
}
