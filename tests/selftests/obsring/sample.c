// SPDX-License-Identifier: MIT
/* Sampling: what is seen is counted exactly, what is kept follows the rules. */
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "test.h"
#include "wire.h"

#define SEEN	"obsring_log_seen_total"
#define KEPT	"obsring_log_kept_total"
#define RECORDS	"obsring_log_records_total"
#define LOST	"obsring_log_lost_total"
#define DELAY	"obsring_sample_apply_delay_seconds"
#define OTHERS	OBSRING_OVERFLOW_VALUE

#define HALF	(OBSRING_THRESHOLD_ONE / 2)
#define TENTH	(OBSRING_THRESHOLD_ONE - OBSRING_THRESHOLD_ONE / 10)

FIXTURE(sample)
{
	struct session session;
};

static int begin(struct session *session, const char *parameters)
{
	int r = module_loaded("obsring_chatter") ? module_unload("obsring_chatter") : 0;

	if (!r)
		r = module_reload(parameters);
	if (!r)
		r = module_load("obsring_chatter", "");
	return r ? r : session_open(session);
}

/* Without the floor, but where it is what the test is about. */
FIXTURE_SETUP(sample)
{
	ASSERT_EQ(0, begin(&self->session, "log_floor=0 log_kernel_bytes=4194304"));
}

FIXTURE_TEARDOWN(sample)
{
	session_close(&self->session);
	EXPECT_EQ(0, module_unload("obsring_chatter"));
}

#define VIEW		(&self->session.view)
#define control		(self->session.control)

static int speak(const char *source, int level, unsigned int count, unsigned int types)
{
	char text[128];

	snprintf(text, sizeof(text), "%s %d %u %u", source, level, count, types);
	return module_parameter_write("obsring_chatter", "speak", text);
}

static struct obs_sample_info rule_of(const char *source, int level,
				      enum obsring_rule rule, uint64_t value)
{
	struct obs_sample_info sample = { .level = level, .rule = rule, .value = value };

	snprintf(sample.source, sizeof(sample.source), "%s", source);
	return sample;
}

static int set(struct obs_control *c, const char *source, int level,
	       enum obsring_rule rule, uint64_t value)
{
	const struct obs_sample_info sample = rule_of(source, level, rule, value);

	return obs_sample_send(c, &sample, NULL);
}

static int unset(struct obs_control *c, const char *source, int level)
{
	return set(c, source, level, OBSRING_RULE_UNSPEC, 0);
}

