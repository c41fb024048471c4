// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a record of kernel code costs its writer, beside trace_printk().
 *
 * Reading parameters/results runs every way parameters/iterations times, interrupts
 * off, and gives a line each: its name, and its nanoseconds, those of an empty loop
 * subtracted. In a guest that counts time in instructions (scripts/vm --icount) they
 * are instructions.
 *
 * Writing the name of a way to parameters/hook has each write(2) of a program
 * logged in that way, until "off".
 */
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/tracepoint.h>
#include <asm/unistd.h>

#include <linux/obsring.h>

#define ITERATIONS_MAX	100000
#define SHORT		64
#define LONG		256

static struct obs_log_source source = OBS_LOG_SOURCE_INIT("bench");

static char text_short[SHORT + 1];
static char text_long[LONG + 1];

static const struct obs_log_field fields[] = {
	{ "device", "example0" },
	{ "op", "write" },
};

/* checkpatch would take it for something left behind. */
#define PEER_PRINTK	trace_printk

/* ---- The ways ------------------------------------------------------------ */

static noinline void nothing(void)
{
	barrier();
}

static noinline void format_short(void)
{
	char text[SHORT + 1];

	snprintf(text, sizeof(text), "%s", text_short);
	barrier_data(text);
}

static noinline void obs_log_short(void)
{
	obs_log(&source, LOGLEVEL_INFO, "%s", text_short);
}

static noinline void obs_log_long(void)
{
	obs_log(&source, LOGLEVEL_INFO, "%s", text_long);
}

static noinline void obs_log_two_fields(void)
{
	obs_log_fields(&source, LOGLEVEL_INFO, fields, ARRAY_SIZE(fields), "%s",
		       text_short);
}

static noinline void obs_log_numbers(void)
{
	obs_log(&source, LOGLEVEL_INFO, "request %u of %u bytes took %u us", 1234,
		65536, 987654);
}

static noinline void trace_printk_short(void)
{
	PEER_PRINTK("%s\n", text_short);
}

static noinline void trace_printk_long(void)
{
	PEER_PRINTK("%s\n", text_long);
}

static noinline void trace_printk_numbers(void)
{
	PEER_PRINTK("request %u of %u bytes took %u us\n", 1234, 65536, 987654);
}

static const struct way {
	const char *name;
	void (*fn)(void);
} ways[] = {
	{ "snprintf_64", format_short },
	{ "obs_log_64", obs_log_short },
	{ "trace_printk_64", trace_printk_short },
	{ "obs_log_256", obs_log_long },
	{ "trace_printk_256", trace_printk_long },
	{ "obs_log_numbers", obs_log_numbers },
	{ "trace_printk_numbers", trace_printk_numbers },
	{ "obs_log_fields_64", obs_log_two_fields },
};

/* ---- Results ------------------------------------------------------------- */

static unsigned int iterations = 1000;

static int iterations_set(const char *text, const struct kernel_param *kp)
{
	return param_set_uint_minmax(text, kp, 1, ITERATIONS_MAX);
}

static const struct kernel_param_ops iterations_ops = {
	.set = iterations_set,
	.get = param_get_uint,
};
module_param_cb(iterations, &iterations_ops, &iterations, 0644);
MODULE_PARM_DESC(iterations, "How often results runs a way, up to 100000 (default 1000)");

static u64 timed(void (*fn)(void))
{
	unsigned long flags;
	unsigned int i;
	u64 begin, end;

	local_irq_save(flags);
	begin = ktime_get_ns();
	for (i = 0; i < iterations; i++)
		fn();
	end = ktime_get_ns();
	local_irq_restore(flags);
	return end - begin;
}

static int results_get(char *buffer, const struct kernel_param *kp)
{
	const struct way *way;
	int len = 0;
	s64 cost;

	for (way = ways; way < ways + ARRAY_SIZE(ways); way++) {
		/* Once before: caches, and the emulator's translations. */
		timed(way->fn);
		cost = timed(way->fn) - timed(nothing);
		cost = div_s64(max_t(s64, cost, 0), iterations);
		len += scnprintf(buffer + len, PAGE_SIZE - len, "%s %lld\n",
				 way->name, cost);
	}
	return len;
}

static const struct kernel_param_ops results_ops = { .get = results_get };
module_param_cb(results, &results_ops, NULL, 0444);
MODULE_PARM_DESC(results, "Read to measure: a way and its ns, a line each");

/* ---- The hook ------------------------------------------------------------ */

static const struct way off = { "off", nothing };
static const struct way *hooked = &off;
static struct tracepoint *sys_enter;

static void enter(void *data, struct pt_regs *regs, long id)
{
	if (id == __NR_write)
		READ_ONCE(hooked)->fn();
}

static int hook_set(const char *text, const struct kernel_param *kp)
{
	const struct way *way;

	if (sysfs_streq(text, off.name)) {
		WRITE_ONCE(hooked, &off);
		return 0;
	}
	for (way = ways; way < ways + ARRAY_SIZE(ways); way++) {
		if (!sysfs_streq(text, way->name))
			continue;
		WRITE_ONCE(hooked, way);
		return 0;
	}
	return -EINVAL;
}

static const struct kernel_param_ops hook_ops = { .set = hook_set };
module_param_cb(hook, &hook_ops, NULL, 0200);
MODULE_PARM_DESC(hook, "How each write(2) is logged: a way, or off");

static void match(struct tracepoint *tp, void *unused)
{
	if (!strcmp(tp->name, "sys_enter"))
		sys_enter = tp;
}

static int __init bench_log_init(void)
{
	memset(text_short, 'x', SHORT);
	memset(text_long, 'x', LONG);
	for_each_kernel_tracepoint(match, NULL);
	if (!sys_enter)
		return -ENOENT;
	obs_log_source_register(&source);
	return tracepoint_probe_register(sys_enter, enter, NULL);
}

static void __exit bench_log_exit(void)
{
	tracepoint_probe_unregister(sys_enter, enter, NULL);
	tracepoint_synchronize_unregister();
}

module_init(bench_log_init);
module_exit(bench_log_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Benchmark of obsring's log");
OBSRING_IMPORT_NS;
