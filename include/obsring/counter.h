/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Value pages: a slot of 64 bits has a row for each CPU, written by that CPU
 * alone (in the kernel: one instruction, this_cpu_add), read by anyone with
 * relaxed loads. A slot's value is the sum of its rows modulo 2^64. No order is
 * needed between rows: each is exact by itself, and a reader that reads a row
 * twice never sees it fall (coherence of one location), so that neither does
 * the sum.
 */
#ifndef _OBSRING_COUNTER_H
#define _OBSRING_COUNTER_H

#include <linux/obsring.h>
#include "platform.h"

/* Byte offset in VALUES of row @cpu of value page @page. */
static inline __u64 obs_row_offset(__u32 page, __u32 cpu, __u32 nr_cpus,
				   __u32 page_size)
{
	return ((__u64)page * nr_cpus + cpu) * page_size;
}

static inline bool obs_cpu_has_row(const __u64 *cpu_mask, __u32 cpu)
{
	return cpu_mask[cpu / 64] >> (cpu % 64) & 1;
}

/* Add @nr slots of one row to @sums; page-wise, so that it vectorises. */
static inline void obs_row_add(__u64 *sums, const __u64 *row, __u32 nr)
{
	__u32 i;

	for (i = 0; i < nr; i++)
		sums[i] += obs_read_once(&row[i]);
}

#endif /* _OBSRING_COUNTER_H */
