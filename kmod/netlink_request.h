/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files that answer netlink requests; netlink.c has the table. */
#ifndef OBSRING_NETLINK_REQUEST_H
#define OBSRING_NETLINK_REQUEST_H

#include <net/genetlink.h>

#include "metric.h"

/* Bytes that a message about a family needs, all its texts and bounds. */
#define OBS_FAMILY_MSG_SIZE	SZ_8K

/* netlink.c */
extern struct genl_family obs_nl_family;
extern const struct nla_policy obs_nl_option_policy[];

/*
 * netlink_request.c: who may ask, in the sender's context. 0 or an error, with
 * a sentence.
 */
int obs_nl_check_privileged(struct sk_buff *skb, struct netlink_ext_ack *extack);
int obs_nl_check_reader(struct sk_buff *skb, struct nlattr **attrs,
			struct netlink_ext_ack *extack);

/* -EINVAL, with the sentence @what, a literal. */
int obs_nl_missing(struct netlink_ext_ack *extack, const char *what);

/* A string attribute, NULL if there is none. */
const char *obs_nl_attr_string(struct nlattr *attr);

/* The strings of a repeated attribute, in order; at most @max, else -EINVAL. */
int obs_nl_attr_strings(struct genl_info *info, int type, const char **strings,
			int max);

/* An answer of @size bytes: begun; sent, or freed if @ret is an error. */
struct sk_buff *obs_nl_reply_begin(struct genl_info *info, u8 cmd, size_t size,
				   void **ret_header);
int obs_nl_reply_end(struct genl_info *info, struct sk_buff *skb, void *header,
		     int ret);

/* The start of a dump by readers, see there how it is refused. */
int obs_nl_dump_start(struct netlink_callback *cb);
int obs_nl_dump_start_checked(struct netlink_callback *cb, int ret,
			      const struct netlink_ext_ack *extack);
int obs_nl_dump_refused(struct netlink_callback *cb);

/* Begin a message of a dump. */
void *obs_nl_dump_put(struct sk_buff *skb, struct netlink_callback *cb, u8 cmd);

/*
 * netlink_family.c: the family that a request names, and one that it may
 * change. Under the registry's mutex.
 */
struct obs_family *obs_nl_request_family(struct genl_info *info);
struct obs_family *obs_nl_request_own_family(struct genl_info *info);

int obs_nl_family_get(struct sk_buff *skb, struct genl_info *info);
int obs_nl_family_dump_start(struct netlink_callback *cb);
int obs_nl_family_dump(struct sk_buff *skb, struct netlink_callback *cb);
int obs_nl_family_new(struct sk_buff *skb, struct genl_info *info);
int obs_nl_family_del(struct sk_buff *skb, struct genl_info *info);

/* netlink_series.c */
int obs_nl_series_get(struct sk_buff *skb, struct genl_info *info);
int obs_nl_series_dump_start(struct netlink_callback *cb);
int obs_nl_series_dump(struct sk_buff *skb, struct netlink_callback *cb);
int obs_nl_series_new(struct sk_buff *skb, struct genl_info *info);
int obs_nl_series_del(struct sk_buff *skb, struct genl_info *info);
int obs_nl_series_update(struct sk_buff *skb, struct genl_info *info);

/* netlink_source.c */
int obs_nl_source_get(struct sk_buff *skb, struct genl_info *info);
int obs_nl_source_dump_start(struct netlink_callback *cb);
int obs_nl_source_dump(struct sk_buff *skb, struct netlink_callback *cb);
int obs_nl_source_set(struct sk_buff *skb, struct genl_info *info);
int obs_nl_probe_dump(struct sk_buff *skb, struct netlink_callback *cb);
int obs_nl_probe_new(struct sk_buff *skb, struct genl_info *info);
int obs_nl_probe_del(struct sk_buff *skb, struct genl_info *info);

/* netlink_log.c */
int obs_nl_log_dump(struct sk_buff *skb, struct netlink_callback *cb);
int obs_nl_log_set(struct sk_buff *skb, struct genl_info *info);

/* netlink_sample.c */
int obs_nl_sample_set(struct sk_buff *skb, struct genl_info *info);
int obs_nl_sample_del(struct sk_buff *skb, struct genl_info *info);
int obs_nl_sample_dump(struct sk_buff *skb, struct netlink_callback *cb);

/* netlink_service.c */
int obs_nl_service_dump(struct sk_buff *skb, struct netlink_callback *cb);
int obs_nl_service_set(struct sk_buff *skb, struct genl_info *info);
int obs_nl_service_del(struct sk_buff *skb, struct genl_info *info);

#endif /* OBSRING_NETLINK_REQUEST_H */
