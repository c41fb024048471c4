// SPDX-License-Identifier: MIT
/* Sampling: what is seen is counted exactly, what is kept follows the rules. */
#include "sample.h"

/* ---- Sources ------------------------------------------------------------- */

TEST_F(sample, registered_source_is_counted_from_the_first)
{
	ASSERT_EQ(0, speak("alpha", 6, 1000, 1));
	ASSERT_EQ(0, speak("alpha", 3, 1, 1));
	EXPECT_EQ(1001, metric(VIEW, SEEN, "alpha"));
	EXPECT_EQ(1001, metric(VIEW, KEPT, "alpha"));
	EXPECT_EQ(0, metric(VIEW, SEEN, OTHERS));
	EXPECT_EQ(1001, metric_total(VIEW, RECORDS));
}

/* In no context that could make it: others count until a worker has. */
TEST_F(sample, unknown_source_is_learned)
{
	int64_t before;

	ASSERT_EQ(0, speak("irq newcomer", 6, 1000, 1));
	EXPECT_LT(0, metric(VIEW, SEEN, OTHERS));
	EXPECT_TRUE(await(metric(VIEW, SEEN, "newcomer") != METRIC_NONE));
	EXPECT_EQ(1000, metric_total(VIEW, SEEN));
	before = metric(VIEW, SEEN, "newcomer");
	ASSERT_EQ(0, speak("newcomer", 6, 1000, 1));
	EXPECT_EQ(before + 1000, metric(VIEW, SEEN, "newcomer"));
	EXPECT_EQ(2000, metric_total(VIEW, KEPT));
	EXPECT_BALANCE();
}

TEST_F(sample, services_are_sources)
{
	ASSERT_EQ(0, write_line("service=shop one\nservice=shop two\nthree"));
	EXPECT_EQ(2, metric(VIEW, SEEN, "user.shop"));
	EXPECT_EQ(1, metric(VIEW, SEEN, "user.sample"));
	EXPECT_EQ(3, metric_total(VIEW, KEPT));
	/* A name that is no text is of the others. */
	ASSERT_EQ(0, write_line("service=\xff\xfe x"));
	EXPECT_EQ(1, metric(VIEW, SEEN, OTHERS));
	EXPECT_BALANCE();
}

TEST_F(sample, names_that_kernel_code_may_not_have)
{
	static const char *const names[] = {
		"user", "user.shop", "*", OTHERS,
		"a-name-of-sixty-four-bytes-which-is-one-more-than-a-source-may-h",
	};
	size_t i, n = sizeof(names) / sizeof(names[0]);

	for (i = 0; i < n; i++)
		EXPECT_EQ(-EINVAL, speak(names[i], 6, 1, 1)) TH_LOG("name %zu", i);
	EXPECT_EQ((int64_t)n - 1, metric(VIEW, SEEN, OTHERS));
	EXPECT_EQ((int64_t)n - 1, metric_total(VIEW, SEEN));
}

/* A process that makes services up takes no kernel source's place. */
TEST_F(sample, limits_are_apart)
{
	char line[64];
	int i;

	session_close(&self->session);
	ASSERT_EQ(0, begin(&self->session, "max_log_sources=2 max_log_services=3 log_floor=0"));
	for (i = 0; i < 100; i++) {
		snprintf(line, sizeof(line), "service=s%d x", i);
		ASSERT_EQ(0, write_line(line));
	}
	EXPECT_EQ(1, metric(VIEW, SEEN, "user.s2"));
	EXPECT_EQ(METRIC_NONE, metric(VIEW, SEEN, "user.s3"));
	EXPECT_EQ(97, metric(VIEW, SEEN, OTHERS));
	ASSERT_EQ(0, speak("one", 6, 5, 1));
	ASSERT_EQ(0, speak("two", 6, 5, 1));
	EXPECT_EQ(-ENOSPC, speak("three", 6, 5, 1));
	EXPECT_EQ(5, metric(VIEW, SEEN, "two"));
	EXPECT_EQ(102, metric(VIEW, SEEN, OTHERS));
	/* Whom an administrator names has a place. */
	ASSERT_EQ(0, set(control, "three", 6, OBSRING_RULE_DROP, 0));
	ASSERT_EQ(0, set(control, "user.s50", 6, OBSRING_RULE_DROP, 0));
	ASSERT_EQ(0, speak("three", 6, 5, 1));
	ASSERT_EQ(0, write_line("service=s50 x"));
	EXPECT_EQ(5, metric(VIEW, SEEN, "three"));
	EXPECT_EQ(0, metric(VIEW, KEPT, "three"));
	EXPECT_EQ(1, metric(VIEW, SEEN, "user.s50"));
	EXPECT_EQ(0, metric(VIEW, KEPT, "user.s50"));
	EXPECT_EQ(102, metric(VIEW, SEEN, OTHERS));
	EXPECT_BALANCE();
}

