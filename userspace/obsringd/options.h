/* SPDX-License-Identifier: MIT */
/*
 * What the daemon is told to do: one table of flags in options.c, for the
 * command line and for the configuration file, which the command line overrides.
 */
#ifndef OBSRINGD_OPTIONS_H
#define OBSRINGD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "conf.h"
#include "listen.h"
#include "log.h"

/* Who said it; later ones override. */
enum option_origin {
	OPTION_DEFAULT,
	OPTION_FILE,
	OPTION_COMMAND_LINE,
};

#define OPTIONS_MAX	32
#define OPTIONS_REASON_MAX 1024

struct options {
	const char *config_file;	/* "": none */
	bool config_check;
	const char *listen_text[LISTEN_MAX];	/* as given */
	struct listen_address listen[LISTEN_MAX];
	unsigned int nr_listen;
	bool systemd_socket;
	const char *web_config_file;	/* "": none */
	const char *telemetry_path;
	unsigned int max_requests;
	unsigned int max_connections;
	bool enable_lifecycle;
	bool web_log;
	const char *device;
	bool seccomp;
	bool leak_watch;
	unsigned int leak_interval_ms, leak_window_ms, leak_confirm_ms;
	unsigned int leak_max_cpu;	/* percent */
	enum log_level log_level;
	enum log_format log_format;
	enum option_origin origin[OPTIONS_MAX];	/* of each flag in the table */
	struct conf conf;	/* has the strings of the file */
	bool conf_loaded;
};

enum options_result {
	OPTIONS_RUN,
	OPTIONS_END,		/* what was asked for is printed, or could not be */
	OPTIONS_USAGE,		/* the command line is wrong */
	OPTIONS_FILE_BAD,	/* the file is */
};

/*
 * Defaults, then the file, then the command line. Unless it returns OPTIONS_RUN,
 * there is nothing to free; @reason says what is wrong, if something is.
 */
enum options_result options_read(struct options *options, int argc, char **argv,
				 char reason[OPTIONS_REASON_MAX]);
void options_free(struct options *options);

/* What a file says: -EINVAL, and conf->reason is why. */
int options_take_conf(struct options *options, struct conf *conf);

/* The same, for main(). True: run. False: end with *@ret_status, all is said. */
bool options_parse(struct options *options, int argc, char **argv, int *ret_status);

/* For each flag: its name, and its values as they are in force, separated by commas. */
typedef void (*option_fn)(void *context, const char *name, const char *value);

void options_each(const struct options *options, option_fn fn, void *context);

#endif /* OBSRINGD_OPTIONS_H */
