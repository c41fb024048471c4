/* SPDX-License-Identifier: GPL-2.0-only */
/* The device: open, read, write, seek, mmap, poll, ioctl. */
#ifndef OBSRING_CHARDEV_H
#define OBSRING_CHARDEV_H

#include <linux/types.h>

#include <linux/obsring.h>

int obs_chardev_init(void);
void obs_chardev_exit(void);

/* The directory changed: wake who polls. Process context. */
void obs_chardev_changed(void);

/* Ask readers to close, or take it back. Process context. */
void obs_chardev_set_state(enum obsring_state state);

/*
 * Take a part of the mapping space out of all page tables; who touches it asks the
 * store for its pages anew. Process context.
 */
void obs_chardev_unmap(u64 offset, u64 size);

/* Is @fd of the calling process the device, open for reading; for writing? */
bool obs_chardev_fd_reads(int fd);
bool obs_chardev_fd_writes(int fd);

#endif /* OBSRING_CHARDEV_H */
