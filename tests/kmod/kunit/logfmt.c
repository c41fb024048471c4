// SPDX-License-Identifier: GPL-2.0-only
/* Log lines: what others chose can forge neither a line nor a field. */
#include <kunit/test.h>

#include <linux/obsring.h>
#include <obsring/logfmt.h>

static void values(struct kunit *test)
{
	static const struct { const char *from; const char *to; } value[] = {
		{ "", "\"\"" },
		{ "eth0:1", "eth0:1" },
		{ "a b", "\"a b\"" },
		{ "a=b", "\"a=b\"" },
		{ "say \"hi\"", "\"say \\\"hi\\\"\"" },
		{ "C:\\", "\"C:\\\\\"" },
		{ "one\nts=two", "\"one\\nts=two\"" },
		{ "\r\t", "\"\\r\\t\"" },
		{ "\x1b[31m", "\"\\x1b[31m\"" },
		{ "\x7f", "\"\\x7f\"" },
		{ "gr\xc3\xbcn", "\"gr\xc3\xbcn\"" },
		/* U+0085 and U+2028 end lines, U+202E turns them, U+2066 isolates. */
		{ "\xc2\x85", "\"\\xc2\\x85\"" },
		{ "\xe2\x80\xa8", "\"\\xe2\\x80\\xa8\"" },
		{ "\xe2\x80\xae", "\"\\xe2\\x80\\xae\"" },
		{ "\xe2\x81\xa6", "\"\\xe2\\x81\\xa6\"" },
		{ "\xe2\x82\xac", "\"\xe2\x82\xac\"" },
		/* Overlong, a surrogate, beyond U+10FFFF, cut short. */
		{ "\xc0\xaf", "\"\\xc0\\xaf\"" },
		{ "\xed\xa0\x80", "\"\\xed\\xa0\\x80\"" },
		{ "\xf4\x90\x80\x80", "\"\\xf4\\x90\\x80\\x80\"" },
		{ "\xf0\x9f\x98", "\"\\xf0\\x9f\\x98\"" },
	};
	char buf[64];
	u32 i;

	for (i = 0; i < ARRAY_SIZE(value); i++) {
		struct obs_logfmt_line l = { .buf = buf, .size = sizeof(buf) - 1 };

		obs_logfmt_value(&l, "", value[i].from, strlen(value[i].from));
		KUNIT_ASSERT_LT(test, l.at, (u32)sizeof(buf));
		buf[l.at] = 0;
		KUNIT_EXPECT_STREQ(test, buf, value[i].to);
	}
}

static void keys(struct kunit *test)
{
	static const struct { const char *from; const char *to; } key[] = {
		{ "disk", " disk=" },
		{ "a b=c\"\n", " a_b_c__=" },
		{ "", " _=" },
		{ "uid", " _uid=" },
		{ "span id", " _span_id=" },	/* ours, once it is written */
		{ "uids", " uids=" },
		{ "\xc3\xbc", " __=" },
	};
	char buf[64];
	u32 i;

	for (i = 0; i < ARRAY_SIZE(key); i++) {
		struct obs_logfmt_line l = { .buf = buf, .size = sizeof(buf) - 1 };

		obs_logfmt_key(&l, key[i].from);
		buf[l.at] = 0;
		KUNIT_EXPECT_STREQ(test, buf, key[i].to);
	}
}

static void times(struct kunit *test)
{
	static const struct { u64 ns; const char *text; } time[] = {
		{ 0, "ts=1970-01-01T00:00:00.000000000Z" },
		{ 951782399999999999ULL, "ts=2000-02-28T23:59:59.999999999Z" },
		{ 951782400000000000ULL, "ts=2000-02-29T00:00:00.000000000Z" },
		{ 4107542400000000001ULL, "ts=2100-03-01T00:00:00.000000001Z" },
		{ U64_MAX, "ts=2554-07-21T23:34:33.709551615Z" },
	};
	char buf[64];
	u32 i;

	for (i = 0; i < ARRAY_SIZE(time); i++) {
		struct obs_logfmt_line l = { .buf = buf, .size = sizeof(buf) - 1 };

		obs_logfmt_time(&l, time[i].ns);
		buf[l.at] = 0;
		KUNIT_EXPECT_STREQ(test, buf, time[i].text);
	}
}

