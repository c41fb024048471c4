/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * An exact addition to the calling CPU's row, without a system call or a locked
 * instruction: a restartable sequence (rseq(2), Linux 4.18; registered for each
 * thread by the C library, glibc 2.35). User space only; x86-64 and arm64.
 *
 * Layout. Rows of 64-bit slots, one for each CPU, and one more that all share:
 *
 *      base + c * stride + slot * 8            CPU c's, for c < nr_cpus
 *      shared + slot * 8                       everyone's
 *
 * The value of a slot is the sum over all rows, modulo 2^64.
 *
 * Who writes what. A thread that runs on CPU c adds to row c within a sequence: it
 * reads the CPU's number, and its last instruction is the addition (x86-64) or the
 * store (arm64). Is the thread preempted, migrated or given a signal before that,
 * the kernel makes it go on at the abort label, and nothing was added. So a row is
 * written by one thread at a time, which is on its CPU: an addition is never lost,
 * nor made twice, whatever moves the thread or kills it. Signal handlers may add:
 * they have aborted what they interrupt. Processes that share the rows by fork or
 * mapping count as threads.
 *
 * The shared row is written by atomic additions alone: by threads that have no
 * sequence registered (an old kernel or C library, or seccomp), whose CPU has no row
 * (the rows are a file that came from another machine), and by those whose sequence
 * was aborted OBS_RSEQ_ABORTS times in a row: a debugger that steps through it
 * aborts it each time.
 *
 * Readers, in any process, load each slot relaxed. No order is promised between
 * slots; each one's rows only grow if only positive numbers are added.
 *
 * Not between vfork() and exec: the child runs on its parent's memory, the thread's
 * rseq area included, while the kernel keeps none for it, and would add to the row
 * that its parent was last on.
 *
 * The kernel looks at the descriptor of the last sequence at the next preemption,
 * even when the sequence is over: the memory that holds it must stay as long as the
 * thread lives, or the thread disarms it. The library stays (-z nodelete). Programs and
 * plug-ins that have additions inline disarm (count.h).
 */
#ifndef _OBSRING_RSEQ_H
#define _OBSRING_RSEQ_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>
#include <sys/rseq.h>

/* Aborts in a row after which a thread adds to the shared row. */
#define OBS_RSEQ_ABORTS	16

/**
 * struct obs_rows - rows that this process may write
 * @base: row of CPU 0
 * @stride: bytes from a row to the next
 * @nr_cpus: rows
 * @shared: the row that all share
 */
struct obs_rows {
	__u64 *base;
	__u64 stride;
	__u64 *shared;
	__u32 nr_cpus;
};

enum obs_rseq_result {
	OBS_RSEQ_DONE,		/* added */
	OBS_RSEQ_ABORTED,	/* nothing added: the thread was moved or interrupted */
	OBS_RSEQ_NO_ROW,	/* nothing added: no sequence, or no row of this CPU */
};

/*
 * The thread's area. Its cpu_id is negative, thus too large, while nothing is
 * registered; a C library that registers nothing at all says so by its size.
 */
