// SPDX-License-Identifier: GPL-2.0-only
/*
 * Producers in every context at once, and an exact account of what they did.
 *
 * Nothing runs at load. Write a number n to parameters/run: four threads for each
 * CPU bump stress_updates_total{context="task"} n times all together, moving
 * themselves from CPU to CPU, and raise on the way a softirq (tasklet) and a hard
 * interrupt (irq_work) that bump their own series; NMIs that the machine
 * happens to raise bump theirs. With each goes an observation of
 * stress_value_seconds and a gauge that goes up and down.
 *
 * Meanwhile another thread attaches a handle that all of them bump to a series,
 * removes that series, and makes stress_canary_total series that nobody bumps,
 * which are likely to get its slots: one that is not 0 was written through a
 * stale pointer.
 *
 * The same thread brings a series of stress_traced_seconds and takes it away, one
 * of NR_TRACED in turn, in which all of them observe values with a trace: of a
 * trace id that follows from value, context and series. So an exemplar that is torn
 * or in another's place tells itself.
 *
 * With parameters/logging on, each of them writes to the log as well: a record
 * that tells its own length. A timer that finds a writer interrupted writes more
 * than the smallest ring holds: if that writer is between reserve and commit, some
 * of it must be lost.
 *
 * Loaded with dying=1, each CPU that goes off line writes a record from where it
 * takes no interrupt any more.
 *
 * The write returns when all is done. parameters/done then tells what was done:
 * it must equal the metrics.
 */
#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/hrtimer.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/kprobes.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/printk.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#ifdef CONFIG_X86
#include <asm/nmi.h>
#endif

#include <linux/obsring.h>

#include "compat.h"

#define BATCH		256	/* task updates between two nested ones */
#define NESTED		32	/* updates of a softirq or interrupt */
#define MOVE_EVERY	16	/* batches between two migrations */
#define NR_CANARIES	32
#define ATTACHED	2048	/* updates while a churned series lives */
#define SLOW_LOOPS	2000
#define THREADS_PER_CPU	4	/* so that some are kept off for long */

enum { TASK, SOFTIRQ, IRQ, NMI, NR_CONTEXTS };

static const char *const context_name[NR_CONTEXTS] = {
	"task", "softirq", "irq", "nmi",
};

static struct obs_counter updates[NR_CONTEXTS] = {
	[0 ... NR_CONTEXTS - 1] = OBS_COUNTER_INIT,
};

static struct obs_histogram value = OBS_HISTOGRAM_INIT;
static struct obs_gauge level = OBS_GAUGE_INIT;
static struct obs_counter churned = OBS_COUNTER_INIT;

#define NR_TRACED	8	/* each handle has a series of its own name */
#define TRACED_EVERY	32	/* updates for an observation with a trace */

static struct obs_histogram traced[NR_TRACED] = {
	[0 ... NR_TRACED - 1] = OBS_HISTOGRAM_INIT,
};

static unsigned int traced_now;	/* of traced, that may be attached */

enum { UPDATES, VALUE, LEVEL, CHURN, CANARY, TRACED };

static struct obs_metric metrics[] = {
	[UPDATES] = {
		.desc = {
			.name = "stress_updates_total",
			.help = "Updates by context.",
			.label = { "context" },
			.kind = OBSRING_KIND_COUNTER,
		},
	},
	[VALUE] = {
		.desc = {
			.name = "stress_value_seconds",
			.help = "Observations, one for each update.",
			.unit = "seconds",
			.kind = OBSRING_KIND_HISTOGRAM,
			.exp10 = -9,
			.schema = 3,
			.min_log2 = -20,
			.max_log2 = 0,
		},
		.histogram = &value,
	},
	[LEVEL] = {
		.desc = {
			.name = "stress_level",
			.help = "Goes up and down with each update: 0 at rest.",
			.kind = OBSRING_KIND_GAUGE,
		},
		.gauge = &level,
	},
	[CHURN] = {
		.desc = {
			.name = "stress_churn_total",
			.help = "Comes and goes.",
			.label = { "life" },
			.kind = OBSRING_KIND_COUNTER,
		},
	},
	[CANARY] = {
		.desc = {
			.name = "stress_canary_total",
			.help = "Always 0.",
			.label = { "canary" },
			.kind = OBSRING_KIND_COUNTER,
		},
	},
	[TRACED] = {
		.desc = {
			.name = "stress_traced_seconds",
			.help = "Observations with a trace; comes and goes.",
			.unit = "seconds",
			.label = { "series" },
			.kind = OBSRING_KIND_HISTOGRAM,
			.exp10 = -9,
			.schema = 0,
			.min_log2 = -20,
			.max_log2 = 0,
			.exemplars = true,
		},
	},
};

