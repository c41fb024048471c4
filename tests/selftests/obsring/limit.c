// SPDX-License-Identifier: MIT
/* Limits: what is beyond them is refused, counted, and granted once there is room. */
#include "packet.h"
#include "test.h"
#include "wire.h"

#define REFUSED	"obsring_series_refused_total"
#define DROPS	"obsring_packet_drops_total"

FIXTURE(limit)
{
	struct obs_control *control;
	struct view view;
	struct obs_info info;
};

FIXTURE_VARIANT(limit)
{
	const char *parameters;
	const char *reason;
};

FIXTURE_VARIANT_ADD(limit, series)
{
	.parameters = "sources=none max_series=96",
	.reason = "max_series",
};

FIXTURE_VARIANT_ADD(limit, family)
{
	.parameters = "sources=none max_series_per_family=32",
	.reason = "max_series_per_family",
};

/* Two pages with a row for each of four CPUs, and a shared one. */
FIXTURE_VARIANT_ADD(limit, bytes)
{
	.parameters = "sources=none max_bytes=40960",
	.reason = "max_bytes",
};

static const struct obs_family_spec counter = {
	.name = "t_total", .help = "h", .kind = OBSRING_KIND_COUNTER,
	.nr_labels = 1, .label = (const char *const[]){ "n" },
};

FIXTURE_SETUP(limit)
{
	ASSERT_EQ(0, module_reload(variant->parameters));
	ASSERT_EQ(0, obs_control_open(&self->control));
	ASSERT_EQ(0, view_open(&self->view));
	ASSERT_EQ(0, obs_family_add(self->control, &counter));
	ASSERT_EQ(0, obs_control_info(self->control, &self->info));
}

FIXTURE_TEARDOWN(limit)
{
	view_close(&self->view);
	obs_control_close(self->control);
	EXPECT_EQ(0, module_reload(""));
}

static int add(struct obs_control *control, unsigned int n)
{
	char text[16];
	const char *value[] = { text };

	snprintf(text, sizeof(text), "%u", n);
	return obs_series_add(control, counter.name, value, 1);
}

/* Add series until one is refused; returns their number. */
static unsigned int fill(struct obs_control *control, int *ret_error)
{
	unsigned int n = 0;

	while (!(*ret_error = add(control, n)))
		n++;
	return n;
}

TEST_F(limit, refuses_and_counts)
{
	struct obs_info info;
	unsigned int n, i;
	int error;

	n = fill(self->control, &error);
	EXPECT_EQ(-ENOSPC, error);
	EXPECT_SAYS("no room for another series: max_series, max_series_per_family or max_bytes", self->control);
	EXPECT_LT(20, n);
	for (i = 0; i < 9; i++)
		EXPECT_EQ(-ENOSPC, add(self->control, 1000000 + i));

	ASSERT_EQ(0, obs_control_info(self->control, &info));
	EXPECT_EQ(self->info.refused + 10, info.refused);
	EXPECT_EQ(10, metric(&self->view, REFUSED, variant->reason));
	EXPECT_EQ(10, metric_total(&self->view, REFUSED));
	EXPECT_EQ(self->info.series + n, info.series);
	EXPECT_LE(info.bytes, info.bytes_limit);
	EXPECT_LE(info.series, info.series_limit);
	/* Overflow series included. */
	EXPECT_LE(n + 1, info.family_series_limit);
}

TEST_F(limit, is_reached_exactly)
{
	struct obs_info info;
	int error;

	fill(self->control, &error);
	ASSERT_EQ(0, obs_control_info(self->control, &info));
	if (!strcmp(variant->reason, "max_series"))
		EXPECT_EQ(96, info.series);
	if (!strcmp(variant->reason, "max_series_per_family"))
		EXPECT_EQ(self->info.series + 31, info.series);
	if (!strcmp(variant->reason, "max_bytes"))
		EXPECT_LT(info.bytes_limit - info.bytes,
			  4096 * (uint64_t)info.nr_cpus);
}

/* What was removed makes room, though its slots need a grace period first. */
TEST_F(limit, removing_makes_room)
{
	struct obs_info info;
	unsigned int n, i, round;
	const char *value[1];
	char text[16];
	int error;

	n = fill(self->control, &error);
	value[0] = text;
	for (round = 0; round < 3; round++) {
		for (i = 0; i < n; i++) {
			snprintf(text, sizeof(text), "%u", i);
			ASSERT_EQ(0, obs_series_update(self->control, counter.name,
						       value, 1, 77));
			ASSERT_EQ(0, obs_series_delete(self->control, counter.name,
						       value, 1));
		}
		ASSERT_EQ(0, obs_control_info(self->control, &info));
		for (i = 0; i < n; i++)
			ASSERT_EQ(0, add(self->control, i));
		EXPECT_EQ(0, metric_total(&self->view, counter.name));
	}
	ASSERT_EQ(0, obs_control_info(self->control, &info));
	EXPECT_EQ(self->info.refused + 1, info.refused);
	EXPECT_EQ(-ENOSPC, add(self->control, n));
}

/* Families that can't have their overflow series are not made, nor told of. */
TEST_F(limit, family_needs_its_overflow_series)
{
	const struct obs_family_spec spec = {
		.name = "other_seconds", .help = "h", .kind = OBSRING_KIND_HISTOGRAM,
		.schema = 3, .min_log2 = -30, .max_log2 = 20, .exp10 = -9,
		.nr_labels = 1, .label = (const char *const[]){ "n" },
	};
	struct obs_info before, after;
	struct answer answer;
	struct wire wire;
	char text[16384];
	int error;

	fill(self->control, &error);
	if (!strcmp(variant->reason, "max_series_per_family"))
		return;
	ASSERT_EQ(0, obs_control_info(self->control, &before));
	ASSERT_EQ(0, wire_open(&wire));
	ASSERT_EQ(0, wire_join(&wire));
	EXPECT_EQ(-ENOSPC, obs_family_add(self->control, &spec));
	EXPECT_SAYS("no room for the family's overflow series", self->control);
	EXPECT_EQ(-EAGAIN, wire_event(&wire, &answer, text, sizeof(text)));
	wire_close(&wire);
	ASSERT_EQ(0, obs_control_info(self->control, &after));
	EXPECT_EQ(before.families, after.families);
	EXPECT_EQ(before.series, after.series);
}

/* ---- Overflow ------------------------------------------------------------ */

FIXTURE(overflow)
{
	struct view view;
};

FIXTURE_SETUP(overflow)
{
	ASSERT_EQ(0, module_reload("sources=netdrop max_series_per_family=8"));
	ASSERT_EQ(0, view_open(&self->view));
}

FIXTURE_TEARDOWN(overflow)
{
	view_close(&self->view);
	EXPECT_EQ(0, module_reload(""));
}

/* A source's refused series still count, together. */
TEST_F(overflow, takes_the_updates)
{
	/* Behind the first seven reasons, so without a series. */
	ASSERT_EQ(METRIC_NONE, metric(&self->view, DROPS, "IP_NOPROTO"));
	EXPECT_LT(0, metric(&self->view, REFUSED, "max_series_per_family"));
	EXPECT_EQ(0, metric(&self->view, DROPS, OBSRING_OVERFLOW_VALUE));
	ASSERT_EQ(0, packets_dropped(packets_without_protocol, 100));
	EXPECT_EQ(100, metric(&self->view, DROPS, OBSRING_OVERFLOW_VALUE));
}

TEST_HARNESS_MAIN
