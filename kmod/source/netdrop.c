// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dropped packets by the kernel's own reasons. The names are those of the
 * headers that the module was built with; reasons of subsystems (mac80211,
 * openvswitch), which have numbers beyond, and such as those headers do not
 * know are one series, "subsystem".
 *
 * Memory: a slot for each reason and two: about 70 with 6.1, 120 with 6.12.
 */
#include <linux/skbuff.h>
#include <linux/tracepoint.h>
#include <trace/events/skb.h>

#include "compat.h"
#include "series.h"
#include "source.h"

/*
 * reason_name[reason]. What is not dropped (SKB_NOT_DROPPED_YET, SKB_CONSUMED)
 * has no name: its counter stays detached.
 */
#if defined(OBS_HAVE_drop_reason_list)
#define REASON(reason) \
	[SKB_DROP_REASON_##reason] = #reason,
#define REASON_LAST(reason)
#define REASONS			DEFINE_DROP_REASON(REASON, REASON_LAST)
#elif defined(OBS_HAVE_drop_reason_trace)
#undef EM
#undef EMe
#define EM(reason, name) \
	[reason] = #name,
#define EMe(reason, name)
#define REASONS			TRACE_SKB_DROP_REASON
#endif

static struct obs_metric metrics[] = {
	{
		.desc = {
			.name = "obsring_packet_drops_total",
			.help = "Packets that the kernel dropped, by its reason.",
			.label = { "reason" },
			.kind = OBSRING_KIND_COUNTER,
		},
	},
};

#if !defined(REASONS)
#define UNAVAILABLE "this kernel's headers name no drop reasons"
#elif !defined(OBS_HAVE_tp_kfree_skb_reason) && !defined(OBS_HAVE_tp_kfree_skb_rx_sk)
#define UNAVAILABLE "kfree_skb has a prototype that obsring does not know"
#endif

#ifndef UNAVAILABLE
#define UNAVAILABLE NULL

static const char * const reason_name[SKB_DROP_REASON_MAX] = {
	REASONS
};

static const char * const subsystem_name[] = { "subsystem" };

static struct obs_counter drops[SKB_DROP_REASON_MAX] = {
	[0 ... SKB_DROP_REASON_MAX - 1] = OBS_COUNTER_INIT,
};

static struct obs_counter subsystem = OBS_COUNTER_INIT;

/* Any context, the packet still whole. */
static __always_inline void count(unsigned int reason)
{
	obs_counter_inc(reason < SKB_DROP_REASON_MAX ? &drops[reason] : &subsystem);
}

#ifdef OBS_HAVE_tp_kfree_skb_reason
static void drop(void *data, struct sk_buff *skb, void *location,
		 enum skb_drop_reason reason)
{
	count(reason);
}
#else
static void drop(void *data, struct sk_buff *skb, void *location,
		 enum skb_drop_reason reason, struct sock *rx_sk)
{
	count(reason);
}
#endif

OBS_HOOK_CHECK(kfree_skb, drop);

static struct obs_hook hooks[] = {
	{ "kfree_skb", drop },
};

static int start(void)
{
	int ret;

	ret = obs_counters_attach(metrics[0].family, reason_name, drops,
				  ARRAY_SIZE(drops));
	if (ret)
		return ret;
	return obs_counters_attach(metrics[0].family, subsystem_name, &subsystem, 1);
}
#else
static struct obs_hook hooks[0];
#define start NULL
#endif

struct obs_source obs_source_netdrop = {
	.name = "netdrop",
	.help = "Dropped packets, by reason.",
	.unavailable = UNAVAILABLE,
	.metrics = metrics,
	.nr_metrics = ARRAY_SIZE(metrics),
	.hooks = hooks,
	.nr_hooks = ARRAY_SIZE(hooks),
	.start = start,
};
