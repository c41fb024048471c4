// SPDX-License-Identifier: MIT
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <obsring.h>

#include "options.h"
#include "version.h"

#define EXIT_USAGE 2

/* Takes a value: NULL, or what is wrong with it. */
typedef const char *(*set_fn)(struct options *options, const char *value);

static const char *set_listen(struct options *options, const char *value)
{
	options->listen_text = value;
	return listen_parse(value, &options->listen);
}

static const char *set_telemetry_path(struct options *options, const char *value)
{
	if (value[0] != '/')
		return "a path begins with /";
	if (strpbrk(value, "?#"))
		return "a path has no ? or #";
	if (!strncmp(value, "/-/", 3))
		return "paths under /-/ are taken";
	options->telemetry_path = value;
	return NULL;
}

static const char *set_device(struct options *options, const char *value)
{
	if (!*value)
		return "empty";
	options->device = value;
	return NULL;
}

static const char *set_log_level(struct options *options, const char *value)
{
	static const char *const names[] = { "debug", "info", "warn", "error" };
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(value, names[i]))
			continue;
		options->log_level = i;
		return NULL;
	}
	return "not debug, info, warn or error";
}

static const char *set_log_format(struct options *options, const char *value)
{
	if (!strcmp(value, "logfmt"))
		options->log_format = LOG_LOGFMT;
	else if (!strcmp(value, "json"))
		options->log_format = LOG_JSON;
	else
		return "not logfmt or json";
	return NULL;
}

/* The default goes through the same function as a value that is given. */
static const struct flag {
	const char *name;
	set_fn set;	/* NULL: the flag takes no value and ends the program */
	const char *value_name;
	const char *fallback;
	const char *help;
} flags[] = {
	{ "web.listen-address", set_listen, "ADDRESS", ":10478",
	  "host:port, [v6]:port or :port to listen on" },
	{ "web.telemetry-path", set_telemetry_path, "PATH", "/metrics",
	  "path of the metrics" },
	{ "device", set_device, "FILE", OBSRING_DEVICE, "what to read" },
	{ "log.level", set_log_level, "LEVEL", "info",
	  "debug, info, warn or error" },
	{ "log.format", set_log_format, "FORMAT", "logfmt", "logfmt or json" },
	{ "version", NULL, NULL, NULL, "print the version" },
	{ "help", NULL, NULL, NULL, "print this" },
};

#define NR_FLAGS (sizeof(flags) / sizeof(flags[0]))

static void print_help(void)
{
	char left[64];
	size_t i;

	puts("usage: obsringd [FLAG...]\n\n"
	     "Serve what the obsring kernel module counts to Prometheus.\n");
	for (i = 0; i < NR_FLAGS; i++) {
		snprintf(left, sizeof(left), "--%s%s%s", flags[i].name,
			 flags[i].set ? "=" : "",
			 flags[i].set ? flags[i].value_name : "");
		printf("  %-29s  %s", left, flags[i].help);
		if (flags[i].fallback)
			printf(" (default: %s)", flags[i].fallback);
		putchar('\n');
	}
}

static void print_version(void)
{
	printf("obsringd, version %s (revision: %s)\n", obsringd_version,
	       obsringd_revision);
}

static int print_end(void)
{
	if (!fflush(stdout) && !ferror(stdout))
		return EXIT_SUCCESS;
	fprintf(stderr, "obsringd: write the output: %s\n", strerror(errno));
	return EXIT_FAILURE;
}

static int usage_error(const char *what, const char *reason)
{
	fprintf(stderr, "obsringd: %s: %s\n", what, reason);
	return EXIT_USAGE;
}

static int bad_value(const struct flag *flag, const char *value, const char *reason)
{
	fprintf(stderr, "obsringd: --%s=%s: %s\n", flag->name, value, reason);
	return EXIT_USAGE;
}

static void set_defaults(struct options *options)
{
	size_t i;

	*options = (struct options){ 0 };
	for (i = 0; i < NR_FLAGS; i++)
		if (flags[i].set)
			flags[i].set(options, flags[i].fallback);
}

static void make_long_options(struct option *option)
{
	size_t i;

	for (i = 0; i < NR_FLAGS; i++)
		option[i] = (struct option){
			.name = flags[i].name,
			.has_arg = flags[i].set ? required_argument : no_argument,
			.val = i + 1,
		};
	option[NR_FLAGS] = (struct option){ 0 };
}

/* What getopt_long() returned: true to go on. */
static bool take_flag(struct options *options, int c, char **argv, int *ret_status)
{
	const struct flag *help = &flags[NR_FLAGS - 1];
	const struct flag *flag;
	const char *problem;

	if (c == '?' || c == ':') {
		problem = c == ':' ? "needs a value" : "no such flag; see --help";
		*ret_status = usage_error(argv[optind - 1], problem);
		return false;
	}
	flag = c == 'h' ? help : &flags[c - 1];
	if (flag->set) {
		problem = flag->set(options, optarg);
		if (problem)
			*ret_status = bad_value(flag, optarg, problem);
		return !problem;
	}
	if (flag == help)
		print_help();
	else
		print_version();
	*ret_status = print_end();
	return false;
}

bool options_parse(struct options *options, int argc, char **argv, int *ret_status)
{
	struct option long_options[NR_FLAGS + 1];
	int c;

	set_defaults(options);
	make_long_options(long_options);
	*ret_status = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":h", long_options, NULL)) != -1)
		if (!take_flag(options, c, argv, ret_status))
			return false;
	if (optind < argc)
		*ret_status = usage_error(argv[optind], "unexpected argument; see --help");
	return optind == argc;
}
