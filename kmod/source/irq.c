// SPDX-License-Identifier: GPL-2.0-only
/*
 * Time spent in each kind of soft interrupt. With PREEMPT_RT their handlers run
 * in threads and may be preempted: the time includes that.
 *
 * Memory: histograms of 20 octaves, 163 slots, for 10 vectors and the overflow
 * series: 1793 slots.
 */
#include <linux/interrupt.h>
#include <linux/percpu.h>
#include <linux/timekeeping.h>
#include <linux/tracepoint.h>
#include <trace/events/irq.h>

#include "compat.h"
#include "series.h"
#include "source.h"

/* As /proc/softirqs calls them. */
static const char * const vector_name[NR_SOFTIRQS] = {
	[HI_SOFTIRQ] = "HI",
	[TIMER_SOFTIRQ] = "TIMER",
	[NET_TX_SOFTIRQ] = "NET_TX",
	[NET_RX_SOFTIRQ] = "NET_RX",
	[BLOCK_SOFTIRQ] = "BLOCK",
	[IRQ_POLL_SOFTIRQ] = "IRQ_POLL",
	[TASKLET_SOFTIRQ] = "TASKLET",
	[SCHED_SOFTIRQ] = "SCHED",
	[HRTIMER_SOFTIRQ] = "HRTIMER",
	[RCU_SOFTIRQ] = "RCU",
};

static struct obs_histogram vector[NR_SOFTIRQS] = {
	[0 ... NR_SOFTIRQS - 1] = OBS_HISTOGRAM_INIT,
};

/*
 * When a vector's handler began on this CPU, 0: it did not. A vector does not
 * nest with itself on one CPU.
 */
static DEFINE_PER_CPU(u64 [NR_SOFTIRQS], began);

static struct obs_metric metrics[] = {
	{
		.desc = {
			.name = "obsring_softirq_seconds",
			.help = "Time that a run of a soft interrupt's handler took.",
			.unit = "seconds",
			.label = { "vector" },
			.kind = OBSRING_KIND_HISTOGRAM,
			.exp10 = -9,
			.schema = 3,
			.min_log2 = -21,
			.max_log2 = -1,
		},
	},
};

#ifdef OBS_HAVE_tp_softirq
#define UNAVAILABLE NULL

/* Softirq; a thread bound to this CPU with PREEMPT_RT. */
static void entry(void *data, unsigned int nr)
{
	if (nr < NR_SOFTIRQS)
		this_cpu_write(began[nr], ktime_get_mono_fast_ns());
}

static void leave(void *data, unsigned int nr)
{
	u64 start, now;

	if (nr >= NR_SOFTIRQS)
		return;
	start = this_cpu_xchg(began[nr], 0);
	if (!start)
		return;	/* it was running when the source began */
	now = ktime_get_mono_fast_ns();
	obs_histogram_observe(&vector[nr], now > start ? now - start : 0);
}

OBS_HOOK_CHECK(softirq_entry, entry);
OBS_HOOK_CHECK(softirq_exit, leave);

static struct obs_hook hooks[] = {
	{ "softirq_exit", leave },
	{ "softirq_entry", entry },
};
#else
#define UNAVAILABLE "softirq_entry has a prototype that obsring does not know"
static struct obs_hook hooks[0];
#endif

static int start(void)
{
	unsigned int i;
	int cpu, ret;

	/* Begun when the source was on before, and ended while it was off. */
	for_each_possible_cpu(cpu)
		memset(per_cpu_ptr(&began, cpu), 0, sizeof(began));
	for (i = 0; i < NR_SOFTIRQS; i++) {
		ret = obs_histogram_attach(metrics[0].family, &vector_name[i],
					   &vector[i]);
		if (obs_series_attached(ret))
			return ret;
	}
	return 0;
}

struct obs_source obs_source_irq = {
	.name = "irq",
	.help = "Time in soft interrupts, by vector.",
	.unavailable = UNAVAILABLE,
	.metrics = metrics,
	.nr_metrics = ARRAY_SIZE(metrics),
	.hooks = hooks,
	.nr_hooks = ARRAY_SIZE(hooks),
	.start = start,
};
