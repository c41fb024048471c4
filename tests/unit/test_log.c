// SPDX-License-Identifier: MIT
/* The daemon's log: no value can forge a field or a line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "obsringd/log.h"

static char line[8192];
static int saved_stderr, pipe_fd[2];

static void capture(void)
{
	assert_int_equal(pipe(pipe_fd), 0);
	saved_stderr = dup(STDERR_FILENO);
	dup2(pipe_fd[1], STDERR_FILENO);
	close(pipe_fd[1]);
}

/* What was logged since capture(), without its time stamp's digits. */
static void release(void)
{
	ssize_t len;

	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	len = read(pipe_fd[0], line, sizeof(line) - 1);
	close(pipe_fd[0]);
	line[len > 0 ? len : 0] = '\0';
}

static void test_logfmt(void **state)
{
	(void)state;
	log_setup(LEVEL_INFO, LOG_LOGFMT);
	capture();
	log_event(LEVEL_WARN, "two words", "plain", "a/b:c", "forged",
		  "x\nlevel=error y=\"z\"\\", "empty", "", "latin", "\xe9",
		  "utf", "h\xc3\xa9", NULL);
	release();
	assert_memory_equal(line, "ts=2", 4);
	assert_string_equal(strchr(line, ' '),
			    " level=warn msg=\"two words\" plain=a/b:c "
			    "forged=\"x\\nlevel=error y=\\\"z\\\"\\\\\" empty=\"\" "
			    "latin=\"\\ufffd\" utf=\"h\xc3\xa9\"\n");
}

static void test_json(void **state)
{
	(void)state;
	log_setup(LEVEL_INFO, LOG_JSON);
	capture();
	log_event(LEVEL_ERROR, "it", "key", "a\"b\x01\xc2\x85", NULL);
	release();
	assert_memory_equal(line, "{\"ts\":\"2", 8);
	assert_string_equal(strchr(line, ',') + 1,
			    "\"level\":\"error\",\"msg\":\"it\","
			    "\"key\":\"a\\\"b\\u0001\\u0085\"}\n");
}

static void test_level(void **state)
{
	(void)state;
	log_setup(LEVEL_WARN, LOG_LOGFMT);
	capture();
	log_event(LEVEL_INFO, "quiet", NULL);
	release();
	assert_string_equal(line, "");
}

static void check_long(enum log_format format, const char *end)
{
	static char value[6000];

	memset(value, 'x', sizeof(value) - 1);
	log_setup(LEVEL_INFO, format);
	capture();
	log_event(LEVEL_INFO, "long", "first", value, "second", value, NULL);
	release();
	assert_true(strlen(line) <= 4096);
	assert_string_equal(line + strlen(line) - strlen(end), end);
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void test_too_long_is_cut(void **state)
{
	(void)state;
	check_long(LOG_LOGFMT, "x\"\n");
	check_long(LOG_JSON, "x\"}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_logfmt),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_level),
		cmocka_unit_test(test_too_long_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
