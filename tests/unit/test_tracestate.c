// SPDX-License-Identifier: MIT
/*
 * The header tracestate: what its specification says, in a table; at a glance and byte by
 * byte, which must be alike; and OpenTelemetry's member, read and written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "traced.h"

static const struct {
	const char *value[3];
	const char *expected;	/* NULL: invalid */
	bool cut;
} states[] = {
	{ { "" }, "", false },
	{ { "foo=1" }, "foo=1", false },
	{ { "foo=1,bar=2" }, "foo=1,bar=2", false },
	{ { "foo=1", "bar=2", "baz=3" }, "foo=1,bar=2,baz=3", false },
	{ { "foo=1", "", "baz=3" }, "foo=1,baz=3", false },
	{ { "foo=1,", ",", ",bar=2," }, "foo=1,bar=2", false },
	{ { "foo=1 \t , \t bar=2, \t baz=3" }, "foo=1,bar=2,baz=3", false },
	{ { "\tfoo=1\t", " bar=2 " }, "foo=1,bar=2", false },
	{ { "foo=1,foo=1" }, "foo=1,foo=1", false },
	{ { "foo= 1" }, "foo= 1", false },
	{ { "foo=a b" }, "foo=a b", false },
	{ { "foo=!\"#$%&'()*+-./0:;<>?@A[\\]^_`a{|}~" },
	  "foo=!\"#$%&'()*+-./0:;<>?@A[\\]^_`a{|}~", false },
	{ { "abc0_-*/@=1" }, "abc0_-*/@=1", false },
	{ { "0a=1" }, "0a=1", false },
	{ { "foo@=1,bar=2" }, "foo@=1,bar=2", false },
	{ { "@foo=1" }, NULL, false },
	{ { "_foo=1" }, NULL, false },
	{ { "-foo=1" }, NULL, false },
	{ { "*foo=1" }, NULL, false },
	{ { "/foo=1" }, NULL, false },
	{ { "foo" }, NULL, false },
	{ { "foo=" }, NULL, false },
	{ { "foo= " }, NULL, false },
	{ { "=1" }, NULL, false },
	{ { "foo =1" }, NULL, false },
	{ { "FOO=1" }, NULL, false },
	{ { "foo.bar=1" }, NULL, false },
	{ { "foo=bar=baz" }, NULL, false },
	{ { "foo=1\x7f" }, NULL, false },
	{ { "foo=\xc3\xa9" }, NULL, false },
	{ { "foo=a\tb" }, NULL, false },
	{ { "foo=1;bar=2" }, NULL, false },
	{ { "ok=1", "no" }, NULL, false },
	{ { TEN("0"), TEN("1") "," TEN("2"), "y=1,z=2" },
	  TEN("0") "," TEN("1") "," TEN("2") ",y=1,z=2", false },
	{ { TEN("0"), TEN("1") "," TEN("2"), "x=0,y=1,z=2" }, NULL, false },
	{ { X256 "=1" }, X256 "=1", false },
	{ { X256 "x=1" }, NULL, false },
	{ { "a=" X256 }, "a=" X256, false },
	{ { "a=" X256 "x" }, NULL, false },
	{ { X255 "=" X256 }, X255 "=" X256, false },
	{ { X256 "=" X256 }, "", true },
	{ { "a=1," X256 "=" X255 ",b=2" }, "a=1,b=2", true },
	/* One of 129 bytes is long, those of 128 are not. */
	{ { "a=" X126 "x,b=" X126 ",c=" X126 ",d=" X126 }, "b=" X126 ",c=" X126 ",d=" X126, true },
	{ { "a=" X126 ",b=" X126 ",c=" X126 ",d=" X126 }, "a=" X126 ",b=" X126 ",c=" X126, true },
	{ { "a=" X128, "b=" X256, "c=" X256 }, "a=" X128 ",b=" X256, true },
	{ { "a=" X64 ",b=" X64 ",c=" X64, "d=" X64 ",e=" X64 ",f=" X64,
	    "g=" X64 ",h=" X64 ",i=1" },
	  "a=" X64 ",b=" X64 ",c=" X64 ",d=" X64 ",e=" X64 ",f=" X64 ",g=" X64, true },
};

static void tracestate(void **state)
{
	struct obs_trace_context context;
	struct obs_bytes value[3];
	unsigned int nr;
	size_t i;
	bool cut, valid;

	(void)state;
	for (i = 0; i < NR(states); i++) {
		memset(&context, 0, sizeof(context));
		for (nr = 0; nr < 3 && states[i].value[nr]; nr++)
			value[nr] = bytes(states[i].value[nr]);
		valid = obs_tracestate_parse(value, nr, &context, &cut);
		if (valid != !!states[i].expected)
			fail_msg("state %zu \"%s\": %d", i, states[i].value[0], valid);
		assert_string_equal(valid ? states[i].expected : "",
				    context.tracestate);
		if (valid)
			assert_int_equal(states[i].cut, cut);
	}
}

/*
 * Found by fuzz_propagate: an ot= that OpenTelemetry would not take is some member's, as
 * it is, and goes out as it came.
 */
