// SPDX-License-Identifier: MIT
/*
 * What a series that comes or goes costs a scrape is in proportion to it, not to how many
 * there are. Work is counted, not timed: basic blocks that the library's snapshot and the
 * daemon's body go through (they are compiled to call here at each), and bytes that they
 * copy and clear. A scrape without a change takes as many each time: what one with a change
 * takes more is what the change costs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "obsringd/kept.h"
#include "obsringd/render.h"
#include "segment.h"

#define FEW	1000
#define MANY	(100 * FEW)
#define MORE	100	/* that come and go at once */

struct work {
	uint64_t blocks, bytes;
};

static struct work done;

void __sanitizer_cov_trace_pc(void);
void *__wrap_memcpy(void *to, const void *from, size_t n);
void *__wrap_memmove(void *to, const void *from, size_t n);
void *__wrap_memset(void *to, int c, size_t n);
void *__real_memcpy(void *to, const void *from, size_t n);
void *__real_memmove(void *to, const void *from, size_t n);
void *__real_memset(void *to, int c, size_t n);

void __sanitizer_cov_trace_pc(void)
{
	done.blocks++;
}

void *__wrap_memcpy(void *to, const void *from, size_t n)
{
	done.bytes += n;
	return __real_memcpy(to, from, n);
}

void *__wrap_memmove(void *to, const void *from, size_t n)
{
	done.bytes += n;
	return __real_memmove(to, from, n);
}

void *__wrap_memset(void *to, int c, size_t n)
{
	done.bytes += n;
	return __real_memset(to, c, n);
}

/* ---- A daemon that serves it --------------------------------------------- */

struct world {
	struct segment *segment;
	struct obs_device *device;
	struct obs_snapshot *snapshot;
	struct kept kept;
	uint32_t family;
	uint32_t nr;
	uint32_t *series;	/* in the order of the body */
	struct work idle;	/* a scrape without a change */
};

static void family_comes(void *arg, const struct obs_family_info *family)
{
	plan_family_add(arg, family);
}

static void family_goes(void *arg, const struct obs_family_info *family)
{
	plan_family_remove(arg, family);
}

static void series_comes(void *arg, const struct obs_series_info *series,
			 const struct obs_series_info *before)
{
	plan_series_add(arg, series, before);
}

static void series_goes(void *arg, const struct obs_series_info *series)
{
	plan_series_remove(arg, series);
}

static struct work scrape(struct world *w)
{
	const struct values values = { .snapshot = w->snapshot };
	const struct work before = done;

	assert_int_equal(kept_lend(&w->kept), 0);
	assert_true(obs_snapshot_update(w->snapshot) >= 0);
	render(&w->kept.device, &values);
	assert_false(plan_failed(&w->kept.device));
	assert_int_equal(kept_make(&w->kept, NULL, false), 0);
	kept_end(&w->kept);
	return (struct work){ done.blocks - before.blocks, done.bytes - before.bytes };
}

static uint32_t series_add(struct world *w, uint32_t i)
{
	char value[64];

	snprintf(value, sizeof(value), "/api/v1/resources/by-name/of/some/length/%u", i);
	return segment_series_add(w->segment, w->family, (const char *const[]){ value });
}

static void world_open(struct world *w, uint32_t nr)
{
	struct obs_snapshot_events events = {
		.arg = &w->kept.device,
		.family_goes = family_goes,
		.family_comes = family_comes,
		.series_goes = series_goes,
		.series_comes = series_comes,
	};
	uint32_t i;

	*w = (struct world){ .nr = nr };
	w->segment = segment_new(&(struct segment_spec){
		.max_series = nr + MORE, .max_pages = nr / 512 + 2, .series_text = 128 });
	w->series = calloc(nr, sizeof(*w->series));
	assert_non_null(w->series);
	w->family = segment_family_add(w->segment, &(struct obs_family_spec){
		.name = "requests_total", .help = "Help.", .kind = OBSRING_KIND_COUNTER,
		.nr_labels = 1, .label = (const char *const[]){ "path" } });
	for (i = 0; i < nr; i++)
		w->series[i] = series_add(w, i);
	assert_int_equal(obs_device_open(segment_path(w->segment), &w->device), 0);
	assert_int_equal(obs_snapshot_new(w->device, &w->snapshot), 0);
	obs_snapshot_watch(w->snapshot, &events);
	plan_init(&w->kept.device, &formats[FORMAT_TEXT]);
	plan_init(&w->kept.self, &formats[FORMAT_TEXT]);
	scrape(w);
	scrape(w);
	w->idle = scrape(w);
}

