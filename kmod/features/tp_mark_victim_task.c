// SPDX-License-Identifier: GPL-2.0-only
/* mark_victim with task and uid (6.8, and stable kernels) */
#include <linux/sched.h>
#include <trace/events/oom.h>

static void probe(void *data, struct task_struct *task, uid_t uid)
{
}

static void __maybe_unused check(void)
{
	check_trace_callback_type_mark_victim(probe);
}