static void tracestate_of_no_ot(void **state)
{
	static const char once[] = "a=1,ot=tch;]rv:00    ;          0000";
	struct obs_bytes value = bytes("a=1, ot=tch;]rv:00    ;          0000");
	struct obs_trace_context context;
	unsigned int i;
	bool cut;

	(void)state;
	for (i = 0; i < 2; i++) {
		memset(&context, 0, sizeof(context));
		assert_true(obs_tracestate_parse(&value, 1, &context, &cut));
		assert_string_equal(once, context.tracestate);
		assert_false(context.has_th || context.has_rv || cut);
		value = bytes(once);
	}
}

/* ---- At a glance --------------------------------------------------------- */

#define HEADER_MAX	1200

static uint64_t seed = 88172645463325252;

static uint64_t below(uint64_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % n;
}

static size_t put_chars(char *at, const char *from, size_t nr)
{
	size_t i, all = strlen(from);

	for (i = 0; i < nr; i++)
		at[i] = from[below(all)];
	return nr;
}

static size_t some_length(void)
{
	return below(12) ? 1 + below(12) : 1 + below(260);
}

/* Members, as a rule well-formed and without spaces. */
static size_t make_members(char *text)
{
	unsigned int nr = 1 + (unsigned int)below(34);
	size_t len = 0;

	while (nr-- && len + 600 < HEADER_MAX) {
		if (below(8)) {
			len += put_chars(text + len, "az09k", 1);
			len += put_chars(text + len, "azot09_-*/@", some_length() - 1);
		} else {
			memcpy(text + len, "ot", 2);
			len += 2;
		}
		text[len++] = '=';
		if (below(200))
			len += put_chars(text + len, "th:c;rv0123456789abcdef!~Az", some_length());
		if (!below(200))
			text[len++] = ' ';
		if (nr)
			text[len++] = ',';
	}
	return len;
}

static void spoil(char *text, size_t len)
{
	static const char odd[] = ",= \tA@~\x7f\x80\xff\0ot;\n\x1f{`+.";

	text[below(len)] = odd[below(sizeof(odd) - 1)];
}

/* At a glance and byte by byte, which a second header without anything makes it: alike. */
static bool both_ways(const char *text, size_t len)
{
	struct obs_trace_context context[2];
	struct obs_bytes value[2];
	bool valid[2], cut[2] = { false, false };
	/* Of that size exactly: reading beyond it would be seen. */
	char *copy = malloc(len);
	unsigned int i;

	assert_non_null(copy);
	memcpy(copy, text, len);
	value[0] = obs_bytes(copy, len);
	value[1] = obs_bytes("", 0);
	memset(context, 0, sizeof(context));
	for (i = 0; i < 2; i++)
		valid[i] = obs_tracestate_parse(value, i + 1, &context[i], &cut[i]);
	free(copy);
	assert_int_equal(valid[0], valid[1]);
	assert_int_equal(cut[0], cut[1]);
	assert_string_equal(context[0].tracestate, context[1].tracestate);
	assert_memory_equal(&context[0].th, &context[1].th, sizeof(context[0].th));
	assert_memory_equal(&context[0].rv, &context[1].rv, sizeof(context[0].rv));
	assert_int_equal(context[0].has_th, context[1].has_th);
	assert_int_equal(context[0].has_rv, context[1].has_rv);
	return valid[0];
}

static void tracestate_at_a_glance(void **state)
{
	unsigned int i, spoils, valid = 0, invalid = 0;
	char text[HEADER_MAX];
	size_t len;

	(void)state;
	for (i = 0; i < 200000; i++) {
		len = make_members(text);
		for (spoils = (unsigned int)below(3); spoils; spoils--)
			spoil(text, len);
		if (below(4) == 0)
			len = 1 + below(len);
		if (both_ways(text, len))
			valid++;
		else
			invalid++;
	}
	assert_in_range(valid, 20000, 200000);
	assert_in_range(invalid, 20000, 200000);
}

/* What is plain is taken at a glance, of each length; and what begins or ends wrongly not. */
static void tracestate_is_plain(void **state)
{
#ifdef __SSE2__
	char text[OBS_TRACESTATE_MAX + 2];
	struct obs_bytes ot;
	size_t len;

	(void)state;
	for (len = 3; len <= OBS_TRACESTATE_MAX; len++) {
		memset(text, 'v', sizeof(text));
		memcpy(text, "a=", 2);
		/* Each key and value at a border of 64 bytes once. */
		if (len > 9)
			memcpy(text + len - 7, ",ot=th:", 7);
		if (len > 250)
			memcpy(text + 200, ",b=", 3);
		if (len > 450)
			memcpy(text + 400, ",c=", 3);
		assert_true(obs_tracestate_plain(obs_bytes(text, len), &ot));
		if (len > 9) {
			assert_ptr_equal(ot.at, text + len - 6);
			assert_int_equal(ot.len, 6);
		} else {
			assert_int_equal(ot.len, 0);
		}
		assert_false(obs_tracestate_plain(obs_bytes(text + 1, len - 1), &ot));
		text[len - 1] = ',';
		assert_false(obs_tracestate_plain(obs_bytes(text, len), &ot));
		text[len - 1] = '=';
		assert_false(obs_tracestate_plain(obs_bytes(text, len), &ot));
	}
	assert_false(obs_tracestate_plain(obs_bytes(text, len), &ot));
#else
	(void)state;
	skip();
#endif
}

