/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Probes: metrics that the administrator ties to a tracepoint or a function at
 * run time. netlink.c asks for them; see probe.c for what is allowed.
 */
#ifndef OBSRING_PROBE_H
#define OBSRING_PROBE_H

#include <linux/types.h>

#include <uapi/linux/obsring.h>

#define OBS_PROBE_SAMPLE_MAX	1048576

struct netlink_ext_ack;

/**
 * struct obs_probe_spec - a probe that is asked for; its strings are copied
 * @name: of the probe and of its metric, which is a family without labels
 * @help: of the metric; NULL or "" for a default
 * @target: tracepoints: "GROUP:NAME" as in tracefs, or the name alone;
 *	else a function, "MODULE:FUNCTION" for one of a module
 * @type: enum obsring_probe_type
 * @kind: OBSRING_KIND_COUNTER, or _HISTOGRAM for a kretprobe; _UNSPEC is the
 *	histogram for a kretprobe, else the counter
 * @sample: 1 to OBS_PROBE_SAMPLE_MAX, 0 is 1. A counter adds N at each Nth hit
 *	of a CPU; a histogram observes each Nth call alone
 */
struct obs_probe_spec {
	const char *name;
	const char *help;
	const char *target;
	u32 type;
	u32 kind;
	u32 sample;
};

/**
 * struct obs_probe_info - a probe that exists
 * @serial: rises with each probe that is made, from 1
 * @name: as in struct obs_probe_spec, also the following four
 * @target: "
 * @type: "
 * @kind: never _UNSPEC
 * @sample: never 0
 * @hits: times that it ran since it was made
 * @missed: times that the kernel could not run it
 * @gone: what it was set on went away with its module: it counts no more
 */
struct obs_probe_info {
	u64 serial;
	const char *name;
	const char *target;
	u32 type;
	u32 kind;
	u32 sample;
	u64 hits;
	u64 missed;
	bool gone;
};

/*
 * Process context, may sleep. @extack receives a sentence, may be NULL.
 *
 * new: -EEXIST for a name that is taken, -ENOENT for a target that this kernel
 * hasn't, -EINVAL for one that can't be probed or a malformed request,
 * -EOPNOTSUPP for a type that this kernel can't do, -EPERM under lockdown,
 * -ENOSPC, -ENOMEM. On failure nothing has changed.
 *
 * del: the metric goes with the probe. -ENOENT.
 *
 * walk: calls @fn for each probe in the order of their making, under the
 * probes' mutex, until it returns other than 0, which is returned.
 */
int obs_probe_new(const struct obs_probe_spec *spec, struct netlink_ext_ack *extack);
int obs_probe_del(const char *name, struct netlink_ext_ack *extack);
int obs_probe_walk(int (*fn)(const struct obs_probe_info *info, void *arg), void *arg);

/* main.c: init after the registry; exit when netlink is gone, before it. */
int obs_probes_init(void);
void obs_probes_exit(void);

#endif /* OBSRING_PROBE_H */
