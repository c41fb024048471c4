// SPDX-License-Identifier: MIT
/* Names under each escaping scheme, as the schemes' description has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "obsringd/escape.h"

#define NR(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *name;
	bool colon;
	const char *escaped[ESCAPE_NR];	/* underscores, dots, values, none */
} cases[] = {
	{ "a", true, { "a", "a", "a", "a" } },
	{ "http_requests:rate5m", true,
	  { "http_requests:rate5m", "http__requests:rate5m",
	    "http_requests:rate5m", "http_requests:rate5m" } },
	{ "http.requests", true,
	  { "http_requests", "http_dot_requests", "U__http_2e_requests",
	    "http.requests" } },
	{ "my_label.value", false,
	  { "my_label_value", "my__label_dot_value", "U__my__label_2e_value",
	    "my_label.value" } },
	{ "0day", true, { "_day", "__day", "U___30_day", "0day" } },
	{ "a:b", false, { "a_b", "a__b", "U__a_3a_b", "a:b" } },
	{ "no space", true,
	  { "no_space", "no__space", "U__no_20_space", "no space" } },
	{ "b\xc3\xa4nk", true,
	  { "b_nk", "b__nk", "U__b_e4_nk", "b\xc3\xa4nk" } },
	{ "\xe2\x82\xac", false, { "_", "__", "U___20ac_", "\xe2\x82\xac" } },
	{ "\xf0\x9f\x90\xa7", true,
	  { "_", "__", "U___1f427_", "\xf0\x9f\x90\xa7" } },
};

static void test_escape(void **state)
{
	char escaped[ESCAPED_NAME_MAX + 1];
	size_t i;
	int id;

	(void)state;
	for (i = 0; i < NR(cases); i++) {
		for (id = 0; id < ESCAPE_NR; id++) {
			escape_name(id, cases[i].name, cases[i].colon, escaped);
			assert_string_equal(escaped, cases[i].escaped[id]);
			if (id != ESCAPE_NONE)
				assert_true(escape_classic(escaped, cases[i].colon));
		}
	}
}

/* The sanitizers see to it that there is room. */
static void test_longest(void **state)
{
	static const char fill[] = { '.', '_', '-', 'a' };
	char name[OBSRING_NAME_MAX + 1], escaped[ESCAPED_NAME_MAX + 1];
	size_t i;
	int id;

	(void)state;
	for (i = 0; i < NR(fill); i++) {
		memset(name, fill[i], OBSRING_NAME_MAX);
		name[OBSRING_NAME_MAX] = '\0';
		for (id = 0; id < ESCAPE_NR; id++)
			escape_name(id, name, true, escaped);
	}
	memset(name, '.', OBSRING_NAME_MAX);
	escape_name(ESCAPE_DOTS, name, true, escaped);
	assert_int_equal(strlen(escaped), 5 * OBSRING_NAME_MAX);
}

static void test_classic(void **state)
{
	(void)state;
	assert_true(escape_classic("a_b:c9", true));
	assert_false(escape_classic("a_b:c9", false));
	assert_false(escape_classic("9a", true));
	assert_false(escape_classic("", true));
	assert_false(escape_classic("\xc3\xa4", true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_classic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
