// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes, for a leak watch: while it is on, who has the device open may ask what
 * each of them holds, and where tasks sleep (process.c). It counts nothing but its
 * own work. Off at load: it tells names and figures of processes, and looks at each
 * switch of a CPU.
 *
 * The hook runs under a run queue's lock with interrupts off, in the task that goes to
 * sleep.
 *
 * Memory: 2 slots, and 512 KiB of stacks while it is on.
 */
#include <linux/sched.h>
#include <linux/tracepoint.h>
#include <trace/events/sched.h>

#include "compat.h"
#include "process.h"
#include "sleeper.h"
#include "source.h"

static struct obs_metric metrics[] = {
	{
		.desc = {
			.name = "obsring_process_sleeps_saved_total",
			.help = "Kernel stacks that were saved as tasks went to sleep.",
			.kind = OBSRING_KIND_COUNTER,
		},
		.counter = &obs_sleeps_saved,
	},
	{
		.desc = {
			.name = "obsring_process_sleeps_missed_total",
			.help = "Sleeps whose stack was to be saved and was not, past a CPU's budget or beside another one.",
			.kind = OBSRING_KIND_COUNTER,
		},
		.counter = &obs_sleeps_missed,
	},
};

/*
 * Its present state, not the one that newer kernels pass: a task that a signal kept
 * from sleeping is running again, which some pass wrongly. A dead one sleeps no more.
 */
static __always_inline void switched(bool preempt)
{
	unsigned int state = READ_ONCE(current->__state);

	if (!preempt && state != TASK_RUNNING && !(state & TASK_DEAD))
		obs_sleeper_save();
}

#if !defined(CONFIG_STACKTRACE)
static struct obs_hook hooks[0];
#elif defined(OBS_HAVE_tp_sched_switch_state)
static void sched_switch(void *data, bool preempt, struct task_struct *prev,
			 struct task_struct *next, unsigned int prev_state)
{
	switched(preempt);
}
#elif defined(OBS_HAVE_tp_sched_switch)
static void sched_switch(void *data, bool preempt, struct task_struct *prev,
			 struct task_struct *next)
{
	switched(preempt);
}
#else
#define UNAVAILABLE "sched_switch has a prototype that obsring does not know"
static struct obs_hook hooks[0];
#endif

#ifndef UNAVAILABLE
#define UNAVAILABLE NULL
#ifdef CONFIG_STACKTRACE
OBS_HOOK_CHECK(sched_switch, sched_switch);

static struct obs_hook hooks[] = {
	{ "sched_switch", sched_switch },
};
#endif
#endif

struct obs_source obs_source_process = {
	.name = "process",
	.help = "What each process holds and where tasks sleep, for who may read the device.",
	.unavailable = UNAVAILABLE,
	.metrics = metrics,
	.nr_metrics = ARRAY_SIZE(metrics),
	.hooks = hooks,
	.nr_hooks = ARRAY_SIZE(hooks),
	.start = obs_process_start,
	.stop = obs_process_stop,
};
