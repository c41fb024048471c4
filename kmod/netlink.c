// SPDX-License-Identifier: GPL-2.0-only
/*
 * The generic netlink family: what each request may hold, what it is about, the
 * commands, the events. A request changes all that it asks for, or nothing.
 */
#include <net/genetlink.h>

#include "chardev.h"
#include "compat.h"
#include "main.h"
#include "netlink.h"
#include "netlink_request.h"
#include "source.h"

static bool registered;

enum { GROUP_EVENTS };

static const struct genl_multicast_group groups[] = {
	[GROUP_EVENTS] = {
		.name = OBSRING_GENL_GROUP,
		.flags = GENL_MCAST_CAP_NET_ADMIN,
	},
};

/* ---- Policies: what each request may hold -------------------------------- */

#define NAME_POLICY	{ .type = NLA_NUL_STRING, .len = OBSRING_NAME_MAX }
#define HELP_POLICY	{ .type = NLA_NUL_STRING, .len = OBSRING_HELP_MAX }
#define VALUE_POLICY	{ .type = NLA_NUL_STRING, .len = OBSRING_VALUE_MAX }

/* Without a type to reject there would be no policy, and no check. */
static const struct nla_policy none_policy[] = {
	[OBSRING_A_PAD] = { .type = NLA_REJECT },
};

static const struct nla_policy state_policy[] = {
	[OBSRING_A_STATE] = NLA_POLICY_MAX(NLA_U32, OBSRING_STATE_MAX),
};

static const struct nla_policy family_get_policy[] = {
	[OBSRING_A_DEVICE_FD] = { .type = NLA_U32 },
	[OBSRING_A_NAME] = NAME_POLICY,
	[OBSRING_A_FAMILY_ID] = { .type = NLA_U32 },
};

static const struct nla_policy family_new_policy[] = {
	[OBSRING_A_NAME] = NAME_POLICY,
	[OBSRING_A_HELP] = HELP_POLICY,
	[OBSRING_A_UNIT] = { .type = NLA_NUL_STRING, .len = OBSRING_UNIT_MAX },
	[OBSRING_A_KIND] = NLA_POLICY_RANGE(NLA_U32, 1, OBSRING_KIND_MAX),
	[OBSRING_A_SET] = { .type = NLA_FLAG },
	[OBSRING_A_EXP10] = NLA_POLICY_RANGE(NLA_S32, OBSRING_EXP10_MIN, 0),
	[OBSRING_A_LABEL_NAME] = NAME_POLICY,
	[OBSRING_A_BOUND] = { .type = NLA_U64 },
	[OBSRING_A_SCHEMA] = NLA_POLICY_RANGE(NLA_S32, 0, OBSRING_SCHEMA_MAX),
	[OBSRING_A_MIN_LOG2] = NLA_POLICY_RANGE(NLA_S32, OBSRING_LOG2_MIN,
						OBSRING_LOG2_MAX),
	[OBSRING_A_MAX_LOG2] = NLA_POLICY_RANGE(NLA_S32, OBSRING_LOG2_MIN,
						OBSRING_LOG2_MAX),
};

static const struct nla_policy source_get_policy[] = {
	[OBSRING_A_DEVICE_FD] = { .type = NLA_U32 },
	[OBSRING_A_NAME] = NAME_POLICY,
};

static const struct nla_policy name_policy[] = {
	[OBSRING_A_NAME] = NAME_POLICY,
};

static const struct nla_policy series_get_policy[] = {
	[OBSRING_A_DEVICE_FD] = { .type = NLA_U32 },
	[OBSRING_A_NAME] = NAME_POLICY,
	[OBSRING_A_LABEL_VALUE] = VALUE_POLICY,
	[OBSRING_A_SERIES_ID] = { .type = NLA_U32 },
	[OBSRING_A_GEN] = { .type = NLA_U32 },
	[OBSRING_A_PER_CPU] = { .type = NLA_FLAG },
};

static const struct nla_policy series_policy[] = {
	[OBSRING_A_NAME] = NAME_POLICY,
	[OBSRING_A_LABEL_VALUE] = VALUE_POLICY,
};

static const struct nla_policy update_policy[] = {
	[OBSRING_A_NAME] = NAME_POLICY,
	[OBSRING_A_LABEL_VALUE] = VALUE_POLICY,
	[OBSRING_A_VALUE] = { .type = NLA_S64 },
};

