/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between kernels, 5.15 to today, and only that. OBS_HAVE_* come
 * from features/NAME.c, which scripts/kernel-features compiled against the
 * headers in use. Tracepoints whose prototypes differ are told apart where they
 * are probed.
 */
#ifndef OBSRING_COMPAT_H
#define OBSRING_COMPAT_H

#include <linux/blkdev.h>
#include <linux/blk-mq.h>
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <net/genetlink.h>

#include "features.h"

#ifndef OBS_HAVE_vm_flags_set
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}
#endif

/* The disk that a request goes to, or NULL: an admin queue has none. */
static inline struct gendisk *obs_request_disk(struct request *rq)
{
#ifdef OBS_HAVE_queue_disk
	return rq->q->disk;
#else
	return rq->rq_disk;
#endif
}

static inline void
obs_hrtimer_setup(struct hrtimer *timer,
		  enum hrtimer_restart (*function)(struct hrtimer *),
		  clockid_t clock, enum hrtimer_mode mode)
{
#ifdef OBS_HAVE_hrtimer_setup
	hrtimer_setup(timer, function, clock, mode);
#else
	hrtimer_init(timer, clock, mode);
	timer->function = function;
#endif
}

/* The attributes of the request that started a dump. */
static inline struct nlattr **obs_dump_attrs(struct netlink_callback *cb)
{
#ifdef OBS_HAVE_genl_info_dump
	return genl_info_dump(cb)->attrs;
#else
	return genl_dumpit_info(cb)->attrs;
#endif
}

/*
 * Before 6.7 and the stable kernels that got it: the same for a family of the
 * initial network namespace alone.
 */
#ifndef GENL_MCAST_CAP_NET_ADMIN
#define GENL_MCAST_CAP_NET_ADMIN	GENL_UNS_ADMIN_PERM
#endif

/* Kernels that check the type of indirect calls can't call a generic probe. */
#if defined(CONFIG_CFI_CLANG) || defined(CONFIG_CFI)
#define OBS_INDIRECT_CALLS_TYPED	1
#endif

#endif /* OBSRING_COMPAT_H */
