// SPDX-License-Identifier: MIT
/* Trace context in each format: what its specification says, and what goes out comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "traced.h"

/* ---- traceparent --------------------------------------------------------- */

static const struct {
	const char *value;
	int flags;		/* -1: invalid */
} parents[] = {
	{ PARENT "-00", 0 },
	{ PARENT "-01", OBS_TRACE_SAMPLED },
	{ PARENT "-03", OBS_TRACE_SAMPLED | OBS_TRACE_RANDOM },
	{ PARENT "-ff", OBS_TRACE_SAMPLED | OBS_TRACE_RANDOM },
	{ PARENT "-fc", 0 },
	{ " \t" PARENT "-01\t ", OBS_TRACE_SAMPLED },
	{ PARENT "-01-", -1 },
	{ PARENT "-01-what-follows", -1 },
	{ PARENT "-01.", -1 },
	{ PARENT "-1", -1 },
	{ PARENT "-001", -1 },
	{ PARENT "-.0", -1 },
	{ PARENT "-0.", -1 },
	{ PARENT "-0A", -1 },
	{ PARENT, -1 },
	{ "", -1 },
	{ "00", -1 },
	{ "cc-" TRACE "-" SPAN "-01", OBS_TRACE_SAMPLED },
	{ "cc-" TRACE "-" SPAN "-01-what-the-future-will-be-like", OBS_TRACE_SAMPLED },
	{ "cc-" TRACE "-" SPAN "-01-", OBS_TRACE_SAMPLED },
	{ "cc-" TRACE "-" SPAN "-01.what-the-future-will-be-like", -1 },
	{ "cc-" TRACE "-" SPAN "-0", -1 },
	{ "fe-" TRACE "-" SPAN "-00", 0 },
	{ "ff-" TRACE "-" SPAN "-01", -1 },
	{ "FE-" TRACE "-" SPAN "-01", -1 },
	{ ".0-" TRACE "-" SPAN "-01", -1 },
	{ "0.-" TRACE "-" SPAN "-01", -1 },
	{ "000-" TRACE "-" SPAN "-01", -1 },
	{ "0-" TRACE "-" SPAN "-01", -1 },
	{ "00." TRACE "-" SPAN "-01", -1 },
	{ "00-" TRACE "." SPAN "-01", -1 },
	{ "00-" TRACE "-" SPAN ".01", -1 },
	{ "00-00000000000000000000000000000000-" SPAN "-01", -1 },
	{ "00-" TRACE "-0000000000000000-01", -1 },
	{ "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01", -1 },
	{ "00-.bf92f3577b34da6a3ce929d0e0e4736-" SPAN "-01", -1 },
	{ "00-4bf92f3577b34da6a3ce929d0e0e473.-" SPAN "-01", -1 },
	{ "00-" TRACE "1-" SPAN "-01", -1 },
	{ "00-" TRACE "-.0f067aa0ba902b7-01", -1 },
	{ "00-" TRACE "-" SPAN "1-01", -1 },
};

static void traceparent(void **state)
{
	struct obs_trace_context context, none;
	char text[OBS_TRACEPARENT_LEN + 1];
	size_t i;

	(void)state;
	memset(&none, 0xa5, sizeof(none));
	for (i = 0; i < NR(parents); i++) {
		context = none;
		if (parents[i].flags < 0) {
			if (obs_traceparent_parse(bytes(parents[i].value), &context))
				fail_msg("\"%s\" was taken", parents[i].value);
			assert_memory_equal(&none, &context, sizeof(none));
			continue;
		}
		if (!obs_traceparent_parse(bytes(parents[i].value), &context))
			fail_msg("\"%s\" was not taken", parents[i].value);
		assert_ids(&context);
		assert_int_equal(parents[i].flags, context.flags);
		obs_trace_format_traceparent(&context, text);
		assert_memory_equal(PARENT "-0", text, OBS_TRACEPARENT_LEN - 1);
		assert_int_equal('0' + parents[i].flags, text[OBS_TRACEPARENT_LEN - 1]);
		assert_int_equal(0, text[OBS_TRACEPARENT_LEN]);
	}
}

/* ---- B3 ------------------------------------------------------------------ */

