/* SPDX-License-Identifier: MIT */
/*
 * A hosted segment as its writers have it: all of it mapped, writable. What is where
 * and who writes it is specified in <obsring/host.h>.
 *
 * A process maps a segment once, and for good: its threads write there at any time.
 *
 * segment.c   mapping, the lock
 * segmake.c   making one
 * segdir.c    entries: published, retired, found, made good
 * segroom.c   what is free
 * segmetric.c families and series of services
 * segmember.c members, shares, sweeping
 * segservice.c services
 * segbackend.c the seam of service.h
 * seglog.c    the log, segsample.c which records are kept
 * segtidy.c   what is done for others; control
 */
#ifndef LIBOBSRING_SEGMENT_H
#define LIBOBSRING_SEGMENT_H

#include <pthread.h>
#include <sys/types.h>

#include <obsring/host.h>
#include <obsring/rseq.h>

#include "device.h"

/**
 * struct obs_segment - a segment that this process writes
 * @next: another one
 * @dev: which file
 * @ino: likewise
 * @fd: holds all locks; -1: it could not be opened anew after fork()
 * @mutex: before the directory's lock
 * @pid: process whose @fd it is
 * @view: layout, checked; of it page_size, nr_cpus and regions hold
 * @base: mapping
 * @bytes: of it
 * @header: in it; likewise the next
 * @host: see above
 * @nr: checked copy of @host's constant fields
 * @tables: places in HOST
 * @self: this process
 * @granule_used: a byte each, scratch of segroom.c under the lock
 * @slot_used: likewise
 * @mine: a byte for each member's entry: is it this process'?
 * @leased: a byte for each ring: is it leased by a thread of this process?
 * @own: rows of the segment's own series; all 0: it could not be made
 */
struct obs_segment {
	struct obs_segment *next;
	dev_t dev;
	ino_t ino;
	int fd;
	pthread_mutex_t mutex;
	pid_t pid;
	struct obs_device view;
	uint8_t *base;
	uint64_t bytes;
	struct obsring_header *header;
	struct obs_host *host;
	struct obs_host nr;
	struct obs_host_tables tables;
	struct obs_host_process self;
	uint8_t *granule_used;
	uint8_t *slot_used;
	uint8_t *mine;
	uint8_t *leased;
	struct obs_rows own[OBS_HOST_OWN_NR];
};

/* ---- segment.c ----------------------------------------------------------- */

/*
 * The segment that @fd is of, open for reading and writing: @fd stays the caller's.
 * -EPROTO: it is none; -EPROTONOSUPPORT: of another version, or C library; -ENOMEM,
 * -EMFILE.
 */
int obs_segment_get(int fd, struct obs_segment **ret_segment);
int obs_segment_open(const char *path, struct obs_segment **ret_segment);

/* The same for once, and for a file that nobody else knows yet. */
int obs_segment_new_private(int fd, struct obs_segment **ret_segment);
void obs_segment_free_private(struct obs_segment *segment);

/* In a child of fork(): a descriptor, and so locks, of its own. */
void obs_segment_forked(struct obs_segment *segment);

/*
 * The directory's lock. What a killed owner left is made good. -EBADF: someone closed
 * the descriptor; -ENOLCK.
 */
int obs_segment_lock(struct obs_segment *segment);
void obs_segment_unlock(struct obs_segment *segment);
/* The same if nobody has it: -EBUSY. */
int obs_segment_trylock(struct obs_segment *segment);

/*
 * The lock on a byte in the mapping. False: another process has it, or this one has
 * no descriptor.
 */
bool obs_segment_byte_take(const struct obs_segment *segment, const void *at);
void obs_segment_byte_release(const struct obs_segment *segment, const void *at);

/* Does @process live, which was to hold the lock on @at? Not known: it does. */
bool obs_segment_holds(const struct obs_segment *segment, const void *at,
		       const struct obs_host_process *process);

/* Count in one of the segment's own series. */
void obs_segment_count(struct obs_segment *segment, enum obs_host_own own, uint64_t n);