/* attempted = seen + rate limited */
TEST_F(sample, rate_limited_are_not_seen)
{
	int64_t written = 0, limited;
	static char lines[20000];
	size_t i;

	for (i = 0; i + 2 < sizeof(lines); i += 2)
		memcpy(lines + i, "x\n", 2);
	do {
		ASSERT_EQ(0, write_line(lines));
		written += (int64_t)i / 2;
		limited = metric(VIEW, LOST, "rate_limited");
	} while (!limited && written < 10000000);
	EXPECT_LT(0, limited);
	EXPECT_EQ(written, metric_total(VIEW, SEEN) + limited);
	EXPECT_BALANCE();
}

/* ---- Rules --------------------------------------------------------------- */

TEST_F(sample, drop_but_errors)
{
	int level;

	ASSERT_EQ(0, set(control, "s", OBS_SAMPLE_NO_LEVEL, OBSRING_RULE_DROP, 0));
	for (level = 0; level < 8; level++)
		ASSERT_EQ(0, speak("s", level, 100, 1));
	EXPECT_EQ(800, metric(VIEW, SEEN, "s"));
	EXPECT_EQ(400, metric(VIEW, KEPT, "s"));
	EXPECT_EQ(100, metric(VIEW, RECORDS, "kernel", "err"));
	EXPECT_EQ(0, metric(VIEW, RECORDS, "kernel", "warning"));
	/* Unless a rule says so. */
	ASSERT_EQ(0, set(control, "s", 3, OBSRING_RULE_DROP, 0));
	ASSERT_EQ(0, speak("s", 3, 100, 1));
	EXPECT_EQ(400, metric(VIEW, KEPT, "s"));
	/* A level's rule goes before that without one. */
	ASSERT_EQ(0, set(control, "s", 7, OBSRING_RULE_KEEP, 0));
	ASSERT_EQ(0, speak("s", 7, 100, 1));
	EXPECT_EQ(500, metric(VIEW, KEPT, "s"));
	ASSERT_EQ(0, unset(control, "s", 7));
	ASSERT_EQ(0, speak("s", 7, 100, 1));
	EXPECT_EQ(500, metric(VIEW, KEPT, "s"));
	EXPECT_BALANCE();
}

TEST_F(sample, any_is_for_those_without_a_rule)
{
	ASSERT_EQ(0, set(control, "*", OBS_SAMPLE_NO_LEVEL, OBSRING_RULE_DROP, 0));
	ASSERT_EQ(0, set(control, "s", OBS_SAMPLE_NO_LEVEL, OBSRING_RULE_KEEP, 0));
	ASSERT_EQ(0, speak("s", 6, 100, 1));
	ASSERT_EQ(0, speak("t", 6, 100, 1));
	ASSERT_EQ(0, speak("t", 2, 100, 1));
	ASSERT_EQ(-EINVAL, speak("user", 6, 100, 1));	/* of the others */
	EXPECT_EQ(100, metric(VIEW, KEPT, "s"));
	EXPECT_EQ(100, metric(VIEW, KEPT, "t"));
	EXPECT_EQ(0, metric(VIEW, KEPT, OTHERS));
	ASSERT_EQ(0, unset(control, "*", OBS_SAMPLE_NO_LEVEL));
	ASSERT_EQ(0, speak("t", 6, 100, 1));
	EXPECT_EQ(200, metric(VIEW, KEPT, "t"));
	EXPECT_BALANCE();
}

