/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The log's rings: one per possible CPU and origin, so that no process can evict
 * a record of the kernel's. The protocol is include/obsring/ring.h. Their control
 * blocks are pages of the store, their lines pages of their own, of which the
 * store tells who maps them; logresize.c gives a ring others.
 */
#ifndef OBSRING_LOGRING_H
#define OBSRING_LOGRING_H

#include <linux/sizes.h>

#include <obsring/record.h>

#define OBS_ORIGINS	(OBSRING_ORIGIN_MAX + 1)

/* Bytes of a ring: a power of two. */
#define OBS_LOGRING_MIN	SZ_4K
#define OBS_LOGRING_MAX	SZ_64M

bool obs_logring_size_valid(u64 bytes);

/**
 * struct obs_logring_put - what came of storing a record
 * @overwritten: records that ended by it
 * @filled: bytes of the ring that were used for the first time
 */
struct obs_logring_put {
	u32 overwritten;
	u32 filled;
};

/**
 * obs_logring_put() - append a record to this CPU's ring of @origin
 * @origin: enum obsring_origin
 * @record: complete; behind its size zero up to a whole word
 * @ret: valid if it was stored
 *
 * Context: any, NMI included; preemption is off. Return: false: lost.
 */
bool obs_logring_put(enum obsring_origin origin,
		     const union obs_record_buffer *record,
		     struct obs_logring_put *ret);

/* Rings are numbered; some have no CPU. Any context. */
static inline unsigned int obs_logring_nr(void)
{
	return nr_cpu_ids * OBS_ORIGINS;
}

/*
 * View of ring @index, good for one section of rcu_read_lock(); false: no such
 * CPU.
 */
bool obs_logring_view(unsigned int index, struct obs_ring_view *ret);

/**
 * struct obs_logring_state - a ring as it is now
 * @bytes: its size
 * @filled: of these, used since load or since it has this size
 * @records: stored in it since load
 */
struct obs_logring_state {
	u64 bytes;
	u64 filled;
	u64 records;
};

/* False: no such CPU. Process context. */
bool obs_logring_state(unsigned int index, struct obs_logring_state *ret);

/* Bytes of the rings, all CPUs. */
u64 obs_logring_bytes(void);

/* Bytes of a ring of @origin. */
u64 obs_logring_size(enum obsring_origin origin);

/* ---- For logresize.c, one at a time -------------------------------------- */

/* Lines for a ring of @cpu, empty; NULL: no memory. */
struct obsring_line *obs_logring_lines_new(unsigned int cpu, u64 bytes);
void obs_logring_lines_free(struct obsring_line *line);

/*
 * Let all rings of @origin write to @line[cpu] from now on; it receives what they
 * wrote to. Returns how much of that was filled. Readers by mapping wait.
 */
u64 obs_logring_replace(enum obsring_origin origin, struct obsring_line **line,
			u64 bytes);

/* No mapping leads to the old lines: let readers by mapping go on. */
void obs_logring_reopen(enum obsring_origin origin);

/* @bytes: of a CPU's ring, by origin. */
int obs_logring_init(const unsigned long bytes[OBS_ORIGINS]);
void obs_logring_exit(void);

#endif /* OBSRING_LOGRING_H */
