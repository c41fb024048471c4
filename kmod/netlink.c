// SPDX-License-Identifier: GPL-2.0-only
/*
 * The generic netlink family: policies, who may ask, commands, dumps, events.
 * A request changes all that it asks for, or nothing.
 */
#include <linux/capability.h>
#include <linux/slab.h>
#include <net/genetlink.h>

#include <obsring/name.h>

#include "chardev.h"
#include "compat.h"
#include "main.h"
#include "netlink.h"
#include "probe.h"
#include "source.h"

#define SETTINGS_MAX	16

/* Bytes that a message about a family, or a series without its values, needs. */
#define FAMILY_MSG_SIZE	SZ_8K
#define SERIES_MSG_SIZE	SZ_2K

static struct genl_family obs_genl;
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

static const struct nla_policy option_policy[] = {
	[OBSRING_A_OPTION_KEY] = { .type = NLA_NUL_STRING, .len = 31 },
	[OBSRING_A_OPTION_VALUE] = { .type = NLA_NUL_STRING, .len = 255 },
};

static const struct nla_policy source_set_policy[] = {
	[OBSRING_A_NAME] = NAME_POLICY,
	[OBSRING_A_ENABLED] = NLA_POLICY_MAX(NLA_U8, 1),
	[OBSRING_A_OPTION] = NLA_POLICY_NESTED(option_policy),
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

/* ---- Who may ask --------------------------------------------------------- */

static bool privileged(struct sk_buff *skb)
{
	return netlink_capable(skb, CAP_NET_ADMIN) ||
	       netlink_capable(skb, CAP_SYS_ADMIN);
}

static int check_privileged(struct sk_buff *skb, struct netlink_ext_ack *extack)
{
	if (privileged(skb))
		return 0;
	NL_SET_ERR_MSG(extack, "this needs CAP_NET_ADMIN or CAP_SYS_ADMIN in the initial user namespace");
	return -EPERM;
}

/* In the sender's context: its descriptors are the calling process'. */
static int check_reader(struct sk_buff *skb, struct nlattr **attrs,
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

static int missing(struct netlink_ext_ack *extack, const char *what)
{
	extack->_msg = what;
	return -EINVAL;
}

static const char *attr_string(struct nlattr *attr)
{
	return attr ? nla_data(attr) : NULL;
}

/* The strings of a repeated attribute, in order; at most @max, else -EINVAL. */
static int attr_strings(struct genl_info *info, int type, const char **strings,
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

/* The family that a request names; under the registry's mutex. */
static struct obs_family *request_family(struct genl_info *info)
{
	struct nlattr *name = info->attrs[OBSRING_A_NAME];
	struct obs_family *family;

	if (!name)
		return ERR_PTR(missing(info->extack, "attribute name is missing"));
	family = obs_family_find(nla_data(name));
	if (family)
		return family;
	NL_SET_ERR_MSG_ATTR(info->extack, name, "there is no family of that name");
	return ERR_PTR(-ENOENT);
}

/* The same, for a request that would change it. */
static struct obs_family *request_own_family(struct genl_info *info)
{
	struct obs_family *family = request_family(info);

	if (IS_ERR(family) || family->flags & OBSRING_FAMILY_NETLINK)
		return family;
	NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[OBSRING_A_NAME],
			    "the family belongs to a source, a probe or a kernel module");
	return ERR_PTR(-EBUSY);
}

/* The label values that a request gives, as many as the family has labels. */
static int request_values(struct genl_info *info, const struct obs_family *family,
			  const char **value)
{
	int nr = attr_strings(info, OBSRING_A_LABEL_VALUE, value,
			      OBSRING_LABELS_MAX);

	if (nr < 0)
		return nr;
	if (nr != family->nr_labels)
		return missing(info->extack,
			       "there must be a label-value for each label of the family");
	return 0;
}

static struct obs_series *request_series(struct genl_info *info,
					 struct obs_family *family)
{
	const char *value[OBSRING_LABELS_MAX];
	struct obs_series *series;
	int ret;

	ret = request_values(info, family, value);
	if (ret)
		return ERR_PTR(ret);
	series = obs_series_find(family, value);
	if (series)
		return series;
	NL_SET_ERR_MSG(info->extack, "the family has no series with these label values");
	return ERR_PTR(-ENOENT);
}

static struct sk_buff *reply_begin(struct genl_info *info, u8 cmd, size_t size,
				   void **ret_header)
{
	struct sk_buff *skb = genlmsg_new(size, GFP_KERNEL);

	if (!skb)
		return NULL;
	*ret_header = genlmsg_put_reply(skb, info, &obs_genl, 0, cmd);
	if (*ret_header)
		return skb;
	nlmsg_free(skb);
	return NULL;
}

static int reply_end(struct genl_info *info, struct sk_buff *skb, void *header,
		     int ret)
{
	if (ret) {
		nlmsg_free(skb);
		return ret;
	}
	genlmsg_end(skb, header);
	return genlmsg_reply(skb, info);
}

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
	       nla_put_u64_64bit(skb, OBSRING_A_BYTES, obs_store_value_bytes(),
				 OBSRING_A_PAD) ||
	       nla_put_u64_64bit(skb, OBSRING_A_BYTES_LIMIT, obs_limits.bytes,
				 OBSRING_A_PAD) ||
	       nla_put_u64_64bit(skb, OBSRING_A_DIRECTORY_BYTES,
				 obs_store_directory_bytes(), OBSRING_A_PAD) ||
	       nla_put_u64_64bit(skb, OBSRING_A_REFUSED, refused,
				 OBSRING_A_PAD) ? -EMSGSIZE : 0;
}

static int info_get(struct sk_buff *skb, struct genl_info *info)
{
	struct sk_buff *reply;
	void *header;
	int ret;

	reply = reply_begin(info, OBSRING_CMD_INFO_GET, NLMSG_GOODSIZE, &header);
	if (!reply)
		return -ENOMEM;
	mutex_lock(&obs_registry_mutex);
	ret = fill_info(reply);
	mutex_unlock(&obs_registry_mutex);
	return reply_end(info, reply, header, ret);
}

static int fill_state(struct sk_buff *skb, const void *unused)
{
	return nla_put_u32(skb, OBSRING_A_STATE, obs_header->state);
}

static int state_set(struct sk_buff *skb, struct genl_info *info)
{
	int ret = check_privileged(skb, info->extack);

	if (ret)
		return ret;
	if (!info->attrs[OBSRING_A_STATE])
		return missing(info->extack, "attribute state is missing");
	obs_chardev_set_state(nla_get_u32(info->attrs[OBSRING_A_STATE]));
	obs_netlink_ntf(OBSRING_CMD_STATE_NTF, fill_state, NULL);
	return 0;
}

/* ---- Families ------------------------------------------------------------ */

static int family_get(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr *id = info->attrs[OBSRING_A_FAMILY_ID];
	struct obs_family *family;
	struct sk_buff *reply;
	void *header;
	int ret;

	ret = check_reader(skb, info->attrs, info->extack);
	if (ret)
		return ret;
	reply = reply_begin(info, OBSRING_CMD_FAMILY_GET, FAMILY_MSG_SIZE,
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
		family = request_family(info);
	}
	ret = IS_ERR(family) ? PTR_ERR(family) : obs_fill_family(reply, family);
	mutex_unlock(&obs_registry_mutex);
	return reply_end(info, reply, header, ret);
}

/*
 * A dump's start, which alone is sure to run in the sender's context, can't
 * tell a sentence before Linux 6.3: the dump's first call fails in its place.
 * cb->args[2]: errno, [3]: sentence.
 */
static int dump_start_checked(struct netlink_callback *cb, int ret,
			      const struct netlink_ext_ack *extack)
{
	/* Room for a histogram of all slots, and one of its rows. */
	cb->min_dump_alloc = SZ_16K;
	cb->args[2] = ret;
	cb->args[3] = (long)extack->_msg;
	return 0;
}

static int dump_start(struct netlink_callback *cb)
{
	struct netlink_ext_ack extack = {};
	int ret = check_reader(cb->skb, obs_dump_attrs(cb), &extack);

	return dump_start_checked(cb, ret, &extack);
}

static int dump_refused(struct netlink_callback *cb)
{
	if (cb->args[2] && cb->extack)
		cb->extack->_msg = (const char *)cb->args[3];
	return cb->args[2];
}

static void *dump_put(struct sk_buff *skb, struct netlink_callback *cb, u8 cmd)
{
	return genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq,
			   &obs_genl, NLM_F_MULTI, cmd);
}

