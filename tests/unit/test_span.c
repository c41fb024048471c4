// SPDX-License-Identifier: MIT
/* Spans: which are recorded, and the lines that they are, taken apart again. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <libobsring/propagate.h>
#include <obsring/logline.h>

#define NR(array) (sizeof(array) / sizeof((array)[0]))

#define TRACE	"4bf92f3577b34da6a3ce929d0e0e4736"	/* randomness ce929d0e0e4736 */
#define SPAN	"00f067aa0ba902b7"

/* In place of the device. */
static struct {
	char path[64];
	char text[16384];
	int fd;
} file;

static int file_open(void **state)
{
	(void)state;
	strcpy(file.path, "/tmp/obsring-span-XXXXXX");
	file.fd = mkstemp(file.path);
	return file.fd < 0;
}

static int file_close(void **state)
{
	(void)state;
	close(file.fd);
	return unlink(file.path);
}

/* What it has, without what was there before: the lines. */
static unsigned int file_take(void)
{
	ssize_t n = pread(file.fd, file.text, sizeof(file.text) - 1, 0);
	unsigned int lines = 0, i;

	assert_true(n >= 0);
	assert_int_equal(0, ftruncate(file.fd, 0));
	file.text[n] = '\0';
	for (i = 0; i < (size_t)n; i++)
		lines += file.text[i] == '\n';
	return lines;
}

static struct obs_tracer *tracer_open(double probability)
{
	struct obs_tracer *tracer;

	assert_int_equal(0, obs_tracer_open(file.path, "shop", probability, &tracer));
	return tracer;
}

static void parent_get(struct obs_trace_context *parent, const char *flags,
		       const char *tracestate)
{
	struct obs_trace_headers headers;
	char value[64];

	snprintf(value, sizeof(value), "00-" TRACE "-" SPAN "-%s", flags);
	obs_trace_headers_init(&headers);
	obs_trace_headers_add(&headers, "traceparent", 11, value, strlen(value));
	obs_trace_headers_add(&headers, "tracestate", 10, tracestate, strlen(tracestate));
	assert_int_equal(OBS_TRACE_W3C, obs_trace_extract(&headers, parent, NULL));
}

/**
 * struct taken - the only line of the file
 * @line: its parts
 * @message: the same, as a string
 * @fields: key NUL value NUL
 * @len: of them
 */
struct taken {
	struct obs_logline line;
	char message[512];
	char fields[OBSRING_FIELDS_MAX];
	unsigned int len;
};

static void take(struct taken *taken)
{
	bool cut = false;

	assert_int_equal(1, file_take());
	obs_logline_parse(file.text, (uint32_t)strlen(file.text) - 1, &taken->line);
	snprintf(taken->message, sizeof(taken->message), "%.*s",
		 (int)taken->line.message_len, taken->line.message);
	taken->len = obs_logline_fields(&taken->line, taken->fields,
					sizeof(taken->fields), &cut);
	assert_false(cut);
}

static const char *field(const struct taken *taken, const char *key)
{
	const char *at = taken->fields, *value;

	while (at < taken->fields + taken->len) {
		value = at + strlen(at) + 1;
		if (!strcmp(at, key))
			return value;
		at = value + strlen(value) + 1;
	}
	return "(none)";
}