static int write_line(const char *text)
{
	int fd = open(OBSRING_DEVICE, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -errno : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return n < 0 ? (int)n : 0;
}

static void stay_on_cpu(int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* At rest: what was seen, in all, is what was kept or dropped; kept, stored or lost. */
#define EXPECT_BALANCE()						\
	EXPECT_EQ(metric_total(VIEW, KEPT),				\
		  metric_total(VIEW, RECORDS) + metric(VIEW, LOST, "nested"))

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

/* ---- Changes ------------------------------------------------------------- */

struct listing {
	unsigned int nr, waiting;
	struct obs_sample_info last;
	bool sorted;
};

static int list_one(const struct obs_sample_info *sample, void *arg)
{
	struct listing *listing = arg;

	if (sample->id) {
		listing->sorted &= !listing->waiting ||
				   sample->at_ns >= listing->last.at_ns;
		listing->waiting++;
	} else {
		listing->nr++;
		/* Those that wait come behind all. */
		listing->sorted &= !listing->waiting;
	}
	listing->last = *sample;
	return 0;
}

static struct listing list(struct obs_control *c)
{
	struct listing listing = { .sorted = true };

	if (obs_sample_list(c, list_one, &listing))
		listing.nr = 0xdead;
	return listing;
}

TEST_F(sample, listed)
{
	struct obs_sample_info sample = rule_of("far", 5, OBSRING_RULE_DROP, 0);
	struct listing l;
	char name[32];
	int i;

	for (i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "source-%d", i);
		ASSERT_EQ(0, set(control, name, i % 8, OBSRING_RULE_ONE_IN, 5));
		sample.at_ns = now_ns() + (uint64_t)(3600 + (i * 7) % 300) * 1000000000;
		ASSERT_EQ(0, obs_sample_send(control, &sample, NULL));
	}
	l = list(control);
	EXPECT_EQ(300, l.nr);
	EXPECT_EQ(300, l.waiting);
	EXPECT_TRUE(l.sorted);
	EXPECT_STREQ("far", l.last.source);
	EXPECT_EQ(5, l.last.level);
	EXPECT_EQ(OBSRING_RULE_DROP, l.last.rule);
	ASSERT_EQ(0, unset(control, "source-1", 1));
	EXPECT_EQ(299, list(control).nr);
}

#define RATIO	"obsring_sample_rule_ratio"
#define RATE	"obsring_sample_rule_records_per_second"

/* What is in force is shown: a series a rule, its number a value. */
TEST_F(sample, rules_are_metrics)
{
	struct obs_sample_info later = rule_of("s", 6, OBSRING_RULE_DROP, 0);
	const struct obs_series_info *series;
	uint32_t gen;

	EXPECT_EQ(METRIC_NONE, metric(VIEW, RATIO, "s", "info", "one_in"));
	ASSERT_EQ(0, set(control, "s", 6, OBSRING_RULE_ONE_IN, 8));
	EXPECT_EQ(125000000000, metric(VIEW, RATIO, "s", "info", "one_in"));
	gen = metric_series(VIEW, RATIO, "s", "info", "one_in")->gen;
	ASSERT_EQ(0, set(control, "s", 6, OBSRING_RULE_ONE_IN, 3));
	EXPECT_EQ(333333333333, metric(VIEW, RATIO, "s", "info", "one_in"));
	series = metric_series(VIEW, RATIO, "s", "info", "one_in");
	ASSERT_NE(NULL, series);
	EXPECT_EQ(gen, series->gen);
	/* Of a kind that stays what it is, once more at once. */
	ASSERT_EQ(0, set(control, "user.s", OBS_SAMPLE_NO_LEVEL, OBSRING_RULE_TRACE,
			 OBSRING_THRESHOLD_ONE / 4));
	EXPECT_EQ(750000000000, metric(VIEW, RATIO, "user.s", "", "trace"));
	ASSERT_EQ(0, set(control, "*", 7, OBSRING_RULE_TARGET, 50));
	EXPECT_EQ(50, metric(VIEW, RATE, "*", "debug", "target"));
	ASSERT_EQ(0, set(control, "*", 7, OBSRING_RULE_PROBABILITY, 0));
	EXPECT_EQ(1000000000000, metric(VIEW, RATIO, "*", "debug", "probability"));
	EXPECT_EQ(METRIC_NONE, metric(VIEW, RATE, "*", "debug", "target"));
	/* What waits is not in force. */
	later.at_ns = now_ns() + 3600000000000ULL;
	ASSERT_EQ(0, obs_sample_send(control, &later, NULL));
	EXPECT_EQ(333333333333, metric(VIEW, RATIO, "s", "info", "one_in"));
	EXPECT_EQ(METRIC_NONE, metric(VIEW, RATIO, "s", "info", "drop"));
	ASSERT_EQ(0, set(control, "s", 6, OBSRING_RULE_DROP, 0));
	EXPECT_EQ(0, metric(VIEW, RATIO, "s", "info", "drop"));
	EXPECT_EQ(METRIC_NONE, metric(VIEW, RATIO, "s", "info", "one_in"));
	ASSERT_EQ(0, unset(control, "s", 6));
	EXPECT_EQ(METRIC_NONE, metric(VIEW, RATIO, "s", "info", "drop"));
	ASSERT_EQ(0, unset(control, "user.s", OBS_SAMPLE_NO_LEVEL));
	ASSERT_EQ(0, unset(control, "*", 7));
	EXPECT_EQ(0, metric_total(VIEW, RATIO));
	EXPECT_EQ(0, metric_total(VIEW, RATE));
}

/* Without room for its series a rule is in force all the same. */
TEST_F(sample, rules_without_room)
{
	struct obs_info before, after;
	char name[32];
	int i;

	session_close(&self->session);
	ASSERT_EQ(0, begin(&self->session, "log_floor=0 max_series_per_family=8"));
	ASSERT_EQ(0, obs_control_info(control, &before));
	for (i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "source-%d", i);
		ASSERT_EQ(0, set(control, name, 6, OBSRING_RULE_DROP, 0));
	}
	EXPECT_EQ(20, list(control).nr);
	ASSERT_EQ(0, obs_control_info(control, &after));
	EXPECT_LT(before.refused, after.refused);
	EXPECT_EQ(METRIC_NONE, metric(VIEW, RATIO, "source-19", "info", "drop"));
	ASSERT_EQ(0, speak("source-19", 6, 10, 1));
	EXPECT_EQ(0, metric_total(VIEW, KEPT));
	for (i = 0; i < 19; i++) {
		snprintf(name, sizeof(name), "source-%d", i);
		ASSERT_EQ(0, unset(control, name, 6));
	}
	/* When it is set once more there is room. */
	ASSERT_EQ(0, set(control, "source-19", 6, OBSRING_RULE_DROP, 0));
	EXPECT_EQ(0, metric(VIEW, RATIO, "source-19", "info", "drop"));
}

