// SPDX-License-Identifier: MIT
/* Sampling rules, what they are about and when, as text. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "obsringctl/instant.h"
#include "obsringctl/rule.h"
#include "obsringctl/sample.h"

#define ONE	OBSRING_THRESHOLD_ONE

/* Text, what it means, and how that is shown; NULL: as it was given. */
static const struct {
	const char *text;
	enum obsring_rule rule;
	uint64_t value;
	const char *shown;
} rules[] = {
	{ "keep", OBSRING_RULE_KEEP, 0, NULL },
	{ "drop", OBSRING_RULE_DROP, 0, NULL },
	{ "1:1", OBSRING_RULE_ONE_IN, 1, NULL },
	{ "1:4294967296", OBSRING_RULE_ONE_IN, 1ULL << 32, NULL },
	{ "50%", OBSRING_RULE_PROBABILITY, ONE / 2, NULL },
	{ "100%", OBSRING_RULE_PROBABILITY, 0, NULL },
	{ "10%", OBSRING_RULE_PROBABILITY, ONE - 7205759403792794, NULL },
	{ "0.05", OBSRING_RULE_PROBABILITY, ONE - 3602879701896397, "5%" },
	{ "0.5%", OBSRING_RULE_PROBABILITY, ONE - 360287970189640, NULL },
	{ "1.0", OBSRING_RULE_PROBABILITY, 0, "100%" },
	{ "33.3333333%", OBSRING_RULE_PROBABILITY, ONE - 24019197988623447, NULL },
	{ "0.0000000000000014%", OBSRING_RULE_PROBABILITY, ONE - 1,
	  "0.000000000000001%" },
	{ "trace:25%", OBSRING_RULE_TRACE, ONE / 4 * 3, NULL },
	{ "trace:0.25", OBSRING_RULE_TRACE, ONE / 4 * 3, "trace:25%" },
	{ "1/s", OBSRING_RULE_RATE, 1, NULL },
	{ "1000000000/s", OBSRING_RULE_RATE, 1000000000, NULL },
	{ "target:20/s", OBSRING_RULE_TARGET, 20, NULL },
};

static void test_rules(void **state)
{
	char text[RULE_SIZE];
	enum obsring_rule rule;
	uint64_t value;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (rule_parse(rules[i].text, &rule, &value))
			fail_msg("%s", rules[i].text);
		assert_int_equal(rule, rules[i].rule);
		if (value != rules[i].value)
			fail_msg("%s: %llu", rules[i].text, (unsigned long long)value);
		assert_string_equal(rule_format(text, rule, value),
				    rules[i].shown ? rules[i].shown : rules[i].text);
	}
}

/* Any threshold is shown so that it reads back. */
static void test_every_threshold_reads_back(void **state)
{
	uint64_t threshold, value, bit;
	char text[RULE_SIZE];
	enum obsring_rule rule;

	(void)state;
	for (bit = 1; bit < ONE; bit *= 2)
		for (threshold = bit - 1; threshold <= bit + 1 && threshold < ONE;
		     threshold++) {
			rule_format(text, OBSRING_RULE_PROBABILITY, threshold);
			if (rule_parse(text, &rule, &value) || value != threshold)
				fail_msg("%llu is %s", (unsigned long long)threshold, text);
			rule_format(text, OBSRING_RULE_PROBABILITY, ONE - 1 - threshold);
			if (rule_parse(text, &rule, &value) ||
			    value != ONE - 1 - threshold)
				fail_msg("2^56 - 1 - %llu is %s",
					 (unsigned long long)threshold, text);
		}
}

static void test_no_rules(void **state)
{
	static const struct {
		const char *text;
		int error;
	} bad[] = {
		{ "", -EINVAL }, { "all", -EINVAL }, { "keep ", -EINVAL },
		{ "1:", -EINVAL }, { "1:0", -ERANGE }, { "1:4294967297", -ERANGE },
		{ "1:-5", -EINVAL }, { "1:99999999999999999999", -ERANGE },
		{ "2:5", -EINVAL }, { "5", -EINVAL }, { "%", -EINVAL }, { ".", -EINVAL },
		{ "0%", -ERANGE }, { "0.0", -ERANGE }, { "100.1%", -ERANGE },
		{ "1.5", -ERANGE }, { "-5%", -ERANGE }, { "5 %", -EINVAL },
		{ "0.00000000000000001%", -ERANGE }, { "trace:5", -EINVAL },
		{ "trace:", -EINVAL }, { "trace:0%", -ERANGE }, { "/s", -EINVAL },
		{ "0/s", -ERANGE }, { "1.5/s", -ERANGE }, { "1000000001/s", -ERANGE },
		{ "5/m", -EINVAL }, { "target:5", -EINVAL }, { "target:0/s", -ERANGE },
	};
	enum obsring_rule rule = 77;
	uint64_t value = 77;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (rule_parse(bad[i].text, &rule, &value) != bad[i].error)
			fail_msg("\"%s\"", bad[i].text);
	assert_int_equal(rule, 77);
	assert_int_equal(value, 77);
}

