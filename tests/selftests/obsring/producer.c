// SPDX-License-Identifier: MIT
/* A kernel module as a producer: tests/kmod/obsring_example.c. */
#include "test.h"

FIXTURE(producer)
{
	struct view view;
};

FIXTURE_SETUP(producer)
{
	ASSERT_EQ(0, module_load("obsring_example", ""));
	ASSERT_EQ(0, view_open(&self->view));
}

FIXTURE_TEARDOWN(producer)
{
	if (module_loaded("obsring_example"))
		EXPECT_EQ(0, module_unload("obsring_example"));
	view_close(&self->view);
}

static int serve(const char *number)
{
	return module_parameter_write("obsring_example", "requests", number);
}

TEST_F(producer, starts_from_zero)
{
	EXPECT_EQ(0, metric(&self->view, "example_requests_total", "read"));
	EXPECT_EQ(0, metric(&self->view, "example_requests_total", "write"));
	EXPECT_EQ(0, metric(&self->view, "example_requests_total", OBSRING_OVERFLOW_VALUE));
	EXPECT_EQ(0, metric(&self->view, "example_bytes_total"));
	EXPECT_EQ(0, metric(&self->view, "example_queued_requests"));
	EXPECT_EQ(0, metric(&self->view, "example_temperature_celsius"));
	EXPECT_EQ(0, metric(&self->view, "example_request_latency_seconds"));
	EXPECT_EQ(1, metric(&self->view, "example_info", "pretended"));
}

TEST_F(producer, counts_exactly)
{
	ASSERT_EQ(0, serve("1001"));
	EXPECT_EQ(501, metric(&self->view, "example_requests_total", "read"));
	EXPECT_EQ(500, metric(&self->view, "example_requests_total", "write"));
	EXPECT_EQ(0, metric(&self->view, "example_requests_total", OBSRING_OVERFLOW_VALUE));
	EXPECT_EQ(512 * 1001, metric(&self->view, "example_bytes_total"));
	EXPECT_EQ(0, metric(&self->view, "example_queued_requests"));
	/* The last request, number 1000, set 40000 + 1000 % 1000. */
	EXPECT_EQ(40000, metric(&self->view, "example_temperature_celsius"));
	EXPECT_EQ(1001, metric(&self->view, "example_request_latency_seconds"));
	/* 125 rounds of 0 to 7 ms, and one of 0. */
	EXPECT_EQ(125LL * 28 * 1000000,
		  metric_sum(&self->view, "example_request_latency_seconds"));
	ASSERT_EQ(0, serve("9"));
	EXPECT_EQ(506, metric(&self->view, "example_requests_total", "read"));
	EXPECT_EQ(504, metric(&self->view, "example_requests_total", "write"));
}

/* Each of 0, 1, ... 7 ms as often, in the bucket that its bound says. */
TEST_F(producer, latencies_are_in_their_buckets)
{
	const struct obs_series_info *series;
	const uint64_t *bucket;
	unsigned int b, ms, inside;

	ASSERT_EQ(0, serve("800"));
	series = metric_series(&self->view, "example_request_latency_seconds");
	ASSERT_NE(NULL, series);
	bucket = obs_series_buckets(self->view.snapshot, series);
	for (b = 0; b <= series->family->nr_bounds; b++) {
		inside = 0;
		for (ms = 0; ms < 8; ms++) {
			uint64_t ns = ms * 1000000ULL;

			if ((b == 0 || ns > series->family->bound[b - 1]) &&
			    (b == series->family->nr_bounds ||
			     ns <= series->family->bound[b]))
				inside += 100;
		}
		EXPECT_EQ(inside, bucket[b]);
	}
}

TEST_F(producer, metadata)
{
	const struct obs_family_info *family;

	ASSERT_LE(0, obs_snapshot_update(self->view.snapshot));
	family = obs_family_find(self->view.snapshot, "example_request_latency_seconds");
	ASSERT_NE(NULL, family);
	EXPECT_EQ(-9, family->exp10);
	EXPECT_STREQ("seconds", family->unit);
	EXPECT_TRUE(family->exponential);
	EXPECT_EQ(3, family->schema);
	EXPECT_EQ(-12, family->min_log2);
	EXPECT_EQ(2, family->max_log2);
	EXPECT_EQ(113, family->nr_bounds);
	family = obs_family_find(self->view.snapshot, "example_temperature_celsius");
	ASSERT_NE(NULL, family);
	EXPECT_TRUE(family->set);
	EXPECT_EQ(-3, family->exp10);
}

TEST_F(producer, unload_removes_its_series)
{
	ASSERT_EQ(0, serve("10"));
	ASSERT_EQ(0, module_unload("obsring_example"));
	EXPECT_EQ(METRIC_NONE, metric(&self->view, "example_requests_total", "read"));
	EXPECT_EQ(METRIC_NONE, metric(&self->view, "example_bytes_total"));
	EXPECT_EQ(METRIC_NONE, metric(&self->view, "example_info", "pretended"));
	/* Others are as they were. */
	EXPECT_NE(METRIC_NONE, metric(&self->view, "obsring_memory_bytes", "values"));
}

TEST_F(producer, again_starts_from_zero)
{
	const struct obs_series_info *series;
	uint64_t created, family_created;

	ASSERT_EQ(0, serve("10"));
	series = metric_series(&self->view, "example_bytes_total");
	ASSERT_NE(NULL, series);
	EXPECT_EQ(5120, obs_series_counter(self->view.snapshot, series));
	created = series->created_ns;
	family_created = series->family->created_ns;
	ASSERT_EQ(0, module_unload("obsring_example"));
	ASSERT_EQ(0, module_load("obsring_example", ""));
	series = metric_series(&self->view, "example_bytes_total");
	ASSERT_NE(NULL, series);
	EXPECT_EQ(0, obs_series_counter(self->view.snapshot, series));
	EXPECT_LT(created, series->created_ns);
	EXPECT_LT(family_created, series->family->created_ns);
}

TEST_F(producer, order_of_unloading)
{
	view_close(&self->view);
	EXPECT_EQ(-EWOULDBLOCK, module_unload("obsring"));
	EXPECT_EQ(-EEXIST, module_load("obsring_example", ""));
	EXPECT_EQ(0, module_unload("obsring_example"));
	EXPECT_EQ(0, module_unload("obsring"));
	/* Without obsring its symbols are unknown. */
	EXPECT_EQ(-ENOENT, module_load("obsring_example", ""));
	ASSERT_EQ(0, module_load("obsring", ""));
	EXPECT_EQ(0, module_load("obsring_example", ""));
}

/* Its names are taken: it is refused as a whole, and leaves nothing. */
TEST_F(producer, collision_refuses_all)
{
	const struct obs_family_spec spec = {
		.name = "example_request_latency_seconds_count", .help = "h",
		.kind = OBSRING_KIND_GAUGE,
	};
	struct obs_control *control;
	struct obs_info before, after;

	ASSERT_EQ(0, module_unload("obsring_example"));
	ASSERT_EQ(0, obs_control_open(&control));
	ASSERT_EQ(0, obs_family_add(control, &spec));
	ASSERT_EQ(0, obs_control_info(control, &before));
	EXPECT_EQ(-EEXIST, module_load("obsring_example", ""));
	ASSERT_EQ(0, obs_control_info(control, &after));
	EXPECT_EQ(before.families, after.families);
	EXPECT_EQ(before.series, after.series);
	EXPECT_EQ(0, obs_family_delete(control, spec.name));
	EXPECT_EQ(0, module_load("obsring_example", ""));
	obs_control_close(control);
}

TEST_HARNESS_MAIN
