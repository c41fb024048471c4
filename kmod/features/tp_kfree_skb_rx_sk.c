// SPDX-License-Identifier: GPL-2.0-only
/* kfree_skb with a reason and the receiving socket (6.11) */
#include <trace/events/skb.h>

static void probe(void *data, struct sk_buff *skb, void *location,
		  enum skb_drop_reason reason, struct sock *rx_sk)
{
}

static void __maybe_unused check(void)
{
	check_trace_callback_type_kfree_skb(probe);
}
