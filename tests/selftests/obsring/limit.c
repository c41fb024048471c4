// SPDX-License-Identifier: MIT
/* Limits: what is beyond them is refused, counted, and granted once there is room. */
#include <sys/wait.h>

#include "packet.h"
#include "service.h"
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

/* ---- Killed while waiting for room --------------------------------------- */

#define SERVICE	"waits"
#define WAITS	"obs_registry_flush"	/* there */

FIXTURE(killed)
{
	struct obs_control *control;
	struct obs_service *service;
};

FIXTURE_VARIANT(killed)
{
	const char *parameters;
	int (*ask)(FIXTURE_DATA(killed) *self);
	bool fills;
};

static const struct obs_family_spec other = {
	.name = "t_other_total", .help = "h", .kind = OBSRING_KIND_COUNTER,
	.nr_labels = 1, .label = (const char *const[]){ "n" },
};

static int ask_family(FIXTURE_DATA(killed) *self)
{
	return obs_family_add(self->control, &other);
}

FIXTURE_VARIANT_ADD(killed, family)
{
	.parameters = "sources=none max_series=96", .fills = true,
	.ask = ask_family,
};

static int ask_series(FIXTURE_DATA(killed) *self)
{
	return add(self->control, 1000000);
}

FIXTURE_VARIANT_ADD(killed, series)
{
	.parameters = "sources=none max_series=96", .fills = true,
	.ask = ask_series,
};

static int ask_attach(FIXTURE_DATA(killed) *self)
{
	struct obs_service *service;
	int r = obs_service_attach("another", &service);

	(void)self;
	if (!r)
		obs_service_detach(service);
	return r;
}

FIXTURE_VARIANT_ADD(killed, attach)
{
	.parameters = "sources=none max_series=96", .fills = true,
	.ask = ask_attach,
};

static int ask_metric(FIXTURE_DATA(killed) *self)
{
	const char *value[] = { "v" };
	struct obs_counter *made;

	return obs_counter_new(self->service, &other, value, &made);
}

FIXTURE_VARIANT_ADD(killed, metric)
{
	.parameters = "sources=none max_series=96", .fills = true,
	.ask = ask_metric,
};

/* Its overflow series has been made by then. */
FIXTURE_VARIANT_ADD(killed, metric_half_made)
{
	.parameters = "sources=none max_service_series=1",
	.ask = ask_metric,
};

FIXTURE_SETUP(killed)
{
	const char *value[] = { "0" };
	int error = -ENOSPC;

	ASSERT_EQ(0, module_reload(variant->parameters));
	ASSERT_EQ(0, module_load("obsring_hold", ""));
	ASSERT_EQ(0, obs_control_open(&self->control));
	ASSERT_EQ(0, obs_service_attach(SERVICE, &self->service));
	ASSERT_EQ(0, obs_family_add(self->control, &counter));
	if (variant->fills)
		fill(self->control, &error);
	else
		ASSERT_EQ(0, add(self->control, 0));
	ASSERT_EQ(-ENOSPC, error);
	/* What is removed now is not gone before the hold is. */
	ASSERT_EQ(0, module_parameter_write("obsring_hold", "hold", "1"));
	ASSERT_EQ(0, obs_series_delete(self->control, counter.name, value, 1));
}

FIXTURE_TEARDOWN(killed)
{
	obs_service_detach(self->service);
	obs_control_close(self->control);
	EXPECT_EQ(0, module_unload("obsring_hold"));
	EXPECT_EQ(0, module_reload(""));
}

/* Where the process sleeps. */
static bool sleeps_in(pid_t pid, const char *function)
{
	char path[64], where[128] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/wchan", (int)pid);
	f = fopen(path, "r");
	if (!f)
		return false;
	if (!fgets(where, sizeof(where), f))
		where[0] = 0;
	fclose(f);
	return !strcmp(where, function);
}

TEST_F(killed, leaves_nothing)
{
	struct obs_service_info service;
	struct obs_info before, after;
	int status;
	pid_t pid;

	ASSERT_EQ(0, obs_control_info(self->control, &before));
	pid = fork();
	if (!pid)
		_exit(!!variant->ask(self));
	ASSERT_LT(0, pid);
	EXPECT_TRUE(await(sleeps_in(pid, WAITS)));
	kill(pid, SIGKILL);
	EXPECT_TRUE(await(waitpid(pid, &status, WNOHANG) == pid));
	EXPECT_TRUE(WIFSIGNALED(status));

	ASSERT_EQ(0, obs_control_info(self->control, &after));
	EXPECT_EQ(before.families, after.families);
	EXPECT_EQ(before.series, after.series);
	ASSERT_EQ(0, service_info(self->control, SERVICE, 0, &service));
	EXPECT_EQ(0, service.series);
	EXPECT_EQ(-ENOENT, service_info(self->control, "another", 0, &service));
	/* What it waited for is granted to who lives, or the overflow series: 1. */
	ASSERT_EQ(0, module_parameter_write("obsring_hold", "hold", "0"));
	EXPECT_LE(0, variant->ask(self));
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
