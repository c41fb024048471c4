// SPDX-License-Identifier: MIT
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "obsringctl/decimal.h"
#include "obsringctl/selector.h"

/* A selector, and what is read from it: "name|label=value|..." */
static const struct {
	const char *text, *read;
} good[] = {
	{ "a_total", "a_total" },
	{ "a_total{}", "a_total" },
	{ "a_total{x=\"1\"}", "a_total|x=1" },
	{ "a{x=\"1\",y=\"2\"}", "a|x=1|y=2" },
	{ "a{x=\"1\",y=\"2\",}", "a|x=1|y=2" },
	{ "a{ x = \"1\" , y=\"2\" } ", "a|x=1|y=2" },
	{ "a{x=\"\"}", "a|x=" },
	{ "a{x=\"q\\\"b\\\\n\\n{},=\"}", "a|x=q\"b\\n\n{},=" },
	{ "my.metric", "my.metric" },
	{ "größe in µm", "größe in µm" },
	{ "größe{ä=\"ö\"}", "größe|ä=ö" },
	{ "{\"my.metric\"}", "my.metric" },
	{ "{\"my.metric\",x=\"1\"}", "my.metric|x=1" },
	{ "{x=\"1\",\"my.metric\"}", "my.metric|x=1" },
	{ "{\"a{b\",\"x.y\"=\"1\"}", "a{b|x.y=1" },
};

static const char *const bad[] = {
	"", "{}", "{x=\"1\"}", "a{", "a{x", "a{x=", "a{x=1}", "a{x=\"1}", "a{x=\"1\"",
	"a{x=\"1\"}b", "a{x=\"1\" y=\"2\"}", "a{,}", "a{x=\"\\t\"}", "a{x=\"\\",
	"a{x!=\"1\"}", "a{x=~\"1\"}", "a{x=\"1\",x=\"2\"}", "a{\"b\"}", "{b}",
	"{\"\"}", "a}{", "a{=\"1\"}",
	"a{a=\"\",b=\"\",c=\"\",d=\"\",e=\"\",f=\"\",g=\"\",h=\"\",i=\"\"}",
};

static void test_good(void **state)
{
	struct selector s;
	const char *reason;
	char read[256];
	unsigned int k;
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(selector_parse(good[i].text, &s, &reason), 0);
		n = (size_t)snprintf(read, sizeof(read), "%s", s.name);
		for (k = 0; k < s.nr; k++)
			n += (size_t)snprintf(read + n, sizeof(read) - n, "|%s=%s",
					      s.match[k].label, s.match[k].value);
		assert_string_equal(read, good[i].read);
		selector_free(&s);
	}
}

static void test_bad(void **state)
{
	const char *reason;
	struct selector s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		reason = NULL;
		if (selector_parse(bad[i], &s, &reason) != -EINVAL)
			fail_msg("%s was accepted", bad[i]);
		assert_non_null(reason);
	}
}

static void test_matching(void **state)
{
	const struct obs_family_info family = {
		.nr_labels = 2, .label = (const char *[]){ "x", "y" } };
	const struct obs_series_info series = {
		.family = &family, .value = (const char *[]){ "1", "2" } };
	const char *reason, *value[2];
	struct selector s;

	(void)state;
	assert_int_equal(selector_parse("a{y=\"2\"}", &s, &reason), 0);
	assert_true(selector_matches(&s, &series));
	assert_null(selector_unknown_label(&s, &family));
	assert_string_equal(selector_values(&s, &family, value), "x");
	selector_free(&s);
	assert_int_equal(selector_parse("a{x=\"1\",y=\"3\"}", &s, &reason), 0);
	assert_false(selector_matches(&s, &series));
	assert_null(selector_values(&s, &family, value));
	assert_string_equal(value[0], "1");
	assert_string_equal(value[1], "3");
	selector_free(&s);
	assert_int_equal(selector_parse("a{z=\"\"}", &s, &reason), 0);
	assert_string_equal(selector_unknown_label(&s, &family), "z");
	assert_true(selector_matches(&s, &series));
	selector_free(&s);
}

static void test_decimal_format(void **state)
{
	static const struct {
		uint64_t value;
		int exp10;
		const char *text;
	} cases[] = {
		{ 0, 0, "0" }, { 0, -12, "0" }, { 1, 0, "1" }, { 1, -12, "0.000000000001" },
		{ 1234567, -9, "0.001234567" }, { 1500000000, -9, "1.5" },
		{ 1000000000, -9, "1" }, { 1, -1, "0.1" }, { 10, -1, "1" },
		{ 100, -3, "0.1" }, { 9007199254740993, 0, "9007199254740993" },
		{ 9007199254740993, -9, "9007199.254740993" },
		{ UINT64_MAX, 0, "18446744073709551615" },
		{ UINT64_MAX, -9, "18446744073.709551615" },
		{ UINT64_MAX, -12, "18446744.073709551615" },
	};
	char text[DECIMAL_SIZE];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(decimal_format(text, cases[i].value, cases[i].exp10),
				    cases[i].text);
	assert_string_equal(decimal_format_signed(text, -1, -3), "-0.001");
	assert_string_equal(decimal_format_signed(text, INT64_MIN, 0),
			    "-9223372036854775808");
	assert_string_equal(decimal_format_signed(text, INT64_MIN, -12),
			    "-9223372.036854775808");
	assert_string_equal(decimal_format_signed(text, INT64_MAX, -12),
			    "9223372.036854775807");
}

