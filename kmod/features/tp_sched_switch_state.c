// SPDX-License-Identifier: GPL-2.0-only
/* sched_switch with the state that was left (5.18) */
#include <trace/events/sched.h>

static void probe(void *data, bool preempt, struct task_struct *prev,
		  struct task_struct *next, unsigned int prev_state)
{
}

static void __maybe_unused check(void)
{
	check_trace_callback_type_sched_switch(probe);
}
