// SPDX-License-Identifier: MIT
/* Lines that processes write: what each is taken apart to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <obsring/logline.h>

#define NR(array) (sizeof(array) / sizeof((array)[0]))

#define PARENT "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
#define TRACE "traceparent=" PARENT " "
#define OT(value) TRACE "tracestate=" value " m"

static void parse(const char *text, size_t len, struct obs_logline *ret, char **copy)
{
	/* Of that size exactly: reading beyond it would be seen. */
	*copy = malloc(len + !len);
	assert_non_null(*copy);
	memcpy(*copy, text, len);
	obs_logline_parse(*copy, len, ret);
}

static void test_parts(void **state)
{
	static const struct {
		const char *line;
		__u8 level;
		const char *service, *message;
		bool trace;
	} cases[] = {
		{ "", 6, "", "", false },
		{ "hello", 6, "", "hello", false },
		{ "<0>x", 0, "", "x", false },
		{ "<191>x", 7, "", "x", false },
		{ "<192>x", 6, "", "<192>x", false },
		{ "<4x", 6, "", "<4x", false },
		{ "<>x", 6, "", "<>x", false },
		{ "<4>service=a b", 4, "a", "b", false },
		{ "service=a", 6, "a", "", false },
		{ "service= b", 6, "", "service= b", false },
		{ "service=a service=b c", 6, "a", "service=b c", false },
		{ "service=a  b", 6, "a", " b", false },
		{ TRACE "m", 6, "", "m", true },
		{ "<3>" TRACE "service=a m", 3, "a", "m", true },
		{ "service=a " TRACE "m", 6, "a", "m", true },
		{ "traceparent=00-0AF7 bad", 6, "", "traceparent=00-0AF7 bad", false },
		{ "traceparent=" PARENT, 6, "", "", true },
		{ TRACE TRACE "m", 6, "", TRACE "m", true },
		/* The list may stand anywhere, and alone. */
		{ "tracestate=a=1 m", 6, "", "m", false },
		{ "tracestate=a=1 service=s " TRACE "m", 6, "s", "m", true },
		{ "tracestate=a=1 tracestate=b=2 m", 6, "", "tracestate=b=2 m", false },
		{ "tracestate= m", 6, "", "tracestate= m", false },
		{ "tracestate=a\tb m", 6, "", "tracestate=a\tb m", false },
		{ "tracestate=\x80 m", 6, "", "tracestate=\x80 m", false },
		{ "tracestate=a=1", 6, "", "", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < NR(cases); i++) {
		struct obs_logline l;
		char *copy;

		parse(cases[i].line, strlen(cases[i].line), &l, &copy);
		if (l.level != cases[i].level || l.has_trace != cases[i].trace || l.has_rv ||
		    l.service_len != strlen(cases[i].service) ||
		    memcmp(l.service ? l.service : "", cases[i].service, l.service_len) ||
		    l.message_len != strlen(cases[i].message) ||
		    memcmp(l.message, cases[i].message, l.message_len))
			fail_msg("'%s': level %u, service '%.*s', message '%.*s'",
				 cases[i].line, l.level, (int)l.service_len,
				 l.service ? l.service : "", (int)l.message_len, l.message);
		free(copy);
	}
}

/* OpenTelemetry's explicit randomness. */
static void test_rv(void **state)
{
	static const struct {
		const char *line;
		bool has_rv;
		__u64 rv;
	} cases[] = {
		{ OT("ot=rv:0123456789abcd"), true, 0x0123456789abcdULL },
		{ OT("ot=rv:ffffffffffffff"), true, 0xffffffffffffffULL },
		{ OT("ot=rv:00000000000000"), true, 0 },
		{ OT("ot=th:8;rv:7479cfb506891d"), true, 0x7479cfb506891dULL },
		{ OT("ot=rv:7479cfb506891d;th:8"), true, 0x7479cfb506891dULL },
		{ OT("a=1,ot=p:8;rv:7479cfb506891d;x:1,b=2"), true, 0x7479cfb506891dULL },
		{ "tracestate=ot=rv:7479cfb506891d traceparent=" PARENT " m", true,
		  0x7479cfb506891dULL },
		/* 14 lower-case digits, of that key in that member, beside a traceparent. */
		{ OT("ot=rv:7479cfb506891"), false, 0 },
		{ OT("ot=rv:7479cfb506891dd"), false, 0 },
		{ OT("ot=rv:7479CFB506891D"), false, 0 },
		{ OT("ot=rv:7479cfb506891g"), false, 0 },
		{ OT("ot=xrv:7479cfb506891"), false, 0 },
		{ OT("ot=rv7479cfb506891d0"), false, 0 },
		{ OT("ot=x:rv:7479cfb506891d"), false, 0 },
		{ OT("a=rv:7479cfb506891d"), false, 0 },
		{ OT("not=rv:7479cfb506891d"), false, 0 },
		{ OT("a@ot=rv:7479cfb506891d"), false, 0 },
		{ OT("ot=th:8,a=rv:7479cfb506891d"), false, 0 },
		{ OT("ot="), false, 0 },
		{ OT("ot=;;"), false, 0 },
		{ OT(",,;"), false, 0 },
		{ "tracestate=ot=rv:7479cfb506891d m", false, 0 },
		{ "traceparent=00-0AF7 tracestate=ot=rv:7479cfb506891d m", false, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < NR(cases); i++) {
		struct obs_logline l;
		char *copy;

		parse(cases[i].line, strlen(cases[i].line), &l, &copy);
		if (l.has_rv != cases[i].has_rv || (l.has_rv && l.rv != cases[i].rv))
			fail_msg("'%s': %d %llx", cases[i].line, l.has_rv, l.rv);
		free(copy);
	}
}

/* Fields as "key=value;" each, a NUL in neither. */
static void fields_text(const struct obs_logline *line, __u32 size, char *text, bool *cut)
{
	char *fields = malloc(size + !size), *at = fields, *end;

	assert_non_null(fields);
	end = fields + obs_logline_fields(line, fields, size, cut);
	assert_true(end <= fields + size);
	*text = '\0';
	while (at < end) {
		text += sprintf(text, "%s=", at);
		at += strlen(at) + 1;
		text += sprintf(text, "%s;", at);
		at += strlen(at) + 1;
	}
	assert_ptr_equal(at, end);
	free(fields);
}

static void test_fields(void **state)
{
	static const struct {
		const char *line, *fields, *message;
	} cases[] = {
		{ ".a=1 m", "a=1;", "m" },
		{ ".a=1", "a=1;", "" },
		{ "<4>service=s .disk=sda .used-%=1 m", "disk=sda;", ".used-%=1 m" },
		{ ".a=1 service=s " TRACE ".http.status_code=200 .A-z=_ GET /",
		  "a=1;http.status_code=200;A-z=_;", "GET /" },
		{ ".a=1 .a=2  m", "a=1;a=2;", " m" },
		{ ".a=\"b c\" m", "a=b c;", "m" },
		{ ".a=\"\" .b=\"\\\"\\\\\\n\\r\\t\\x01\\xff=;\"", "a=;b=\"\\\n\r\t\001\xff=;;", "" },
		{ ".a=b\\n=c m", "a=b\\n=c;", "m" },
		{ ".a=\xc3\xa9 m", "a=\xc3\xa9;", "m" },
		/* Of names that are ours the reader is shown others. */
		{ ".pid=1 m", "pid=1;", "m" },
		/* Behind the dot all is message. */
		{ ".a=1 . .b=2 m", "a=1;", ".b=2 m" },
		{ ". service=s m", "", "service=s m" },
		{ "<4>.  m", "", " m" },
		{ ".", "", "." },
		{ "..", "", ".." },
		{ ". ", "", "" },
		/* Not of the form. */
		{ ".a m", "", ".a m" },
		{ ".a= m", "", ".a= m" },
		{ ".=1 m", "", ".=1 m" },
		{ "..=1 m", ".=1;", "m" },
		{ ".a:b=1 m", "", ".a:b=1 m" },
		{ ".a=1\t.b=2 m", "", ".a=1\t.b=2 m" },
		{ ".a=1\x7f m", "", ".a=1\x7f m" },
		{ ".a=b\"c m", "", ".a=b\"c m" },
		{ ".a=\"b m", "", ".a=\"b m" },
		{ ".a=\"b\"c m", "", ".a=\"b\"c m" },
		{ ".a=\"\t\" m", "", ".a=\"\t\" m" },
		{ ".a=\"\\a\" m", "", ".a=\"\\a\" m" },
		{ ".a=\"\\x00\" m", "", ".a=\"\\x00\" m" },
		{ ".a=\"\\xFF\" m", "", ".a=\"\\xFF\" m" },
		{ ".a=\"\\x0", "", ".a=\"\\x0" },
		{ ".a=\"\\", "", ".a=\"\\" },
		{ "a=1 .b=2 m", "", "a=1 .b=2 m" },
	};
	char text[OBSRING_FIELDS_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < NR(cases); i++) {
		struct obs_logline l;
		bool cut = false;
		char *copy;

		parse(cases[i].line, strlen(cases[i].line), &l, &copy);
		fields_text(&l, OBSRING_FIELDS_MAX, text, &cut);
		if (cut || strcmp(text, cases[i].fields) ||
		    l.message_len != strlen(cases[i].message) ||
		    memcmp(l.message, cases[i].message, l.message_len))
			fail_msg("'%s': fields '%s', message '%.*s'", cases[i].line, text,
				 (int)l.message_len, l.message);
		free(copy);
	}
}

/* Each room: a field is there whole, or it is not and the record is cut. */
static void test_fields_room(void **state)
{
	static const char line[] = ".a=12 .bb=\"\\x33\" .c=4 m";
	static const char *const expected[] = {
		[0] = "", [4] = "c=4;", [5] = "a=12;", [9] = "a=12;c=4;",
		[10] = "a=12;bb=3;", [14] = "a=12;bb=3;c=4;",
	};
	char text[OBSRING_FIELDS_MAX];
	struct obs_logline l;
	__u32 size;
	char *copy;
	bool cut;

	(void)state;
	parse(line, strlen(line), &l, &copy);
	for (size = 0; size < NR(expected); size++) {
		cut = false;
		fields_text(&l, size, text, &cut);
		assert_int_equal(size < 14, cut);
		if (expected[size])
			assert_string_equal(expected[size], text);
	}
	free(copy);
}

static void test_limits(void **state)
{
	char line[2 * OBS_LOGLINE_TRACESTATE_MAX];
	struct obs_logline l;
	size_t n;
	char *copy;

	(void)state;
	for (n = OBS_LOGLINE_TRACESTATE_MAX - 1; n <= OBS_LOGLINE_TRACESTATE_MAX + 1; n++) {
		memset(line, 'a', sizeof(line));
		memcpy(line, "tracestate=", 11);
		memcpy(line + 11 + n, " m", 2);
		parse(line, 11 + n + 2, &l, &copy);
		assert_int_equal(l.message_len, n > OBS_LOGLINE_TRACESTATE_MAX ? 13 + n : 1);
		free(copy);
	}
	for (n = OBSRING_SOURCE_MAX; n <= OBSRING_SOURCE_MAX + 1; n++) {
		memset(line, 'a', sizeof(line));
		memcpy(line, "service=", 8);
		parse(line, 8 + n, &l, &copy);
		assert_int_equal(l.service_len, n > OBSRING_SOURCE_MAX ? 0 : n);
		free(copy);
	}
	for (n = OBS_LOGLINE_KEY_MAX; n <= OBS_LOGLINE_KEY_MAX + 1; n++) {
		memset(line, 'a', sizeof(line));
		line[0] = '.';
		memcpy(line + 1 + n, "=1 m", 4);
		parse(line, 1 + n + 4, &l, &copy);
		assert_int_equal(l.message_len, n > OBS_LOGLINE_KEY_MAX ? 1 + n + 4 : 1);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_rv),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_fields_room),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests_name("logline", tests, NULL, NULL);
}
