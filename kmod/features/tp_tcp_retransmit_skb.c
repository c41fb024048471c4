// SPDX-License-Identifier: GPL-2.0-only
/* tcp_retransmit_skb */
#include <trace/events/tcp.h>

static void probe(void *data, const struct sock *sk, const struct sk_buff *skb)
{
}

static void __maybe_unused check(void)
{
	check_trace_callback_type_tcp_retransmit_skb(probe);
}
