// SPDX-License-Identifier: MIT
/*
 * A damaged mapping is -EPROTO, whatever field it is in, and never a crash; a
 * failed update leaves the snapshot as it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <obsring.h>

#include "segment.h"

static const uint64_t bounds[] = { 10, 20, 30 };

/*
 * Family 0: a counter with two labels; 1, 2: histograms; a series of each. Series 3:
 * a service's counter, 4: its gauge with a share, 5: its state set, of families 3 to 5.
 */
static struct segment *sample_new(void)
{
	static const char *const states[] = { "off", "on" };
	struct segment *s = segment_new(&(struct segment_spec){ .nr_cpus = 2,
		.max_families = 8, .max_series = 8, .max_pages = 4, .journal_nr = 32,
		.max_exemplars = 64, .service_pages = 4, .max_shares = 8 });

	segment_family_add(s, &(struct obs_family_spec){
		.name = "a_total", .help = "Help.", .kind = OBSRING_KIND_COUNTER,
		.nr_labels = 2, .label = (const char *[]){ "x", "y" } });
	segment_family_add(s, &(struct obs_family_spec){
		.name = "explicit", .kind = OBSRING_KIND_HISTOGRAM, .nr_bounds = 3,
		.bound = bounds });
	segment_family_add(s, &(struct obs_family_spec){
		.name = "exponential", .kind = OBSRING_KIND_HISTOGRAM, .exp10 = -9,
		.schema = 3, .min_log2 = -20, .max_log2 = 4 });
	segment_family_exemplars(s, 1);
	segment_series_add(s, 0, (const char *[]){ "1", "2" });
	segment_series_add(s, 1, NULL);
	segment_series_add(s, 2, NULL);
	segment_family_add(s, &(struct obs_family_spec){
		.name = "b_total", .kind = OBSRING_KIND_COUNTER });
	segment_family_add(s, &(struct obs_family_spec){
		.name = "b", .kind = OBSRING_KIND_GAUGE });
	segment_family_add(s, &(struct obs_family_spec){
		.name = "b_state", .kind = OBSRING_KIND_STATE, .nr_states = 2,
		.state = states });
	segment_service_add(s, 3, NULL, 1);
	segment_service_add(s, 4, NULL, 1);
	segment_service_add(s, 5, NULL, 1);
	segment_share_add(s, 1, 0);
	return s;
}

/* What a reader makes of it: the first error, 0 if all is well. */
static int read_all(struct segment *segment)
{
	struct obs_device *device;
	struct obs_snapshot *snapshot;
	int r;

	r = obs_device_open(segment_path(segment), &device);
	if (r)
		return r;
	r = obs_snapshot_new(device, &snapshot);
	assert_int_equal(r, 0);
	r = obs_snapshot_update(snapshot);
	obs_snapshot_free(snapshot);
	obs_device_close(device);
	return r < 0 ? r : 0;
}

enum target { HEADER, SHARE0, FAMILY0, FAMILY1, FAMILY2, FAMILY3, FAMILY4, FAMILY5,
	      SERIES0, SERIES1, SERIES2, SERIES3, SERIES4, SERIES5 };

/* A field, what is written to it, and what comes of it. */
struct damage {
	const char *what;
	enum target target;
	size_t offset, size;
	uint64_t value;
	int result;
};

#define FIELD(target, type, field, value) \
	{ #target "." #field " = " #value, target, offsetof(struct type, field), \
	  sizeof(((struct type *)0)->field), (uint64_t)(value), -EPROTO }
#define HEADER_FIELD(field, value)	FIELD(HEADER, obsring_header, field, value)
#define FAMILY_FIELD(n, field, value)	FIELD(FAMILY##n, obsring_family, field, value)
#define SERIES_FIELD(n, field, value)	FIELD(SERIES##n, obsring_series, field, value)

