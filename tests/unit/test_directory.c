// SPDX-License-Identifier: MIT
/* The library's model of the directory, against a segment that a test writes. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <obsring.h>

#include "libobsring/snapshot.h"
#include "segment.h"

static const char *const label_op[] = { "op" };

static uint32_t counter_add(struct segment *s, const char *name)
{
	return segment_family_add(s, &(struct obs_family_spec){
		.name = name, .help = "Help.", .kind = OBSRING_KIND_COUNTER,
		.nr_labels = 1, .label = label_op });
}

static uint32_t series_add(struct segment *s, uint32_t family, const char *op)
{
	return segment_series_add(s, family, &op);
}

/* A segment, opened. */
struct fixture {
	struct segment *segment;
	struct obs_device *device;
	struct obs_snapshot *snapshot;
};

static void fixture_open(struct fixture *f, const struct segment_spec *spec)
{
	f->segment = segment_new(spec);
	assert_int_equal(obs_device_open(segment_path(f->segment), &f->device), 0);
	assert_int_equal(obs_snapshot_new(f->device, &f->snapshot), 0);
}

static void fixture_close(struct fixture *f)
{
	obs_snapshot_free(f->snapshot);
	obs_device_close(f->device);
	segment_free(f->segment);
}

/* "op op op" of a family's series, in their order. */
static const char *ops(const struct obs_snapshot *snapshot, const char *name)
{
	static char text[4096];
	const struct obs_family_info *family = obs_family_find(snapshot, name);
	const struct obs_series_info *series = NULL;
	size_t n = 0;

	text[0] = 0;
	if (!family)
		return "no family";
	while ((series = obs_series_next(snapshot, family, series)))
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", n ? " " : "",
				      series->value[0]);
	return text;
}

static uint64_t value_of(const struct obs_snapshot *snapshot, const char *name,
			 const char *op)
{
	const struct obs_family_info *family = obs_family_find(snapshot, name);
	const struct obs_series_info *series = NULL;

	assert_non_null(family);
	while ((series = obs_series_next(snapshot, family, series)))
		if (!strcmp(series->value[0], op))
			return obs_series_counter(snapshot, series);
	fail_msg("no series %s of %s", op, name);
	return 0;
}

static void test_empty(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, NULL);
	assert_int_equal(obs_snapshot_update(f.snapshot), 0);
	assert_null(obs_family_next(f.snapshot, NULL));
	assert_int_equal(obs_snapshot_generation(f.snapshot), 0);
	fixture_close(&f);
}

static void test_sum_over_cpus(void **state)
{
	struct fixture f;
	uint32_t family, series, cpu;
	uint64_t slot;

	(void)state;
	fixture_open(&f, &(struct segment_spec){ .nr_cpus = 70, .cpus_absent = 1 << 5 });
	family = counter_add(f.segment, "a_total");
	series = series_add(f.segment, family, "read");
	for (cpu = 0; cpu < 70; cpu++)
		segment_slot(f.segment, series, cpu)[0] = cpu + 1;
	assert_int_equal(obs_snapshot_update(f.snapshot), 1);
	/* CPU 5 has no row: what stands there does not count. */
	assert_int_equal(value_of(f.snapshot, "a_total", "read"), 70 * 71 / 2 - 6);
	assert_int_equal(obs_cpu_next(f.device, 4), 6);
	assert_int_equal(obs_cpu_next(f.device, -1), 0);
	assert_int_equal(obs_cpu_next(f.device, 69), -1);

	const struct obs_series_info *info = obs_series_next(
		f.snapshot, obs_family_find(f.snapshot, "a_total"), NULL);

	assert_int_equal(obs_series_row(f.snapshot, info, 69, &slot, 1), 0);
	assert_int_equal(slot, 70);
	assert_int_equal(obs_series_row(f.snapshot, info, 5, &slot, 1), -ENXIO);
	assert_int_equal(obs_series_row(f.snapshot, info, 70, &slot, 1), -ENXIO);
	assert_int_equal(obs_series_row(f.snapshot, info, 0, &slot, 2), -EINVAL);

	segment_slot(f.segment, series, 0)[0]++;
	assert_int_equal(obs_snapshot_update(f.snapshot), 0);
	assert_int_equal(value_of(f.snapshot, "a_total", "read"), 70 * 71 / 2 - 5);

	segment_series_remove(f.segment, series);
	assert_int_equal(obs_series_row(f.snapshot, info, 0, &slot, 1), -ESTALE);
	fixture_close(&f);
}

