// SPDX-License-Identifier: MIT
/*
 * Rendering, against golden files: tests/golden/NAME.prom (text 0.0.4) and
 * NAME.om (OpenMetrics), with names escaped by underscores; odd names in every
 * other format and scheme as well, as NAME.SCHEME.prom, .prom1 and .om, or
 * NAME.prom1-utf8 and .om-utf8.
 * UPDATE_GOLDEN=1 writes them anew.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <obsring/exemplar.h>

#include "obsringd/render.h"
#include "rendered.h"

static const char *const suffix[SYNTAX_NR] = {
	[SYNTAX_TEXT] = "prom",
	[SYNTAX_TEXT_1] = "prom1",
	[SYNTAX_OPENMETRICS] = "om",
	[SYNTAX_PROTOBUF] = "pb",
};

/* ---- Rendering ----------------------------------------------------------- */

struct fixture {
	struct segment *segment;
	struct obs_device *device;
	struct obs_snapshot *snapshot;
};

static void fixture_open(struct fixture *f, void (*build)(struct segment *s))
{
	f->segment = segment_new(NULL);
	build(f->segment);
	assert_int_equal(obs_device_open(segment_path(f->segment), &f->device), 0);
	assert_int_equal(obs_snapshot_new(f->device, &f->snapshot), 0);
	assert_true(obs_snapshot_update(f->snapshot) >= 0);
}

static void fixture_close(struct fixture *f)
{
	obs_snapshot_free(f->snapshot);
	obs_device_close(f->device);
	segment_free(f->segment);
}

static void plan_build(struct plan *plan, enum format_id id, const struct fixture *f)
{
	const struct obs_family_info *family = NULL;
	const struct obs_series_info *series, *before;

	plan_init(plan, &formats[id]);
	while ((family = obs_family_next(f->snapshot, family))) {
		plan_family_add(plan, family);
		before = NULL;
		while ((series = obs_series_next(f->snapshot, family, before))) {
			plan_series_add(plan, series, before);
			before = series;
		}
	}
	assert_false(plan_failed(plan));
}

static void render_with(struct plan *plan, const struct fixture *f, struct text *body)
{
	const struct values values = { .snapshot = f->snapshot };
	uint32_t i;

	render(plan, &values);
	assert_false(plan_failed(plan));
	text_clear(body);
	for (i = 0; i < plan->nr_pieces; i++)
		text_put(body, plan->piece[i]->bytes->data, plan->piece[i]->bytes->len);
	text_puts(body, plan->format->end);
	assert_false(text_failed(body));
}

static void render_all(const struct fixture *f, enum format_id id,
		       struct text *body)
{
	struct plan plan;

	plan_build(&plan, id, f);
	render_with(&plan, f, body);
	plan_exit(&plan);
}

static void assert_same(const struct text *a, const struct text *b)
{
	assert_int_equal(a->len, b->len);
	if (a->len)
		assert_memory_equal(a->data, b->data, a->len);
}

/* ---- Golden files -------------------------------------------------------- */

static void golden_path(char *path, size_t size, const char *name,
			enum format_id id)
{
	const char *scheme = escaping_name[id % ESCAPE_NR];
	const char *end = suffix[id / ESCAPE_NR];

	if (id == FORMAT_TEXT || id == FORMAT_OPENMETRICS || id == FORMAT_PROTOBUF)
		snprintf(path, size, TOP "/tests/golden/%s.%s", name, end);
	else if (id % ESCAPE_NR == ESCAPE_NONE)
		snprintf(path, size, TOP "/tests/golden/%s.%s-utf8", name, end);
	else
		snprintf(path, size, TOP "/tests/golden/%s.%s.%s", name, scheme, end);
}

static void golden_write(const char *path, const struct text *body)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	if (body->len)
		assert_int_equal(fwrite(body->data, 1, body->len, file), body->len);
	assert_int_equal(fclose(file), 0);
}

static void golden_read(const char *path, struct text *golden)
{
	FILE *file = fopen(path, "r");
	char buffer[4096];
	size_t len;

	if (!file)
		fail_msg("no golden file %s", path);
	while ((len = fread(buffer, 1, sizeof(buffer), file)))
		text_put(golden, buffer, len);
	fclose(file);
}

static void check_golden(const char *name, enum format_id id,
			 const struct text *body)
{
	struct text golden = { 0 };
	char path[512];

	golden_path(path, sizeof(path), name, id);
	if (getenv("UPDATE_GOLDEN"))
		golden_write(path, body);
	golden_read(path, &golden);
	if (golden.len != body->len ||
	    (body->len && memcmp(golden.data, body->data, body->len))) {
		fprintf(stderr, "%.*s", (int)body->len, body->data);
		fail_msg("differs from %s", path);
	}
	text_free(&golden);
}

static bool has_golden(void (*build)(struct segment *s), enum format_id id)
{
	if (id == FORMAT_TEXT + ESCAPE_NONE)
		return false;
	return id == FORMAT_TEXT || id == FORMAT_OPENMETRICS || id == FORMAT_PROTOBUF ||
	       build == build_odd;
}

