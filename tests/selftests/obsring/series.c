// SPDX-License-Identifier: MIT
/* Series: label values, their lives, and what a reader of an old one sees. */
#include "test.h"

#define TEN	"0123456789"
#define HUNDRED	TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

FIXTURE(series)
{
	struct obs_control *control;
	struct view view;
};

FIXTURE_SETUP(series)
{
	const struct obs_family_spec counter = {
		.name = "t_total", .help = "h", .kind = OBSRING_KIND_COUNTER,
		.nr_labels = 1, .label = (const char *const[]){ "n" },
	};

	ASSERT_EQ(0, obs_control_open(&self->control));
	ASSERT_EQ(0, view_open(&self->view));
	ASSERT_EQ(0, obs_family_add(self->control, &counter));
}

FIXTURE_TEARDOWN(series)
{
	EXPECT_EQ(0, families_clear(self->control));
	view_close(&self->view);
	obs_control_close(self->control);
}

static int add(struct obs_control *control, const char *value)
{
	return obs_series_add(control, "t_total", &value, 1);
}

static int update(struct obs_control *control, const char *value, int64_t number)
{
	return obs_series_update(control, "t_total", &value, 1, number);
}

static int delete(struct obs_control *control, const char *value)
{
	return obs_series_delete(control, "t_total", &value, 1);
}

/* ---- Label values -------------------------------------------------------- */

static const struct {
	const char *value;
	int error;
	const char *sentence;
} values[] = {
	{ "", 0, NULL },
	{ "plain", 0, NULL },
	{ "new\nline \"quote\" back\\slash", 0, NULL },
	{ "\x01\x7f", 0, NULL },
	{ "日本", 0, NULL },
	{ HUNDRED TEN TEN "0123456", 0, NULL },
	{ HUNDRED TEN TEN "01234567", -EINVAL, NULL },
	{ "\xff", -EINVAL, "a label value is no valid UTF-8" },
	{ "a\xed\xa0\x80", -EINVAL, "a label value is no valid UTF-8" },
	{ OBSRING_OVERFLOW_VALUE, -EEXIST, "the series exists" },
};

TEST_F(series, label_values)
{
	size_t i;
	int r;

	for (i = 0; i < ARRAY_SIZE(values); i++) {
		r = add(self->control, values[i].value);
		EXPECT_EQ(values[i].error, r)
			TH_LOG("%s: %s", values[i].value, obs_control_error(self->control));
		if (values[i].sentence)
			EXPECT_SAYS(values[i].sentence, self->control);
		if (r)
			continue;
		ASSERT_EQ(0, update(self->control, values[i].value, (int64_t)i + 1));
		EXPECT_EQ((int64_t)i + 1, metric(&self->view, "t_total", values[i].value));
		EXPECT_EQ(-EEXIST, add(self->control, values[i].value));
	}
}

TEST_F(series, number_of_values)
{
	const char *two[] = { "a", "b" };

	EXPECT_EQ(-EINVAL, obs_series_add(self->control, "t_total", NULL, 0));
	EXPECT_SAYS("there must be a label-value for each label of the family", self->control);
	EXPECT_EQ(-EINVAL, obs_series_add(self->control, "t_total", two, 2));
	EXPECT_EQ(-EINVAL, obs_series_update(self->control, "t_total", two, 2, 1));
	EXPECT_EQ(-EINVAL, obs_series_delete(self->control, "t_total", NULL, 0));
}

/* Where one value ends and the next begins is no matter of their sum. */
TEST_F(series, values_do_not_run_together)
{
	const struct obs_family_spec spec = {
		.name = "pair_total", .help = "h", .kind = OBSRING_KIND_COUNTER,
		.nr_labels = 2, .label = (const char *const[]){ "a", "b" },
	};
	const char *one[] = { "x", "yz" }, *two[] = { "xy", "z" };

	ASSERT_EQ(0, obs_family_add(self->control, &spec));
	ASSERT_EQ(0, obs_series_add(self->control, "pair_total", one, 2));
	EXPECT_EQ(0, obs_series_add(self->control, "pair_total", two, 2));
	ASSERT_EQ(0, obs_series_update(self->control, "pair_total", two, 2, 7));
	EXPECT_EQ(0, metric(&self->view, "pair_total", "x", "yz"));
	EXPECT_EQ(7, metric(&self->view, "pair_total", "xy", "z"));
}

/* ---- Errors -------------------------------------------------------------- */

TEST_F(series, unknown)
{
	const char *value[] = { "a" };

	EXPECT_EQ(-ENOENT, obs_series_add(self->control, "none", value, 1));
	EXPECT_SAYS("there is no family of that name", self->control);
	EXPECT_EQ(-ENOENT, update(self->control, "a", 1));
	EXPECT_SAYS("the family has no series with these label values", self->control);
	EXPECT_EQ(-ENOENT, delete(self->control, "a"));
	EXPECT_EQ(METRIC_NONE, metric(&self->view, "t_total", "a"));
}

