// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dropped packets by the kernel's own reasons. The names are those of the
 * headers that the module was built with; reasons of subsystems (mac80211,
 * openvswitch), which have numbers beyond, and such as those headers do not
 * know are one series, "subsystem".
 *
 * Memory: a slot for each reason and two: about 70 with 6.1, 120 with 6.12.
 */
#include <linux/if_ether.h>
#include <linux/netdevice.h>
#include <linux/rcupdate.h>
#include <linux/skbuff.h>
#include <linux/tracepoint.h>
#include <trace/events/skb.h>

#include "compat.h"
#include "logging.h"
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

static struct obs_log_source log = OBS_LOG_SOURCE_INIT("netdrop");
static struct obs_log_switch log_drop = OBS_LOG_OFF(&log);

/* ---- A drop's record ----------------------------------------------------- */

#define DEVICES_MAX	64

/*
 * The packet's interface, or NULL. Sockets keep other things where skb->dev is
 * (their notes, links of a tree): it is looked for among the devices, and not
 * followed. Under RCU.
 */
static const struct net_device *device_of(const struct sk_buff *skb)
{
	const struct net_device *mine = skb->dev;
	unsigned int left = DEVICES_MAX;
	struct net_device *dev;

	if (!mine)
		return NULL;
	dev = dev_get_by_index_rcu(&init_net, skb->skb_iif);
	if (dev == mine)
		return dev;
	for_each_netdev_rcu(&init_net, dev) {
		if (dev == mine)
			return dev;
		if (!--left)
			break;
	}
	return NULL;
}

static void protocol_text(const struct sk_buff *skb, char *text, size_t size)
{
	unsigned int protocol = ntohs(skb->protocol);

	switch (protocol) {
	case ETH_P_IP:
		strscpy(text, "ipv4", size);
		break;
	case ETH_P_IPV6:
		strscpy(text, "ipv6", size);
		break;
	case ETH_P_ARP:
		strscpy(text, "arp", size);
		break;
	default:
		snprintf(text, size, "0x%04x", protocol);
	}
}

/* Neither contents nor addresses leave. */
static noinline_for_stack void drop_record(const struct sk_buff *skb,
					   const char *reason)
{
	char protocol[8], bytes[12], interface[IFNAMSIZ] = "";
	const struct obs_log_field fields[] = {
		{ "reason", reason },
		{ "protocol", protocol },
		{ "bytes", bytes },
		{ "interface", interface },
	};
	const struct net_device *dev;

	protocol_text(skb, protocol, sizeof(protocol));
	snprintf(bytes, sizeof(bytes), "%u", skb->len);
	rcu_read_lock();
	dev = device_of(skb);
	if (dev)
		strscpy(interface, dev->name, sizeof(interface));
	rcu_read_unlock();
	obs_log_fields(&log, LOGLEVEL_INFO, fields, ARRAY_SIZE(fields) - !dev,
		       "a packet is dropped: %s", reason);
}

/* ---- The probe ----------------------------------------------------------- */

/* Any context, the packet still whole. What is not dropped has no name. */
static __always_inline void dropped(const struct sk_buff *skb, unsigned int reason)
{
	bool named = reason < SKB_DROP_REASON_MAX;

	obs_counter_inc(named ? &drops[reason] : &subsystem);
	if (obs_log_is_on(&log_drop) && (!named || reason_name[reason]))
		drop_record(skb, named ? reason_name[reason] : subsystem_name[0]);
}

#ifdef OBS_HAVE_tp_kfree_skb_reason
static void drop(void *data, struct sk_buff *skb, void *location,
		 enum skb_drop_reason reason)
{
	dropped(skb, reason);
}
#else
static void drop(void *data, struct sk_buff *skb, void *location,
		 enum skb_drop_reason reason, struct sock *rx_sk)
{
	dropped(skb, reason);
}
#endif

OBS_HOOK_CHECK(kfree_skb, drop);

static struct obs_hook hooks[] = {
	{ "kfree_skb", drop },
};

static const struct obs_source_option options[] = {
	OBS_LOG_SWITCH_OPTION("log-drop", "Log each packet that is dropped, at level info: on or off (default off).",
			      &log_drop),
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
static const struct obs_source_option options[0];
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
	.options = options,
	.nr_options = ARRAY_SIZE(options),
	.start = start,
};
