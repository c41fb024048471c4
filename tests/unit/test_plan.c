// SPDX-License-Identifier: MIT
/*
 * A plan that was told what came and went, thousands of times and at random, is byte for
 * byte one that is made of what is there; also while answers hold its bytes, which then
 * stay as they were. What its pieces are compressed to is what they hold.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <cmocka.h>

#include "obsringd/deflate.h"
#include "obsringd/render.h"
#include "segment.h"

#define FAMILIES	12
#define SERIES		600
#define ROUNDS		300
#define CHANGES_MAX	40

static const enum format_id tried[] = {
	FORMAT_TEXT, FORMAT_OPENMETRICS, FORMAT_PROTOBUF,
};

#define NR_TRIED (sizeof(tried) / sizeof(tried[0]))

struct world {
	struct segment *segment;
	struct obs_device *device;
	struct obs_snapshot *snapshot;
	struct plan plan[NR_TRIED];
	unsigned int seed;
	bool has_family[FAMILIES];
	uint32_t family[FAMILIES];
	bool has_series[SERIES];
	uint32_t series[SERIES];
	unsigned int family_of[SERIES];
	unsigned int names;	/* given so far */
};

static unsigned int pick(struct world *w, unsigned int nr)
{
	return (unsigned int)rand_r(&w->seed) % nr;
}

static void family_comes(void *arg, const struct obs_family_info *family)
{
	struct world *w = arg;
	size_t i;

	for (i = 0; i < NR_TRIED; i++)
		plan_family_add(&w->plan[i], family);
}

static void family_goes(void *arg, const struct obs_family_info *family)
{
	struct world *w = arg;
	size_t i;

	for (i = 0; i < NR_TRIED; i++)
		plan_family_remove(&w->plan[i], family);
}

static void series_comes(void *arg, const struct obs_series_info *series,
			 const struct obs_series_info *before)
{
	struct world *w = arg;
	size_t i;

	for (i = 0; i < NR_TRIED; i++)
		plan_series_add(&w->plan[i], series, before);
}

static void series_goes(void *arg, const struct obs_series_info *series)
{
	struct world *w = arg;
	size_t i;

	for (i = 0; i < NR_TRIED; i++)
		plan_series_remove(&w->plan[i], series);
}

static void world_open(struct world *w)
{
	const struct obs_snapshot_events events = {
		.arg = w,
		.family_goes = family_goes,
		.family_comes = family_comes,
		.series_goes = series_goes,
		.series_comes = series_comes,
	};
	size_t i;

	memset(w, 0, sizeof(*w));
	w->seed = 1;
	w->segment = segment_new(&(struct segment_spec){ .max_series = 2 * SERIES,
							 .max_pages = 256 });
	assert_int_equal(obs_device_open(segment_path(w->segment), &w->device), 0);
	assert_int_equal(obs_snapshot_new(w->device, &w->snapshot), 0);
	obs_snapshot_watch(w->snapshot, &events);
	for (i = 0; i < NR_TRIED; i++) {
		plan_init(&w->plan[i], &formats[tried[i]]);
		w->plan[i].piece_bytes = 2048;	/* many pieces of few series */
	}
}

static void world_close(struct world *w)
{
	size_t i;

	for (i = 0; i < NR_TRIED; i++)
		plan_exit(&w->plan[i]);
	obs_snapshot_free(w->snapshot);
	obs_device_close(w->device);
	segment_free(w->segment);
}

/* ---- What comes and goes ------------------------------------------------- */

static void family_add(struct world *w, unsigned int f)
{
	static const enum obsring_kind kind[] = {
		OBSRING_KIND_COUNTER, OBSRING_KIND_GAUGE, OBSRING_KIND_HISTOGRAM,
		OBSRING_KIND_INFO, OBSRING_KIND_STATE,
	};
	static const char *const states[] = { "off", "on" };
	struct obs_family_spec spec = {
		.help = "Help.", .kind = kind[pick(w, 5)], .nr_labels = 1,
		.label = (const char *const[]){ "name" },
	};
	char name[64];

	snprintf(name, sizeof(name), "family_%u", w->names++);
	spec.name = name;
	if (spec.kind == OBSRING_KIND_HISTOGRAM) {
		spec.exp10 = -9;
		spec.schema = 1;
		spec.min_log2 = -4;
		spec.max_log2 = 1;
	}
	if (spec.kind == OBSRING_KIND_STATE) {
		spec.nr_states = 2;
		spec.state = states;
	}
	w->family[f] = segment_family_add(w->segment, &spec);
	w->has_family[f] = true;
}

static void series_remove(struct world *w, unsigned int s)
{
	segment_series_remove(w->segment, w->series[s]);
	w->has_series[s] = false;
}

static void family_remove(struct world *w, unsigned int f)
{
	unsigned int s;

	for (s = 0; s < SERIES; s++)
		if (w->has_series[s] && w->family_of[s] == f)
			series_remove(w, s);
	segment_family_remove(w->segment, w->family[f]);
	w->has_family[f] = false;
}