static const struct {
	const char *value;
	int flags;		/* -1: invalid */
	bool ids, debug;
} singles[] = {
	{ TRACE "-" SPAN, 0, true, false },
	{ TRACE "-" SPAN "-0", 0, true, false },
	{ TRACE "-" SPAN "-1", OBS_TRACE_SAMPLED, true, false },
	{ TRACE "-" SPAN "-d", OBS_TRACE_SAMPLED, true, true },
	{ TRACE "-" SPAN "-1-05e3ac9a4f6e3b90", OBS_TRACE_SAMPLED, true, false },
	{ " " TRACE "-" SPAN "-1 ", OBS_TRACE_SAMPLED, true, false },
	{ "0", 0, false, false },
	{ "1", OBS_TRACE_SAMPLED, false, false },
	{ "d", OBS_TRACE_SAMPLED, false, true },
	{ "", -1, false, false },
	{ "2", -1, false, false },
	{ TRACE, -1, false, false },
	{ TRACE "-", -1, false, false },
	{ TRACE "-" SPAN "-", -1, false, false },
	{ TRACE "-" SPAN "-2", -1, false, false },
	{ TRACE "-" SPAN "-11", -1, false, false },
	{ TRACE "-" SPAN "-1-", -1, false, false },
	{ TRACE "-" SPAN "-1-05e3", -1, false, false },
	{ TRACE "-" SPAN "-1-0000000000000000", -1, false, false },
	{ TRACE "-" SPAN "-1-05e3ac9a4f6e3b90-", -1, false, false },
	{ TRACE "-0000000000000000-1", -1, false, false },
	{ "00000000000000000000000000000000-" SPAN "-1", -1, false, false },
	{ TRACE "1-" SPAN "-1", -1, false, false },
	{ "4bf92f3577b34da6a3ce929d0e0e473G-" SPAN "-1", -1, false, false },
};

static void b3_single(void **state)
{
	struct obs_trace_context context;
	char text[OBS_B3_LEN + 1];
	size_t i;
	bool ids;

	(void)state;
	for (i = 0; i < NR(singles); i++) {
		memset(&context, 0, sizeof(context));
		if (obs_b3_single_parse(bytes(singles[i].value), &context, &ids) !=
		    (singles[i].flags >= 0))
			fail_msg("\"%s\"", singles[i].value);
		if (singles[i].flags < 0)
			continue;
		assert_int_equal(singles[i].ids, ids);
		assert_int_equal(singles[i].flags, context.flags);
		assert_int_equal(singles[i].debug, context.debug);
		if (!ids)
			continue;
		assert_ids(&context);
		obs_trace_format_b3(&context, text);
		assert_memory_equal(TRACE "-" SPAN "-", text, OBS_B3_LEN - 1);
		assert_int_equal(singles[i].debug ? 'd' : '0' + singles[i].flags,
				 text[OBS_B3_LEN - 1]);
	}
}

static void b3_short_trace_id(void **state)
{
	struct obs_trace_headers headers;
	struct obs_trace_context context;
	char text[OBS_TRACEPARENT_LEN + 1];

	(void)state;
	obs_trace_headers_init(&headers);
	add(&headers, "b3", "a3ce929d0e0e4736-" SPAN "-1");
	assert_int_equal(OBS_TRACE_B3_SINGLE,
			 obs_trace_extract(&headers, &context, NULL));
	obs_trace_format_traceparent(&context, text);
	assert_string_equal("00-0000000000000000a3ce929d0e0e4736-" SPAN "-01", text);
}

static const struct {
	const char *trace, *span, *parent, *sampled, *flags_header;
	int flags;		/* -1: invalid */
	bool ids, debug;
} multis[] = {
	{ TRACE, SPAN, NULL, "1", NULL, OBS_TRACE_SAMPLED, true, false },
	{ TRACE, SPAN, NULL, "0", NULL, 0, true, false },
	{ TRACE, SPAN, NULL, "true", NULL, OBS_TRACE_SAMPLED, true, false },
	{ TRACE, SPAN, NULL, "false", NULL, 0, true, false },
	{ TRACE, SPAN, NULL, NULL, NULL, 0, true, false },
	{ TRACE, SPAN, "05e3ac9a4f6e3b90", "1", NULL, OBS_TRACE_SAMPLED, true, false },
	{ TRACE, SPAN, NULL, NULL, "1", OBS_TRACE_SAMPLED, true, true },
	{ TRACE, SPAN, NULL, NULL, "0", 0, true, false },
	{ NULL, NULL, NULL, "1", NULL, OBS_TRACE_SAMPLED, false, false },
	{ NULL, NULL, NULL, "0", NULL, 0, false, false },
	{ NULL, NULL, NULL, NULL, "1", OBS_TRACE_SAMPLED, false, true },
	{ NULL, NULL, NULL, NULL, "0", -1, false, false },
	{ TRACE, NULL, NULL, "1", NULL, -1, false, false },
	{ NULL, SPAN, NULL, "1", NULL, -1, false, false },
	{ TRACE, SPAN, NULL, "yes", NULL, -1, false, false },
	{ TRACE, SPAN, "05", "1", NULL, -1, false, false },
	{ "0", SPAN, NULL, "1", NULL, -1, false, false },
	{ TRACE, "0000000000000000", NULL, "1", NULL, -1, false, false },
};

