// SPDX-License-Identifier: GPL-2.0-only
/*
 * Probes: a metric on any tracepoint, or on any function by a kprobe or
 * kretprobe, made and removed at run time.
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
 *
 * Lockdown: at "integrity" all probes are allowed, as perf and tracefs are. At
 * "confidentiality" none is: a counter on a chosen function or tracepoint tells
 * what the kernel does with its secrets, and the kernel refuses kprobes and
 * tracefs to root for that. Probes that exist by then go on. The sources stay
 * allowed at each level: what they tell is fixed, and aggregated.
 *
 * What is probed may belong to a module. When that goes, the probe stays with
 * what it counted, marked as gone, until it is deleted.
 *
 * Mutexes: a module's tracepoint list (held by the kernel) > probes_mutex > the
 * kernel's event, tracepoint and kprobe mutexes, the registry's.
 */
#include <linux/kprobes.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/netlink.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/trace_events.h>
#include <linux/tracepoint.h>
#include <linux/workqueue.h>

#include <linux/obsring.h>

#include "compat.h"
#include "probe.h"

/*
 * Calls of a kretprobe's function that may be under way at once; more are
 * missed. 512 of them take 48 KiB.
 */
#define MAXACTIVE	512

/**
 * struct probe - a probe
 * @node: in the list of probes, in order of their making
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
 */
struct probe {
	struct list_head node;
	char *name;
	char *target;
	u32 type;
	u32 kind;
	u32 sample;
	s32 __percpu *countdown;
	struct obs_counter hits;
	struct obs_counter missed;
	unsigned long missed_told;
	struct obs_counter counter;
	struct obs_histogram histogram;
	struct obs_family *family;
	struct tracepoint *tp;
#ifdef CONFIG_KRETPROBES
	struct kretprobe rp;
#endif
	bool gone;
};

static DEFINE_MUTEX(probes_mutex);
static LIST_HEAD(probes);

enum { FAMILY_HITS, FAMILY_MISSED };

static struct obs_metric metrics[] = {
	[FAMILY_HITS] = {
		.desc = {
			.name = "obsring_probe_hits_total",
			.help = "Times that a probe ran.",
			.label = { "probe" },
			.kind = OBSRING_KIND_COUNTER,
		},
	},
	[FAMILY_MISSED] = {
		.desc = {
			.name = "obsring_probe_missed_total",
			.help = "Times that the kernel could not run a probe.",
			.label = { "probe" },
			.kind = OBSRING_KIND_COUNTER,
		},
	},
};

/* ---- Hits: any context --------------------------------------------------- */

/*
 * One of N, by each CPU's own countdown. A hit that interrupts between the two
 * updates is sampled as well, and its N is added too, so that over time exactly
 * one of N is.
 */
static notrace bool sampled(struct probe *probe)
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

static notrace void hit(struct probe *probe)
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
	hit(container_of(kp, struct probe, rp.kp));
	return 0;
}
NOKPROBE_SYMBOL(kprobe_hit);

static notrace int return_hit(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct kretprobe *rp = get_kretprobe(ri);

	if (rp)
		hit(container_of(rp, struct probe, rp));
	return 0;
}
NOKPROBE_SYMBOL(return_hit);

