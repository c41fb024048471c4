// SPDX-License-Identifier: MIT
/*
 * scale_cost: what an update costs a process with many series, or many labels. Answers
 * lines "WAY N UPDATES" on standard input by nanoseconds of the thread's CPU time an
 * update:
 *
 *	add	obs_counter_add() to the one series, of N labels
 *	find	obs_counter_new() of that known series, and obs_counter_add()
 *	series	obs_counter_add() to N series in turn, in an order of chance, of as many
 *		services and segments as there are thousands of series
 *	words	an atomic addition to N words in turn, likewise
 *
 * scale/client answers the same for the Go client.
 */
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <obsring.h>

#define LABELS_MAX	6
#define SERIES_MAX	1000000
#define SEGMENT_SERIES	1000

static const char *const labels[LABELS_MAX] = { "method", "code", "path", "zone", "shard", "kind" };
static const char *const values[LABELS_MAX] = { "GET", "200", "/api/v1/things", "north", "17", "a" };

static struct obs_service *service;	/* of the segment made last */
static struct obs_counter **counters;
static atomic_ulong **words;
static unsigned int nr_counters, nr_words;

static void must(int holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "scale_cost: %s\n", what);
	exit(1);
}

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* The same chance each time. */
static void shuffle(void **array, unsigned int nr)
{
	uint64_t state = 88172645463325252ULL;
	unsigned int i, j;
	void *swap;

	for (i = nr; i > 1; i--) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		j = (unsigned int)(state % i);
		swap = array[i - 1];
		array[i - 1] = array[j];
		array[j] = swap;
	}
}

static void service_start(void)
{
	const struct obs_segment_options segment = {
		.max_series = 1100, .value_pages = 4, .log_rings = 1, .log_bytes = 4096,
	};
	char path[64];
	const struct obs_service_options options = { .device = path };
	int fd = obs_segment_create_memfd(&segment);

	must(fd >= 0, "no segment");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	must(!obs_service_attach_with("bench", &options, &service), "no service");
}

/* ---- Labels -------------------------------------------------------------- */

static struct obs_family_spec labelled(unsigned int nr, char *name, size_t size)
{
	snprintf(name, size, "bench_labelled%u_total", nr);
	return (struct obs_family_spec){ .name = name, .nr_labels = nr, .label = labels };
}

static double add(unsigned int nr, unsigned int updates)
{
	char name[32];
	const struct obs_family_spec spec = labelled(nr, name, sizeof(name));
	struct obs_counter *counter;
	uint64_t begun;
	unsigned int n;

	must(!obs_counter_new(service, &spec, values, &counter), "no series");
	begun = clock_ns();
	for (n = 0; n < updates; n++)
		obs_counter_add(counter, 1);
	return (double)(clock_ns() - begun) / updates;
}

static double find(unsigned int nr, unsigned int updates)
{
	char name[32];
	const struct obs_family_spec spec = labelled(nr, name, sizeof(name));
	struct obs_counter *counter;
	uint64_t begun;
	unsigned int n;

	begun = clock_ns();
	for (n = 0; n < updates; n++) {
		if (obs_counter_new(service, &spec, values, &counter))
			abort();
		obs_counter_add(counter, 1);
	}
	return (double)(clock_ns() - begun) / updates;
}

/* ---- Series -------------------------------------------------------------- */

static void counters_need(unsigned int nr)
{
	const struct obs_family_spec spec = { .name = "bench_series_total", .nr_labels = 1,
					      .label = labels };
	char number[16];

	must(nr <= SERIES_MAX, "too many series");
	counters = reallocarray(counters, nr, sizeof(*counters));
	must(counters || !nr, "out of memory");
	for (; nr_counters < nr; nr_counters++) {
		if (nr_counters % SEGMENT_SERIES == 0)
			service_start();
		snprintf(number, sizeof(number), "%u", nr_counters % SEGMENT_SERIES);
		must(!obs_counter_new(service, &spec, (const char *const[]){ number },
				      &counters[nr_counters]), "no room for so many series");
	}
}

static double series(unsigned int nr, unsigned int updates)
{
	uint64_t begun;
	unsigned int n, i;

	if (nr_counters != nr) {
		counters_need(nr);
		shuffle((void **)counters, nr);
	}
	begun = clock_ns();
	for (n = 0, i = 0; n < updates; n++) {
		obs_counter_add(counters[i], 1);
		i = i + 1 < nr ? i + 1 : 0;
	}
	return (double)(clock_ns() - begun) / updates;
}

static void words_need(unsigned int nr)
{
	static atomic_ulong *memory;
	unsigned int i;

	free(memory);
	memory = calloc(nr, sizeof(*memory));
	words = reallocarray(words, nr, sizeof(void *));
	must(memory && words, "out of memory");
	for (i = 0; i < nr; i++)
		words[i] = &memory[i];
	nr_words = nr;
}

static double atomic_words(unsigned int nr, unsigned int updates)
{
	uint64_t begun;
	unsigned int n, i;

	if (nr_words != nr) {
		words_need(nr);
		shuffle((void **)words, nr);
	}
	begun = clock_ns();
	for (n = 0, i = 0; n < updates; n++) {
		atomic_fetch_add_explicit(words[i], 1, memory_order_relaxed);
		i = i + 1 < nr ? i + 1 : 0;
	}
	return (double)(clock_ns() - begun) / updates;
}

/* ---- Answers ------------------------------------------------------------- */

static const struct {
	const char *name;
	double (*ns)(unsigned int nr, unsigned int updates);
} ways[] = {
	{ "add", add }, { "find", find }, { "series", series }, { "words", atomic_words },
};

int main(void)
{
	unsigned int nr, updates, i;
	char name[16];

	service_start();
	while (scanf("%15s %u %u", name, &nr, &updates) == 3) {
		for (i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
			if (!strcmp(ways[i].name, name))
				break;
		must(i < sizeof(ways) / sizeof(ways[0]) && updates, "no such way");
		printf("%.3f\n", ways[i].ns(nr, updates));
		fflush(stdout);
	}
	return 0;
}