static void b3_multi(void **state)
{
	struct obs_trace_context context;
	size_t i;
	bool ids;

	(void)state;
	for (i = 0; i < NR(multis); i++) {
		struct obs_trace_headers headers;

		obs_trace_headers_init(&headers);
		memset(&context, 0, sizeof(context));
		if (multis[i].trace)
			add(&headers, "X-B3-TraceId", multis[i].trace);
		if (multis[i].span)
			add(&headers, "x-b3-spanid", multis[i].span);
		if (multis[i].parent)
			add(&headers, "X-B3-PARENTSPANID", multis[i].parent);
		if (multis[i].sampled)
			add(&headers, "X-B3-Sampled", multis[i].sampled);
		if (multis[i].flags_header)
			add(&headers, "X-B3-Flags", multis[i].flags_header);
		if (obs_b3_multi_parse(&headers, &context, &ids) !=
		    (multis[i].flags >= 0))
			fail_msg("multi %zu", i);
		if (multis[i].flags < 0)
			continue;
		assert_int_equal(multis[i].ids, ids);
		assert_int_equal(multis[i].flags, context.flags);
		assert_int_equal(multis[i].debug, context.debug);
		if (ids)
			assert_ids(&context);
	}
}

/* ---- grpc-trace-bin ------------------------------------------------------ */

static void grpc_trace(void **state)
{
	char text[OBS_GRPC_TRACE_BASE64_LEN + 1], bad[OBS_GRPC_TRACE_LEN];
	struct obs_trace_context context;
	uint8_t out[OBS_GRPC_TRACE_LEN];
	size_t i;

	(void)state;
	memset(&context, 0, sizeof(context));
	assert_true(obs_grpc_trace_parse(obs_bytes(grpc, sizeof(grpc)), &context));
	assert_ids(&context);
	assert_int_equal(OBS_TRACE_SAMPLED, context.flags);
	obs_trace_format_grpc(&context, out);
	assert_memory_equal(grpc, out, sizeof(out));
	obs_trace_format_grpc_base64(&context, text);
	assert_string_equal(GRPC64, text);

	memset(&context, 0, sizeof(context));
	assert_true(obs_grpc_trace_parse(bytes(GRPC64), &context));
	assert_ids(&context);
	assert_true(obs_grpc_trace_parse(bytes(GRPC64 "="), &context));
	assert_false(obs_grpc_trace_parse(bytes(GRPC64 "=="), &context));
	assert_false(obs_grpc_trace_parse(bytes("AABL"), &context));
	assert_false(obs_grpc_trace_parse(bytes(""), &context));
	/* A bit behind the last byte; a character that is none. */
	memcpy(text, GRPC64, sizeof(text));
	text[OBS_GRPC_TRACE_BASE64_LEN - 1] = 'F';
	assert_false(obs_grpc_trace_parse(bytes(text), &context));
	text[OBS_GRPC_TRACE_BASE64_LEN - 1] = '-';
	assert_false(obs_grpc_trace_parse(bytes(text), &context));
	/* Each byte that says what follows. */
	for (i = 0; i < sizeof(bad); i++) {
		if (i != 0 && i != 1 && i != 18 && i != 27)
			continue;
		memcpy(bad, grpc, sizeof(bad));
		bad[i] = 7;
		assert_false(obs_grpc_trace_parse(obs_bytes(bad, sizeof(bad)), &context));
	}
	for (i = 0; i < sizeof(grpc); i++)
		assert_false(obs_grpc_trace_parse(obs_bytes(grpc, i), &context));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(traceparent),
		cmocka_unit_test(b3_single),
		cmocka_unit_test(b3_short_trace_id),
		cmocka_unit_test(b3_multi),
		cmocka_unit_test(grpc_trace),
	};

	return cmocka_run_group_tests_name("trace formats", tests, NULL, NULL);
}
