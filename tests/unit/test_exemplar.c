// SPDX-License-Identifier: MIT
/*
 * Exemplars: each step of the slot's protocol with another writer between; which
 * bucket is in which range; and what the library makes of a series' exemplars.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <obsring.h>
#include <obsring/exemplar.h>
#include <obsring/histogram.h>

#include "segment.h"

#define T0	1700000000000000000ULL
#define HOLD	OBS_EXEMPLAR_HOLD_NS

static const struct obsring_trace trace_a = {
	.trace_id = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 },
	.span_id = { 17, 18, 19, 20, 21, 22, 23, 24 },
};

static const struct obsring_trace trace_b = {
	.trace_id = { [15] = 0xb }, .span_id = { [0] = 0xbb },
};

static enum obs_exemplar_put put(struct obsring_exemplar *slot, uint64_t value,
				 uint64_t time_ns, const struct obsring_trace *trace)
{
	return obs_exemplar_put(slot, obs_exemplar_look(slot), value, time_ns, trace);
}

/* ---- A slot -------------------------------------------------------------- */

static void assert_holds(const struct obsring_exemplar *slot, uint64_t value,
			 uint64_t time_ns, const struct obsring_trace *trace)
{
	struct obsring_exemplar e;

	assert_int_equal(obs_exemplar_get(slot, &e), OBS_EXEMPLAR_FOUND);
	assert_int_equal(e.value, value);
	assert_int_equal(e.time_ns, time_ns);
	assert_memory_equal(e.trace_id, trace->trace_id, sizeof(e.trace_id));
	assert_memory_equal(e.span_id, trace->span_id, sizeof(e.span_id));
	/* The reader's words are the fields of the structure. */
	assert_memory_equal(&e.value, &slot->value,
			    sizeof(e) - offsetof(struct obsring_exemplar, value));
}

static void test_newest(void **state)
{
	struct obsring_exemplar slot = { 0 }, e;

	(void)state;
	assert_int_equal(obs_exemplar_get(&slot, &e), OBS_EXEMPLAR_NONE);
	assert_int_equal(put(&slot, 5, T0, &trace_a), OBS_EXEMPLAR_STORED);
	assert_holds(&slot, 5, T0, &trace_a);
	assert_int_equal(slot.seq, 2);
	assert_int_equal(put(&slot, 6, T0 + HOLD, &trace_b), OBS_EXEMPLAR_STORED);
	assert_holds(&slot, 6, T0 + HOLD, &trace_b);
	assert_int_equal(slot.seq, 4);
}

static void test_held(void **state)
{
	struct obsring_exemplar slot = { 0 };

	(void)state;
	put(&slot, 5, T0, &trace_a);
	assert_int_equal(put(&slot, 6, T0, &trace_b), OBS_EXEMPLAR_HELD);
	assert_int_equal(put(&slot, 6, T0 + HOLD - 1, &trace_b), OBS_EXEMPLAR_HELD);
	assert_holds(&slot, 5, T0, &trace_a);
	/* The clock was set back. */
	assert_int_equal(put(&slot, 6, T0 - 1, &trace_b), OBS_EXEMPLAR_STORED);
	assert_holds(&slot, 6, T0 - 1, &trace_b);
}

/* Another writer comes between looking and taking. */
static void test_overtaken(void **state)
{
	struct obsring_exemplar slot = { 0 };
	uint64_t seq;

	(void)state;
	seq = obs_exemplar_look(&slot);
	put(&slot, 5, T0, &trace_a);
	assert_int_equal(obs_exemplar_put(&slot, seq, 6, T0 + 2 * HOLD, &trace_b),
			 OBS_EXEMPLAR_BUSY);
	assert_int_equal(obs_exemplar_put(&slot, seq, 6, T0, &trace_b),
			 OBS_EXEMPLAR_HELD);
	assert_holds(&slot, 5, T0, &trace_a);
}

/* Another writer was interrupted with the slot in its hand. */
static void test_being_written(void **state)
{
	struct obsring_exemplar slot = { 0 }, e = { .seq = 77 };

	(void)state;
	put(&slot, 5, T0, &trace_a);
	slot.seq++;
	slot.value = 6;
	assert_int_equal(put(&slot, 7, T0 + HOLD, &trace_b), OBS_EXEMPLAR_BUSY);
	assert_int_equal(obs_exemplar_get(&slot, &e), OBS_EXEMPLAR_BEING_WRITTEN);
	assert_int_equal(e.seq, 77);
	slot.seq++;
	assert_holds(&slot, 6, T0, &trace_a);
}

