// SPDX-License-Identifier: GPL-2.0-only
/*
 * TCP segments sent again, by address family. IPv4 over an IPv6 socket
 * (::ffff:a.b.c.d) is ipv4: the packets are.
 *
 * Memory: 3 slots.
 */
#include <linux/tracepoint.h>
#include <net/ipv6.h>
#include <net/sock.h>
#include <net/tcp.h>
#include <trace/events/tcp.h>

#include "compat.h"
#include "series.h"
#include "source.h"

enum { IPV4, IPV6, FAMILIES };

static const char * const family_name[FAMILIES] = {
	[IPV4] = "ipv4",
	[IPV6] = "ipv6",
};

static struct obs_counter retransmits[FAMILIES] = {
	[0 ... FAMILIES - 1] = OBS_COUNTER_INIT,
};

static struct obs_metric metrics[] = {
	{
		.desc = {
			.name = "obsring_tcp_retransmits_total",
			.help = "TCP segments that were sent again.",
			.label = { "family" },
			.kind = OBSRING_KIND_COUNTER,
		},
	},
};

/* Softirq (timers, ACKs) or process context, the socket locked. */
/* One buffer may hold several segments. */
static __maybe_unused void count(const struct sock *sk, const struct sk_buff *skb)
{
	bool v6 = false;

#if IS_ENABLED(CONFIG_IPV6)
	v6 = sk->sk_family == AF_INET6 && !ipv6_addr_v4mapped(&sk->sk_v6_daddr);
#endif
	obs_counter_add(&retransmits[v6 ? IPV6 : IPV4], tcp_skb_pcount(skb));
}

#if defined(OBS_HAVE_tp_tcp_retransmit_skb)
static void retransmit(void *data, const struct sock *sk,
		       const struct sk_buff *skb)
{
	count(sk, skb);
}
#elif defined(OBS_HAVE_tp_tcp_retransmit_skb_err)
static void retransmit(void *data, const struct sock *sk,
		       const struct sk_buff *skb, int err)
{
	/* Here the tracepoint tells the attempts that failed as well. */
	if (!err)
		count(sk, skb);
}
#else
#define UNAVAILABLE "tcp_retransmit_skb has a prototype that obsring does not know"
#endif

#ifndef UNAVAILABLE
#define UNAVAILABLE NULL
OBS_HOOK_CHECK(tcp_retransmit_skb, retransmit);

static struct obs_hook hooks[] = {
	{ "tcp_retransmit_skb", retransmit },
};
#else
static struct obs_hook hooks[0];
#endif

static int start(void)
{
	return obs_counters_attach(metrics[0].family, family_name, retransmits,
				   FAMILIES);
}

struct obs_source obs_source_tcp = {
	.name = "tcp",
	.help = "TCP segments sent again, by address family.",
	.unavailable = UNAVAILABLE,
	.metrics = metrics,
	.nr_metrics = ARRAY_SIZE(metrics),
	.hooks = hooks,
	.nr_hooks = ARRAY_SIZE(hooks),
	.start = start,
};
