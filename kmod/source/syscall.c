// SPDX-License-Identifier: GPL-2.0-only
/*
 * System calls: how many of each, and how long chosen ones take.
 *
 * All names are known at build time (syscalls.h is made from the kernel's
 * headers), so every series exists before its first call. Calls of other ABIs
 * (32-bit programs, x32) are "compat", numbers without a name "unknown".
 *
 * One of N calls of those chosen, counted on each CPU, is timed by way of a side
 * table with the thread as key. A thread that was inside a call when this began
 * has no entry, and is not timed. A thread that dies inside a call takes its
 * entry along. Calls that do not come back are no choice.
 *
 * Memory: a slot for each call, about 380 with 6.12, and a histogram of 26
 * octaves, 211 slots, for each chosen call and the overflow series: by default
 * about 1010 slots.
 */
#include <linux/compat.h>
#include <linux/kernel.h>
#include <linux/netlink.h>
#include <linux/nospec.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <trace/events/sched.h>
#include <trace/events/syscalls.h>

#include <asm/unistd.h>

#include "compat.h"
#include "context.h"
#include "pending.h"
#include "series.h"
#include "source.h"

#define SAMPLE_MAX	1048576
#define LATENCY_SIZE	256	/* of the option's text, as source.h bounds it */

static const char * const call_name[] = {
#include "syscalls.h"
};

#define CALLS ARRAY_SIZE(call_name)

enum { COMPAT, UNKNOWN, OTHERS };

static const char * const other_name[OTHERS] = {
	[COMPAT] = "compat",
	[UNKNOWN] = "unknown",
};

static struct obs_counter calls[CALLS] = {
	[0 ... CALLS - 1] = OBS_COUNTER_INIT,
};

static struct obs_counter others[OTHERS] = {
	[0 ... OTHERS - 1] = OBS_COUNTER_INIT,
};

/* Attached when their call is first chosen, and for good. */
static struct obs_histogram latency[CALLS] = {
	[0 ... CALLS - 1] = OBS_HISTOGRAM_INIT,
};

/* The settings; written under the sources' mutex, read by the probes. */
static bool chosen[CALLS] = {
	[__NR_read] = true,
	[__NR_write] = true,
};

static char chosen_text[LATENCY_SIZE] = "read,write";
static u32 sample = 1000;

/* Chosen calls on this CPU until one is timed. */
static DEFINE_PER_CPU(s32, countdown);

static struct obs_pending pending = { .missed = OBS_COUNTER_INIT };

enum { FAMILY_CALLS, FAMILY_LATENCY };

static struct obs_metric metrics[] = {
	[FAMILY_CALLS] = {
		.desc = {
			.name = "obsring_syscalls_total",
			.help = "System calls that were entered; those of 32-bit programs are \"compat\".",
			.label = { "syscall" },
			.kind = OBSRING_KIND_COUNTER,
		},
	},
	[FAMILY_LATENCY] = {
		.desc = {
			.name = "obsring_syscall_latency_seconds",
			.help = "Time that system calls took; of the chosen calls, one of N.",
			.unit = "seconds",
			.label = { "syscall" },
			.kind = OBSRING_KIND_HISTOGRAM,
			.exp10 = -9,
			.schema = 3,
			.min_log2 = -21,
			.max_log2 = 5,
			.exemplars = true,
		},
	},
	{
		.desc = {
			.name = "obsring_syscall_missed_total",
			.help = "Calls that were not timed because too many lasted at once.",
			.kind = OBSRING_KIND_COUNTER,
		},
		.counter = &pending.missed,
	},
};

#if !defined(OBS_HAVE_tp_sys)
#define UNAVAILABLE "sys_enter has a prototype that obsring does not know"
#elif !defined(OBS_HAVE_tp_sched_process_exit) && \
	!defined(OBS_HAVE_tp_sched_process_exit_group)
#define UNAVAILABLE "sched_process_exit has a prototype that obsring does not know"
#endif

#ifndef UNAVAILABLE
#define UNAVAILABLE NULL

static bool countdown_ends(void)
{
	bool ends;

	preempt_disable_notrace();
	ends = this_cpu_dec_return(countdown) <= 0;
	if (ends)
		this_cpu_add(countdown, READ_ONCE(sample));
	preempt_enable_notrace();
	return ends;
}

/* The thread itself, process context; since 6.13 it may be preempted here. */
static void enter(void *data, struct pt_regs *regs, long nr)
{
	if (in_compat_syscall()) {
		obs_counter_inc(&others[COMPAT]);
		return;
	}
	/* The number is the program's: no speculation past the check. */
	if ((unsigned long)nr < CALLS)
		nr = array_index_nospec(nr, CALLS);
	if ((unsigned long)nr >= CALLS || !call_name[nr]) {
		obs_counter_inc(&others[UNKNOWN]);
		return;
	}
	obs_counter_inc(&calls[nr]);
	if (READ_ONCE(chosen[nr]) && countdown_ends())
		obs_pending_begin(&pending, current, nr);
}

/* The number may have changed by now (exec, ptrace): use that of the begin. */
static void leave(void *data, struct pt_regs *regs, long ret)
{
	u64 ns, nr;

	if (obs_pending_end(&pending, current, &ns, &nr))
		obs_context_observe(&latency[nr], ns);
}

