// SPDX-License-Identifier: MIT
/* What `obsringctl top` makes of readings, without a terminal. */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "obsringctl/topmodel.h"
#include "obsringctl/toptext.h"
#include "segment.h"

static const struct {
	double value;
	const char *text;
} numbers[] = {
	{ 0, "0" }, { 7, "7" }, { -1.5, "-1.5" }, { 1234, "1234" }, { 9999.4, "9999" },
	{ 9999.9, "10k" }, { 12345, "12.35k" }, { -999950, "-1M" }, { 0.25, "0.25" },
	{ 0.01234, "12.34m" }, { 2e-6, "2u" }, { 5e-9, "5n" }, { 1e-12, "1p" },
	{ 1e-15, "1e-15" }, { 18446744073709551615.0, "18.45E" }, { -1.234e22, "-1e+22" },
	{ NAN, "-" }, { INFINITY, "+Inf" },
};

static void test_number(void **state)
{
	char text[TOP_NUMBER_SIZE];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		assert_string_equal(top_number(text, numbers[i].value), numbers[i].text);
		assert_true(strlen(text) <= TOP_NUMBER_WIDTH);
	}
}

static const struct {
	const char *text;
	unsigned int skip, columns;
	const wchar_t *cells;
} texts[] = {
	{ "plain", 0, 80, L"plain" },
	{ "plain", 0, 3, L"pla" },
	{ "plain", 2, 2, L"ai" },
	{ "plain", 9, 9, L"" },
	{ "plain", 0, 0, L"" },
	{ "a\033[31m\x7f\xc2\x9b", 0, 80, L"a?[31m??" },
	{ "\xff\xc3", 0, 80, L"??" },
	{ "\xe2\x80\xae\xe2\x81\xa6\xcc\x81", 0, 80, L"???" },
	/* Two cells wide, whole or not at all. */
	{ "\xe6\xbc\xa2\xe6\xbc\xa2", 0, 4, L"\x6f22\x6f22" },
	{ "\xe6\xbc\xa2\xe6\xbc\xa2", 0, 3, L"\x6f22" },
	{ "\xe6\xbc\xa2\xe6\xbc\xa2", 1, 3, L" \x6f22" },
	{ "\xe6\xbc\xa2\xe6\xbc\xa2", 0, 1, L"" },
};

static void test_cells(void **state)
{
	wchar_t cells[81];
	size_t i;

	(void)state;
	assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(top_cells(texts[i].text, texts[i].skip, texts[i].columns,
					   cells), wcslen(texts[i].cells));
		assert_memory_equal(cells, texts[i].cells,
				    (wcslen(texts[i].cells) + 1) * sizeof(wchar_t));
	}
}

/* ---- Quantiles ----------------------------------------------------------- */

static void near(double got, double want)
{
	if (fabs(got - want) > 1e-9 * fabs(want))
		fail_msg("%.17g is not %.17g", got, want);
}

static void test_quantiles_explicit(void **state)
{
	static const uint64_t bounds[] = { 1000, 5000, 50000 };
	const struct obs_family_info family = { .kind = OBSRING_KIND_HISTOGRAM,
		.exp10 = -3, .nr_bounds = 3, .bound = bounds };
	const uint64_t some[] = { 5, 4, 1, 0 }, none[] = { 0, 0, 0, 0 };
	const uint64_t above[] = { 1, 0, 0, 99 }, gap[] = { 1, 0, 1, 0 };

	(void)state;
	near(top_quantile(&family, some, 0.5), 1);
	near(top_quantile(&family, some, 0.25), 0.5);
	near(top_quantile(&family, some, 0.9), 5);
	near(top_quantile(&family, some, 0.99), 45.5);
	near(top_quantile(&family, above, 0.5), 50);
	near(top_quantile(&family, gap, 0.75), 27.5);
	assert_true(isnan(top_quantile(&family, none, 0.5)));
}

/* In equal parts of a bucket the value grows by equal factors. */
static void test_quantiles_exponential(void **state)
{
	struct segment *s = segment_new(NULL);
	uint32_t id = segment_family_add(s, &(struct obs_family_spec){
		.name = "h", .kind = OBSRING_KIND_HISTOGRAM, .schema = 0,
		.min_log2 = 0, .max_log2 = 4 });
	uint32_t series = segment_series_add(s, id, NULL);
	const struct obs_family_info *family;
	struct obs_snapshot *snapshot;
	struct obs_device *device;

	(void)state;
	/* Buckets up to 1, 2, 4, 8, 16. */
	segment_slot(s, series, 0)[1 + 2] = 4;
	assert_int_equal(obs_device_open(segment_path(s), &device), 0);
	assert_int_equal(obs_snapshot_new(device, &snapshot), 0);
	assert_int_equal(obs_snapshot_update(snapshot), 1);
	family = obs_family_find(snapshot, "h");
	near(top_quantile(family, obs_series_buckets(snapshot,
		obs_series_next(snapshot, family, NULL)), 0.5), 2 * sqrt(2));
	obs_snapshot_free(snapshot);
	obs_device_close(device);
	segment_free(s);
}