static void series_add(struct world *w, unsigned int s, unsigned int f)
{
	char value[128];

	memset(value, 'x', sizeof(value));
	snprintf(value + pick(w, 60), 32, "%u", w->names++);
	w->series[s] = segment_series_add_as(w->segment, w->family[f],
					     (const char *const[]){ value },
					     pick(w, 20) ? 0 : OBSRING_SERIES_OVERFLOW,
					     1000 + pick(w, 1000));
	w->family_of[s] = f;
	w->has_series[s] = true;
}

static bool has_values(const struct world *w, unsigned int s)
{
	return segment_series(w->segment, w->series[s])->nr_slots;
}

static bool is_single(const struct world *w, unsigned int s)
{
	return segment_series(w->segment, w->series[s])->rows == 1;
}

static void count(struct world *w, unsigned int s)
{
	uint32_t nr = segment_series(w->segment, w->series[s])->nr_slots;
	uint64_t *slot = segment_slot(w->segment, w->series[s],
				      is_single(w, s) ? 0 : pick(w, 4));

	slot[pick(w, nr)] += 1 + pick(w, 1000);
}

static void change(struct world *w)
{
	unsigned int f = pick(w, FAMILIES), s = pick(w, SERIES);

	if (!w->has_family[f])
		family_add(w, f);
	else if (!pick(w, 60))
		family_remove(w, f);
	else if (!w->has_series[s])
		series_add(w, s, f);
	else if (!pick(w, 3))
		series_remove(w, s);
	else if (has_values(w, s))
		count(w, s);
}

/* ---- Bodies -------------------------------------------------------------- */

static void join(const struct plan *plan, struct text *body)
{
	uint32_t i;

	text_clear(body);
	for (i = 0; i < plan->nr_pieces; i++)
		text_put(body, plan->piece[i]->bytes->data, plan->piece[i]->bytes->len);
	assert_false(text_failed(body));
}

static void plan_anew(struct plan *plan, enum format_id id, const struct world *w)
{
	const struct obs_family_info *family = NULL;
	const struct obs_series_info *series, *before;

	plan_init(plan, &formats[id]);
	while ((family = obs_family_next(w->snapshot, family))) {
		plan_family_add(plan, family);
		before = NULL;
		while ((series = obs_series_next(w->snapshot, family, before))) {
			plan_series_add(plan, series, before);
			before = series;
		}
	}
}

static void assert_same(const struct text *a, const struct text *b)
{
	assert_int_equal(a->len, b->len);
	if (a->len)
		assert_memory_equal(a->data, b->data, a->len);
}

static void check_anew(struct world *w, size_t i)
{
	const struct values values = { .snapshot = w->snapshot };
	struct text followed = { 0 }, made = { 0 };
	struct plan anew;

	plan_anew(&anew, tried[i], w);
	render(&anew, &values);
	assert_false(plan_failed(&anew));
	join(&anew, &made);
	join(&w->plan[i], &followed);
	assert_same(&followed, &made);
	plan_exit(&anew);
	text_free(&followed);
	text_free(&made);
}

/* Hold what is there for some rounds, as a slow client does. */
struct held {
	struct chunk **chunk;
	uint32_t nr;
	struct text text;
};

static void hold(struct held *held, const struct plan *plan)
{
	uint32_t i;

	held->chunk = calloc(plan->nr_pieces + 1, sizeof(struct chunk *));
	assert_non_null(held->chunk);
	held->nr = plan->nr_pieces;
	for (i = 0; i < held->nr; i++)
		held->chunk[i] = chunk_get(plan->piece[i]->bytes);
	join(plan, &held->text);
}

static void let_go(struct held *held)
{
	size_t at = 0;
	uint32_t i;

	for (i = 0; i < held->nr; i++) {
		assert_memory_equal(held->chunk[i]->data, held->text.data + at,
				    held->chunk[i]->len);
		at += held->chunk[i]->len;
		chunk_put(held->chunk[i]);
	}
	assert_int_equal(at, held->text.len);
	free(held->chunk);
	text_free(&held->text);
	*held = (struct held){ 0 };
}

static void check_gzip(struct deflater *deflater, const struct deflate_codes *codes,
		       const struct plan *plan)
{
	size_t need = GZIP_FRAME_BYTES + 100, len;
	struct text body = { 0 };
	unsigned char *out, *back;
	z_stream stream = { 0 };
	struct gzip gzip;
	uint32_t i;

	join(plan, &body);
	for (i = 0; i < plan->nr_pieces; i++) {
		assert_int_equal(deflate_piece(deflater, codes, plan->piece[i]), 0);
		need += plan->piece[i]->deflated->len;
	}
	out = malloc(need);
	back = malloc(body.len + 1);
	assert_true(out && back);
	gzip_begin(&gzip, out, 100);
	for (i = 0; i < plan->nr_pieces; i++)
		gzip_add(&gzip, plan->piece[i]->deflated);
	gzip_end(&gzip);
	assert_ptr_equal(gzip.out, out + need);
	assert_int_equal(inflateInit2(&stream, 16 + MAX_WBITS), Z_OK);
	stream.next_in = out;
	stream.avail_in = need;
	stream.next_out = back;
	stream.avail_out = body.len + 1;
	assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
	assert_int_equal(stream.avail_in, 0);
	len = stream.total_out;
	inflateEnd(&stream);
	assert_int_equal(len, body.len);
	if (len)
		assert_memory_equal(back, body.data, len);
	free(out);
	free(back);
	text_free(&body);
}

