// SPDX-License-Identifier: MIT
/* Families: every kind, which descriptions are good, which names collide. */
#include "test.h"

#define COUNTER		.kind = OBSRING_KIND_COUNTER
#define GAUGE		.kind = OBSRING_KIND_GAUGE
#define INFO		.kind = OBSRING_KIND_INFO
#define HISTOGRAM	.kind = OBSRING_KIND_HISTOGRAM
#define EXPONENTIAL	HISTOGRAM, .schema = 0, .min_log2 = -4, .max_log2 = 4
#define LABELS(n, ...)	.nr_labels = (n), .label = (const char *const[]){ __VA_ARGS__ }
#define BOUNDS(n, ...)	.nr_bounds = (n), .bound = (const uint64_t[]){ __VA_ARGS__ }

#define TEN		"0123456789"
#define HUNDRED		TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define A_127		"a" HUNDRED TEN TEN "012345"
#define A_128		"a" HUNDRED TEN TEN "0123456"

FIXTURE(family)
{
	struct obs_control *control;
	struct view view;
};

FIXTURE_SETUP(family)
{
	ASSERT_EQ(0, obs_control_open(&self->control));
	ASSERT_EQ(0, view_open(&self->view));
}

FIXTURE_TEARDOWN(family)
{
	EXPECT_EQ(0, families_clear(self->control));
	view_close(&self->view);
	obs_control_close(self->control);
}

static const struct obs_family_info *found(struct view *view, const char *name)
{
	return obs_snapshot_update(view->snapshot) < 0 ? NULL :
	       obs_family_find(view->snapshot, name);
}

/* ---- Every kind ---------------------------------------------------------- */

TEST_F(family, counter)
{
	const struct obs_family_spec spec = {
		.name = "t_total", .help = "What is counted.", .unit = "bytes",
		COUNTER, .exp10 = -3, LABELS(2, "a", "b"),
	};
	const char *value[] = { "x", "y" };
	const struct obs_family_info *family;

	ASSERT_EQ(0, obs_family_add(self->control, &spec));
	family = found(&self->view, "t_total");
	ASSERT_NE(NULL, family);
	EXPECT_STREQ("What is counted.", family->help);
	EXPECT_STREQ("bytes", family->unit);
	EXPECT_EQ(OBSRING_KIND_COUNTER, family->kind);
	EXPECT_FALSE(family->set);
	EXPECT_EQ(-3, family->exp10);
	ASSERT_EQ(2, family->nr_labels);
	EXPECT_STREQ("a", family->label[0]);
	EXPECT_STREQ("b", family->label[1]);

	ASSERT_EQ(0, obs_series_add(self->control, spec.name, value, 2));
	EXPECT_EQ(0, metric(&self->view, "t_total", "x", "y"));
	ASSERT_EQ(0, obs_series_update(self->control, spec.name, value, 2, 5));
	ASSERT_EQ(0, obs_series_update(self->control, spec.name, value, 2, 7));
	EXPECT_EQ(12, metric(&self->view, "t_total", "x", "y"));
	EXPECT_EQ(METRIC_NONE, metric(&self->view, "t_total", "y", "x"));
}

TEST_F(family, gauge_of_the_add_type)
{
	const struct obs_family_spec spec = { .name = "t", .help = "h", GAUGE };

	ASSERT_EQ(0, obs_family_add(self->control, &spec));
	ASSERT_EQ(0, obs_series_add(self->control, "t", NULL, 0));
	ASSERT_EQ(0, obs_series_update(self->control, "t", NULL, 0, 5));
	ASSERT_EQ(0, obs_series_update(self->control, "t", NULL, 0, -12));
	EXPECT_EQ(-7, metric(&self->view, "t"));
	EXPECT_FALSE(found(&self->view, "t")->set);
}

