// SPDX-License-Identifier: GPL-2.0-only
/* mark_victim with the pid alone */
#include <linux/sched.h>
#include <trace/events/oom.h>

static void probe(void *data, int pid)
{
}

static void __maybe_unused check(void)
{
	check_trace_callback_type_mark_victim(probe);
}
