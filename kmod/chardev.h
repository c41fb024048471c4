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
 * Take a region out of all page tables; who touches it asks the store for its
 * pages anew. Process context.
 */
void obs_chardev_unmap(enum obsring_region_id region);

/* Is @fd of the calling process the device, open for reading? */
bool obs_chardev_fd_reads(int fd);

#endif /* OBSRING_CHARDEV_H */
