// SPDX-License-Identifier: GPL-2.0-only
/* Names: which are legal, and what becomes of them where only ASCII is. */
#include <kunit/test.h>

#include <linux/obsring.h>
#include <obsring/name.h>

static void valid(struct kunit *test)
{
	static const struct { const char *name; bool text, valid; } name[] = {
		{ "", true, false },
		{ "a", true, true },
		{ "gr\xc3\xbcn", true, true },
		{ "\xf0\x9f\x98\x80", true, true },
		{ "\xf4\x8f\xbf\xbf", true, true },
		{ "a\nb", true, false },
		{ "\x7f", true, false },
		{ "\xc2\x9f", true, false },
		{ "\xc2\xa0", true, true },
		{ "\xe2\x80\xa8", true, false },
		{ "\xe2\x80\xa9", true, false },
		{ "\x80", false, false },
		{ "\xc3", false, false },
		{ "\xc0\x80", false, false },
		{ "\xe0\x9f\xbf", false, false },
		{ "\xed\xa0\x80", false, false },
		{ "\xf0\x8f\xbf\xbf", false, false },
		{ "\xf4\x90\x80\x80", false, false },
		{ "\xf8\x88\x80\x80\x80", false, false },
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(name); i++) {
		KUNIT_EXPECT_EQ_MSG(test, obs_text_valid(name[i].name), name[i].text,
				    "text %u", i);
		KUNIT_EXPECT_EQ_MSG(test, obs_name_valid(name[i].name), name[i].valid,
				    "name %u", i);
	}
}

static void escaped(struct kunit *test)
{
	static const struct { const char *name, *metric, *label; } name[] = {
		{ "requests_total", "requests_total", "requests_total" },
		{ "a.b-c", "a_b_c", "a_b_c" },
		{ "9lives", "_lives", "_lives" },
		{ "a9", "a9", "a9" },
		{ "a:b", "a:b", "a_b" },
		{ "gr\xc3\xbcn", "gr_n", "gr_n" },
		{ "\xf0\x9f\x98\x80", "_", "_" },
		{ "A_Z", "A_Z", "A_Z" },
	};
	char to[32];
	u32 i;

	for (i = 0; i < ARRAY_SIZE(name); i++) {
		obs_name_escape(name[i].name, true, to);
		KUNIT_EXPECT_STREQ(test, to, name[i].metric);
		obs_name_escape(name[i].name, false, to);
		KUNIT_EXPECT_STREQ(test, to, name[i].label);
	}
}

static void reserved(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, obs_name_reserved("obsring_x"));
	KUNIT_EXPECT_TRUE(test, obs_name_reserved("obsring_"));
	KUNIT_EXPECT_TRUE(test, obs_name_reserved("process_cpu_seconds_total"));
	KUNIT_EXPECT_FALSE(test, obs_name_reserved("obsring"));
	KUNIT_EXPECT_FALSE(test, obs_name_reserved("processed_total"));
	KUNIT_EXPECT_FALSE(test, obs_name_reserved(""));
}

static struct kunit_case cases[] = {
	KUNIT_CASE(valid),
	KUNIT_CASE(escaped),
	KUNIT_CASE(reserved),
	{}
};

static struct kunit_suite suite = {
	.name = "obsring-name",
	.test_cases = cases,
};

kunit_test_suite(suite);
