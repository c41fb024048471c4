/* SPDX-License-Identifier: MIT */
/*
 * The daemon but its command line: all its parts, wired together.
 */
#ifndef OBSRINGD_DAEMON_H
#define OBSRINGD_DAEMON_H

#include "clients.h"
#include "collect.h"
#include "http.h"
#include "leakwatch.h"
#include "listen.h"
#include "metrics.h"
#include "options.h"
#include "requests.h"
#include "self.h"
#include "watch.h"
#include "web.h"

#define DAEMON_REASON_MAX 1024

struct daemon {
	int argc;		/* for options to be read again; 0: they are not */
	char **argv;
	pthread_mutex_t lock;	/* guards options, once there are threads */
	struct options options;
	char web_path[PATH_MAX];
	struct client_limits limits;
	struct watch watch;
	struct listen_sockets sockets;
	struct clients clients;
	struct web_holder web;
	struct collector collector;
	struct requests requests;
	struct self self;
	struct metrics metrics;
	struct leakwatch leakwatch;
	struct control control;
	struct http http;
};

/*
 * Listen and answer, in threads of its own. @daemon's options and limits are set, and
 * from then on are its own, with @argv if that is set. -errno, with what failed
 * and why in @reason.
 */
int daemon_start(struct daemon *daemon, char reason[DAEMON_REASON_MAX]);

/* Is the configuration valid, all files that it names included? As above. */
int daemon_check(const struct options *options, char reason[DAEMON_REASON_MAX]);

/* Follow the device, and serve until a signal or /-/quit ends it. */
void daemon_run(struct daemon *daemon);

/* Finish what was begun, and free all. */
void daemon_stop(struct daemon *daemon);

#endif /* OBSRINGD_DAEMON_H */
