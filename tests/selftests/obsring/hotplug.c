// SPDX-License-Identifier: MIT
/* CPUs that go off line keep what they counted, and go on with it. */
#include <sys/syscall.h>

#include "test.h"

#define TIMES	100

FIXTURE(hotplug)
{
	struct session session;
	struct obs_control *control;
	struct view *view;
	unsigned int cpus;
};

static int online(unsigned int cpu, const char *yes)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/online", cpu);
	return file_write(path, yes);
}

FIXTURE_SETUP(hotplug)
{
	const struct obs_family_spec spec = {
		.name = "t_total", .help = "h", .kind = OBSRING_KIND_COUNTER,
	};

	self->cpus = (unsigned int)sysconf(_SC_NPROCESSORS_CONF);
	if (self->cpus < 2 || online(self->cpus - 1, "1"))
		SKIP_SETUP("no CPU here can go off line");
	ASSERT_EQ(0, session_open(&self->session));
	self->control = self->session.control;
	self->view = &self->session.view;
	ASSERT_EQ(0, obs_family_add(self->control, &spec));
	ASSERT_EQ(0, obs_series_add(self->control, "t_total", NULL, 0));
}

FIXTURE_TEARDOWN(hotplug)
{
	unsigned int cpu;

	for (cpu = 1; cpu < self->cpus; cpu++)
		online(cpu, "1");
	EXPECT_EQ(0, families_clear(self->control));
	session_close(&self->session);
}

static int update_on(struct obs_control *control, unsigned int cpu)
{
	int r = stay_on_cpu(cpu), i;

	for (i = 0; !r && i < TIMES; i++)
		r = obs_series_update(control, "t_total", NULL, 0, cpu + 1);
	return r ? r : stay_on_cpu(0);
}

static uint64_t row(struct view *view, unsigned int cpu)
{
	const struct obs_series_info *series = metric_series(view, "t_total");
	uint64_t slot = UINT64_MAX;

	if (series)
		obs_series_row(view->snapshot, series, cpu, &slot, 1);
	return slot;
}

TEST_F(hotplug, counts_stay_and_go_on)
{
	unsigned int cpu;
	int64_t sum = 0;

	for (cpu = 0; cpu < self->cpus; cpu++) {
		ASSERT_EQ(0, update_on(self->control, cpu));
		sum += TIMES * (cpu + 1);
	}
	for (cpu = 1; cpu < self->cpus; cpu++) {
		ASSERT_EQ(0, online(cpu, "0"));
		EXPECT_EQ(sum, metric(self->view, "t_total"));
		EXPECT_EQ(TIMES * (cpu + 1), row(self->view, cpu));
	}
	/* All but the first are off. */
	EXPECT_EQ(sum, metric(self->view, "t_total"));
	for (cpu = 1; cpu < self->cpus; cpu++) {
		ASSERT_EQ(0, online(cpu, "1"));
		EXPECT_EQ(sum, metric(self->view, "t_total"));
		ASSERT_EQ(0, update_on(self->control, cpu));
		sum += TIMES * (cpu + 1);
		EXPECT_EQ(2 * TIMES * (cpu + 1), row(self->view, cpu));
		EXPECT_EQ(sum, metric(self->view, "t_total"));
	}
}

/* Made while a CPU is off, a series has a row for it all the same. */
TEST_F(hotplug, series_made_meanwhile)
{
	const struct obs_family_spec spec = {
		.name = "u", .help = "h", .kind = OBSRING_KIND_GAUGE,
	};
	unsigned int cpu = self->cpus - 1;
	const struct obs_series_info *series;
	uint64_t slot;

	ASSERT_EQ(0, online(cpu, "0"));
	ASSERT_EQ(0, obs_family_add(self->control, &spec));
	ASSERT_EQ(0, obs_series_add(self->control, "u", NULL, 0));
	ASSERT_EQ(0, online(cpu, "1"));
	ASSERT_EQ(0, stay_on_cpu(cpu));
	ASSERT_EQ(0, obs_series_update(self->control, "u", NULL, 0, -7));
	ASSERT_EQ(0, stay_on_cpu(0));
	series = metric_series(self->view, "u");
	ASSERT_NE(NULL, series);
	ASSERT_EQ(0, obs_series_row(self->view->snapshot, series, cpu, &slot, 1));
	EXPECT_EQ(-7, (int64_t)slot);
}

static int rows_seen(const struct obs_series_values *series, void *arg)
{
	*(unsigned int *)arg = series->nr_rows;
	return 0;
}

TEST_F(hotplug, netlink_tells_their_rows)
{
	unsigned int cpu = self->cpus - 1, rows = 0;

	ASSERT_EQ(0, update_on(self->control, cpu));
	ASSERT_EQ(0, online(cpu, "0"));
	EXPECT_EQ(0, obs_series_dump(self->control, "t_total", true, -1, rows_seen, &rows));
	EXPECT_EQ(self->cpus, rows);
	EXPECT_EQ(TIMES * (cpu + 1), row(self->view, cpu));
}

/* A source's counter, bumped by its own thread on a CPU that then goes. */
TEST_F(hotplug, sources_lose_nothing)
{
	unsigned int cpu, i;
	int64_t before;

	ASSERT_EQ(0, obs_source_set(self->control, "syscall", true, NULL, 0));
	before = metric(self->view, "obsring_syscalls_total", "getppid");
	for (cpu = 1; cpu < self->cpus; cpu++) {
		ASSERT_EQ(0, stay_on_cpu(cpu));
		for (i = 0; i < TIMES; i++)
			syscall(SYS_getppid);
		ASSERT_EQ(0, stay_on_cpu(0));
		ASSERT_EQ(0, online(cpu, "0"));
		EXPECT_EQ(before + TIMES * cpu,
			  metric(self->view, "obsring_syscalls_total", "getppid"));
	}
	ASSERT_EQ(0, obs_source_set(self->control, "syscall", false, NULL, 0));
}

TEST_HARNESS_MAIN