/* cb->args[0]: the index to go on with. */
static int family_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	unsigned long index = cb->args[0];
	struct obs_family *family;
	void *header;
	int ret = dump_refused(cb);

	if (ret)
		return ret;
	mutex_lock(&obs_registry_mutex);
	xa_for_each_start(&obs_families, index, family, cb->args[0]) {
		if (family->dead)
			continue;
		header = dump_put(skb, cb, OBSRING_CMD_FAMILY_GET);
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
	if (desc->kind != OBSRING_KIND_HISTOGRAM || nr)
		return 0;
	if (!info->attrs[OBSRING_A_SCHEMA] || !info->attrs[OBSRING_A_MIN_LOG2] ||
	    !info->attrs[OBSRING_A_MAX_LOG2])
		return missing(info->extack, "a histogram needs bounds, or schema, min-log2 and max-log2");
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
		return missing(info->extack, "name, help and kind are needed");
	desc->name = attr_string(attrs[OBSRING_A_NAME]);
	desc->help = attr_string(attrs[OBSRING_A_HELP]);
	desc->unit = attr_string(attrs[OBSRING_A_UNIT]);
	desc->kind = nla_get_u32(attrs[OBSRING_A_KIND]);
	desc->set = attrs[OBSRING_A_SET];
	if (attrs[OBSRING_A_EXP10])
		desc->exp10 = nla_get_s32(attrs[OBSRING_A_EXP10]);
	if (obs_name_reserved(desc->name)) {
		NL_SET_ERR_MSG_ATTR(info->extack, attrs[OBSRING_A_NAME],
				    "names that begin with obsring_ or process_ are reserved");
		return -EINVAL;
	}
	ret = attr_strings(info, OBSRING_A_LABEL_NAME, desc->label,
			   OBSRING_LABELS_MAX);
	return ret < 0 ? ret : request_bounds(info, desc, bounds);
}