/* ---- Readings of a segment ------------------------------------------------ */

struct fixture {
	struct segment *segment;
	struct ctl_reader reader;
	struct top_model model;
	uint32_t family, wait, level;	/* families */
	uint32_t a, b, slow, gauge;	/* series */
};

static int setup(void **state)
{
	static const uint64_t bounds[] = { 1, 2 };
	struct fixture *f = calloc(1, sizeof(*f));
	struct segment *s = segment_new(NULL);

	f->segment = s;
	f->family = segment_family_add(s, &(struct obs_family_spec){
		.name = "ops_total", .kind = OBSRING_KIND_COUNTER, .exp10 = -3,
		.nr_labels = 1, .label = (const char *[]){ "op" } });
	f->a = segment_series_add(s, f->family, (const char *[]){ "a" });
	f->b = segment_series_add(s, f->family, (const char *[]){ "b" });
	f->wait = segment_family_add(s, &(struct obs_family_spec){
		.name = "wait", .kind = OBSRING_KIND_HISTOGRAM, .nr_bounds = 2,
		.bound = bounds });
	f->slow = segment_series_add(s, f->wait, NULL);
	f->level = segment_family_add(s, &(struct obs_family_spec){
		.name = "level", .kind = OBSRING_KIND_GAUGE, .set = true, .exp10 = -3 });
	f->gauge = segment_series_add(s, f->level, NULL);
	segment_slot(s, f->gauge, 0)[0] = (uint64_t)-1500;
	assert_int_equal(obs_device_open(segment_path(s), &f->reader.device), 0);
	assert_int_equal(obs_snapshot_new(f->reader.device, &f->reader.snapshot), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	top_model_free(&f->model);
	ctl_reader_close(&f->reader);
	segment_free(f->segment);
	free(f);
	return 0;
}

static void reading(struct fixture *f)
{
	assert_int_equal(top_read(&f->model, &f->reader), 0);
	/* That of the next one is for the test to say. */
	if (f->model.seconds > 0)
		f->model.seconds = 2;
	assert_int_equal(top_model_order(&f->model), 0);
}

/* Texts of the lines, without what stands behind the first blank of each. */
static void shown(struct fixture *f, const char *want)
{
	char got[512] = "";
	size_t i;

	for (i = 0; i < f->model.nr_lines; i++) {
		const struct top_line *line = &f->model.line[i];
		size_t n = strlen(got);

		if (line->cpu < 0)
			snprintf(got + n, sizeof(got) - n, "%s ", line->row->text);
		else
			snprintf(got + n, sizeof(got) - n, "%u=%llu ",
				 line->row->cpu[line->cpu].cpu,
				 (unsigned long long)line->row->cpu[line->cpu].now);
	}
	assert_string_equal(got, want);
}

static struct top_row *row(struct fixture *f, const char *text)
{
	size_t i;

	for (i = 0; i < f->model.nr; i++)
		if (!strcmp(f->model.row[i]->text, text))
			return f->model.row[i];
	fail_msg("no row %s", text);
	return NULL;
}

static void test_rates(void **state)
{
	struct fixture *f = *state;
	struct top_row *a, *wait;

	segment_slot(f->segment, f->a, 0)[0] = 1000;
	segment_slot(f->segment, f->slow, 1)[1] = 7;
	reading(f);
	a = row(f, "ops_total{op=\"a\"}");
	wait = row(f, "wait");
	near(a->value, 1);
	assert_true(isnan(a->rate));
	assert_true(isnan(wait->quantile[0]));
	segment_slot(f->segment, f->a, 1)[0] = 5000;
	segment_slot(f->segment, f->slow, 0)[2] = 3;
	reading(f);
	near(a->value, 6);
	near(a->rate, 2.5);
	near(wait->value, 10);
	near(wait->rate, 1.5);
	near(wait->quantile[0], 1.5);
	f->model.whole = true;
	assert_int_equal(top_model_order(&f->model), 0);
	near(wait->quantile[0], 5 / 7.);
	near(row(f, "level")->value, -1.5);
	assert_true(isnan(row(f, "level")->rate));
	/* Reset: what is there is new. */
	segment_slot(f->segment, f->a, 1)[0] = 0;
	reading(f);
	near(a->rate, 0.5);
}

static void test_sort(void **state)
{
	struct fixture *f = *state;

	f->model.sort = TOP_RATE;
	reading(f);
	segment_slot(f->segment, f->b, 0)[0] = 9000;
	segment_slot(f->segment, f->slow, 0)[1] = 4;
	reading(f);
	shown(f, "ops_total{op=\"b\"} wait ops_total{op=\"a\"} level ");
	top_model_sort(&f->model, TOP_RATE);
	assert_int_equal(top_model_order(&f->model), 0);
	shown(f, "ops_total{op=\"a\"} wait ops_total{op=\"b\"} level ");
	top_model_sort(&f->model, TOP_NAME);
	assert_int_equal(top_model_order(&f->model), 0);
	shown(f, "level ops_total{op=\"a\"} ops_total{op=\"b\"} wait ");
	top_model_sort(&f->model, TOP_NAME);
	assert_int_equal(top_model_order(&f->model), 0);
	shown(f, "wait ops_total{op=\"b\"} ops_total{op=\"a\"} level ");
	top_model_sort(&f->model, TOP_P99);
	assert_int_equal(top_model_order(&f->model), 0);
	shown(f, "wait level ops_total{op=\"a\"} ops_total{op=\"b\"} ");
}

static void test_filter(void **state)
{
	struct fixture *f = *state;
	char error[128] = "";

	reading(f);
	assert_int_equal(top_model_filter(&f->model, "op=\"[bc]\"|^w", error, sizeof(error)), 0);
	assert_int_equal(top_model_order(&f->model), 0);
	shown(f, "ops_total{op=\"b\"} wait ");
	assert_int_equal(top_model_filter(&f->model, "(", error, sizeof(error)), -EINVAL);
	assert_int_not_equal(error[0], 0);
	assert_int_equal(top_model_order(&f->model), 0);
	assert_int_equal(f->model.nr_shown, 2);
	assert_int_equal(top_model_filter(&f->model, "", error, sizeof(error)), 0);
	assert_int_equal(top_model_order(&f->model), 0);
	assert_int_equal(f->model.nr_shown, 4);
}

static void test_cpus(void **state)
{
	struct fixture *f = *state;
	struct top_row *a;

	segment_slot(f->segment, f->a, 2)[0] = 5;
	reading(f);
	a = row(f, "ops_total{op=\"a\"}");
	assert_int_equal(top_expand(a, &f->reader, true), 0);
	assert_int_equal(top_expand(row(f, "level"), &f->reader, true), 0);
	assert_int_equal(top_model_order(&f->model), 0);
	shown(f, "level ops_total{op=\"a\"} 0=0 1=0 2=5 3=0 ops_total{op=\"b\"} wait ");
	assert_true(isnan(top_cpu_rate(a, &a->cpu[2])));
	segment_slot(f->segment, f->a, 2)[0] = 4005;
	reading(f);
	a->cpus_seconds = 4;
	near(top_cpu_value(a, &a->cpu[2]), 4.005);
	near(top_cpu_rate(a, &a->cpu[2]), 1);
	assert_int_equal(top_expand(a, &f->reader, false), 0);
	assert_int_equal(top_model_order(&f->model), 0);
	assert_int_equal(f->model.nr_lines, 4);
}

/* Rows are of series, not of places: what goes and comes takes nobody else's readings. */
static void test_directory_changes(void **state)
{
	struct fixture *f = *state;
	uint32_t c;

	segment_slot(f->segment, f->a, 0)[0] = 50000;
	segment_slot(f->segment, f->b, 0)[0] = 1000;
	reading(f);
	segment_series_remove(f->segment, f->a);
	segment_slot(f->segment, f->b, 0)[0] = 3000;
	reading(f);
	shown(f, "level ops_total{op=\"b\"} wait ");
	near(row(f, "ops_total{op=\"b\"}")->rate, 1);
	c = segment_series_add(f->segment, f->family, (const char *[]){ "c" });
	assert_int_equal(c, f->a);
	segment_slot(f->segment, c, 0)[0] = 7000;
	reading(f);
	assert_true(isnan(row(f, "ops_total{op=\"c\"}")->rate));
	near(row(f, "ops_total{op=\"c\"}")->value, 7);
	near(row(f, "ops_total{op=\"b\"}")->rate, 0);
	segment_family_remove(f->segment, f->wait);
	reading(f);
	shown(f, "level ops_total{op=\"b\"} ops_total{op=\"c\"} ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_number),
		cmocka_unit_test(test_cells),
		cmocka_unit_test(test_quantiles_explicit),
		cmocka_unit_test(test_quantiles_exponential),
		cmocka_unit_test_setup_teardown(test_rates, setup, teardown),
		cmocka_unit_test_setup_teardown(test_sort, setup, teardown),
		cmocka_unit_test_setup_teardown(test_filter, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cpus, setup, teardown),
		cmocka_unit_test_setup_teardown(test_directory_changes, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