/* Other than 0: the kernel need not stop at this call's return. */
static notrace int call_begin(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct kretprobe *rp = get_kretprobe(ri);
	struct probe *probe = container_of(rp, struct probe, rp);

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
		obs_histogram_observe(&container_of(rp, struct probe, rp)->histogram,
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

static int tracepoint_set(struct probe *probe, struct tracepoint *tp,
			  struct netlink_ext_ack *extack)
{
	int ret = tracepoint_probe_register(tp, tracepoint_hit, probe);

	if (ret)
		NL_SET_ERR_MSG(extack, "the tracepoint could not be hooked");
	else
		probe->tp = tp;
	return ret;
}

/* By group and name, as in tracefs. Finds those of modules as well. */
static int event_set(struct probe *probe, struct netlink_ext_ack *extack)
{
#ifdef CONFIG_EVENT_TRACING
	char group[OBSRING_NAME_MAX + 1];
	struct trace_event_file *file;
	char *name;
	int ret;

	if (strscpy(group, probe->target, sizeof(group)) < 0)
		return -EINVAL;
	name = strchr(group, ':');
	*name++ = '\0';
	/* Until it is put back, the event's module stays. */
	file = trace_get_event_file(NULL, group, name);
	if (IS_ERR(file)) {
		NL_SET_ERR_MSG(extack, "this kernel has no tracepoint of that group and name");
		return -ENOENT;
	}
	if (file->event_call->flags & TRACE_EVENT_FL_TRACEPOINT) {
		ret = tracepoint_set(probe, file->event_call->tp, extack);
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

static int tracepoint_hook(struct probe *probe, struct netlink_ext_ack *extack)
{
	struct search search = { .name = probe->target };

#ifdef OBS_INDIRECT_CALLS_TYPED
	NL_SET_ERR_MSG(extack, "this kernel checks the type of indirect calls (kCFI), so a probe can't be set on any tracepoint");
	return -EOPNOTSUPP;
#endif
	if (strchr(probe->target, ':'))
		return event_set(probe, extack);
	/* Some of the kernel's own tracepoints are no events, and have no group. */
	for_each_kernel_tracepoint(search_match, &search);
	if (!search.tp) {
		NL_SET_ERR_MSG(extack, "this kernel has no tracepoint of that name; those of modules need GROUP:NAME");
		return -ENOENT;
	}
	return tracepoint_set(probe, search.tp, extack);
}

/* Called by the kernel for a module's tracepoints, before they go. */
static int module_event(struct notifier_block *nb, unsigned long event, void *data)
{
	struct tp_module *module = data;
	struct probe *probe;

	if (event != MODULE_STATE_GOING)
		return NOTIFY_DONE;
	mutex_lock(&probes_mutex);
	list_for_each_entry(probe, &probes, node) {
		if (!probe->tp || probe->gone ||
		    !within_module((unsigned long)probe->tp, module->mod))
			continue;
		tracepoint_probe_unregister(probe->tp, tracepoint_hit, probe);
		probe->gone = true;
	}
	mutex_unlock(&probes_mutex);
	return NOTIFY_OK;
}

static struct notifier_block module_nb = {
	.notifier_call = module_event,
};

/* ---- Functions ----------------------------------------------------------- */

#ifdef CONFIG_KRETPROBES
static int function_register(struct probe *probe)
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

static void function_unhook(struct probe *probe)
{
	if (probe->type == OBSRING_PROBE_KPROBE)
		unregister_kprobe(&probe->rp.kp);
	else
		unregister_kretprobe(&probe->rp);
}

static int function_hook(struct probe *probe, struct netlink_ext_ack *extack)
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
		ret = -EINVAL;
	} else {
		ret = enable_kprobe(&probe->rp.kp);
		if (ret)
			NL_SET_ERR_MSG(extack, "the probe can't be armed");
	}
	if (ret)
		function_unhook(probe);
	return ret;
}

static unsigned long function_missed(const struct probe *probe)
{
	return probe->rp.kp.nmissed + (unsigned int)probe->rp.nmissed;
}

static bool function_gone(struct probe *probe)
{
	return probe->type != OBSRING_PROBE_TRACEPOINT && kprobe_gone(&probe->rp.kp);
}
#else
static int function_hook(struct probe *probe, struct netlink_ext_ack *extack)
{
	NL_SET_ERR_MSG(extack, "this kernel has no kretprobes (CONFIG_KRETPROBES)");
	return -EOPNOTSUPP;
}

static void function_unhook(struct probe *probe)
{
}

static unsigned long function_missed(const struct probe *probe)
{
	return 0;
}

static bool function_gone(struct probe *probe)
{
	return false;
}
#endif

/* ---- Missed -------------------------------------------------------------- */

static void missed_update(struct probe *probe)
{
	unsigned long missed = function_missed(probe);

	obs_counter_add(&probe->missed, missed - probe->missed_told);
	probe->missed_told = missed;
}

static void missed_work_run(struct work_struct *work);
static DECLARE_DELAYED_WORK(missed_work, missed_work_run);

/* Once a second while there are probes. */
static void missed_work_run(struct work_struct *work)
{
	struct probe *probe;

	mutex_lock(&probes_mutex);
	list_for_each_entry(probe, &probes, node)
		missed_update(probe);
	if (!list_empty(&probes))
		queue_delayed_work(system_power_efficient_wq, &missed_work, HZ);
	mutex_unlock(&probes_mutex);
}

/* ---- Making and removing, under the mutex -------------------------------- */

static struct probe *probe_find(const char *name)
{
	struct probe *probe;

	list_for_each_entry(probe, &probes, node) {
		if (!strcmp(probe->name, name))
			return probe;
	}
	return NULL;
}

static int spec_check(const struct obs_probe_spec *spec, struct netlink_ext_ack *extack)
{
	const char *colon;
	int ret;

	if (spec->type == OBSRING_PROBE_UNSPEC || spec->type > OBSRING_PROBE_MAX) {
		NL_SET_ERR_MSG(extack, "a probe is a tracepoint, a kprobe or a kretprobe");
		return -EINVAL;
	}
	if (spec->sample > OBS_PROBE_SAMPLE_MAX) {
		NL_SET_ERR_MSG(extack, "sample is not 1 to 1048576");
		return -EINVAL;
	}
	if (spec->kind == OBSRING_KIND_HISTOGRAM && spec->type != OBSRING_PROBE_KRETPROBE) {
		NL_SET_ERR_MSG(extack, "only a kretprobe has a duration for a histogram");
		return -EINVAL;
	}
	if (spec->kind != OBSRING_KIND_UNSPEC && spec->kind != OBSRING_KIND_COUNTER &&
	    spec->kind != OBSRING_KIND_HISTOGRAM) {
		NL_SET_ERR_MSG(extack, "a probe's metric is a counter or a histogram");
		return -EINVAL;
	}
	colon = strchr(spec->target, ':');
	if (!*spec->target || colon == spec->target || (colon && !colon[1])) {
		NL_SET_ERR_MSG(extack, "the target is empty, or a half of it is");
		return -EINVAL;
	}
	if (!strncmp(spec->name, "obsring_", 8) || !strncmp(spec->name, "process_", 8)) {
		NL_SET_ERR_MSG(extack, "names that begin with obsring_ or process_ are taken");
		return -EINVAL;
	}
	if (probe_find(spec->name)) {
		NL_SET_ERR_MSG(extack, "a probe has that name");
		return -EEXIST;
	}
	ret = security_locked_down(spec->type == OBSRING_PROBE_TRACEPOINT ?
				   LOCKDOWN_TRACEFS : LOCKDOWN_KPROBES);
	if (ret)
		NL_SET_ERR_MSG(extack, "the kernel's lockdown forbids probes");
	return ret;
}

static bool ends_with(const char *s, const char *end)
{
	size_t len = strlen(s), end_len = strlen(end);

	return len >= end_len && !strcmp(s + len - end_len, end);
}

static int metric_register(struct probe *probe, const char *help,
			   struct netlink_ext_ack *extack)
{
	struct obs_family_desc desc = {
		.name = probe->name,
		.help = help,
		.kind = probe->kind,
	};

	if (probe->kind == OBSRING_KIND_HISTOGRAM) {
		desc.exp10 = -9;
		desc.schema = 3;
		desc.min_log2 = -21;
		desc.max_log2 = 5;
		/* A unit must be the end of the name. */
		if (ends_with(probe->name, "_seconds"))
			desc.unit = "seconds";
	}
	probe->family = obs_family_register(&desc);
	if (!IS_ERR(probe->family))
		return 0;
	switch (PTR_ERR(probe->family)) {
	case -EEXIST:
		NL_SET_ERR_MSG(extack, "a metric has that name, or one that becomes the same");
		break;
	case -EINVAL:
		NL_SET_ERR_MSG(extack, "the name is not 1 to 127 bytes of printable UTF-8, or the help is too long");
		break;
	case -ENOSPC:
		NL_SET_ERR_MSG(extack, "the limits leave no room for the metric");
		break;
	}
	return PTR_ERR(probe->family);
}

static int series_attach(struct probe *probe, struct netlink_ext_ack *extack)
{
	const char * const value[] = { probe->name };
	int ret;

	if (probe->kind == OBSRING_KIND_HISTOGRAM)
		ret = obs_histogram_attach(probe->family, NULL, &probe->histogram);
	else
		ret = obs_counter_attach(probe->family, NULL, &probe->counter);
	if (!ret)
		ret = obs_counter_attach(metrics[FAMILY_HITS].family, value, &probe->hits);
	if (!ret)
		ret = obs_counter_attach(metrics[FAMILY_MISSED].family, value, &probe->missed);
	if (ret)
		NL_SET_ERR_MSG(extack, "the limits leave no room for the probe's series");
	return ret;
}

static int countdown_begin(struct probe *probe)
{
	int cpu;

	if (probe->sample == 1)
		return 0;
	probe->countdown = alloc_percpu(s32);
	if (!probe->countdown)
		return -ENOMEM;
	for_each_possible_cpu(cpu)
		*per_cpu_ptr(probe->countdown, cpu) = probe->sample;
	return 0;
}

static int hook(struct probe *probe, struct netlink_ext_ack *extack)
{
	if (probe->type == OBSRING_PROBE_TRACEPOINT)
		return tracepoint_hook(probe, extack);
	return function_hook(probe, extack);
}

static void unhook(struct probe *probe)
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

/* Not hooked, maybe half-built. */
static void probe_free(struct probe *probe)
{
	const char * const value[] = { probe->name };

	if (!IS_ERR_OR_NULL(probe->family)) {
		obs_counter_detach(&probe->hits);
		obs_counter_detach(&probe->missed);
		obs_series_remove(metrics[FAMILY_HITS].family, value);
		obs_series_remove(metrics[FAMILY_MISSED].family, value);
		obs_family_unregister(probe->family);
	}
	free_percpu(probe->countdown);
	kfree(probe->target);
	kfree(probe->name);
	kfree(probe);
}

static struct probe *probe_alloc(const struct obs_probe_spec *spec)
{
	struct probe *probe = kzalloc(sizeof(*probe), GFP_KERNEL);

	if (!probe)
		return NULL;
	probe->hits = (struct obs_counter)OBS_COUNTER_INIT;
	probe->missed = (struct obs_counter)OBS_COUNTER_INIT;
	probe->counter = (struct obs_counter)OBS_COUNTER_INIT;
	probe->histogram = (struct obs_histogram)OBS_HISTOGRAM_INIT;
	probe->type = spec->type;
	probe->sample = spec->sample ?: 1;
	probe->kind = spec->kind;
	if (probe->kind == OBSRING_KIND_UNSPEC)
		probe->kind = spec->type == OBSRING_PROBE_KRETPROBE ?
			      OBSRING_KIND_HISTOGRAM : OBSRING_KIND_COUNTER;
	probe->name = kstrdup(spec->name, GFP_KERNEL);
	probe->target = kstrdup(spec->target, GFP_KERNEL);
	if (!probe->name || !probe->target || countdown_begin(probe)) {
		probe_free(probe);
		return NULL;
	}
	return probe;
}

static int probe_add(const struct obs_probe_spec *spec, struct netlink_ext_ack *extack)
{
	struct probe *probe;
	char help[64];
	int ret;

	ret = spec_check(spec, extack);
	if (ret)
		return ret;
	probe = probe_alloc(spec);
	if (!probe)
		return -ENOMEM;
	snprintf(help, sizeof(help), "%s of a probe.",
		 probe->kind == OBSRING_KIND_HISTOGRAM ? "Durations" : "Hits");
	ret = metric_register(probe, spec->help && *spec->help ? spec->help : help, extack);
	if (!ret)
		ret = series_attach(probe, extack);
	if (!ret)
		ret = hook(probe, extack);
	if (ret) {
		probe_free(probe);
		return ret;
	}
	list_add_tail(&probe->node, &probes);
	queue_delayed_work(system_power_efficient_wq, &missed_work, HZ);
	return 0;
}

static void probe_remove(struct probe *probe)
{
	list_del(&probe->node);
	unhook(probe);
	probe_free(probe);
}

/* ---- For netlink.c and main.c -------------------------------------------- */

int obs_probe_new(const struct obs_probe_spec *spec, struct netlink_ext_ack *extack)
{
	int ret;

	mutex_lock(&probes_mutex);
	ret = probe_add(spec, extack);
	mutex_unlock(&probes_mutex);
	return ret;
}

int obs_probe_del(const char *name, struct netlink_ext_ack *extack)
{
	struct probe *probe;

	mutex_lock(&probes_mutex);
	probe = probe_find(name);
	if (probe)
		probe_remove(probe);
	else
		NL_SET_ERR_MSG(extack, "there is no probe of that name");
	mutex_unlock(&probes_mutex);
	return probe ? 0 : -ENOENT;
}

static u64 counter_sum(const struct obs_counter *counter)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(counter->slot, cpu));
	return sum;
}

