// SPDX-License-Identifier: MIT
/* Reading what processes count: rows of services, shares of gauges, state sets. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "libobsring/snapshot.h"
#include "segment.h"

#define SHARED	OBSRING_CPU_SHARED

static const uint64_t bounds[] = { 10, 20 };
static const char *const labels[] = { "service", "uid", "op" };
static const char *const values[] = { "shop", "1000", "read" };
static const char *const states[] = { "new", "paid", "sent" };

enum { COUNTER, GAUGE, SET, HISTOGRAM, STATE, FAMILIES };

static const struct obs_family_spec specs[FAMILIES] = {
	[COUNTER] = { .name = "c_total", .kind = OBSRING_KIND_COUNTER, .nr_labels = 3,
		      .label = labels },
	[GAUGE] = { .name = "g", .kind = OBSRING_KIND_GAUGE, .nr_labels = 3,
		    .label = labels },
	[SET] = { .name = "s", .kind = OBSRING_KIND_GAUGE, .set = true, .nr_labels = 3,
		  .label = labels },
	[HISTOGRAM] = { .name = "h", .kind = OBSRING_KIND_HISTOGRAM, .nr_labels = 3,
			.label = labels, .nr_bounds = 2, .bound = bounds },
	[STATE] = { .name = "order", .kind = OBSRING_KIND_STATE, .nr_labels = 3,
		    .label = labels, .nr_states = 3, .state = states },
};

struct fixture {
	struct segment *segment;
	struct obs_device *device;
	struct obs_snapshot *snapshot;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	unsigned int i;

	f->segment = segment_new(&(struct segment_spec){
		.nr_cpus = 3, .cpus_absent = 1 << 1, .max_families = 8, .max_series = 64,
		.max_pages = 2, .journal_nr = 32, .service_pages = 600, .max_shares = 48 });
	for (i = 0; i < FAMILIES; i++)
		segment_family_add(f->segment, &specs[i]);
	assert_int_equal(obs_device_open(segment_path(f->segment), &f->device), 0);
	assert_int_equal(obs_snapshot_new(f->device, &f->snapshot), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	obs_snapshot_free(f->snapshot);
	obs_device_close(f->device);
	segment_free(f->segment);
	free(f);
	return 0;
}

/* The only series of a family. */
static const struct obs_series_info *only(const struct fixture *f, unsigned int family)
{
	const struct obs_family_info *info;
	const struct obs_series_info *series;

	info = obs_family_find(f->snapshot, specs[family].name);
	assert_non_null(info);
	series = obs_series_next(f->snapshot, info, NULL);
	assert_non_null(series);
	assert_null(obs_series_next(f->snapshot, info, series));
	return series;
}

static void test_rows(void **state)
{
	struct fixture *f = *state;
	uint32_t c = segment_service_add(f->segment, COUNTER, values, 7);
	uint32_t h = segment_service_add(f->segment, HISTOGRAM, values, 7);
	const struct obs_series_info *series;
	uint64_t slots[4];

	segment_slot(f->segment, c, 0)[0] = 1;
	segment_slot(f->segment, c, 1)[0] = 1000;	/* no such CPU */
	segment_slot(f->segment, c, 2)[0] = 20;
	segment_slot(f->segment, c, SHARED)[0] = 300;
	segment_slot(f->segment, h, 0)[0] = 5;
	segment_slot(f->segment, h, 0)[1] = 1;
	segment_slot(f->segment, h, SHARED)[0] = 35;
	segment_slot(f->segment, h, SHARED)[2] = 1;
	segment_slot(f->segment, h, SHARED)[3] = 1;
	assert_int_equal(obs_snapshot_update(f->snapshot), 1);
	series = only(f, COUNTER);
	assert_string_equal(series->value[0], "shop");
	assert_int_equal(obs_series_counter(f->snapshot, series), 321);
	assert_int_equal(obs_series_row(f->snapshot, series, 2, slots, 1), 0);
	assert_int_equal(slots[0], 20);
	assert_int_equal(obs_series_row(f->snapshot, series, SHARED, slots, 1), 0);
	assert_int_equal(slots[0], 300);
	assert_int_equal(obs_series_row(f->snapshot, series, 1, slots, 1), -ENXIO);
	assert_int_equal(obs_series_row(f->snapshot, series, 3, slots, 1), -ENXIO);

	series = only(f, HISTOGRAM);
	assert_int_equal(obs_series_sum(f->snapshot, series), 40);
	assert_int_equal(obs_series_count(f->snapshot, series), 3);
	assert_int_equal(obs_series_buckets(f->snapshot, series)[2], 1);
	assert_int_equal(obs_series_row(f->snapshot, series, SHARED, slots, 4), 0);
	assert_int_equal(slots[0], 35);
	assert_int_equal(slots[3], 1);

	segment_slot(f->segment, c, SHARED)[0]++;
	assert_int_equal(obs_snapshot_update(f->snapshot), 0);
	assert_int_equal(obs_series_counter(f->snapshot, only(f, COUNTER)), 322);
}

