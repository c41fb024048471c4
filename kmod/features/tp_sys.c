// SPDX-License-Identifier: GPL-2.0-only
/* sys_enter and sys_exit: registers and a number */
#include <trace/events/syscalls.h>

static void probe(void *data, struct pt_regs *regs, long nr)
{
}

static void __maybe_unused check(void)
{
	check_trace_callback_type_sys_enter(probe);
	check_trace_callback_type_sys_exit(probe);
}