static void test_follow(void **state)
{
	struct deflater *deflater = deflater_new();
	struct deflate_codes *codes[NR_TRIED] = { 0 };
	struct held held[NR_TRIED] = { 0 };
	unsigned int round, i;
	struct values values;
	struct world w;
	size_t f;

	(void)state;
	assert_non_null(deflater);
	world_open(&w);
	values = (struct values){ .snapshot = w.snapshot };
	for (round = 0; round < ROUNDS; round++) {
		for (i = pick(&w, CHANGES_MAX); i; i--)
			change(&w);
		assert_true(obs_snapshot_update(w.snapshot) >= 0);
		for (f = 0; f < NR_TRIED; f++) {
			render(&w.plan[f], &values);
			assert_false(plan_failed(&w.plan[f]));
			check_anew(&w, f);
			if (!(round % 10))
				check_gzip(deflater, codes[f], &w.plan[f]);
			if (!(round % 20))	/* from now on by these */
				assert_int_equal(deflate_codes_fit(&codes[f],
						 w.plan[f].piece, w.plan[f].nr_pieces), 0);
			if (held[f].chunk && !pick(&w, 3))
				let_go(&held[f]);
			else if (!held[f].chunk)
				hold(&held[f], &w.plan[f]);
		}
	}
	assert_true(w.plan[0].nr_pieces > 10);
	for (f = 0; f < NR_TRIED; f++) {
		deflate_codes_free(codes[f]);
		if (held[f].chunk)
			let_go(&held[f]);
	}
	world_close(&w);
	deflater_free(deflater);
}

/* By any codes anything can be said: those of nothing, of one byte, of all. */
static void test_codes(void **state)
{
	struct chunk bytes[2] = { { .data = (char *)"aaaa", .len = 4 } };
	struct piece pieces[2] = { { .bytes = &bytes[0] }, { .bytes = &bytes[1] } };
	struct piece *piece[2] = { &pieces[0], &pieces[1] };
	struct deflater *deflater = deflater_new();
	unsigned char all[4096], back[sizeof(all)];
	struct deflate_codes *codes = NULL;
	struct deflated *deflated = NULL;
	z_stream stream;
	size_t i, nr;

	(void)state;
	for (i = 0; i < sizeof(all); i++)
		all[i] = i ^ i >> 8;
	bytes[1].data = (char *)all;
	bytes[1].len = sizeof(all);
	assert_non_null(deflater);
	for (nr = 0; nr <= 2; nr++) {
		assert_int_equal(deflate_codes_fit(&codes, piece, nr), 0);
		assert_int_equal(deflate_bytes(deflater, codes, &deflated, all, sizeof(all)), 0);
		memset(back, 0, sizeof(back));
		stream = (z_stream){ .next_in = deflated->data, .avail_in = deflated->len,
				     .next_out = back, .avail_out = sizeof(back) };
		assert_int_equal(inflateInit2(&stream, -MAX_WBITS), Z_OK);
		assert_int_equal(inflate(&stream, Z_SYNC_FLUSH), Z_OK);
		assert_int_equal(stream.avail_out, 0);
		inflateEnd(&stream);
		assert_memory_equal(back, all, sizeof(all));
	}
	deflate_codes_free(codes);
	deflated_free(deflated);
	deflater_free(deflater);
}

/* One series more moves what stands in its piece, and nothing of the others. */
static void test_in_proportion(void **state)
{
	const char *before[256];
	unsigned int i, same = 0;
	struct values values;
	struct world w;
	uint32_t nr;

	(void)state;
	world_open(&w);
	values = (struct values){ .snapshot = w.snapshot };
	family_add(&w, 0);
	for (i = 0; i < SERIES - 1; i++)
		series_add(&w, i, 0);
	assert_int_equal(obs_snapshot_update(w.snapshot), 1);
	render(&w.plan[0], &values);
	nr = w.plan[0].nr_pieces;
	assert_in_range(nr, 10, 256);
	for (i = 0; i < nr; i++) {
		before[i] = w.plan[0].piece[i]->bytes->data;
		w.plan[0].piece[i]->changed = false;
	}
	series_add(&w, SERIES - 1, 0);
	assert_int_equal(obs_snapshot_update(w.snapshot), 1);
	render(&w.plan[0], &values);
	for (i = 0; i < nr; i++)
		same += w.plan[0].piece[i]->bytes->data == before[i] &&
			!w.plan[0].piece[i]->changed;
	assert_true(same >= nr - 1);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_follow),
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_in_proportion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
