// SPDX-License-Identifier: GPL-2.0-only
/* console: text and length */
#include <trace/events/printk.h>

static void probe(void *data, const char *text, size_t len)
{
}

static void __maybe_unused check(void)
{
	check_trace_callback_type_console(probe);
}
