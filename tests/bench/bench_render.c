// SPDX-License-Identifier: MIT
/*
 * bench_render SEGMENT LIST ROUNDS: what the counters of a segment (make_segment.c) cost to
 * read, to bring up to date in obsringd's body, to render anew by hand (listed.h), to copy
 * and to compress, in ns a series of the thread's CPU time. Prints a Markdown table.
 *
 * Before each round a tenth of the counters, or each, is counted in, spread over all.
 */
#include <time.h>
#include <isa-l/igzip_lib.h>
#include <zlib.h>

#include "obsringd/render.h"

#include "listed.h"
#include "rows.h"

#define ROUNDS_MAX	1001
#define NR(array)	(sizeof(array) / sizeof((array)[0]))

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "bench_render: %s\n", what);
	exit(1);
}

static double clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/* ---- The counters -------------------------------------------------------- */

static struct listing listing;

/* Each @step-th. */
static void count(unsigned int step)
{
	static unsigned int first;
	size_t i;

	for (i = first++ % step; i < listing.nr; i += step)
		__atomic_fetch_add(listing.counter[i].row[LISTED_ROWS - 1], 1, __ATOMIC_RELAXED);
}

/* ---- The body ------------------------------------------------------------ */

static struct obs_snapshot *snapshot;
static struct plan plan;
static unsigned char *body, *out;
static char *by_hand;
static size_t body_len, out_size;

static void plan_make(const char *segment)
{
	const struct obs_family_info *family = NULL;
	const struct obs_series_info *series, *before;
	struct obs_device *device;

	must(!obs_device_open(segment, &device) && !obs_snapshot_new(device, &snapshot) &&
	     obs_snapshot_update(snapshot) == 1, "the segment can't be read");
	plan_init(&plan, &formats[FORMAT_TEXT]);
	while ((family = obs_family_next(snapshot, family))) {
		plan_family_add(&plan, family);
		before = NULL;
		while ((series = obs_series_next(snapshot, family, before))) {
			plan_series_add(&plan, series, before);
			before = series;
		}
	}
}

static void plan_render(void)
{
	const struct values values = { .snapshot = snapshot };

	render(&plan, &values);
	must(!plan_failed(&plan), "out of memory");
}

static size_t plan_copy(unsigned char *to)
{
	const struct chunk *bytes;
	size_t len = 0;
	uint32_t i;

	for (i = 0; i < plan.nr_pieces; i++) {
		bytes = plan.piece[i]->bytes;
		if (to)
			memcpy(to + len, bytes->data, bytes->len);
		len += bytes->len;
	}
	return len;
}

/* ---- Ways ---------------------------------------------------------------- */

static void read_all(void)
{
	must(obs_snapshot_update(snapshot) == 0, "something comes and goes");
}

static void by_prefix(void)
{
	must(listing_render(&listing, by_hand) > listing.nr, "nothing rendered");
}

static void copy(void)
{
	plan_copy(body);
}

static void zlib_1(void)
{
	uLongf len = out_size;

	must(compress2(out, &len, body, body_len, 1) == Z_OK, "zlib");
}

static void isal_1(void)
{
	static unsigned char room[ISAL_DEF_LVL1_DEFAULT];
	struct isal_zstream stream;

	isal_deflate_init(&stream);
	stream.level = 1;
	stream.level_buf = room;
	stream.level_buf_size = sizeof(room);
	stream.next_in = body;
	stream.avail_in = (uint32_t)body_len;
	stream.end_of_stream = 1;
	stream.next_out = out;
	stream.avail_out = (uint32_t)out_size;
	must(isal_deflate(&stream) == COMP_OK && !stream.avail_in, "ISA-L");
}

static const struct {
	const char *name;
	unsigned int step;	/* each so many-th is counted in before */
	void (*before)(void);
	void (*run)(void);
} ways[] = {
	{ "obsringd, values read", 10, NULL, read_all },
	{ "obsringd, body brought up to date, 10 % changed", 10, read_all, plan_render },
	{ "obsringd, body brought up to date, all changed", 1, read_all, plan_render },
	{ "by hand: prefixes, two digits at a time", 10, NULL, by_prefix },
	{ "`memcpy` of the body", 10, NULL, copy },
	{ "zlib, level 1", 10, NULL, zlib_1 },
	{ "ISA-L, level 1", 10, NULL, isal_1 },
};

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	static double ns[NR(ways)][ROUNDS_MAX];
	unsigned int rounds = argc == 4 ? (unsigned int)atoi(argv[3]) : 0, round, i;
	char at[32];
	double begun;

	if (!rounds || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: bench_render SEGMENT LIST ROUNDS, 1 to %u\n", ROUNDS_MAX);
		return 2;
	}
	listing_read(&listing, argv[1], argv[2]);
	plan_make(argv[1]);
	plan_render();
	body_len = plan_copy(NULL);
	out_size = body_len + body_len / 8 + 4096;
	body = malloc(body_len);
	out = malloc(out_size);
	by_hand = malloc(listing.max_bytes);
	must(body && out && by_hand, "out of memory");
	for (round = 0; round < rounds; round++)
		for (i = 0; i < NR(ways); i++) {
			count(ways[i].step);
			if (ways[i].before)
				ways[i].before();
			begun = clock_ns();
			ways[i].run();
			ns[i][round] = (clock_ns() - begun) / (double)listing.nr;
		}
	printf("| %zu series, %zu bytes a series | ns a series | best round |\n| --- | --- | --- |\n",
	       listing.nr, body_len / listing.nr);
	snprintf(at, sizeof(at), "series=%zu", listing.nr);
	for (i = 0; i < NR(ways); i++) {
		qsort(ns[i], rounds, sizeof(ns[i][0]), compare);
		printf("| %s | %.1f | %.1f |\n", ways[i].name, ns[i][rounds / 2], ns[i][0]);
		row("render", ways[i].name, at, "ns", ns[i], rounds);
	}
	return 0;
}
