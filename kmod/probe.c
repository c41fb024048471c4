// SPDX-License-Identifier: GPL-2.0-only
/*
 * Probes: a metric on any tracepoint, or on any function by a kprobe or
 * kretprobe, made and removed at run time.
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
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/netlink.h>
#include <linux/percpu.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <linux/workqueue.h>

#include <linux/obsring.h>
#include <obsring/name.h>

#include "metric.h"
#include "netlink.h"
#include "probe.h"
#include "probe_hook.h"

static DEFINE_MUTEX(probes_mutex);
static LIST_HEAD(probes);
static u64 last_serial;	/* of the probe that was made last */

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

/* ---- Modules -------------------------------------------------------------- */

/* Called by the kernel for a module's tracepoints, before they go. */
static int module_event(struct notifier_block *nb, unsigned long event, void *data)
{
	struct tp_module *module = data;
	struct obs_probe *probe;

	if (event != MODULE_STATE_GOING)
		return NOTIFY_DONE;
	mutex_lock(&probes_mutex);
	list_for_each_entry(probe, &probes, node)
		obs_probe_module_going(probe, module->mod);
	mutex_unlock(&probes_mutex);
	return NOTIFY_OK;
}

static struct notifier_block module_nb = {
	.notifier_call = module_event,
};

/* ---- Missed -------------------------------------------------------------- */

/*
 * The kernel counts in words of 32 bits that wrap, and without atomics: a CPU
 * may put back what it read before another one counted. Ours never goes back.
 */
static void missed_update(struct obs_probe *probe)
{
	u32 missed = obs_probe_missed(probe);
	s32 more = missed - probe->missed_told;

	if (more <= 0)
		return;
	obs_counter_add(&probe->missed, more);
	probe->missed_told = missed;
}

static void missed_work_run(struct work_struct *work);
static DECLARE_DELAYED_WORK(missed_work, missed_work_run);

/* Once a second while there are probes. */
static void missed_work_run(struct work_struct *work)
{
	struct obs_probe *probe;

	mutex_lock(&probes_mutex);
	list_for_each_entry(probe, &probes, node)
		missed_update(probe);
	if (!list_empty(&probes))
		queue_delayed_work(system_power_efficient_wq, &missed_work, HZ);
	mutex_unlock(&probes_mutex);
}

/* ---- Making and removing, under the mutex -------------------------------- */

static struct obs_probe *probe_find(const char *name)
{
	struct obs_probe *probe;

	list_for_each_entry(probe, &probes, node) {
		if (!strcmp(probe->name, name))
			return probe;
	}
	return NULL;
}

/* As Prometheus will see it: "obsring.x" becomes obsring_x. */
static bool name_reserved(const char *name)
{
	char escaped[OBSRING_NAME_MAX + 1];

	if (strnlen(name, sizeof(escaped)) == sizeof(escaped))
		return false;	/* too long: the registry says so */
	obs_name_escape(name, true, escaped);
	return obs_name_reserved(escaped);
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
	if (name_reserved(spec->name)) {
		NL_SET_ERR_MSG(extack, "names that begin with obsring_ or process_ are taken");
		return -EINVAL;
	}
	if (!strcmp(spec->name, OBSRING_OVERFLOW_VALUE)) {
		NL_SET_ERR_MSG(extack, "the name _overflow is that of the overflow series");
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

static int metric_register(struct obs_probe *probe, const char *help,
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

static int series_attach(struct obs_probe *probe, struct netlink_ext_ack *extack)
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

static int countdown_begin(struct obs_probe *probe)
{
	int cpu;

	if (probe->sample == 1)
		return 0;
	probe->countdown = alloc_percpu(s32);
	if (!probe->countdown)
		return -ENOMEM;
	for_each_possible_cpu(cpu)
		per_cpu(*probe->countdown, cpu) = probe->sample;
	return 0;
}

/* Not hooked, maybe half-built. */
static void probe_free(struct obs_probe *probe)
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
	kfree(probe->name);
	if (probe->stays)
		return;
	kfree(probe->target);
	kfree(probe);
}

static struct obs_probe *probe_alloc(const struct obs_probe_spec *spec)
{
	struct obs_probe *probe = kzalloc(sizeof(*probe), GFP_KERNEL);

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
	struct obs_probe *probe;
	char help[64];
	int ret;

	ret = spec_check(spec, extack);
	if (ret)
		return ret;
	probe = probe_alloc(spec);
	if (!probe)
		return -ENOMEM;
	/* A target that is refused makes no metric that others could see. */
	ret = obs_probe_find(probe, extack);
	if (ret)
		goto err_find;
	snprintf(help, sizeof(help), "%s of a probe.",
		 probe->kind == OBSRING_KIND_HISTOGRAM ? "Durations" : "Hits");
	ret = metric_register(probe, spec->help && *spec->help ? spec->help : help, extack);
	if (!ret)
		ret = series_attach(probe, extack);
	if (!ret)
		ret = obs_probe_hook(probe, extack);
	if (ret)
		goto err_metric;
	probe->serial = ++last_serial;
	list_add_tail(&probe->node, &probes);
	queue_delayed_work(system_power_efficient_wq, &missed_work, HZ);
	return 0;

err_metric:
	obs_probe_lose(probe);
err_find:
	probe_free(probe);
	return ret;
}

static void probe_remove(struct obs_probe *probe)
{
	list_del(&probe->node);
	obs_probe_unhook(probe);
	probe_free(probe);
}

/* ---- For netlink.c and main.c -------------------------------------------- */

int obs_probe_new(const struct obs_probe_spec *spec, struct netlink_ext_ack *extack)
{
	int ret;

	mutex_lock(&probes_mutex);
	ret = probe_add(spec, extack);
	if (!ret)
		obs_netlink_ntf(OBSRING_CMD_PROBE_NEW_NTF, obs_fill_probe_spec, spec);
	mutex_unlock(&probes_mutex);
	return ret;
}

int obs_probe_del(const char *name, struct netlink_ext_ack *extack)
{
	const struct obs_probe_spec spec = { .name = name };
	struct obs_probe *probe;

	mutex_lock(&probes_mutex);
	probe = probe_find(name);
	if (probe) {
		probe_remove(probe);
		obs_netlink_ntf(OBSRING_CMD_PROBE_DEL_NTF, obs_fill_probe_spec, &spec);
	} else {
		NL_SET_ERR_MSG(extack, "there is no probe of that name");
	}
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
	struct obs_probe *probe;
	int ret = 0;

	mutex_lock(&probes_mutex);
	list_for_each_entry(probe, &probes, node) {
		struct obs_probe_info info = {
			.serial = probe->serial,
			.name = probe->name,
			.target = probe->target,
			.type = probe->type,
			.kind = probe->kind,
			.sample = probe->sample,
			.gone = obs_probe_gone(probe),
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
	struct obs_probe *probe, *next;

	unregister_tracepoint_module_notifier(&module_nb);
	mutex_lock(&probes_mutex);
	list_for_each_entry_safe(probe, next, &probes, node)
		probe_remove(probe);
	mutex_unlock(&probes_mutex);
	cancel_delayed_work_sync(&missed_work);
	obs_metrics_remove(metrics, ARRAY_SIZE(metrics));
}
