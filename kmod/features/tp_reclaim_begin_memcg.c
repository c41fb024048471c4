// SPDX-License-Identifier: GPL-2.0-only
/* direct reclaim begins: flags, order, cgroup (7.1) */
#include <trace/events/vmscan.h>

static void probe(void *data, gfp_t gfp_flags, int order,
		  struct mem_cgroup *memcg)
{
}

static void __maybe_unused check(void)
{
	check_trace_callback_type_mm_vmscan_direct_reclaim_begin(probe);
}