static inline void *obs_segment_region(const struct obs_segment *segment,
				       enum obsring_region_id id)
{
	return segment->base + segment->view.region[id].offset;
}

static inline struct obsring_family *obs_segment_family(const struct obs_segment *segment,
							uint32_t index)
{
	return (struct obsring_family *)obs_segment_region(segment,
							   OBSRING_REGION_FAMILIES) + index;
}

static inline struct obsring_series *obs_segment_series(const struct obs_segment *segment,
							uint32_t index)
{
	return (struct obsring_series *)obs_segment_region(segment,
							   OBSRING_REGION_SERIES) + index;
}

static inline struct obsring_share *obs_segment_share(const struct obs_segment *segment,
						      uint32_t index)
{
	return (struct obsring_share *)obs_segment_region(segment,
							  OBSRING_REGION_SHARES) + index;
}

static inline uint32_t obs_segment_families(const struct obs_segment *segment)
{
	return segment->view.region[OBSRING_REGION_FAMILIES].limit;
}

static inline uint32_t obs_segment_nr_series(const struct obs_segment *segment)
{
	return segment->view.region[OBSRING_REGION_SERIES].limit;
}

static inline uint32_t obs_segment_page_slots(const struct obs_segment *segment)
{
	return segment->view.page_size / (uint32_t)sizeof(__u64);
}

/* Row @cpu of page @page of SERVICES; nr_cpus: everyone's. */
static inline __u64 *obs_segment_row(const struct obs_segment *segment, uint32_t page,
				     uint32_t cpu)
{
	return (__u64 *)((uint8_t *)obs_segment_region(segment, OBSRING_REGION_SERVICES) +
			 obs_row_offset(page, cpu, segment->view.nr_cpus + 1,
					segment->view.page_size));
}

static inline void *obs_segment_table(const struct obs_segment *segment, uint64_t offset)
{
	return (uint8_t *)segment->host + offset;
}

static inline struct obs_host_service *
obs_segment_service(const struct obs_segment *segment, uint32_t index)
{
	return (struct obs_host_service *)obs_segment_table(segment,
							    segment->tables.services) + index;
}

static inline struct obs_host_member *
obs_segment_member(const struct obs_segment *segment, uint32_t index)
{
	return (struct obs_host_member *)obs_segment_table(segment,
							   segment->tables.members) + index;
}

static inline struct obs_host_share *
obs_segment_owner(const struct obs_segment *segment, uint32_t share)
{
	return (struct obs_host_share *)obs_segment_table(segment,
							  segment->tables.shares) + share;
}

static inline struct obs_host_lease *
obs_segment_lease(const struct obs_segment *segment, uint32_t index)
{
	return (struct obs_host_lease *)obs_segment_table(segment,
							  segment->tables.leases) + index;
}

static inline struct obs_host_rule *
obs_segment_rule(const struct obs_segment *segment, uint32_t index)
{
	return (struct obs_host_rule *)obs_segment_table(segment,
							 segment->tables.rules) + index;
}

static inline struct obs_sample_slot *
obs_segment_slot(const struct obs_segment *segment, uint32_t rule, uint32_t lease)
{
	return (struct obs_sample_slot *)obs_segment_table(segment, segment->tables.slots) +
	       (uint64_t)rule * segment->nr.nr_leases + lease;
}

/* segmember.c: those of this process, through a new descriptor. */
void obs_segment_members_relock(struct obs_segment *segment);

/* ---- seglog.c: any thread ---- */

struct obs_logline;

/* Write a line as a record. 0, though it may be lost: that is counted. */
int obs_segment_log(struct obs_segment *segment, const char *text, size_t len);

/* Rings of threads that were killed. */
void obs_segment_mend_rings(struct obs_segment *segment);

/*
 * segsample.c: is a record of user.@source, @source_len bytes, kept? Then its
 * threshold and flags are set. @lease: ring of the calling thread.
 */
bool obs_segment_keep(struct obs_segment *segment, uint32_t lease,
		      struct obs_sample_rng *rng, const struct obs_logline *line,
		      const char *source, uint32_t source_len, struct obsring_record *head);

/* ---- All below under the lock -------------------------------------------- */