TEST_F(sample, refused)
{
	struct obs_sample_info sample = rule_of("s", 5, OBSRING_RULE_DROP, 0);

	EXPECT_EQ(-EINVAL, set(control, "s", 5, OBSRING_RULE_ONE_IN, 0));
	EXPECT_SAYS("this rule can't have that rule-value", control);
	EXPECT_EQ(-EINVAL, set(control, "s", 5, OBSRING_RULE_ONE_IN, (1ULL << 32) + 1));
	EXPECT_EQ(-EINVAL, set(control, "s", 5, OBSRING_RULE_PROBABILITY,
			       OBSRING_THRESHOLD_ONE));
	EXPECT_EQ(-EINVAL, set(control, "s", 5, OBSRING_RULE_RATE, 0));
	EXPECT_EQ(-EINVAL, set(control, "s", 5, OBSRING_RULE_TARGET, 1000000001));
	EXPECT_EQ(-EINVAL, set(control, "user", 5, OBSRING_RULE_DROP, 0));
	EXPECT_SAYS("no source can have that name", control);
	EXPECT_EQ(-EINVAL, set(control, "user.", 5, OBSRING_RULE_DROP, 0));
	EXPECT_EQ(-EINVAL, set(control, OTHERS, 5, OBSRING_RULE_DROP, 0));
	EXPECT_EQ(-ENOENT, unset(control, "s", 5));
	EXPECT_SAYS("there is no such rule", control);
	EXPECT_EQ(-ENOENT, obs_sample_cancel(control, 1));
	EXPECT_SAYS("no command of that sample-id waits", control);
	sample.at_ns = 1ULL << 63;
	EXPECT_EQ(-EINVAL, obs_sample_send(control, &sample, NULL));
	EXPECT_EQ(0, list(control).nr + list(control).waiting);
}

static int set_as_other(void *unused)
{
	struct obs_control *c;
	int r = obs_control_open(&c);

	(void)unused;
	if (r)
		return r;
	r = set(c, "s", 6, OBSRING_RULE_DROP, 0);
	if (r == -EPERM)
		r = unset(c, "s", 6);
	if (r == -EPERM)
		r = obs_sample_cancel(c, 1);
	obs_control_close(c);
	return r;
}

static int count_rule(const struct obs_sample_info *sample, void *nr)
{
	(void)sample;
	++*(int *)nr;
	return 0;
}

static int list_as_other(void *unused)
{
	struct obs_control *c;
	int nr = 0, r = obs_control_open(&c);

	(void)unused;
	if (!r)
		r = obs_sample_list(c, count_rule, &nr);
	return r ?: nr;
}

/* Changes; who may read the device may see the rules. */
TEST_F(sample, needs_privilege)
{
	ASSERT_EQ(0, set(control, "s", 6, OBSRING_RULE_DROP, 0));
	EXPECT_EQ(-EPERM, nobody_run(OBSRING_GROUP, set_as_other, NULL));
	EXPECT_EQ(1, nobody_run(OBSRING_GROUP, list_as_other, NULL));
	EXPECT_EQ(-EPERM, nobody_run(0, list_as_other, NULL));
}

/* What the group tells of rules, in order: "source:value" each. */
static void events_add(struct wire *wire, char *told, size_t size)
{
	struct answer answer;
	char text[16384];
	int cmd;
	size_t n = strlen(told);

	while ((cmd = wire_event(wire, &answer, text, sizeof(text))) != -EAGAIN && cmd >= 0)
		if (cmd == OBSRING_CMD_SAMPLE_SET_NTF || cmd == OBSRING_CMD_SAMPLE_DEL_NTF)
			n += (size_t)snprintf(told + n, size - n, "%s:%llu ",
					      attr_string(answer.attr[OBSRING_A_NAME]),
					      (unsigned long long)
					      attr_u64(answer.attr[OBSRING_A_RULE_VALUE]));
}

/**
 * struct sent - what came of commands
 * @r: of the steps in their order: 0, or the first that failed
 * @again: of what can't succeed: cancelled twice, replaced twice, ended when it is gone
 * @sentence: of the second of these
 * @waiting: commands, at last
 * @id: of each
 */
struct sent {
	int r, again[3];
	bool sentence;
	unsigned int waiting;
	uint64_t id[8];
};