TEST_F(family, gauge_of_the_set_type)
{
	const struct obs_family_spec spec = { .name = "t", .help = "h", GAUGE, .set = true };
	const struct obs_series_info *series;
	uint64_t slot;

	ASSERT_EQ(0, obs_family_add(self->control, &spec));
	ASSERT_EQ(0, obs_series_add(self->control, "t", NULL, 0));
	ASSERT_EQ(0, obs_series_update(self->control, "t", NULL, 0, 5));
	ASSERT_EQ(0, obs_series_update(self->control, "t", NULL, 0, -12));
	EXPECT_EQ(-12, metric(&self->view, "t"));
	EXPECT_TRUE(found(&self->view, "t")->set);
	/* One row for all CPUs. */
	series = metric_series(&self->view, "t");
	ASSERT_NE(NULL, series);
	EXPECT_EQ(0, obs_series_row(self->view.snapshot, series, 0, &slot, 1));
	EXPECT_EQ(-12, (int64_t)slot);
	EXPECT_EQ(-ENXIO, obs_series_row(self->view.snapshot, series, 1, &slot, 1));
}

TEST_F(family, info)
{
	const struct obs_family_spec spec = {
		.name = "t_info", .help = "h", INFO, LABELS(1, "version"),
	};
	const char *value[] = { "1.2.3" };

	ASSERT_EQ(0, obs_family_add(self->control, &spec));
	/* Nothing overflows: it has no updates. */
	EXPECT_EQ(METRIC_NONE, metric(&self->view, "t_info", OBSRING_OVERFLOW_VALUE));
	ASSERT_EQ(0, obs_series_add(self->control, "t_info", value, 1));
	EXPECT_EQ(1, metric(&self->view, "t_info", "1.2.3"));
	EXPECT_EQ(-EINVAL, obs_series_update(self->control, "t_info", value, 1, 1));
	EXPECT_SAYS("an info series has no value to change", self->control);
}

TEST_F(family, histogram_with_bounds)
{
	const struct obs_family_spec spec = {
		.name = "t", .help = "h", HISTOGRAM, BOUNDS(3, 10, 20, 1ULL << 40),
	};
	static const struct { int64_t v; unsigned int bucket; } cases[] = {
		{ 0, 0 }, { 9, 0 }, { 10, 0 }, { 11, 1 }, { 20, 1 }, { 21, 2 },
		{ 1LL << 40, 2 }, { (1LL << 40) + 1, 3 }, { INT64_MAX, 3 },
	};
	const struct obs_series_info *series;
	uint64_t expected[4] = { 0 }, sum = 0;
	const uint64_t *bucket;
	size_t i;

	ASSERT_EQ(0, obs_family_add(self->control, &spec));
	ASSERT_EQ(0, obs_series_add(self->control, "t", NULL, 0));
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		ASSERT_EQ(0, obs_series_update(self->control, "t", NULL, 0, cases[i].v));
		expected[cases[i].bucket]++;
		sum += (uint64_t)cases[i].v;
	}
	series = metric_series(&self->view, "t");
	ASSERT_NE(NULL, series);
	ASSERT_EQ(3, series->family->nr_bounds);
	EXPECT_FALSE(series->family->exponential);
	EXPECT_EQ(10, series->family->bound[0]);
	EXPECT_EQ(20, series->family->bound[1]);
	EXPECT_EQ(1ULL << 40, series->family->bound[2]);
	bucket = obs_series_buckets(self->view.snapshot, series);
	for (i = 0; i < 4; i++)
		EXPECT_EQ(expected[i], bucket[i]);
	EXPECT_EQ(ARRAY_SIZE(cases), obs_series_count(self->view.snapshot, series));
	EXPECT_EQ(sum, obs_series_sum(self->view.snapshot, series));
}

