/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The only file of include/obsring/ that knows whether it is compiled for the
 * kernel: integer types, and each atomic access named by its order.
 *
 *   obs_read_once      relaxed load of an aligned word, not torn, not repeated
 *   obs_write_once     relaxed store, likewise
 *   obs_write_pair     two words at @to, that are behind each other at @from: each is
 *                      stored as by obs_write_once, or both at once
 *   obs_load_acquire   what follows it is not done before it
 *   obs_store_release  what stands before it is done before it
 *   obs_rmb            loads before it are done before loads behind it
 *   obs_wmb            stores before it are done before stores behind it
 *   obs_try_cmpxchg_acquire
 *                      if *p is *old, make it new: true, and what follows is not
 *                      done before it; else *old is what was there: false
 *   obs_try_cmpxchg_local
 *                      the same without any order, against this CPU alone (its
 *                      interrupts, a thread's signals): others may read, none writes
 *   obs_add_local      *p += v, without any order and against this CPU alone
 *   obs_add_return_local
 *                      likewise, and what *p is now
 *   obs_dec_negative_local
 *                      likewise --*p, and whether it is below 0 now
 *   obs_try_cmpxchg, obs_try_cmpxchg_release
 *                      as obs_try_cmpxchg_acquire, without any order; with what
 *                      stands before it done before
 *   obs_xchg_acquire   what *p was, v being there now; what follows is not done before
 *   obs_mul_high       upper 64 bits of a product (no atomic)
 *   obs_mul_fold       the same, exclusive or the lower 64
 *   obs_barrier        nothing moves across it in the order that this CPU sees
 *   obs_likely         the branch that is to be straight
 *   obs_outline        a function that stays out of its callers: rarely called
 *
 * and reading what a process may be writing, in that process' context, without
 * ever waiting for a page:
 *
 *   obs_user_begin     may @n bytes at @p be asked for? Then, up to obs_user_end,
 *   obs_user_load      relaxed load of an aligned word; false: it is not there
 */
#ifndef _OBSRING_PLATFORM_H
#define _OBSRING_PLATFORM_H

#ifdef __KERNEL__

#include <asm/barrier.h>
#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/math64.h>
#include <linux/types.h>
#include <linux/uaccess.h>

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
#define obs_try_cmpxchg_release(p, old, new) \
	try_cmpxchg_release((p), (old), (new))
#define obs_try_cmpxchg(p, old, new) \
	try_cmpxchg_relaxed((p), (old), (new))
#define obs_xchg_acquire(p, v)	xchg_acquire((p), (v))
#define obs_barrier()		barrier()
#define obs_likely(x)		likely(x)
#define obs_outline		noinline __maybe_unused
#define obs_mul_high(a, b)	mul_u64_u64_shr((a), (b), 64)
#define obs_mul_fold(a, b)	(mul_u64_u64_shr((a), (b), 64) ^ (a) * (b))

#ifdef CONFIG_X86_64
#include <asm/local.h>

/* One instruction without a lock prefix. */
static __always_inline void obs_add_local(u64 *p, u64 v)
{
	local_add(v, (local_t *)p);
}

static __always_inline u64 obs_add_return_local(u64 *p, u64 v)
{
	return local_add_return(v, (local_t *)p);
}

static __always_inline bool obs_dec_negative_local(u64 *p)
{
	return local_add_negative(-1, (local_t *)p);
}
#else
/* Elsewhere local_t is not safe against an NMI, or an ordered atomic_long_t. */
static __always_inline void obs_add_local(u64 *p, u64 v)
{
	atomic64_add(v, (atomic64_t *)p);
}

static __always_inline u64 obs_add_return_local(u64 *p, u64 v)
{
	return atomic64_add_return_relaxed(v, (atomic64_t *)p);
}

static __always_inline bool obs_dec_negative_local(u64 *p)
{
	return atomic64_dec_return_relaxed((atomic64_t *)p) < 0;
}
#endif

static __always_inline void obs_write_pair(u64 *to, const u64 *from)
{
	WRITE_ONCE(to[0], from[0]);
	WRITE_ONCE(to[1], from[1]);
}

static __always_inline bool obs_try_cmpxchg_local(u64 *p, u64 *old, u64 new)
{
	u64 was = *old, is = cmpxchg64_local(p, was, new);

	*old = is;
	return is == was;
}

static __always_inline bool obs_user_begin(const void __user *p, size_t n)
{
	pagefault_disable();
	if (user_read_access_begin(p, n))
		return true;
	pagefault_enable();
	return false;
}

static __always_inline void obs_user_end(void)
{
	user_read_access_end();
	pagefault_enable();
}

static __always_inline bool obs_user_load(u64 *v, const u64 __user *p)
{
	unsafe_get_user(*v, p, fault);
	return true;
fault:
	return false;
}

#else

#include <stdbool.h>
#include <stddef.h>
#include <sys/cdefs.h>
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
#define obs_try_cmpxchg_release(p, old, new) \
	__atomic_compare_exchange_n((p), (old), (new), false, \
				    __ATOMIC_RELEASE, __ATOMIC_RELAXED)
#define obs_try_cmpxchg(p, old, new) \
	__atomic_compare_exchange_n((p), (old), (new), false, \
				    __ATOMIC_RELAXED, __ATOMIC_RELAXED)
#define obs_xchg_acquire(p, v)	__atomic_exchange_n((p), (v), __ATOMIC_ACQUIRE)
#define obs_barrier()		__atomic_signal_fence(__ATOMIC_SEQ_CST)
#define obs_likely(x)		__builtin_expect(!!(x), 1)
#define obs_outline		__attribute_noinline__ __attribute_maybe_unused__

#if defined(__SSE2__) && !defined(__SANITIZE_THREAD__)
#include <emmintrin.h>

static inline void obs_write_pair(__u64 *to, const __u64 *from)
{
	const __m128i pair = _mm_loadu_si128((const __m128i *)from);

	__asm__ volatile("movups %1, %0" : "=m" (*(__m128i *)to) : "x" (pair));
}
#else
static inline void obs_write_pair(__u64 *to, const __u64 *from)
{
	obs_write_once(&to[0], from[0]);
	obs_write_once(&to[1], from[1]);
}
#endif

/* A locked instruction costs many times more. ThreadSanitizer sees no assembly. */
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
static inline bool obs_try_cmpxchg_local(__u64 *p, __u64 *old, __u64 value)
{
	bool done;

	__asm__ volatile("cmpxchgq %3, %1"
			 : "=@cce" (done), "+m" (*p), "+a" (*old)
			 : "r" (value)
			 : "memory");
	return done;
}

static inline void obs_add_local(__u64 *p, __u64 v)
{
	__asm__ volatile("addq %1, %0" : "+m" (*p) : "er" (v) : "memory", "cc");
}

static inline __u64 obs_add_return_local(__u64 *p, __u64 v)
{
	__u64 was = v;

	__asm__ volatile("xaddq %1, %0" : "+m" (*p), "+r" (was) : : "memory", "cc");
	return was + v;
}

static inline bool obs_dec_negative_local(__u64 *p)
{
	bool negative;

	__asm__ volatile("decq %1" : "=@ccs" (negative), "+m" (*p) : : "memory");
	return negative;
}
#else
static inline bool obs_try_cmpxchg_local(__u64 *p, __u64 *old, __u64 value)
{
	return __atomic_compare_exchange_n(p, old, value, false,
					   __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static inline void obs_add_local(__u64 *p, __u64 v)
{
	__atomic_fetch_add(p, v, __ATOMIC_RELAXED);
}

static inline __u64 obs_add_return_local(__u64 *p, __u64 v)
{
	return __atomic_add_fetch(p, v, __ATOMIC_RELAXED);
}

static inline bool obs_dec_negative_local(__u64 *p)
{
	return (__s64)__atomic_sub_fetch(p, 1, __ATOMIC_RELAXED) < 0;
}
#endif

static inline __u64 obs_mul_high(__u64 a, __u64 b)
{
	return (__uint128_t)a * b >> 64;
}

static inline __u64 obs_mul_fold(__u64 a, __u64 b)
{
	__uint128_t product = (__uint128_t)a * b;

	return (__u64)(product >> 64) ^ (__u64)product;
}

#ifndef __user
#define __user
#endif

static inline bool obs_user_begin(const void *p, size_t n)
{
	(void)n;
	return p;
}

static inline void obs_user_end(void)
{
}

static inline bool obs_user_load(__u64 *v, const __u64 *p)
{
	*v = obs_read_once(p);
	return true;
}

#endif /* __KERNEL__ */

#endif /* _OBSRING_PLATFORM_H */
