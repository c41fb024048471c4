/* SPDX-License-Identifier: GPL-2.0-only */
/* The log's rings get another size, while all write and read. See logresize.c. */
#ifndef OBSRING_LOGRESIZE_H
#define OBSRING_LOGRESIZE_H

#include <linux/types.h>

#include <linux/obsring.h>

struct netlink_ext_ack;

/*
 * Give each CPU's ring of @origin @bytes, a valid size. What readers have not read
 * of it is lost to them, and told. All rings are changed or, -ENOMEM or
 * -ERESTARTSYS, none. Process context.
 */
int obs_log_resize(enum obsring_origin origin, u64 bytes,
		   struct netlink_ext_ack *extack);

#endif /* OBSRING_LOGRESIZE_H */