static int family_new(struct sk_buff *skb, struct genl_info *info)
{
	struct obs_family_desc desc = {};
	struct obs_family *family;
	struct sk_buff *reply;
	void *header;
	u64 *bounds;
	int ret;

	ret = check_privileged(skb, info->extack);
	if (ret)
		return ret;
	reply = reply_begin(info, OBSRING_CMD_FAMILY_NEW, NLMSG_GOODSIZE, &header);
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
		if (ret == -EAGAIN)
			obs_registry_flush();
	} while (ret == -EAGAIN);
out:
	kfree(bounds);
	return reply_end(info, reply, header, ret);
}

static int family_del(struct sk_buff *skb, struct genl_info *info)
{
	struct obs_family *family;
	int ret;

	ret = check_privileged(skb, info->extack);
	if (ret)
		return ret;
	mutex_lock(&obs_registry_mutex);
	family = request_own_family(info);
	ret = PTR_ERR_OR_ZERO(family);
	if (!ret)
		obs_family_free(family);
	mutex_unlock(&obs_registry_mutex);
	return ret;
}

/* ---- Series -------------------------------------------------------------- */

/* Memory for an answer with @rows rows. */
static size_t series_msg_size(const struct obs_series *series, u32 rows)
{
	size_t slots = max_t(u32, series->slots.nr, 1);

	return 4 * NLMSG_HDRLEN + SERIES_MSG_SIZE +
	       (rows + 1) * (slots * nla_total_size_64bit(sizeof(u64)) +
			     nla_total_size(sizeof(u32)) + NLA_HDRLEN);
}

static u32 series_gen(const struct obs_series *series)
{
	const struct obsring_series *entry =
		obs_region_entry(OBSRING_REGION_SERIES, series->index);

	return entry->gen;
}

static struct obs_series *series_by_id(struct genl_info *info)
{
	struct nlattr *id = info->attrs[OBSRING_A_SERIES_ID];
	struct nlattr *gen = info->attrs[OBSRING_A_GEN];
	struct obs_series *series = xa_load(&obs_series_table, nla_get_u32(id));

	if (series && !series->dead &&
	    (!gen || nla_get_u32(gen) == series_gen(series)))
		return series;
	NL_SET_ERR_MSG_ATTR(info->extack, id, "there is no such series");
	return ERR_PTR(-ENOENT);
}

