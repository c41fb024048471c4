/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a family must be: its description checked, copied, and its sample names
 * claimed. metric.c gives it its place and its series.
 */
#ifndef OBSRING_FAMILY_H
#define OBSRING_FAMILY_H

#include "metric.h"

/*
 * A family that is not in the directory yet: -EINVAL for a malformed
 * description, -EEXIST if a sample name of it is taken, -ENOMEM.
 */
struct obs_family *obs_family_make(const struct obs_family_desc *desc,
				   struct module *owner, u32 flags,
				   struct netlink_ext_ack *extack);
void obs_family_destroy(struct obs_family *family);

/* Let others have its names; obs_family_destroy() does it as well. */
void obs_family_unclaim(struct obs_family *family);

/* metric.c: give back what a family holds in the directory, and destroy it. */
void obs_family_release(struct obs_family *family);

#endif /* OBSRING_FAMILY_H */
