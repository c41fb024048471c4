/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Included first by each file of a module that is built for coverage: what the compiler
 * has it call in each block is obsring_cov.c's function, not the kernel's KCOV.
 */
#ifndef OBSRING_TESTS_COV_H
#define OBSRING_TESTS_COV_H

/* Context: any, NMI included. */
void obs_cov_trace_pc(void);

asm(".set __sanitizer_cov_trace_pc, obs_cov_trace_pc");

#endif /* OBSRING_TESTS_COV_H */
