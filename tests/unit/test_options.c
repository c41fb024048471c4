// SPDX-License-Identifier: MIT
/* The daemon's command line: what is taken, and what is refused with status 2. */
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
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
	assert_string_equal(options.listen_text, ":10478");
	assert_string_equal(options.listen.host, "");
	assert_string_equal(options.listen.port, "10478");
	assert_string_equal(options.telemetry_path, "/metrics");
	assert_string_equal(options.device, "/dev/obsring");
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
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