static int series_answer(struct genl_info *info, struct obs_series *series)
{
	bool rows = info->attrs[OBSRING_A_PER_CPU];
	size_t size = series_msg_size(series, rows ? num_possible_cpus() : 0);
	struct sk_buff *reply;
	void *header;
	int ret;

	if (size > SZ_1M) {
		NL_SET_ERR_MSG(info->extack, "the rows of all CPUs exceed one message: dump the family");
		return -EMSGSIZE;
	}
	reply = reply_begin(info, OBSRING_CMD_SERIES_GET, size, &header);
	if (!reply)
		return -ENOMEM;
	ret = obs_fill_series(reply, series);
	if (!ret)
		ret = obs_fill_value(reply, series);
	if (!ret && rows && obs_fill_rows(reply, series, 0) != nr_cpu_ids)
		ret = -EMSGSIZE;
	return reply_end(info, reply, header, ret);
}

static int series_get(struct sk_buff *skb, struct genl_info *info)
{
	struct obs_family *family;
	struct obs_series *series;
	int ret;

	ret = check_reader(skb, info->attrs, info->extack);
	if (ret)
		return ret;
	mutex_lock(&obs_registry_mutex);
	if (info->attrs[OBSRING_A_SERIES_ID]) {
		series = series_by_id(info);
	} else {
		family = request_family(info);
		series = IS_ERR(family) ? ERR_CAST(family) :
					  request_series(info, family);
	}
	ret = IS_ERR(series) ? PTR_ERR(series) : series_answer(info, series);
	mutex_unlock(&obs_registry_mutex);
	return ret;
}

/*
 * A series as one message, or, if its rows are too many, as several that repeat
 * everything but the value. @cpu: the row to go on with, updated.
 */
static int series_dump_one(struct sk_buff *skb, struct netlink_callback *cb,
			   const struct obs_series *series, bool rows, u32 *cpu)
{
	void *header;
	int ret;

	do {
		header = dump_put(skb, cb, OBSRING_CMD_SERIES_GET);
		if (!header)
			return -EMSGSIZE;
		ret = obs_fill_series(skb, series);
		if (!ret && !*cpu)
			ret = obs_fill_value(skb, series);
		if (!ret && rows)
			ret = obs_fill_rows(skb, series, *cpu);
		if (ret < 0) {
			genlmsg_cancel(skb, header);
			return ret;
		}
		genlmsg_end(skb, header);
		*cpu = ret;
	} while (rows && *cpu < nr_cpu_ids);
	*cpu = 0;
	return 0;
}

static int series_dump_start(struct netlink_callback *cb)
{
	struct nlattr **attrs = obs_dump_attrs(cb);
	struct netlink_ext_ack extack = {};

	if (!attrs[OBSRING_A_SERIES_ID] && !attrs[OBSRING_A_GEN] &&
	    !attrs[OBSRING_A_LABEL_VALUE])
		return dump_start(cb);
	NL_SET_ERR_MSG(&extack, "a dump is by name alone");
	return dump_start_checked(cb, -EINVAL, &extack);
}

/*
 * cb->args[0]: the series to go on with, [1]: its row, [4]: its generation. A
 * request for a family that does not exist is an error; one that goes away ends
 * the dump.
 */
static int series_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct nlattr **attrs = obs_dump_attrs(cb);
	const char *name = attr_string(attrs[OBSRING_A_NAME]);
	bool rows = attrs[OBSRING_A_PER_CPU];
	unsigned long index = cb->args[0];
	struct obs_series *series;
	u32 cpu = cb->args[1];
	int ret = dump_refused(cb);

	if (ret)
		return ret;
	mutex_lock(&obs_registry_mutex);
	if (name && !cb->args[0] && !obs_family_find(name)) {
		mutex_unlock(&obs_registry_mutex);
		NL_SET_ERR_MSG(cb->extack, "there is no family of that name");
		return -ENOENT;
	}
	xa_for_each_start(&obs_series_table, index, series, cb->args[0]) {
		if (index != cb->args[0] || series_gen(series) != cb->args[4])
			cpu = 0;
		if (series->dead || (name && strcmp(name, series->family->desc.name)))
			continue;
		ret = series_dump_one(skb, cb, series, rows, &cpu);
		if (ret)
			break;
	}
	if (ret)
		cb->args[4] = series_gen(series);
	mutex_unlock(&obs_registry_mutex);
	cb->args[0] = ret ? index : ULONG_MAX;
	cb->args[1] = cpu;
	return ret && !skb->len ? ret : skb->len;
}