/* An owner's end: the sequence goes on, so that no copy mixes two lives. */
static void test_clear(void **state)
{
	struct obsring_exemplar slot = { 0 }, e;

	(void)state;
	obs_exemplar_clear(&slot);
	assert_int_equal(slot.seq, 0);
	put(&slot, 5, T0, &trace_a);
	obs_exemplar_clear(&slot);
	assert_int_equal(slot.seq, 4);
	assert_int_equal(obs_exemplar_get(&slot, &e), OBS_EXEMPLAR_NONE);
	/* Nothing is held any more. */
	assert_int_equal(put(&slot, 6, T0, &trace_b), OBS_EXEMPLAR_STORED);
	assert_holds(&slot, 6, T0, &trace_b);
	assert_int_equal(slot.seq, 6);
}

/* ---- Ranges -------------------------------------------------------------- */

/* Each bucket is in the range of the first whole octave at or above it. */
static void test_ranges_exponential(void **state)
{
	uint32_t schema, nr_bounds, bucket, range;

	(void)state;
	for (schema = 0; schema <= OBSRING_SCHEMA_MAX; schema++) {
		nr_bounds = obs_histogram_exp_nr_bounds((int)schema, -3, 4);
		assert_int_equal(obs_histogram_nr_ranges(nr_bounds, schema), 7 + 2);
		for (bucket = 0; bucket <= nr_bounds; bucket++) {
			range = obs_histogram_range(bucket, schema);
			assert_in_range(range, 0, 8);
			assert_true(bucket <= obs_histogram_range_last(range, nr_bounds,
								       schema));
			assert_true(!range ||
				    bucket > obs_histogram_range_last(range - 1, nr_bounds,
								      schema));
		}
		assert_int_equal(obs_histogram_range_last(0, nr_bounds, schema), 0);
		assert_int_equal(obs_histogram_range_last(7, nr_bounds, schema),
				 nr_bounds - 1);
		assert_int_equal(obs_histogram_range_last(8, nr_bounds, schema),
				 nr_bounds);
	}
}

static void test_ranges_explicit(void **state)
{
	uint32_t bucket;

	(void)state;
	assert_int_equal(obs_histogram_nr_ranges(5, 0), 6);
	for (bucket = 0; bucket <= 5; bucket++) {
		assert_int_equal(obs_histogram_range(bucket, 0), bucket);
		assert_int_equal(obs_histogram_range_last(bucket, 5, 0), bucket);
	}
}

/* ---- The library --------------------------------------------------------- */

struct fixture {
	struct segment *segment;
	struct obs_device *device;
	struct obs_snapshot *snapshot;
	uint32_t series[3];	/* explicit, exponential, one that has none */
};

static const uint64_t bounds[] = { 10, 20, 30 };

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	f->segment = segment_new(NULL);
	segment_family_add(f->segment, &(struct obs_family_spec){
		.name = "explicit", .kind = OBSRING_KIND_HISTOGRAM, .nr_bounds = 3,
		.bound = bounds, .nr_labels = 1, .label = (const char *[]){ "x" } });
	segment_family_add(f->segment, &(struct obs_family_spec){
		.name = "exponential", .kind = OBSRING_KIND_HISTOGRAM, .schema = 2,
		.min_log2 = 0, .max_log2 = 10 });
	segment_family_add(f->segment, &(struct obs_family_spec){
		.name = "without", .kind = OBSRING_KIND_HISTOGRAM, .schema = 2,
		.min_log2 = 0, .max_log2 = 10 });
	segment_family_exemplars(f->segment, 0);
	segment_family_exemplars(f->segment, 1);
	f->series[0] = segment_series_add(f->segment, 0, (const char *[]){ "a" });
	f->series[1] = segment_series_add(f->segment, 1, NULL);
	f->series[2] = segment_series_add(f->segment, 2, NULL);
	assert_int_equal(obs_device_open(segment_path(f->segment), &f->device), 0);
	assert_int_equal(obs_snapshot_new(f->device, &f->snapshot), 0);
	assert_int_equal(obs_snapshot_update(f->snapshot), 1);
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

static const struct obs_series_info *series_of(const struct fixture *f,
					       const char *family)
{
	return obs_series_next(f->snapshot, obs_family_find(f->snapshot, family), NULL);
}

static void test_series(void **state)
{
	struct obs_exemplar exemplar[OBS_RANGES_MAX];
	struct fixture *f = *state;
	const struct obs_series_info *series = series_of(f, "exponential");

	assert_int_equal(obs_family_nr_ranges(series->family), 12);
	assert_int_equal(series->nr_exemplars, 12);
	assert_int_equal(obs_series_exemplars(f->snapshot, series, exemplar, 12), 0);
	/* Without an update: they are read when they are asked for. */
	put(segment_exemplar(f->segment, f->series[1], 0), 0, T0, &trace_a);
	put(segment_exemplar(f->segment, f->series[1], 4), 9, T0 + 1, &trace_b);
	put(segment_exemplar(f->segment, f->series[1], 11), UINT64_MAX, T0 + 2, &trace_a);
	assert_int_equal(obs_series_exemplars(f->snapshot, series, exemplar, 12), 3);
	assert_int_equal(exemplar[0].time_ns, T0);
	assert_int_equal(exemplar[1].time_ns, 0);
	assert_int_equal(exemplar[4].value, 9);
	assert_int_equal(exemplar[4].time_ns, T0 + 1);
	assert_memory_equal(exemplar[4].trace_id, trace_b.trace_id, 16);
	assert_memory_equal(exemplar[4].span_id, trace_b.span_id, 8);
	assert_int_equal(exemplar[11].value, UINT64_MAX);
	assert_int_equal(obs_series_exemplars(f->snapshot, series, exemplar, 1), 1);
	assert_int_equal(obs_series_exemplars(f->snapshot, series, exemplar, 13), -EINVAL);
	/* One that is being written is none. */
	segment_exemplar(f->segment, f->series[1], 4)->seq++;
	assert_int_equal(obs_series_exemplars(f->snapshot, series, exemplar, 12), 2);
	assert_int_equal(exemplar[4].time_ns, 0);
}

