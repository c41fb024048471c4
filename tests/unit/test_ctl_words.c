// SPDX-License-Identifier: MIT
/* Words of obsringctl's command line, and what becomes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "obsringctl/duration.h"
#include "obsringctl/family.h"
#include "obsringctl/obsringctl.h"
#include "obsringctl/probe.h"
#include "obsringctl/scale.h"
#include "obsringctl/since.h"

static void test_probe_words(void **state)
{
	static const struct {
		const char *type, *as, *kind;
		enum obsring_kind result;
	} cases[] = {
		{ "kretprobe", "vfs_read_seconds", NULL, OBSRING_KIND_UNSPEC },
		{ "kretprobe", "vfs_reads_total", "counter", OBSRING_KIND_COUNTER },
		{ "kretprobe", "vfs_reads_total", NULL, OBSRING_KIND_COUNTER },
		{ "kretprobe", "vfs_reads_total", "histogram", OBSRING_KIND_HISTOGRAM },
		{ "kretprobe", "vfs_read", NULL, OBSRING_KIND_UNSPEC },
		{ "kretprobe", "vfs_read_seconds", "counter", OBSRING_KIND_COUNTER },
		{ "kretprobe", "vfs_read", "histogram", OBSRING_KIND_HISTOGRAM },
		{ "kprobe", "vfs_read_seconds", NULL, OBSRING_KIND_UNSPEC },
		{ "kprobe", "vfs_reads_total", "counter", OBSRING_KIND_COUNTER },
		{ "tracepoint", "switches_total", NULL, OBSRING_KIND_COUNTER },
		{ "tracepoint", "switches", NULL, OBSRING_KIND_UNSPEC },
	};
	struct obs_probe_info probe;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *words[] = { (char *)cases[i].type, "target" };
		const struct probe_options options = {
			.as = cases[i].as, .kind = cases[i].kind, .sample = "16" };

		assert_int_equal(probe_from_words(ctl_commands, 2, words, &options,
						  &probe), 0);
		assert_int_equal(probe.kind, cases[i].result);
		assert_int_equal(probe.sample, 16);
		assert_string_equal(probe_type_name(probe.type), cases[i].type);
	}
}

/* What a probe is shown as, in a line and as JSON. */
static void test_probe_shown(void **state)
{
	struct obs_probe_info probe = {
		.name = "sent_total", .type = OBSRING_PROBE_KPROBE, .target = "dummy_xmit",
		.kind = OBSRING_KIND_COUNTER, .sample = 2, .hits = 5, .missed = 1 };
	char output[1024];
	struct json json = { .out = fmemopen(output, sizeof(output), "w") };

	(void)state;
	assert_non_null(json.out);
	probe_line(&probe, json.out);
	strcpy(probe.reason, "went away");
	probe_line(&probe, json.out);
	probe_json(&probe, &json);
	fclose(json.out);
	assert_string_equal(output,
		"sent_total  kprobe dummy_xmit  counter  1:2  5 hits, 1 missed\n"
		"sent_total  kprobe dummy_xmit  counter  1:2  5 hits, 1 missed  "
		"gone (went away)\n"
		"{\"name\": \"sent_total\", \"type\": \"kprobe\", "
		"\"target\": \"dummy_xmit\", \"kind\": \"counter\", \"sample\": 2, "
		"\"hits\": 5, \"missed\": 1, \"gone\": true, "
		"\"reason\": \"went away\"}\n");
}

#define NOW	1795364057123456789ULL	/* 2026-11-22T16:14:17.123456789Z */
#define NO_TIME	UINT64_MAX