static void test_order(void **state)
{
	struct fixture f;
	uint32_t family, b;

	(void)state;
	fixture_open(&f, NULL);
	family = counter_add(f.segment, "a_total");
	segment_series_add_as(f.segment, family, (const char *[]){ "_overflow" },
			      OBSRING_SERIES_OVERFLOW, 1);
	series_add(f.segment, family, "a");
	b = series_add(f.segment, family, "b");
	series_add(f.segment, family, "c");
	assert_int_equal(obs_snapshot_update(f.snapshot), 1);
	assert_string_equal(ops(f.snapshot, "a_total"), "a b c _overflow");

	/* The freed index is used again, the order is that of creation. */
	segment_series_remove(f.segment, b);
	assert_int_equal(series_add(f.segment, family, "d"), b);
	assert_int_equal(obs_snapshot_update(f.snapshot), 1);
	assert_string_equal(ops(f.snapshot, "a_total"), "a c d _overflow");

	/* A clock that was set back: between those that it makes it stand. */
	segment_series_add_as(f.segment, family, (const char *[]){ "e" }, 0, 2);
	assert_int_equal(obs_snapshot_update(f.snapshot), 1);
	assert_string_equal(ops(f.snapshot, "a_total"), "e a c d _overflow");
	assert_int_equal(obs_family_nr_series(f.snapshot,
					      obs_family_find(f.snapshot, "a_total")), 5);
	fixture_close(&f);
}

static void test_reuse(void **state)
{
	struct fixture f;
	uint32_t family, a;

	(void)state;
	fixture_open(&f, NULL);
	family = counter_add(f.segment, "a_total");
	a = series_add(f.segment, family, "a");
	segment_slot(f.segment, a, 1)[0] = 7;
	assert_int_equal(obs_snapshot_update(f.snapshot), 1);
	assert_int_equal(value_of(f.snapshot, "a_total", "a"), 7);

	/* The whole family gives way to another one, at the same indices. */
	segment_family_remove(f.segment, family);
	assert_int_equal(counter_add(f.segment, "b_total"), family);
	assert_int_equal(series_add(f.segment, family, "b"), a);
	segment_slot(f.segment, a, 1)[0] = 8;
	assert_int_equal(obs_snapshot_update(f.snapshot), 1);
	assert_null(obs_family_find(f.snapshot, "a_total"));
	assert_int_equal(value_of(f.snapshot, "b_total", "b"), 8);
	assert_true(f.snapshot->directory.nr_reused >= 2);

	/* Came and went between two looks: nothing changed. */
	segment_series_remove(f.segment, series_add(f.segment, family, "c"));
	assert_int_equal(obs_snapshot_update(f.snapshot), 0);
	assert_int_equal(obs_snapshot_generation(f.snapshot), 2);
	fixture_close(&f);
}

/* The journal wraps many times, and its position passes 2^32 and 2^64. */
static void journal_walk(uint64_t start, unsigned int step)
{
	struct fixture f;
	uint32_t family, i, k;
	char op[32];

	fixture_open(&f, &(struct segment_spec){ .journal_nr = 16 });
	segment_journal_start(f.segment, start);
	family = counter_add(f.segment, "a_total");
	assert_int_equal(obs_snapshot_update(f.snapshot), 1);
	for (i = 0; i < 300; i += step) {
		for (k = i; k < i + step; k++) {
			snprintf(op, sizeof(op), "s%u", k);
			segment_slot(f.segment,
				     series_add(f.segment, family, op), 0)[0] = k;
		}
		assert_int_equal(obs_snapshot_update(f.snapshot), 1);
		for (k = 0; k < i + step; k++) {
			snprintf(op, sizeof(op), "s%u", k);
			assert_int_equal(value_of(f.snapshot, "a_total", op), k);
		}
	}
	/* A step below the ring's length is followed, a longer one scanned. */
	assert_int_equal(f.snapshot->directory.nr_scans,
			 step < 16 ? 1 : 1 + (300 + step - 1) / step);
	fixture_close(&f);
}

static void test_journal_wrap(void **state)
{
	(void)state;
	journal_walk(OBSRING_JOURNAL_START, 1);
	journal_walk(OBSRING_JOURNAL_START, 15);
	journal_walk(UINT64_MAX - 100, 7);
}

