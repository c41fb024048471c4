// SPDX-License-Identifier: GPL-2.0-only
/* What all requests share: who may ask, reading attributes, answering, dumps. */
#include <linux/capability.h>
#include <net/genetlink.h>

#include "chardev.h"
#include "compat.h"
#include "netlink_request.h"

/* ---- Who may ask --------------------------------------------------------- */

static bool privileged(struct sk_buff *skb)
{
	return netlink_capable(skb, CAP_NET_ADMIN) ||
	       netlink_capable(skb, CAP_SYS_ADMIN);
}

int obs_nl_check_privileged(struct sk_buff *skb, struct netlink_ext_ack *extack)
{
	if (privileged(skb))
		return 0;
	NL_SET_ERR_MSG(extack, "this needs CAP_NET_ADMIN or CAP_SYS_ADMIN in the initial user namespace");
	return -EPERM;
}

/* In the sender's context: its descriptors are the calling process'. */
int obs_nl_check_reader(struct sk_buff *skb, struct nlattr **attrs,
			struct netlink_ext_ack *extack)
{
	struct nlattr *fd = attrs[OBSRING_A_DEVICE_FD];

	if (fd) {
		if (nla_get_u32(fd) <= INT_MAX &&
		    obs_chardev_fd_reads(nla_get_u32(fd)))
			return 0;
		NL_SET_ERR_MSG_ATTR(extack, fd,
				    "this is no descriptor of the device that is open for reading");
		return -EBADF;
	}
	if (privileged(skb) || netlink_capable(skb, CAP_PERFMON))
		return 0;
	NL_SET_ERR_MSG(extack, "values need CAP_PERFMON, CAP_NET_ADMIN or CAP_SYS_ADMIN in the initial user namespace, or device-fd");
	return -EPERM;
}

/* ---- Requests and answers ------------------------------------------------ */

int obs_nl_missing(struct netlink_ext_ack *extack, const char *what)
{
	extack->_msg = what;
	return -EINVAL;
}

const char *obs_nl_attr_string(struct nlattr *attr)
{
	return attr ? nla_data(attr) : NULL;
}

/* The strings of a repeated attribute, in order; at most @max, else -EINVAL. */
int obs_nl_attr_strings(struct genl_info *info, int type, const char **strings,
			int max)
{
	struct nlattr *attr;
	int rem, nr = 0;

	nlmsg_for_each_attr(attr, info->nlhdr, GENL_HDRLEN, rem) {
		if (nla_type(attr) != type)
			continue;
		if (nr == max) {
			NL_SET_ERR_MSG_ATTR(info->extack, attr,
					    "too many of this attribute");
			return -EINVAL;
		}
		strings[nr++] = nla_data(attr);
	}
	return nr;
}

struct sk_buff *obs_nl_reply_begin(struct genl_info *info, u8 cmd, size_t size,
				   void **ret_header)
{
	struct sk_buff *skb = genlmsg_new(size, GFP_KERNEL);

	if (!skb)
		return NULL;
	*ret_header = genlmsg_put_reply(skb, info, &obs_nl_family, 0, cmd);
	if (*ret_header)
		return skb;
	nlmsg_free(skb);
	return NULL;
}

int obs_nl_reply_end(struct genl_info *info, struct sk_buff *skb, void *header,
		     int ret)
{
	if (ret) {
		nlmsg_free(skb);
		return ret;
	}
	genlmsg_end(skb, header);
	return genlmsg_reply(skb, info);
}

/* ---- Dumps --------------------------------------------------------------- */

/*
 * A dump keeps the module in use until it was read, or its socket is closed, as
 * an open file does: it is for readers, and refused at its start, before it
 * keeps anything. Before Linux 6.3 that can't tell a sentence. What else is
 * wrong, @ret and @extack, is therefore told by the dump's first call.
 * cb->args[2]: errno, [3]: sentence.
 */
int obs_nl_dump_start_checked(struct netlink_callback *cb, int ret,
			      const struct netlink_ext_ack *extack)
{
	int refused = obs_nl_check_reader(cb->skb, obs_dump_attrs(cb), cb->extack);

	if (refused)
		return refused;
	/* Room for a histogram of all slots, and one of its rows. */
	cb->min_dump_alloc = SZ_16K;
	cb->args[2] = ret;
	cb->args[3] = (long)extack->_msg;
	return 0;
}

int obs_nl_dump_start(struct netlink_callback *cb)
{
	const struct netlink_ext_ack nothing = {};

	return obs_nl_dump_start_checked(cb, 0, &nothing);
}

int obs_nl_dump_refused(struct netlink_callback *cb)
{
	if (cb->args[2] && cb->extack)
		cb->extack->_msg = (const char *)cb->args[3];
	return cb->args[2];
}

void *obs_nl_dump_put(struct sk_buff *skb, struct netlink_callback *cb, u8 cmd)
{
	return genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			   &obs_nl_family, NLM_F_MULTI, cmd);
}
