// SPDX-License-Identifier: GPL-2.0-only
/*
 * Speaks in the log as it is told: write "SOURCE LEVEL COUNT TYPES" to its
 * parameter speak, and so many records come from that source, in the writer's
 * context, record k being of type k % TYPES: "type T".
 *
 * SOURCE is a source that is made for this once: registered, unless its name
 * begins with "new". "irq" before it: the records are written with interrupts off;
 * "each": as many come from each CPU at once, every other one with interrupts off.
 */
#include <linux/cpu.h>
#include <linux/errno.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include <linux/obsring.h>

#define BATCH	256	/* records between two looks at who else wants to run */

static void batch(struct obs_log_source *source, int level, unsigned int from,
		  unsigned int to, unsigned int types)
{
	for (; from < to; from++)
		obs_log(source, level, "type %u", from % types);
}

static void speak(struct obs_log_source *source, int level, unsigned int count,
		  unsigned int types, bool irq)
{
	unsigned int at, to;
	unsigned long flags;

	for (at = 0; at < count; at = to) {
		to = min(at + BATCH, count);
		if (irq) {
			local_irq_save(flags);
			batch(source, level, at, to, types);
			local_irq_restore(flags);
		} else {
			batch(source, level, at, to, types);
		}
		cond_resched();
	}
}

/* What each CPU shall say; one write to a parameter at a time. */
static struct {
	struct obs_log_source *source;
	int level;
	unsigned int count, types;
} order;

static DEFINE_PER_CPU(struct work_struct, order_work);

static void order_fn(struct work_struct *work)
{
	speak(order.source, order.level, order.count, order.types,
	      raw_smp_processor_id() % 2);
}

static void order_all(void)
{
	unsigned int cpu;

	cpus_read_lock();
	for_each_online_cpu(cpu) {
		INIT_WORK(per_cpu_ptr(&order_work, cpu), order_fn);
		schedule_work_on(cpu, per_cpu_ptr(&order_work, cpu));
	}
	for_each_online_cpu(cpu)
		flush_work(per_cpu_ptr(&order_work, cpu));
	cpus_read_unlock();
}

static int speak_set(const char *text, const struct kernel_param *kp)
{
	unsigned int count, types;
	struct obs_log_source source;
	char name[64];
	bool irq = !strncmp(text, "irq ", 4), each = !strncmp(text, "each ", 5);
	int level, ret = 0;

	if (sscanf(text + (irq ? 4 : each ? 5 : 0), "%63s %d %u %u", name, &level, &count,
		   &types) != 4 || !types)
		return -EINVAL;
	obs_log_source_init(&source, name);
	if (strncmp(name, "new", 3))
		ret = obs_log_source_register(&source);
	/* Refused or not: it may speak. */
	if (!each) {
		speak(&source, level, count, types, irq);
		return ret;
	}
	order.source = &source;
	order.level = level;
	order.count = count;
	order.types = types;
	order_all();
	return ret;
}

static const struct kernel_param_ops speak_ops = { .set = speak_set };
module_param_cb(speak, &speak_ops, NULL, 0200);
MODULE_PARM_DESC(speak, "[irq |each ]SOURCE LEVEL COUNT TYPES");

static int __init chatter_init(void)
{
	return 0;
}

static void __exit chatter_exit(void)
{
}

module_init(chatter_init);
module_exit(chatter_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Speaks in obsring's log, for tests");
OBSRING_IMPORT_NS;
