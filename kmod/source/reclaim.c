// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a shortage of memory costs those who ask for some: the time they spend
 * in direct reclaim and in compaction, and those killed for it. The kernel's
 * own threads (kswapd, kcompactd) stall nobody and are left out.
 *
 * Memory: two histograms of 21 octaves, 171 slots each, and 2 slots: 344.
 */
#include <linux/cred.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/tracepoint.h>

struct compact_control;	/* mm's own; the headers only name it */

#include <trace/events/compaction.h>
#include <trace/events/oom.h>
#include <trace/events/vmscan.h>

#include "compat.h"
#include "context.h"
#include "logging.h"
#include "pending.h"
#include "source.h"

static struct obs_histogram reclaim_stall = OBS_HISTOGRAM_INIT;
static struct obs_histogram compaction_stall = OBS_HISTOGRAM_INIT;
static struct obs_counter oom_kills = OBS_COUNTER_INIT;

static struct obs_pending pending = { .missed = OBS_COUNTER_INIT };

static struct obs_log_source log = OBS_LOG_SOURCE_INIT("reclaim");
static struct obs_log_switch log_oom = OBS_LOG_OFF(&log);
static struct obs_log_threshold log_stall = OBS_LOG_OFF(&log);

static struct obs_metric metrics[] = {
	{
		.desc = {
			.name = "obsring_reclaim_stall_seconds",
			.help = "Time that an allocation spent in direct reclaim.",
			.unit = "seconds",
			.kind = OBSRING_KIND_HISTOGRAM,
			.exp10 = -9,
			.schema = 3,
			.min_log2 = -16,
			.max_log2 = 5,
			.exemplars = true,
		},
		.histogram = &reclaim_stall,
	},
	{
		.desc = {
			.name = "obsring_compaction_stall_seconds",
			.help = "Time that a task, not a kernel thread, spent compacting a zone.",
			.unit = "seconds",
			.kind = OBSRING_KIND_HISTOGRAM,
			.exp10 = -9,
			.schema = 3,
			.min_log2 = -16,
			.max_log2 = 5,
			.exemplars = true,
		},
		.histogram = &compaction_stall,
	},
	{
		.desc = {
			.name = "obsring_oom_kills_total",
			.help = "Tasks that the out-of-memory killer chose, those that were exiting already included.",
			.kind = OBSRING_KIND_COUNTER,
		},
		.counter = &oom_kills,
	},
	{
		.desc = {
			.name = "obsring_reclaim_missed_total",
			.help = "Stalls that were not timed because too many lasted at once.",
			.kind = OBSRING_KIND_COUNTER,
		},
		.counter = &pending.missed,
	},
};

/*
 * A task may compact within reclaim: their begins are told apart by the low bit
 * of the key. All of it in process context, the task itself.
 */
static __always_inline const void *reclaim_key(void)
{
	return current;
}

static __always_inline const void *compaction_key(void)
{
	return (const char *)current + 1;
}

static __maybe_unused void stall_begin(const void *key)
{
	if (!(current->flags & PF_KTHREAD))
		obs_pending_begin(&pending, key, 0);
}

static noinline_for_stack void stall_record(const char *op, u64 ns)
{
	char stall_ns[24];
	const struct obs_log_field fields[] = {
		{ "op", op },
		{ "stall_ns", stall_ns },
	};

	snprintf(stall_ns, sizeof(stall_ns), "%llu", ns);
	obs_log_fields(&log, LOGLEVEL_WARNING, fields, ARRAY_SIZE(fields),
		       "an allocation stalled for %llu us", ns / NSEC_PER_USEC);
}

static __maybe_unused void stall_end(const void *key, struct obs_histogram *h,
				     const char *op)
{
	u64 ns, unused;

	if ((current->flags & PF_KTHREAD) ||
	    !obs_pending_end(&pending, key, &ns, &unused))
		return;
	obs_context_observe(h, ns);
	if (obs_log_is_due(&log_stall, ns))
		stall_record(op, ns);
}

#if defined(OBS_HAVE_tp_reclaim_begin)
static void reclaim_begin(void *data, int order, gfp_t gfp_flags)
{
	stall_begin(reclaim_key());
}
#elif defined(OBS_HAVE_tp_reclaim_begin_memcg)
static void reclaim_begin(void *data, gfp_t gfp_flags, int order,
			  struct mem_cgroup *memcg)
{
	stall_begin(reclaim_key());
}
#else
#define UNAVAILABLE "mm_vmscan_direct_reclaim_begin has a prototype that obsring does not know"
#endif

#if defined(OBS_HAVE_tp_reclaim_end)
static void reclaim_end(void *data, unsigned long nr_reclaimed)
{
	stall_end(reclaim_key(), &reclaim_stall, "reclaim");
}
#elif defined(OBS_HAVE_tp_reclaim_end_memcg)
static void reclaim_end(void *data, unsigned long nr_reclaimed,
			struct mem_cgroup *memcg)
{
	stall_end(reclaim_key(), &reclaim_stall, "reclaim");
}
#elif !defined(UNAVAILABLE)
#define UNAVAILABLE "mm_vmscan_direct_reclaim_end has a prototype that obsring does not know"
#endif

