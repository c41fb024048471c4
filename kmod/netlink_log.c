// SPDX-License-Identifier: GPL-2.0-only
/* Requests about the log's rings. */
#include <net/genetlink.h>

#include "compat.h"
#include "logresize.h"
#include "logring.h"
#include "netlink.h"
#include "netlink_request.h"

static int fill_ring(struct sk_buff *skb, unsigned int index,
		     const struct obs_logring_state *ring)
{
	return nla_put_u32(skb, OBSRING_A_CPU, index / OBS_ORIGINS) ||
	       nla_put_u32(skb, OBSRING_A_ORIGIN, index % OBS_ORIGINS) ||
	       nla_put_u64_64bit(skb, OBSRING_A_BYTES, ring->bytes,
				 OBSRING_A_PAD) ||
	       nla_put_u64_64bit(skb, OBSRING_A_HIGH_WATER, ring->filled,
				 OBSRING_A_PAD) ||
	       nla_put_u64_64bit(skb, OBSRING_A_RECORDS, ring->records,
				 OBSRING_A_PAD) ? -EMSGSIZE : 0;
}

/* cb->args[0]: the next ring. */
int obs_nl_log_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct obs_logring_state ring;
	void *header;
	int ret = obs_nl_dump_refused(cb);

	if (ret)
		return ret;
	for (; cb->args[0] < obs_logring_nr(); cb->args[0]++) {
		if (!obs_logring_state(cb->args[0], &ring))
			continue;
		header = obs_nl_dump_put(skb, cb, OBSRING_CMD_LOG_GET);
		if (!header)
			break;
		if (fill_ring(skb, cb->args[0], &ring)) {
			genlmsg_cancel(skb, header);
			break;
		}
		genlmsg_end(skb, header);
	}
	return skb->len;
}

int obs_nl_log_set(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *origin = info->attrs[OBSRING_A_ORIGIN];
	struct nlattr *bytes = info->attrs[OBSRING_A_BYTES];
	int ret = obs_nl_check_privileged(skb, info->extack);

	if (ret)
		return ret;
	if (!origin || !bytes)
		return obs_nl_missing(info->extack, "origin and bytes are needed");
	if (!obs_logring_size_valid(nla_get_u64(bytes))) {
		NL_SET_ERR_MSG_ATTR(info->extack, bytes,
				    "the size of a ring is a power of two, 4096 to 67108864");
		return -EINVAL;
	}
	return obs_log_resize(nla_get_u32(origin), nla_get_u64(bytes),
			      info->extack);
}