static DEFINE_MUTEX(run_mutex);	/* one run at a time */
static atomic64_t done[NR_CONTEXTS];
static atomic64_t logged;
static atomic64_t observed;
static atomic64_t bursts;
static atomic64_t died;
static atomic64_t migrations;
static atomic64_t churns;
static atomic_t running;
static DECLARE_COMPLETION(all_done);

static DEFINE_PER_CPU(struct irq_work, irq_source);
static DEFINE_PER_CPU(struct tasklet_struct, softirq_source);

/* One update, in whatever context. */
static __always_inline void update(int context, u64 v)
{
	obs_gauge_inc(&level);
	obs_counter_inc(&updates[context]);
	obs_histogram_observe(&value, v);
	obs_counter_inc(&churned);
	obs_gauge_dec(&level);
}

static bool logging;
module_param(logging, bool, 0600);
MODULE_PARM_DESC(logging, "Write to the log as well");
static uint log_times = 1;
module_param(log_times, uint, 0600);
MODULE_PARM_DESC(log_times, "As many records as with 1, so many times");

#define FILLER_MAX	900	/* bytes at the end of a record, number % this */
#define LOG_EVERY	8	/* updates for a record */
#define BURST_BYTES	4096	/* the smallest ring */
#define BURST_NS	20000	/* from a record to the timer */

static struct obs_log_source log_source = OBS_LOG_SOURCE_INIT("stress");
static char filler[FILLER_MAX];

/**
 * struct interrupter - a CPU's timer that interrupts those who log
 * @timer: a hard interrupt
 * @writers: that are in obs_log()
 */
struct interrupter {
	struct hrtimer timer;
	unsigned int writers;
};

static DEFINE_PER_CPU(struct interrupter, interrupters);

/* Returns bytes that it takes at least. */
static unsigned int log_one(int context)
{
	u64 n = atomic64_inc_return(&logged);

	obs_log(&log_source, LOGLEVEL_INFO, "%s %llu %.*s",
		context_name[context], n, (int)(n % FILLER_MAX), filler);
	return n % FILLER_MAX + 1;
}

static enum hrtimer_restart burst_fn(struct hrtimer *timer)
{
	unsigned int bytes = 0;

	if (!this_cpu_read(interrupters.writers))
		return HRTIMER_NORESTART;
	while (bytes < BURST_BYTES)
		bytes += log_one(IRQ);
	atomic64_inc(&bursts);
	return HRTIMER_NORESTART;
}

static bool dying;
module_param(dying, bool, 0400);
MODULE_PARM_DESC(dying, "CPUs write to the log when they go off line");

/* The last call of a CPU's idle task. */
static int dying_fn(struct kprobe *probe, struct pt_regs *regs)
{
	log_one(TASK);
	atomic64_inc(&died);
	return 0;
}

static struct kprobe dying_probe = {
	.symbol_name = "cpuhp_report_idle_dead",
	.pre_handler = dying_fn,
};

static void log_batch(int context, unsigned int nr)
{
	struct hrtimer *timer;

	for (; nr; nr--) {
		preempt_disable();
		timer = this_cpu_ptr(&interrupters.timer);
		if (context == TASK && !hrtimer_active(timer))
			hrtimer_start(timer, BURST_NS, HRTIMER_MODE_REL_PINNED_HARD);
		this_cpu_inc(interrupters.writers);
		log_one(context);
		this_cpu_dec(interrupters.writers);
		preempt_enable();
	}
}

/* What the test makes of it again: tests/selftests/obsring/stress.c. */
static u64 mix(u64 n)
{
	n *= 0x9e3779b97f4a7c15ULL;
	return (n ^ n >> 29) * 0x2545f4914f6cdd1dULL;
}

static void observe_traced(int context)
{
	unsigned int series = READ_ONCE(traced_now);
	u64 n = atomic64_inc_return(&observed);
	u64 v = (1ULL << (10 + n % 22)) + (n & 1023);
	u64 id[2] = { mix(v), mix(v + 1) ^ (u64)context << 8 ^ series };
	u64 span = mix(id[1]) | 1;
	struct obsring_trace trace = { };

	memcpy(trace.trace_id, id, sizeof(trace.trace_id));
	memcpy(trace.span_id, &span, sizeof(trace.span_id));
	obs_histogram_observe_traced(&traced[series], v, &trace);
}