static int series_new(struct sk_buff *skb, struct genl_info *info)
{
	const char *value[OBSRING_LABELS_MAX];
	struct obs_family *family;
	struct obs_series *series;
	struct sk_buff *reply;
	bool new = false;
	void *header;
	int ret;

	ret = check_privileged(skb, info->extack);
	if (ret)
		return ret;
	reply = reply_begin(info, OBSRING_CMD_SERIES_NEW, NLMSG_GOODSIZE, &header);
	if (!reply)
		return -ENOMEM;
	do {
		mutex_lock(&obs_registry_mutex);
		family = request_own_family(info);
		ret = PTR_ERR_OR_ZERO(family);
		if (!ret)
			ret = request_values(info, family, value);
		if (!ret)
			ret = obs_series_get(family, value, info->extack,
					     &series, &new);
		if (!ret && !new) {
			NL_SET_ERR_MSG(info->extack, "the series exists");
			ret = -EEXIST;
		}
		if (!ret)
			ret = nla_put_u32(reply, OBSRING_A_SERIES_ID,
					  series->index);
		mutex_unlock(&obs_registry_mutex);
		if (ret == -EAGAIN)
			obs_registry_flush();
	} while (ret == -EAGAIN);
	return reply_end(info, reply, header, ret);
}

static int series_del(struct sk_buff *skb, struct genl_info *info)
{
	struct obs_family *family;
	struct obs_series *series;
	int ret;

	ret = check_privileged(skb, info->extack);
	if (ret)
		return ret;
	mutex_lock(&obs_registry_mutex);
	family = request_own_family(info);
	series = IS_ERR(family) ? ERR_CAST(family) : request_series(info, family);
	ret = PTR_ERR_OR_ZERO(series);
	if (!ret && series->flags & OBSRING_SERIES_OVERFLOW) {
		NL_SET_ERR_MSG(info->extack, "an overflow series goes with its family");
		ret = -EBUSY;
	}
	if (!ret)
		obs_series_free(series);
	mutex_unlock(&obs_registry_mutex);
	return ret;
}

static void series_apply(struct obs_series *series, s64 value)
{
	const struct obs_family *family = series->family;
	u64 __percpu *rows;

	if (family->desc.set) {
		WRITE_ONCE(*obs_slots_word(&series->slots), (u64)value);
		return;
	}
	rows = obs_slots_rows(&series->slots);
	if (family->desc.kind == OBSRING_KIND_HISTOGRAM)
		this_cpu_inc(rows[1 + obs_histogram_bucket(&family->layout, value)]);
	this_cpu_add(rows[0], (u64)value);
}

static int series_update(struct sk_buff *skb, struct genl_info *info)
{
	struct obs_family *family;
	struct obs_series *series;
	int ret;

	ret = check_privileged(skb, info->extack);
	if (ret)
		return ret;
	if (!info->attrs[OBSRING_A_VALUE])
		return missing(info->extack, "attribute value is missing");
	mutex_lock(&obs_registry_mutex);
	family = request_own_family(info);
	series = IS_ERR(family) ? ERR_CAST(family) : request_series(info, family);
	ret = PTR_ERR_OR_ZERO(series);
	if (!ret && family->desc.kind == OBSRING_KIND_INFO) {
		NL_SET_ERR_MSG(info->extack, "an info series has no value to change");
		ret = -EINVAL;
	}
	if (!ret && family->desc.kind != OBSRING_KIND_GAUGE &&
	    nla_get_s64(info->attrs[OBSRING_A_VALUE]) < 0) {
		NL_SET_ERR_MSG_ATTR(info->extack, info->attrs[OBSRING_A_VALUE],
				    "only gauges take negative numbers");
		ret = -EINVAL;
	}
	if (!ret)
		series_apply(series, nla_get_s64(info->attrs[OBSRING_A_VALUE]));
	mutex_unlock(&obs_registry_mutex);
	return ret;
}

/* ---- Sources ------------------------------------------------------------- */

static struct obs_source *request_source(struct genl_info *info)
{
	struct nlattr *name = info->attrs[OBSRING_A_NAME];
	struct obs_source *source;

