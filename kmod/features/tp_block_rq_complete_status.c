// SPDX-License-Identifier: GPL-2.0-only
/* block_rq_complete with a blk_status_t (5.16) */
#include <linux/blkdev.h>
#include <trace/events/block.h>

static void probe(void *data, struct request *rq, blk_status_t error,
		  unsigned int nr_bytes)
{
}

static void __maybe_unused check(void)
{
	check_trace_callback_type_block_rq_complete(probe);
}