static const struct damage damages[] = {
	HEADER_FIELD(magic, 0),
	HEADER_FIELD(magic, OBSRING_MAGIC + 1),
	{ "another abi_major", HEADER, offsetof(struct obsring_header, abi_major), 4,
	  OBSRING_ABI_MAJOR + 1, -EPROTONOSUPPORT },
	{ "a later abi_minor", HEADER, offsetof(struct obsring_header, abi_minor), 4,
	  7, 0 },
	HEADER_FIELD(header_size, 0),
	HEADER_FIELD(header_size, sizeof(struct obsring_header) - 1),
	HEADER_FIELD(header_size, ~0),
	HEADER_FIELD(page_size, 0),
	HEADER_FIELD(page_size, 512),
	HEADER_FIELD(page_size, 4097),
	HEADER_FIELD(page_size, 1U << 31),
	HEADER_FIELD(page_size, 1U << 20),
	HEADER_FIELD(nr_cpus, 0),
	HEADER_FIELD(nr_cpus, 1),		/* but CPU 1 has rows */
	HEADER_FIELD(nr_cpus, 8193),
	HEADER_FIELD(nr_cpus, ~0),
	HEADER_FIELD(nr_cpus, 8192),		/* VALUES is smaller */
	HEADER_FIELD(nr_cpus, 3),		/* SERVICES is */
	HEADER_FIELD(nr_regions, 0),
	HEADER_FIELD(nr_regions, 4),
	HEADER_FIELD(nr_regions, 17),
	{ "state draining", HEADER, offsetof(struct obsring_header, state), 4,
	  OBSRING_STATE_DRAINING, -ESHUTDOWN },
	HEADER_FIELD(state, OBSRING_STATE_MAX + 1),
	HEADER_FIELD(cpu_mask[0], 0),
	HEADER_FIELD(cpu_mask[0], 7),
	HEADER_FIELD(cpu_mask[127], 1),

	HEADER_FIELD(region[OBSRING_REGION_FAMILIES].offset, 0),
	HEADER_FIELD(region[OBSRING_REGION_FAMILIES].offset, 8),
	HEADER_FIELD(region[OBSRING_REGION_FAMILIES].offset, ~0ULL & ~4095ULL),
	HEADER_FIELD(region[OBSRING_REGION_FAMILIES].offset, 1ULL << 62),
	HEADER_FIELD(region[OBSRING_REGION_FAMILIES].size, 0),
	HEADER_FIELD(region[OBSRING_REGION_FAMILIES].size, 100),
	HEADER_FIELD(region[OBSRING_REGION_FAMILIES].size, ~0ULL & ~4095ULL),
	HEADER_FIELD(region[OBSRING_REGION_FAMILIES].size, 1ULL << 62),
	HEADER_FIELD(region[OBSRING_REGION_FAMILIES].size, 8192),	/* overlaps */
	HEADER_FIELD(region[OBSRING_REGION_FAMILIES].entry_size, 0),
	HEADER_FIELD(region[OBSRING_REGION_FAMILIES].entry_size, 56),
	HEADER_FIELD(region[OBSRING_REGION_FAMILIES].entry_size, 68),
	HEADER_FIELD(region[OBSRING_REGION_FAMILIES].entry_size, ~0),
	HEADER_FIELD(region[OBSRING_REGION_FAMILIES].nr, 65),
	HEADER_FIELD(region[OBSRING_REGION_FAMILIES].nr, ~0),
	HEADER_FIELD(region[OBSRING_REGION_FAMILIES].nr, 0),	/* the series' */
	HEADER_FIELD(region[OBSRING_REGION_SERIES].offset, 0),
	HEADER_FIELD(region[OBSRING_REGION_SERIES].size, 4095),
	HEADER_FIELD(region[OBSRING_REGION_SERIES].entry_size, 32),
	HEADER_FIELD(region[OBSRING_REGION_SERIES].nr, 65),
	HEADER_FIELD(region[OBSRING_REGION_TEXT].offset, 4096),
	HEADER_FIELD(region[OBSRING_REGION_TEXT].size, 1ULL << 40),
	HEADER_FIELD(region[OBSRING_REGION_TEXT].entry_size, 128),
	HEADER_FIELD(region[OBSRING_REGION_TEXT].nr, 1),
	HEADER_FIELD(region[OBSRING_REGION_TEXT].nr, 1 << 20),
	HEADER_FIELD(region[OBSRING_REGION_JOURNAL].entry_size, 4),
	HEADER_FIELD(region[OBSRING_REGION_JOURNAL].nr, 0),
	HEADER_FIELD(region[OBSRING_REGION_JOURNAL].nr, 31),
	HEADER_FIELD(region[OBSRING_REGION_JOURNAL].nr, 1024),
	HEADER_FIELD(region[OBSRING_REGION_VALUES].offset, 4097),
	HEADER_FIELD(region[OBSRING_REGION_VALUES].size, 1ULL << 50),
	HEADER_FIELD(region[OBSRING_REGION_VALUES].entry_size, 64),
	HEADER_FIELD(region[OBSRING_REGION_VALUES].nr, 5),
	HEADER_FIELD(region[OBSRING_REGION_VALUES].nr, ~0),
	HEADER_FIELD(region[OBSRING_REGION_VALUES].nr, 0),	/* the series' */

	HEADER_FIELD(region[OBSRING_REGION_EXEMPLARS].offset, 4097),
	HEADER_FIELD(region[OBSRING_REGION_EXEMPLARS].offset, 4096),	/* overlaps */
	HEADER_FIELD(region[OBSRING_REGION_EXEMPLARS].size, 0),	/* the series' */
	HEADER_FIELD(region[OBSRING_REGION_EXEMPLARS].size, 1ULL << 50),
	HEADER_FIELD(region[OBSRING_REGION_EXEMPLARS].entry_size, 56),
	HEADER_FIELD(region[OBSRING_REGION_EXEMPLARS].nr, 65),
	HEADER_FIELD(region[OBSRING_REGION_EXEMPLARS].nr, 3),

	HEADER_FIELD(region[OBSRING_REGION_SERVICES].offset, 4096),	/* overlaps */
	HEADER_FIELD(region[OBSRING_REGION_SERVICES].size, 0),	/* the series' */
	HEADER_FIELD(region[OBSRING_REGION_SERVICES].size, 8192),
	HEADER_FIELD(region[OBSRING_REGION_SERVICES].size, 1ULL << 50),
	HEADER_FIELD(region[OBSRING_REGION_SERVICES].entry_size, 64),
	HEADER_FIELD(region[OBSRING_REGION_SERVICES].nr, 0),
	HEADER_FIELD(region[OBSRING_REGION_SERVICES].nr, 5),
	HEADER_FIELD(region[OBSRING_REGION_SHARES].offset, 4097),
	HEADER_FIELD(region[OBSRING_REGION_SHARES].size, 0),	/* the series' */
	HEADER_FIELD(region[OBSRING_REGION_SHARES].entry_size, 24),
	{ "no share in use", HEADER,
	  offsetof(struct obsring_header, region[OBSRING_REGION_SHARES].nr), 4, 0, 0 },
	HEADER_FIELD(region[OBSRING_REGION_SHARES].nr, 129),
	HEADER_FIELD(region[OBSRING_REGION_SHARE_PAGES].size, 0), /* the share's */
	HEADER_FIELD(region[OBSRING_REGION_SHARE_PAGES].size, 1ULL << 50),
	HEADER_FIELD(region[OBSRING_REGION_SHARE_PAGES].entry_size, 8),
	HEADER_FIELD(region[OBSRING_REGION_SHARE_PAGES].nr, 0),	/* the share's */
	HEADER_FIELD(region[OBSRING_REGION_SHARE_PAGES].nr, 9),
	HEADER_FIELD(nr_regions, OBSRING_REGION_SERVICES),	/* the series' */

	{ "a share of nobody's", SHARE0, offsetof(struct obsring_share, service), 4, ~0, 0 },
	{ "a share of no page", SHARE0, offsetof(struct obsring_share, chunk), 4, ~0, 0 },
	{ "a share that left", SHARE0, offsetof(struct obsring_share, gen), 4, 2, 0 },

	{ "a family that died, but not its series", FAMILY0,
	  offsetof(struct obsring_family, gen), 4, 2, -EPROTO },
	FAMILY_FIELD(0, gen, 3),
	FAMILY_FIELD(0, kind, 0),
	FAMILY_FIELD(0, kind, OBSRING_KIND_MAX + 1),
	FAMILY_FIELD(0, kind, OBSRING_KIND_HISTOGRAM),
	FAMILY_FIELD(0, kind, OBSRING_KIND_INFO),
	FAMILY_FIELD(0, nr_labels, OBSRING_LABELS_MAX + 1),
	FAMILY_FIELD(0, nr_labels, 3),
	FAMILY_FIELD(0, exp10, 1),
	FAMILY_FIELD(0, exp10, -13),
	FAMILY_FIELD(0, text_off, ~0),
	FAMILY_FIELD(0, text_off, 1 << 16),
	FAMILY_FIELD(0, text_off, 1),		/* empty: no name */
	FAMILY_FIELD(0, text_len, 0),
	FAMILY_FIELD(0, text_len, 8),
	FAMILY_FIELD(0, text_len, ~0),
	FAMILY_FIELD(0, nr_bounds, 1),
	{ "bounds_off of a counter", FAMILY0,
	  offsetof(struct obsring_family, bounds_off), 4, ~7U, 0 },
	FAMILY_FIELD(0, nr_slots, 0),
	FAMILY_FIELD(0, nr_slots, 2),
	FAMILY_FIELD(1, schema, 0),
	FAMILY_FIELD(1, schema, -2),
	FAMILY_FIELD(1, nr_bounds, 0),
	FAMILY_FIELD(1, nr_bounds, 4),
	FAMILY_FIELD(1, nr_bounds, ~0),
	FAMILY_FIELD(1, bounds_off, 1),
	FAMILY_FIELD(1, bounds_off, 0),
	FAMILY_FIELD(1, bounds_off, 24),
	FAMILY_FIELD(1, bounds_off, ~7U),
	FAMILY_FIELD(1, nr_slots, 4),
	FAMILY_FIELD(2, schema, 4),
	FAMILY_FIELD(2, schema, 2),
	FAMILY_FIELD(2, min_log2, -41),
	FAMILY_FIELD(2, min_log2, 4),
	FAMILY_FIELD(2, max_log2, 41),
	FAMILY_FIELD(2, max_log2, -21),
	FAMILY_FIELD(2, nr_bounds, 1 << 30),
	FAMILY_FIELD(2, nr_slots, 1),
	FAMILY_FIELD(0, nr_states, 1),
	FAMILY_FIELD(1, nr_states, 1),
	FAMILY_FIELD(4, kind, OBSRING_KIND_COUNTER),	/* but the series is of shares */
	FAMILY_FIELD(4, flags, OBSRING_FAMILY_SET),	/* likewise */
	FAMILY_FIELD(5, nr_states, 0),
	FAMILY_FIELD(5, nr_states, 3),
	FAMILY_FIELD(5, nr_states, OBSRING_STATES_MAX + 1),
	FAMILY_FIELD(5, nr_states, ~0),
	FAMILY_FIELD(5, nr_slots, 0),
	FAMILY_FIELD(5, nr_slots, 2),
	FAMILY_FIELD(5, text_len, 16),

	SERIES_FIELD(0, family, 1),
	SERIES_FIELD(0, family, 7),
	SERIES_FIELD(0, family, 8),
	SERIES_FIELD(0, family, ~0),
	SERIES_FIELD(0, family_gen, 3),
	SERIES_FIELD(0, page, 4),
	SERIES_FIELD(0, page, ~0),
	SERIES_FIELD(0, slot, 512),
	SERIES_FIELD(0, slot, ~0),
	SERIES_FIELD(0, nr_slots, 0),
	SERIES_FIELD(0, nr_slots, 2),
	SERIES_FIELD(0, rows, 2),
	SERIES_FIELD(0, text_off, ~0),
	SERIES_FIELD(0, text_len, 0),
	SERIES_FIELD(0, text_len, 3),
	SERIES_FIELD(0, text_len, ~0),
	SERIES_FIELD(0, nr_exemplars, 1),
	SERIES_FIELD(1, slot, 508),
	SERIES_FIELD(1, exemplar, 61),
	SERIES_FIELD(1, exemplar, ~0),
	SERIES_FIELD(1, nr_exemplars, 3),
	SERIES_FIELD(1, nr_exemplars, 5),
	SERIES_FIELD(1, nr_exemplars, ~0),
	SERIES_FIELD(3, page, 4),
	SERIES_FIELD(3, page, ~0),
	SERIES_FIELD(3, slot, 512),
	SERIES_FIELD(3, slot, ~0),
	SERIES_FIELD(3, nr_slots, 2),
	SERIES_FIELD(3, rows, 2),
	SERIES_FIELD(3, flags, OBSRING_SERIES_SERVICE | OBSRING_SERIES_SHARES),
	SERIES_FIELD(3, flags, OBSRING_SERIES_SHARES),
	SERIES_FIELD(4, slot, 512),
	SERIES_FIELD(4, nr_slots, 0),
	{ "a gauge of a chunk that no share has", SERIES4,
	  offsetof(struct obsring_series, page), 4, ~0, 0 },
	SERIES_FIELD(5, page, 4),
	SERIES_FIELD(5, flags, OBSRING_SERIES_SHARES),
};

