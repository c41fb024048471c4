/* SPDX-License-Identifier: MIT */
/* What the kernel's own memory says. */
#ifndef SELFTEST_KERNEL_H
#define SELFTEST_KERNEL_H

/*
 * Is the static key of a tracepoint on, that is, does anybody hook it? 1 or 0;
 * -ENOENT without /proc/kcore or the symbol.
 */
int kernel_tracepoint_on(const char *name);

/*
 * Wait until what CPUs do with preemption or interrupts off, or in an interrupt, is done,
 * a context switch or the end of a request for example: 0 or -errno. So what the kernel
 * has counted is counted by a source as well.
 */
int kernel_settle(void);

#endif /* SELFTEST_KERNEL_H */