static void world_close(struct world *w)
{
	kept_drop(&w->kept);
	obs_snapshot_free(w->snapshot);
	obs_device_close(w->device);
	segment_free(w->segment);
	free(w->series);
}

/* ---- Changes ------------------------------------------------------------- */

static void nothing(struct world *w)
{
	(void)w;
}

static void first_goes(struct world *w)
{
	segment_series_remove(w->segment, w->series[0]);
}

static void middle_goes(struct world *w)
{
	segment_series_remove(w->segment, w->series[w->nr / 2]);
}

static void last_goes(struct world *w)
{
	segment_series_remove(w->segment, w->series[w->nr - 1]);
}

static void comes_and_goes(struct world *w)
{
	segment_series_remove(w->segment, w->series[w->nr / 3]);
	w->series[w->nr / 3] = series_add(w, w->nr);
}

static void comes(struct world *w)
{
	series_add(w, w->nr + 1);
}

static void more_go(struct world *w)
{
	uint32_t i;

	for (i = 0; i < MORE; i++)
		segment_series_remove(w->segment, w->series[w->nr / 4 + i]);
}

static void more_come(struct world *w)
{
	uint32_t i;

	for (i = 0; i < MORE; i++)
		series_add(w, w->nr + 2 + i);
}

static const struct {
	const char *name;
	void (*make)(struct world *w);
	unsigned int nr;
} changes[] = {
	{ "nothing", nothing, 0 },
	{ "the first goes", first_goes, 1 },
	{ "one in the middle goes", middle_goes, 1 },
	{ "the last goes", last_goes, 1 },
	{ "one goes and one comes", comes_and_goes, 2 },
	{ "one comes", comes, 1 },
	{ "a hundred go", more_go, MORE },
	{ "a hundred come", more_come, MORE },
};

#define NR_CHANGES (sizeof(changes) / sizeof(changes[0]))

struct costs {
	struct work cost[NR_CHANGES], scrape;
};

static void measure(uint32_t nr, struct costs *costs)
{
	struct world w;
	size_t i;

	world_open(&w, nr);
	costs->scrape = w.idle;
	for (i = 0; i < NR_CHANGES; i++) {
		changes[i].make(&w);
		costs->cost[i] = scrape(&w);
		costs->cost[i].blocks -= w.idle.blocks;
		costs->cost[i].bytes -= w.idle.bytes;
		/* Bodies and indices are made anew; then all is at rest again. */
		scrape(&w);
		w.idle = scrape(&w);
	}
	world_close(&w);
}

static void print(const char *name, const struct work *few, const struct work *many)
{
	print_message("# %s: of %d %llu blocks and %llu bytes, of %d %llu and %llu\n", name,
		      FEW, (unsigned long long)few->blocks, (unsigned long long)few->bytes,
		      MANY, (unsigned long long)many->blocks,
		      (unsigned long long)many->bytes);
}

/*
 * There are a hundred times as many, and pieces of the body are up to four times as large:
 * that much more is looked at for each change, and no more.
 */
static void test_in_proportion(void **state)
{
	const struct work *few, *many;
	struct costs of_few, of_many;
	size_t i;

	(void)state;
	measure(FEW, &of_few);
	measure(MANY, &of_many);
	print("a scrape", &of_few.scrape, &of_many.scrape);
	/* What is counted does tell one from the other. */
	assert_true(of_many.scrape.blocks > 50 * of_few.scrape.blocks);
	assert_true(of_many.scrape.bytes > 50 * of_few.scrape.bytes);
	for (i = 0; i < NR_CHANGES; i++) {
		few = &of_few.cost[i];
		many = &of_many.cost[i];
		print(changes[i].name, few, many);
		assert_true(!changes[i].nr == !many->blocks && !changes[i].nr == !few->blocks);
		assert_true(many->blocks <= 5 * few->blocks);
		assert_true(many->bytes <= 5 * few->bytes);
		/* As a hundred single ones would, or less. */
		assert_true(many->blocks <= changes[i].nr * 5 * of_few.cost[1].blocks);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_proportion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
