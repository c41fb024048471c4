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
	uint32_t max_exemplars;		/* 512 */
	uint32_t journal_nr;		/* 1024, a power of two */
	uint64_t cpus_absent;		/* bit c: CPU c below 64 has no rows, nor rings */
	uint32_t ring_lines;		/* of each ring; 0: there is no log */
	uint32_t ring_lines_max;	/* that it may be replaced by; 4 * ring_lines */
	uint32_t service_pages;		/* of SERVICES; 0: there are no services */
	uint32_t max_shares;		/* 64 */
	uint32_t series_text;		/* 1024 bytes for the text of each */
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

/*
 * A series of a service, a number above 0: @cpu may be OBSRING_CPU_SHARED, and is of no
 * importance for what has everyone's row alone. An add-type gauge is one of shares.
 */
uint32_t segment_service_add(struct segment *segment, uint32_t family,
			     const char *const *value, uint32_t service);

/* A share of page @chunk, a series' page, of @service; its index. */
uint32_t segment_share_add(struct segment *segment, uint32_t service, uint32_t chunk);
void segment_share_remove(struct segment *segment, uint32_t share);
struct obsring_share *segment_share(struct segment *segment, uint32_t share);

/* What a gauge of shares is in this one. */
uint64_t *segment_share_slot(struct segment *segment, uint32_t share, uint32_t series);

/*
 * Series that are added to this histogram from now on have exemplars; that of a
 * range, for obs_exemplar_put().
 */
void segment_family_exemplars(struct segment *segment, uint32_t family);
struct obsring_exemplar *segment_exemplar(struct segment *segment, uint32_t series,
					  uint32_t range);

/* Tell a change of an entry, as a writer would. */
void segment_tell(struct segment *segment, enum obsring_region_id table,
		  uint32_t index);

/* Begin at another journal position; before the first change. */
void segment_journal_start(struct segment *segment, uint64_t pos);

/* A record for the log; what is 0 is left out. */
struct segment_record {
	uint32_t cpu;
	enum obsring_origin origin;	/* sets OBSRING_RECORD_USER as well */
	uint64_t time_ns;
	uint8_t level;
	uint8_t flags;
	uint32_t pid, uid;
	uint64_t threshold;
	const char *comm;
	const struct obsring_trace *trace;
	const char *source;		/* "test" */
	const char *message;
	const char *fields;		/* key NUL value NUL ... */
	uint32_t fields_len;
};

/* Records that were overwritten by it. */
uint32_t segment_log(struct segment *segment, const struct segment_record *record);

/* Ring 2 * CPU + origin, and its lines, to damage them. */
struct obsring_ring *segment_ring(struct segment *segment, uint32_t index);
struct obsring_line *segment_lines(struct segment *segment, uint32_t index);

/* Replace a ring by an empty one, in two steps: readers see that it is going on. */
void segment_ring_retire(struct segment *segment, uint32_t index, uint32_t nr_lines);
void segment_ring_renew(struct segment *segment, uint32_t index);

/* Let a ring that is empty stand at other counts than those of its birth. */
void segment_ring_start(struct segment *segment, uint32_t index, uint64_t line,
			uint64_t record);

/* Ask readers to close, or take it back. */
void segment_set_state(struct segment *segment, enum obsring_state state);

#endif /* TESTS_SEGMENT_H */