/* Everyone's row alone counts, in a page that others have rows in. */
static void test_single(void **state)
{
	struct fixture *f = *state;
	uint32_t c = segment_service_add(f->segment, COUNTER, values, 7);
	uint32_t s = segment_service_add(f->segment, SET, values, 7);
	const struct obs_series_info *series;
	uint64_t slot;

	assert_int_equal(segment_series(f->segment, c)->page,
			 segment_series(f->segment, s)->page);
	segment_slot(f->segment, c, 0)[0] = 4;
	segment_slot(f->segment, c, 0)[1] = 99;	/* in a row that is not the gauge's */
	segment_slot(f->segment, s, SHARED)[0] = (uint64_t)-5;
	assert_int_equal(obs_snapshot_update(f->snapshot), 1);
	assert_int_equal(obs_series_counter(f->snapshot, only(f, COUNTER)), 4);
	series = only(f, SET);
	assert_int_equal(obs_series_gauge(f->snapshot, series), -5);
	assert_int_equal(obs_series_row(f->snapshot, series, SHARED, &slot, 1), 0);
	assert_int_equal((int64_t)slot, -5);
	assert_int_equal(obs_series_row(f->snapshot, series, 0, &slot, 1), -ENXIO);
}

static void test_state(void **state)
{
	struct fixture *f = *state;
	uint32_t s = segment_service_add(f->segment, STATE, values, 7);
	const struct obs_family_info *family;
	const struct obs_series_info *series;
	unsigned int is = 99;

	assert_int_equal(obs_snapshot_update(f->snapshot), 1);
	family = obs_family_find(f->snapshot, "order");
	assert_int_equal(family->kind, OBSRING_KIND_STATE);
	assert_int_equal(family->nr_states, 3);
	assert_string_equal(family->state[0], "new");
	assert_string_equal(family->state[2], "sent");
	assert_string_equal(family->label[2], "op");
	series = only(f, STATE);
	assert_int_equal(obs_series_state(f->snapshot, series, &is), 0);
	assert_int_equal(is, 0);
	segment_slot(f->segment, s, 0)[0] = OBS_STATE_VERSION_MAX << 8 | 200;
	assert_int_equal(obs_snapshot_update(f->snapshot), 0);
	assert_true(obs_series_state(f->snapshot, series, &is) == OBS_STATE_VERSION_MAX);
	assert_int_equal(is, 200);
}

static int64_t gauge(struct fixture *f, int expected)
{
	assert_int_equal(obs_snapshot_update(f->snapshot), expected);
	return obs_series_gauge(f->snapshot, only(f, GAUGE));
}

static void test_shares(void **state)
{
	struct fixture *f = *state;
	uint32_t g = segment_service_add(f->segment, GAUGE, values, 7);
	uint32_t page = segment_series(f->segment, g)->page, a, b, other;
	uint64_t now;

	assert_int_equal(gauge(f, 1), 0);
	a = segment_share_add(f->segment, 7, page);
	*segment_share_slot(f->segment, a, g) = 5;
	/* Shares come and go without anything that a snapshot shows. */
	assert_int_equal(gauge(f, 0), 5);
	b = segment_share_add(f->segment, 7, page);
	*segment_share_slot(f->segment, b, g) = (uint64_t)-7;
	other = segment_share_add(f->segment, 8, page);
	*segment_share_slot(f->segment, other, g) = 1000;
	other = segment_share_add(f->segment, 7, page + 1);
	*segment_share_slot(f->segment, other, g) = 2000;
	assert_int_equal(gauge(f, 0), -2);
	*segment_share_slot(f->segment, a, g) += 10;
	assert_int_equal(obs_series_row(f->snapshot, only(f, GAUGE), SHARED, &now, 1), 0);
	assert_int_equal(now, 8);
	assert_int_equal(obs_series_row(f->snapshot, only(f, GAUGE), 0, &now, 1), -ENXIO);
	assert_int_equal(gauge(f, 0), 8);
	/* It leaves, and its entry is another's at once. */
	segment_share_remove(f->segment, a);
	assert_int_equal(segment_share_add(f->segment, 8, page), a);
	*segment_share_slot(f->segment, a, g) = 500;
	assert_int_equal(gauge(f, 0), -7);
	segment_share_remove(f->segment, b);
	assert_int_equal(gauge(f, 0), 0);
	assert_int_equal(f->snapshot->directory.nr_scans, 1);
	segment_series_remove(f->segment, g);
	assert_int_equal(obs_snapshot_update(f->snapshot), 1);
}

