// SPDX-License-Identifier: MIT
/* A valid image to begin with, and changes behind it; to standard output. */
#include <stdio.h>
#include <sys/mman.h>

#include <obsring/exemplar.h>

#include "../unit/segment.h"
#include "image.h"

static void exemplar_put(struct obsring_exemplar *slot, uint64_t value)
{
	obs_exemplar_put(slot, obs_exemplar_look(slot), value, 1700000000000000000ULL,
			 &(struct obsring_trace){ .trace_id = "0123456789abcdef",
						  .span_id = "01234567" });
}

int main(void)
{
	static const uint64_t bounds[] = { 10, 20, 30 };
	struct segment *s = segment_new(&(struct segment_spec){ .nr_cpus = 2,
		.max_families = 5, .max_series = 5, .max_pages = 1, .max_exemplars = 64,
		.journal_nr = 8, .service_pages = 1, .max_shares = 1 });
	static const char *const states[] = { "off", "on" };
	static const char padding[IMAGE_BYTES + 64];
	size_t bytes = segment_bytes(s);

	if (bytes > IMAGE_BYTES) {
		fprintf(stderr, "seed_segment: the image has %zu bytes\n", bytes);
		return 1;
	}
	segment_family_add(s, &(struct obs_family_spec){
		.name = "a_total", .help = "Help\\x\n.", .kind = OBSRING_KIND_COUNTER,
		.nr_labels = 2, .label = (const char *[]){ "x", "y" } });
	segment_family_add(s, &(struct obs_family_spec){
		.name = "explicit", .kind = OBSRING_KIND_HISTOGRAM, .nr_bounds = 3,
		.bound = bounds });
	segment_family_add(s, &(struct obs_family_spec){
		.name = "exponential", .kind = OBSRING_KIND_HISTOGRAM, .exp10 = -9,
		.schema = 3, .min_log2 = -20, .max_log2 = 4 });
	segment_family_add(s, &(struct obs_family_spec){
		.name = "b", .kind = OBSRING_KIND_GAUGE });
	segment_family_add(s, &(struct obs_family_spec){
		.name = "b_state", .kind = OBSRING_KIND_STATE, .nr_states = 2,
		.state = states });
	segment_family_exemplars(s, 1);
	segment_family_exemplars(s, 2);
	segment_service_add(s, 3, NULL, 1);
	segment_service_add(s, 4, NULL, 1);
	segment_share_add(s, 1, 0);
	segment_series_add(s, 0, (const char *[]){ "\\x\"\n", "\\" });
	segment_series_add(s, 1, NULL);
	segment_series_add(s, 2, NULL);
	exemplar_put(segment_exemplar(s, 3, 2), 30);
	exemplar_put(segment_exemplar(s, 4, 1), 1000);
	fwrite(segment_header(s), 1, bytes, stdout);
	fwrite(padding, 1, sizeof(padding) - bytes, stdout);
	segment_free(s);
	return 0;
}
