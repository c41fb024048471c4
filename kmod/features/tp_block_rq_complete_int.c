// SPDX-License-Identifier: GPL-2.0-only
/* block_rq_complete with an errno (until 5.15) */
#include <linux/blkdev.h>
#include <trace/events/block.h>

static void probe(void *data, struct request *rq, int error, unsigned int nr_bytes)
{
}

static void __maybe_unused check(void)
{
	check_trace_callback_type_block_rq_complete(probe);
}
