// SPDX-License-Identifier: GPL-2.0-only
/* sched_process_exit with the task alone */
#include <trace/events/sched.h>

static void probe(void *data, struct task_struct *p)
{
}

static void __maybe_unused check(void)
{
	check_trace_callback_type_sched_process_exit(probe);
}
