/* SPDX-License-Identifier: MIT */
/* io_uring without its library: one request, done when the call returns. */
#ifndef SELFTEST_URING_H
#define SELFTEST_URING_H

#include <stddef.h>

/*
 * Read @size bytes at the beginning of @fd, with IOSQE_* @flags: what it read, or
 * -errno; -ENOSYS if this kernel has no io_uring, or lets nobody use it.
 */
int uring_read(int fd, void *buffer, size_t size, unsigned char flags);

#endif /* SELFTEST_URING_H */