static void test_journal_overrun(void **state)
{
	(void)state;
	journal_walk(OBSRING_JOURNAL_START, 16);
	journal_walk(OBSRING_JOURNAL_START, 17);
	journal_walk(UINT64_MAX - 40, 50);
}

static void test_kinds(void **state)
{
	static const uint64_t bounds[] = { 1000, 5000, 1000000 };
	struct fixture f;
	uint32_t gauge, set, info, histogram, i;
	const struct obs_family_info *family;
	const struct obs_series_info *series;

	(void)state;
	fixture_open(&f, NULL);
	gauge = segment_family_add(f.segment, &(struct obs_family_spec){
		.name = "gauge", .kind = OBSRING_KIND_GAUGE, .unit = "bytes" });
	set = segment_family_add(f.segment, &(struct obs_family_spec){
		.name = "set", .kind = OBSRING_KIND_GAUGE, .set = true });
	info = segment_family_add(f.segment, &(struct obs_family_spec){
		.name = "build_info", .kind = OBSRING_KIND_INFO, .nr_labels = 1,
		.label = label_op });
	histogram = segment_family_add(f.segment, &(struct obs_family_spec){
		.name = "latency_seconds", .kind = OBSRING_KIND_HISTOGRAM, .exp10 = -9,
		.nr_bounds = 3, .bound = bounds });
	i = segment_series_add(f.segment, gauge, NULL);
	segment_slot(f.segment, i, 0)[0] = 3;
	segment_slot(f.segment, i, 3)[0] = (uint64_t)-10;
	i = segment_series_add(f.segment, set, NULL);
	segment_slot(f.segment, i, 0)[0] = (uint64_t)-5;
	series_add(f.segment, info, "x");
	i = segment_series_add(f.segment, histogram, NULL);
	segment_slot(f.segment, i, 1)[0] = 123456;
	segment_slot(f.segment, i, 1)[1] = 1;
	segment_slot(f.segment, i, 2)[4] = 2;
	assert_int_equal(obs_snapshot_update(f.snapshot), 1);

	family = obs_family_find(f.snapshot, "gauge");
	assert_string_equal(family->unit, "bytes");
	series = obs_series_next(f.snapshot, family, NULL);
	assert_int_equal(obs_series_gauge(f.snapshot, series), -7);
	assert_null(obs_series_buckets(f.snapshot, series));
	family = obs_family_find(f.snapshot, "set");
	series = obs_series_next(f.snapshot, family, NULL);
	assert_int_equal(obs_series_gauge(f.snapshot, series), -5);
	family = obs_family_find(f.snapshot, "build_info");
	series = obs_series_next(f.snapshot, family, NULL);
	assert_int_equal(obs_series_counter(f.snapshot, series), 1);
	family = obs_family_find(f.snapshot, "latency_seconds");
	series = obs_series_next(f.snapshot, family, NULL);
	assert_int_equal(obs_series_sum(f.snapshot, series), 123456);
	assert_int_equal(obs_series_count(f.snapshot, series), 3);
	assert_int_equal(obs_series_buckets(f.snapshot, series)[0], 1);
	assert_int_equal(obs_series_buckets(f.snapshot, series)[3], 2);
	assert_true(obs_family_bound(family, 0) == 0.000001);
	assert_true(obs_family_bound(family, 1) == 0.000005);
	assert_true(obs_family_bound(family, 3) == __builtin_inf());
	fixture_close(&f);
}

static void test_draining(void **state)
{
	struct obs_device *device;
	struct fixture f;

	(void)state;
	fixture_open(&f, NULL);
	segment_set_state(f.segment, OBSRING_STATE_DRAINING);
	assert_true(obs_device_draining(f.device));
	assert_int_equal(obs_snapshot_update(f.snapshot), -ESHUTDOWN);
	assert_int_equal(obs_device_open(segment_path(f.segment), &device), -ESHUTDOWN);
	segment_set_state(f.segment, OBSRING_STATE_RUNNING);
	assert_int_equal(obs_snapshot_update(f.snapshot), 0);
	fixture_close(&f);
}

/*
 * A writer that never rests, against a reader. A series' value tells its name:
 * series n, of whichever life, has n * STRIDE + (0 .. STRIDE - 1) on each of its
 * CPUs; a sum that isn't of that form was read under another's name.
 */
#define STRIDE		1000000ULL
#define CHURN_SERIES	40
#define CHURN_CPUS	3

struct churn {
	struct segment *segment;
	bool stop;
	uint64_t lives;
};

