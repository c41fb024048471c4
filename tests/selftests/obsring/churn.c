// SPDX-License-Identifier: MIT
/*
 * Entries, text and slots are given to others while readers look: no reader
 * ever sees one series' value under another's name. Each series that is made
 * gets a value that tells its name.
 */
#include <sys/mman.h>

#include "test.h"

#define SERIES		48	/* alive at a time */
#define ROUNDS		12	/* or more; each needs a grace period */
#define READERS		2

static const struct obs_family_spec counter = {
	.name = "t_total", .help = "h", .kind = OBSRING_KIND_COUNTER,
	.nr_labels = 1, .label = (const char *const[]){ "n" },
};

/* What a reader found, in memory that it shares with us. */
struct findings {
	uint64_t snapshots;
	uint64_t values;
	uint64_t wrong;
	uint64_t stale_rows;
	int error;
};

FIXTURE(churn)
{
	struct obs_control *control;
	struct findings *findings;
	int *stop;
	pid_t reader[READERS];
};

/* Series that the module has of its own, and the overflow series of ours. */
static unsigned int own_series(void)
{
	struct obs_control *control;
	struct obs_info info = { 0 };

	if (!obs_control_open(&control)) {
		obs_control_info(control, &info);
		obs_control_close(control);
	}
	return info.series + 1;
}

/* Room for one round's series and not for two: slots must be used again. */
FIXTURE_SETUP(churn)
{
	char parameters[64];

	ASSERT_EQ(0, module_reload("sources=none"));
	snprintf(parameters, sizeof(parameters), "sources=none max_series=%u",
		 own_series() + SERIES * 3 / 2);
	ASSERT_EQ(0, module_reload(parameters));
	ASSERT_EQ(0, obs_control_open(&self->control));
	ASSERT_EQ(0, obs_family_add(self->control, &counter));
	self->findings = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->findings);
	self->stop = (int *)(self->findings + READERS);
}

FIXTURE_TEARDOWN(churn)
{
	munmap(self->findings, 4096);
	obs_control_close(self->control);
	EXPECT_EQ(0, module_reload(""));
}

/* ---- Readers ------------------------------------------------------------- */

/* A value is 0 before its first update, then its series' own number. */
static void check(struct findings *findings, const char *name, uint64_t value)
{
	if (!value)
		return;
	findings->values++;
	if (value != strtoull(name, NULL, 10))
		findings->wrong++;
}

static void read_rows(struct findings *findings, const struct obs_snapshot *snapshot,
		      const struct obs_device *device,
		      const struct obs_series_info *series)
{
	uint64_t slot, sum = 0;
	int cpu = -1, r;

	while ((cpu = obs_cpu_next(device, cpu)) >= 0) {
		r = obs_series_row(snapshot, series, (unsigned int)cpu, &slot, 1);
		if (r == -ESTALE) {
			findings->stale_rows++;
			return;
		}
		sum += slot;
	}
	check(findings, series->value[0], sum);
}

static void read_once(struct findings *findings, struct view *view)
{
	const struct obs_series_info *series = NULL;
	const struct obs_family_info *family;
	int r = obs_snapshot_update(view->snapshot);

	if (r < 0) {
		findings->error = r;
		return;
	}
	findings->snapshots++;
	family = obs_family_find(view->snapshot, counter.name);
	while (family && (series = obs_series_next(view->snapshot, family, series))) {
		if (series->overflow)
			continue;
		check(findings, series->value[0],
		      obs_series_counter(view->snapshot, series));
		read_rows(findings, view->snapshot, view->device, series);
	}
}

/* Now and then with a new mapping, which scans all. */
static int reader(struct findings *findings, const int *stop)
{
	struct view view;
	int i;

	while (!__atomic_load_n(stop, __ATOMIC_RELAXED) && !findings->error) {
		findings->error = view_open(&view);
		for (i = 0; i < 200 && !findings->error; i++)
			read_once(findings, &view);
		if (!findings->error || view.device)
			view_close(&view);
	}
	return 0;
}

/* Has each reader met values, or given up? */
static bool all_saw(const struct findings *findings)
{
	unsigned int i;

	for (i = 0; i < READERS; i++)
		if (!__atomic_load_n(&findings[i].values, __ATOMIC_RELAXED) &&
		    !__atomic_load_n(&findings[i].error, __ATOMIC_RELAXED))
			return false;
	return true;
}

/* ---- The writer ---------------------------------------------------------- */

static int round_of(struct obs_control *control, unsigned int first)
{
	const char *value[1];
	unsigned int n;
	char text[16];
	int r = 0;

	value[0] = text;
	for (n = first; !r && n < first + SERIES; n++) {
		snprintf(text, sizeof(text), "%u", n);
		r = obs_series_add(control, counter.name, value, 1);
		if (!r)
			r = obs_series_update(control, counter.name, value, 1, n);
	}
	for (n = first; !r && n < first + SERIES; n++) {
		snprintf(text, sizeof(text), "%u", n);
		r = obs_series_delete(control, counter.name, value, 1);
	}
	return r;
}

TEST_F(churn, values_keep_their_names)
{
	unsigned int i, round;
	struct obs_info info;
	int status;

	for (i = 0; i < READERS; i++) {
		self->reader[i] = fork();
		if (!self->reader[i])
			_exit(reader(&self->findings[i], self->stop));
	}
	for (i = 0; i < READERS; i++)
		EXPECT_TRUE(await(self->findings[i].snapshots || self->findings[i].error));
	for (round = 0; round < ROUNDS || !all_saw(self->findings); round++)
		ASSERT_EQ(0, round_of(self->control, 1000 + round * SERIES));
	__atomic_store_n(self->stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < READERS; i++)
		ASSERT_EQ(self->reader[i], waitpid(self->reader[i], &status, 0));
	for (i = 0; i < READERS; i++) {
		const struct findings *f = &self->findings[i];

		TH_LOG("reader %u: %llu snapshots, %llu values, %llu stale rows", i,
		       (unsigned long long)f->snapshots,
		       (unsigned long long)f->values,
		       (unsigned long long)f->stale_rows);
		EXPECT_EQ(0, f->error);
		EXPECT_EQ(0, f->wrong);
		EXPECT_LT(0, f->values);
	}
	ASSERT_EQ(0, obs_control_info(self->control, &info));
	EXPECT_EQ(0, info.refused);
}

TEST_HARNESS_MAIN