/*
 * obs_counter_inc() in slow motion: what it is when it is preempted between
 * loading the handle and counting. An emulator takes no interrupt between two
 * neighbouring instructions, and would never show it.
 */
static noinline void update_slowly(struct obs_counter *c)
{
	u64 __percpu *slot;
	unsigned int i;

	__obs_update_begin();
	slot = READ_ONCE(c->slot);
	for (i = 0; i < SLOW_LOOPS; i++)
		cpu_relax();
	this_cpu_inc(*slot);
	__obs_update_end();
}

static void update_batch(int context, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		update(context, (i + 1) * 1000);
	for (i = 0; i < DIV_ROUND_UP(nr, TRACED_EVERY); i++)
		observe_traced(context);
	if (READ_ONCE(logging))
		log_batch(context, DIV_ROUND_UP(nr, LOG_EVERY) * READ_ONCE(log_times));
	atomic64_add(nr, &done[context]);
}

static void irq_fn(struct irq_work *work)
{
	update_batch(IRQ, NESTED);
}

static void softirq_fn(struct tasklet_struct *tasklet)
{
	update_batch(SOFTIRQ, NESTED);
}

#ifdef CONFIG_X86
/* Ours are those that come while a run is on. */
static int nmi_fn(unsigned int type, struct pt_regs *regs)
{
	if (!atomic_read(&running))
		return NMI_DONE;
	update_batch(NMI, 1);
	return NMI_HANDLED;
}
#endif

/* Raise the nested sources on this CPU; preempted meanwhile is as good. */
static void raise(void)
{
	preempt_disable();
	irq_work_queue(this_cpu_ptr(&irq_source));
	tasklet_schedule(this_cpu_ptr(&softirq_source));
	preempt_enable();
}

/* To the next CPU on line; one that goes off line just now is no matter. */
static void move(void)
{
	unsigned int cpu = cpumask_next(raw_smp_processor_id(), cpu_online_mask);

	if (cpu >= nr_cpu_ids)
		cpu = cpumask_first(cpu_online_mask);
	if (!set_cpus_allowed_ptr(current, cpumask_of(cpu)))
		atomic64_inc(&migrations);
}

static int task_fn(void *arg)
{
	unsigned long left = (unsigned long)arg;
	unsigned int nr, batches = 0;

	while (left) {
		nr = min_t(unsigned long, left, BATCH);
		update_batch(TASK, nr);
		left -= nr;
		update_slowly(&churned);
		raise();
		if (++batches % MOVE_EVERY == 0)
			move();
		cond_resched_tasks_rcu_qs();
	}
	if (atomic_dec_and_test(&running))
		complete(&all_done);
	return 0;
}

/* ---- The series that comes and goes -------------------------------------- */

static void canary(unsigned int k, bool make)
{
	struct obs_counter c = OBS_COUNTER_INIT;
	char text[16];
	const char *const label[] = { text };

	snprintf(text, sizeof(text), "%u", k);
	if (!make) {
		obs_series_remove(metrics[CANARY].family, label);
		return;
	}
	if (!obs_counter_attach(metrics[CANARY].family, label, &c))
		obs_counter_detach(&c);
}

/* The series that is observed now goes, the next one comes. */
static void traced_next(void)
{
	unsigned int series = traced_now;
	char text[16];
	const char *const label[] = { text };

	snprintf(text, sizeof(text), "%u", series);
	obs_series_remove(metrics[TRACED].family, label);
	series = (series + 1) % NR_TRACED;
	snprintf(text, sizeof(text), "%u", series);
	if (!obs_histogram_attach(metrics[TRACED].family, label, &traced[series]))
		WRITE_ONCE(traced_now, series);
}

static int churn_fn(void *unused)
{
	static const char *const life[] = { "now" };
	unsigned int k = 0;
	s64 until;

	while (!kthread_should_stop()) {
		traced_next();
		/* Attached as long as it takes others to be caught using it. */
		until = atomic64_read(&done[TASK]) + ATTACHED;
		if (!obs_counter_attach(metrics[CHURN].family, life, &churned)) {
			while (atomic64_read(&done[TASK]) < until &&
			       !kthread_should_stop())
				cond_resched_tasks_rcu_qs();
			obs_series_remove(metrics[CHURN].family, life);
		}
		canary(k, true);
		k = (k + 1) % NR_CANARIES;
		canary(k, false);
		atomic64_inc(&churns);
		cond_resched();
	}
	return 0;
}

/* ---- A run --------------------------------------------------------------- */

