// SPDX-License-Identifier: GPL-2.0-only
/* sched_wakeup; sched_wakeup_new is of the same class */
#include <trace/events/sched.h>

static void probe(void *data, struct task_struct *p)
{
}

static void __maybe_unused check(void)
{
	check_trace_callback_type_sched_wakeup(probe);
}
