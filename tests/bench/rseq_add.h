/* SPDX-License-Identifier: MIT */
/*
 * A counter with a word a processor, added to in a restartable sequence (rseq(2)): the
 * kernel has a thread that it moves or interrupts begin it anew, so that the addition needs
 * no lock prefix. glibc has registered each thread. x86-64 only.
 */
#ifndef BENCH_RSEQ_ADD_H
#define BENCH_RSEQ_ADD_H

#include <stdbool.h>
#include <stdint.h>

#if defined(__x86_64__) && __has_include(<sys/rseq.h>)
#include <sys/rseq.h>

#define RSEQ_CPUS	4096

/* Each in two cache lines of its own: shifted by 7 below. */
struct rseq_word {
	uint64_t value;
} __attribute__((aligned(128)));

static inline bool rseq_ready(void)
{
	return __rseq_size > 0;
}

static inline void rseq_add(struct rseq_word *words, uint64_t n)
{
	struct rseq *rseq = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);

again:
	__asm__ goto volatile(
		".pushsection __rseq_cs, \"aw\"\n"
		".balign 32\n"
		"3: .long 0, 0\n"
		".quad 1f, 2f - 1f, 4f\n"
		".popsection\n"
		"leaq 3b(%%rip), %%rax\n"
		"movq %%rax, %[critical]\n"
		"1: movl %[cpu], %%eax\n"
		"shlq $7, %%rax\n"
		"addq %[n], (%[words], %%rax)\n"
		"2:\n"
		".pushsection __rseq_failure, \"ax\"\n"
		/* The signature, as the operand of an instruction that is never run. */
		".byte 0x0f, 0xb9, 0x3d\n"
		".long %c[signature]\n"
		"4: jmp %l[again]\n"
		".popsection\n"
		:
		: [critical] "m" (rseq->rseq_cs), [cpu] "m" (rseq->cpu_id),
		  [words] "r" (words), [n] "r" (n), [signature] "i" (RSEQ_SIG)
		: "rax", "memory", "cc"
		: again);
}

#define WITH_RSEQ 1
#endif

#endif
