// SPDX-License-Identifier: GPL-2.0-only
/*
 * A producer to copy: a pretended device with requests that take time, counted
 * in every kind of metric. Build it against the installed headers and
 * Module.symvers of obsring:
 *
 *	ccflags-y := -I/usr/src/obsring/include
 *	KBUILD_EXTRA_SYMBOLS := /usr/src/obsring/Module.symvers
 *
 * Write a number n to /sys/module/obsring_example/parameters/requests to have
 * n requests served; request k takes k % 8 milliseconds of pretended time, in a
 * pretended trace whose id ends with k, and the slow ones are told in the log.
 */
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>

#include <linux/obsring.h>

/* 1. Handles: static, usable at once. */
static struct obs_counter bytes = OBS_COUNTER_INIT;
static struct obs_gauge queued = OBS_GAUGE_INIT;
static struct obs_gauge_set temperature = OBS_GAUGE_SET_INIT;
static struct obs_histogram latency = OBS_HISTOGRAM_INIT;

/* Labelled series have a handle each. */
enum { OP_READ, OP_WRITE, NR_OPS };

static const char *const op_name[NR_OPS] = { "read", "write" };
static struct obs_counter requests_by_op[NR_OPS] = {
	[0 ... NR_OPS - 1] = OBS_COUNTER_INIT,
};

/* Who speaks in the log. */
static struct obs_log_source log_source = OBS_LOG_SOURCE_INIT("example");

/* 2. The table: a line is a family, and its series if it has no labels. */
enum { REQUESTS, BYTES, QUEUED, TEMPERATURE, LATENCY, INFO };

static struct obs_metric metrics[] = {
	[REQUESTS] = {
		.desc = {
			.name = "example_requests_total",
			.help = "Requests served by the example device.",
			.label = { "op" },
			.kind = OBSRING_KIND_COUNTER,
		},
	},
	[BYTES] = {
		.desc = {
			.name = "example_bytes_total",
			.help = "Bytes moved by the example device.",
			.unit = "bytes",
			.kind = OBSRING_KIND_COUNTER,
		},
		.counter = &bytes,
	},
	[QUEUED] = {
		.desc = {
			.name = "example_queued_requests",
			.help = "Requests that wait in the example device.",
			.kind = OBSRING_KIND_GAUGE,
		},
		.gauge = &queued,
	},
	[TEMPERATURE] = {
		.desc = {
			.name = "example_temperature_celsius",
			.help = "Temperature of the example device.",
			.unit = "celsius",
			.kind = OBSRING_KIND_GAUGE,
			.set = true,
			.exp10 = -3,	/* stored in millidegrees */
		},
		.gauge_set = &temperature,
	},
	[LATENCY] = {
		.desc = {
			.name = "example_request_latency_seconds",
			.help = "Time that a request of the example device took.",
			.unit = "seconds",
			.kind = OBSRING_KIND_HISTOGRAM,
			.exp10 = -9,	/* stored in nanoseconds */
			.schema = 3,
			.min_log2 = -12,
			.max_log2 = 2,
			.exemplars = true,
		},
		.histogram = &latency,
	},
	[INFO] = {
		.desc = {
			.name = "example_info",
			.help = "What the example device is.",
			.label = { "model" },
			.kind = OBSRING_KIND_INFO,
		},
	},
};

#define SLOW_MS	7

static void tell_slow(unsigned int k, unsigned int ms)
{
	const struct obs_log_field fields[] = {
		{ "op", op_name[k % NR_OPS] },
		{ "device", "example 0" },
	};

	obs_log_fields(&log_source, LOGLEVEL_WARNING, fields, ARRAY_SIZE(fields),
		       "request %u took %u ms", k, ms);
}

/* The trace that a request came with; a real device is handed it by its caller. */
static struct obsring_trace trace_of(unsigned int k)
{
	return (struct obsring_trace){
		.trace_id = { 0xe0, [12] = k >> 24, k >> 16, k >> 8, k },
		.span_id = { 0x0b, [4] = k >> 24, k >> 16, k >> 8, k },
	};
}

/* 3. Bump and tell: in any context, without a lock. */
static void serve(unsigned int k)
{
	const struct obsring_trace trace = trace_of(k);
	unsigned int ms = k % 8;

	obs_gauge_inc(&queued);
	obs_counter_inc(&requests_by_op[k % NR_OPS]);
	obs_counter_add(&bytes, 512);
	obs_histogram_observe_traced(&latency, ms * 1000000ULL, &trace);
	if (ms >= SLOW_MS)
		tell_slow(k, ms);
	obs_gauge_set(&temperature, 40000 + k % 1000);
	obs_gauge_dec(&queued);
}

static int requests_set(const char *value, const struct kernel_param *kp)
{
	unsigned int n, k;
	int ret = kstrtouint(value, 0, &n);

	if (ret)
		return ret;
	for (k = 0; k < n; k++)
		serve(k);
	return 0;
}

static const struct kernel_param_ops requests_ops = { .set = requests_set };
module_param_cb(requests, &requests_ops, NULL, 0200);
MODULE_PARM_DESC(requests, "Write a number to have so many requests served");

/* 4. Register at init, unregister at exit when nothing bumps any more. */
static int __init example_init(void)
{
	static const char *const model[] = { "pretended" };
	int ret, i;

	ret = obs_metrics_register(metrics, ARRAY_SIZE(metrics));
	if (ret)
		return ret;
	for (i = 0; i < NR_OPS && !ret; i++)
		ret = obs_counter_attach(metrics[REQUESTS].family, &op_name[i],
					 &requests_by_op[i]);
	if (!ret)
		ret = obs_info_attach(metrics[INFO].family, model);
	if (ret)
		obs_metrics_unregister(metrics, ARRAY_SIZE(metrics));
	return ret;
}

static void __exit example_exit(void)
{
	obs_metrics_unregister(metrics, ARRAY_SIZE(metrics));
}

module_init(example_init);
module_exit(example_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Example of a metrics producer for obsring");
OBSRING_IMPORT_NS;