/* For @start and later: 1, 3, 4, 5, 6 and 9, out of order; 7, cancelled; 8, of which 2 is made. */
static struct sent commands_send(struct obs_control *c, uint64_t start)
{
	static const char gone[] = "no command of that sample-id waits";
	static const struct {
		unsigned int after_ms;
		uint64_t value;
	} commands[] = {
		{ 900, 9 }, { 300, 3 }, { 600, 6 }, { 300, 4 }, { 0, 1 }, { 700, 7 },
		{ 300, 5 }, { 600, 8 },
	};
	struct obs_sample_info sample;
	struct sent sent = { 0 };
	size_t i;

	for (i = 0; i < 8 && !sent.r; i++) {
		sample = rule_of("s", 6, OBSRING_RULE_ONE_IN, commands[i].value);
		sample.at_ns = start + commands[i].after_ms * 1000000ULL;
		sent.r = obs_sample_send(c, &sample, &sent.id[i]);
	}
	sent.r = sent.r ?: obs_sample_cancel(c, sent.id[5]);
	sent.again[0] = obs_sample_cancel(c, sent.id[5]);
	/* 8 gives way to 2, which comes before it; nothing gives way to what is gone. */
	sample = rule_of("s", 6, OBSRING_RULE_ONE_IN, 2);
	sample.at_ns = start + 100000000;
	sample.id = sent.id[7];
	sent.r = sent.r ?: obs_sample_send(c, &sample, NULL);
	sent.again[1] = obs_sample_send(c, &sample, NULL);
	sent.sentence = !strncmp(obs_control_error(c), gone, strlen(gone));
	sample.rule = OBSRING_RULE_UNSPEC;
	sent.again[2] = obs_sample_send(c, &sample, NULL);
	sent.waiting = list(c).waiting;
	return sent;
}

/* Sent out of order, cancelled, replaced: by time, then by arrival, never early. */
TEST_F(sample, at_a_time)
{
	uint64_t start, lead_ns, early = 0;
	char told[256] = "";
	struct sent sent;
	struct wire wire;

	/* Again where it took longer to send them than until the first one's time. */
	for (lead_ns = 2000000000;; lead_ns *= 2) {
		start = now_ns() + lead_ns;
		ASSERT_EQ(0, wire_open(&wire));
		ASSERT_EQ(0, wire_join(&wire));
		sent = commands_send(control, start);
		if (now_ns() < start)
			break;
		wire_close(&wire);
		session_close(&self->session);
		ASSERT_EQ(0, begin(&self->session, "log_floor=0"));
	}
	ASSERT_EQ(0, sent.r);
	EXPECT_EQ(-ENOENT, sent.again[0]);
	EXPECT_EQ(-ENOENT, sent.again[1]);
	EXPECT_TRUE(sent.sentence);
	EXPECT_EQ(-ENOENT, sent.again[2]);
	EXPECT_EQ(7, sent.waiting);
	/* Whatever has been told, its time had come. */
	while (strlen(told) < strlen("s:1 s:2 s:3 s:4 s:5 s:6 s:9 ") &&
	       now_ns() < start + AWAIT_SECONDS * 1000000000ULL) {
		uint64_t now;

		events_add(&wire, told, sizeof(told));
		now = now_ns();
		early += *told && now < start;
		early += strstr(told, "s:3") && now < start + 300000000;
		early += strstr(told, "s:9") && now < start + 900000000;
		poll(NULL, 0, 1);
	}
	EXPECT_STREQ("s:1 s:2 s:3 s:4 s:5 s:6 s:9 ", told);
	EXPECT_EQ(0, early);
	EXPECT_EQ(0, list(control).waiting);
	EXPECT_EQ(7, metric(VIEW, DELAY));
	EXPECT_EQ(-ENOENT, obs_sample_cancel(control, sent.id[0]));
	wire_close(&wire);
}

#define SAID		20000U	/* by each CPU, at a time */

/* Some of "busy" were kept, and some dropped: what was seen is read first. */
static bool kept_and_dropped(struct view *view)
{
	int64_t all = metric(view, SEEN, "busy"), kept = metric(view, KEPT, "busy");

	return kept > 0 && kept < all;
}