static void *target_of(struct segment *s, enum target target)
{
	switch (target) {
	case HEADER:
		return segment_header(s);
	case SHARE0:
		return segment_share(s, 0);
	case FAMILY0 ... FAMILY5:
		return segment_family(s, target - FAMILY0);
	default:
		return segment_series(s, target - SERIES0);
	}
}

static void damage_do(struct segment *s, const struct damage *d)
{
	/* Little-endian machines only: the low bytes come first. */
	memcpy((char *)target_of(s, d->target) + d->offset, &d->value, d->size);
}

static void test_fields(void **state)
{
	struct segment *s;
	size_t i;
	int r;

	(void)state;
	for (i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		s = sample_new();
		assert_int_equal(read_all(s), 0);
		damage_do(s, &damages[i]);
		r = read_all(s);
		if (r != damages[i].result)
			fail_msg("%s: %d, not %d", damages[i].what, r,
				 damages[i].result);
		segment_free(s);
	}
}

/* Damage that comes while it is read: the snapshot stays as it was. */
static void test_update_fails(void **state)
{
	const struct obs_series_info *series;
	struct obs_snapshot *snapshot;
	struct obs_device *device;
	struct segment *s = sample_new();
	uint64_t generation;

	(void)state;
	segment_slot(s, 0, 1)[0] = 5;
	assert_int_equal(obs_device_open(segment_path(s), &device), 0);
	assert_int_equal(obs_snapshot_new(device, &snapshot), 0);
	assert_int_equal(obs_snapshot_update(snapshot), 1);
	generation = obs_snapshot_generation(snapshot);
	series = obs_series_next(snapshot, obs_family_find(snapshot, "a_total"), NULL);

	segment_slot(s, 0, 1)[0] = 6;
	segment_series(s, segment_series_add(s, 0, (const char *[]){ "3", "4" }))->page =
		~0U;
	assert_int_equal(obs_snapshot_update(snapshot), -EPROTO);
	assert_int_equal(obs_snapshot_update(snapshot), -EPROTO);
	assert_int_equal(obs_snapshot_generation(snapshot), generation);
	assert_int_equal(obs_series_counter(snapshot, series), 5);
	assert_string_equal(series->value[1], "2");

	/* Gone again: the reader follows from where it stood. */
	segment_series(s, 6)->page = 0;
	segment_series_remove(s, 6);
	assert_int_equal(obs_snapshot_update(snapshot), 0);
	assert_int_equal(obs_series_counter(snapshot, series), 6);

	segment_journal(s)[segment_header(s)->journal_pos % 32] = ~0ULL;
	segment_header(s)->journal_pos++;
	assert_int_equal(obs_snapshot_update(snapshot), -EPROTO);
	obs_snapshot_free(snapshot);
	obs_device_close(device);
	segment_free(s);
}