TEST_F(series, of_others)
{
	int64_t before = metric(&self->view, "obsring_oom_kills_total");

	EXPECT_EQ(-EBUSY, obs_series_update(self->control, "obsring_oom_kills_total", NULL, 0, 1));
	EXPECT_EQ(-EBUSY, obs_series_delete(self->control, "obsring_oom_kills_total", NULL, 0));
	EXPECT_EQ(-EBUSY, obs_series_add(self->control, "obsring_oom_kills_total", NULL, 0));
	EXPECT_SAYS("the family belongs to a source, a probe or a kernel module", self->control);
	EXPECT_EQ(before, metric(&self->view, "obsring_oom_kills_total"));
}

TEST_F(series, overflow_stays)
{
	const struct obs_series_info *series;

	EXPECT_EQ(-EBUSY, delete(self->control, OBSRING_OVERFLOW_VALUE));
	EXPECT_SAYS("an overflow series goes with its family", self->control);
	series = metric_series(&self->view, "t_total", OBSRING_OVERFLOW_VALUE);
	ASSERT_NE(NULL, series);
	EXPECT_TRUE(series->overflow);
}

/* ---- Lives --------------------------------------------------------------- */

TEST_F(series, order_of_creation_overflow_last)
{
	static const char *const name[] = { "z", "a", "m" };
	const struct obs_series_info *series = NULL;
	const struct obs_family_info *family;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(name); i++)
		ASSERT_EQ(0, add(self->control, name[i]));
	ASSERT_LE(0, obs_snapshot_update(self->view.snapshot));
	family = obs_family_find(self->view.snapshot, "t_total");
	ASSERT_NE(NULL, family);
	EXPECT_EQ(4, obs_family_nr_series(self->view.snapshot, family));
	for (i = 0; i < ARRAY_SIZE(name); i++) {
		series = obs_series_next(self->view.snapshot, family, series);
		ASSERT_NE(NULL, series);
		EXPECT_STREQ(name[i], series->value[0]);
	}
	series = obs_series_next(self->view.snapshot, family, series);
	ASSERT_NE(NULL, series);
	EXPECT_TRUE(series->overflow);
	EXPECT_EQ(NULL, obs_series_next(self->view.snapshot, family, series));
}

TEST_F(series, again_starts_from_zero)
{
	const struct obs_series_info *series;
	uint64_t created;
	uint32_t id, gen;

	ASSERT_EQ(0, add(self->control, "a"));
	ASSERT_EQ(0, update(self->control, "a", 41));
	series = metric_series(&self->view, "t_total", "a");
	ASSERT_NE(NULL, series);
	id = series->id;
	gen = series->gen;
	created = series->created_ns;
	ASSERT_EQ(0, delete(self->control, "a"));
	ASSERT_EQ(0, add(self->control, "a"));
	series = metric_series(&self->view, "t_total", "a");
	ASSERT_NE(NULL, series);
	EXPECT_EQ(0, obs_series_counter(self->view.snapshot, series));
	EXPECT_TRUE(id != series->id || gen != series->gen);
	EXPECT_LT(created, series->created_ns);
	ASSERT_EQ(0, update(self->control, "a", 1));
	EXPECT_EQ(1, metric(&self->view, "t_total", "a"));
}

/* A row is read from the mapping at once: only the generation tells. */
TEST_F(series, rows_of_a_removed_one_are_stale)
{
	const struct obs_series_info *series;
	uint64_t slot = 123;

	ASSERT_EQ(0, add(self->control, "a"));
	series = metric_series(&self->view, "t_total", "a");
	ASSERT_NE(NULL, series);
	EXPECT_EQ(0, obs_series_row(self->view.snapshot, series, 0, &slot, 1));
	ASSERT_EQ(0, delete(self->control, "a"));
	slot = 123;
	EXPECT_EQ(-ESTALE, obs_series_row(self->view.snapshot, series, 0, &slot, 1));
	EXPECT_EQ(123, slot);
}

TEST_F(series, a_snapshot_says_what_changed)
{
	uint64_t generation;

	ASSERT_LE(0, obs_snapshot_update(self->view.snapshot));
	generation = obs_snapshot_generation(self->view.snapshot);
	EXPECT_EQ(0, obs_snapshot_update(self->view.snapshot));
	EXPECT_EQ(generation, obs_snapshot_generation(self->view.snapshot));
	ASSERT_EQ(0, add(self->control, "a"));
	EXPECT_EQ(1, obs_snapshot_update(self->view.snapshot));
	EXPECT_NE(generation, obs_snapshot_generation(self->view.snapshot));
	ASSERT_EQ(0, update(self->control, "a", 1));
	EXPECT_EQ(0, obs_snapshot_update(self->view.snapshot));
	ASSERT_EQ(0, delete(self->control, "a"));
	EXPECT_EQ(1, obs_snapshot_update(self->view.snapshot));
}

TEST_HARNESS_MAIN