/* 2^-4 s to 2^4 s in ns: the exact bounds of schema 0 are 10^9 * 2^k. */
TEST_F(family, histogram_of_powers)
{
	const struct obs_family_spec spec = {
		.name = "t_seconds", .help = "h", .unit = "seconds", EXPONENTIAL,
		.exp10 = -9,
	};
	const struct obs_series_info *series;
	const uint64_t *bucket;
	unsigned int k;

	ASSERT_EQ(0, obs_family_add(self->control, &spec));
	ASSERT_EQ(0, obs_series_add(self->control, "t_seconds", NULL, 0));
	for (k = 0; k <= 8; k++) {
		int64_t bound = (62500000LL << k);

		ASSERT_EQ(0, obs_series_update(self->control, "t_seconds", NULL, 0, bound));
		ASSERT_EQ(0, obs_series_update(self->control, "t_seconds", NULL, 0, bound + 1));
	}
	series = metric_series(&self->view, "t_seconds");
	ASSERT_NE(NULL, series);
	EXPECT_TRUE(series->family->exponential);
	EXPECT_EQ(0, series->family->schema);
	EXPECT_EQ(-4, series->family->min_log2);
	EXPECT_EQ(4, series->family->max_log2);
	ASSERT_EQ(9, series->family->nr_bounds);
	EXPECT_EQ(0.0625, obs_family_bound(series->family, 0));
	EXPECT_EQ(16.0, obs_family_bound(series->family, 8));
	bucket = obs_series_buckets(self->view.snapshot, series);
	EXPECT_EQ(1, bucket[0]);
	for (k = 1; k <= 8; k++)
		EXPECT_EQ(2, bucket[k]);
	EXPECT_EQ(1, bucket[9]);
}

TEST_F(family, largest_histogram)
{
	const struct obs_family_spec spec = {
		.name = "t_seconds", .help = "h", HISTOGRAM, .schema = 3,
		.min_log2 = -40, .max_log2 = 23, .exp10 = -9,
	};
	const struct obs_series_info *series;

	ASSERT_EQ(0, obs_family_add(self->control, &spec));
	ASSERT_EQ(0, obs_series_add(self->control, "t_seconds", NULL, 0));
	series = metric_series(&self->view, "t_seconds");
	ASSERT_NE(NULL, series);
	EXPECT_EQ(505, series->family->nr_bounds);
}

/* ---- Good and bad descriptions ------------------------------------------- */

