// SPDX-License-Identifier: MIT
/* The JSON behind the page, of a segment: series, CPUs, the log, and bad requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "obsringd/api.h"
#include "obsringd/log.h"
#include "segment.h"

#define TRACE "00112233445566778899aabbccddeeff"

static const char *const label[] = { "op" };

/* ---- Asking -------------------------------------------------------------- */

struct fixture {
	struct segment *segment;
	struct collector collector;
	int epoll;
	struct text json;
};

static void fixture_init(struct fixture *f, const struct segment_spec *spec)
{
	memset(f, 0, sizeof(*f));
	log_setup(LEVEL_ERROR, LOG_LOGFMT);
	f->segment = segment_new(spec);
	f->epoll = epoll_create1(EPOLL_CLOEXEC);
	collector_init(&f->collector, segment_path(f->segment), f->epoll);
}

static void fixture_exit(struct fixture *f)
{
	collector_exit(&f->collector);
	close(f->epoll);
	segment_free(f->segment);
	text_free(&f->json);
}

/* @arguments: "key=value&key=value", or "". */
static enum request_status ask(struct fixture *f, api_fn *api, const char *arguments)
{
	char *copy = strdup(arguments), *rest = copy, *argument, *value;
	struct query query = { .problem = NULL };
	enum request_status status;

	while ((argument = strsep(&rest, "&"))) {
		value = strchr(argument, '=');
		if (value)
			*value++ = '\0';
		query_add(&query, argument, value);
	}
	text_clear(&f->json);
	status = api(&f->collector, &query, &f->json);
	text_put(&f->json, "", 1);
	assert_false(text_failed(&f->json));
	free(copy);
	return status;
}

static void has(const struct fixture *f, const char *string)
{
	if (!strstr(f->json.data, string))
		fail_msg("no %s in:\n%s", string, f->json.data);
}

static void lacks(const struct fixture *f, const char *string)
{
	if (strstr(f->json.data, string))
		fail_msg("%s in:\n%s", string, f->json.data);
}

static uint32_t add_family(struct fixture *f, const char *name, enum obsring_kind kind)
{
	return segment_family_add(f->segment, &(struct obs_family_spec){
		.name = name, .help = "Help.", .kind = kind, .nr_labels = 1, .label = label });
}

static uint32_t add(struct fixture *f, uint32_t family, const char *value)
{
	return segment_series_add(f->segment, family, &value);
}

/* ---- Series -------------------------------------------------------------- */

static void test_series(void **state)
{
	struct fixture f;
	uint32_t family, series;

	(void)state;
	fixture_init(&f, NULL);
	family = add_family(&f, "work_total", OBSRING_KIND_COUNTER);
	series = add(&f, family, "<script>\"\\\n\xc2\x85");
	*segment_slot(f.segment, series, 0) = UINT64_MAX - 1;
	*segment_slot(f.segment, series, 3) = 1;
	family = segment_family_add(f.segment, &(struct obs_family_spec){
		.name = "heat_celsius", .unit = "celsius", .exp10 = -3,
		.kind = OBSRING_KIND_GAUGE });
	*segment_slot(f.segment, segment_series_add(f.segment, family, NULL), 0) =
		(uint64_t)-1500;
	assert_int_equal(ask(&f, api_series, ""), REQUEST_OK);
	has(&f, "{\"status\":\"success\",\"data\":{\"time\":");
	has(&f, "{\"name\":\"work_total\",\"kind\":\"counter\",\"help\":\"Help.\","
	    "\"unit\":\"\",\"labels\":[\"op\"],\"series\":[{\"id\":0,\"gen\":1,\"labels\":["
	    "\"<script>\\\"\\\\\\u000a\\u0085\"],\"value\":\"18446744073709551615\"}]}");
	has(&f, "\"value\":\"-1.5\"}]}],\"total\":2}}\n");
	fixture_exit(&f);
}