#ifdef OBS_HAVE_tp_sched_process_exit
static void exited(void *data, struct task_struct *task)
{
	obs_pending_forget(&pending, task);
}
#else
static void exited(void *data, struct task_struct *task, bool group_dead)
{
	obs_pending_forget(&pending, task);
}
#endif

OBS_HOOK_CHECK(sys_enter, enter);
OBS_HOOK_CHECK(sys_exit, leave);
OBS_HOOK_CHECK(sched_process_exit, exited);

/* What forgets first: what enter puts in must be taken out. */
static struct obs_hook hooks[] = {
	{ "sched_process_exit", exited },
	{ "sys_exit", leave },
	{ "sys_enter", enter },
};
#else
static struct obs_hook hooks[0];
#endif

/* ---- Options, under the sources' mutex ----------------------------------- */

static bool returns(unsigned int nr)
{
	switch (nr) {
	case __NR_exit:
	case __NR_exit_group:
	case __NR_rt_sigreturn:
		return false;
	default:
		return true;
	}
}

static int call_find(const char *name)
{
	unsigned int nr;

	for (nr = 0; nr < CALLS; nr++) {
		if (call_name[nr] && !strcmp(call_name[nr], name))
			return nr;
	}
	return -ENOENT;
}

/* Parse a list into @set. */
static int list_parse(const char *value, bool *set, struct netlink_ext_ack *extack)
{
	char text[LATENCY_SIZE];
	char *rest = text, *name;
	int nr;

	if (strscpy(text, value, sizeof(text)) < 0) {
		NL_SET_ERR_MSG(extack, "latency: the list is longer than 255 bytes");
		return -EINVAL;
	}
	memset(set, 0, CALLS * sizeof(*set));
	while ((name = strsep(&rest, ","))) {
		if (!*name)
			continue;
		nr = call_find(name);
		if (nr < 0) {
			NL_SET_ERR_MSG(extack, "latency: this kernel has no system call of one of these names");
			return -EINVAL;
		}
		if (!returns(nr)) {
			NL_SET_ERR_MSG(extack, "latency: exit, exit_group and rt_sigreturn do not return");
			return -EINVAL;
		}
		set[nr] = true;
	}
	return 0;
}

static int latency_attach(const bool *set)
{
	unsigned int nr;
	int ret = 0;

	for (nr = 0; nr < CALLS && !ret; nr++) {
		if (!set[nr])
			continue;
		ret = obs_histogram_attach(metrics[FAMILY_LATENCY].family,
					   &call_name[nr], &latency[nr]);
		ret = obs_series_attached(ret);
	}
	return ret;
}

static int latency_set(const struct obs_source_option *option, const char *value,
		       struct netlink_ext_ack *extack)
{
	bool set[CALLS];
	unsigned int nr;
	int ret;

	ret = list_parse(value, set, extack);
	if (!ret && obs_source_syscall.enabled)
		ret = latency_attach(set);
	if (ret)
		return ret;
	/* Calls that are being timed and are no longer chosen still count. */
	for (nr = 0; nr < CALLS; nr++)
		WRITE_ONCE(chosen[nr], set[nr]);
	strscpy(chosen_text, value, sizeof(chosen_text));
	return 0;
}

static int latency_show(const struct obs_source_option *option, char *buf, size_t size)
{
	return scnprintf(buf, size, "%s", chosen_text);
}

static void countdown_begin(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		WRITE_ONCE(*per_cpu_ptr(&countdown, cpu), sample);
}

static int sample_set(const struct obs_source_option *option, const char *value,
		      struct netlink_ext_ack *extack)
{
	unsigned int n;

	if (kstrtouint(value, 10, &n) || n < 1 || n > SAMPLE_MAX) {
		NL_SET_ERR_MSG(extack, "sample: not a number from 1 to 1048576");
		return -EINVAL;
	}
	WRITE_ONCE(sample, n);
	/* Else a CPU would first count down what the old setting asked for. */
	countdown_begin();
	return 0;
}

static int sample_show(const struct obs_source_option *option, char *buf, size_t size)
{
	return scnprintf(buf, size, "%u", sample);
}

static const struct obs_source_option options[] = {
	{
		.key = "latency",
		.help = "System calls that are timed, names with commas between, up to 255 bytes (default read,write).",
		.set = latency_set,
		.show = latency_show,
	},
	{
		.key = "sample",
		.help = "Time one of this many of them, 1 to 1048576 (default 1000).",
		.set = sample_set,
		.show = sample_show,
	},
};

/* ---- Life ---------------------------------------------------------------- */

static int start(void)
{
	int ret;

	ret = obs_counters_attach(metrics[FAMILY_CALLS].family, call_name, calls,
				  CALLS);
	if (ret)
		return ret;
	ret = obs_counters_attach(metrics[FAMILY_CALLS].family, other_name,
				  others, OTHERS);
	if (ret)
		return ret;
	ret = latency_attach(chosen);
	if (ret)
		return ret;
	countdown_begin();
	return obs_pending_start(&pending);
}

static void stop(void)
{
	obs_pending_stop(&pending);
}

struct obs_source obs_source_syscall = {
	.name = "syscall",
	.help = "System calls, and the time that chosen ones take.",
	.unavailable = UNAVAILABLE,
	.metrics = metrics,
	.nr_metrics = ARRAY_SIZE(metrics),
	.hooks = hooks,
	.nr_hooks = ARRAY_SIZE(hooks),
	.options = options,
	.nr_options = ARRAY_SIZE(options),
	.start = start,
	.stop = stop,
};