static void recorded(void **state)
{
	struct obs_tracer *tracer = tracer_open(1);
	struct obs_trace_context parent;
	struct obs_span span;
	struct taken taken;
	uint64_t before, ns;

	(void)state;
	parent_get(&parent, "03", "a=1,ot=th:c;rv:d0000000000000");
	assert_true(obs_span_start(&span, tracer, &parent, OBS_SPAN_SERVER, "GET /cart"));
	assert_memory_equal(parent.trace_id, span.context.trace_id, 16);
	assert_memory_not_equal(parent.span_id, span.context.span_id, 8);
	assert_string_equal(parent.tracestate, span.context.tracestate);
	assert_int_equal(0, obs_span_attribute(&span, "http.route", "/cart"));
	assert_int_equal(0, obs_span_attribute(&span, "note", "a \"b\"\\\n\x01\xff=.k=v"));
	assert_int_equal(0, obs_span_attribute(&span, "spaced", "a b"));
	assert_int_equal(0, obs_span_attribute(&span, "empty", ""));
	assert_int_equal(0, obs_span_attribute_int(&span, "n", INT64_MIN));
	span.status = OBS_SPAN_ERROR;
	assert_int_equal(0, file_take());
	assert_int_equal(0, obs_span_end(&span));
	take(&taken);
	assert_int_equal(6, taken.line.level);
	assert_int_equal(4, taken.line.service_len);
	assert_memory_equal("shop", taken.line.service, 4);
	assert_true(taken.line.has_trace && taken.line.has_rv);
	assert_true(taken.line.rv == 0xd0000000000000);
	assert_int_equal(3, taken.line.trace.flags);
	assert_memory_equal(span.context.trace_id, taken.line.trace.trace_id, 16);
	assert_memory_equal(span.context.span_id, taken.line.trace.span_id, 8);
	assert_string_equal("GET /cart", taken.message);
	assert_string_equal("server", field(&taken, "span.kind"));
	assert_string_equal("error", field(&taken, "span.status"));
	assert_string_equal(SPAN, field(&taken, "span.parent_id"));
	assert_string_equal("c", field(&taken, "span.th"));
	assert_string_equal("(none)", field(&taken, "span.dropped_attributes"));
	before = strtoull(field(&taken, "span.start_ns"), NULL, 10);
	ns = strtoull(field(&taken, "span.duration_ns"), NULL, 10);
	assert_true(before == span.start_ns && ns < 1000000000000);
	assert_string_equal("/cart", field(&taken, "http.route"));
	assert_string_equal("a \"b\"\\\n\x01\xff=.k=v", field(&taken, "note"));
	assert_string_equal("a b", field(&taken, "spaced"));
	assert_string_equal("", field(&taken, "empty"));
	assert_string_equal("-9223372036854775808", field(&taken, "n"));
	/* Once. */
	assert_int_equal(0, obs_span_end(&span));
	assert_int_equal(0, file_take());
	obs_tracer_close(tracer);
}

/* Whoever chooses a name brings no line, no field and no trace. */
static void names(void **state)
{
	static const struct {
		const char *name, *message;
	} cases[] = {
		{ "", "" },
		{ ".k=v m", ".k=v m" },
		{ "tracestate=ot=rv:0123456789abcd m", "tracestate=ot=rv:0123456789abcd m" },
		{ "a\n<0>service=x b\r\x7f", "a?<0>service=x b??" },
		{ ". ", ". " },
		{ "caf\xc3\xa9", "caf\xc3\xa9" },
	};
	struct obs_tracer *tracer = tracer_open(1);
	char longest[OBS_SPAN_NAME_MAX + 100];
	struct obs_span span;
	struct taken taken;
	size_t i;

	(void)state;
	for (i = 0; i < NR(cases); i++) {
		assert_true(obs_span_start(&span, tracer, NULL, OBS_SPAN_INTERNAL,
					   cases[i].name));
		assert_int_equal(0, obs_span_end(&span));
		take(&taken);
		assert_string_equal(cases[i].message, taken.message);
		assert_false(taken.line.has_rv);
		assert_string_equal("(none)", field(&taken, "k"));
		assert_string_equal("(none)", field(&taken, "span.parent_id"));
		assert_string_equal("(none)", field(&taken, "span.status"));
		assert_string_equal("internal", field(&taken, "span.kind"));
	}
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	obs_span_start(&span, tracer, NULL, OBS_SPAN_CLIENT, longest);
	assert_int_equal(0, obs_span_end(&span));
	take(&taken);
	assert_int_equal(OBS_SPAN_NAME_MAX, taken.line.message_len);
	obs_tracer_close(tracer);
}

