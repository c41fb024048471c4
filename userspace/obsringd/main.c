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
 *	serve     its connection
 *	clients   who asks, and how long each may take
 *	intake    where they come in
 *	daemon    the parts together
 *
 * The main thread waits for signals and for the device's coming and going; one
 * thread accepts connections; libmicrohttpd's threads answer.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "options.h"
#include "daemon.h"

static int fail(const char *reason)
{
	fprintf(stderr, "obsringd: %s\n", reason);
	return EXIT_FAILURE;
}

static int check(struct options *options)
{
	char reason[DAEMON_REASON_MAX];
	int r = daemon_check(options, reason);

	options_free(options);
	if (r < 0)
		return fail(reason);
	if (puts("obsringd: the configuration is valid") < 0 || fflush(stdout))
		return fail("write the output");
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	static struct daemon daemon;
	char reason[DAEMON_REASON_MAX];
	int status;

	if (!options_parse(&daemon.options, argc, argv, &status))
		return status;
	if (daemon.options.config_check)
		return check(&daemon.options);
	log_setup(daemon.options.log_level, daemon.options.log_format);
	signal(SIGPIPE, SIG_IGN);
	daemon.limits = client_limits_default;
	daemon.argc = argc;
	daemon.argv = argv;
	if (daemon_start(&daemon, reason) < 0)
		return fail(reason);
	daemon_run(&daemon);
	daemon_stop(&daemon);
	return EXIT_SUCCESS;
}