static const struct {
	const char *what;
	struct obs_family_spec spec;
	int error;
	const char *sentence;	/* NULL: none is asked for */
} descriptions[] = {
	/* Names */
	{ "one letter", { .name = "t", .help = "h", COUNTER }, 0, NULL },
	{ "127 bytes", { .name = A_127, .help = "h", COUNTER }, 0, NULL },
	{ "128 bytes", { .name = A_128, .help = "h", COUNTER }, -EINVAL, NULL },
	{ "empty", { .name = "", .help = "h", COUNTER }, -EINVAL,
	  "the name is no printable UTF-8 of 1 to 127 bytes" },
	{ "UTF-8", { .name = "größe.日本\xf0\x9f\x8d\xb5", .help = "h", COUNTER }, 0, NULL },
	{ "blank and quote", { .name = "a \"b\" \\", .help = "h", COUNTER }, 0, NULL },
	{ "digit first", { .name = "9lives", .help = "h", COUNTER }, 0, NULL },
	{ "new line", { .name = "a\nb", .help = "h", COUNTER }, -EINVAL,
	  "the name is no printable UTF-8 of 1 to 127 bytes" },
	{ "DEL", { .name = "a\x7f", .help = "h", COUNTER }, -EINVAL, NULL },
	{ "C1 control", { .name = "a\xc2\x85", .help = "h", COUNTER }, -EINVAL, NULL },
	{ "line separator", { .name = "a\xe2\x80\xa8", .help = "h", COUNTER }, -EINVAL, NULL },
	{ "no UTF-8", { .name = "a\xff", .help = "h", COUNTER }, -EINVAL, NULL },
	{ "overlong", { .name = "a\xc0\xaf", .help = "h", COUNTER }, -EINVAL, NULL },
	{ "surrogate", { .name = "a\xed\xa0\x80", .help = "h", COUNTER }, -EINVAL, NULL },
	{ "cut short", { .name = "a\xe2\x80", .help = "h", COUNTER }, -EINVAL, NULL },
	{ "above U+10FFFF", { .name = "a\xf4\x90\x80\x80", .help = "h", COUNTER }, -EINVAL, NULL },
	{ "obsring's own", { .name = "obsring_x", .help = "h", COUNTER }, -EINVAL,
	  "names that begin with obsring_ or process_ are reserved" },
	{ "a process'", { .name = "process_x", .help = "h", COUNTER }, -EINVAL,
	  "names that begin with obsring_ or process_ are reserved" },
	{ "nearly reserved", { .name = "obsring", .help = "h", COUNTER }, 0, NULL },
	/* Help and unit */
	{ "no help", { .name = "t", .help = "", COUNTER }, 0, NULL },
	{ "help of 1023 bytes", { .name = "t", COUNTER, .help = HUNDRED HUNDRED HUNDRED
	  HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED TEN TEN "012" }, 0, NULL },
	{ "help of 1024 bytes", { .name = "t", COUNTER, .help = HUNDRED HUNDRED HUNDRED
	  HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED TEN TEN "0123" }, -EINVAL, NULL },
	{ "help of lines", { .name = "t", .help = "a\nb\tc", COUNTER }, 0, NULL },
	{ "help is no UTF-8", { .name = "t", .help = "\x80", COUNTER }, -EINVAL,
	  "the help is no UTF-8 of at most 1023 bytes" },
	{ "unit of 31 bytes", { .name = "t", .help = "h", COUNTER, .unit = TEN TEN TEN "1" }, 0, NULL },
	{ "unit of 32 bytes", { .name = "t", .help = "h", COUNTER, .unit = TEN TEN TEN "12" }, -EINVAL, NULL },
	{ "unit with a control character", { .name = "t", .help = "h", COUNTER, .unit = "a\tb" }, -EINVAL,
	  "the unit is no printable UTF-8 of at most 31 bytes" },
	/* Kind and scale */
	{ "scale 10^-12", { .name = "t", .help = "h", COUNTER, .exp10 = -12 }, 0, NULL },
	{ "scale 10^-13", { .name = "t", .help = "h", COUNTER, .exp10 = -13 }, -ERANGE, NULL },
	{ "scale 10^1", { .name = "t", .help = "h", COUNTER, .exp10 = 1 }, -ERANGE, NULL },
	{ "kind 0", { .name = "t", .help = "h", .kind = 0 }, -ERANGE, NULL },
	{ "kind beyond", { .name = "t", .help = "h", .kind = OBSRING_KIND_MAX + 1 }, -ERANGE, NULL },
	{ "counter of the set type", { .name = "t", .help = "h", COUNTER, .set = true }, -EINVAL,
	  "only gauges are set-type" },
	/* Labels */
	{ "eight labels", { .name = "t", .help = "h", COUNTER,
	  LABELS(8, "a", "b", "c", "d", "e", "f", "g", "h") }, 0, NULL },
	{ "nine labels", { .name = "t", .help = "h", COUNTER,
	  LABELS(9, "a", "b", "c", "d", "e", "f", "g", "h", "i") }, -EINVAL,
	  "too many of this attribute" },
	{ "label of 127 bytes", { .name = "t", .help = "h", COUNTER, LABELS(1, A_127) }, 0, NULL },
	{ "label of 128 bytes", { .name = "t", .help = "h", COUNTER, LABELS(1, A_128) }, -EINVAL, NULL },
	{ "empty label", { .name = "t", .help = "h", COUNTER, LABELS(1, "") }, -EINVAL,
	  "a label name is no printable UTF-8 of 1 to 127 bytes" },
	{ "label of Prometheus", { .name = "t", .help = "h", COUNTER, LABELS(1, "__name__") }, -EINVAL,
	  "label names that begin with __ are Prometheus' own" },
	{ "escaped label of Prometheus", { .name = "t", .help = "h", COUNTER, LABELS(1, ".-x") }, -EINVAL,
	  "label names that begin with __ are Prometheus' own" },
	{ "label twice", { .name = "t", .help = "h", COUNTER, LABELS(2, "a", "a") }, -EINVAL,
	  "two label names are the same to Prometheus" },
	{ "labels alike", { .name = "t", .help = "h", COUNTER, LABELS(2, "a.b", "a_b") }, -EINVAL,
	  "two label names are the same to Prometheus" },
	{ "label le", { .name = "t", .help = "h", EXPONENTIAL, LABELS(1, "le") }, -EINVAL,
	  "a histogram's label can't be called le" },
	{ "label le of a counter", { .name = "t", .help = "h", COUNTER, LABELS(1, "le") }, 0, NULL },
	/* Bounds */
	{ "one bound", { .name = "t", .help = "h", HISTOGRAM, BOUNDS(1, 0) }, 0, NULL },
	{ "equal bounds", { .name = "t", .help = "h", HISTOGRAM, BOUNDS(2, 5, 5) }, -EINVAL,
	  "bounds must ascend" },
	{ "falling bounds", { .name = "t", .help = "h", HISTOGRAM, BOUNDS(2, 5, 4) }, -EINVAL,
	  "bounds must ascend" },
	{ "a bound above all", { .name = "t", .help = "h", HISTOGRAM, BOUNDS(2, 5, UINT64_MAX) }, -EINVAL,
	  "the highest bound must be below 2^64 - 1" },
	{ "schema 3", { .name = "t", .help = "h", HISTOGRAM, .schema = 3, .max_log2 = 1 }, 0, NULL },
	{ "schema 4", { .name = "t", .help = "h", HISTOGRAM, .schema = 4, .max_log2 = 1 }, -ERANGE, NULL },
	{ "schema -1", { .name = "t", .help = "h", HISTOGRAM, .schema = -1, .max_log2 = 1 }, -ERANGE, NULL },
	{ "lowest above highest", { .name = "t", .help = "h", HISTOGRAM, .min_log2 = 1 }, -EINVAL,
	  "the bounds must be 2^-40 to 2^40, the lowest below the highest" },
	{ "2^41", { .name = "t", .help = "h", HISTOGRAM, .max_log2 = 41 }, -ERANGE, NULL },
	{ "2^-41", { .name = "t", .help = "h", HISTOGRAM, .min_log2 = -41 }, -ERANGE, NULL },
	{ "more than 510 bounds", { .name = "t", .help = "h", HISTOGRAM, .schema = 3,
	  .min_log2 = -40, .max_log2 = 40 }, -EINVAL, "a histogram has at most 510 bounds" },
};