static void attribute_limits(void **state)
{
	struct obs_tracer *tracer = tracer_open(1);
	char value[OBS_SPAN_ATTRIBUTES_BYTES], key[OBS_LOGLINE_KEY_MAX + 2], name[16];
	struct obs_trace_context parent;
	struct obs_span span;
	struct taken taken;
	unsigned int i;

	(void)state;
	parent_get(&parent, "01", "ot=th:00000000000001");
	/* The most that there can be: each byte to be escaped, and all of our fields. */
	memset(value, '\x01', sizeof(value));
	value[sizeof(value) - 3] = '\0';
	assert_true(obs_span_start(&span, tracer, &parent, OBS_SPAN_INTERNAL, value));
	span.status = OBS_SPAN_ERROR;
	assert_int_equal(-ENOSPC, obs_span_attribute(&span, "kk", value));
	assert_int_equal(0, obs_span_attribute(&span, "k", value));
	assert_int_equal(-ENOSPC, obs_span_attribute(&span, "l", ""));
	span.nr_dropped = UINT32_MAX;
	span.start_ns = UINT64_MAX;
	span.start_monotonic_ns = UINT64_MAX;
	assert_int_equal(0, obs_span_end(&span));
	take(&taken);
	assert_string_equal(value, field(&taken, "k"));
	assert_string_equal("4294967295", field(&taken, "span.dropped_attributes"));
	assert_string_equal("18446744073709551615", field(&taken, "span.start_ns"));
	assert_string_equal("00000000000001", field(&taken, "span.th"));

	obs_span_start(&span, tracer, NULL, OBS_SPAN_INTERNAL, "keys");
	memset(key, 'k', sizeof(key));
	key[sizeof(key) - 1] = '\0';
	assert_int_equal(-EINVAL, obs_span_attribute(&span, key, "1"));
	assert_int_equal(0, obs_span_attribute(&span, key + 1, "1"));
	assert_int_equal(-EINVAL, obs_span_attribute(&span, "", "1"));
	assert_int_equal(-EINVAL, obs_span_attribute(&span, "a b", "1"));
	assert_int_equal(-EINVAL, obs_span_attribute(&span, "a=", "1"));
	assert_int_equal(-EINVAL, obs_span_attribute(&span, "span.kind", "1"));
	assert_int_equal(0, obs_span_attribute(&span, "span", "1"));
	assert_int_equal(0, obs_span_end(&span));
	take(&taken);
	assert_string_equal("1", field(&taken, key + 1));
	assert_string_equal("5", field(&taken, "span.dropped_attributes"));

	obs_span_start(&span, tracer, NULL, OBS_SPAN_INTERNAL, "number");
	for (i = 0; i <= OBS_SPAN_ATTRIBUTES_MAX; i++) {
		snprintf(name, sizeof(name), "a%u", i);
		assert_int_equal(i < OBS_SPAN_ATTRIBUTES_MAX ? 0 : -ENOSPC,
				 obs_span_attribute_int(&span, name, i));
	}
	assert_int_equal(0, obs_span_end(&span));
	take(&taken);
	assert_string_equal("31", field(&taken, "a31"));
	assert_string_equal("1", field(&taken, "span.dropped_attributes"));
	obs_tracer_close(tracer);
}

/* Who began the trace has decided, whatever our own probability is. */
static void children(void **state)
{
	static const struct {
		const char *flags, *tracestate;
		bool recording;
		const char *passed_on;
	} cases[] = {
		{ "01", "", true, "" },
		{ "00", "", false, "" },
		{ "00", "ot=th:8", false, "ot=th:8" },
		{ "00", "ot=th:cf", false, "ot=th:cf" },
		{ "01", "ot=th:c", true, "ot=th:c" },
		/* It can't have been kept with this threshold. */
		{ "01", "ot=th:cf,a=1", true, "a=1" },
		{ "01", "ot=th:cf;p:q,a=1", true, "ot=p:q,a=1" },
		{ "01", "ot=th:8;rv:7fffffffffffff,a=1", true, "ot=rv:7fffffffffffff,a=1" },
		{ "01", "ot=th:8;rv:80000000000000", true, "ot=th:8;rv:80000000000000" },
	};
	struct obs_tracer *tracer = tracer_open(0);
	struct obs_trace_context parent;
	struct obs_span span;
	size_t i;

	(void)state;
	for (i = 0; i < NR(cases); i++) {
		parent_get(&parent, cases[i].flags, cases[i].tracestate);
		if (obs_span_start(&span, tracer, &parent, OBS_SPAN_SERVER, "x") !=
		    cases[i].recording)
			fail_msg("%s %s", cases[i].flags, cases[i].tracestate);
		assert_string_equal(cases[i].passed_on, span.context.tracestate);
		assert_int_equal(parent.flags, span.context.flags);
		assert_int_equal(0, obs_span_attribute(&span, "a", "1"));
		assert_int_equal(0, obs_span_end(&span));
		assert_int_equal(cases[i].recording, file_take());
	}
	obs_tracer_close(tracer);
}

