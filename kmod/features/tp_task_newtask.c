// SPDX-License-Identifier: GPL-2.0-only
/* task_newtask; its flags grew to u64 later */
#include <linux/sched.h>
#include <trace/events/task.h>

static void probe(void *data, struct task_struct *task, unsigned long clone_flags)
{
}

static void __maybe_unused check(void)
{
	check_trace_callback_type_task_newtask(probe);
}
