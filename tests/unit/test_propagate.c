// SPDX-License-Identifier: MIT
/*
 * Trace context in headers: what each format's specification says, in tables;
 * what goes out comes back; precedence between the formats; what is counted; and
 * that nothing is allocated.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <libobsring/propagate.h>

#define NR(array) (sizeof(array) / sizeof((array)[0]))

#define TRACE	"4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN	"00f067aa0ba902b7"
#define PARENT	"00-" TRACE "-" SPAN

static void add(struct obs_trace_headers *headers, const char *name, const char *value)
{
	obs_trace_headers_add(headers, name, strlen(name), value, strlen(value));
}

static struct obs_bytes bytes(const char *text)
{
	return obs_bytes(text, strlen(text));
}

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

static void assert_ids(const struct obs_trace_context *context)
{
	uint8_t trace_id[16], span_id[8];

	assert_true(obs_hex_decode(TRACE, trace_id, 16));
	assert_true(obs_hex_decode(SPAN, span_id, 8));
	assert_memory_equal(trace_id, context->trace_id, 16);
	assert_memory_equal(span_id, context->span_id, 8);
}

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

/* ---- tracestate ---------------------------------------------------------- */

#define X15	"xxxxxxxxxxxxxxx"
#define X16	"xxxxxxxxxxxxxxxx"
#define X64	X16 X16 X16 X16
#define X126	X64 X16 X16 X15 X15
#define X128	X64 X64
#define X255	X128 X64 X16 X16 X16 X15
#define X256	X128 X128
#define TEN(n)	"a" n "0=0,a" n "1=1,a" n "2=2,a" n "3=3,a" n "4=4,a" n "5=5,a" n "6=6,a" n "7=7,a" n "8=8,a" n "9=9"

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

/* ---- tracestate at a glance ---------------------------------------------- */

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

static const char grpc[OBS_GRPC_TRACE_LEN] =
	"\0\0\x4b\xf9\x2f\x35\x77\xb3\x4d\xa6\xa3\xce\x92\x9d\x0e\x0e\x47\x36"
	"\1\x00\xf0\x67\xaa\x0b\xa9\x02\xb7\2\1";

/* From Python's base64. */
#define GRPC64	"AABL+S81d7NNpqPOkp0ODkc2AQDwZ6oLqQK3AgE"

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

/* ---- Together ------------------------------------------------------------ */

struct out {
	unsigned int nr;
	size_t len;
	char line[8][700];
};

static int put(const char *name, const char *value, size_t len, void *arg)
{
	struct out *out = arg;

	assert_true(out->nr < NR(out->line));
	snprintf(out->line[out->nr++], sizeof(out->line[0]), "%s: %.*s", name,
		 (int)len, value);
	return 0;
}

static int refuse(const char *name, const char *value, size_t len, void *arg)
{
	(void)name, (void)value, (void)len;
	++*(int *)arg;
	return 42;
}

static void precedence(void **state)
{
	struct obs_trace_headers headers;
	struct obs_trace_context context;
	unsigned int dropped;

	(void)state;
	obs_trace_headers_init(&headers);
	/* The worst first: each that is added comes before what was there. */
	assert_int_equal(OBS_TRACE_NONE, obs_trace_extract(&headers, &context, &dropped));
	assert_int_equal(0, dropped);
	assert_int_equal(OBS_TRACE_RANDOM, context.flags);
	obs_trace_headers_add(&headers, "grpc-trace-bin", 14, grpc, sizeof(grpc));
	add(&headers, "tracestate", "a=1");
	assert_int_equal(OBS_TRACE_GRPC, obs_trace_extract(&headers, &context, &dropped));
	assert_int_equal(OBS_TRACE_NO_TRACESTATE, dropped);
	assert_string_equal("", context.tracestate);
	assert_ids(&context);
	add(&headers, "X-B3-Sampled", "0");
	assert_int_equal(OBS_TRACE_B3_MULTI, obs_trace_extract(&headers, &context, &dropped));
	assert_int_equal(OBS_TRACE_RANDOM, context.flags);
	add(&headers, "B3", "d");
	assert_int_equal(OBS_TRACE_B3_SINGLE, obs_trace_extract(&headers, &context, &dropped));
	assert_true(context.debug);
	assert_int_equal(OBS_TRACE_RANDOM | OBS_TRACE_SAMPLED, context.flags);
	add(&headers, "TraceParent", PARENT "-03");
	assert_int_equal(OBS_TRACE_W3C, obs_trace_extract(&headers, &context, &dropped));
	assert_int_equal(0, dropped);
	assert_string_equal("a=1", context.tracestate);
	assert_false(context.debug);
	assert_ids(&context);
	/* Two are none. */
	add(&headers, "traceparent", PARENT "-03");
	assert_int_equal(OBS_TRACE_B3_SINGLE, obs_trace_extract(&headers, &context, &dropped));
	assert_int_equal(OBS_TRACE_BAD_TRACEPARENT | OBS_TRACE_NO_TRACESTATE, dropped);
	assert_string_equal("", context.tracestate);
}