TEST_F(family, descriptions)
{
	struct obs_info before, after;
	size_t i;
	int r;

	for (i = 0; i < ARRAY_SIZE(descriptions); i++) {
		ASSERT_EQ(0, obs_control_info(self->control, &before));
		r = obs_family_add(self->control, &descriptions[i].spec);
		EXPECT_EQ(descriptions[i].error, r)
			TH_LOG("%s: %s", descriptions[i].what,
			       obs_control_error(self->control));
		if (descriptions[i].sentence)
			EXPECT_SAYS(descriptions[i].sentence, self->control);
		if (!r)
			ASSERT_EQ(0, obs_family_delete(self->control,
						       descriptions[i].spec.name));
		ASSERT_EQ(0, obs_control_info(self->control, &after));
		EXPECT_EQ(before.families, after.families);
		EXPECT_EQ(before.series, after.series);
	}
}

/* More bounds than the library's table above has room for. */
TEST_F(family, number_of_bounds)
{
	struct obs_family_spec spec = { .name = "t", .help = "h", HISTOGRAM };
	uint64_t bound[OBSRING_BOUNDS_MAX + 1];
	unsigned int i;

	for (i = 0; i <= OBSRING_BOUNDS_MAX; i++)
		bound[i] = i;
	spec.bound = bound;
	spec.nr_bounds = OBSRING_BOUNDS_MAX + 1;
	EXPECT_EQ(-EINVAL, obs_family_add(self->control, &spec));
	EXPECT_SAYS("more than 128 bounds", self->control);
	spec.nr_bounds = OBSRING_BOUNDS_MAX;
	EXPECT_EQ(0, obs_family_add(self->control, &spec));
	EXPECT_EQ(OBSRING_BOUNDS_MAX, found(&self->view, "t")->nr_bounds);
}