static void test_series_without(void **state)
{
	struct obs_exemplar exemplar[1];
	struct fixture *f = *state;
	const struct obs_series_info *series = series_of(f, "without");

	assert_int_equal(series->nr_exemplars, 0);
	assert_int_equal(obs_series_exemplars(f->snapshot, series, exemplar, 0), 0);
	assert_int_equal(obs_series_exemplars(f->snapshot, series, exemplar, 1), -EINVAL);
}

/* An exemplar is never seen under the name of the series that has its place now. */
static void test_series_replaced(void **state)
{
	struct obs_exemplar exemplar[4];
	struct fixture *f = *state;
	const struct obs_series_info *series = series_of(f, "explicit");
	uint32_t first = segment_series(f->segment, f->series[0])->exemplar;

	put(segment_exemplar(f->segment, f->series[0], 1), 15, T0, &trace_a);
	assert_int_equal(obs_series_exemplars(f->snapshot, series, exemplar, 4), 1);
	segment_series_remove(f->segment, f->series[0]);
	assert_int_equal(obs_series_exemplars(f->snapshot, series, exemplar, 4), -ESTALE);
	f->series[0] = segment_series_add(f->segment, 0, (const char *[]){ "b" });
	assert_int_equal(segment_series(f->segment, f->series[0])->exemplar, first);
	put(segment_exemplar(f->segment, f->series[0], 2), 25, T0, &trace_b);
	assert_int_equal(obs_series_exemplars(f->snapshot, series, exemplar, 4), -ESTALE);

	assert_int_equal(obs_snapshot_update(f->snapshot), 1);
	series = series_of(f, "explicit");
	assert_string_equal(series->value[0], "b");
	assert_int_equal(obs_series_exemplars(f->snapshot, series, exemplar, 4), 1);
	assert_int_equal(exemplar[1].time_ns, 0);
	assert_int_equal(exemplar[2].value, 25);
}

/* What no kernel writes is refused. */
static void test_series_damaged(void **state)
{
	static const struct {
		unsigned int range;
		uint64_t value;
	} outside[] = {
		{ 0, 11 }, { 1, 10 }, { 1, 21 }, { 3, 30 },
	};
	static const struct obsring_trace no_trace = { .span_id = { 1 } },
					  no_span = { .trace_id = { 1 } };
	struct obs_exemplar exemplar[4];
	struct fixture *f = *state;
	const struct obs_series_info *series = series_of(f, "explicit");
	struct obsring_exemplar *slot;
	size_t i;

	for (i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
		slot = segment_exemplar(f->segment, f->series[0], outside[i].range);
		put(slot, outside[i].value, T0, &trace_a);
		assert_int_equal(obs_series_exemplars(f->snapshot, series, exemplar, 4),
				 -EPROTO);
		obs_exemplar_clear(slot);
	}
	slot = segment_exemplar(f->segment, f->series[0], 1);
	put(slot, 11, T0, &no_trace);
	assert_int_equal(obs_series_exemplars(f->snapshot, series, exemplar, 4), -EPROTO);
	put(slot, 11, T0 + HOLD, &no_span);
	assert_int_equal(obs_series_exemplars(f->snapshot, series, exemplar, 4), -EPROTO);
	put(slot, 11, T0 + 2 * HOLD, &trace_a);
	assert_int_equal(obs_series_exemplars(f->snapshot, series, exemplar, 4), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_newest),
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_overtaken),
		cmocka_unit_test(test_being_written),
		cmocka_unit_test(test_clear),
		cmocka_unit_test(test_ranges_exponential),
		cmocka_unit_test(test_ranges_explicit),
		cmocka_unit_test_setup_teardown(test_series, setup, teardown),
		cmocka_unit_test_setup_teardown(test_series_without, setup, teardown),
		cmocka_unit_test_setup_teardown(test_series_replaced, setup, teardown),
		cmocka_unit_test_setup_teardown(test_series_damaged, setup, teardown),
	};

	return cmocka_run_group_tests_name("exemplar", tests, NULL, NULL);
}
