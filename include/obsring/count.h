/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * obs_counter_add() within its caller, as <obsring.h> has it where the compiler
 * optimises: to call the library takes twice as long as to add. It tries once. What is
 * left is the library's function: no handle, a thread that was moved or interrupted
 * meanwhile, no sequence, no row.
 *
 * Behind it no descriptor of the caller's is left for the kernel to look at: its own is
 * taken back, or the library's takes its place. So a plug-in that counts may be unloaded.
 *
 * A handle begins with struct obs_rows, and that is part of the library's ABI. A program
 * that was compiled without this (-O0, OBSRING_NO_INLINE, another language) calls the
 * function, and so does who takes its address.
 */
#ifndef _OBSRING_COUNT_H
#define _OBSRING_COUNT_H

#include <stdint.h>

#include "rseq.h"

#ifdef __cplusplus
extern "C" {
#endif

struct obs_counter;

void obs_counter_add(struct obs_counter *counter, uint64_t n);

static inline void obs_counter_add_here(struct obs_counter *counter, uint64_t n)
{
	const struct obs_rows *rows = (const struct obs_rows *)counter;
	struct rseq *area = obs_rseq_area();

	if (__builtin_expect(rows && obs_rseq_registered() &&
			     obs_rseq_try_add(area, rows, 0, n) == OBS_RSEQ_DONE, 1))
		obs_rseq_disarm(area);
	else
		obs_counter_add(counter, n);
}

/* A macro, as of the C library's functions: the function remains, and has its name. */
#define obs_counter_add(counter, n)	obs_counter_add_here(counter, n)

#ifdef __cplusplus
}
#endif

#endif /* _OBSRING_COUNT_H */
