// SPDX-License-Identifier: GPL-2.0-only
/* TRACE_SKB_DROP_REASON: the same, as EM() pairs (5.17 to 5.19) */
#include <linux/skbuff.h>
#include <trace/events/skb.h>

#undef EM
#undef EMe
#define EM(reason, name) \
	[reason] = #name,
#define EMe(reason, name)
static const char * const name[] __maybe_unused = {
	TRACE_SKB_DROP_REASON
};