/* Without CONFIG_COMPACTION nobody compacts, and there is nothing to hook. */
#if !defined(CONFIG_COMPACTION)
#define COMPACTION_HOOKS
#elif defined(OBS_HAVE_tp_compaction)
static void compaction_begin(void *data, struct compact_control *cc,
			     unsigned long start, unsigned long end, bool sync)
{
	stall_begin(compaction_key());
}

static void compaction_end(void *data, struct compact_control *cc,
			   unsigned long start, unsigned long end, bool sync,
			   int status)
{
	stall_end(compaction_key(), &compaction_stall, "compaction");
}
#elif defined(OBS_HAVE_tp_compaction_old)
static void compaction_begin(void *data, unsigned long start,
			     unsigned long migrate, unsigned long free,
			     unsigned long end, bool sync)
{
	stall_begin(compaction_key());
}

static void compaction_end(void *data, unsigned long start,
			   unsigned long migrate, unsigned long free,
			   unsigned long end, bool sync, int status)
{
	stall_end(compaction_key(), &compaction_stall, "compaction");
}
#elif !defined(UNAVAILABLE)
#define UNAVAILABLE "mm_compaction_begin has a prototype that obsring does not know"
#endif

/*
 * Who asked for the memory is the current task. The victim is locked, which
 * get_task_comm() would do again.
 */
static noinline_for_stack void kill_record(struct task_struct *victim)
{
	char name[TASK_COMM_LEN], pid[12], uid[12], adj[12];
	const struct obs_log_field fields[] = {
		{ "victim", name },
		{ "victim_pid", pid },
		{ "victim_uid", uid },
		{ "oom_score_adj", adj },
	};

	/* May be changed meanwhile, as a whole word or so: a mix is no harm. */
	data_race(memcpy(name, victim->comm, sizeof(name)));
	name[sizeof(name) - 1] = 0;
	snprintf(pid, sizeof(pid), "%d", task_tgid_nr(victim));
	snprintf(uid, sizeof(uid), "%u", from_kuid(&init_user_ns, task_uid(victim)));
	snprintf(adj, sizeof(adj), "%d", READ_ONCE(victim->signal->oom_score_adj));
	obs_log_fields(&log, LOGLEVEL_ERR, fields, ARRAY_SIZE(fields),
		       "out of memory: %s is killed", name);
}

/* The one who kills, the victim locked. */
#if defined(OBS_HAVE_tp_mark_victim_task)
static void mark_victim(void *data, struct task_struct *task, uid_t uid)
{
	obs_counter_inc(&oom_kills);
	if (obs_log_is_on(&log_oom))
		kill_record(task);
}
#elif defined(OBS_HAVE_tp_mark_victim_pid)
static void mark_victim(void *data, int pid)
{
	struct task_struct *task;

	obs_counter_inc(&oom_kills);
	if (!obs_log_is_on(&log_oom))
		return;
	rcu_read_lock();
	task = pid_task(find_pid_ns(pid, &init_pid_ns), PIDTYPE_PID);
	if (task)
		kill_record(task);
	rcu_read_unlock();
}
#elif !defined(UNAVAILABLE)
#define UNAVAILABLE "mark_victim has a prototype that obsring does not know"
#endif

#ifndef UNAVAILABLE
#define UNAVAILABLE NULL
OBS_HOOK_CHECK(mm_vmscan_direct_reclaim_begin, reclaim_begin);
OBS_HOOK_CHECK(mm_vmscan_direct_reclaim_end, reclaim_end);
OBS_HOOK_CHECK(mark_victim, mark_victim);

#ifndef COMPACTION_HOOKS
OBS_HOOK_CHECK(mm_compaction_begin, compaction_begin);
OBS_HOOK_CHECK(mm_compaction_end, compaction_end);
#define COMPACTION_HOOKS					\
	{ "mm_compaction_end", compaction_end },		\
	{ "mm_compaction_begin", compaction_begin },
#endif

static struct obs_hook hooks[] = {
	{ "mm_vmscan_direct_reclaim_end", reclaim_end },
	{ "mm_vmscan_direct_reclaim_begin", reclaim_begin },
	COMPACTION_HOOKS
	{ "mark_victim", mark_victim },
};
#else
static struct obs_hook hooks[0];
#endif

static const struct obs_source_option options[] = {
	OBS_LOG_SWITCH_OPTION("log-oom", "Log each out-of-memory kill, at level err: on or off (default off).",
			      &log_oom),
	OBS_LOG_THRESHOLD_OPTION("log-stall", "Log stalls that take as long, at level warning: off, or 1us to 3600s (default off).",
				 &log_stall),
};

static int start(void)
{
	return obs_pending_start(&pending);
}

static void stop(void)
{
	obs_pending_stop(&pending);
}

struct obs_source obs_source_reclaim = {
	.name = "reclaim",
	.help = "Stalls in direct reclaim and compaction; out-of-memory kills.",
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