static void test_decimal_parse(void **state)
{
	static const struct {
		const char *text;
		int exp10, result;
		uint64_t value;
	} cases[] = {
		{ "0", 0, 0, 0 }, { "1", -9, 0, 1000000000 }, { "0.5", -9, 0, 500000000 },
		{ ".5", -1, 0, 5 }, { "5.", 0, 0, 5 }, { "+5", 0, 0, 5 },
		{ "5.000", 0, 0, 5 }, { "-1.25", -2, 0, (uint64_t)-125 },
		{ "18446744073709551615", 0, 0, UINT64_MAX },
		{ "18446744073.709551615", -9, 0, UINT64_MAX },
		{ "-9223372036854775808", 0, 0, 1ULL << 63 },
		{ "18446744073709551616", 0, -ERANGE, 0 },
		{ "-9223372036854775809", 0, -ERANGE, 0 },
		{ "1.5", 0, -ERANGE, 0 }, { "0.0000000001", -9, -ERANGE, 0 },
		{ "99999999999", -12, -ERANGE, 0 },
		{ "", 0, -EINVAL, 0 }, { "-", 0, -EINVAL, 0 }, { ".", 0, -EINVAL, 0 },
		{ "1.2.3", -9, -EINVAL, 0 },
		{ "1e3", 0, 0, 1000 }, { "1e+06", -3, 0, 1000000000 },
		{ "1.25E2", 0, 0, 125 }, { "1500e-2", 0, 0, 15 },
		{ "1.5e-05", -9, 0, 15000 }, { "-2.5e0", -1, 0, (uint64_t)-25 },
		{ "0e99999999999999999999", 0, 0, 0 }, { "0.000e-1001", 0, 0, 0 },
		{ "00000000000000000000000007", 0, 0, 7 },
		{ "700000000000000000000000e-23", 0, 0, 7 },
		{ "0.00000000000000000000007e23", 0, 0, 7 },
		{ "1.8446744073709551615e19", 0, 0, UINT64_MAX },
		{ "1.8446744073709551616e19", 0, -ERANGE, 0 },
		{ "1e20", 0, -ERANGE, 0 }, { "1e-1", 0, -ERANGE, 0 },
		{ "15e-1", 0, -ERANGE, 0 }, { "1e1001", 0, -ERANGE, 0 },
		{ "1e-99999999999999999999", 0, -ERANGE, 0 },
		{ "184467440737095516160e-20", 0, -ERANGE, 0 },
		{ "e5", 0, -EINVAL, 0 }, { "1e", 0, -EINVAL, 0 }, { "1e+", 0, -EINVAL, 0 },
		{ "1e5.", 0, -EINVAL, 0 }, { "1e 5", 0, -EINVAL, 0 },
		{ "1e5e5", 0, -EINVAL, 0 }, { ".e5", 0, -EINVAL, 0 },
		{ " 1", 0, -EINVAL, 0 }, { "0x10", 0, -EINVAL, 0 },
	};
	uint64_t value;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		value = 0;
		if (decimal_parse(cases[i].text, cases[i].exp10, &value) !=
		    cases[i].result || value != cases[i].value)
			fail_msg("\"%s\" was read as %llu", cases[i].text,
				 (unsigned long long)value);
	}
}

static void test_double_format(void **state)
{
	static const struct {
		double value;
		const char *text;
	} cases[] = {
		{ 0x1p-20, "9.5367431640625e-07" }, { 0x1p-10, "0.0009765625" },
		{ 0x1p-40, "9.094947017729282e-13" }, { 0x1p40, "1.099511627776e+12" },
		{ 0.005, "0.005" }, { 0.1, "0.1" }, { 1, "1" }, { 10, "10" },
		{ 2.5, "2.5" }, { 100000, "100000" }, { 999999.5, "999999.5" },
		{ 1000000, "1e+06" }, { 123456789, "1.23456789e+08" }, { 1e21, "1e+21" },
		{ 0.0001, "0.0001" }, { 0.00001, "1e-05" }, { 0, "0" },
		{ 1.0 / 0.0, "+Inf" },
	};
	char text[DECIMAL_SIZE];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(double_format(text, cases[i].value), cases[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_matching),
		cmocka_unit_test(test_decimal_format),
		cmocka_unit_test(test_decimal_parse),
		cmocka_unit_test(test_double_format),
	};

	return cmocka_run_group_tests_name("selector", tests, NULL, NULL);
}
