/* SPDX-License-Identifier: MIT */
/* What the kernel's own memory says. */
#ifndef SELFTEST_KERNEL_H
#define SELFTEST_KERNEL_H

/*
 * Is the static key of a tracepoint on, that is, does anybody hook it? 1 or 0;
 * -ENOENT without /proc/kcore or the symbol.
 */
int kernel_tracepoint_on(const char *name);

#endif /* SELFTEST_KERNEL_H */
