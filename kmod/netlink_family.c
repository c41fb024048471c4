// SPDX-License-Identifier: GPL-2.0-only
/* Requests about families. */
#include <linux/slab.h>
#include <net/genetlink.h>

#include <obsring/name.h>

#include "compat.h"
#include "netlink.h"
#include "netlink_request.h"

/* The family that a request names; under the registry's mutex. */
struct obs_family *obs_nl_request_family(struct genl_info *info)
{
	struct nlattr *name = info->attrs[OBSRING_A_NAME];
	struct obs_family *family;

	if (!name)
		return ERR_PTR(obs_nl_missing(info->extack, "attribute name is missing"));
	family = obs_family_find(nla_data(name));
	if (family)
		return family;
	NL_SET_ERR_MSG_ATTR(info->extack, name, "there is no family of that name");
	return ERR_PTR(-ENOENT);
}

/* The same, for a request that would change it. */
struct obs_family *obs_nl_request_own_family(struct genl_info *info)
{
	struct obs_family *family = obs_nl_request_family(info);

	if (IS_ERR(family) || family->flags & OBSRING_FAMILY_NETLINK)
		return family;
	NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[OBSRING_A_NAME],
			    "the family belongs to a source, a probe or a kernel module");
	return ERR_PTR(-EBUSY);
}

int obs_nl_family_get(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *id = info->attrs[OBSRING_A_FAMILY_ID];
	struct obs_family *family;
	struct sk_buff *reply;
	void *header;
	int ret;

	ret = obs_nl_check_reader(skb, info->attrs, info->extack);
	if (ret)
		return ret;
	if (id && info->attrs[OBSRING_A_NAME])
		return obs_nl_missing(info->extack,
				      "a family is named by name or by family-id");
	reply = obs_nl_reply_begin(info, OBSRING_CMD_FAMILY_GET, OBS_FAMILY_MSG_SIZE,
				   &header);
	if (!reply)
		return -ENOMEM;
	mutex_lock(&obs_registry_mutex);
	if (id) {
		family = xa_load(&obs_families, nla_get_u32(id));
		if (!family || family->dead) {
			NL_SET_ERR_MSG_ATTR(info->extack, id, "there is no family of that id");
			family = ERR_PTR(-ENOENT);
		}
	} else {
		family = obs_nl_request_family(info);
	}
	ret = IS_ERR(family) ? PTR_ERR(family) : obs_fill_family(reply, family);
	mutex_unlock(&obs_registry_mutex);
	return obs_nl_reply_end(info, reply, header, ret);
}

int obs_nl_family_dump_start(struct netlink_callback *cb)
{
	struct nlattr **attrs = obs_dump_attrs(cb);
	struct netlink_ext_ack extack = {};

	if (!attrs[OBSRING_A_NAME] && !attrs[OBSRING_A_FAMILY_ID])
		return obs_nl_dump_start(cb);
	NL_SET_ERR_MSG(&extack, "a dump is of all families");
	return obs_nl_dump_start_checked(cb, -EINVAL, &extack);
}

/* cb->args[0]: the index to go on with. */
int obs_nl_family_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	unsigned long index = cb->args[0];
	struct obs_family *family;
	void *header;
	int ret = obs_nl_dump_refused(cb);

	if (ret)
		return ret;
	mutex_lock(&obs_registry_mutex);
	xa_for_each_start(&obs_families, index, family, cb->args[0]) {
		if (family->dead)
			continue;
		header = obs_nl_dump_put(skb, cb, OBSRING_CMD_FAMILY_GET);
		ret = header ? obs_fill_family(skb, family) : -EMSGSIZE;
		if (ret) {
			if (header)
				genlmsg_cancel(skb, header);
			break;
		}
		genlmsg_end(skb, header);
	}
	mutex_unlock(&obs_registry_mutex);
	cb->args[0] = ret ? index : ULONG_MAX;
	return ret && !skb->len ? ret : skb->len;
}