static void test_targets(void **state)
{
	static const struct {
		const char *text, *source;
		int level;
	} cases[] = {
		{ "disk", "disk", OBS_SAMPLE_NO_LEVEL },
		{ "disk:err", "disk", 3 }, { "disk:7", "disk", 7 },
		{ "*:debug", "*", 7 }, { "user.a:b", "user.a:b", OBS_SAMPLE_NO_LEVEL },
		{ "a:err:", "a:err", OBS_SAMPLE_NO_LEVEL }, { "a::4", "a:", 4 },
		{ "disk:8", "disk:8", OBS_SAMPLE_NO_LEVEL },
	};
	struct obs_sample_info sample;
	char name[OBSRING_NAME_MAX + 2];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(rule_target_parse(cases[i].text, &sample), 0);
		assert_string_equal(sample.source, cases[i].source);
		assert_int_equal(sample.level, cases[i].level);
	}
	assert_int_equal(rule_target_parse("", &sample), -EINVAL);
	assert_int_equal(rule_target_parse(":err", &sample), -EINVAL);
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = 0;
	assert_int_equal(rule_target_parse(name, &sample), -ENAMETOOLONG);
}

static void test_instants(void **state)
{
	static const struct {
		const char *text;
		int result;
		uint64_t ns;
	} cases[] = {
		{ "1970-01-01T00:00:00Z", 0, 0 },
		{ "2026-11-22T16:14:17Z", 0, 1795364057000000000 },
		{ "2026-11-22T16:14:17.123456789Z", 0, 1795364057123456789 },
		{ "@1795364057.5", 0, 1795364057500000000 },
		{ "+2.5", 0, 1002500000000 }, { "+0", 0, 1000000000000 },
		{ "2026-11-22T16:14:17", -EINVAL, 0 }, { "2026-11-22", -EINVAL, 0 },
		{ "2026-04-31T00:00:00Z", -EINVAL, 0 },
		{ "2026-11-22T16:14:17.Z", -EINVAL, 0 },
		{ "2026-11-22T16:14:17,5Z", -EINVAL, 0 },
		{ "2026-11-22T16:14:60Z", -EINVAL, 0 },
		{ "2026-11-22T16:14:17.1234567891Z", -ERANGE, 0 },
		{ "", -EINVAL, 0 }, { "@", -EINVAL, 0 }, { "@-1", -EINVAL, 0 },
		{ "+x", -EINVAL, 0 }, { "now", -EINVAL, 0 },
		{ "1969-12-31T23:59:58Z", -ERANGE, 0 },
		{ "2262-01-01T00:00:00Z", -ERANGE, 0 },
		{ "@9223372037", -ERANGE, 0 }, { "+9223372036", -ERANGE, 0 },
	};
	char text[INSTANT_SIZE];
	uint64_t ns;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ns = 0;
		if (instant_parse(cases[i].text, 1000000000000, &ns) != cases[i].result ||
		    ns != cases[i].ns)
			fail_msg("\"%s\": %llu", cases[i].text, (unsigned long long)ns);
	}
	assert_string_equal(instant_format(text, 1795364057123456789),
			    "2026-11-22T16:14:17.123456789Z");
}

static void test_shown(void **state)
{
	struct obs_sample_info sample = {
		.source = "user.shop\x1b", .level = OBS_SAMPLE_NO_LEVEL,
		.rule = OBSRING_RULE_ONE_IN, .value = 100,
	};
	char text[1024] = "";
	struct json json = { .out = fmemopen(text, sizeof(text), "w") };

	(void)state;
	sample_line(&sample, json.out);
	sample.level = 7;
	sample.rule = OBSRING_RULE_UNSPEC;
	sample.id = 5;
	sample.at_ns = 1795364057000000000;
	sample_line(&sample, json.out);
	strcpy(sample.source, "disk");
	sample_json(&sample, &json);
	fclose(json.out);
	if (!strstr(text, "shop") || strchr(text, '\x1b'))
		fail_msg("%s", text);
	assert_non_null(strstr(text, "  1:100\n"));
	assert_non_null(strstr(text, ":debug  none  at 2026-11-22T16:14:17.000000000Z, command 5\n"));
	assert_non_null(strstr(text, "\"source\": \"disk\""));
	assert_non_null(strstr(text, "\"level\": \"debug\""));
	assert_non_null(strstr(text, "\"command\": 5"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_every_threshold_reads_back),
		cmocka_unit_test(test_no_rules),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_instants),
		cmocka_unit_test(test_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
