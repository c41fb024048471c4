// SPDX-License-Identifier: GPL-2.0-only
/* Requests about series and their values. */
#include <net/genetlink.h>

#include "compat.h"
#include "netlink.h"
#include "netlink_request.h"

/* Bytes that a message about a series needs besides its values. */
#define SERIES_MSG_SIZE	SZ_2K

/* The label values that a request gives, as many as the family has labels. */
static int request_values(struct genl_info *info, const struct obs_family *family,
			  const char **value)
{
	int nr = obs_nl_attr_strings(info, OBSRING_A_LABEL_VALUE, value,
			      OBSRING_LABELS_MAX);

	if (nr < 0)
		return nr;
	if (nr != family->nr_labels)
		return obs_nl_missing(info->extack,
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
	size_t size = series_msg_size(series, rows ? num_possible_cpus() + 1 : 0);
	struct sk_buff *reply;
	void *header;
	int ret;

	if (size > SZ_1M) {
		NL_SET_ERR_MSG(info->extack, "the rows of all CPUs exceed one message: dump the family");
		return -EMSGSIZE;
	}
	reply = obs_nl_reply_begin(info, OBSRING_CMD_SERIES_GET, size, &header);
	if (!reply)
		return -ENOMEM;
	ret = obs_fill_series(reply, series);
	if (!ret)
		ret = obs_fill_value(reply, series);
	if (!ret && rows && obs_fill_rows(reply, series, 0) != OBS_ROWS_END)
		ret = -EMSGSIZE;
	return obs_nl_reply_end(info, reply, header, ret);
}

int obs_nl_series_get(struct sk_buff *skb, struct genl_info *info)
{
	struct obs_family *family;
	struct obs_series *series;
	int ret;

	ret = obs_nl_check_reader(skb, info->attrs, info->extack);
	if (ret)
		return ret;
	if (info->attrs[OBSRING_A_SERIES_ID] ?
	    info->attrs[OBSRING_A_NAME] || info->attrs[OBSRING_A_LABEL_VALUE] :
	    !!info->attrs[OBSRING_A_GEN])
		return obs_nl_missing(info->extack,
				      "a series is named by series-id and gen, or by name and label-value");
	mutex_lock(&obs_registry_mutex);
	if (info->attrs[OBSRING_A_SERIES_ID]) {
		series = series_by_id(info);
	} else {
		family = obs_nl_request_family(info);
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
		header = obs_nl_dump_put(skb, cb, OBSRING_CMD_SERIES_GET);
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
	} while (rows && *cpu < OBS_ROWS_END);
	*cpu = 0;
	return 0;
}

int obs_nl_series_dump_start(struct netlink_callback *cb)
{
	struct nlattr **attrs = obs_dump_attrs(cb);
	struct netlink_ext_ack extack = {};

	if (!attrs[OBSRING_A_SERIES_ID] && !attrs[OBSRING_A_GEN] &&
	    !attrs[OBSRING_A_LABEL_VALUE])
		return obs_nl_dump_start(cb);
	NL_SET_ERR_MSG(&extack, "a dump is by name alone");
	return obs_nl_dump_start_checked(cb, -EINVAL, &extack);
}

/*
 * cb->args[0]: the series to go on with, [1]: its row, [4]: its generation. A
 * request for a family that does not exist is an error; one that goes away ends
 * the dump.
 */
int obs_nl_series_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct nlattr **attrs = obs_dump_attrs(cb);
	const char *name = obs_nl_attr_string(attrs[OBSRING_A_NAME]);
	bool rows = attrs[OBSRING_A_PER_CPU];
	unsigned long index = cb->args[0];
	struct obs_series *series;
	u32 cpu = cb->args[1];
	int ret = obs_nl_dump_refused(cb);

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

int obs_nl_series_new(struct sk_buff *skb, struct genl_info *info)
{
	const char *value[OBSRING_LABELS_MAX];
	struct obs_family *family;
	struct obs_series *series;
	struct sk_buff *reply;
	bool new = false;
	void *header;
	int ret;

	ret = obs_nl_check_privileged(skb, info->extack);
	if (ret)
		return ret;
	reply = obs_nl_reply_begin(info, OBSRING_CMD_SERIES_NEW, NLMSG_GOODSIZE, &header);
	if (!reply)
		return -ENOMEM;
	do {
		mutex_lock(&obs_registry_mutex);
		family = obs_nl_request_own_family(info);
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
	} while (obs_registry_again(&ret));
	return obs_nl_reply_end(info, reply, header, ret);
}

int obs_nl_series_del(struct sk_buff *skb, struct genl_info *info)
{
	struct obs_family *family;
	struct obs_series *series;
	int ret;

	ret = obs_nl_check_privileged(skb, info->extack);
	if (ret)
		return ret;
	mutex_lock(&obs_registry_mutex);
	family = obs_nl_request_own_family(info);
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

int obs_nl_series_update(struct sk_buff *skb, struct genl_info *info)
{
	struct obs_family *family;
	struct obs_series *series;
	int ret;

	ret = obs_nl_check_privileged(skb, info->extack);
	if (ret)
		return ret;
	if (!info->attrs[OBSRING_A_VALUE])
		return obs_nl_missing(info->extack, "attribute value is missing");
	mutex_lock(&obs_registry_mutex);
	family = obs_nl_request_own_family(info);
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