/* ---- OpenTelemetry's member ---------------------------------------------- */

static const struct {
	const char *value;
	bool has_th, has_rv;
	uint64_t th, rv;
} ots[] = {
	{ "ot=th:0", true, false, 0, 0 },
	{ "ot=th:c", true, false, 0xc0000000000000, 0 },
	{ "ot=th:fffffffffffff8;rv:00000000000001", true, true, 0xfffffffffffff8, 1 },
	{ "a=1,ot=rv:abcdef01234567", false, true, 0, 0xabcdef01234567 },
	{ "ot=x:y;th:8;z", true, false, 0x80000000000000, 0 },
	{ "ot=th:", false, false, 0, 0 },
	{ "ot=th:C", false, false, 0, 0 },
	{ "ot=th:0123456789abcde", false, false, 0, 0 },
	{ "ot=rv:1", false, false, 0, 0 },
	{ "ot=rv:0123456789abcde", false, false, 0, 0 },
	{ "ot=rv:0123456789abcg", false, false, 0, 0 },
	{ "ott=th:8", false, false, 0, 0 },
};

static void opentelemetry(void **state)
{
	struct obs_trace_context context;
	struct obs_bytes value;
	size_t i;
	bool cut;

	(void)state;
	for (i = 0; i < NR(ots); i++) {
		memset(&context, 0, sizeof(context));
		value = bytes(ots[i].value);
		assert_true(obs_tracestate_parse(&value, 1, &context, &cut));
		assert_int_equal(ots[i].has_th, context.has_th);
		assert_int_equal(ots[i].has_rv, context.has_rv);
		if (ots[i].has_th)
			assert_int_equal(ots[i].th, context.th);
		if (ots[i].has_rv)
			assert_int_equal(ots[i].rv, context.rv);
	}
}

static const struct {
	const char *before;
	bool has_th, has_rv;
	uint64_t th, rv;
	const char *after;
} updates[] = {
	{ "", true, false, 0xc0000000000000, 0, "ot=th:c" },
	{ "", true, false, 0, 0, "ot=th:0" },
	{ "", true, true, 1, 2, "ot=th:00000000000001;rv:00000000000002" },
	{ "", false, false, 0, 0, "" },
	{ "a=1,b=2", true, false, 0x80000000000000, 0, "ot=th:8,a=1,b=2" },
	{ "a=1,ot=th:c,b=2", true, false, 0x80000000000000, 0, "ot=th:8,a=1,b=2" },
	{ "a=1,ot=th:c", false, false, 0, 0, "a=1" },
	{ "ot=p:q;th:c;r:s", true, true, 0x10000000000000, 0xf,
	  "ot=th:1;rv:0000000000000f;p:q;r:s" },
	{ "ot=p:q", false, false, 0, 0, "ot=p:q" },
	{ "ot=p:q ;", false, false, 0, 0, "ot=p:q" },
	{ "ot= ;", false, false, 0, 0, "" },
	{ "ot=x:y,a=1,ot=th:8", false, false, 0, 0, "ot=x:y,a=1" },
	{ TEN("0") "," TEN("1") "," TEN("2") ",y=1,z=2", true, false,
	  0x80000000000000, 0, "ot=th:8," TEN("0") "," TEN("1") "," TEN("2") ",y=1" },
	{ "ot=" X255 ",z=1", true, false, 0x80000000000000, 0, "ot=th:8,z=1" },
	{ "a=" X64 ",b=" X64 ",c=" X64 ",d=" X64 ",e=" X64 ",f=" X64 ",g=" X64 ",h=" X16 X16 "xxx",
	  true, false, 0x80000000000000, 0,
	  "ot=th:8,a=" X64 ",b=" X64 ",c=" X64 ",d=" X64 ",e=" X64 ",f=" X64 ",g=" X64 },
};

static void update(void **state)
{
	struct obs_trace_context context;
	size_t i;

	(void)state;
	for (i = 0; i < NR(updates); i++) {
		memset(&context, 0, sizeof(context));
		strcpy(context.tracestate, updates[i].before);
		context.has_th = updates[i].has_th;
		context.has_rv = updates[i].has_rv;
		context.th = updates[i].th;
		context.rv = updates[i].rv;
		obs_trace_update(&context);
		assert_string_equal(updates[i].after, context.tracestate);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(tracestate),
		cmocka_unit_test(tracestate_of_no_ot),
		cmocka_unit_test(tracestate_at_a_glance),
		cmocka_unit_test(tracestate_is_plain),
		cmocka_unit_test(opentelemetry),
		cmocka_unit_test(update),
	};

	return cmocka_run_group_tests_name("tracestate", tests, NULL, NULL);
}