static void test_histogram(void **state)
{
	static const uint64_t bound[] = { 1000, 250000, 1000000 };
	struct fixture f;
	uint64_t *slot;
	uint32_t family;

	(void)state;
	fixture_init(&f, NULL);
	family = segment_family_add(f.segment, &(struct obs_family_spec){
		.name = "wait_seconds", .kind = OBSRING_KIND_HISTOGRAM, .exp10 = -6,
		.bound = bound, .nr_bounds = 3 });
	slot = segment_slot(f.segment, segment_series_add(f.segment, family, NULL), 2);
	slot[0] = 1250001;
	slot[2] = 5;
	slot[4] = 1;
	assert_int_equal(ask(&f, api_series, ""), REQUEST_OK);
	has(&f, "\"bounds\":[0.001,0.25,1],");
	has(&f, "\"count\":\"6\",\"sum\":\"1.250001\",\"buckets\":[[1,5],[3,1]]}");
	fixture_exit(&f);
}

static void test_search(void **state)
{
	static const struct {
		const char *arguments;
		const char *total;
		const char *has, *lacks;
	} cases[] = {
		{ "search=WORK", "\"total\":3}", "work_total", "other" },
		{ "search=work+x", "\"total\":0}", "[]", "work" },
		{ "search=wor 2", "\"total\":1}", "[\"w2\"]", "[\"w1\"]" },
		{ "search=op  ", "\"total\":4}", "[\"w1\"]", "nothing" },
		{ "kind=gauge", "\"total\":1}", "other", "work" },
		{ "kind=tree", "\"total\":0}", "[]", "work" },
		{ "limit=2", "\"total\":4}", "[\"w1\"]", "[\"w2\"]" },
		{ "limit=1&offset=2", "\"total\":4}", "[\"w2\"]", "[\"w1\"]" },
		{ "offset=18446744073709551615", "\"total\":4}", "[]", "work" },
		{ "search=&limit=&other=1", "\"total\":4}", "[\"w0\"]", "nothing" },
	};
	struct fixture f;
	uint32_t family;
	size_t i;

	(void)state;
	fixture_init(&f, NULL);
	family = add_family(&f, "work_total", OBSRING_KIND_COUNTER);
	add(&f, family, "w0");
	add(&f, family, "w1");
	add(&f, family, "w2");
	add(&f, add_family(&f, "other", OBSRING_KIND_GAUGE), "o");
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(ask(&f, api_series, cases[i].arguments), REQUEST_OK);
		has(&f, cases[i].total);
		has(&f, cases[i].has);
		lacks(&f, cases[i].lacks);
	}
	fixture_exit(&f);
}

/* As in /metrics, an overflow series is there once it holds something. */
static void test_overflow(void **state)
{
	const char *overflow = "_overflow";
	struct fixture f;
	uint32_t series;

	(void)state;
	fixture_init(&f, NULL);
	series = segment_series_add_as(f.segment,
				       add_family(&f, "work_total", OBSRING_KIND_COUNTER),
				       &overflow, OBSRING_SERIES_OVERFLOW, 1);
	assert_int_equal(ask(&f, api_series, ""), REQUEST_OK);
	has(&f, "\"families\":[],\"total\":0}");
	*segment_slot(f.segment, series, 0) = 1;
	assert_int_equal(ask(&f, api_series, ""), REQUEST_OK);
	has(&f, "\"overflow\":true,\"value\":\"1\"");
	fixture_exit(&f);
}

static void test_cpus(void **state)
{
	struct fixture f;
	uint32_t family, series;

	(void)state;
	fixture_init(&f, &(struct segment_spec){ .nr_cpus = 3, .cpus_absent = 2 });
	family = add_family(&f, "work_total", OBSRING_KIND_COUNTER);
	series = add(&f, family, "a");
	*segment_slot(f.segment, series, 0) = 7;
	*segment_slot(f.segment, series, 2) = 9;
	assert_int_equal(ask(&f, api_series_cpu, "id=0&gen=1"), REQUEST_OK);
	has(&f, "\"name\":\"work_total\",\"cpus\":[{\"cpu\":0,\"value\":\"7\"},"
	    "{\"cpu\":2,\"value\":\"9\"}]}}");
	assert_int_equal(ask(&f, api_series_cpu, "id=0&gen=2"), REQUEST_NOT_FOUND);
	has(&f, "{\"status\":\"error\",\"error\":\"there is no such series, or no more\"}\n");
	segment_series_remove(f.segment, series);
	assert_int_equal(ask(&f, api_series_cpu, "id=0&gen=1"), REQUEST_NOT_FOUND);
	fixture_exit(&f);
}