const struct nla_policy obs_nl_option_policy[] = {
	[OBSRING_A_OPTION_KEY] = { .type = NLA_NUL_STRING, .len = 31 },
	[OBSRING_A_OPTION_VALUE] = { .type = NLA_NUL_STRING, .len = 255 },
};

static const struct nla_policy source_set_policy[] = {
	[OBSRING_A_NAME] = NAME_POLICY,
	[OBSRING_A_ENABLED] = NLA_POLICY_MAX(NLA_U8, 1),
	[OBSRING_A_OPTION] = NLA_POLICY_NESTED(obs_nl_option_policy),
};

static const struct nla_policy probe_get_policy[] = {
	[OBSRING_A_DEVICE_FD] = { .type = NLA_U32 },
};

static const struct nla_policy probe_new_policy[] = {
	[OBSRING_A_NAME] = NAME_POLICY,
	[OBSRING_A_HELP] = HELP_POLICY,
	[OBSRING_A_KIND] = NLA_POLICY_RANGE(NLA_U32, 1, OBSRING_KIND_MAX),
	[OBSRING_A_PROBE_TYPE] = NLA_POLICY_RANGE(NLA_U32, 1, OBSRING_PROBE_MAX),
	[OBSRING_A_PROBE_TARGET] = { .type = NLA_NUL_STRING, .len = 255 },
	[OBSRING_A_SAMPLE] = NLA_POLICY_MIN(NLA_U32, 1),
};

static const struct nla_policy log_get_policy[] = {
	[OBSRING_A_DEVICE_FD] = { .type = NLA_U32 },
};

static const struct nla_policy log_set_policy[] = {
	[OBSRING_A_BYTES] = { .type = NLA_U64 },
	[OBSRING_A_ORIGIN] = NLA_POLICY_MAX(NLA_U32, OBSRING_ORIGIN_MAX),
};

static const struct nla_policy sample_get_policy[] = {
	[OBSRING_A_DEVICE_FD] = { .type = NLA_U32 },
};

static const struct nla_policy sample_set_policy[] = {
	[OBSRING_A_NAME] = NAME_POLICY,
	[OBSRING_A_LEVEL] = NLA_POLICY_MAX(NLA_U32, 7),
	[OBSRING_A_RULE] = NLA_POLICY_RANGE(NLA_U32, 1, OBSRING_RULE_MAX),
	[OBSRING_A_RULE_VALUE] = { .type = NLA_U64 },
	[OBSRING_A_AT_NS] = { .type = NLA_U64 },
	[OBSRING_A_SAMPLE_ID] = { .type = NLA_U64 },
};

static const struct nla_policy sample_del_policy[] = {
	[OBSRING_A_NAME] = NAME_POLICY,
	[OBSRING_A_LEVEL] = NLA_POLICY_MAX(NLA_U32, 7),
	[OBSRING_A_AT_NS] = { .type = NLA_U64 },
	[OBSRING_A_SAMPLE_ID] = { .type = NLA_U64 },
};

static const struct nla_policy service_get_policy[] = {
	[OBSRING_A_DEVICE_FD] = { .type = NLA_U32 },
};

static const struct nla_policy service_set_policy[] = {
	[OBSRING_A_DEVICE_FD] = { .type = NLA_U32 },
	[OBSRING_A_NAME] = NAME_POLICY,
	[OBSRING_A_UID] = { .type = NLA_U32 },
	[OBSRING_A_TTL] = { .type = NLA_U32 },
};

static const struct nla_policy service_del_policy[] = {
	[OBSRING_A_DEVICE_FD] = { .type = NLA_U32 },
	[OBSRING_A_NAME] = NAME_POLICY,
	[OBSRING_A_UID] = { .type = NLA_U32 },
};

/* ---- Info and state ------------------------------------------------------ */

