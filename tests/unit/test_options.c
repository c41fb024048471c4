// SPDX-License-Identifier: MIT
/* The daemon's command line: what is taken, and what is refused with status 2. */
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "obsringd/options.h"

#define NR(array) (sizeof(array) / sizeof((array)[0]))
#define ARGS_MAX 4

/* Parse "obsringd" and @args; its status if it is not to run, else -1. */
static int parse(struct options *options, const char *const *args)
{
	char *argv[ARGS_MAX + 2] = { (char *)"obsringd" };
	int argc = 1, status;

	while (argc <= ARGS_MAX && args[argc - 1]) {
		argv[argc] = (char *)args[argc - 1];
		argc++;
	}
	optind = 0;	/* start over */
	return options_parse(options, argc, argv, &status) ? -1 : status;
}

static void test_defaults(void **state)
{
	const char *args[ARGS_MAX] = { NULL };
	struct options options;

	(void)state;
	assert_int_equal(parse(&options, args), -1);
	assert_int_equal(options.nr_listen, 1);
	assert_string_equal(options.listen_text[0], ":10478");
	assert_string_equal(options.listen[0].host, "");
	assert_string_equal(options.listen[0].port, "10478");
	assert_false(options.systemd_socket);
	assert_false(options.enable_lifecycle);
	assert_false(options.web_log);
	assert_int_equal(options.max_requests, 40);
	assert_int_equal(options.max_connections, 2048);
	assert_string_equal(options.telemetry_path, "/metrics");
	assert_string_equal(options.device, "/dev/obsring");
	assert_true(options.leak_watch);
	assert_int_equal(options.leak_interval_ms, 100);
	assert_int_equal(options.leak_window_ms, 600000);
	assert_int_equal(options.leak_confirm_ms, 300000);
	assert_int_equal(options.leak_max_cpu, 2);
	assert_int_equal(options.log_level, LEVEL_INFO);
	assert_int_equal(options.log_format, LOG_LOGFMT);
}

static void test_values(void **state)
{
	const char *args[ARGS_MAX] = {
		"--device=/tmp/x", "--web.telemetry-path", "/m", "--log.format=json",
	};
	const char *more[ARGS_MAX] = { "--log.level=error" };
	struct options options;

	(void)state;
	assert_int_equal(parse(&options, args), -1);
	assert_string_equal(options.device, "/tmp/x");
	assert_string_equal(options.telemetry_path, "/m");
	assert_int_equal(options.log_format, LOG_JSON);
	assert_int_equal(parse(&options, more), -1);
	assert_int_equal(options.log_level, LEVEL_ERROR);
}

static const struct {
	const char *value;
	unsigned int ms;	/* 0: it is no good */
} times[] = {
	{ "10ms", 10 }, { "1500ms", 1500 }, { "5s", 5000 }, { "1m", 60000 },
	{ "9ms", 0 }, { "61s", 0 }, { "2m", 0 }, { "1h", 0 }, { "100", 0 }, { "", 0 },
	{ "ms", 0 }, { "-1s", 0 }, { "1 s", 0 }, { "1s ", 0 }, { "0x1s", 0 },
	{ "99999999999999999999s", 0 }, { "1.5s", 0 }, { "4294968s", 0 },
};

static void test_times(void **state)
{
	char flag[64];
	const char *args[ARGS_MAX] = { flag };
	struct options options;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		snprintf(flag, sizeof(flag), "--leak.interval=%s", times[i].value);
		assert_int_equal(parse(&options, args), times[i].ms ? -1 : 2);
		if (times[i].ms)
			assert_int_equal(options.leak_interval_ms, times[i].ms);
	}
}

/* All addresses that are given count, in the place of the default. */
static void test_several_addresses(void **state)
{
	const char *args[ARGS_MAX] = {
		"--web.listen-address=:1", "--web.listen-address", "unix:/run/x",
	};
	struct options options;

	(void)state;
	assert_int_equal(parse(&options, args), -1);
	assert_int_equal(options.nr_listen, 2);
	assert_string_equal(options.listen[0].port, "1");
	assert_string_equal(options.listen[0].path, "");
	assert_string_equal(options.listen[1].path, "/run/x");
}

static void test_too_many_addresses(void **state)
{
	char *argv[LISTEN_MAX + 3] = { (char *)"obsringd" };
	struct options options;
	int i, status = -1;

	(void)state;
	for (i = 1; i <= LISTEN_MAX + 1; i++)
		argv[i] = (char *)"--web.listen-address=:0";
	optind = 0;
	assert_true(options_parse(&options, LISTEN_MAX + 1, argv, &status));
	optind = 0;
	assert_false(options_parse(&options, LISTEN_MAX + 2, argv, &status));
	assert_int_equal(status, 2);
}

