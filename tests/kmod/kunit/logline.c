// SPDX-License-Identifier: GPL-2.0-only
/* The grammar of lines that processes write: what is not exactly of it is message. */
#include <kunit/test.h>

#include <linux/obsring.h>
#include <obsring/logline.h>

#define TRACEPARENT	"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
#define TRACE		"traceparent=" TRACEPARENT " "

/**
 * struct example - a line and what it says
 * @line: as it is written
 * @level: 0 to 7
 * @service: empty: none
 * @message: what is left
 * @fields: "key=value," repeated
 * @trace: it has one
 * @rv: 0: none
 */
struct example {
	const char *line;
	u8 level;
	const char *service;
	const char *message;
	const char *fields;
	bool trace;
	u64 rv;
};

static const struct example examples[] = {
	{ "", 6, "", "", "" },
	{ "disk full", 6, "", "disk full", "" },
	{ "<4>disk full", 4, "", "disk full", "" },
	{ "<191>x", 7, "", "x", "" },
	{ "<192>x", 6, "", "<192>x", "" },
	{ "<0x>x", 6, "", "<0x>x", "" },
	{ "<>x", 6, "", "<>x", "" },
	{ "<4", 6, "", "<4", "" },
	{ "<0004>x", 6, "", "<0004>x", "" },
	{ "<3>service=backup went", 3, "backup", "went", "" },
	{ "service=backup", 6, "backup", "", "" },
	{ "service= x", 6, "", "service= x", "" },
	{ "service=a service=b x", 6, "a", "service=b x", "" },
	{ " service=a", 6, "", " service=a", "" },
	{ TRACE "x", 6, "", "x", "", true },
	{ TRACE TRACE "x", 6, "", TRACE "x", "", true },
	{ "traceparent=00-0 x", 6, "", "traceparent=00-0 x", "" },
	{ "traceparent=00-00000000000000000000000000000000-00f067aa0ba902b7-01 x", 6, "",
	  "traceparent=00-00000000000000000000000000000000-00f067aa0ba902b7-01 x", "" },
	{ "traceparent=ff" TRACEPARENT " x", 6, "", "traceparent=ff" TRACEPARENT " x", "" },
	{ "traceparent=" TRACEPARENT "-x y", 6, "", "traceparent=" TRACEPARENT "-x y", "" },
	{ "traceparent=01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what x", 6, "",
	  "x", "", true },
	{ TRACE "tracestate=a=b,ot=th:8;rv:00000000000102 x", 6, "", "x", "", true, 0x102 },
	{ "tracestate=ot=rv:00000000000102 x", 6, "", "x", "" },
	{ TRACE "tracestate=ot=rv:0000000000010G x", 6, "", "x", "", true },
	{ TRACE "tracestate=ot=rv:000102 x", 6, "", "x", "", true },
	{ ".disk=sda full", 6, "", "full", "disk=sda," },
	{ ".disk=sda .n=1 . .x=y", 6, "", ".x=y", "disk=sda,n=1," },
	{ ".a=\"b c\" x", 6, "", "x", "a=b c," },
	{ ".a=\"\\\"\\\\\\n\\x41\" x", 6, "", "x", "a=\"\\\nA," },
	{ ".a=\"\" x", 6, "", "x", "a=," },
	{ ".a= x", 6, "", ".a= x", "" },
	{ ".=b x", 6, "", ".=b x", "" },
	{ ".a=b\"c x", 6, "", ".a=b\"c x", "" },
	{ ".a=\"b x", 6, "", ".a=\"b x", "" },
	{ ".a=\"\\x00\" x", 6, "", ".a=\"\\x00\" x", "" },
	{ ".a=\"\\x4G\" x", 6, "", ".a=\"\\x4G\" x", "" },
	{ ".a=\"b\"c x", 6, "", ".a=\"b\"c x", "" },
	{ ".a=\"b\\", 6, "", ".a=\"b\\", "" },
	{ ".a\x01=b x", 6, "", ".a\x01=b x", "" },
	{ ". service=b", 6, "", "service=b", "" },
	{ ".", 6, "", ".", "" },
	{ "<1>.a=b service=s " TRACE ".c=d m", 1, "s", "m", "a=b,c=d,", true },
};

static bool same(const char *text, u32 len, const char *wanted)
{
	return len == strlen(wanted) && !memcmp(text, wanted, len);
}

/* key NUL value NUL ... as "key=value,..." */
static void readable(char *fields, u32 len)
{
	bool key = true;
	u32 i;

	for (i = 0; i < len; i++) {
		if (fields[i])
			continue;
		fields[i] = key ? '=' : ',';
		key = !key;
	}
	fields[len] = 0;
}

static void example_check(struct kunit *test, const struct example *e)
{
	u32 len = strlen(e->line);
	/* Exactly as long: KASAN sees what reads beyond it. */
	char *line = kunit_kmalloc(test, len ?: 1, GFP_KERNEL);
	struct obs_logline got;
	char fields[64];
	bool cut = false;

	KUNIT_ASSERT_NOT_NULL(test, line);
	memcpy(line, e->line, len);
	obs_logline_parse(line, len, &got);
	KUNIT_EXPECT_EQ_MSG(test, got.level, e->level, "%s", e->line);
	KUNIT_EXPECT_TRUE_MSG(test, same(got.service, got.service_len, e->service), "%s", e->line);
	KUNIT_EXPECT_TRUE_MSG(test, same(got.message, got.message_len, e->message), "%s", e->line);
	KUNIT_EXPECT_EQ_MSG(test, got.has_trace, e->trace, "%s", e->line);
	KUNIT_EXPECT_EQ_MSG(test, got.has_rv, !!e->rv, "%s", e->line);
	if (e->rv)
		KUNIT_EXPECT_EQ_MSG(test, got.rv, e->rv, "%s", e->line);
	readable(fields, obs_logline_fields(&got, fields, sizeof(fields) - 1, &cut));
	KUNIT_EXPECT_STREQ(test, fields, e->fields);
	KUNIT_EXPECT_FALSE(test, cut);
}

static void grammar(struct kunit *test)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(examples); i++)
		example_check(test, &examples[i]);
}

/* Of every line, all that it may be cut to: within its bytes, whatever it makes of them. */
static void cut_anywhere(struct kunit *test)
{
	struct obs_logline got;
	u32 i, len;
	char *line;

	for (i = 0; i < ARRAY_SIZE(examples); i++)
		for (len = 1; len < strlen(examples[i].line); len++) {
			line = kmemdup(examples[i].line, len, GFP_KERNEL);
			KUNIT_ASSERT_NOT_NULL(test, line);
			obs_logline_parse(line, len, &got);
			KUNIT_EXPECT_EQ(test, (u32)(got.message - line) + got.message_len, len);
			kfree(line);
		}
}

static void fields_without_room(struct kunit *test)
{
	static const char line[] = ".a=1 .long=123456789 .b=2 x";
	struct obs_logline got;
	char fields[10];
	bool cut = false;
	u32 len;

	obs_logline_parse(line, sizeof(line) - 1, &got);
	len = obs_logline_fields(&got, fields, sizeof(fields) - 1, &cut);
	readable(fields, len);
	KUNIT_EXPECT_STREQ(test, fields, "a=1,b=2,");
	KUNIT_EXPECT_TRUE(test, cut);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(grammar),
	KUNIT_CASE(cut_anywhere),
	KUNIT_CASE(fields_without_room),
	{}
};

static struct kunit_suite suite = {
	.name = "obsring-logline",
	.test_cases = cases,
};

kunit_test_suite(suite);