/* A record whose every part wants escaping. */
static u32 record_make(union obs_record_buffer *buffer)
{
	static const char source[] = "a b", message[] = "\"\xe2\x82\xac\n\x01";
	static const char fields[] = "level\0x y\0k\0\0";
	struct obsring_record *head = &buffer->head;
	u32 at = sizeof(*head);

	memset(buffer, 0, sizeof(*buffer));
	head->level = 4;
	head->flags = OBSRING_RECORD_USER | OBSRING_RECORD_TRACE | OBSRING_RECORD_CUT;
	head->source_len = sizeof(source) - 1;
	head->message_len = sizeof(message) - 1;
	head->fields_len = sizeof(fields) - 1;
	memcpy(head->comm, "c=d", 3);
	memset(buffer->byte + at, 0x5a, sizeof(struct obsring_trace));
	at += sizeof(struct obsring_trace);
	memcpy(buffer->byte + at, source, sizeof(source) - 1);
	at += sizeof(source) - 1;
	memcpy(buffer->byte + at, message, sizeof(message) - 1);
	at += sizeof(message) - 1;
	memcpy(buffer->byte + at, fields, sizeof(fields) - 1);
	at += sizeof(fields) - 1;
	head->size = at;
	return at;
}

#define ORIGIN	"ts=1970-01-01T00:00:00.000000000Z level=warning source=\"user.a b\" "
#define WRITER	"cpu=0 pid=0 uid=0 comm=\"c=d\" "
#define TRACE	"trace_id=5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a span_id=5a5a5a5a5a5a5a5a "
#define REST	"msg=\"\\\"\xe2\x82\xac\\n\\x01\" cut=true _level=\"x y\" k=\"\"\n"

static const char whole[] = ORIGIN WRITER TRACE REST;

/*
 * In a buffer of any size: whole, or the beginning of it, its quotes closed, and " ...".
 */
static void lines_fit(struct kunit *test)
{
	union obs_record_buffer *buffer = kunit_kzalloc(test, sizeof(*buffer), GFP_KERNEL);
	char *buf = kunit_kzalloc(test, sizeof(whole), GFP_KERNEL);
	struct obs_record record;
	u32 size, len, words, i, quotes;

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	KUNIT_ASSERT_NOT_NULL(test, buf);
	words = obs_record_words(record_make(buffer));
	KUNIT_ASSERT_TRUE(test, obs_record_parse(buffer, words, &record));
	KUNIT_EXPECT_FALSE(test, obs_record_parse(buffer, words - 1, &record));
	KUNIT_ASSERT_TRUE(test, obs_record_parse(buffer, words, &record));

	for (size = 0; size < sizeof(whole) - 1; size++) {
		memset(buf, 'X', sizeof(whole));
		len = obs_logfmt(buf, size, &record, 0);
		KUNIT_ASSERT_LE(test, len, size);
		KUNIT_ASSERT_EQ(test, buf[size], 'X');
		if (size < 4) {
			KUNIT_ASSERT_EQ(test, len, 0U);
			continue;
		}
		KUNIT_ASSERT_GE(test, len, 4U);
		KUNIT_ASSERT_EQ(test, memcmp(buf + len - 4, "...\n", 4), 0);
		for (i = 0, quotes = 0; i < len; i++)
			quotes += buf[i] == '"' && buf[i - 1] != '\\';
		KUNIT_ASSERT_EQ(test, quotes % 2, 0U);
		len -= min(len, 6U);	/* what closes it */
		KUNIT_ASSERT_EQ_MSG(test, memcmp(buf, whole, len), 0, "in %u bytes", size);
	}
	len = obs_logfmt(buf, sizeof(whole) - 1, &record, 0);
	KUNIT_ASSERT_EQ(test, len, (u32)sizeof(whole) - 1);
	KUNIT_EXPECT_EQ(test, memcmp(buf, whole, len), 0);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(values),
	KUNIT_CASE(keys),
	KUNIT_CASE(times),
	KUNIT_CASE(lines_fit),
	{}
};

static struct kunit_suite suite = {
	.name = "obsring-logfmt",
	.test_cases = cases,
};

kunit_test_suite(suite);