/* ---- Names that are the same to Prometheus ------------------------------- */

static const struct {
	struct obs_family_spec first, second;
	bool collide;
} pairs[] = {
	{ { .name = "a.b", .help = "h", COUNTER }, { .name = "a_b", .help = "h", COUNTER }, true },
	{ { .name = "a b", .help = "h", GAUGE }, { .name = "a-b", .help = "h", GAUGE }, true },
	{ { .name = "日", .help = "h", GAUGE }, { .name = "本", .help = "h", GAUGE }, true },
	{ { .name = "9", .help = "h", GAUGE }, { .name = "_", .help = "h", GAUGE }, true },
	{ { .name = "日本", .help = "h", GAUGE }, { .name = "_", .help = "h", GAUGE }, false },
	{ { .name = "a", .help = "h", COUNTER }, { .name = "a", .help = "other", GAUGE }, true },
	{ { .name = "a", .help = "h", GAUGE }, { .name = "A", .help = "h", GAUGE }, false },
	{ { .name = "a:b", .help = "h", GAUGE }, { .name = "a_b", .help = "h", GAUGE }, false },
	{ { .name = "foo_total", .help = "h", COUNTER }, { .name = "foo", .help = "h", GAUGE }, true },
	{ { .name = "foo", .help = "h", GAUGE }, { .name = "foo_total", .help = "h", COUNTER }, true },
	{ { .name = "foo_total", .help = "h", COUNTER }, { .name = "foo", .help = "h", COUNTER }, true },
	{ { .name = "foo_total", .help = "h", COUNTER }, { .name = "foo_created", .help = "h", GAUGE }, true },
	{ { .name = "foo_total", .help = "h", GAUGE }, { .name = "foo", .help = "h", GAUGE }, false },
	{ { .name = "x", .help = "h", EXPONENTIAL }, { .name = "x_count", .help = "h", GAUGE }, true },
	{ { .name = "x", .help = "h", EXPONENTIAL }, { .name = "x_sum", .help = "h", GAUGE }, true },
	{ { .name = "x", .help = "h", EXPONENTIAL }, { .name = "x_bucket", .help = "h", GAUGE }, true },
	{ { .name = "x.count", .help = "h", GAUGE }, { .name = "x", .help = "h", EXPONENTIAL }, true },
	{ { .name = "x", .help = "h", EXPONENTIAL }, { .name = "x_total", .help = "h", GAUGE }, false },
	{ { .name = "foo_info", .help = "h", INFO }, { .name = "foo", .help = "h", GAUGE }, true },
	{ { .name = "foo_info", .help = "h", INFO }, { .name = "foo_total", .help = "h", COUNTER }, true },
	{ { .name = "foo_info", .help = "h", INFO }, { .name = "foo_x", .help = "h", GAUGE }, false },
};