/* ---- The log ------------------------------------------------------------- */

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static void write_log(struct fixture *f, uint32_t cpu, uint64_t time_ns, unsigned int level,
		      const char *message)
{
	segment_log(f->segment, &(struct segment_record){
		.cpu = cpu, .time_ns = time_ns, .level = level, .comm = "c",
		.message = message, .fields = "k\0v", .fields_len = 4 });
}

/* The cursor of the last answer, as an argument. */
static void take_cursor(const struct fixture *f, char argument[64])
{
	const char *cursor = strstr(f->json.data, "\"cursor\":\"");

	assert_non_null(cursor);
	snprintf(argument, 64, "cursor=%.20s", cursor + 10);
	*strchr(argument, '"') = '\0';
}

static void test_log(void **state)
{
	uint64_t now = monotonic_ns() - 10000000000ULL;
	char cursor[64];
	struct fixture f;

	(void)state;
	fixture_init(&f, &(struct segment_spec){ .ring_lines = 64 });
	write_log(&f, 0, now, 6, "one");
	write_log(&f, 1, now + 2, 3, "</script><b>\1\xff");
	write_log(&f, 0, now + 1, 7, "two");
	assert_int_equal(ask(&f, api_log, ""), REQUEST_OK);
	has(&f, "\"level\":\"info\",\"source\":\"test\",\"origin\":\"kernel\",\"cpu\":0,");
	has(&f, "\"msg\":\"one\",\"fields\":{\"k\":\"v\"}},{");
	assert_true(strstr(f.json.data, "\"two\"") < strstr(f.json.data, "</script><b>"));
	has(&f, "\"cut\":false");
	assert_int_equal(ask(&f, api_log, "limit=1"), REQUEST_OK);
	has(&f, "\"cut\":true");
	has(&f, "\"msg\":\"</script><b>\\u0001\\ufffd\"");
	lacks(&f, "two");
	assert_int_equal(ask(&f, api_log, "level=err"), REQUEST_OK);
	has(&f, "</script>");
	lacks(&f, "\"one\"");
	assert_int_equal(ask(&f, api_log, "source=te*"), REQUEST_OK);
	has(&f, "\"one\"");
	assert_int_equal(ask(&f, api_log, "source=other"), REQUEST_OK);
	has(&f, "\"records\":[]");
	/* What comes behind the cursor, once. */
	assert_int_equal(ask(&f, api_log, ""), REQUEST_OK);
	take_cursor(&f, cursor);
	assert_int_equal(ask(&f, api_log, cursor), REQUEST_OK);
	has(&f, "\"records\":[]");
	has(&f, "\"cursor\":\"");
	write_log(&f, 1, now + 3, 6, "three");
	assert_int_equal(ask(&f, api_log, cursor), REQUEST_OK);
	has(&f, "three");
	lacks(&f, "two");
	take_cursor(&f, cursor);
	assert_int_equal(ask(&f, api_log, cursor), REQUEST_OK);
	has(&f, "\"records\":[]");
	fixture_exit(&f);
}

static void test_log_trace(void **state)
{
	struct obsring_trace trace = { .flags = 1 };
	struct fixture f;
	unsigned int i;

	(void)state;
	fixture_init(&f, &(struct segment_spec){ .ring_lines = 64 });
	for (i = 0; i < 16; i++)
		trace.trace_id[i] = i * 0x11;
	segment_log(f.segment, &(struct segment_record){
		.time_ns = 1, .level = 6, .trace = &trace, .message = "traced" });
	write_log(&f, 0, 2, 6, "other");
	assert_int_equal(ask(&f, api_log, "trace=" TRACE), REQUEST_OK);
	has(&f, "\"trace_id\":\"" TRACE "\"");
	has(&f, "traced");
	lacks(&f, "other");
	fixture_exit(&f);
}

