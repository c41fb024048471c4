// SPDX-License-Identifier: GPL-2.0-only
/* mm_compaction_begin and _end of today's prototype */
#include <linux/mm.h>
#include <linux/mmzone.h>

struct compact_control;
#include <trace/events/compaction.h>

static void begin(void *data, struct compact_control *cc, unsigned long start,
		  unsigned long end, bool sync)
{
}

static void end(void *data, struct compact_control *cc, unsigned long start,
		unsigned long end, bool sync, int status)
{
}

static void __maybe_unused check(void)
{
	check_trace_callback_type_mm_compaction_begin(begin);
	check_trace_callback_type_mm_compaction_end(end);
}
