// SPDX-License-Identifier: GPL-2.0-only
/*
 * Speaks in the log from where it is told to: write "WHERE [N]" to
 * parameters/say, and N records (1) "WHERE NUMBER" are in the log when the write
 * returns. WHERE: task, bh (softirqs off), locked (interrupts off, a lock held):
 * the writer itself; softirq, irq: on its CPU; work: a worker of the kernel.
 */
#include <linux/errno.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include <linux/obsring.h>

static struct obs_log_source source = OBS_LOG_SOURCE_INIT("speaker");

static void say(const char *where, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		obs_log(&source, LOGLEVEL_INFO, "%s %u", where, i);
}

static void say_task(const char *where, unsigned int n)
{
	say(where, n);
}

static void say_bh(const char *where, unsigned int n)
{
	local_bh_disable();
	say(where, n);
	local_bh_enable();
}

static DEFINE_RAW_SPINLOCK(lock);	/* held while speaking, no more */

static void say_locked(const char *where, unsigned int n)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&lock, flags);
	say(where, n);
	raw_spin_unlock_irqrestore(&lock, flags);
}

/* What these three say. */
static unsigned int left;

static void softirq_fn(struct tasklet_struct *tasklet)
{
	say("softirq", left);
}

static DECLARE_TASKLET(speak_softirq, softirq_fn);

static void say_softirq(const char *where, unsigned int n)
{
	tasklet_schedule(&speak_softirq);
	tasklet_kill(&speak_softirq);
}

static void irq_fn(struct irq_work *work)
{
	say("irq", left);
}

static struct irq_work speak_irq = IRQ_WORK_INIT_HARD(irq_fn);

static void say_irq(const char *where, unsigned int n)
{
	irq_work_queue(&speak_irq);
	irq_work_sync(&speak_irq);
}

static void work_fn(struct work_struct *work)
{
	say("work", left);
}

static DECLARE_WORK(speak_work, work_fn);

static void say_work(const char *where, unsigned int n)
{
	schedule_work(&speak_work);
	flush_work(&speak_work);
}

/**
 * struct place - where it can speak
 * @name: of it
 * @say: as the file's head tells
 */
struct place {
	const char *name;
	void (*say)(const char *where, unsigned int n);
};

static const struct place places[] = {
	{ "task", say_task },
	{ "bh", say_bh },
	{ "locked", say_locked },
	{ "softirq", say_softirq },
	{ "irq", say_irq },
	{ "work", say_work },
};

static DEFINE_MUTEX(elsewhere_mutex);	/* left, and what says it */

static int say_set(const char *text, const struct kernel_param *kp)
{
	char where[16];
	unsigned int i, n = 1;

	if (sscanf(text, "%15s %u", where, &n) < 1)
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		if (strcmp(places[i].name, where))
			continue;
		mutex_lock(&elsewhere_mutex);
		left = n;
		places[i].say(where, n);
		mutex_unlock(&elsewhere_mutex);
		return 0;
	}
	return -EINVAL;
}

static const struct kernel_param_ops say_ops = { .set = say_set };
module_param_cb(say, &say_ops, NULL, 0200);
MODULE_PARM_DESC(say, "Write \"WHERE [N]\" to have N records written from there");

static int __init speaker_init(void)
{
	return obs_log_source_register(&source);
}

static void __exit speaker_exit(void)
{
}

module_init(speaker_init);
module_exit(speaker_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Writes to obsring's log from a chosen context");
OBSRING_IMPORT_NS;
