// SPDX-License-Identifier: MIT
/*
 * Exemplars of a kernel module's histogram (tests/kmod/obsring_example.c): whose
 * they are, that the newest is shown, and what becomes of them when their series
 * goes or there is no memory. All at once: stress.c.
 */
#include "test.h"

#define LATENCY	"example_request_latency_seconds"
#define REFUSED	"obsring_exemplars_refused_total"
#define MS	1000000ULL

FIXTURE(exemplar)
{
	struct view view;
	struct obs_exemplar exemplar[OBS_RANGES_MAX];
	unsigned int nr_ranges;
};

FIXTURE_SETUP(exemplar)
{
	ASSERT_EQ(0, module_load("obsring_example", ""));
	ASSERT_EQ(0, view_open(&self->view));
}

FIXTURE_TEARDOWN(exemplar)
{
	if (module_loaded("obsring_example"))
		EXPECT_EQ(0, module_unload("obsring_example"));
	view_close(&self->view);
}

static int serve(const char *number)
{
	return module_parameter_write("obsring_example", "requests", number);
}

/* How many there are, read anew. */
static int look(FIXTURE_DATA(exemplar) *self)
{
	const struct obs_series_info *series = metric_series(&self->view, LATENCY);

	if (!series)
		return -ENOENT;
	self->nr_ranges = series->nr_exemplars;
	return obs_series_exemplars(self->view.snapshot, series, self->exemplar,
				    self->nr_ranges);
}

/* The request that an exemplar tells; its parts belong together. */
static uint64_t request_of(const struct obs_exemplar *e)
{
	static const uint8_t trace[12] = { 0xe0 }, span[4] = { 0x0b };
	uint64_t k = 0;
	int i;

	for (i = 12; i < 16; i++)
		k = k << 8 | e->trace_id[i];
	if (memcmp(e->trace_id, trace, sizeof(trace)) ||
	    memcmp(e->span_id, span, sizeof(span)) ||
	    memcmp(e->span_id + 4, e->trace_id + 12, 4) || e->value != k % 8 * MS)
		return UINT64_MAX;
	return k;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Octaves from 2^-12 s, 0.24 ms: of 0 to 7 ms, 0 and 1 have one for themselves. */
TEST_F(exemplar, each_range_has_its_own)
{
	const struct obs_series_info *series;
	uint64_t before = now_ns(), k, upper, seen = 0;
	unsigned int i;

	ASSERT_EQ(0, look(self));
	EXPECT_EQ(2 - -12 + 2, self->nr_ranges);
	ASSERT_EQ(0, serve("8"));
	ASSERT_LT(3, look(self));
	series = metric_series(&self->view, LATENCY);
	for (i = 0; i < self->nr_ranges; i++) {
		if (!self->exemplar[i].time_ns)
			continue;
		k = request_of(&self->exemplar[i]);
		ASSERT_GT(8, k);
		seen |= 1 << k;
		upper = series->family->bound[obs_family_range_last(series->family, i)];
		EXPECT_GE(upper, self->exemplar[i].value);
		EXPECT_LE(before, self->exemplar[i].time_ns);
		EXPECT_GE(now_ns(), self->exemplar[i].time_ns);
	}
	EXPECT_EQ(3, seen & 3);
}

/* Of two that come far enough from each other the newer is shown. */
TEST_F(exemplar, newest_is_shown)
{
	uint64_t time;

	ASSERT_EQ(0, serve("1"));
	ASSERT_EQ(1, look(self));
	ASSERT_EQ(0, request_of(&self->exemplar[0]));
	time = self->exemplar[0].time_ns;
	ASSERT_TRUE(await(!serve("9") && look(self) > 0 &&
			  self->exemplar[0].time_ns > time));
	/* Of those of 0 ms. */
	EXPECT_EQ(0, request_of(&self->exemplar[0]) % 8);
	EXPECT_GT(9, request_of(&self->exemplar[0]));
}

/* The next series in that place has none of them. */
TEST_F(exemplar, gone_with_the_series)
{
	ASSERT_EQ(0, serve("8"));
	ASSERT_LT(0, look(self));
	ASSERT_EQ(0, module_unload("obsring_example"));
	EXPECT_EQ(-ENOENT, look(self));
	ASSERT_EQ(0, module_load("obsring_example", ""));
	EXPECT_EQ(0, look(self));
	EXPECT_EQ(16, self->nr_ranges);
	EXPECT_EQ(0, metric(&self->view, REFUSED));
}

/* ---- Without memory ------------------------------------------------------ */

FIXTURE(no_room)
{
	struct session session;
};

FIXTURE_SETUP(no_room)
{
	char parameters[64];

	snprintf(parameters, sizeof(parameters), "sources=none max_bytes=%ld",
		 3 * sysconf(_SC_PAGESIZE) * sysconf(_SC_NPROCESSORS_CONF));
	ASSERT_EQ(0, module_reload(parameters));
	ASSERT_EQ(0, session_open(&self->session));
}

FIXTURE_TEARDOWN(no_room)
{
	if (module_loaded("obsring_example"))
		EXPECT_EQ(0, module_unload("obsring_example"));
	session_close(&self->session);
	EXPECT_EQ(0, module_reload(""));
}

/* Slots with rows, for the example when this is gone. */
static int place_keep(struct obs_control *control)
{
	static const struct obs_family_spec place = {
		.name = "place", .help = "h", .kind = OBSRING_KIND_HISTOGRAM,
		.schema = 3, .min_log2 = -20, .max_log2 = 20,
	};
	int r = obs_family_add(control, &place);

	return r ? r : obs_series_add(control, place.name, NULL, 0);
}

/* Use up max_bytes with gauges of one word each. */
static int fill(struct obs_control *control)
{
	static const char *const label[] = { "n" };
	static const struct obs_family_spec gauge = {
		.name = "fill", .help = "h", .kind = OBSRING_KIND_GAUGE, .set = true,
		.nr_labels = 1, .label = label,
	};
	char text[16];
	const char *value[] = { text };
	unsigned int n;
	int r;

	r = obs_family_add(control, &gauge);
	for (n = 0; !r; n++) {
		snprintf(text, sizeof(text), "%u", n);
		r = obs_series_add(control, gauge.name, value, 1);
	}
	return r;
}

TEST_F(no_room, histogram_counts_without)
{
	static const char *const first[] = { "0" };
	const struct obs_series_info *series;

	ASSERT_EQ(0, place_keep(self->session.control));
	ASSERT_EQ(-ENOSPC, fill(self->session.control));
	/* The example's slots with rows, and the word that it sets. */
	ASSERT_EQ(0, obs_family_delete(self->session.control, "place"));
	ASSERT_EQ(0, obs_series_delete(self->session.control, "fill", first, 1));
	ASSERT_EQ(0, metric(&self->session.view, REFUSED));
	ASSERT_EQ(0, module_load("obsring_example", ""));
	ASSERT_EQ(0, serve("80"));
	EXPECT_EQ(80, metric(&self->session.view, LATENCY));
	EXPECT_EQ(1, metric(&self->session.view, REFUSED));
	EXPECT_EQ(0, metric(&self->session.view, "obsring_memory_bytes", "exemplars"));
	series = metric_series(&self->session.view, LATENCY);
	ASSERT_NE(NULL, series);
	EXPECT_EQ(0, series->nr_exemplars);
}

TEST_HARNESS_MAIN
