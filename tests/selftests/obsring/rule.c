// SPDX-License-Identifier: MIT
/*
 * Rules of sampling: listed, told and metrics, at a time, by whom, and while all log.
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include "sample.h"

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
