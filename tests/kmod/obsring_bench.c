// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an update costs, beside a bare per-CPU increment and what others would
 * use instead.
 *
 * Reading parameters/results runs every operation parameters/iterations times,
 * interrupts off, and gives a line each: its name, and its nanoseconds, those of
 * the same loop without it subtracted. In a guest that counts time in
 * instructions (scripts/vm --icount) they are instructions.
 */
#include <linux/atomic.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>

#include <linux/obsring.h>

#define ITERATIONS_MAX	1000000

static struct obs_counter counter = OBS_COUNTER_INIT;
static struct obs_gauge gauge = OBS_GAUGE_INIT;
static struct obs_gauge_set gauge_set = OBS_GAUGE_SET_INIT;
static struct obs_histogram exponential = OBS_HISTOGRAM_INIT;
static struct obs_histogram explicit = OBS_HISTOGRAM_INIT;

/* The bounds that Prometheus' clients have by default, in ns. */
static const u64 bounds[] = {
	5000000, 10000000, 25000000, 50000000, 100000000, 250000000,
	500000000, 1000000000, 2500000000, 5000000000, 10000000000,
};

static struct obs_metric metrics[] = {
	{
		.desc = {
			.name = "bench_events_total",
			.help = "Counted by the benchmark.",
			.kind = OBSRING_KIND_COUNTER,
		},
		.counter = &counter,
	},
	{
		.desc = {
			.name = "bench_level",
			.help = "Changed by the benchmark.",
			.kind = OBSRING_KIND_GAUGE,
		},
		.gauge = &gauge,
	},
	{
		.desc = {
			.name = "bench_last",
			.help = "Set by the benchmark.",
			.kind = OBSRING_KIND_GAUGE,
			.set = true,
		},
		.gauge_set = &gauge_set,
	},
	{
		.desc = {
			.name = "bench_exponential_seconds",
			.help = "Observed by the benchmark.",
			.unit = "seconds",
			.kind = OBSRING_KIND_HISTOGRAM,
			.exp10 = -9,
			.schema = 3,
			.min_log2 = -21,
			.max_log2 = 5,
		},
		.histogram = &exponential,
	},
	{
		.desc = {
			.name = "bench_explicit_seconds",
			.help = "Observed by the benchmark.",
			.unit = "seconds",
			.kind = OBSRING_KIND_HISTOGRAM,
			.exp10 = -9,
			.bounds = bounds,
			.nr_bounds = ARRAY_SIZE(bounds),
		},
		.histogram = &explicit,
	},
};

/* What the others bump. */
static DEFINE_PER_CPU(u64, word);
static atomic64_t shared_word = ATOMIC64_INIT(0);
static DEFINE_SPINLOCK(lock);
static u64 locked_word;

/* Observed in turn: from the lowest bucket to beyond the highest bound. */
static const u64 value[8] = {
	200, 1500, 12345, 123456, 1234567, 33333333, 1000000000, 60000000000,
};

/* ---- For tests/e2e/test_codegen.sh, which reads their code --------------- */

static noinline notrace __used __noclone void bench_counter_inc(struct obs_counter *c)
{
	obs_counter_inc(c);
}

static noinline notrace __used __noclone void bench_counter_add(struct obs_counter *c, u64 n)
{
	obs_counter_add(c, n);
}

static noinline notrace __used __noclone void bench_histogram_observe(struct obs_histogram *h,
								      u64 v)
{
	obs_histogram_observe(h, v);
}

/* ---- The loops ----------------------------------------------------------- */

#define LOOP(name, statement)					\
static noinline void loop_##name(unsigned int n)		\
{								\
	unsigned int i;						\
								\
	for (i = 0; i < n; i++) {				\
		statement;					\
		barrier();					\
	}							\
}

/* With a value that is loaded each time, used or not. */
#define LOOP_VALUE(name, statement)				\
static noinline void loop_##name(unsigned int n)		\
{								\
	unsigned int i;						\
	u64 __maybe_unused v;					\
								\
	for (i = 0; i < n; i++) {				\
		v = READ_ONCE(value[i % ARRAY_SIZE(value)]);	\
		statement;					\
		barrier();					\
	}							\
}

