// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is written becomes the same records however it is cut into pieces, and each uid
 * has its tokens: kmod/logwrite.c, compiled into this module for itself.
 */
#include <kunit/test.h>

#include "../../../kmod/logwrite.c"

/* Messages, each ended by '|', "+" before it if it was cut; and how many were lost. */
static char said[16 * 1024];
static u64 lost;

void obs_log_user(const struct obs_log_line *line)
{
	size_t at = strlen(said);

	snprintf(said + at, sizeof(said) - at, "%s%.*s|", line->cut ? "+" : "",
		 (int)line->message_len, line->message);
}

void obs_log_lost(enum obs_log_loss cause, u64 n)
{
	if (cause == OBS_LOG_RATE_LIMITED)
		lost += n;
}

static int reset(struct kunit *test)
{
	said[0] = 0;
	lost = 0;
	return 0;
}

/* They outlive files until they are full. */
static void forget_buckets(struct kunit *test)
{
	obs_logwrite_exit();
	KUNIT_EXPECT_TRUE(test, hash_empty(buckets));
}

/* As a write in pieces of @piece bytes. */
static void write_in(struct obs_logwriter *writer, const char *text, size_t len, size_t piece)
{
	size_t n;

	for (; len; text += n, len -= n) {
		n = min(len, piece);
		lines_take(writer, text, n);
	}
	line_end(writer);
}

static void lines_in_pieces(struct kunit *test)
{
	static const char text[] = "one\ntwo\n\n\n<3>three\nfo\0ur\nservice=s five";
	struct obs_logwriter *writer = obs_logwriter_new(GLOBAL_ROOT_UID);
	size_t piece;

	KUNIT_ASSERT_NOT_NULL(test, writer);
	for (piece = 1; piece < sizeof(text); piece++) {
		reset(test);
		write_in(writer, text, sizeof(text) - 1, piece);
		KUNIT_EXPECT_STREQ_MSG(test, said, "one|two|three|fo|five|", "%zu", piece);
	}
	KUNIT_EXPECT_EQ(test, lost, 0ULL);
	obs_logwriter_free(writer);
}

static void long_lines_are_cut(struct kunit *test)
{
	struct obs_logwriter *writer = obs_logwriter_new(GLOBAL_ROOT_UID);
	char *text = kunit_kmalloc(test, LINE_MAX + 2, GFP_KERNEL);
	size_t len;

	KUNIT_ASSERT_NOT_NULL(test, writer);
	KUNIT_ASSERT_NOT_NULL(test, text);
	memset(text, 'x', LINE_MAX + 2);
	for (len = LINE_MAX - 1; len <= LINE_MAX + 2; len++) {
		reset(test);
		write_in(writer, text, len, 256);
		KUNIT_EXPECT_EQ(test, said[0], len > LINE_MAX ? '+' : 'x');
		KUNIT_EXPECT_EQ(test, strlen(said) - (len > LINE_MAX),
				min_t(size_t, len, LINE_MAX) + 1);
		/* The next one is not. */
		reset(test);
		write_in(writer, "short\n", 6, 256);
		KUNIT_EXPECT_STREQ(test, said, "short|");
	}
	obs_logwriter_free(writer);
}

static void tokens(struct kunit *test)
{
	struct bucket bucket = { .full_ns = 0 };
	u64 now;

	spin_lock_init(&bucket.lock);
	/* Full: a token is there, and makes it full one token later. */
	now = ktime_get_ns();
	KUNIT_EXPECT_TRUE(test, take_token(&bucket));
	KUNIT_EXPECT_GE(test, bucket.full_ns, now + TOKEN_NS);
	KUNIT_EXPECT_LE(test, bucket.full_ns, ktime_get_ns() + TOKEN_NS);
	/* Empty for the next hour. */
	now = ktime_get_ns() + 3600 * NSEC_PER_SEC + (u64)BURST * TOKEN_NS;
	bucket.full_ns = now;
	KUNIT_EXPECT_FALSE(test, take_token(&bucket));
	KUNIT_EXPECT_EQ(test, bucket.full_ns, now);
	/* The last one of a burst, or a later one's. */
	bucket.full_ns = ktime_get_ns() + (u64)(BURST - 1) * TOKEN_NS;
	KUNIT_EXPECT_TRUE(test, take_token(&bucket));
}

/* What finds no token is lost and counted, and the line after it is whole. */
static void without_tokens(struct kunit *test)
{
	struct obs_logwriter *writer = obs_logwriter_new(GLOBAL_ROOT_UID);

	KUNIT_ASSERT_NOT_NULL(test, writer);
	writer->bucket->full_ns = U64_MAX;
	write_in(writer, "one\ntwo\n", 8, 3);
	KUNIT_EXPECT_STREQ(test, said, "");
	KUNIT_EXPECT_EQ(test, lost, 2ULL);
	writer->bucket->full_ns = 0;
	write_in(writer, "three\n", 6, 3);
	KUNIT_EXPECT_STREQ(test, said, "three|");
	obs_logwriter_free(writer);
}

/* Opening anew fills no bucket; one that is full and unused goes with the next one made. */
static void buckets_outlive_files(struct kunit *test)
{
	struct obs_logwriter *a = obs_logwriter_new(KUIDT_INIT(1000)), *b;
	struct bucket *bucket;

	KUNIT_ASSERT_NOT_NULL(test, a);
	bucket = a->bucket;
	bucket->full_ns = U64_MAX - 1;
	obs_logwriter_free(a);
	b = obs_logwriter_new(KUIDT_INIT(1001));
	KUNIT_ASSERT_NOT_NULL(test, b);
	KUNIT_EXPECT_PTR_NE(test, b->bucket, bucket);
	a = obs_logwriter_new(KUIDT_INIT(1000));
	KUNIT_ASSERT_NOT_NULL(test, a);
	KUNIT_EXPECT_PTR_EQ(test, a->bucket, bucket);
	KUNIT_EXPECT_EQ(test, bucket->full_ns, U64_MAX - 1);
	bucket->full_ns = 0;
	obs_logwriter_free(a);
	a = obs_logwriter_new(KUIDT_INIT(1002));
	KUNIT_ASSERT_NOT_NULL(test, a);
	KUNIT_EXPECT_NULL(test, bucket_find(KUIDT_INIT(1000)));
	KUNIT_EXPECT_NOT_NULL(test, bucket_find(KUIDT_INIT(1001)));
	obs_logwriter_free(a);
	obs_logwriter_free(b);
	obs_logwriter_free(NULL);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(lines_in_pieces),
	KUNIT_CASE(long_lines_are_cut),
	KUNIT_CASE(tokens),
	KUNIT_CASE(without_tokens),
	KUNIT_CASE(buckets_outlive_files),
	{}
};

static struct kunit_suite suite = {
	.name = "obsring-logwrite",
	.init = reset,
	.exit = forget_buckets,
	.test_cases = cases,
};

kunit_test_suite(suite);
