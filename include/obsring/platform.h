/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The only file of include/obsring/ that knows whether it is compiled for the
 * kernel: integer types, and each atomic access named by its order.
 *
 *   obs_read_once      relaxed load of an aligned word, not torn, not repeated
 *   obs_write_once     relaxed store, likewise
 *   obs_load_acquire   what follows it is not done before it
 *   obs_store_release  what stands before it is done before it
 *   obs_rmb            loads before it are done before loads behind it
 *   obs_wmb            stores before it are done before stores behind it
 *   obs_try_cmpxchg_acquire
 *                      if *p is *old, make it new: true, and what follows is not
 *                      done before it; else *old is what was there: false
 */
#ifndef _OBSRING_PLATFORM_H
#define _OBSRING_PLATFORM_H

#ifdef __KERNEL__

#include <asm/barrier.h>
#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/types.h>

#define obs_read_once(p)	READ_ONCE(*(p))
#define obs_write_once(p, v)	WRITE_ONCE(*(p), (v))
/* The partner of each of these is named where it is used. */
#define obs_load_acquire(p)	smp_load_acquire(p)
/* See above. */
#define obs_store_release(p, v)	smp_store_release((p), (v))
/* See above. */
#define obs_rmb()		smp_rmb()
/* See above. */
#define obs_wmb()		smp_wmb()
#define obs_try_cmpxchg_acquire(p, old, new) \
	try_cmpxchg_acquire((p), (old), (new))

#else

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#define obs_read_once(p)	__atomic_load_n((p), __ATOMIC_RELAXED)
#define obs_write_once(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELAXED)
#define obs_load_acquire(p)	__atomic_load_n((p), __ATOMIC_ACQUIRE)
#define obs_store_release(p, v)	__atomic_store_n((p), (v), __ATOMIC_RELEASE)
#define obs_rmb()		__atomic_thread_fence(__ATOMIC_ACQUIRE)
#define obs_wmb()		__atomic_thread_fence(__ATOMIC_RELEASE)
#define obs_try_cmpxchg_acquire(p, old, new) \
	__atomic_compare_exchange_n((p), (old), (new), false, \
				    __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)

#endif /* __KERNEL__ */

#endif /* _OBSRING_PLATFORM_H */