static const struct {
	const char *text;
	uint64_t ns;
} times[] = {
	{ "0s", NOW },
	{ "10m", NOW - 600000000000ULL },
	{ "2h", NOW - 7200000000000ULL },
	{ "1.5h", NOW - 5400000000000ULL },
	{ "1d2h3m4.000000005s", NOW - 93784000000005ULL },
	{ "100000d", 0 },
	{ "@1795364057.123456789", NOW },
	{ "@0", 0 },
	{ "@18446744073", 18446744073000000000ULL },
	{ "2026-11-22T16:14:17.123456789Z", NOW },
	{ "2026-11-22 16:14:17.123456789z", NOW },
	{ "2026-11-22t17:44:17.123456789+01:30", NOW },
	{ "2026-11-22T15:14:17.123456789-01:00", NOW },
	{ "2026-11-22T16:14:17Z", NOW - 123456789 },
	{ "2024-02-29T00:00:00Z", 1709164800000000000ULL },
	{ "1969-12-31T23:59:59.5Z", 0 },
	{ "", NO_TIME },
	{ "10", NO_TIME },
	{ "m", NO_TIME },
	{ "-5m", NO_TIME },
	{ "1.2.3s", NO_TIME },
	{ "5m ", NO_TIME },
	{ "10M", NO_TIME },
	{ "99999999999999999999s", NO_TIME },
	{ "999999999999d", NO_TIME },
	{ "@", NO_TIME },
	{ "@-1", NO_TIME },
	{ "@18446744074", NO_TIME },
	{ "@1x", NO_TIME },
	{ "2026-11-22T16:14:17", NO_TIME },
	{ "2026-11-22", NO_TIME },
	{ "2026-11-22T16:14Z", NO_TIME },
	{ "2026-11-22T16:14:17.Z", NO_TIME },
	{ "2026-11-22T16:14:17.5.5Z", NO_TIME },
	{ "2026-11-22T16:14:17+0100", NO_TIME },
	{ "2026-11-22T16:14:17+24:00", NO_TIME },
	{ "2026-11-22T16:14:17Zx", NO_TIME },
	{ "2023-02-29T00:00:00Z", NO_TIME },
	{ "2026-13-01T00:00:00Z", NO_TIME },
	{ "2026-00-01T00:00:00Z", NO_TIME },
	{ "2026-01-01T24:00:00Z", NO_TIME },
	{ "9999-01-01T00:00:00Z", NO_TIME },
};

static void test_since(void **state)
{
	uint64_t ns;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		ns = NO_TIME;
		if (since_parse(times[i].text, NOW, &ns))
			assert_int_equal(ns, NO_TIME);
		if (ns != times[i].ns)
			fail_msg("%s: %llu", times[i].text, (unsigned long long)ns);
	}
}

static void test_family_options(void **state)
{
	struct family_options options = {
		.kind = "histogram", .exp10 = "-9", .bounds = "0.005,0.1,2.5",
		.label = { 1, { "op" } } };
	uint64_t bound[OBSRING_BOUNDS_MAX];
	struct obs_family_spec spec;

	(void)state;
	assert_int_equal(family_from_options(ctl_commands, "x", &options, bound, &spec),
			 0);
	assert_int_equal(spec.nr_bounds, 3);
	assert_int_equal(spec.bound[0], 5000000);
	assert_int_equal(spec.bound[2], 2500000000);
	assert_int_equal(spec.nr_labels, 1);
	options = (struct family_options){
		.kind = "histogram", .exp10 = "-9", .min_log2 = "-20", .max_log2 = "4" };
	assert_int_equal(family_from_options(ctl_commands, "x", &options, bound, &spec),
			 0);
	assert_int_equal(spec.nr_bounds, 0);
	assert_int_equal(spec.schema, 3);
	assert_int_equal(spec.min_log2, -20);
}

static void test_scale(void **state)
{
	static const struct {
		const char *name, *unit, *exp10;
	} cases[] = {
		{ "backup_duration_seconds", "seconds", "-9" },
		{ "cpu_seconds_total", "seconds", "-9" },
		{ "hit_ratio", "ratio", "-9" },
		{ "room_celsius", "celsius", "-6" },
		{ "sent_bytes_total", "bytes", "0" },
		{ "seconds", NULL, "0" },
		{ "seconds_total", NULL, "0" },
		{ "milliseconds", NULL, "0" },
		{ "seconds_left", NULL, "0" },
		{ "_total", NULL, "0" },
		{ "", NULL, "0" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *unit = scale_unit_of_name(cases[i].name);

		if (cases[i].unit)
			assert_string_equal(unit, cases[i].unit);
		else
			assert_null(unit);
		assert_string_equal(scale_exp10(unit), cases[i].exp10);
	}
	assert_string_equal(scale_exp10("fortnights"), "0");
}

static void test_duration(void **state)
{
	static const struct {
		uint64_t seconds;
		const char *text;
	} cases[] = {
		{ 0, "0s" }, { 1, "1s" }, { 60, "1m" }, { 90, "1m30s" }, { 3600, "1h" },
		{ 604800, "7d" }, { 93784, "1d2h3m4s" }, { UINT32_MAX, "49710d6h28m15s" },
	};
	char text[DURATION_SIZE];
	uint64_t ns;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_string_equal(duration_format(text, cases[i].seconds), cases[i].text);
		assert_int_equal(duration_parse(cases[i].text, &ns), 0);
		assert_int_equal(ns, cases[i].seconds * 1000000000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_probe_words),
		cmocka_unit_test(test_probe_shown),
		cmocka_unit_test(test_since),
		cmocka_unit_test(test_family_options),
		cmocka_unit_test(test_scale),
		cmocka_unit_test(test_duration),
	};

	return cmocka_run_group_tests_name("obsringctl words", tests, NULL, NULL);
}
