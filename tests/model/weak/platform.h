/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * In place of include/obsring/platform.h: the same names, whose accesses go to the
 * memory of weak.h. ../mutations puts it beside copies of the other headers.
 */
#ifndef _OBSRING_PLATFORM_H
#define _OBSRING_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>

#include "weak.h"

#define WEAK_LOAD(p, order) \
	((__typeof__(*(p)))weak_load((const void *)(p), sizeof(*(p)), order))
#define WEAK_STORE(p, v, order) \
	weak_store((void *)(p), sizeof(*(p)), (uintptr_t)(v), order)
#define WEAK_CMPXCHG(p, old, value, order) \
	weak_cmpxchg((void *)(p), sizeof(*(p)), (old), (uintptr_t)(value), order)

#define obs_read_once(p)		WEAK_LOAD(p, WEAK_RELAXED)
#define obs_write_once(p, v)		WEAK_STORE(p, v, WEAK_RELAXED)
#define obs_write_pair(to, from) \
	(obs_write_once(&(to)[0], (from)[0]), obs_write_once(&(to)[1], (from)[1]))
#define obs_load_acquire(p)		WEAK_LOAD(p, WEAK_ACQUIRE)
#define obs_store_release(p, v)		WEAK_STORE(p, v, WEAK_RELEASE)
#define obs_rmb()			weak_fence(WEAK_ACQUIRE)
#define obs_wmb()			weak_fence(WEAK_RELEASE)
#define obs_barrier()			weak_fence(WEAK_COMPILER)
#define obs_try_cmpxchg(p, o, n)	WEAK_CMPXCHG(p, o, n, WEAK_RELAXED)
#define obs_try_cmpxchg_acquire(p, o, n) WEAK_CMPXCHG(p, o, n, WEAK_ACQUIRE)
#define obs_try_cmpxchg_release(p, o, n) WEAK_CMPXCHG(p, o, n, WEAK_RELEASE)
#define obs_try_cmpxchg_local(p, o, n)	WEAK_CMPXCHG(p, o, n, WEAK_RELAXED)
#define obs_add_return_local(p, v)	weak_add((p), (v))
#define obs_add_local(p, v)		((void)weak_add((p), (v)))
#define obs_dec_negative_local(p)	((__s64)weak_add((p), -1ULL) < 0)

#define obs_likely(x)			(x)
#define obs_outline			__attribute__((noinline, unused))
#define __user

static inline __u64 obs_mul_high(__u64 a, __u64 b)
{
	return (__uint128_t)a * b >> 64;
}

static inline __u64 obs_mul_fold(__u64 a, __u64 b)
{
	__uint128_t product = (__uint128_t)a * b;

	return (__u64)(product >> 64) ^ (__u64)product;
}

#define obs_user_begin(p, n)		((void)(n), (p) != NULL)
#define obs_user_end()			((void)0)
#define obs_user_load(v, p)		(*(v) = obs_read_once(p), true)

#endif /* _OBSRING_PLATFORM_H */