/* One CPU: what is kept deviates by a block or two, whatever p is. */
TEST_F(sample, one_in_n_and_probability)
{
	static const struct {
		enum obsring_rule rule;
		uint64_t value;
		int64_t kept;
	} cases[] = {
		{ OBSRING_RULE_ONE_IN, 1, 20000 },
		{ OBSRING_RULE_ONE_IN, 10, 2000 },
		{ OBSRING_RULE_ONE_IN, 3, 6667 },
		{ OBSRING_RULE_PROBABILITY, TENTH, 2000 },
		{ OBSRING_RULE_PROBABILITY, HALF, 10000 },
		{ OBSRING_RULE_PROBABILITY, HALF / 2, 15000 },
		{ OBSRING_RULE_TRACE, TENTH, 2000 },
	};
	int64_t kept;
	size_t i;

	stay_on_cpu(0);
	ASSERT_EQ(0, speak("s", 6, 0, 1));
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		kept = metric(VIEW, KEPT, "s");
		ASSERT_EQ(0, set(control, "s", 6, cases[i].rule, cases[i].value));
		ASSERT_EQ(0, speak("s", 6, 20000, 1));
		kept = metric(VIEW, KEPT, "s") - kept;
		EXPECT_LE(cases[i].kept - 2, kept) TH_LOG("case %zu", i);
		EXPECT_GE(cases[i].kept + 2, kept) TH_LOG("case %zu", i);
	}
	EXPECT_BALANCE();
}

/*
 * At a tenth, of 100 types of record in turn each is kept near a tenth. A counter
 * modulo 10 or 100 would know ten of them.
 */
TEST_F(sample, no_aliasing)
{
	unsigned int of_type[100] = { 0 }, type, i;
	FILE *file = fopen(OBSRING_DEVICE, "re");
	char line[1024];
	const char *at;

	ASSERT_NE(NULL, file);
	fcntl(fileno(file), F_SETFL, O_NONBLOCK);
	stay_on_cpu(0);
	ASSERT_EQ(0, set(control, "s", 6, OBSRING_RULE_ONE_IN, 10));
	ASSERT_EQ(0, speak("s", 6, 100000, 100));
	while (fgets(line, sizeof(line), file)) {
		at = strstr(line, "msg=\"type ");
		ASSERT_NE(NULL, at);
		type = (unsigned int)strtoul(at + strlen("msg=\"type "), NULL, 10);
		ASSERT_GT(100, type);
		of_type[type]++;
	}
	fclose(file);
	/* 1000 of each were seen: 100 are expected, 50 is five times the deviation. */
	for (i = 0; i < 100; i++) {
		EXPECT_LT(50, of_type[i]) TH_LOG("type %u", i);
		EXPECT_GT(150, of_type[i]) TH_LOG("type %u", i);
	}
}

/* All records of a trace, or none; and the half of them that has rv >= threshold. */
TEST_F(sample, traces_are_whole)
{
	char line[160];
	unsigned int trace, i;
	int64_t kept;

	ASSERT_EQ(0, set(control, "user.shop", 6, OBSRING_RULE_TRACE, HALF));
	for (trace = 1; trace <= 64; trace++) {
		kept = metric(VIEW, KEPT, "user.shop");
		for (i = 0; i < 8; i++) {
			snprintf(line, sizeof(line),
				 "service=shop traceparent=00-0af7651916cd43dd84%02x"
				 "%012x-b7ad6b7169203331-01 x", trace * 4 - 1, trace);
			ASSERT_EQ(0, write_line(line));
		}
		kept = metric(VIEW, KEPT, "user.shop") - kept;
		EXPECT_EQ(trace * 4 - 1 >= 0x80 ? 8 : 0, kept) TH_LOG("trace %u", trace);
	}
	EXPECT_EQ(512, metric(VIEW, SEEN, "user.shop"));
	EXPECT_BALANCE();
}

