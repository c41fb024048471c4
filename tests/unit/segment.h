/* SPDX-License-Identifier: MIT */
/*
 * A mapping space as the module lays it out, in a memfd: the writer's half of
 * <obsring/directory.h> for tests of the library, obsringctl and obsringd.
 *
 *	struct segment *s = segment_new(NULL);
 *	uint32_t family = segment_family_add(s, &(struct obs_family_spec){
 *		.name = "requests_total", .kind = OBSRING_KIND_COUNTER,
 *		.nr_labels = 1, .label = (const char *[]){ "op" } });
 *	uint32_t series = segment_series_add(s, family, (const char *[]){ "read" });
 *
 *	segment_slot(s, series, 0)[0] = 5;
 *	obs_device_open(segment_path(s), &device);
 *
 * One thread at a time writes; what does not fit aborts the test.
 */
#ifndef TESTS_SEGMENT_H
#define TESTS_SEGMENT_H

#include <stdint.h>

#include <obsring.h>

struct segment;

/* 0 in a field takes the default. */
struct segment_spec {
	uint32_t nr_cpus;		/* 4 */
	uint32_t max_families;		/* 64 */
	uint32_t max_series;		/* 1024 */
	uint32_t max_pages;		/* 64 value pages */
	uint32_t journal_nr;		/* 1024, a power of two */
	uint64_t cpus_absent;		/* bit c: CPU c below 64 has no rows */
};

struct segment *segment_new(const struct segment_spec *spec);
void segment_free(struct segment *segment);

/* A name that this process and its children can open. */
const char *segment_path(const struct segment *segment);
int segment_fd(const struct segment *segment);
uint64_t segment_bytes(const struct segment *segment);

/* Writable, to damage it. */
struct obsring_header *segment_header(struct segment *segment);
struct obsring_family *segment_family(struct segment *segment, uint32_t family);
struct obsring_series *segment_series(struct segment *segment, uint32_t series);
char *segment_text(struct segment *segment, uint32_t granule);
uint64_t *segment_journal(struct segment *segment);

/* Their indices; freed ones are used again, the lowest first. */
uint32_t segment_family_add(struct segment *segment,
			    const struct obs_family_spec *spec);
void segment_family_remove(struct segment *segment, uint32_t family);
uint32_t segment_series_add(struct segment *segment, uint32_t family,
			    const char *const *value);
/* With OBSRING_SERIES_* @flags and a time of creation. */
uint32_t segment_series_add_as(struct segment *segment, uint32_t family,
			       const char *const *value, uint32_t flags,
			       uint64_t created_ns);
void segment_series_remove(struct segment *segment, uint32_t series);

/* The slots of a series in the row of @cpu (row 0 for a set-type gauge). */
uint64_t *segment_slot(struct segment *segment, uint32_t series, uint32_t cpu);

/* Tell a change of an entry, as a writer would. */
void segment_tell(struct segment *segment, enum obsring_region_id table,
		  uint32_t index);

/* Begin at another journal position; before the first change. */
void segment_journal_start(struct segment *segment, uint64_t pos);

/* Ask readers to close, or take it back. */
void segment_set_state(struct segment *segment, enum obsring_state state);

#endif /* TESTS_SEGMENT_H */