static void test_text(void **state)
{
	static const char *const names[] = {
		"", "a\001b", "\377", "\303", "\355\240\200", "\300\200", "\302\205",
	};
	struct segment *s;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		s = sample_new();
		strcpy(segment_text(s, segment_family(s, 0)->text_off), names[i]);
		assert_int_equal(read_all(s), -EPROTO);
		segment_free(s);
	}
	/* A name without an end. */
	s = sample_new();
	memset(segment_text(s, 0), 'a', 4096);
	segment_family(s, 0)->text_len = 4096;
	assert_int_equal(read_all(s), -EPROTO);
	/* Bounds that don't ascend. */
	segment_free(s);
	s = sample_new();
	memset(segment_text(s, segment_family(s, 1)->text_off) +
	       segment_family(s, 1)->bounds_off, 1, sizeof(bounds));
	assert_int_equal(read_all(s), -EPROTO);
	segment_free(s);
}

static void test_truncated(void **state)
{
	struct obs_snapshot *snapshot;
	struct obs_device *device;
	struct segment *s = sample_new();
	uint64_t bytes, full = segment_bytes(s);

	(void)state;
	assert_int_equal(obs_device_open(segment_path(s), &device), 0);
	assert_int_equal(obs_snapshot_new(device, &snapshot), 0);
	for (bytes = full - 1; bytes > 4096; bytes -= 4096) {
		assert_int_equal(ftruncate(segment_fd(s), (off_t)bytes), 0);
		assert_int_equal(obs_snapshot_update(snapshot), -EPROTO);
		assert_int_equal(read_all(s), -EPROTO);
	}
	assert_int_equal(ftruncate(segment_fd(s), 100), 0);
	assert_int_equal(read_all(s), -EPROTO);
	assert_int_equal(ftruncate(segment_fd(s), 0), 0);
	assert_int_equal(read_all(s), -EPROTO);
	obs_snapshot_free(snapshot);
	obs_device_close(device);
	segment_free(s);
}

static void test_no_device(void **state)
{
	static const struct {
		const char *path;
		int result;
	} cases[] = {
		{ "/nonexistent/obsring", -ENOENT },
		{ "/", -EPROTO },
		{ "/dev/null", -EPROTO },
		{ "/dev/zero", -EPROTO },
		{ TOP "/tests/unit/test_damage.c", -EPROTO },
	};
	struct obs_device *device = (void *)1;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(obs_device_open(cases[i].path, &device),
				 cases[i].result);
		assert_ptr_equal(device, (void *)1);
	}
	obs_device_close(NULL);
	obs_snapshot_free(NULL);
	obs_control_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_update_fails),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_no_device),
	};

	return cmocka_run_group_tests_name("damage", tests, NULL, NULL);
}
