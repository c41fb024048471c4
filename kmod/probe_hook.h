/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A probe, shared by probe.c, which makes and lists it, and probe_hook.c, which
 * sets it on something. All but hits is under probe.c's mutex.
 */
#ifndef OBSRING_PROBE_HOOK_H
#define OBSRING_PROBE_HOOK_H

#include <linux/kprobes.h>
#include <linux/list.h>
#include <linux/types.h>

#include <linux/obsring.h>

struct netlink_ext_ack;

/**
 * struct obs_probe - a probe
 * @node: in the list of probes, in order of their making
 * @serial: rises with each probe that is made, from 1
 * @name: of probe and metric
 * @target: what was asked for
 * @type: enum obsring_probe_type
 * @kind: OBSRING_KIND_COUNTER or _HISTOGRAM
 * @sample: one of so many
 * @countdown: hits of a CPU until the next one that is taken; NULL: all are
 * @hits: times it ran
 * @missed: times it could not run; brought up to date by missed_update()
 * @missed_told: what of the kernel's count is in @missed
 * @counter: the metric, or
 * @histogram: the metric
 * @family: the metric's
 * @tp: tracepoint
 * @rp: kretprobe, or its kprobe alone
 * @gone: the tracepoint's module went
 * @stays: the kernel could not take the kprobe out of its tables
 */
struct obs_probe {
	struct list_head node;
	u64 serial;
	char *name;
	char *target;
	u32 type;
	u32 kind;
	u32 sample;
	s32 __percpu *countdown;
	struct obs_counter hits;
	struct obs_counter missed;
	u32 missed_told;
	struct obs_counter counter;
	struct obs_histogram histogram;
	struct obs_family *family;
	struct tracepoint *tp;
#ifdef CONFIG_KRETPROBES
	struct kretprobe rp;
#endif
	bool gone;
	bool stays;
};

/*
 * Find the probe's target, and whether it can be probed: -ENOENT, -EINVAL,
 * -EOPNOTSUPP, -ENOMEM, with a sentence in @extack. What was found is hooked or
 * lost before the mutex is released.
 */
int obs_probe_find(struct obs_probe *probe, struct netlink_ext_ack *extack);
void obs_probe_lose(struct obs_probe *probe);

/* Set the probe on what was found. An error, with a sentence: it is not set. */
int obs_probe_hook(struct obs_probe *probe, struct netlink_ext_ack *extack);

/* It is hit no more when this returns. */
void obs_probe_unhook(struct obs_probe *probe);

/* Hits that the kernel could not deliver since obs_probe_hook(), modulo 2^32. */
u32 obs_probe_missed(const struct obs_probe *probe);

/* What it was set on went away with its module. */
bool obs_probe_gone(const struct obs_probe *probe);
void obs_probe_module_going(struct obs_probe *probe, const struct module *module);

#endif /* OBSRING_PROBE_HOOK_H */