/* Rules that change a thousand times a second lose and tear nothing. */
TEST_F(sample, rules_change_while_all_log)
{
	struct shared {
		uint64_t said;
		int stop;
	} *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned int cpus = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN);
	static const struct {
		enum obsring_rule rule;
		uint64_t value;
	} turns[] = {
		{ OBSRING_RULE_ONE_IN, 7 }, { OBSRING_RULE_DROP, 0 },
		{ OBSRING_RULE_PROBABILITY, HALF }, { OBSRING_RULE_RATE, 1000 },
		{ OBSRING_RULE_KEEP, 0 }, { OBSRING_RULE_TARGET, 500 },
		{ OBSRING_RULE_TRACE, TENTH }, { OBSRING_RULE_UNSPEC, 0 },
	};
	uint64_t begun, changes = 0, ms;
	unsigned int turn = 0;
	bool both = false;

	ASSERT_LT(1, cpus);
	ASSERT_EQ(0, set(control, "busy", 6, OBSRING_RULE_KEEP, 0));
	if (!fork()) {
		while (!__atomic_load_n(&shared->stop, __ATOMIC_RELAXED) &&
		       !speak("each busy", 6, SAID, 1))
			__atomic_fetch_add(&shared->said, SAID * cpus, __ATOMIC_RELAXED);
		_exit(0);
	}
	begun = now_ns();
	/* Until what it is about has happened, however long that takes. */
	while (changes < 2000 || !__atomic_load_n(&shared->said, __ATOMIC_RELAXED) || !both) {
		turn = (turn + 1) % (sizeof(turns) / sizeof(turns[0]));
		ASSERT_EQ(0, set(control, "busy", 6, turns[turn].rule, turns[turn].value));
		changes++;
		if (!both && !(changes % 100))
			both = kept_and_dropped(VIEW);
	}
	ms = (now_ns() - begun) / 1000000;
	__atomic_store_n(&shared->stop, 1, __ATOMIC_RELAXED);
	while (waitpid(-1, NULL, 0) > 0)
		;
	EXPECT_EQ((int64_t)shared->said, metric(VIEW, SEEN, "busy"));
	EXPECT_LT(0, metric(VIEW, KEPT, "busy"));
	EXPECT_GT((int64_t)shared->said, metric(VIEW, KEPT, "busy"));
	EXPECT_EQ((int64_t)changes + 1, metric(VIEW, DELAY));
	EXPECT_BALANCE();
	TH_LOG("%llu changes in %llu ms while %llu records came, kept %lld",
	       (unsigned long long)changes, (unsigned long long)ms,
	       (unsigned long long)shared->said, (long long)metric(VIEW, KEPT, "busy"));
	munmap(shared, sizeof(*shared));
}

/* What kept records stand for is what was seen. */
TEST_F(sample, weights_sum_to_what_was_seen)
{
	static const struct {
		enum obsring_rule rule;
		uint64_t value;
		double off;	/* at most, in records */
	} cases[] = {
		{ OBSRING_RULE_ONE_IN, 10, 20 }, { OBSRING_RULE_PROBABILITY, TENTH, 20 },
		{ OBSRING_RULE_PROBABILITY, HALF / 2, 4 },
		{ OBSRING_RULE_TRACE, HALF, 4 },
	};
	const struct obs_log_options newest = { .start = OBS_LOG_NEWEST };
	const struct obs_log_entry *entry;
	struct obs_log *log;
	double weight;
	size_t i;

	stay_on_cpu(0);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ASSERT_EQ(0, set(control, "s", 6, cases[i].rule, cases[i].value));
		ASSERT_EQ(0, obs_log_open(NULL, &newest, &log));
		ASSERT_EQ(0, speak("s", 6, 10000, 1));
		weight = 0;
		while (obs_log_next(log, &entry) == OBS_LOG_RECORD)
			weight += entry->weight;
		EXPECT_LE(10000 - cases[i].off, weight);
		EXPECT_GE(10000 + cases[i].off, weight);
		obs_log_close(log);
	}
}

/* Rules that are removed make room for others, with sources as they are. */
TEST_F(sample, removed_rules_make_room)
{
	unsigned int i, level;
	char name[32];

	for (i = 0; i < 150; i++) {
		snprintf(name, sizeof(name), "source-%u", i);
		for (level = 0; level < 8; level++) {
			ASSERT_EQ(0, set(control, name, (int)level,
					 OBSRING_RULE_ONE_IN, 2)) TH_LOG("%u", i);
			ASSERT_EQ(0, unset(control, name, (int)level));
		}
	}
	/* 1200 were; but more than 1024 at a time are not. */
	for (i = 0; i < 128; i++) {
		snprintf(name, sizeof(name), "source-%u", i);
		for (level = 0; level < 8; level++)
			ASSERT_EQ(0, set(control, name, (int)level,
					 OBSRING_RULE_ONE_IN, 2)) TH_LOG("%u", i);
	}
	EXPECT_EQ(-ENOSPC, set(control, "source-0", OBS_SAMPLE_NO_LEVEL,
			       OBSRING_RULE_ONE_IN, 2));
	EXPECT_EQ(1024, list(control).nr);
}

TEST_HARNESS_MAIN
