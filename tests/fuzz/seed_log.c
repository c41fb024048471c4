// SPDX-License-Identifier: MIT
/*
 * A valid image to begin with, and changes behind it; to standard output. The
 * argument is how often the rings are filled, and what is read: see fuzz_log.c.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../unit/segment.h"
#include "image.h"

#define CHANGES	64

static void fill(struct segment *s, unsigned int nr)
{
	static const struct obsring_trace trace = { .trace_id = { 1 }, .span_id = { 2 } };
	unsigned int i;

	for (i = 0; i < nr; i++) {
		segment_log(s, &(struct segment_record){ .time_ns = i, .level = i % 8,
			.source = "disk", .message = "failed", .comm = "swapper",
			.fields = "dev\0sda", .fields_len = 8 });
		segment_log(s, &(struct segment_record){ .time_ns = i, .level = 4,
			.origin = OBSRING_ORIGIN_USER, .source = "shop", .trace = &trace,
			.message = "a message that is as long as three lines of the ring, "
				   "so that a record has some in the middle, and then "
				   "some more" });
	}
}

int main(int argc, char **argv)
{
	struct segment *s = segment_new(&(struct segment_spec){ .nr_cpus = 1,
		.max_families = 1, .max_series = 1, .max_pages = 1, .max_exemplars = 1,
		.journal_nr = 2,
		.ring_lines = 64, .ring_lines_max = 64 });
	char changes[CHANGES] = { 0 };

	if (argc != 3)
		return 2;
	if (segment_bytes(s) != LOG_IMAGE_BYTES) {
		fprintf(stderr, "seed_log: the image has %llu bytes, not %d\n",
			(unsigned long long)segment_bytes(s), LOG_IMAGE_BYTES);
		return 1;
	}
	fill(s, (unsigned int)atoi(argv[1]));
	changes[CHANGES - 1] = (char)atoi(argv[2]);
	fwrite(segment_header(s), 1, segment_bytes(s), stdout);
	fwrite(changes, 1, CHANGES, stdout);
	segment_free(s);
	return 0;
}