static void test_golden(void **state)
{
	struct text body = { 0 };
	struct fixture f;
	size_t i;
	int id;

	(void)state;
	for (i = 0; i < NR(rendered); i++) {
		fixture_open(&f, rendered[i].build);
		for (id = 0; id < FORMAT_NR; id++) {
			if (!has_golden(rendered[i].build, id))
				continue;
			render_all(&f, id, &body);
			check_golden(rendered[i].name, id, &body);
		}
		fixture_close(&f);
	}
	text_free(&body);
}

/* ---- Properties ---------------------------------------------------------- */

static void check_again(const struct fixture *f, enum format_id id)
{
	struct text first = { 0 }, second = { 0 };
	struct plan plan;

	plan_build(&plan, id, f);
	render_with(&plan, f, &first);
	plan.moved = false;
	render_with(&plan, f, &second);
	assert_same(&first, &second);
	assert_false(plan.moved);
	plan_exit(&plan);
	text_free(&first);
	text_free(&second);
}

static void test_twice_the_same(void **state)
{
	struct fixture f;
	size_t i;
	int id;

	(void)state;
	for (i = 0; i < NR(rendered); i++) {
		fixture_open(&f, rendered[i].build);
		for (id = 0; id < FORMAT_NR; id++)
			check_again(&f, id);
		fixture_close(&f);
	}
}

static bool body_has(struct text *body, const char *string)
{
	text_put(body, "", 1);
	body->len--;
	return strstr(body->data, string);
}

#define BLANKS_18 "                  "

#define ZEROS_18 "000000000000000000"

#define ZEROS_19 ZEROS_18 "0"

/* A plan goes on showing new values, an overflow series that fills included. */
static void test_values_change(void **state)
{
	struct text body = { 0 };
	struct plan plan;
	uint32_t family, series;
	struct fixture f;

	(void)state;
	fixture_open(&f, build_empty);
	family = labelled_add(f.segment, OBSRING_KIND_COUNTER, "x_total", "X.", 1,
			      NAMES("name"));
	series = segment_series_add_as(f.segment, family, NAMES("_overflow"),
				       OBSRING_SERIES_OVERFLOW, 1);
	assert_int_equal(obs_snapshot_update(f.snapshot), 1);
	plan_build(&plan, FORMAT_TEXT, &f);
	render_with(&plan, &f, &body);
	assert_int_equal(body.len, 0);

	*segment_slot(f.segment, series, 0) = 41;
	*segment_slot(f.segment, series, 3) = 1;
	assert_int_equal(obs_snapshot_update(f.snapshot), 0);
	render_with(&plan, &f, &body);
	assert_true(body_has(&body, "x_total{name=\"_overflow\"} " BLANKS_18 "42\n"));
	plan_exit(&plan);
	text_free(&body);
	fixture_close(&f);
}

/* Lines grow and shrink under one plan as exemplars come, change and go. */
static void test_exemplars_change(void **state)
{
	static const uint64_t bounds[] = { 10 };
	struct text body = { 0 };
	struct plan plan;
	uint32_t family, series;
	struct fixture f;

	(void)state;
	fixture_open(&f, build_empty);
	family = segment_family_add(f.segment, &(struct obs_family_spec){
		.name = "x", .help = "X.", .kind = OBSRING_KIND_HISTOGRAM,
		.nr_bounds = 1, .bound = bounds });
	segment_family_exemplars(f.segment, family);
	series = segment_series_add(f.segment, family, NULL);
	segment_slot(f.segment, series, 0)[1] = 1;
	assert_int_equal(obs_snapshot_update(f.snapshot), 1);
	plan_build(&plan, FORMAT_OPENMETRICS, &f);
	render_with(&plan, &f, &body);
	assert_true(body_has(&body, "x_bucket{le=\"10.0\"} " ZEROS_19 "1\n"
			      "x_bucket{le=\"+Inf\"} " ZEROS_19 "1\n"));

	exemplar_put(f.segment, series, 0, 7, 1500000000, 0xaa);
	render_with(&plan, &f, &body);
	assert_true(body_has(&body, "x_bucket{le=\"10.0\"} " ZEROS_19 "1 # {"
		"trace_id=\"aa0000000000000000000000000000ef\","
		"span_id=\"01000000000000aa\"} " ZEROS_19 "07 " ZEROS_18 "1.5\n"
		"x_bucket{le=\"+Inf\"} " ZEROS_19 "1\n"));

	exemplar_put(f.segment, series, 0, 10, 12000000000000, 0xab);
	render_with(&plan, &f, &body);
	assert_true(body_has(&body, "01000000000000ab\"} " ZEROS_19 "10 0000000000000000"
			     "12000\nx_bucket"));

	obs_exemplar_clear(segment_exemplar(f.segment, series, 0));
	render_with(&plan, &f, &body);
	assert_false(body_has(&body, "# {"));
	/* A series that is gone since the update has its counts, and no exemplar. */
	exemplar_put(f.segment, series, 0, 7, 1500000000, 0xaa);
	segment_series_remove(f.segment, series);
	render_with(&plan, &f, &body);
	assert_true(body_has(&body, "x_bucket{le=\"10.0\"} " ZEROS_19 "1\n"));
	plan_exit(&plan);
	text_free(&body);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_twice_the_same),
		cmocka_unit_test(test_values_change),
		cmocka_unit_test(test_exemplars_change),
	};

	return cmocka_run_group_tests_name("render", tests, NULL, NULL);
}