static void all_bad(void **state)
{
	struct obs_trace_headers headers;
	struct obs_trace_context context;
	unsigned int dropped, i;

	(void)state;
	obs_trace_headers_init(&headers);
	add(&headers, "traceparent", "00-" TRACE);
	add(&headers, "b3", "x");
	add(&headers, "x-b3-traceid", "x");
	add(&headers, "grpc-trace-bin", "x");
	add(&headers, "trace-parent", PARENT "-01");
	assert_int_equal(OBS_TRACE_NONE, obs_trace_extract(&headers, &context, &dropped));
	assert_int_equal(OBS_TRACE_BAD_TRACEPARENT | OBS_TRACE_BAD_B3 |
			 OBS_TRACE_BAD_B3_MULTI | OBS_TRACE_BAD_GRPC, dropped);
	assert_false(obs_id_is_zero(context.trace_id, 16));
	assert_false(obs_id_is_zero(context.span_id, 8));

	obs_trace_headers_init(&headers);
	add(&headers, "traceparent", PARENT "-01");
	add(&headers, "tracestate", "no");
	assert_int_equal(OBS_TRACE_W3C, obs_trace_extract(&headers, &context, &dropped));
	assert_int_equal(OBS_TRACE_BAD_TRACESTATE, dropped);
	assert_string_equal("", context.tracestate);

	obs_trace_headers_init(&headers);
	add(&headers, "traceparent", PARENT "-01");
	for (i = 0; i < OBS_TRACE_HEADER_VALUES; i++)
		add(&headers, "tracestate", "");
	assert_int_equal(OBS_TRACE_W3C, obs_trace_extract(&headers, &context, &dropped));
	assert_int_equal(0, dropped);
	for (i = 0; i < 3; i++)
		add(&headers, "tracestate", "");
	assert_int_equal(OBS_TRACE_W3C, obs_trace_extract(&headers, &context, &dropped));
	assert_int_equal(OBS_TRACE_BAD_TRACESTATE, dropped);
}

static void inject(void **state)
{
	struct obs_trace_headers headers;
	struct obs_trace_context context, back;
	struct out out = { 0 };
	int calls = 0;

	(void)state;
	obs_trace_headers_init(&headers);
	add(&headers, "traceparent", PARENT "-01");
	add(&headers, "tracestate", "a=1");
	obs_trace_extract(&headers, &context, NULL);
	assert_int_equal(0, obs_trace_inject(&context,
					     OBS_TRACE_W3C | OBS_TRACE_B3_SINGLE |
					     OBS_TRACE_B3_MULTI | OBS_TRACE_GRPC,
					     put, &out));
	assert_int_equal(7, out.nr);
	assert_string_equal("traceparent: " PARENT "-01", out.line[0]);
	assert_string_equal("tracestate: a=1", out.line[1]);
	assert_string_equal("b3: " TRACE "-" SPAN "-1", out.line[2]);
	assert_string_equal("X-B3-TraceId: " TRACE, out.line[3]);
	assert_string_equal("X-B3-SpanId: " SPAN, out.line[4]);
	assert_string_equal("X-B3-Sampled: 1", out.line[5]);
	assert_string_equal("grpc-trace-bin: " GRPC64, out.line[6]);
	assert_int_equal(42, obs_trace_inject(&context, OBS_TRACE_W3C | OBS_TRACE_GRPC,
					      refuse, &calls));
	assert_int_equal(1, calls);

	/* A child: the same trace, another span. */
	back = context;
	obs_trace_child(&back);
	assert_memory_equal(context.trace_id, back.trace_id, 16);
	assert_memory_not_equal(context.span_id, back.span_id, 8);
	assert_string_equal("a=1", back.tracestate);
}

