// SPDX-License-Identifier: GPL-2.0-only
/* task_newtask with 64-bit flags (6.18) */
#include <linux/sched.h>
#include <trace/events/task.h>

static void probe(void *data, struct task_struct *task, u64 clone_flags)
{
}

static void __maybe_unused check(void)
{
	check_trace_callback_type_task_newtask(probe);
}
