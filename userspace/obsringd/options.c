// SPDX-License-Identifier: MIT
#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <obsring.h>

#include "options.h"
#include "version.h"

#define EXIT_USAGE 2

#define REQUESTS_LIMIT		100000
#define CONNECTIONS_LIMIT	100000
#define DAY_MS			(24 * 3600 * 1000)

static const char *const levels[] = { "debug", "info", "warn", "error", NULL };
static const char *const formats[] = { "logfmt", "json", NULL };

/* What answer.c answers itself. */
static const char *const taken[] = { "/-/", "/api/", "/health/" };

/* NULL, or what is wrong with a text. */
static const char *check_path(const char *value)
{
	size_t i;

	if (value[0] != '/')
		return "a path begins with /";
	if (strpbrk(value, "?#"))
		return "a path has no ? or #";
	for (i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (!strncmp(value, taken[i], strlen(taken[i])))
			return "paths under /-/, /api/ and /health/ are taken";
	return NULL;
}

static const char *check_file(const char *value)
{
	return *value ? NULL : "empty";
}

static const char *check_any(const char *value)
{
	(void)value;
	return NULL;
}

enum flag_kind {
	FLAG_ADDRESSES,	/* all of one origin count; else the last */
	FLAG_TEXT,	/* const char * */
	FLAG_NUMBER,	/* unsigned int */
	FLAG_TIME,	/* unsigned int: ms */
	FLAG_CHOICE,	/* an enum */
	FLAG_SWITCH,	/* bool; bare: true; --no-FLAG: false */
	FLAG_END,	/* prints something, and ends the program */
};

#define AT(member) offsetof(struct options, member)

/* The default goes through the same functions as a value that is given. */
static const struct flag {
	const char *name;
	enum flag_kind kind;
	size_t at;
	const char *value_name;
	const char *fallback;
	const char *help;
	const char *(*check)(const char *value);	/* of a text */
	const char *const *choice;
	unsigned int min, max;
	bool here_only;		/* not in the file */
} flags[] = {
	{ "config.file", FLAG_TEXT, AT(config_file), "FILE", "",
	  .help = "YAML with these flags; those given here override it",
	  .check = check_any, .here_only = true },
	{ "config.check", FLAG_SWITCH, AT(config_check), NULL, "false",
	  .help = "say whether the configuration is valid, and end",
	  .here_only = true },
	{ "web.listen-address", FLAG_ADDRESSES, 0, "ADDRESS", ":10478",
	  .help = "host:port, [v6]:port, :port or unix:/path to listen on; repeat for more" },
	{ "web.systemd-socket", FLAG_SWITCH, AT(systemd_socket), NULL, "false",
	  .help = "listen on the sockets that systemd passes, and on no others" },
	{ "web.config.file", FLAG_TEXT, AT(web_config_file), "FILE", "",
	  .help = "TLS, users and headers, as exporter-toolkit has them", .check = check_any },
	{ "web.telemetry-path", FLAG_TEXT, AT(telemetry_path), "PATH", "/metrics",
	  .help = "path of the metrics", .check = check_path },
	{ "web.max-requests", FLAG_NUMBER, AT(max_requests), "N", "40",
	  .help = "requests answered at once; 503 beyond", .max = REQUESTS_LIMIT },
	{ "web.max-connections", FLAG_NUMBER, AT(max_connections), "N", "2048",
	  .help = "connections at once; beyond, idle ones are closed", .max = CONNECTIONS_LIMIT },
	{ "web.enable-lifecycle", FLAG_SWITCH, AT(enable_lifecycle), NULL, "false",
	  .help = "answer POST to /-/reload and /-/quit" },
	{ "web.log", FLAG_SWITCH, AT(web_log), NULL, "false",
	  .help = "show the log's records to who may scrape: on the page, at /api/v1/log" },
	{ "device", FLAG_TEXT, AT(device), "FILE", OBSRING_DEVICE, .help = "what to read",
	  .check = check_file },
	{ "seccomp", FLAG_SWITCH, AT(seccomp), NULL, "true",
	  .help = "give up all system calls that serving does not take" },
	{ "leak.watch", FLAG_SWITCH, AT(leak_watch), NULL, "true",
	  .help = "watch for leaks and memory pressure" },
	{ "leak.interval", FLAG_TIME, AT(leak_interval_ms), "TIME", "100ms",
	  .help = "from one sample to the next", .min = 10, .max = 60 * 1000 },
	{ "leak.window", FLAG_TIME, AT(leak_window_ms), "TIME", "10m",
	  .help = "what has to rise; at least 32 samples", .min = 1000, .max = DAY_MS },
	{ "leak.confirm", FLAG_TIME, AT(leak_confirm_ms), "TIME", "5m",
	  .help = "how long it has to rise then", .min = 100, .max = DAY_MS },
	{ "leak.max-cpu", FLAG_NUMBER, AT(leak_max_cpu), "PERCENT", "2",
	  .help = "of one CPU, for the watch: it waits longer after samples that take long",
	  .max = 100 },
	{ "log.level", FLAG_CHOICE, AT(log_level), "LEVEL", "info",
	  .help = "debug, info, warn or error", .choice = levels },
	{ "log.format", FLAG_CHOICE, AT(log_format), "FORMAT", "logfmt",
	  .help = "logfmt or json", .choice = formats },
	{ "version", FLAG_END, 0, NULL, NULL, .help = "print the version" },
	{ "help", FLAG_END, 0, NULL, NULL, .help = "print this" },
};

#define NR_FLAGS (sizeof(flags) / sizeof(flags[0]))

_Static_assert(NR_FLAGS <= OPTIONS_MAX, "struct options has an origin of each flag");
_Static_assert(sizeof(enum log_level) == sizeof(unsigned int) &&
	       sizeof(enum log_format) == sizeof(unsigned int), "a choice is a number");

static const char *set_address(struct options *options, const char *value)
{
	unsigned int nr = options->nr_listen;
	const char *problem;

	if (nr == LISTEN_MAX)
		return "too many addresses";
	problem = listen_parse(value, &options->listen[nr]);
	if (problem)
		return problem;
	options->listen_text[nr] = value;
	options->nr_listen++;
	return NULL;
}

static const char *set_text(const char **ret_text, const char *value,
			    const struct flag *flag)
{
	const char *problem = flag->check(value);

	if (!problem)
		*ret_text = value;
	return problem;
}

static const char *set_number(unsigned int *ret_number, const char *value,
			      const struct flag *flag)
{
	size_t len = strlen(value);
	unsigned long number;

	if (!len || len > 9 || strspn(value, "0123456789") != len)
		return "not a number";
	number = strtoul(value, NULL, 10);
	if (!number)
		return "at least 1";
	if (number > flag->max)
		return "too many";
	*ret_number = number;
	return NULL;
}

/* The greatest first: what is shown has the greatest that divides it. */
static const struct {
	const char *name;
	unsigned int ms;
} time_units[] = {
	{ "h", 3600 * 1000 }, { "m", 60 * 1000 }, { "s", 1000 }, { "ms", 1 },
};

#define NR_TIME_UNITS (sizeof(time_units) / sizeof(time_units[0]))

static const char *set_time(unsigned int *ret_ms, const char *value, const struct flag *flag)
{
	size_t digits = strspn(value, "0123456789"), i = 0;
	unsigned long long ms;

	if (!digits || digits > 9)
		return "not a time, such as 100ms, 5s, 10m or 1h";
	while (i < NR_TIME_UNITS && strcmp(value + digits, time_units[i].name))
		i++;
	if (i == NR_TIME_UNITS)
		return "not a time, such as 100ms, 5s, 10m or 1h";
	ms = strtoull(value, NULL, 10) * time_units[i].ms;
	if (ms < flag->min)
		return "too short";
	if (ms > flag->max)
		return "too long";
	*ret_ms = ms;
	return NULL;
}

static void get_time(unsigned int ms, char *buffer, size_t size)
{
	size_t i = 0;

	while (ms % time_units[i].ms)
		i++;
	snprintf(buffer, size, "%u%s", ms / time_units[i].ms, time_units[i].name);
}

static const char *set_choice(unsigned int *ret_choice, const char *value,
			      const struct flag *flag)
{
	unsigned int i;

	for (i = 0; flag->choice[i]; i++) {
		if (strcmp(value, flag->choice[i]))
			continue;
		*ret_choice = i;
		return NULL;
	}
	return flag->choice == levels ? "not debug, info, warn or error" :
					"not logfmt or json";
}

static const char *set_switch(bool *ret_on, const char *value)
{
	if (strcmp(value, "true") && strcmp(value, "false"))
		return "not true or false";
	*ret_on = !strcmp(value, "true");
	return NULL;
}

/* NULL, or what is wrong with @value. */
static const char *set(struct options *options, const struct flag *flag,
		       const char *value)
{
	void *at = (char *)options + flag->at;

	switch (flag->kind) {
	case FLAG_ADDRESSES:
		return set_address(options, value);
	case FLAG_TEXT:
		return set_text(at, value, flag);
	case FLAG_NUMBER:
		return set_number(at, value, flag);
	case FLAG_TIME:
		return set_time(at, value, flag);
	case FLAG_CHOICE:
		return set_choice(at, value, flag);
	case FLAG_SWITCH:
		return set_switch(at, value);
	case FLAG_END:
		break;
	}
	return "takes no value";
}

static void get_addresses(const struct options *options, char *buffer, size_t size)
{
	size_t len = 0;
	unsigned int i;

	buffer[0] = '\0';
	for (i = 0; i < options->nr_listen && len < size; i++)
		len += snprintf(buffer + len, size - len, "%s%s", i ? "," : "",
				options->listen_text[i]);
}

/* The value in force, as text; longer ones are cut. */
static void get(const struct options *options, const struct flag *flag, char *buffer,
		size_t size)
{
	const void *at = (const char *)options + flag->at;

	switch (flag->kind) {
	case FLAG_ADDRESSES:
		get_addresses(options, buffer, size);
		break;
	case FLAG_TEXT:
		snprintf(buffer, size, "%s", *(const char *const *)at);
		break;
	case FLAG_NUMBER:
		snprintf(buffer, size, "%u", *(const unsigned int *)at);
		break;
	case FLAG_TIME:
		get_time(*(const unsigned int *)at, buffer, size);
		break;
	case FLAG_CHOICE:
		snprintf(buffer, size, "%s", flag->choice[*(const unsigned int *)at]);
		break;
	case FLAG_SWITCH:
		snprintf(buffer, size, "%s", *(const bool *)at ? "true" : "false");
		break;
	case FLAG_END:
		buffer[0] = '\0';
		break;
	}
}

static void print_help(void)
{
	char left[64];
	size_t i;

	puts("usage: obsringd [FLAG...]\n\n"
	     "Serve what the obsring kernel module counts to Prometheus.\n");
	for (i = 0; i < NR_FLAGS; i++) {
		snprintf(left, sizeof(left), "--%s%s%s%s",
			 flags[i].kind == FLAG_SWITCH ? "[no-]" : "", flags[i].name,
			 flags[i].value_name ? "=" : "",
			 flags[i].value_name ? flags[i].value_name : "");
		printf("  %-29s  %s", left, flags[i].help);
		if (*(flags[i].fallback ? flags[i].fallback : "") &&
		    strcmp(flags[i].fallback, "false"))
			printf(" (default: %s)", flags[i].fallback);
		putchar('\n');
	}
}

static void print_version(void)
{
	printf("obsringd, version %s (revision: %s)\n", obsringd_version,
	       obsringd_revision);
}

static bool print_ended(void)
{
	return !fflush(stdout) && !ferror(stdout);
}

/* As set(). The first address of an origin is in the place of others'. */
static const char *take(struct options *options, const struct flag *flag,
			const char *value, enum option_origin origin)
{
	enum option_origin *before = &options->origin[flag - flags];

	if (flag->kind == FLAG_ADDRESSES && *before != origin)
		options->nr_listen = 0;
	*before = origin;
	return set(options, flag, value);
}

static void set_defaults(struct options *options)
{
	size_t i;

	*options = (struct options){ 0 };
	for (i = 0; i < NR_FLAGS; i++)
		if (flags[i].kind != FLAG_END)
			take(options, &flags[i], flags[i].fallback, OPTION_DEFAULT);
}

/* What getopt_long() returns: a flag's index, or with NEGATED of a switch that is off. */
#define FLAG_FIRST	256
#define NEGATED		512

struct names {
	struct option option[2 * NR_FLAGS + 1];
	char negated[NR_FLAGS][64];
};

static int has_arg(enum flag_kind kind)
{
	if (kind == FLAG_END)
		return no_argument;
	return kind == FLAG_SWITCH ? optional_argument : required_argument;
}

static void make_names(struct names *names)
{
	struct option *option = names->option;
	size_t i;

	memset(names, 0, sizeof(*names));
	for (i = 0; i < NR_FLAGS; i++) {
		*option++ = (struct option){
			.name = flags[i].name,
			.has_arg = has_arg(flags[i].kind),
			.val = FLAG_FIRST + i,
		};
		if (flags[i].kind != FLAG_SWITCH)
			continue;
		snprintf(names->negated[i], sizeof(names->negated[i]), "no-%s",
			 flags[i].name);
		*option++ = (struct option){
			.name = names->negated[i],
			.has_arg = no_argument,
			.val = FLAG_FIRST + NEGATED + i,
		};
	}
}

static const char *value_given(const struct flag *flag, bool negated)
{
	if (flag->kind != FLAG_SWITCH || optarg)
		return optarg;
	return negated ? "false" : "true";
}

static enum options_result usage_error(char reason[OPTIONS_REASON_MAX], const char *what,
				       const char *why)
{
	snprintf(reason, OPTIONS_REASON_MAX, "%s: %s", what, why);
	return OPTIONS_USAGE;
}

static enum options_result print(const struct flag *flag, char reason[OPTIONS_REASON_MAX])
{
	if (!strcmp(flag->name, "help"))
		print_help();
	else
		print_version();
	if (!print_ended())
		snprintf(reason, OPTIONS_REASON_MAX, "write the output: %s",
			 strerror(errno));
	return OPTIONS_END;
}

/* What getopt_long() returned. */
static enum options_result take_flag(struct options *options, int c, char **argv,
				     char reason[OPTIONS_REASON_MAX])
{
	const struct flag *flag;
	const char *problem, *value;

	if (c == '?' || c == ':') {
		problem = c == ':' ? "needs a value" : "no such flag; see --help";
		return usage_error(reason, argv[optind - 1], problem);
	}
	flag = c == 'h' ? &flags[NR_FLAGS - 1] : &flags[(c - FLAG_FIRST) % NEGATED];
	if (flag->kind == FLAG_END)
		return print(flag, reason);
	value = value_given(flag, c >= FLAG_FIRST + NEGATED);
	problem = take(options, flag, value, OPTION_COMMAND_LINE);
	if (!problem)
		return OPTIONS_RUN;
	snprintf(reason, OPTIONS_REASON_MAX, "--%s=%s: %s", flag->name, value, problem);
	return OPTIONS_USAGE;
}

static enum options_result read_command_line(struct options *options, int argc, char **argv,
					     char reason[OPTIONS_REASON_MAX])
{
	enum options_result result = OPTIONS_RUN;
	struct names names;
	int c;

	make_names(&names);
	optind = 0;	/* start over */
	opterr = 0;
	while (result == OPTIONS_RUN &&
	       (c = getopt_long(argc, argv, ":h", names.option, NULL)) != -1)
		result = take_flag(options, c, argv, reason);
	if (result == OPTIONS_RUN && optind < argc)
		result = usage_error(reason, argv[optind],
				     "unexpected argument; see --help");
	return result;
}

/* ---- The file ------------------------------------------------------------ */

#define NAME_MAX_LEN 64

/* Nested keys are a flag's name, with a dot between them. */
struct walk {
	struct options *options;
	char name[NAME_MAX_LEN];
	const struct flag *flag;
};

static const struct flag *find_flag(const char *name)
{
	size_t i;

	for (i = 0; i < NR_FLAGS; i++)
		if (!strcmp(name, flags[i].name) && !flags[i].here_only &&
		    flags[i].kind != FLAG_END)
			return &flags[i];
	return NULL;
}

static int take_value(struct conf *conf, const yaml_node_t *value, void *target)
{
	struct walk *walk = target;
	const char *text = conf_text(conf, value);
	const char *problem;

	if (!text)
		return -EINVAL;
	problem = take(walk->options, walk->flag, text, OPTION_FILE);
	return problem ? conf_fail(conf, value, "%s: %s", walk->name, problem) : 0;
}

static int take_pair(struct conf *conf, const char *key, const yaml_node_t *value,
		     void *target)
{
	const struct walk *above = target;
	struct walk walk = { .options = above->options };
	int len = snprintf(walk.name, sizeof(walk.name), "%s%s%s", above->name,
			   *above->name ? "." : "", key);

	/* This also ends a mapping that has itself in it. */
	if (len >= (int)sizeof(walk.name))
		return conf_fail(conf, value, "no such key: %s...", walk.name);
	walk.flag = find_flag(walk.name);
	if (!walk.flag && value->type == YAML_MAPPING_NODE)
		return conf_each_pair(conf, value, take_pair, &walk);
	if (!walk.flag)
		return conf_fail(conf, value, "no such key: %s", walk.name);
	if (walk.flag->kind == FLAG_ADDRESSES && value->type == YAML_SEQUENCE_NODE)
		return conf_each_item(conf, value, take_value, &walk);
	return take_value(conf, value, &walk);
}

int options_take_conf(struct options *options, struct conf *conf)
{
	const yaml_node_t *root = conf_root(conf);
	struct walk walk = { .options = options };

	return root ? conf_each_pair(conf, root, take_pair, &walk) : 0;
}

static enum options_result read_file(struct options *options,
				     char reason[OPTIONS_REASON_MAX])
{
	int r;

	if (!*options->config_file)
		return OPTIONS_RUN;
	r = conf_load(&options->conf, options->config_file);
	options->conf_loaded = !r;
	if (!r)
		r = options_take_conf(options, &options->conf);
	if (!r)
		return OPTIONS_RUN;
	snprintf(reason, OPTIONS_REASON_MAX, "%s", options->conf.reason);
	return OPTIONS_FILE_BAD;
}

/* ---- All of it ----------------------------------------------------------- */

enum options_result options_read(struct options *options, int argc, char **argv,
				 char reason[OPTIONS_REASON_MAX])
{
	enum options_result result;
	const char *file;

	reason[0] = '\0';
	/* The command line first, for what is wrong with it and the file's name. */
	set_defaults(options);
	result = read_command_line(options, argc, argv, reason);
	if (result != OPTIONS_RUN)
		return result;
	file = options->config_file;
	set_defaults(options);
	options->config_file = file;
	result = read_file(options, reason);
	if (result == OPTIONS_RUN)
		result = read_command_line(options, argc, argv, reason);
	if (result != OPTIONS_RUN)
		options_free(options);
	return result;
}

void options_free(struct options *options)
{
	if (options->conf_loaded)
		conf_free(&options->conf);
	options->conf_loaded = false;
}

bool options_parse(struct options *options, int argc, char **argv, int *ret_status)
{
	char reason[OPTIONS_REASON_MAX];
	enum options_result result = options_read(options, argc, argv, reason);

	if (*reason)
		fprintf(stderr, "obsringd: %s\n", reason);
	*ret_status = result == OPTIONS_USAGE ? EXIT_USAGE : *reason ? EXIT_FAILURE : EXIT_SUCCESS;
	return result == OPTIONS_RUN;
}

void options_each(const struct options *options, option_fn fn, void *context)
{
	char buffer[4096];
	size_t i;

	for (i = 0; i < NR_FLAGS; i++) {
		if (flags[i].kind == FLAG_END)
			continue;
		get(options, &flags[i], buffer, sizeof(buffer));
		fn(context, flags[i].name, buffer);
	}
}