static void test_log_keeps_the_newest(void **state)
{
	char message[16];
	struct fixture f;
	unsigned int i;

	(void)state;
	fixture_init(&f, &(struct segment_spec){ .ring_lines = 4096 });
	for (i = 0; i < 600; i++) {
		snprintf(message, sizeof(message), "r%u.", i);
		write_log(&f, 0, i + 1, 6, message);
	}
	assert_int_equal(ask(&f, api_log, "limit=100000"), REQUEST_OK);
	has(&f, "\"r599.\"");
	has(&f, "\"r100.\"");
	lacks(&f, "\"r99.\"");
	fixture_exit(&f);
}

/* ---- What is wrong ------------------------------------------------------- */

static void test_bad(void **state)
{
	static const struct {
		api_fn *api;
		const char *arguments;
		const char *error;
	} cases[] = {
		{ api_series, "limit=0", "limit: not a number above 0" },
		{ api_series, "limit=-1", "limit: not a number above 0" },
		{ api_series, "limit=18446744073709551616", "limit: " },
		{ api_series, "offset=1x", "offset: not a number" },
		{ api_series_cpu, "", "id and gen are wanted" },
		{ api_series_cpu, "id=1", "id and gen are wanted" },
		{ api_series_cpu, "id=a&gen=b", "id: not a number" },
		{ api_log, "level=loud", "level: not emerg, " },
		{ api_log, "trace=12", "trace: not 32 lower-case hexadecimal digits" },
		{ api_log, "trace=00112233445566778899AABBCCDDEEFF", "trace: not 32" },
		{ api_log, "since=now", "since: not in seconds since 1970" },
		{ api_log, "since=1.5x", "since: not in seconds since 1970" },
		{ api_log, "since=99999999999999", "since: not in seconds since 1970" },
		{ api_log, "cursor=x", "cursor: not one that an answer had" },
	};
	struct fixture f;
	size_t i;

	(void)state;
	fixture_init(&f, NULL);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(ask(&f, cases[i].api, cases[i].arguments), REQUEST_BAD);
		has(&f, "{\"status\":\"error\",\"error\":\"");
		has(&f, cases[i].error);
	}
	fixture_exit(&f);
}

static void test_unavailable(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f, NULL);
	assert_int_equal(ask(&f, api_log, ""), REQUEST_UNAVAILABLE);
	has(&f, "{\"status\":\"error\",\"error\":\"this device has no log\"}\n");
	f.collector.path = "/nowhere/obsring";
	assert_int_equal(ask(&f, api_log, ""), REQUEST_UNAVAILABLE);
	collector_hangup(&f.collector);
	assert_int_equal(ask(&f, api_series, ""), REQUEST_UNAVAILABLE);
	has(&f, "No such file or directory (the obsring module is not loaded)\"}\n");
	assert_int_equal(ask(&f, api_series_cpu, "id=0&gen=1"), REQUEST_UNAVAILABLE);
	fixture_exit(&f);
}

static void test_since(void **state)
{
	struct query query = { .problem = NULL };

	(void)state;
	query_add(&query, "since", "1795364057.25");
	assert_true(query.has_since);
	assert_int_equal(query.since_ns, 1795364057250000000ULL);
	query_add(&query, "since", "1.0000000019");
	assert_int_equal(query.since_ns, 1000000001ULL);
	assert_null(query.problem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_series),
		cmocka_unit_test(test_histogram),
		cmocka_unit_test(test_search),
		cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_cpus),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_log_trace),
		cmocka_unit_test(test_log_keeps_the_newest),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_unavailable),
		cmocka_unit_test(test_since),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
