// SPDX-License-Identifier: MIT
/*
 * make_segment COUNTERS HISTOGRAMS [FIRST [LIST]]: a segment in place of a device, to
 * standard output: as many counters with three labels, in families of 1000, and as many histograms
 * of schema 0 with 12 buckets. Counter i says FIRST + i, and each bucket of histogram i
 * FIRST * 2 + i: who knows FIRST finds their slots, and can count in them. LIST gets a line
 * for each counter, of tabs between: name, help, three label values, and where in the
 * segment its four rows are.
 */
#include <stdio.h>
#include <stdlib.h>

#include "segment.h"

#define FAMILY_SERIES 1000

static FILE *list;

static void list_counter(struct segment *s, uint32_t series, const char *name,
			 const char *const *label)
{
	unsigned int cpu;

	if (!list)
		return;
	fprintf(list, "%s\tRequests answered.\t%s\t%s\t%s", name, label[0], label[1],
		label[2]);
	for (cpu = 0; cpu < 4; cpu++)
		fprintf(list, "\t%td", (char *)segment_slot(s, series, cpu) -
					(char *)segment_header(s));
	fputc('\n', list);
}

static void add_counter(struct segment *s, uint32_t family, const char *name,
			unsigned long i, unsigned long first)
{
	static const char *const method[] = { "GET", "HEAD", "POST", "PUT" };
	static const char *const code[] = { "200", "404", "500" };
	char service[32];
	const char *const label[] = { service, method[i % 4], code[i / 4 % 3] };
	uint32_t series;

	snprintf(service, sizeof(service), "svc%03lu", i % FAMILY_SERIES / 12);
	series = segment_series_add(s, family, label);
	*segment_slot(s, series, i % 4) = first + i;
	list_counter(s, series, name, label);
}

static void add_counters(struct segment *s, unsigned long nr, unsigned long first)
{
	uint32_t family = 0;
	unsigned long i;
	char name[64] = "";

	for (i = 0; i < nr; i++) {
		if (!(i % FAMILY_SERIES)) {
			snprintf(name, sizeof(name), "bench_http_requests%lu_total",
				 i / FAMILY_SERIES);
			family = segment_family_add(s, &(struct obs_family_spec){
				.name = name, .help = "Requests answered.",
				.kind = OBSRING_KIND_COUNTER, .nr_labels = 3,
				.label = (const char *[]){ "service", "method", "code" } });
		}
		add_counter(s, family, name, i, first);
	}
}

static void add_histograms(struct segment *s, unsigned long nr, unsigned long first)
{
	char device[32];
	uint32_t family, series;
	unsigned long i;
	unsigned int b;

	if (!nr)
		return;
	family = segment_family_add(s, &(struct obs_family_spec){
		.name = "bench_latency_seconds", .help = "Latency.", .unit = "seconds",
		.kind = OBSRING_KIND_HISTOGRAM, .exp10 = -9, .schema = 0,
		.min_log2 = -10, .max_log2 = 1, .nr_labels = 1,
		.label = (const char *[]){ "device" } });
	for (i = 0; i < nr; i++) {
		snprintf(device, sizeof(device), "dev%lu", i);
		series = segment_series_add(s, family, (const char *[]){ device });
		for (b = 1; b <= 13; b++)
			segment_slot(s, series, i % 4)[b] = first * 2 + i;
		segment_slot(s, series, i % 4)[0] = first * 2 + i;
	}
}

int main(int argc, char **argv)
{
	unsigned long counters, histograms, first = 0;
	struct segment *s;
	size_t bytes;

	if (argc < 3) {
		fprintf(stderr, "usage: make_segment COUNTERS HISTOGRAMS [FIRST [LIST]]\n");
		return 2;
	}
	counters = strtoul(argv[1], NULL, 0);
	histograms = strtoul(argv[2], NULL, 0);
	if (argc > 3)
		first = strtoul(argv[3], NULL, 0);
	if (argc > 4) {
		list = fopen(argv[4], "w");
		if (!list) {
			perror(argv[4]);
			return 1;
		}
	}
	s = segment_new(&(struct segment_spec){
		.max_families = counters / FAMILY_SERIES + 64,
		.max_series = counters + histograms + 64,
		.max_pages = counters / 256 + histograms / 16 + 64,
		.series_text = OBSRING_GRANULE });	/* as the module packs it */
	add_counters(s, counters, first);
	add_histograms(s, histograms, first);
	bytes = segment_bytes(s);
	if (fwrite(segment_header(s), 1, bytes, stdout) != bytes || fflush(stdout) ||
	    (list && fclose(list)))
		return 1;
	segment_free(s);
	return 0;
}
