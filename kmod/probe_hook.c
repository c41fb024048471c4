// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a probe is set on, and what runs when it is hit.
 *
 * A hit bumps per-CPU words and perhaps reads the clock, whatever the context:
 * nothing here can be hit by its own work again and again, so there is no guard
 * to take. A function that our update path calls may be probed; a kprobe that
 * is hit within another one is not run by the kernel, and counted as missed.
 * Functions of obsring itself are refused.
 *
 * A tracepoint's prototype is not known here: its probe takes the first argument
 * of every probe, our own pointer, and leaves the others alone, which both
 * calling conventions allow. Kernels that check the types of indirect calls
 * (kCFI) would stop there, so tracepoints are refused on them.
 */
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/netlink.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/trace_events.h>
#include <linux/tracepoint.h>

#include "compat.h"
#include "probe.h"
#include "probe_hook.h"

/*
 * Calls of a kretprobe's function that may be under way at once; more are
 * missed. 512 of them take 48 KiB.
 */
#define MAXACTIVE	512

/* ---- Hits: any context --------------------------------------------------- */

/*
 * One of N, by each CPU's own countdown. A hit that interrupts between the two
 * updates is sampled as well, and its N is added too, so that over time exactly
 * one of N is.
 */
static notrace bool sampled(struct obs_probe *probe)
{
	bool taken;

	if (!probe->countdown)
		return true;
	preempt_disable_notrace();
	taken = this_cpu_dec_return(*probe->countdown) <= 0;
	if (taken)
		this_cpu_add(*probe->countdown, probe->sample);
	preempt_enable_notrace();
	return taken;
}

NOKPROBE_SYMBOL(sampled);

static notrace void hit(struct obs_probe *probe)
{
	obs_counter_inc(&probe->hits);
	if (sampled(probe))
		obs_counter_add(&probe->counter, probe->sample);
}

NOKPROBE_SYMBOL(hit);

static notrace void tracepoint_hit(void *data)
{
	hit(data);
}

NOKPROBE_SYMBOL(tracepoint_hit);

#ifdef CONFIG_KRETPROBES
static notrace int kprobe_hit(struct kprobe *kp, struct pt_regs *regs)
{
	hit(container_of(kp, struct obs_probe, rp.kp));
	return 0;
}

NOKPROBE_SYMBOL(kprobe_hit);

static notrace int return_hit(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct kretprobe *rp = get_kretprobe(ri);

	if (rp)
		hit(container_of(rp, struct obs_probe, rp));
	return 0;
}

NOKPROBE_SYMBOL(return_hit);

/* Other than 0: the kernel need not stop at this call's return. */
static notrace int call_begin(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct kretprobe *rp = get_kretprobe(ri);
	struct obs_probe *probe = container_of(rp, struct obs_probe, rp);

	if (!rp)
		return 1;
	obs_counter_inc(&probe->hits);
	if (!sampled(probe))
		return 1;
	*(u64 *)ri->data = ktime_get_mono_fast_ns();
	return 0;
}

NOKPROBE_SYMBOL(call_begin);

static notrace int call_end(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct kretprobe *rp = get_kretprobe(ri);
	u64 now = ktime_get_mono_fast_ns();
	u64 begin = *(u64 *)ri->data;

	if (rp)
		obs_histogram_observe(&container_of(rp, struct obs_probe, rp)->histogram,
				      now > begin ? now - begin : 0);
	return 0;
}

NOKPROBE_SYMBOL(call_end);
#endif

/* ---- Tracepoints --------------------------------------------------------- */

struct search {
	const char *name;
	struct tracepoint *tp;
};

static void search_match(struct tracepoint *tp, void *priv)
{
	struct search *search = priv;

	if (!strcmp(tp->name, search->name))
		search->tp = tp;
}

/*
 * By group and name, as in tracefs. Finds those of modules as well: one that goes
 * waits for the probes' mutex before its tracepoints do.
 */
static int event_find(struct obs_probe *probe, struct netlink_ext_ack *extack)
{
#ifdef CONFIG_EVENT_TRACING
	char group[OBSRING_NAME_MAX + 1];
	struct trace_event_file *file;
	char *name;
	int ret = 0;

	if (strscpy(group, probe->target, sizeof(group)) < 0) {
		NL_SET_ERR_MSG(extack, "the target is longer than 127 bytes");
		return -EINVAL;
	}
	name = strchr(group, ':');
	*name++ = '\0';
	file = trace_get_event_file(NULL, group, name);
	if (IS_ERR(file)) {
		NL_SET_ERR_MSG(extack, "this kernel has no tracepoint of that group and name");
		return -ENOENT;
	}
	if (file->event_call->flags & TRACE_EVENT_FL_TRACEPOINT) {
		probe->tp = file->event_call->tp;
	} else {
		NL_SET_ERR_MSG(extack, "that event is no tracepoint of its own; for system calls use raw_syscalls:sys_enter, for functions a kprobe");
		ret = -EINVAL;
	}
	trace_put_event_file(file);
	return ret;
#else
	NL_SET_ERR_MSG(extack, "this kernel has no trace events: name the tracepoint without a group");
	return -EOPNOTSUPP;
#endif
}

static int tracepoint_find(struct obs_probe *probe, struct netlink_ext_ack *extack)
{
	struct search search = { .name = probe->target };

#ifdef OBS_INDIRECT_CALLS_TYPED
	NL_SET_ERR_MSG(extack, "this kernel checks the type of indirect calls (kCFI), so a probe can't be set on any tracepoint");
	return -EOPNOTSUPP;
#endif
	if (strchr(probe->target, ':'))
		return event_find(probe, extack);
	/* Some of the kernel's own tracepoints are no events, and have no group. */
	for_each_kernel_tracepoint(search_match, &search);
	if (!search.tp) {
		NL_SET_ERR_MSG(extack, "this kernel has no tracepoint of that name; those of modules need GROUP:NAME");
		return -ENOENT;
	}
	probe->tp = search.tp;
	return 0;
}