static int fill_info(struct sk_buff *skb)
{
	u64 refused = 0;
	int i;

	for (i = 0; i < OBS_REFUSED_NR; i++)
		refused += obs_registry_refused(i);
	return nla_put_string(skb, OBSRING_A_VERSION, OBSRING_VERSION) ||
	       nla_put_u32(skb, OBSRING_A_ABI_MAJOR, OBSRING_ABI_MAJOR) ||
	       nla_put_u32(skb, OBSRING_A_ABI_MINOR, OBSRING_ABI_MINOR) ||
	       nla_put_u32(skb, OBSRING_A_STATE, obs_header->state) ||
	       nla_put_u64_64bit(skb, OBSRING_A_INSTANCE, obs_header->instance,
				 OBSRING_A_PAD) ||
	       nla_put_u32(skb, OBSRING_A_NR_CPUS, nr_cpu_ids) ||
	       nla_put_u32(skb, OBSRING_A_FAMILIES, obs_registry_families()) ||
	       nla_put_u32(skb, OBSRING_A_SERIES, obs_registry_series()) ||
	       nla_put_u32(skb, OBSRING_A_SERIES_LIMIT, obs_limits.series) ||
	       nla_put_u32(skb, OBSRING_A_FAMILY_SERIES_LIMIT,
			   obs_limits.family_series) ||
	       nla_put_u64_64bit(skb, OBSRING_A_BYTES, obs_store_charged_bytes(),
				 OBSRING_A_PAD) ||
	       nla_put_u64_64bit(skb, OBSRING_A_BYTES_LIMIT, obs_limits.bytes,
				 OBSRING_A_PAD) ||
	       nla_put_u64_64bit(skb, OBSRING_A_DIRECTORY_BYTES,
				 obs_store_directory_bytes(), OBSRING_A_PAD) ||
	       nla_put_u64_64bit(skb, OBSRING_A_REFUSED, refused,
				 OBSRING_A_PAD) ? -EMSGSIZE : 0;
}

static int fill_source_names(struct sk_buff *skb)
{
	const struct obs_source *source;
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && (source = obs_source_at(i)); i++)
		ret = nla_put_string(skb, OBSRING_A_SOURCE, source->name);
	return ret;
}

static int info_get(struct sk_buff *skb, struct genl_info *info)
{
	struct sk_buff *reply;
	void *header;
	int ret;

	reply = obs_nl_reply_begin(info, OBSRING_CMD_INFO_GET, NLMSG_GOODSIZE, &header);
	if (!reply)
		return -ENOMEM;
	mutex_lock(&obs_registry_mutex);
	ret = fill_info(reply) ?: fill_source_names(reply);
	mutex_unlock(&obs_registry_mutex);
	return obs_nl_reply_end(info, reply, header, ret);
}

static int fill_state(struct sk_buff *skb, const void *unused)
{
	return nla_put_u32(skb, OBSRING_A_STATE, obs_header->state);
}

static int state_set(struct sk_buff *skb, struct genl_info *info)
{
	int ret = obs_nl_check_privileged(skb, info->extack);

	if (ret)
		return ret;
	if (!info->attrs[OBSRING_A_STATE])
		return obs_nl_missing(info->extack, "attribute state is missing");
	/* Two at a time are told in the order in which they are done. */
	mutex_lock(&obs_registry_mutex);
	obs_chardev_set_state(nla_get_u32(info->attrs[OBSRING_A_STATE]));
	obs_netlink_ntf(OBSRING_CMD_STATE_NTF, fill_state, NULL);
	mutex_unlock(&obs_registry_mutex);
	return 0;
}

/* ---- Events -------------------------------------------------------------- */

void obs_netlink_ntf(enum obsring_cmd cmd,
		     int (*fill)(struct sk_buff *skb, const void *object),
		     const void *object)
{
	struct sk_buff *skb;
	void *header;

	if (!READ_ONCE(registered) ||
	    !genl_has_listeners(&obs_nl_family, &init_net, GROUP_EVENTS))
		return;
	skb = genlmsg_new(OBS_FAMILY_MSG_SIZE, GFP_KERNEL);
	if (!skb)
		goto lost;
	header = genlmsg_put(skb, 0, 0, &obs_nl_family, 0, cmd);
	if (!header || fill(skb, object)) {
		nlmsg_free(skb);
		goto lost;
	}
	genlmsg_end(skb, header);
	genlmsg_multicast(&obs_nl_family, skb, 0, GROUP_EVENTS, GFP_KERNEL);
	return;
lost:
	/* Listeners see ENOBUFS, and read anew. */
	genl_set_err(&obs_nl_family, &init_net, 0, GROUP_EVENTS, -ENOBUFS);
}

