// SPDX-License-Identifier: GPL-2.0-only
/* Requests about sources and probes. */
#include <net/genetlink.h>

#include "compat.h"
#include "netlink.h"
#include "netlink_request.h"
#include "probe.h"
#include "source.h"

static struct obs_source *request_source(struct genl_info *info)
{
	struct nlattr *name = info->attrs[OBSRING_A_NAME];
	struct obs_source *source;

	if (!name)
		return ERR_PTR(obs_nl_missing(info->extack, "attribute name is missing"));
	source = obs_source_find(nla_data(name));
	if (source)
		return source;
	NL_SET_ERR_MSG_ATTR(info->extack, name, "there is no source of that name");
	return ERR_PTR(-ENOENT);
}

int obs_nl_source_get(struct sk_buff *skb, struct genl_info *info)
{
	struct obs_source *source = request_source(info);
	struct sk_buff *reply;
	void *header;
	int ret;

	if (IS_ERR(source))
		return PTR_ERR(source);
	reply = obs_nl_reply_begin(info, OBSRING_CMD_SOURCE_GET, NLMSG_GOODSIZE, &header);
	if (!reply)
		return -ENOMEM;
	mutex_lock(&obs_sources_mutex);
	ret = obs_fill_source(reply, source);
	mutex_unlock(&obs_sources_mutex);
	return obs_nl_reply_end(info, reply, header, ret);
}

int obs_nl_source_dump_start(struct netlink_callback *cb)
{
	struct netlink_ext_ack extack = {};
	int ret = 0;

	if (obs_dump_attrs(cb)[OBSRING_A_NAME]) {
		NL_SET_ERR_MSG(&extack, "a dump is of all sources");
		ret = -EINVAL;
	}
	return obs_nl_dump_start_checked(cb, ret, &extack);
}

int obs_nl_source_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct obs_source *source;
	void *header;
	int ret = obs_nl_dump_refused(cb);

	if (ret)
		return ret;
	mutex_lock(&obs_sources_mutex);
	while (!ret && (source = obs_source_at(cb->args[0]))) {
		header = obs_nl_dump_put(skb, cb, OBSRING_CMD_SOURCE_GET);
		ret = header ? obs_fill_source(skb, source) : -EMSGSIZE;
		if (!ret) {
			genlmsg_end(skb, header);
			cb->args[0]++;
		} else if (header) {
			genlmsg_cancel(skb, header);
		}
	}
	mutex_unlock(&obs_sources_mutex);
	return ret && !skb->len ? ret : skb->len;
}

static int request_settings(struct genl_info *info,
			    struct obs_source_request *request)
{
	struct obs_setting *setting;
	struct nlattr *tb[OBSRING_A_OPTION_VALUE + 1];
	struct nlattr *attr;
	int rem, ret;

	nlmsg_for_each_attr(attr, info->nlhdr, GENL_HDRLEN, rem) {
		if (nla_type(attr) != OBSRING_A_OPTION)
			continue;
		ret = nla_parse_nested(tb, OBSRING_A_OPTION_VALUE, attr,
				       obs_nl_option_policy, info->extack);
		if (ret)
			return ret;
		if (request->nr == OBS_SETTINGS_MAX || !tb[OBSRING_A_OPTION_KEY] ||
		    !tb[OBSRING_A_OPTION_VALUE]) {
			NL_SET_ERR_MSG_ATTR(info->extack, attr,
					    "an option needs a key and a value; at most 16 options");
			return -EINVAL;
		}
		setting = &request->setting[request->nr++];
		setting->key = nla_data(tb[OBSRING_A_OPTION_KEY]);
		setting->value = nla_data(tb[OBSRING_A_OPTION_VALUE]);
		setting->attr = attr;
	}
	return 0;
}

