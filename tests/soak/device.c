// SPDX-License-Identifier: MIT
/*
 * device DIR SERIES still|churn
 *
 * A device for obsringd that is none: DIR/obsring names a segment, as the module
 * lays it out, of a counter with SERIES series and a histogram. With churn, series
 * and families come and go, and from time to time the module does: it drains,
 * is gone, and is back with another segment. Every value tells whose it is: that of
 * series n="5" is 5 * 7 + 1, or 0 while it is new; anything else was read under
 * another's name. Until standard input ends; prints "ready" first.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../unit/segment.h"

/* Each takes the place of one that was before. */
#define LIVES		64
#define STEP_MS		2
#define STEPS_A_LOAD	500	/* the module goes after so many */
#define STEPS_AWAY	20

static const char *directory;
static uint32_t nr_series;

/* As the library has no say in it. */
static void or_die(int failed, const char *what)
{
	if (!failed)
		return;
	perror(what);
	exit(EXIT_FAILURE);
}

static void publish(const struct segment *segment)
{
	char next[512], path[512], target[64];

	snprintf(target, sizeof(target), "/proc/%d/fd/%d", getpid(), segment_fd(segment));
	snprintf(path, sizeof(path), "%s/obsring", directory);
	snprintf(next, sizeof(next), "%s/obsring.next", directory);
	unlink(next);
	or_die(symlink(target, next), next);
	or_die(rename(next, path), path);
}

static void withdraw(void)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/obsring", directory);
	or_die(unlink(path), path);
}

static uint32_t add_series(struct segment *segment, uint32_t family, uint32_t number)
{
	char text[16];
	const char *value[] = { text };
	uint32_t series;

	snprintf(text, sizeof(text), "%u", number);
	series = segment_series_add(segment, family, value);
	__atomic_store_n(segment_slot(segment, series, 0), number * 7ULL + 1,
			 __ATOMIC_RELAXED);
	return series;
}

static uint32_t add_family(struct segment *segment, const char *name)
{
	const char *const label[] = { "n" };

	return segment_family_add(segment, &(struct obs_family_spec){
		.name = name, .help = "Tells whose it is.", .kind = OBSRING_KIND_COUNTER,
		.nr_labels = 1, .label = label });
}

static struct segment *load(void)
{
	struct segment *segment = segment_new(&(struct segment_spec){
		.max_series = nr_series + 2 * LIVES + 8,
		.max_pages = nr_series / 256 + 64 });
	uint32_t family = add_family(segment, "demo_total"), i;

	for (i = 0; i < nr_series; i++)
		add_series(segment, family, i);
	family = segment_family_add(segment, &(struct obs_family_spec){
		.name = "demo_seconds", .help = "Observed.", .unit = "seconds",
		.kind = OBSRING_KIND_HISTOGRAM, .exp10 = -9, .min_log2 = -20,
		.max_log2 = 4 });
	segment_series_add(segment, family, NULL);
	return segment;
}

/* False: standard input has ended. */
static bool pause_a_step(void)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	char byte;

	if (poll(&input, 1, STEP_MS) <= 0)
		return true;
	return read(STDIN_FILENO, &byte, 1) > 0;
}

/* One series gives its place to another; now and then a family does. */
static void step(struct segment *segment, uint32_t *family, uint32_t lives[LIVES],
		 uint32_t number)
{
	uint32_t i = number % LIVES;

	if (!i && number) {
		segment_family_remove(segment, *family);
		*family = add_family(segment, number / LIVES % 2 ? "flicker_total" :
							   "flutter_total");
		for (i = 0; i < LIVES; i++)
			lives[i] = add_series(segment, *family, number + i);
		return;
	}
	segment_series_remove(segment, lives[i]);
	lives[i] = add_series(segment, *family, number);
}

static bool churn(struct segment *segment)
{
	uint32_t family = add_family(segment, "flicker_total"), lives[LIVES], i;

	for (i = 0; i < LIVES; i++)
		lives[i] = add_series(segment, family, i);
	for (i = 0; i < STEPS_A_LOAD; i++) {
		if (!pause_a_step())
			return false;
		step(segment, &family, lives, i);
	}
	return true;
}

static bool away(void)
{
	int i;

	for (i = 0; i < STEPS_AWAY; i++)
		if (!pause_a_step())
			return false;
	return true;
}

/* Unloaded and loaded again, or replaced by the next one at a blow. */
static void run_churn(struct segment *segment)
{
	unsigned int loads;

	for (loads = 0; churn(segment); loads++) {
		struct segment *next = load();

		if (loads % 2) {
			segment_set_state(segment, OBSRING_STATE_DRAINING);
			withdraw();
			if (!away())
				break;
		}
		publish(next);
		segment_free(segment);
		segment = next;
	}
}

int main(int argc, char **argv)
{
	struct segment *segment;

	if (argc != 4) {
		fprintf(stderr, "usage: device DIR SERIES still|churn\n");
		return 2;
	}
	directory = argv[1];
	nr_series = strtoul(argv[2], NULL, 10);
	segment = load();
	publish(segment);
	puts("ready");
	fflush(stdout);
	if (argv[3][0] == 'c')
		run_churn(segment);
	else
		while (pause_a_step())
			;
	return EXIT_SUCCESS;
}
