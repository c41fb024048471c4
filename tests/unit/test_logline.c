// SPDX-License-Identifier: MIT
/* Lines that processes write: what each is taken apart to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_rv),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests_name("logline", tests, NULL, NULL);
}