static void test_switches(void **state)
{
	const char *args[ARGS_MAX] = {
		"--web.enable-lifecycle", "--web.systemd-socket=true", "--web.log",
	};
	const char *off[ARGS_MAX] = {
		"--web.enable-lifecycle", "--no-web.enable-lifecycle",
		"--web.systemd-socket", "--web.systemd-socket=false",
	};
	struct options options;

	(void)state;
	assert_int_equal(parse(&options, args), -1);
	assert_true(options.enable_lifecycle && options.systemd_socket && options.web_log);
	assert_int_equal(parse(&options, off), -1);
	assert_false(options.enable_lifecycle || options.systemd_socket);
}

static void put_option(void *context, const char *name, const char *value)
{
	char *text = context;

	sprintf(text + strlen(text), "%s=%s\n", name, value);
}

/* What is in force, in words: a status page has it. */
static void test_each(void **state)
{
	const char *args[ARGS_MAX] = {
		"--web.max-requests=7", "--web.enable-lifecycle", "--log.level=warn",
		"--web.listen-address=:1",
	};
	struct options options;
	char text[4096] = "";

	(void)state;
	assert_int_equal(parse(&options, args), -1);
	options_each(&options, put_option, text);
	assert_non_null(strstr(text, "web.listen-address=:1\n"));
	assert_non_null(strstr(text, "web.max-requests=7\n"));
	assert_non_null(strstr(text, "web.enable-lifecycle=true\n"));
	assert_non_null(strstr(text, "web.systemd-socket=false\n"));
	assert_non_null(strstr(text, "log.level=warn\n"));
	assert_non_null(strstr(text, "log.format=logfmt\n"));
	assert_non_null(strstr(text, "device=/dev/obsring\n"));
}

/* ---- The file ------------------------------------------------------------ */

static enum options_result read_with(struct options *options, const char *text,
				     const char *argument, char *reason)
{
	char path[] = "/tmp/obsringd-options.XXXXXX", flag[64];
	char *argv[] = { (char *)"obsringd", flag, (char *)argument, NULL };
	enum options_result result;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	snprintf(flag, sizeof(flag), "--config.file=%s", path);
	result = options_read(options, argument ? 3 : 2, argv, reason);
	unlink(path);
	return result;
}

static void test_file(void **state)
{
	struct options options;
	char reason[OPTIONS_REASON_MAX];

	(void)state;
	assert_int_equal(read_with(&options,
		"web:\n"
		"  listen-address: [':1', 'unix:/run/x']\n"
		"  max-requests: 7\n"
		"  config:\n"
		"    file: /etc/web.yml\n"
		"web.enable-lifecycle: true\n"
		"log: {level: warn, format: json}\n"
		"device: /tmp/x\n"
		"web.telemetry-path:\n", NULL, reason), OPTIONS_RUN);
	assert_int_equal(options.nr_listen, 2);
	assert_string_equal(options.listen[1].path, "/run/x");
	assert_int_equal(options.max_requests, 7);
	assert_string_equal(options.web_config_file, "/etc/web.yml");
	assert_true(options.enable_lifecycle);
	assert_int_equal(options.log_level, LEVEL_WARN);
	assert_int_equal(options.log_format, LOG_JSON);
	assert_string_equal(options.device, "/tmp/x");
	assert_string_equal(options.telemetry_path, "/metrics");
	options_free(&options);
}

static void test_command_line_overrides_file(void **state)
{
	static const char file[] = "web: {listen-address: ':1', enable-lifecycle: true}\n"
				   "log: {level: warn}\n";
	struct options options;
	char reason[OPTIONS_REASON_MAX];

	(void)state;
	assert_int_equal(read_with(&options, file, "--web.listen-address=:2", reason),
			 OPTIONS_RUN);
	assert_int_equal(options.nr_listen, 1);
	assert_string_equal(options.listen[0].port, "2");
	assert_int_equal(options.log_level, LEVEL_WARN);
	options_free(&options);
	assert_int_equal(read_with(&options, file, "--no-web.enable-lifecycle", reason),
			 OPTIONS_RUN);
	assert_string_equal(options.listen[0].port, "1");
	assert_false(options.enable_lifecycle);
	options_free(&options);
	assert_int_equal(read_with(&options, file, "--log.level=loud", reason),
			 OPTIONS_USAGE);
}