/*
 * Of 4000 new traces a part is sampled, those whose randomness is above the threshold
 * that they carry: binomial, 6 standard deviations off is once in 10^9.
 */
static void roots(void **state)
{
	static const struct {
		double probability;
		unsigned int least, most;
		const char *tracestate;
	} cases[] = {
		{ 0, 0, 0, NULL },
		{ 0.25, 836, 1164, "ot=th:c" },
		{ 0.5, 1810, 2190, "ot=th:8" },
		{ 1, 4000, 4000, "ot=th:0" },
	};
	unsigned int i, n, kept, first;
	struct obs_tracer *tracer;
	struct obs_span span;

	(void)state;
	for (i = 0; i < NR(cases); i++) {
		tracer = tracer_open(cases[i].probability);
		for (n = kept = 0; n < 4000; n++) {
			if (!obs_span_start(&span, tracer, NULL, OBS_SPAN_SERVER, "x")) {
				assert_int_equal(OBS_TRACE_RANDOM, span.context.flags);
				assert_string_equal("", span.context.tracestate);
				continue;
			}
			kept++;
			first = span.context.trace_id[9];
			assert_true(first >= 256 - 256 * cases[i].probability);
			assert_int_equal(OBS_TRACE_RANDOM | OBS_TRACE_SAMPLED,
					 span.context.flags);
			assert_string_equal(cases[i].tracestate, span.context.tracestate);
		}
		assert_in_range(kept, cases[i].least, cases[i].most);
		obs_tracer_close(tracer);
	}
	/* Without a tracer there is a context all the same. */
	assert_false(obs_span_start(&span, NULL, NULL, OBS_SPAN_SERVER, "x"));
	assert_false(obs_id_is_zero(span.context.trace_id, 16));
	assert_int_equal(0, obs_span_end(&span));
}

static void opening(void **state)
{
	static const char longest[] =
		"sssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss";
	const uint64_t magic = OBSRING_MAGIC;
	struct obs_tracer *tracer = NULL;
	char service[sizeof(longest) + 1];

	(void)state;
	snprintf(service, sizeof(service), "%ss", longest);
	assert_int_equal(OBSRING_SOURCE_MAX, strlen(longest));
	assert_int_equal(-EINVAL, obs_tracer_open(file.path, "", 1, &tracer));
	assert_int_equal(-EINVAL, obs_tracer_open(file.path, "a b", 1, &tracer));
	assert_int_equal(-EINVAL, obs_tracer_open(file.path, "a\n", 1, &tracer));
	assert_int_equal(-EINVAL, obs_tracer_open(file.path, service, 1, &tracer));
	assert_int_equal(-EINVAL, obs_tracer_open(file.path, "a", -0.1, &tracer));
	assert_int_equal(-EINVAL, obs_tracer_open(file.path, "a", 1.1, &tracer));
	assert_int_equal(-EINVAL, obs_tracer_open(file.path, "a", 0.0 / 0.0, &tracer));
	assert_int_equal(-ENOENT, obs_tracer_open("/nonexistent", "a", 1, &tracer));
	/* Lines would be no part of a segment. */
	assert_int_equal(sizeof(magic), pwrite(file.fd, &magic, sizeof(magic), 0));
	assert_int_equal(-EOPNOTSUPP, obs_tracer_open(file.path, "a", 1, &tracer));
	assert_int_equal(0, ftruncate(file.fd, 0));
	assert_null(tracer);
	assert_int_equal(0, obs_tracer_open(file.path, longest, 1, &tracer));
	obs_tracer_close(tracer);
	obs_tracer_close(NULL);
}

static void failing(void **state)
{
	struct obs_tracer *tracer;
	struct obs_span span;

	(void)state;
	assert_int_equal(0, obs_tracer_open("/dev/full", "a", 1, &tracer));
	obs_span_start(&span, tracer, NULL, OBS_SPAN_SERVER, "x");
	assert_int_equal(-ENOSPC, obs_span_end(&span));
	assert_int_equal(0, obs_span_end(&span));
	obs_tracer_close(tracer);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded),
		cmocka_unit_test(names),
		cmocka_unit_test(attribute_limits),
		cmocka_unit_test(children),
		cmocka_unit_test(roots),
		cmocka_unit_test(opening),
		cmocka_unit_test(failing),
	};

	return cmocka_run_group_tests_name("span", tests, file_open, file_close);
}