static int measure(const char *name, const char *value, size_t len, void *arg)
{
	(void)name, (void)value;
	((struct out *)arg)->nr++;
	((struct out *)arg)->len += len;
	return 0;
}

static void baggage(void **state)
{
	struct obs_trace_headers headers;
	static char big[8193 + 1];
	struct out out = { 0 };
	unsigned int i;

	(void)state;
	obs_trace_headers_init(&headers);
	memset(big, 'x', sizeof(big) - 1);
	add(&headers, "Baggage", "userId=alice,serverNode=DF%2028;p=1");
	add(&headers, "baggage", "a=\n");
	add(&headers, "baggage", "");
	add(&headers, "baggage", big);
	add(&headers, "baggage", "b=2");
	assert_int_equal(0, obs_baggage_inject(&headers, put, &out));
	assert_int_equal(2, out.nr);
	assert_string_equal("baggage: userId=alice,serverNode=DF%2028;p=1", out.line[0]);
	assert_string_equal("baggage: b=2", out.line[1]);

	/* What anyone must pass on: 64 members, each a header of its own. */
	obs_trace_headers_init(&headers);
	for (i = 0; i < 64; i++)
		obs_trace_headers_add(&headers, "baggage", 7, big, 127);
	out.nr = 0;
	assert_int_equal(0, obs_baggage_inject(&headers, measure, &out));
	assert_int_equal(64, out.nr);
	add(&headers, "baggage", "a=1");
	out.nr = 0;
	assert_int_equal(0, obs_baggage_inject(&headers, measure, &out));
	assert_int_equal(64, out.nr);
	/* 8192 bytes in all, with a comma; of what is more, what has room. */
	obs_trace_headers_init(&headers);
	obs_trace_headers_add(&headers, "baggage", 7, big, 4096);
	obs_trace_headers_add(&headers, "baggage", 7, big, 4096);
	obs_trace_headers_add(&headers, "baggage", 7, big, 4095);
	obs_trace_headers_add(&headers, "baggage", 7, "", 0);
	obs_trace_headers_add(&headers, "baggage", 7, "x", 1);
	out = (struct out){ 0 };
	assert_int_equal(0, obs_baggage_inject(&headers, measure, &out));
	assert_int_equal(2, out.nr);
	assert_int_equal(4096 + 4095, out.len);
	assert_int_equal(42, obs_baggage_inject(&headers, refuse, &i));
}

/* Keys and values of a message are bytes: no NUL, and there may be no value. */
static void kafka(void **state)
{
	static const char message[] = "traceparent" PARENT "-01tracestatea=1,b=2x";
	const char *value = message + 11, *key = value + OBS_TRACEPARENT_LEN;
	struct obs_trace_headers headers;
	struct obs_trace_context context;
	unsigned int dropped;

	(void)state;
	obs_trace_headers_init(&headers);
	obs_trace_headers_add(&headers, message, 11, value, OBS_TRACEPARENT_LEN);
	obs_trace_headers_add(&headers, key, 10, key + 10, 7);
	assert_int_equal(OBS_TRACE_W3C, obs_trace_extract(&headers, &context, &dropped));
	assert_int_equal(0, dropped);
	assert_ids(&context);
	assert_string_equal("a=1,b=2", context.tracestate);

	/* One behind the other, with a byte between them that is no comma. */
	obs_trace_headers_init(&headers);
	obs_trace_headers_add(&headers, message, 11, value, OBS_TRACEPARENT_LEN);
	obs_trace_headers_add(&headers, "tracestate", 10, "a=1;b=2", 3);
	obs_trace_headers_add(&headers, "tracestate", 10, headers.tracestate[0].at + 4, 3);
	obs_trace_extract(&headers, &context, &dropped);
	assert_string_equal("a=1,b=2", context.tracestate);

	obs_trace_headers_add(&headers, "tracestate", 10, NULL, 0);
	obs_trace_headers_add(&headers, "tracestate", 10, "c=\0", 3);
	obs_trace_headers_add(&headers, "baggage", 7, NULL, 0);
	assert_int_equal(OBS_TRACE_W3C, obs_trace_extract(&headers, &context, &dropped));
	assert_int_equal(OBS_TRACE_BAD_TRACESTATE, dropped);
	assert_int_equal(0, obs_baggage_inject(&headers, refuse, NULL));

	obs_trace_headers_init(&headers);
	obs_trace_headers_add(&headers, "traceparent", 11, NULL, 0);
	obs_trace_headers_add(&headers, "b3", 2, NULL, 0);
	obs_trace_headers_add(&headers, "grpc-trace-bin", 14, NULL, 0);
	assert_int_equal(OBS_TRACE_NONE, obs_trace_extract(&headers, &context, &dropped));
	assert_int_equal(OBS_TRACE_BAD_TRACEPARENT, dropped);
}

