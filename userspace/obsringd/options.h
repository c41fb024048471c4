/* SPDX-License-Identifier: MIT */
/*
 * The command line: one table of flags in options.c.
 */
#ifndef OBSRINGD_OPTIONS_H
#define OBSRINGD_OPTIONS_H

#include <stdbool.h>

#include "listen.h"
#include "log.h"

struct options {
	const char *listen_text;	/* as given */
	struct listen_address listen;
	const char *telemetry_path;
	const char *device;
	enum log_level log_level;
	enum log_format log_format;
};

/* True: run. False: end with *@ret_status, all is said. */
bool options_parse(struct options *options, int argc, char **argv, int *ret_status);

#endif /* OBSRINGD_OPTIONS_H */
