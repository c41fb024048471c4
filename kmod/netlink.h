/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The generic netlink family: include/netlink/obsring.yaml describes what it
 * says, <linux/obsring.h> who may ask.
 */
#ifndef OBSRING_NETLINK_H
#define OBSRING_NETLINK_H

#include <linux/skbuff.h>

#include "metric.h"

struct obs_sample_spec;
struct obs_source;

int obs_netlink_init(void);
void obs_netlink_exit(void);

/* Tell the group "events". Under the registry's mutex. */
void obs_netlink_family_ntf(enum obsring_cmd cmd, const struct obs_family *family);
void obs_netlink_series_ntf(enum obsring_cmd cmd, const struct obs_series *series);

/*
 * Likewise, for other objects, which @fill puts into the message: under the
 * mutex that orders their changes.
 */
void obs_netlink_ntf(enum obsring_cmd cmd,
		     int (*fill)(struct sk_buff *skb, const void *object),
		     const void *object);

/* netlink_fill.c: put an object into a message; -EMSGSIZE if it is full. */
int obs_fill_family(struct sk_buff *skb, const struct obs_family *family);
int obs_fill_series(struct sk_buff *skb, const struct obs_series *series);
int obs_fill_value(struct sk_buff *skb, const struct obs_series *series);
int obs_fill_source(struct sk_buff *skb, const void *source);
int obs_fill_probe_spec(struct sk_buff *skb, const void *spec);
int obs_fill_sample(struct sk_buff *skb, const struct obs_sample_spec *spec);

/*
 * Put rows into a message from @cpu on, as many as fit. Returns the first CPU
 * that did not, OBS_ROWS_END after the last, -EMSGSIZE if not one did. Row nr_cpu_ids
 * is everyone's.
 */
#define OBS_ROWS_END	((u32)nr_cpu_ids + 1)
int obs_fill_rows(struct sk_buff *skb, const struct obs_series *series, u32 cpu);

#endif /* OBSRING_NETLINK_H */
