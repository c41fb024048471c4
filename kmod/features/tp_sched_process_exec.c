// SPDX-License-Identifier: GPL-2.0-only
/* sched_process_exec: task, number before, what is executed */
#include <linux/sched.h>
#include <trace/events/sched.h>

static void probe(void *data, struct task_struct *task, pid_t old_pid,
		  struct linux_binprm *bprm)
{
}

static void __maybe_unused check(void)
{
	check_trace_callback_type_sched_process_exec(probe);
}