/* ---- Counts -------------------------------------------------------------- */

#define HEADERS_MAX 4

static const struct {
	const char *header[HEADERS_MAX][2];
	const char *counted[3];
} counteds[] = {
	{ { { "Accept", "x" } }, { "new" } },
	{ { { "traceparent", PARENT "-01" } }, { "w3c" } },
	{ { { "traceparent", PARENT "-01" }, { "tracestate", "x" } },
	  { "w3c", "bad_tracestate" } },
	{ { { "traceparent", PARENT "-01" }, { "tracestate", X256 "=" X256 } },
	  { "w3c", "cut_tracestate" } },
	{ { { "traceparent", "x" }, { "tracestate", "a=1" }, { "b3", "1" } },
	  { "b3", "bad_traceparent", "tracestate_alone" } },
	{ { { "b3", "x" }, { "X-B3-Sampled", "1" } }, { "b3_multi", "bad_b3" } },
	{ { { "X-B3-Sampled", "x" }, { "grpc-trace-bin", GRPC64 } },
	  { "grpc", "bad_b3_multi" } },
	{ { { "grpc-trace-bin", "x" } }, { "new", "bad_grpc" } },
	{ { { "traceparent", PARENT "-01" }, { "baggage", "a=1" }, { "baggage", "\x01" } },
	  { "w3c", "bad_baggage" } },
};

/* What is counted for a row, in a process of its own: it begins with 0. */
static int counted_again(size_t row)
{
	uint64_t counts[OBS_TRACE_RESULTS], expected[OBS_TRACE_RESULTS] = { 0 };
	struct obs_trace_headers headers;
	struct obs_trace_context context;
	struct out out = { 0 };
	size_t i, named;

	obs_trace_headers_init(&headers);
	for (i = 0; i < HEADERS_MAX && counteds[row].header[i][0]; i++)
		add(&headers, counteds[row].header[i][0], counteds[row].header[i][1]);
	obs_trace_extract(&headers, &context, NULL);
	obs_baggage_inject(&headers, measure, &out);
	obs_trace_counts(counts);
	for (named = 0; named < 3 && counteds[row].counted[named]; named++)
		for (i = 0; i < OBS_TRACE_RESULTS; i++)
			if (!strcmp(counteds[row].counted[named], obs_trace_result_name(i)))
				expected[i] = 1;
	return memcmp(expected, counts, sizeof(counts)) != 0;
}

static void counted(void **state)
{
	size_t i;
	int status;

	(void)state;
	assert_string_equal("", obs_trace_result_name(OBS_TRACE_RESULTS));
	for (i = 0; i < NR(counteds); i++) {
		if (!fork())
			_exit(counted_again(i));
		assert_true(wait(&status) > 0);
		if (status)
			fail_msg("row %zu", i);
	}
}

#define COUNTERS 40
#define TIMES	5000

static void *count_many(void *unused)
{
	struct obs_trace_headers headers;
	struct obs_trace_context context;
	int i;

	obs_trace_headers_init(&headers);
	add(&headers, "traceparent", PARENT "-01");
	for (i = 0; i < TIMES; i++)
		obs_trace_extract(&headers, &context, NULL);
	return unused;
}

/* More threads than sets: none is lost. */
static void counted_by_threads(void **state)
{
	uint64_t before[OBS_TRACE_RESULTS], after[OBS_TRACE_RESULTS];
	pthread_t thread[COUNTERS];
	int i;

	(void)state;
	obs_trace_counts(before);
	for (i = 0; i < COUNTERS; i++)
		assert_int_equal(0, pthread_create(&thread[i], NULL, count_many, NULL));
	for (i = 0; i < COUNTERS; i++)
		pthread_join(thread[i], NULL);
	obs_trace_counts(after);
	assert_int_equal(COUNTERS * TIMES,
			 after[OBS_TRACE_USED_W3C] - before[OBS_TRACE_USED_W3C]);
}

/* ---- Memory -------------------------------------------------------------- */

/* Of the sanitizers' runtime; gcc has no header for it. */
__attribute__((weak))
int __sanitizer_install_malloc_and_free_hooks(void (*allocated)(const volatile void *, size_t),
					      void (*freed)(const volatile void *));