static uint32_t churn_add(struct churn *churn, uint32_t family, unsigned int n)
{
	char op[32];
	uint32_t series, cpu;

	snprintf(op, sizeof(op), "%u", n);
	series = series_add(churn->segment, family, op);
	for (cpu = 0; cpu < CHURN_CPUS; cpu++)
		obs_write_once(segment_slot(churn->segment, series, cpu), n * STRIDE);
	churn->lives++;
	return series;
}

/* Slots begin at zero: a reader may see any of a series' rows still at zero. */
static void *churn_write(void *arg)
{
	struct churn *churn = arg;
	uint32_t series[CHURN_SERIES];
	unsigned int n = 1, i, seed = 1;
	uint32_t family;
	char name[32];

	while (!obs_read_once(&churn->stop)) {
		snprintf(name, sizeof(name), "f%u_total", n);
		family = counter_add(churn->segment, name);
		for (i = 0; i < CHURN_SERIES; i++)
			series[i] = churn_add(churn, family, n++);
		for (i = 0; i < 200; i++) {
			unsigned int k = (unsigned int)rand_r(&seed) % CHURN_SERIES;

			segment_series_remove(churn->segment, series[k]);
			series[k] = churn_add(churn, family, n++);
		}
		segment_family_remove(churn->segment, family);
		if (n > 4000000)
			n = 1;
	}
	return NULL;
}

static void series_verify(const struct obs_snapshot *snapshot,
			  const struct obs_series_info *series)
{
	uint64_t n = strtoull(series->value[0], NULL, 10);
	uint64_t value = obs_series_counter(snapshot, series);

	if (value % (n * STRIDE) || value / (n * STRIDE) > CHURN_CPUS)
		fail_msg("series %llu of %s shows %llu", (unsigned long long)n,
			 series->family->name, (unsigned long long)value);
}

static uint64_t snapshot_verify(const struct obs_snapshot *snapshot)
{
	const struct obs_family_info *family = NULL;
	const struct obs_series_info *series;
	uint64_t nr = 0;

	while ((family = obs_family_next(snapshot, family))) {
		series = NULL;
		while ((series = obs_series_next(snapshot, family, series))) {
			series_verify(snapshot, series);
			nr++;
		}
	}
	return nr;
}

/* On a single CPU a writer can't be at work in every round of an update. */
static bool churn_enough(const struct obs_snapshot *snapshot, uint64_t shown)
{
	return shown > 10000 && snapshot->nr_retries > 100 &&
	       (snapshot->nr_dropped > 50 || sysconf(_SC_NPROCESSORS_ONLN) == 1) &&
	       snapshot->directory.nr_scans > 10 &&
	       snapshot->directory.nr_reused > 1000;
}

static void test_churn(void **state)
{
	struct churn churn = { .stop = false };
	struct fixture f;
	pthread_t writer;
	uint64_t shown = 0, updates = 0;
	int r;

	(void)state;
	fixture_open(&f, &(struct segment_spec){ .nr_cpus = CHURN_CPUS,
						 .journal_nr = 64 });
	churn.segment = f.segment;
	assert_int_equal(pthread_create(&writer, NULL, churn_write, &churn), 0);
	while (!churn_enough(f.snapshot, shown)) {
		r = obs_snapshot_update(f.snapshot);
		assert_true(r >= 0);
		shown += snapshot_verify(f.snapshot);
		updates++;
	}
	obs_write_once(&churn.stop, true);
	pthread_join(writer, NULL);
	print_message("# %llu updates, %llu values, %llu lives, %llu retries, "
		      "%llu told by generation, %llu scans, %llu reused\n",
		      (unsigned long long)updates, (unsigned long long)shown,
		      (unsigned long long)churn.lives,
		      (unsigned long long)f.snapshot->nr_retries,
		      (unsigned long long)f.snapshot->nr_dropped,
		      (unsigned long long)f.snapshot->directory.nr_scans,
		      (unsigned long long)f.snapshot->directory.nr_reused);

	/* At rest, the model is what a new one finds. */
	r = obs_snapshot_update(f.snapshot);
	assert_true(r >= 0);
	assert_int_equal(obs_snapshot_update(f.snapshot), 0);
	assert_null(obs_family_next(f.snapshot, NULL));
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_sum_over_cpus),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_journal_wrap),
		cmocka_unit_test(test_journal_overrun),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_draining),
		cmocka_unit_test(test_churn),
	};

	return cmocka_run_group_tests_name("directory", tests, NULL, NULL);
}
