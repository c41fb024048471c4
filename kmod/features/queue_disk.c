// SPDX-License-Identifier: GPL-2.0-only
/* a request's disk is its queue's (5.15); before that its own (rq_disk) */
#include <linux/blkdev.h>
#include <linux/blk-mq.h>

static struct gendisk * __maybe_unused check(struct request *rq)
{
	return rq->q->disk;
}