	if (!name)
		return ERR_PTR(missing(info->extack, "attribute name is missing"));
	source = obs_source_find(nla_data(name));
	if (source)
		return source;
	NL_SET_ERR_MSG_ATTR(info->extack, name, "there is no source of that name");
	return ERR_PTR(-ENOENT);
}

static int source_get(struct sk_buff *skb, struct genl_info *info)
{
	struct obs_source *source = request_source(info);
	struct sk_buff *reply;
	void *header;
	int ret;

	if (IS_ERR(source))
		return PTR_ERR(source);
	reply = reply_begin(info, OBSRING_CMD_SOURCE_GET, NLMSG_GOODSIZE, &header);
	if (!reply)
		return -ENOMEM;
	mutex_lock(&obs_sources_mutex);
	ret = obs_fill_source(reply, source);
	mutex_unlock(&obs_sources_mutex);
	return reply_end(info, reply, header, ret);
}

static int source_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct obs_source *source;
	void *header;
	int ret = 0;

	mutex_lock(&obs_sources_mutex);
	while (!ret && (source = obs_source_at(cb->args[0]))) {
		header = dump_put(skb, cb, OBSRING_CMD_SOURCE_GET);
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

static int request_settings(struct genl_info *info, struct obs_setting *settings)
{
	struct nlattr *tb[OBSRING_A_OPTION_VALUE + 1];
	struct nlattr *attr;
	int rem, ret, nr = 0;

	nlmsg_for_each_attr(attr, info->nlhdr, GENL_HDRLEN, rem) {
		if (nla_type(attr) != OBSRING_A_OPTION)
			continue;
		ret = nla_parse_nested(tb, OBSRING_A_OPTION_VALUE, attr,
				       option_policy, info->extack);
		if (ret)
			return ret;
		if (nr == SETTINGS_MAX || !tb[OBSRING_A_OPTION_KEY] ||
		    !tb[OBSRING_A_OPTION_VALUE]) {
			NL_SET_ERR_MSG_ATTR(info->extack, attr,
					    "an option needs a key and a value; at most 16 options");
			return -EINVAL;
		}
		settings[nr].key = nla_data(tb[OBSRING_A_OPTION_KEY]);
		settings[nr].value = nla_data(tb[OBSRING_A_OPTION_VALUE]);
		nr++;
	}
	return nr;
}

static int source_set(struct sk_buff *skb, struct genl_info *info)
{
	struct obs_setting settings[SETTINGS_MAX];
	struct obs_source *source;
	int ret;

	ret = check_privileged(skb, info->extack);
	if (ret)
		return ret;
	source = request_source(info);
	if (IS_ERR(source))
		return PTR_ERR(source);
	if (!info->attrs[OBSRING_A_ENABLED])
		return missing(info->extack, "attribute enabled is missing");
	ret = request_settings(info, settings);
	if (ret < 0)
		return ret;
	return obs_source_set(source, nla_get_u8(info->attrs[OBSRING_A_ENABLED]),
			      settings, ret, info->extack);
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
 * @cb: of the dump; args[0] is the number of probes told already
 * @at: number of the next probe that the walk meets
 */
struct probe_dump {
	struct sk_buff *skb;
	struct netlink_callback *cb;
	long at;
};

static int probe_dump_one(const struct obs_probe_info *probe, void *arg)
{
	struct probe_dump *dump = arg;
	void *header;

	if (dump->at++ < dump->cb->args[0])
		return 0;
	header = dump_put(dump->skb, dump->cb, OBSRING_CMD_PROBE_GET);
	if (!header)
		return -EMSGSIZE;
	if (fill_probe(dump->skb, probe)) {
		genlmsg_cancel(dump->skb, header);
		return -EMSGSIZE;
	}
	genlmsg_end(dump->skb, header);
	dump->cb->args[0]++;
	return 0;
}

static int probe_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct probe_dump dump = { .skb = skb, .cb = cb };
	int ret = dump_refused(cb);

	if (ret)
		return ret;
	ret = obs_probe_walk(probe_dump_one, &dump);
	return ret && !skb->len ? ret : skb->len;
}

static int fill_probe_spec(struct sk_buff *skb, const void *object)
{
	const struct obs_probe_spec *spec = object;

	return nla_put_string(skb, OBSRING_A_NAME, spec->name) ||
	       (spec->target &&
		(nla_put_string(skb, OBSRING_A_PROBE_TARGET, spec->target) ||
		 nla_put_u32(skb, OBSRING_A_PROBE_TYPE, spec->type))) ?
	       -EMSGSIZE : 0;
}

static int probe_new(struct sk_buff *skb, struct genl_info *info)
{
	struct nlattr **attrs = info->attrs;
	struct obs_probe_spec spec = {
		.name = attr_string(attrs[OBSRING_A_NAME]),
		.help = attr_string(attrs[OBSRING_A_HELP]),
		.target = attr_string(attrs[OBSRING_A_PROBE_TARGET]),
	};
	int ret;

	ret = check_privileged(skb, info->extack);
	if (ret)
		return ret;
	if (!spec.name || !spec.target || !attrs[OBSRING_A_PROBE_TYPE])
		return missing(info->extack, "name, probe-type and probe-target are needed");
	spec.type = nla_get_u32(attrs[OBSRING_A_PROBE_TYPE]);
	if (attrs[OBSRING_A_KIND])
		spec.kind = nla_get_u32(attrs[OBSRING_A_KIND]);
	if (attrs[OBSRING_A_SAMPLE])
		spec.sample = nla_get_u32(attrs[OBSRING_A_SAMPLE]);
	ret = obs_probe_new(&spec, info->extack);
	if (!ret)
		obs_netlink_ntf(OBSRING_CMD_PROBE_NEW_NTF, fill_probe_spec, &spec);
	return ret;
}

static int probe_del(struct sk_buff *skb, struct genl_info *info)
{
	struct obs_probe_spec spec = {
		.name = attr_string(info->attrs[OBSRING_A_NAME]),
	};
	int ret;

	ret = check_privileged(skb, info->extack);
	if (ret)
		return ret;
	if (!spec.name)
		return missing(info->extack, "attribute name is missing");
	ret = obs_probe_del(spec.name, info->extack);
	if (!ret)
		obs_netlink_ntf(OBSRING_CMD_PROBE_DEL_NTF, fill_probe_spec, &spec);
	return ret;
}

/* ---- Events -------------------------------------------------------------- */

void obs_netlink_ntf(enum obsring_cmd cmd,
		     int (*fill)(struct sk_buff *skb, const void *object),
		     const void *object)
{
	struct sk_buff *skb;
	void *header;

	if (!READ_ONCE(registered) ||
	    !genl_has_listeners(&obs_genl, &init_net, GROUP_EVENTS))
		return;
	skb = genlmsg_new(FAMILY_MSG_SIZE, GFP_KERNEL);
	if (!skb)
		goto lost;
	header = genlmsg_put(skb, 0, 0, &obs_genl, 0, cmd);
	if (!header || fill(skb, object)) {
		nlmsg_free(skb);
		goto lost;
	}
	genlmsg_end(skb, header);
	genlmsg_multicast(&obs_genl, skb, 0, GROUP_EVENTS, GFP_KERNEL);
	return;
lost:
	/* Listeners see ENOBUFS, and read anew. */
	genl_set_err(&obs_genl, &init_net, 0, GROUP_EVENTS, -ENOBUFS);
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
	{ OP(FAMILY_GET, family_get_policy), .doit = family_get,
	  .start = dump_start, .dumpit = family_dump },
	{ OP(FAMILY_NEW, family_new_policy), .doit = family_new },
	{ OP(FAMILY_DEL, name_policy), .doit = family_del },
	{ OP(SERIES_GET, series_get_policy), .doit = series_get,
	  .start = series_dump_start, .dumpit = series_dump },
	{ OP(SERIES_NEW, series_policy), .doit = series_new },
	{ OP(SERIES_DEL, series_policy), .doit = series_del },
	{ OP(SERIES_UPDATE, update_policy), .doit = series_update },
	{ OP(SOURCE_GET, name_policy), .doit = source_get,
	  .dumpit = source_dump },
	{ OP(SOURCE_SET, source_set_policy), .doit = source_set },
	{ OP(PROBE_GET, probe_get_policy), .start = dump_start,
	  .dumpit = probe_dump },
	{ OP(PROBE_NEW, probe_new_policy), .doit = probe_new },
	{ OP(PROBE_DEL, name_policy), .doit = probe_del },
};

static struct genl_family obs_genl = {
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
	int ret = genl_register_family(&obs_genl);

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
	genl_unregister_family(&obs_genl);
}
