// SPDX-License-Identifier: GPL-2.0-only
/* direct reclaim ends, with its cgroup (7.1) */
#include <trace/events/vmscan.h>

static void probe(void *data, unsigned long nr_reclaimed, struct mem_cgroup *memcg)
{
}

static void __maybe_unused check(void)
{
	check_trace_callback_type_mm_vmscan_direct_reclaim_end(probe);
}
