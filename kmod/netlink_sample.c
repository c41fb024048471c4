// SPDX-License-Identifier: GPL-2.0-only
/* Requests about sampling rules. */
#include <net/genetlink.h>

#include "compat.h"
#include "netlink.h"
#include "netlink_request.h"
#include "sampler.h"

static int request_spec(struct genl_info *info, struct obs_sample_spec *spec)
{
	struct nlattr **attrs = info->attrs;

	spec->source = obs_nl_attr_string(attrs[OBSRING_A_NAME]);
	if (!spec->source)
		return obs_nl_missing(info->extack, "attribute name is missing");
	spec->level = OBS_LEVEL_NONE;
	if (attrs[OBSRING_A_LEVEL])
		spec->level = nla_get_u32(attrs[OBSRING_A_LEVEL]);
	if (attrs[OBSRING_A_AT_NS])
		spec->at_ns = nla_get_u64(attrs[OBSRING_A_AT_NS]);
	if (attrs[OBSRING_A_SAMPLE_ID])
		spec->id = nla_get_u64(attrs[OBSRING_A_SAMPLE_ID]);
	return 0;
}

/* Do it, and answer with the command's number. */
static int send_and_answer(struct genl_info *info, const struct obs_sample_spec *spec,
			   u8 cmd)
{
	struct sk_buff *reply;
	void *header;
	u64 id;
	int ret;

	/* First what may fail: the command can't be taken back unseen. */
	reply = obs_nl_reply_begin(info, cmd, NLMSG_GOODSIZE, &header);
	if (!reply)
		return -ENOMEM;
	ret = obs_sampler_send(spec, info->extack, &id);
	if (!ret)
		ret = nla_put_u64_64bit(reply, OBSRING_A_SAMPLE_ID, id, OBSRING_A_PAD);
	return obs_nl_reply_end(info, reply, header, ret);
}

int obs_nl_sample_set(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr **attrs = info->attrs;
	struct obs_sample_spec spec = {};
	int ret = obs_nl_check_privileged(skb, info->extack);

	if (!ret)
		ret = request_spec(info, &spec);
	if (ret)
		return ret;
	if (!attrs[OBSRING_A_RULE])
		return obs_nl_missing(info->extack, "attribute rule is missing");
	spec.kind = nla_get_u32(attrs[OBSRING_A_RULE]);
	if (spec.kind > OBSRING_RULE_DROP) {
		if (!attrs[OBSRING_A_RULE_VALUE])
			return obs_nl_missing(info->extack, "attribute rule-value is missing");
		spec.value = nla_get_u64(attrs[OBSRING_A_RULE_VALUE]);
	}
	return send_and_answer(info, &spec, OBSRING_CMD_SAMPLE_SET);
}

int obs_nl_sample_del(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *id = info->attrs[OBSRING_A_SAMPLE_ID];
	struct obs_sample_spec spec = {};
	int ret = obs_nl_check_privileged(skb, info->extack);

	if (ret)
		return ret;
	if (id && !info->attrs[OBSRING_A_NAME])
		return obs_sampler_cancel(nla_get_u64(id), info->extack);
	ret = request_spec(info, &spec);
	return ret ?: send_and_answer(info, &spec, OBSRING_CMD_SAMPLE_DEL);
}

/**
 * struct sample_dump - the walk of a dump
 * @skb: message
 * @cb: of the dump; args[0], [1] and [4] hold the walk's place
 */
struct sample_dump {
	struct sk_buff *skb;
	struct netlink_callback *cb;
};

static int sample_dump_one(const struct obs_sample_spec *spec, void *arg)
{
	struct sample_dump *dump = arg;
	void *header = obs_nl_dump_put(dump->skb, dump->cb, OBSRING_CMD_SAMPLE_GET);

	if (!header)
		return -EMSGSIZE;
	if (obs_fill_sample(dump->skb, spec)) {
		genlmsg_cancel(dump->skb, header);
		return -EMSGSIZE;
	}
	genlmsg_end(dump->skb, header);
	return 0;
}

int obs_nl_sample_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct sample_dump dump = { .skb = skb, .cb = cb };
	struct obs_sampler_walk walk = {
		.serial = cb->args[0], .time = cb->args[1], .arrival = cb->args[4],
	};
	int ret = obs_nl_dump_refused(cb);

	if (ret)
		return ret;
	ret = obs_sampler_each(&walk, sample_dump_one, &dump);
	cb->args[0] = walk.serial;
	cb->args[1] = walk.time;
	cb->args[4] = walk.arrival;
	return ret && !skb->len ? ret : skb->len;
}
