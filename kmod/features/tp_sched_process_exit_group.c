// SPDX-License-Identifier: GPL-2.0-only
/* sched_process_exit that tells the last of a group (6.16) */
#include <trace/events/sched.h>

static void probe(void *data, struct task_struct *p, bool group_dead)
{
}

static void __maybe_unused check(void)
{
	check_trace_callback_type_sched_process_exit(probe);
}
