// SPDX-License-Identifier: GPL-2.0-only
/* mm_compaction_begin and _end before they told the control block (until 5.18) */
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <trace/events/compaction.h>

static void begin(void *data, unsigned long start, unsigned long migrate,
		  unsigned long free, unsigned long end, bool sync)
{
}

static void end(void *data, unsigned long start, unsigned long migrate,
		unsigned long free, unsigned long end, bool sync, int status)
{
}

static void __maybe_unused check(void)
{
	check_trace_callback_type_mm_compaction_begin(begin);
	check_trace_callback_type_mm_compaction_end(end);
}
