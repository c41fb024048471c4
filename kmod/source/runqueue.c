// SPDX-License-Identifier: GPL-2.0-only
/*
 * How long threads that could run wait for a CPU, and how often CPUs switch. A
 * thread waits from its wake-up, or from being switched out while it could go
 * on, until it is switched in.
 *
 * All hooks run under a run queue's lock with interrupts off, so one thread's
 * events do not overlap. They wake nobody, so they do not cause themselves.
 *
 * Memory: a histogram of 23 octaves, 187 slots, and 2 slots: 189.
 */
#include <linux/sched.h>
#include <linux/tracepoint.h>
#include <trace/events/sched.h>

#include "compat.h"
#include "pending.h"
#include "source.h"

static struct obs_histogram latency = OBS_HISTOGRAM_INIT;
static struct obs_counter switches = OBS_COUNTER_INIT;
static struct obs_pending pending = { .missed = OBS_COUNTER_INIT };

static struct obs_metric metrics[] = {
	{
		.desc = {
			.name = "obsring_runqueue_latency_seconds",
			.help = "Time that a thread that could run waited for a CPU.",
			.unit = "seconds",
			.kind = OBSRING_KIND_HISTOGRAM,
			.exp10 = -9,
			.schema = 3,
			.min_log2 = -20,
			.max_log2 = 3,
		},
		.histogram = &latency,
	},
	{
		.desc = {
			.name = "obsring_context_switches_total",
			.help = "Switches of a CPU from one thread to another.",
			.kind = OBSRING_KIND_COUNTER,
		},
		.counter = &switches,
	},
	{
		.desc = {
			.name = "obsring_runqueue_missed_total",
			.help = "Waits that were not timed because too many threads waited at once.",
			.kind = OBSRING_KIND_COUNTER,
		},
		.counter = &pending.missed,
	},
};

/*
 * A thread that is woken while it runs does not wait. One that waits already
 * (switched out before it could sleep) goes on waiting.
 */
static __maybe_unused void wakeup(void *data, struct task_struct *task)
{
	if (!READ_ONCE(task->on_cpu) &&
	    !obs_sidetable_has(&pending.table, (uintptr_t)task))
		obs_pending_begin(&pending, task, 0);
}

/*
 * The idle threads always can run and never wait. An exiting thread is switched
 * out dead, and was taken out of the table when it was last switched in.
 */
static __maybe_unused void switched(bool preempt, struct task_struct *prev,
				    struct task_struct *next)
{
	u64 ns, unused;

	obs_counter_inc(&switches);
	/*
	 * Its present state, not the one that newer kernels pass: a task that a
	 * signal kept from sleeping is running again, which some pass wrongly.
	 */
	if ((preempt || READ_ONCE(prev->__state) == TASK_RUNNING) &&
	    !is_idle_task(prev))
		obs_pending_begin(&pending, prev, 0);
	if (obs_pending_end(&pending, next, &ns, &unused))
		obs_histogram_observe(&latency, ns);
}

#if defined(OBS_HAVE_tp_sched_switch_state)
static void sched_switch(void *data, bool preempt, struct task_struct *prev,
			 struct task_struct *next, unsigned int prev_state)
{
	switched(preempt, prev, next);
}
#elif defined(OBS_HAVE_tp_sched_switch)
static void sched_switch(void *data, bool preempt, struct task_struct *prev,
			 struct task_struct *next)
{
	switched(preempt, prev, next);
}
#else
#define UNAVAILABLE "sched_switch has a prototype that obsring does not know"
#endif

#if !defined(OBS_HAVE_tp_sched_wakeup) && !defined(UNAVAILABLE)
#define UNAVAILABLE "sched_wakeup has a prototype that obsring does not know"
#endif

#ifndef UNAVAILABLE
#define UNAVAILABLE NULL
OBS_HOOK_CHECK(sched_switch, sched_switch);
OBS_HOOK_CHECK(sched_wakeup, wakeup);

/* Switches first: what a wake-up puts in must be taken out. */
static struct obs_hook hooks[] = {
	{ "sched_switch", sched_switch },
	{ "sched_wakeup", wakeup },
	{ "sched_wakeup_new", wakeup },
};
#else
static struct obs_hook hooks[0];
#endif

static int start(void)
{
	return obs_pending_start(&pending);
}

static void stop(void)
{
	obs_pending_stop(&pending);
}

struct obs_source obs_source_runqueue = {
	.name = "runqueue",
	.help = "Time that threads wait for a CPU; context switches.",
	.unavailable = UNAVAILABLE,
	.metrics = metrics,
	.nr_metrics = ARRAY_SIZE(metrics),
	.hooks = hooks,
	.nr_hooks = ARRAY_SIZE(hooks),
	.start = start,
	.stop = stop,
};