TEST_F(family, collisions)
{
	size_t i;
	int r;

	for (i = 0; i < ARRAY_SIZE(pairs); i++) {
		ASSERT_EQ(0, obs_family_add(self->control, &pairs[i].first));
		r = obs_family_add(self->control, &pairs[i].second);
		EXPECT_EQ(pairs[i].collide ? -EEXIST : 0, r)
			TH_LOG("%s and %s", pairs[i].first.name, pairs[i].second.name);
		if (r)
			EXPECT_SAYS("a family of that name exists, or one that is the same to Prometheus after escaping and suffixes", self->control);
		/* The first is as it was; without it the name is free. */
		ASSERT_NE(NULL, found(&self->view, pairs[i].first.name));
		ASSERT_EQ(0, obs_family_delete(self->control, pairs[i].first.name));
		if (!r)
			ASSERT_EQ(0, obs_family_delete(self->control, pairs[i].second.name));
		ASSERT_EQ(0, obs_family_add(self->control, &pairs[i].second));
		ASSERT_EQ(0, obs_family_delete(self->control, pairs[i].second.name));
	}
}

TEST_F(family, collision_with_a_source)
{
	const struct obs_family_spec spec = { .name = "obsring.tasks", .help = "h", COUNTER };

	EXPECT_EQ(-EEXIST, obs_family_add(self->control, &spec));
}

/* ---- Removing ------------------------------------------------------------ */

TEST_F(family, delete_errors)
{
	EXPECT_EQ(-ENOENT, obs_family_delete(self->control, "t"));
	EXPECT_SAYS("there is no family of that name", self->control);
	EXPECT_EQ(-EBUSY, obs_family_delete(self->control, "obsring_tasks"));
	EXPECT_SAYS("the family belongs to a source, a probe or a kernel module", self->control);
	EXPECT_NE(METRIC_NONE, metric(&self->view, "obsring_tasks"));
}

TEST_F(family, delete_takes_its_series)
{
	const struct obs_family_spec spec = {
		.name = "t", .help = "h", COUNTER, LABELS(1, "n"),
	};
	const char *one[] = { "1" }, *two[] = { "2" };
	struct obs_info before, after;

	ASSERT_EQ(0, obs_control_info(self->control, &before));
	ASSERT_EQ(0, obs_family_add(self->control, &spec));
	ASSERT_EQ(0, obs_series_add(self->control, "t", one, 1));
	ASSERT_EQ(0, obs_series_add(self->control, "t", two, 1));
	ASSERT_EQ(0, obs_control_info(self->control, &after));
	/* The overflow series counts as well. */
	EXPECT_EQ(before.series + 3, after.series);
	EXPECT_EQ(before.families + 1, after.families);
	ASSERT_EQ(0, obs_family_delete(self->control, "t"));
	ASSERT_EQ(0, obs_control_info(self->control, &after));
	EXPECT_EQ(before.series, after.series);
	EXPECT_EQ(before.families, after.families);
	EXPECT_EQ(NULL, found(&self->view, "t"));
}

TEST_F(family, again_is_another)
{
	const struct obs_family_spec first = { .name = "t", .help = "one", COUNTER };
	const struct obs_family_spec second = { .name = "t", .help = "two", GAUGE };
	const struct obs_family_info *family;
	uint64_t created;

	ASSERT_EQ(0, obs_family_add(self->control, &first));
	ASSERT_EQ(0, obs_series_add(self->control, "t", NULL, 0));
	ASSERT_EQ(0, obs_series_update(self->control, "t", NULL, 0, 9));
	family = found(&self->view, "t");
	ASSERT_NE(NULL, family);
	created = family->created_ns;
	ASSERT_EQ(0, obs_family_delete(self->control, "t"));
	ASSERT_EQ(0, obs_family_add(self->control, &second));
	ASSERT_EQ(0, obs_series_add(self->control, "t", NULL, 0));
	family = found(&self->view, "t");
	ASSERT_NE(NULL, family);
	EXPECT_STREQ("two", family->help);
	EXPECT_EQ(OBSRING_KIND_GAUGE, family->kind);
	EXPECT_LT(created, family->created_ns);
	EXPECT_EQ(0, metric(&self->view, "t"));
}

TEST_HARNESS_MAIN