static int fill_family(struct sk_buff *skb, const void *object)
{
	return obs_fill_family(skb, object);
}

static int fill_series(struct sk_buff *skb, const void *object)
{
	return obs_fill_series(skb, object);
}

void obs_netlink_family_ntf(enum obsring_cmd cmd, const struct obs_family *family)
{
	obs_netlink_ntf(cmd, fill_family, family);
}

void obs_netlink_series_ntf(enum obsring_cmd cmd, const struct obs_series *series)
{
	obs_netlink_ntf(cmd, fill_series, series);
}

/* ---- The family ---------------------------------------------------------- */

#define OP(_cmd, _policy) \
	.cmd = OBSRING_CMD_##_cmd, .policy = (_policy), \
	.maxattr = ARRAY_SIZE(_policy) - 1

static const struct genl_ops ops[] = {
	{ OP(INFO_GET, none_policy), .doit = info_get },
	{ OP(STATE_SET, state_policy), .doit = state_set },
	{ OP(FAMILY_GET, family_get_policy), .doit = obs_nl_family_get,
	  .start = obs_nl_family_dump_start, .dumpit = obs_nl_family_dump },
	{ OP(FAMILY_NEW, family_new_policy), .doit = obs_nl_family_new },
	{ OP(FAMILY_DEL, name_policy), .doit = obs_nl_family_del },
	{ OP(SERIES_GET, series_get_policy), .doit = obs_nl_series_get,
	  .start = obs_nl_series_dump_start, .dumpit = obs_nl_series_dump },
	{ OP(SERIES_NEW, series_policy), .doit = obs_nl_series_new },
	{ OP(SERIES_DEL, series_policy), .doit = obs_nl_series_del },
	{ OP(SERIES_UPDATE, update_policy), .doit = obs_nl_series_update },
	{ OP(SOURCE_GET, source_get_policy), .doit = obs_nl_source_get,
	  .start = obs_nl_source_dump_start, .dumpit = obs_nl_source_dump },
	{ OP(SOURCE_SET, source_set_policy), .doit = obs_nl_source_set },
	{ OP(PROBE_GET, probe_get_policy), .start = obs_nl_dump_start,
	  .dumpit = obs_nl_probe_dump },
	{ OP(PROBE_NEW, probe_new_policy), .doit = obs_nl_probe_new },
	{ OP(PROBE_DEL, name_policy), .doit = obs_nl_probe_del },
	{ OP(LOG_GET, log_get_policy), .start = obs_nl_dump_start,
	  .dumpit = obs_nl_log_dump },
	{ OP(LOG_SET, log_set_policy), .doit = obs_nl_log_set },
	{ OP(SAMPLE_GET, sample_get_policy), .start = obs_nl_dump_start,
	  .dumpit = obs_nl_sample_dump },
	{ OP(SAMPLE_SET, sample_set_policy), .doit = obs_nl_sample_set },
	{ OP(SAMPLE_DEL, sample_del_policy), .doit = obs_nl_sample_del },
	{ OP(SERVICE_GET, service_get_policy), .start = obs_nl_dump_start,
	  .dumpit = obs_nl_service_dump },
	{ OP(SERVICE_SET, service_set_policy), .doit = obs_nl_service_set },
	{ OP(SERVICE_DEL, service_del_policy), .doit = obs_nl_service_del },
};

struct genl_family obs_nl_family = {
	.name = OBSRING_GENL_NAME,
	.version = OBSRING_GENL_VERSION,
	.module = THIS_MODULE,
	.parallel_ops = true,	/* the registry has its own mutex */
	.ops = ops,
	.n_ops = ARRAY_SIZE(ops),
	.mcgrps = groups,
	.n_mcgrps = ARRAY_SIZE(groups),
};

int obs_netlink_init(void)
{
	int ret = genl_register_family(&obs_nl_family);

	if (!ret)
		WRITE_ONCE(registered, true);
	return ret;
}

/*
 * A source's worker may still make series, and tell so: not after this, because
 * it does under the registry's mutex. Requests are waited for.
 */
void obs_netlink_exit(void)
{
	mutex_lock(&obs_registry_mutex);
	WRITE_ONCE(registered, false);
	mutex_unlock(&obs_registry_mutex);
	genl_unregister_family(&obs_nl_family);
}