/* In any second at most twice the rate; periods are a second or more. */
TEST_F(sample, rate_is_a_bound)
{
	uint64_t begun, seconds;
	int64_t kept;
	int i;

	begun = now_ns();
	ASSERT_EQ(0, set(control, "s", 6, OBSRING_RULE_RATE, 50));
	for (i = 0; i < 40; i++)
		ASSERT_EQ(0, speak("s", 6, 5000, 1));
	kept = metric(VIEW, KEPT, "s");
	seconds = (now_ns() - begun) / 1000000000;
	EXPECT_EQ(200000, metric(VIEW, SEEN, "s"));
	EXPECT_LT(0, kept);
	EXPECT_GE(50 * ((int64_t)seconds + 2), kept);
	TH_LOG("kept %lld of 200000 in %llu s", (long long)kept,
	       (unsigned long long)seconds);
	EXPECT_BALANCE();
}

/* Some 1000 a second for @seconds; false if a second had a fifth more or less. */
static bool speak_steadily(struct view *v, unsigned int seconds)
{
	int64_t before, said, first = 0;
	uint64_t begun, now;
	bool steady = true;

	while (seconds--) {
		before = metric(v, SEEN, "s");
		begun = now_ns();
		do {
			speak("s", 6, 10, 1);
			poll(NULL, 0, 10);
			now = now_ns();
		} while (now - begun < 1000000000);
		said = (metric(v, SEEN, "s") - before) * 1000 /
		       (int64_t)((now - begun) / 1000000);
		first = first ?: said;
		steady &= said * 5 >= first * 4 && said * 5 <= first * 6;
	}
	return steady;
}

/* Ten seconds of steady load, then in ten more it is within a fifth. */
TEST_F(sample, target_is_met)
{
	int64_t kept, expected;
	uint64_t begun;
	int tries;

	ASSERT_EQ(0, set(control, "s", 6, OBSRING_RULE_TARGET, 50));
	for (tries = 0; tries < 4; tries++) {
		if (!speak_steadily(VIEW, 10))
			continue;
		kept = metric(VIEW, KEPT, "s");
		begun = now_ns();
		if (!speak_steadily(VIEW, 10))
			continue;
		kept = metric(VIEW, KEPT, "s") - kept;
		expected = 50 * (int64_t)((now_ns() - begun) / 1000000) / 1000;
		EXPECT_LE(expected * 8 / 10, kept);
		EXPECT_GE(expected * 12 / 10, kept);
		TH_LOG("kept %lld, %lld are the target, of %lld in all", (long long)kept,
		       (long long)expected, (long long)metric(VIEW, SEEN, "s"));
		EXPECT_BALANCE();
		return;
	}
	SKIP(return, "this machine can't speak steadily");
}

TEST_F(sample, floor_keeps_a_source_visible)
{
	char text[4096] = "";
	int fd = open(OBSRING_DEVICE, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	ASSERT_EQ(0, module_parameter_write("obsring", "log_floor", "10"));
	ASSERT_EQ(0, set(control, "*", OBS_SAMPLE_NO_LEVEL, OBSRING_RULE_DROP, 0));
	ASSERT_EQ(0, speak("s", 6, 1, 1));
	EXPECT_EQ(1, metric(VIEW, KEPT, "s"));
	EXPECT_LT(0, read(fd, text, sizeof(text) - 1));
	EXPECT_NE(NULL, strstr(text, "source=s "));
	close(fd);
	/* A minute may end in between, once. */
	ASSERT_EQ(0, speak("s", 6, 1000, 1));
	ASSERT_EQ(0, speak("t", 6, 1000, 1));
	EXPECT_LE(10, metric(VIEW, KEPT, "s"));
	EXPECT_GE(20, metric(VIEW, KEPT, "s"));
	EXPECT_LE(10, metric(VIEW, KEPT, "t"));
	EXPECT_GE(20, metric(VIEW, KEPT, "t"));
	EXPECT_BALANCE();
}

TEST_HARNESS_MAIN