static int request_bounds(struct genl_info *info, struct obs_family_desc *desc,
			  u64 *bounds)
{
	struct nlattr *attr;
	u32 nr = 0;
	int rem;

	nlmsg_for_each_attr(attr, info->nlhdr, GENL_HDRLEN, rem) {
		if (nla_type(attr) != OBSRING_A_BOUND)
			continue;
		if (nr == OBSRING_BOUNDS_MAX) {
			NL_SET_ERR_MSG_ATTR(info->extack, attr, "more than 128 bounds");
			return -EINVAL;
		}
		bounds[nr++] = nla_get_u64(attr);
	}
	desc->bounds = nr ? bounds : NULL;
	desc->nr_bounds = nr;
	if (desc->kind != OBSRING_KIND_HISTOGRAM || nr) {
		if (info->attrs[OBSRING_A_SCHEMA] ||
		    info->attrs[OBSRING_A_MIN_LOG2] ||
		    info->attrs[OBSRING_A_MAX_LOG2])
			return obs_nl_missing(info->extack,
					      "schema, min-log2 and max-log2 are of histograms without bounds");
		return 0;
	}
	if (!info->attrs[OBSRING_A_SCHEMA] || !info->attrs[OBSRING_A_MIN_LOG2] ||
	    !info->attrs[OBSRING_A_MAX_LOG2])
		return obs_nl_missing(info->extack, "a histogram needs bounds, or schema, min-log2 and max-log2");
	desc->schema = nla_get_s32(info->attrs[OBSRING_A_SCHEMA]);
	desc->min_log2 = nla_get_s32(info->attrs[OBSRING_A_MIN_LOG2]);
	desc->max_log2 = nla_get_s32(info->attrs[OBSRING_A_MAX_LOG2]);
	return 0;
}

static int request_desc(struct genl_info *info, struct obs_family_desc *desc,
			u64 *bounds)
{
	struct nlattr **attrs = info->attrs;
	int ret;

	if (!attrs[OBSRING_A_NAME] || !attrs[OBSRING_A_HELP] ||
	    !attrs[OBSRING_A_KIND])
		return obs_nl_missing(info->extack, "name, help and kind are needed");
	desc->name = obs_nl_attr_string(attrs[OBSRING_A_NAME]);
	desc->help = obs_nl_attr_string(attrs[OBSRING_A_HELP]);
	desc->unit = obs_nl_attr_string(attrs[OBSRING_A_UNIT]);
	desc->kind = nla_get_u32(attrs[OBSRING_A_KIND]);
	desc->set = attrs[OBSRING_A_SET];
	if (attrs[OBSRING_A_EXP10])
		desc->exp10 = nla_get_s32(attrs[OBSRING_A_EXP10]);
	if (obs_name_reserved(desc->name)) {
		NL_SET_ERR_MSG_ATTR(info->extack, attrs[OBSRING_A_NAME],
				    "names that begin with obsring_ or process_ are reserved");
		return -EINVAL;
	}
	ret = obs_nl_attr_strings(info, OBSRING_A_LABEL_NAME, desc->label,
				  OBSRING_LABELS_MAX);
	return ret < 0 ? ret : request_bounds(info, desc, bounds);
}

int obs_nl_family_new(struct sk_buff *skb, struct genl_info *info)
{
	struct obs_family_desc desc = {};
	struct obs_family *family;
	struct sk_buff *reply;
	void *header;
	u64 *bounds;
	int ret;

	ret = obs_nl_check_privileged(skb, info->extack);
	if (ret)
		return ret;
	reply = obs_nl_reply_begin(info, OBSRING_CMD_FAMILY_NEW, NLMSG_GOODSIZE,
				   &header);
	bounds = kcalloc(OBSRING_BOUNDS_MAX, sizeof(*bounds), GFP_KERNEL);
	if (!reply || !bounds) {
		ret = -ENOMEM;
		goto out;
	}
	ret = request_desc(info, &desc, bounds);
	if (ret)
		goto out;
	do {
		mutex_lock(&obs_registry_mutex);
		family = obs_family_new(&desc, THIS_MODULE,
					OBSRING_FAMILY_NETLINK, info->extack);
		ret = PTR_ERR_OR_ZERO(family);
		if (!ret)
			ret = nla_put_u32(reply, OBSRING_A_FAMILY_ID,
					  family->index);
		mutex_unlock(&obs_registry_mutex);
	} while (obs_registry_again(&ret));
out:
	kfree(bounds);
	return obs_nl_reply_end(info, reply, header, ret);
}

int obs_nl_family_del(struct sk_buff *skb, struct genl_info *info)
{
	struct obs_family *family;
	int ret;

	ret = obs_nl_check_privileged(skb, info->extack);
	if (ret)
		return ret;
	mutex_lock(&obs_registry_mutex);
	family = obs_nl_request_own_family(info);
	ret = PTR_ERR_OR_ZERO(family);
	if (!ret)
		obs_family_free(family);
	mutex_unlock(&obs_registry_mutex);
	return ret;
}
