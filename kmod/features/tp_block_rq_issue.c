// SPDX-License-Identifier: GPL-2.0-only
/* block_rq_issue without the queue (5.11) */
#include <linux/blkdev.h>
#include <trace/events/block.h>

static void probe(void *data, struct request *rq)
{
}

static void __maybe_unused check(void)
{
	check_trace_callback_type_block_rq_issue(probe);
}