int obs_probe_walk(int (*fn)(const struct obs_probe_info *info, void *arg), void *arg)
{
	struct probe *probe;
	int ret = 0;

	mutex_lock(&probes_mutex);
	list_for_each_entry(probe, &probes, node) {
		struct obs_probe_info info = {
			.name = probe->name,
			.target = probe->target,
			.type = probe->type,
			.kind = probe->kind,
			.sample = probe->sample,
			.gone = probe->gone || function_gone(probe),
		};

		missed_update(probe);
		info.hits = counter_sum(&probe->hits);
		info.missed = counter_sum(&probe->missed);
		ret = fn(&info, arg);
		if (ret)
			break;
	}
	mutex_unlock(&probes_mutex);
	return ret;
}

int obs_probes_init(void)
{
	int ret;

	ret = obs_metrics_register(metrics, ARRAY_SIZE(metrics));
	if (ret)
		return ret;
	ret = register_tracepoint_module_notifier(&module_nb);
	if (ret)
		obs_metrics_unregister(metrics, ARRAY_SIZE(metrics));
	return ret;
}

void obs_probes_exit(void)
{
	struct probe *probe, *next;

	unregister_tracepoint_module_notifier(&module_nb);
	mutex_lock(&probes_mutex);
	list_for_each_entry_safe(probe, next, &probes, node)
		probe_remove(probe);
	mutex_unlock(&probes_mutex);
	cancel_delayed_work_sync(&missed_work);
	obs_metrics_unregister(metrics, ARRAY_SIZE(metrics));
}
