// SPDX-License-Identifier: GPL-2.0-only
/* direct reclaim begins: order, then flags */
#include <trace/events/vmscan.h>

static void probe(void *data, int order, gfp_t gfp_flags)
{
}

static void __maybe_unused check(void)
{
	check_trace_callback_type_mm_vmscan_direct_reclaim_begin(probe);
}