LOOP(empty, (void)0)
LOOP(this_cpu_inc, this_cpu_inc(word))
LOOP(counter_inc, obs_counter_inc(&counter))
LOOP(gauge_inc, obs_gauge_inc(&gauge))
LOOP(atomic64_inc, atomic64_inc(&shared_word))
LOOP(spin_lock_inc, { spin_lock(&lock); locked_word++; spin_unlock(&lock); })
LOOP(ktime, ktime_get_mono_fast_ns())

LOOP_VALUE(value, (void)0)
LOOP_VALUE(counter_add, obs_counter_add(&counter, v))
LOOP_VALUE(gauge_set, obs_gauge_set(&gauge_set, v))
LOOP_VALUE(histogram_exponential, obs_histogram_observe(&exponential, v))
LOOP_VALUE(histogram_explicit, obs_histogram_observe(&explicit, v))

struct op {
	const char *name;
	void (*loop)(unsigned int n);
	void (*base)(unsigned int n);	/* what is not the operation's own */
};

static const struct op ops[] = {
	{ "this_cpu_inc", loop_this_cpu_inc, loop_empty },
	{ "obs_counter_inc", loop_counter_inc, loop_empty },
	{ "obs_counter_add", loop_counter_add, loop_value },
	{ "obs_gauge_inc", loop_gauge_inc, loop_empty },
	{ "obs_gauge_set", loop_gauge_set, loop_value },
	{ "obs_histogram_observe_exponential", loop_histogram_exponential, loop_value },
	{ "obs_histogram_observe_explicit", loop_histogram_explicit, loop_value },
	{ "atomic64_inc", loop_atomic64_inc, loop_empty },
	{ "spin_lock_inc", loop_spin_lock_inc, loop_empty },
	{ "ktime_get_mono_fast_ns", loop_ktime, loop_empty },
};

/* ---- Parameters ---------------------------------------------------------- */

static unsigned int iterations = 10000;

static int iterations_set(const char *text, const struct kernel_param *kp)
{
	return param_set_uint_minmax(text, kp, 1, ITERATIONS_MAX);
}

static const struct kernel_param_ops iterations_ops = {
	.set = iterations_set,
	.get = param_get_uint,
};
module_param_cb(iterations, &iterations_ops, &iterations, 0644);
MODULE_PARM_DESC(iterations, "How often results runs an operation, up to 1000000 (default 10000)");

static u64 timed(void (*loop)(unsigned int n))
{
	unsigned long flags;
	u64 begin, end;

	local_irq_save(flags);
	begin = ktime_get_ns();
	loop(iterations);
	end = ktime_get_ns();
	local_irq_restore(flags);
	return end - begin;
}

static int results_get(char *buffer, const struct kernel_param *kp)
{
	const struct op *op;
	int len = 0;
	s64 cost;
	s32 rest;

	for (op = ops; op < ops + ARRAY_SIZE(ops); op++) {
		/* Once before: caches, and the emulator's translations. */
		timed(op->loop);
		cost = timed(op->loop) - timed(op->base);
		cost = div_s64_rem(max_t(s64, cost, 0) * 100, iterations, &rest);
		cost = div_s64_rem(cost, 100, &rest);
		len += scnprintf(buffer + len, PAGE_SIZE - len, "%s %lld.%02d\n",
				 op->name, cost, rest);
	}
	return len;
}

static const struct kernel_param_ops results_ops = { .get = results_get };
module_param_cb(results, &results_ops, NULL, 0444);
MODULE_PARM_DESC(results, "Read to measure: operation and its ns, a line each");

static int __init bench_init(void)
{
	return obs_metrics_register(metrics, ARRAY_SIZE(metrics));
}

static void __exit bench_exit(void)
{
	obs_metrics_unregister(metrics, ARRAY_SIZE(metrics));
}

module_init(bench_init);
module_exit(bench_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Benchmark of obsring's updates");
OBSRING_IMPORT_NS;
