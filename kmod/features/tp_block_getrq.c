// SPDX-License-Identifier: GPL-2.0-only
/* block_getrq with the bio alone (5.11) */
#include <linux/blkdev.h>
#include <trace/events/block.h>

static void probe(void *data, struct bio *bio)
{
}

static void __maybe_unused check(void)
{
	check_trace_callback_type_block_getrq(probe);
}