static void sources_settle(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		hrtimer_cancel(&per_cpu_ptr(&interrupters, cpu)->timer);
		irq_work_sync(per_cpu_ptr(&irq_source, cpu));
		tasklet_kill(per_cpu_ptr(&softirq_source, cpu));
	}
}

static int run(unsigned long n)
{
	unsigned int i, nr = num_possible_cpus() * THREADS_PER_CPU;
	struct task_struct *churner, *task;
	unsigned long share = n / nr;
	int ret = 0;

	churner = kthread_run(churn_fn, NULL, "stress_churn");
	if (IS_ERR(churner))
		return PTR_ERR(churner);
	reinit_completion(&all_done);
	atomic_set(&running, nr + 1);
	for (i = 0; i < nr; i++) {
		if (i == nr - 1)
			share = n - share * (nr - 1);
		task = kthread_run(task_fn, (void *)share, "stress/%u", i);
		if (IS_ERR(task)) {
			ret = PTR_ERR(task);
			atomic_dec(&running);
		}
	}
	if (!atomic_dec_and_test(&running))
		wait_for_completion(&all_done);
	kthread_stop(churner);
	sources_settle();
	return ret;
}

static int run_set(const char *text, const struct kernel_param *kp)
{
	unsigned long n;
	int ret = kstrtoul(text, 0, &n);

	if (ret)
		return ret;
	mutex_lock(&run_mutex);
	ret = run(n);
	mutex_unlock(&run_mutex);
	return ret;
}

static const struct kernel_param_ops run_ops = { .set = run_set };
module_param_cb(run, &run_ops, NULL, 0200);
MODULE_PARM_DESC(run, "Write a number to have so many task updates done");

static int done_get(char *buffer, const struct kernel_param *kp)
{
	return scnprintf(buffer, PAGE_SIZE,
			 "task=%llu softirq=%llu irq=%llu nmi=%llu logged=%llu traced=%llu bursts=%llu died=%llu migrations=%llu churns=%llu\n",
			 (u64)atomic64_read(&done[TASK]),
			 (u64)atomic64_read(&done[SOFTIRQ]),
			 (u64)atomic64_read(&done[IRQ]),
			 (u64)atomic64_read(&done[NMI]),
			 (u64)atomic64_read(&logged),
			 (u64)atomic64_read(&observed),
			 (u64)atomic64_read(&bursts),
			 (u64)atomic64_read(&died),
			 (u64)atomic64_read(&migrations),
			 (u64)atomic64_read(&churns));
}

static const struct kernel_param_ops done_ops = { .get = done_get };
module_param_cb(done, &done_ops, NULL, 0444);
MODULE_PARM_DESC(done, "What was done so far, by context");

static void sources_prepare(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		obs_hrtimer_setup(&per_cpu_ptr(&interrupters, cpu)->timer, burst_fn,
				  CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
		*per_cpu_ptr(&irq_source, cpu) = IRQ_WORK_INIT_HARD(irq_fn);
		tasklet_setup(per_cpu_ptr(&softirq_source, cpu), softirq_fn);
	}
}

static int __init stress_init(void)
{
	int ret, i;

	sources_prepare();
	memset(filler, 'x', sizeof(filler));
	ret = obs_metrics_register(metrics, ARRAY_SIZE(metrics));
	if (ret)
		return ret;
	for (i = 0; i < NR_CONTEXTS && !ret; i++)
		ret = obs_counter_attach(metrics[UPDATES].family,
					 &context_name[i], &updates[i]);
	if (!ret && dying)
		ret = register_kprobe(&dying_probe);
	if (ret)
		goto err_metrics;
#ifdef CONFIG_X86
	ret = register_nmi_handler(NMI_LOCAL, nmi_fn, 0, "obsring_stress");
	if (ret)
		goto err_nmi;
#endif
	return 0;

#ifdef CONFIG_X86
err_nmi:
	if (dying)
		unregister_kprobe(&dying_probe);
#endif
err_metrics:
	obs_metrics_unregister(metrics, ARRAY_SIZE(metrics));
	return ret;
}

static void __exit stress_exit(void)
{
#ifdef CONFIG_X86
	unregister_nmi_handler(NMI_LOCAL, "obsring_stress");
#endif
	if (dying)
		unregister_kprobe(&dying_probe);
	obs_metrics_unregister(metrics, ARRAY_SIZE(metrics));
}

module_init(stress_init);
module_exit(stress_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Stress producer of obsring");
OBSRING_IMPORT_NS;
