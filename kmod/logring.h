/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The log's rings: one per possible CPU and origin, so that no process can evict
 * a record of the kernel's. The protocol is include/obsring/ring.h.
 */
#ifndef OBSRING_LOGRING_H
#define OBSRING_LOGRING_H

#include <obsring/record.h>

#define OBS_ORIGINS	(OBSRING_ORIGIN_MAX + 1)

/**
 * obs_logring_put() - append a record to this CPU's ring of @origin
 * @origin: enum obsring_origin
 * @record: complete; behind its size zero up to a whole word
 * @overwritten: records that ended by it, if it was stored
 *
 * Context: any, NMI included; preemption is off. Return: false: lost.
 */
bool obs_logring_put(enum obsring_origin origin,
		     const union obs_record_buffer *record, u32 *overwritten);

/* Rings are numbered; some have no CPU. Any context. */
static inline unsigned int obs_logring_nr(void)
{
	return nr_cpu_ids * OBS_ORIGINS;
}

/* View of ring @index; false: no such CPU. */
bool obs_logring_view(unsigned int index, struct obs_ring_view *ret);

/* Bytes of the rings, all CPUs. */
u64 obs_logring_bytes(void);

/* @bytes: of a CPU's ring, by origin: 4 KiB to 64 MiB, powers of two. */
int obs_logring_init(const unsigned long bytes[OBS_ORIGINS]);
void obs_logring_exit(void);

#endif /* OBSRING_LOGRING_H */