static int tracepoint_hook(struct obs_probe *probe, struct netlink_ext_ack *extack)
{
	int ret = tracepoint_probe_register(probe->tp, tracepoint_hit, probe);

	if (ret)
		NL_SET_ERR_MSG(extack, "the tracepoint could not be hooked");
	return ret;
}

/* ---- Functions ----------------------------------------------------------- */

#ifdef CONFIG_KRETPROBES
static int function_register(struct obs_probe *probe)
{
	struct kprobe *kp = &probe->rp.kp;

	kp->symbol_name = probe->target;
	/* Not before it is known where it is. */
	kp->flags = KPROBE_FLAG_DISABLED;
	if (probe->type == OBSRING_PROBE_KPROBE) {
		kp->pre_handler = kprobe_hit;
		return register_kprobe(kp);
	}
	probe->rp.maxactive = MAXACTIVE;
	if (probe->kind == OBSRING_KIND_HISTOGRAM) {
		probe->rp.data_size = sizeof(u64);
		probe->rp.entry_handler = call_begin;
		probe->rp.handler = call_end;
	} else {
		probe->rp.handler = return_hit;
	}
	return register_kretprobe(&probe->rp);
}

/*
 * Without memory the kernel can't take the function out of ftrace's filter. Then it warns,
 * and has the probe in its tables for ever, without the address by which it would be
 * found: the memory stays, and has nothing in it that could be called.
 */
static void function_unhook(struct obs_probe *probe)
{
	if (probe->type == OBSRING_PROBE_KPROBE)
		unregister_kprobe(&probe->rp.kp);
	else
		unregister_kretprobe(&probe->rp);
	probe->stays = !probe->rp.kp.addr;
	if (probe->stays)
		WRITE_ONCE(probe->rp.kp.pre_handler, NULL);
}

static int function_find(struct obs_probe *probe, struct netlink_ext_ack *extack)
{
	int ret = function_register(probe);

	if (ret == -ENOENT) {
		NL_SET_ERR_MSG(extack, "this kernel has no such function");
		return ret;
	}
	if (ret == -ENOMEM)
		return ret;
	if (ret) {
		NL_SET_ERR_MSG(extack, "the function can't be probed: the kernel refuses it, or it is no function");
		return -EINVAL;
	}
	if (within_module((unsigned long)probe->rp.kp.addr, THIS_MODULE)) {
		NL_SET_ERR_MSG(extack, "obsring's own functions can't be probed");
		function_unhook(probe);
		return -EINVAL;
	}
	return 0;
}

static int function_hook(struct obs_probe *probe, struct netlink_ext_ack *extack)
{
	int ret = enable_kprobe(&probe->rp.kp);

	if (ret)
		NL_SET_ERR_MSG(extack, "the probe can't be armed");
	return ret;
}

u32 obs_probe_missed(const struct obs_probe *probe)
{
	return (u32)READ_ONCE(probe->rp.kp.nmissed) + (u32)READ_ONCE(probe->rp.nmissed);
}

static bool function_gone(const struct obs_probe *probe)
{
	return probe->type != OBSRING_PROBE_TRACEPOINT &&
	       probe->rp.kp.flags & KPROBE_FLAG_GONE;
}
#else
static int function_find(struct obs_probe *probe, struct netlink_ext_ack *extack)
{
	NL_SET_ERR_MSG(extack, "this kernel has no kretprobes (CONFIG_KRETPROBES)");
	return -EOPNOTSUPP;
}

static int function_hook(struct obs_probe *probe, struct netlink_ext_ack *extack)
{
	return -EOPNOTSUPP;
}

static void function_unhook(struct obs_probe *probe)
{
}

u32 obs_probe_missed(const struct obs_probe *probe)
{
	return 0;
}

static bool function_gone(const struct obs_probe *probe)
{
	return false;
}
#endif

/* ---- Both ---------------------------------------------------------------- */

int obs_probe_find(struct obs_probe *probe, struct netlink_ext_ack *extack)
{
	if (probe->type == OBSRING_PROBE_TRACEPOINT)
		return tracepoint_find(probe, extack);
	return function_find(probe, extack);
}

void obs_probe_lose(struct obs_probe *probe)
{
	if (probe->type != OBSRING_PROBE_TRACEPOINT)
		function_unhook(probe);
}

int obs_probe_hook(struct obs_probe *probe, struct netlink_ext_ack *extack)
{
	if (probe->type == OBSRING_PROBE_TRACEPOINT)
		return tracepoint_hook(probe, extack);
	return function_hook(probe, extack);
}

void obs_probe_unhook(struct obs_probe *probe)
{
	if (probe->type != OBSRING_PROBE_TRACEPOINT) {
		function_unhook(probe);
		return;
	}
	if (!probe->gone)
		tracepoint_probe_unregister(probe->tp, tracepoint_hit, probe);
	/* Those that run now are done when this returns. */
	tracepoint_synchronize_unregister();
}

bool obs_probe_gone(const struct obs_probe *probe)
{
	return probe->gone || function_gone(probe);
}

void obs_probe_module_going(struct obs_probe *probe, const struct module *module)
{
	if (!probe->tp || probe->gone ||
	    !within_module((unsigned long)probe->tp, module))
		return;
	tracepoint_probe_unregister(probe->tp, tracepoint_hit, probe);
	probe->gone = true;
}