static inline struct rseq *obs_rseq_area(void)
{
	return (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
}

static inline bool obs_rseq_registered(void)
{
	return __rseq_size != 0;
}

/* The last descriptor is not looked at any more: the kernel's part, where it aborted. */
static inline void obs_rseq_disarm(struct rseq *area)
{
	__atomic_store_n((__u64 *)&area->rseq_cs, 0, __ATOMIC_RELAXED);
}

/*
 * Add @n to the slot @offset bytes into this CPU's row.
 *
 * The descriptor {version, flags, start, length, abort} stands in a section of its
 * own, 32 bytes aligned, which goes where the function goes that is compiled (?: of
 * C++, there may be others of it). Its address is stored into the area to arm the
 * sequence; between start and commit nothing but the registers is written. The abort
 * label stands behind the signature, which the kernel demands.
 */
#if defined(__x86_64__)

static inline enum obs_rseq_result
obs_rseq_try_add(struct rseq *area, const struct obs_rows *rows, __u64 offset, __u64 n)
{
	__asm__ volatile goto(".pushsection __rseq_cs, \"aw?\"\n\t"
		".balign 32\n"
		"3:\n\t"
		".long 0, 0\n\t"
		".quad 1f, 2f - 1f, 4f\n\t"
		".popsection\n\t"
		"leaq 3b(%%rip), %%rax\n\t"
		"movq %%rax, %c[cs](%[area])\n"
		"1:\n\t"
		"movl %c[cpu](%[area]), %%eax\n\t"
		"cmpl %[nr], %%eax\n\t"
		"jae %l[no_row]\n\t"
		"imulq %[stride], %%rax\n\t"
		"addq %[slot], %%rax\n\t"
		"addq %[n], (%%rax)\n"		/* commit */
		"2:\n\t"
		".pushsection __rseq_failure, \"ax?\"\n\t"
		".byte 0x0f, 0xb9, 0x3d\n\t"	/* ud1: never run, seen by debuggers */
		".long %c[sig]\n"
		"4:\n\t"
		"jmp %l[aborted]\n\t"
		".popsection"
		:
		: [area] "r" (area), [nr] "r" (rows->nr_cpus),
		  [stride] "r" (rows->stride), [slot] "r" ((char *)rows->base + offset),
		  [n] "r" (n), [cs] "i" (offsetof(struct rseq, rseq_cs)),
		  [cpu] "i" (offsetof(struct rseq, cpu_id)), [sig] "i" (RSEQ_SIG)
		: "memory", "cc", "rax"
		: aborted, no_row);
	return OBS_RSEQ_DONE;
aborted:
	return OBS_RSEQ_ABORTED;
no_row:
	return OBS_RSEQ_NO_ROW;
}

#elif defined(__aarch64__)

static inline enum obs_rseq_result
obs_rseq_try_add(struct rseq *area, const struct obs_rows *rows, __u64 offset, __u64 n)
{
	__asm__ volatile goto(".pushsection __rseq_cs, \"aw?\"\n\t"
		".balign 32\n"
		"3:\n\t"
		".long 0, 0\n\t"
		".quad 1f, 2f - 1f, 4f\n\t"
		".popsection\n\t"
		"adrp x9, 3b\n\t"
		"add x9, x9, :lo12:3b\n\t"
		"str x9, [%[area], %[cs]]\n"
		"1:\n\t"
		"ldr w9, [%[area], %[cpu]]\n\t"
		"cmp w9, %w[nr]\n\t"
		"b.hs %l[no_row]\n\t"
		"madd x9, x9, %[stride], %[slot]\n\t"
		"ldr x10, [x9]\n\t"
		"add x10, x10, %[n]\n\t"
		"str x10, [x9]\n"		/* commit */
		"2:\n\t"
		"b 5f\n\t"
		".inst %c[sig]\n"		/* brk: never run */
		"4:\n\t"
		"b %l[aborted]\n"
		"5:"
		:
		: [area] "r" (area), [nr] "r" (rows->nr_cpus),
		  [stride] "r" (rows->stride), [slot] "r" ((char *)rows->base + offset),
		  [n] "r" (n), [cs] "i" (offsetof(struct rseq, rseq_cs)),
		  [cpu] "i" (offsetof(struct rseq, cpu_id)), [sig] "i" (RSEQ_SIG)
		: "memory", "cc", "x9", "x10"
		: aborted, no_row);
	return OBS_RSEQ_DONE;
aborted:
	return OBS_RSEQ_ABORTED;
no_row:
	return OBS_RSEQ_NO_ROW;
}

#else
#error "obsring counts in restartable sequences on x86-64 and arm64"
#endif

/* Everyone's row. */
static inline void obs_rows_add_shared(const struct obs_rows *rows, __u32 slot, __u64 n)
{
	__atomic_fetch_add(&rows->shared[slot], n, __ATOMIC_RELAXED);
}

/**
 * obs_rows_add() - add @n to slot @slot, once
 * @rows: rows
 * @slot: below the slots of a row
 * @n: modulo 2^64: a negative number is subtracted
 *
 * Context: any thread, signal handlers included.
 * Return: false: it went to the shared row.
 */
static inline bool obs_rows_add(const struct obs_rows *rows, __u32 slot, __u64 n)
{
	struct rseq *area = obs_rseq_area();
	enum obs_rseq_result result;
	unsigned int tries = 0;

	if (obs_rseq_registered()) {
		do {
			result = obs_rseq_try_add(area, rows, slot * sizeof(__u64), n);
			if (result == OBS_RSEQ_DONE)
				return true;
		} while (result == OBS_RSEQ_ABORTED && ++tries < OBS_RSEQ_ABORTS);
	}
	obs_rows_add_shared(rows, slot, n);
	return false;
}

/* The value of @slot: of all rows, now. */
static inline __u64 obs_rows_sum(const struct obs_rows *rows, __u32 slot)
{
	__u64 sum = __atomic_load_n(&rows->shared[slot], __ATOMIC_RELAXED);
	__u32 cpu;

	for (cpu = 0; cpu < rows->nr_cpus; cpu++)
		sum += __atomic_load_n((__u64 *)((char *)rows->base + cpu * rows->stride) +
				       slot, __ATOMIC_RELAXED);
	return sum;
}

#endif /* _OBSRING_RSEQ_H */
