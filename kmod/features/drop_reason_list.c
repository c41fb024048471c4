// SPDX-License-Identifier: GPL-2.0-only
/* DEFINE_DROP_REASON(): the core's drop reasons by name (6.0) */
#include <linux/skbuff.h>
#include <trace/events/skb.h>

#define NAME(reason) \
	[SKB_DROP_REASON_##reason] = #reason,
#define NAME_LAST(reason)
static const char * const name[] __maybe_unused = {
	DEFINE_DROP_REASON(NAME, NAME_LAST)
};
