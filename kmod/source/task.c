// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads: how many there are, how they come and go, and how long they live.
 *
 * task_newtask, not sched_process_fork: the latter does not tell io_uring's and
 * vhost's workers, which do exit. obsring_tasks is the difference of both, begun
 * with a count of all threads. That count can't be exact while threads come and
 * go, so it is repeated: approximate by nature.
 *
 * Memory: 1 + 1 + 1 slots and a histogram of 27 octaves, 219: 222 slots.
 */
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/timekeeping.h>
#include <linux/tracepoint.h>
#include <linux/workqueue.h>
#include <trace/events/sched.h>
#include <trace/events/task.h>

#include "compat.h"
#include "source.h"

#define RECOUNT_FIRST	HZ		/* what came and went while starting */
#define RECOUNT		(60 * HZ)

static struct obs_gauge tasks = OBS_GAUGE_INIT;
static struct obs_counter forks = OBS_COUNTER_INIT;
static struct obs_counter exits = OBS_COUNTER_INIT;
static struct obs_histogram lifetime = OBS_HISTOGRAM_INIT;

static struct obs_metric metrics[] = {
	{
		.desc = {
			.name = "obsring_tasks",
			.help = "Threads that exist, those of the kernel included; approximate.",
			.kind = OBSRING_KIND_GAUGE,
		},
		.gauge = &tasks,
	},
	{
		.desc = {
			.name = "obsring_task_forks_total",
			.help = "Threads that were made: by fork, vfork, clone, and the kernel's own.",
			.kind = OBSRING_KIND_COUNTER,
		},
		.counter = &forks,
	},
	{
		.desc = {
			.name = "obsring_task_exits_total",
			.help = "Threads that exited.",
			.kind = OBSRING_KIND_COUNTER,
		},
		.counter = &exits,
	},
	{
		.desc = {
			.name = "obsring_task_lifetime_seconds",
			.help = "Time from a thread's start to its exit.",
			.unit = "seconds",
			.kind = OBSRING_KIND_HISTOGRAM,
			.exp10 = -9,
			.schema = 3,
			.min_log2 = -10,
			.max_log2 = 17,
		},
		.histogram = &lifetime,
	},
};

/* The parent, process context. */
static __maybe_unused void count_new(void)
{
	obs_counter_inc(&forks);
	obs_gauge_inc(&tasks);
}

/* The thread itself, process context. */
static __maybe_unused void count_exit(const struct task_struct *task)
{
	u64 now = ktime_get_mono_fast_ns();

	obs_counter_inc(&exits);
	obs_gauge_dec(&tasks);
	obs_histogram_observe(&lifetime, now > task->start_time ?
					 now - task->start_time : 0);
}

#if defined(OBS_HAVE_tp_task_newtask)
static void newtask(void *data, struct task_struct *task,
		    unsigned long clone_flags)
{
	count_new();
}
#elif defined(OBS_HAVE_tp_task_newtask_u64)
static void newtask(void *data, struct task_struct *task, u64 clone_flags)
{
	count_new();
}
#else
#define UNAVAILABLE "task_newtask has a prototype that obsring does not know"
#endif

#if defined(OBS_HAVE_tp_sched_process_exit)
static void exited(void *data, struct task_struct *task)
{
	count_exit(task);
}
#elif defined(OBS_HAVE_tp_sched_process_exit_group)
static void exited(void *data, struct task_struct *task, bool group_dead)
{
	count_exit(task);
}
#elif !defined(UNAVAILABLE)
#define UNAVAILABLE "sched_process_exit has a prototype that obsring does not know"
#endif

#ifndef UNAVAILABLE
#define UNAVAILABLE NULL
OBS_HOOK_CHECK(task_newtask, newtask);
OBS_HOOK_CHECK(sched_process_exit, exited);

static struct obs_hook hooks[] = {
	{ "task_newtask", newtask },
	{ "sched_process_exit", exited },
};
#else
static struct obs_hook hooks[0];
#endif

static s64 tasks_told(void)
{
	s64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(tasks.slot, cpu));
	return sum;
}

/* Threads before their sched_process_exit, as those that are not dead yet. */
static s64 tasks_counted(void)
{
	struct task_struct *process, *thread;
	s64 nr = 0;

	rcu_read_lock();
	for_each_process_thread(process, thread)
		nr += !READ_ONCE(thread->exit_state);
	rcu_read_unlock();
	return nr;
}

/*
 * Correct the gauge, but by no more than what the threads that came and went
 * during the count can't explain.
 */
static void recount(struct work_struct *work)
{
	s64 before = tasks_told();
	s64 counted = tasks_counted();
	s64 after = tasks_told();

	if (counted < min(before, after))
		obs_gauge_add(&tasks, counted - min(before, after));
	else if (counted > max(before, after))
		obs_gauge_add(&tasks, counted - max(before, after));
	if (work)
		queue_delayed_work(system_power_efficient_wq,
				   to_delayed_work(work), RECOUNT);
}

static DECLARE_DELAYED_WORK(recount_work, recount);

static int start(void)
{
	recount(NULL);
	queue_delayed_work(system_power_efficient_wq, &recount_work, RECOUNT_FIRST);
	return 0;
}

static void stop(void)
{
	cancel_delayed_work_sync(&recount_work);
}

struct obs_source obs_source_task = {
	.name = "task",
	.help = "Threads: number, starts, exits and lifetime.",
	.unavailable = UNAVAILABLE,
	.metrics = metrics,
	.nr_metrics = ARRAY_SIZE(metrics),
	.hooks = hooks,
	.nr_hooks = ARRAY_SIZE(hooks),
	.start = start,
	.stop = stop,
};