/* ---- segdir.c ---- */

/*
 * Make entry @index of FAMILIES, SERIES or SHARES, whose gen is @gen, seen, or gone;
 * it is told.
 */
void obs_segment_publish(struct obs_segment *segment, enum obsring_region_id table,
			 uint32_t index, __u32 *gen);
void obs_segment_retire(struct obs_segment *segment, enum obsring_region_id table,
			uint32_t index, __u32 *gen);

/* Families that have lost their last series. */
void obs_segment_retire_families(struct obs_segment *segment);

/* What a killed owner of the lock left. */
void obs_segment_mend(struct obs_segment *segment);

/* A living entry's text, NULL if that is no place within TEXT. */
const char *obs_segment_text(const struct obs_segment *segment, uint32_t granule,
			     uint32_t len);

/* ---- segroom.c ---- */

/* Look what is used; before anything is taken. */
void obs_segment_room_look(struct obs_segment *segment);

/*
 * Take granules for @len bytes, @nr slots that one page has, zeroed, or an index of
 * @table: -ENOSPC. They are in use once an entry names them; until the next look they
 * are not given twice.
 */
int obs_segment_take_text(struct obs_segment *segment, uint32_t len, uint32_t *ret_granule);
int obs_segment_take_slots(struct obs_segment *segment, uint32_t nr, uint32_t *ret_page,
			   uint32_t *ret_slot);
int obs_segment_take_index(const struct obs_segment *segment,
			   enum obsring_region_id table, uint32_t *ret_index);

/* The same in share pages of service @number: page is the chunk. */
int obs_segment_take_share_slot(const struct obs_segment *segment, uint32_t number,
				uint32_t *ret_chunk, uint32_t *ret_slot);

/* ---- segmetric.c ---- */

/* The series of a service: which, and what made it. */
struct obs_segment_metric {
	uint32_t service;			/* number */
	const char *service_name;		/* NULL: no labels of the service */
	uint32_t uid;
	const struct obs_family_spec *spec;	/* with kind and set */
	const char *const *value;
};

/*
 * Find it, or make it: its index. *@ret_overflow: a limit refused it, and it is the
 * overflow series. Errors as obs_counter_new().
 */
int obs_segment_metric(struct obs_segment *segment, const struct obs_segment_metric *metric,
		       uint32_t *ret_index, bool *ret_overflow);

/* ---- segrule.c ---- */

/* Sampling rules in force have a series each, and others have none. */
void obs_segment_rules_show(struct obs_segment *segment);

/* ---- segmember.c ---- */

/*
 * Join service @number: an entry for this process. -ENOSPC: none is free, or this
 * process has no descriptor.
 */
int obs_segment_join(struct obs_segment *segment, uint32_t number, uint32_t *ret_member);
void obs_segment_leave(struct obs_segment *segment, uint32_t member);

/* Members of the service that live; those that do not are made to leave. */
uint32_t obs_segment_members(struct obs_segment *segment, uint32_t number);

/*
 * Member @member's share of @chunk of service @number, made if need be: an index of
 * SHARES. The common one, if there is no other; -ENOSPC: not even that.
 * OBS_HOST_COMMON as @member asks for it.
 */
int obs_segment_share_get(struct obs_segment *segment, uint32_t number, uint32_t chunk,
			  uint32_t member, uint32_t *ret_share);

/* ---- segservice.c ---- */

/* The service of that user and name, or a new one: its index. -ENOSPC. */
int obs_segment_service_get(struct obs_segment *segment, const char *name, uint32_t uid,
			    uint32_t *ret_index);
/* -ENOENT */
int obs_segment_service_find(struct obs_segment *segment, const char *name, uint32_t uid,
			     uint32_t *ret_index);
/* Count its members, show them, and note when the last one left. */
void obs_segment_service_count(struct obs_segment *segment, uint32_t index);
/* All of its series; it has no members. */
void obs_segment_service_end(struct obs_segment *segment, uint32_t index);

/* Members that are gone, services that are over. */
void obs_segment_sweep(struct obs_segment *segment);

#endif /* LIBOBSRING_SEGMENT_H */