static unsigned int nr_allocated;

static void allocated(const volatile void *unused, size_t size)
{
	(void)unused, (void)size;
	nr_allocated++;
}

static void freed(const volatile void *unused)
{
	(void)unused;
}

/* Every parser with what it takes, and what it refuses; every way out. */
static void use_everything(void)
{
	static const char *const header[][2] = {
		{ "traceparent", PARENT "-01" }, { "tracestate", TEN("0") "," TEN("1") },
		{ "b3", TRACE "-" SPAN "-1" }, { "X-B3-TraceId", TRACE },
		{ "X-B3-SpanId", SPAN }, { "grpc-trace-bin", GRPC64 },
		{ "baggage", "a=1" },
	};
	const unsigned int all = OBS_TRACE_W3C | OBS_TRACE_B3_SINGLE | OBS_TRACE_B3_MULTI |
				 OBS_TRACE_GRPC;
	struct obs_trace_headers headers;
	struct obs_trace_context context;
	struct out out = { 0 };
	size_t first, i;

	for (first = 0; first <= NR(header); first++) {
		obs_trace_headers_init(&headers);
		add(&headers, "traceparent", "x");
		for (i = first; i < NR(header); i++)
			add(&headers, header[i][0], header[i][1]);
		if (!first)
			headers.nr_traceparent = 1, headers.traceparent = bytes(header[0][1]);
		obs_trace_extract(&headers, &context, NULL);
		obs_trace_child(&context);
		context.has_th = true;
		context.th = first;
		obs_trace_update(&context);
		obs_trace_inject(&context, all, measure, &out);
		obs_baggage_inject(&headers, measure, &out);
	}
}

static void nothing_is_allocated(void **state)
{
	void *volatile probe;	/* else it is optimized away */

	(void)state;
	/* Built for coverage, without sanitizers: it reaches all the same, and sees nothing. */
	if (!&__sanitizer_install_malloc_and_free_hooks) {
		use_everything();
		skip();
	}
	assert_int_not_equal(0, __sanitizer_install_malloc_and_free_hooks(allocated, freed));
	nr_allocated = 0;
	use_everything();
	assert_int_equal(0, nr_allocated);
	/* It would have been seen. */
	probe = malloc(1);
	assert_int_equal(1, nr_allocated);
	free(probe);
}

static void child_ids(int out)
{
	struct obs_trace_context context;

	obs_trace_new(&context, false);
	_exit(write(out, context.trace_id, 16) != 16);
}

/* Parent and children began with the same generator. */
static void fork_has_ids_of_its_own(void **state)
{
	struct obs_trace_context context;
	uint8_t id[3][16];
	int fds[2], i;

	(void)state;
	obs_trace_new(&context, false);
	assert_int_equal(0, pipe(fds));
	for (i = 0; i < 2; i++)
		if (!fork())
			child_ids(fds[1]);
	obs_trace_new(&context, true);
	memcpy(id[0], context.trace_id, 16);
	assert_int_equal(16, read(fds[0], id[1], 16));
	assert_int_equal(16, read(fds[0], id[2], 16));
	while (wait(NULL) > 0)
		;
	assert_memory_not_equal(id[0], id[1], 16);
	assert_memory_not_equal(id[0], id[2], 16);
	assert_memory_not_equal(id[1], id[2], 16);
	assert_int_equal(OBS_TRACE_RANDOM | OBS_TRACE_SAMPLED, context.flags);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(traceparent),
		cmocka_unit_test(tracestate),
		cmocka_unit_test(tracestate_at_a_glance),
		cmocka_unit_test(tracestate_is_plain),
		cmocka_unit_test(opentelemetry),
		cmocka_unit_test(update),
		cmocka_unit_test(b3_single),
		cmocka_unit_test(b3_short_trace_id),
		cmocka_unit_test(b3_multi),
		cmocka_unit_test(grpc_trace),
		cmocka_unit_test(precedence),
		cmocka_unit_test(all_bad),
		cmocka_unit_test(inject),
		cmocka_unit_test(baggage),
		cmocka_unit_test(kafka),
		cmocka_unit_test(counted),
		cmocka_unit_test(counted_by_threads),
		cmocka_unit_test(nothing_is_allocated),
		cmocka_unit_test(fork_has_ids_of_its_own),
	};

	return cmocka_run_group_tests_name("propagate", tests, NULL, NULL);
}