/* A share that leaves while a snapshot sums is not in it, though it is not told yet. */
static void test_share_untold(void **state)
{
	struct fixture *f = *state;
	uint32_t g = segment_service_add(f->segment, GAUGE, values, 7);
	uint32_t page = segment_series(f->segment, g)->page;
	uint32_t a = segment_share_add(f->segment, 7, page);

	*segment_share_slot(f->segment, a, g) = 5;
	assert_int_equal(gauge(f, 1), 5);
	segment_share(f->segment, a)->gen++;
	assert_int_equal(gauge(f, 0), 0);
	segment_share(f->segment, a)->gen++;
	assert_int_equal(gauge(f, 0), 0);
	segment_tell(f->segment, OBSRING_REGION_SHARES, a);
	assert_int_equal(gauge(f, 0), 5);
}

/* More shares, chunks and services than there is room for at first; an overrun. */
static void test_many(void **state)
{
	struct fixture *f = *state;
	uint32_t series[40], share[40];
	char name[40][8];
	unsigned int i;

	for (i = 0; i < 40; i++) {
		snprintf(name[i], sizeof(name[i]), "%u", i);
		series[i] = segment_service_add(f->segment, GAUGE,
			(const char *[]){ name[i], "0", "x" }, i + 1);
		share[i] = segment_share_add(f->segment, i + 1,
					     segment_series(f->segment, series[i])->page);
		*segment_share_slot(f->segment, share[i], series[i]) = i * 3;
	}
	for (i = 0; i < 3; i++) {
		const struct obs_series_info *s = NULL;
		const struct obs_family_info *family;
		unsigned int nr = 0;

		assert_int_equal(obs_snapshot_update(f->snapshot), !i);
		family = obs_family_find(f->snapshot, "g");
		while ((s = obs_series_next(f->snapshot, family, s)))
			assert_int_equal(obs_series_gauge(f->snapshot, s), nr++ * 3 * (i < 2));
		assert_int_equal(nr, 40);
		/* At the third time all have left: an overrun, and nothing told twice. */
		for (nr = 0; i == 1 && nr < 40; nr++)
			segment_share_remove(f->segment, share[nr]);
	}
	assert_int_equal(f->snapshot->directory.nr_scans, 2);
}

/* Two lives of a series: rows of their own, in a page that was another service's. */
static void test_reused(void **state)
{
	struct fixture *f = *state;
	uint32_t c = segment_service_add(f->segment, COUNTER, values, 7);
	struct obsring_series *entry = segment_series(f->segment, c);

	segment_slot(f->segment, c, 0)[0] = 4;
	assert_int_equal(obs_snapshot_update(f->snapshot), 1);
	segment_series_remove(f->segment, c);
	segment_slot(f->segment, c, 0)[0] = 70;	/* the next owner's row of CPU 0 */
	segment_slot(f->segment, c, SHARED)[0] = 3;
	entry->family = SET;
	entry->family_gen = segment_family(f->segment, SET)->gen;
	entry->rows = 1;
	entry->service = 8;
	entry->gen++;
	segment_tell(f->segment, OBSRING_REGION_SERIES, c);
	assert_int_equal(obs_snapshot_update(f->snapshot), 1);
	assert_int_equal(obs_series_gauge(f->snapshot, only(f, SET)), 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_rows),
		TEST(test_single),
		TEST(test_state),
		TEST(test_shares),
		TEST(test_share_untold),
		TEST(test_many),
		TEST(test_reused),
	};

	return cmocka_run_group_tests_name("services", tests, NULL, NULL);
}