int obs_nl_source_set(struct sk_buff *skb, struct genl_info *info)
{
	struct obs_source_request request = { .skb = skb };
	struct obs_source *source;
	int ret;

	ret = obs_nl_check_privileged(skb, info->extack);
	if (ret)
		return ret;
	source = request_source(info);
	if (IS_ERR(source))
		return PTR_ERR(source);
	if (!info->attrs[OBSRING_A_ENABLED])
		return obs_nl_missing(info->extack, "attribute enabled is missing");
	request.enable = nla_get_u8(info->attrs[OBSRING_A_ENABLED]);
	ret = request_settings(info, &request);
	if (ret)
		return ret;
	return obs_source_set(source, &request, info->extack);
}

/* ---- Probes -------------------------------------------------------------- */

static int fill_probe(struct sk_buff *skb, const struct obs_probe_info *probe)
{
	return nla_put_string(skb, OBSRING_A_NAME, probe->name) ||
	       nla_put_u32(skb, OBSRING_A_PROBE_TYPE, probe->type) ||
	       nla_put_string(skb, OBSRING_A_PROBE_TARGET, probe->target) ||
	       nla_put_u32(skb, OBSRING_A_KIND, probe->kind) ||
	       nla_put_u32(skb, OBSRING_A_SAMPLE, probe->sample) ||
	       nla_put_u64_64bit(skb, OBSRING_A_HITS, probe->hits,
				 OBSRING_A_PAD) ||
	       nla_put_u64_64bit(skb, OBSRING_A_MISSED, probe->missed,
				 OBSRING_A_PAD) ||
	       (probe->gone &&
		nla_put_string(skb, OBSRING_A_REASON,
			       "its target went away with its module")) ?
	       -EMSGSIZE : 0;
}

/**
 * struct probe_dump - the walk of a dump
 * @skb: message
 * @cb: of the dump; args[0] is the serial of the probe told last
 */
struct probe_dump {
	struct sk_buff *skb;
	struct netlink_callback *cb;
};

static int probe_dump_one(const struct obs_probe_info *probe, void *arg)
{
	struct probe_dump *dump = arg;
	void *header;

	if (probe->serial <= (u64)dump->cb->args[0])
		return 0;
	header = obs_nl_dump_put(dump->skb, dump->cb, OBSRING_CMD_PROBE_GET);
	if (!header)
		return -EMSGSIZE;
	if (fill_probe(dump->skb, probe)) {
		genlmsg_cancel(dump->skb, header);
		return -EMSGSIZE;
	}
	genlmsg_end(dump->skb, header);
	dump->cb->args[0] = probe->serial;
	return 0;
}

int obs_nl_probe_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct probe_dump dump = { .skb = skb, .cb = cb };
	int ret = obs_nl_dump_refused(cb);

	if (ret)
		return ret;
	ret = obs_probe_walk(probe_dump_one, &dump);
	return ret && !skb->len ? ret : skb->len;
}

int obs_nl_probe_new(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr **attrs = info->attrs;
	struct obs_probe_spec spec = {
		.name = obs_nl_attr_string(attrs[OBSRING_A_NAME]),
		.help = obs_nl_attr_string(attrs[OBSRING_A_HELP]),
		.target = obs_nl_attr_string(attrs[OBSRING_A_PROBE_TARGET]),
	};
	int ret = obs_nl_check_privileged(skb, info->extack);

	if (ret)
		return ret;
	if (!spec.name || !spec.target || !attrs[OBSRING_A_PROBE_TYPE])
		return obs_nl_missing(info->extack, "name, probe-type and probe-target are needed");
	spec.type = nla_get_u32(attrs[OBSRING_A_PROBE_TYPE]);
	if (attrs[OBSRING_A_KIND])
		spec.kind = nla_get_u32(attrs[OBSRING_A_KIND]);
	if (attrs[OBSRING_A_SAMPLE])
		spec.sample = nla_get_u32(attrs[OBSRING_A_SAMPLE]);
	return obs_probe_new(&spec, info->extack);
}

int obs_nl_probe_del(struct sk_buff *skb, struct genl_info *info)
{
	const char *name = obs_nl_attr_string(info->attrs[OBSRING_A_NAME]);
	int ret = obs_nl_check_privileged(skb, info->extack);

	if (ret)
		return ret;
	if (!name)
		return obs_nl_missing(info->extack, "attribute name is missing");
	return obs_probe_del(name, info->extack);
}