static const struct {
	const char *text, *reason;	/* behind the file's name */
} bad_files[] = {
	{ "log: {level: loud}\n", ":1: log.level: not debug, info, warn or error" },
	{ "\nlog:\n  levels: info\n", ":3: no such key: log.levels" },
	{ "web: {max-requests: -1}\n", ":1: web.max-requests: not a number" },
	{ "web: {listen-address: {a: b}}\n", ":1: a text is wanted here" },
	{ "web: {listen-address: [[':1']]}\n", ":1: a text is wanted here" },
	{ "device: [a]\n", ":1: a text is wanted here" },
	{ "config: {file: x}\n", ":1: no such key: config.file" },
	{ "config.check: true\n", ":1: no such key: config.check" },
	{ "version: true\n", ":1: no such key: version" },
	{ "web: &w\n  w: *w\n", "" },
	{ "a: [", ":2: did not find expected node content" },
	{ "- web\n", ":1: a mapping is wanted here" },
};

static void test_file_refused(void **state)
{
	struct options options;
	char reason[OPTIONS_REASON_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < NR(bad_files); i++) {
		assert_int_equal(read_with(&options, bad_files[i].text, NULL, reason),
				 OPTIONS_FILE_BAD);
		if (!strstr(reason, bad_files[i].reason))
			fail_msg("%s: %s", bad_files[i].text, reason);
	}
}

static void test_file_missing(void **state)
{
	char *argv[] = { (char *)"obsringd", (char *)"--config.file=/nonexistent/x", NULL };
	struct options options;
	char reason[OPTIONS_REASON_MAX];

	(void)state;
	assert_int_equal(options_read(&options, 2, argv, reason), OPTIONS_FILE_BAD);
	assert_string_equal(reason, "/nonexistent/x: No such file or directory");
}

/* ---- Refused ------------------------------------------------------------- */

static const char *const refused[] = {
	"--no-such-flag",
	"-x",
	"operand",
	"--device",
	"--device=",
	"--version=1",
	"--log.level=loud",
	"--log.level=",
	"--log.format=xml",
	"--web.telemetry-path=metrics",
	"--web.telemetry-path=",
	"--web.telemetry-path=/m?x",
	"--web.telemetry-path=/-/healthy",
	"--web.listen-address=",
	"--web.listen-address=localhost",
	"--web.listen-address=:",
	"--web.listen-address=:65536",
	"--web.listen-address=:http",
	"--web.listen-address=:-1",
	"--web.listen-address=::1:80",
	"--web.listen-address=[::1:80",
	"--web.listen-address=[]:80",
	"--web.listen-address=unix:",
	"--web.listen-address=unix:relative",
	("--web.listen-address=unix:/0123456789012345678901234567890123456789"
	 "01234567890123456789012345678901234567890123456789012345678901234567"),
	"--web.telemetry-path=/api/v1/status",
	"--web.telemetry-path=/health/live",
	"--web.max-requests=0",
	"--web.max-requests=-1",
	"--web.max-requests=1x",
	"--web.max-requests=99999999999999999999",
	"--web.max-connections=1000001",
	"--web.enable-lifecycle=yes",
	"--no-web.max-requests",
	"--no-web.enable-lifecycle=true",
};

static void test_refused(void **state)
{
	struct options options;
	size_t i;

	(void)state;
	for (i = 0; i < NR(refused); i++) {
		const char *args[ARGS_MAX] = { refused[i] };

		if (parse(&options, args) != 2)
			fail_msg("%s", refused[i]);
	}
}

static const struct {
	const char *text, *host, *port;
} addresses[] = {
	{ ":0", "", "0" },
	{ "127.0.0.1:80", "127.0.0.1", "80" },
	{ "[::1]:65535", "::1", "65535" },
	{ "[fe80::1%lo]:1", "fe80::1%lo", "1" },
	{ "localhost:10478", "localhost", "10478" },
	{ "unix.example:80", "unix.example", "80" },
};

static void test_addresses(void **state)
{
	struct listen_address address;
	size_t i;

	(void)state;
	for (i = 0; i < NR(addresses); i++) {
		assert_null(listen_parse(addresses[i].text, &address));
		assert_string_equal(address.host, addresses[i].host);
		assert_string_equal(address.port, addresses[i].port);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_several_addresses),
		cmocka_unit_test(test_too_many_addresses),
		cmocka_unit_test(test_switches),
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_command_line_overrides_file),
		cmocka_unit_test(test_file_refused),
		cmocka_unit_test(test_file_missing),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
