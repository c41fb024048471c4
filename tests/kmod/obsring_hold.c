// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keeps grace periods of RCU from ending, so that what obsring removed is not gone:
 * while parameters/hold is 1, a thread reads, and does nothing but that.
 */
#include <linux/err.h>
#include <linux/kstrtox.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/rcupdate.h>

static struct task_struct *thread;	/* under the mutex of parameters */

static int hold(void *data)
{
	rcu_read_lock();
	while (!kthread_should_stop())
		cpu_relax();
	rcu_read_unlock();
	return 0;
}

static int hold_start(void)
{
	struct task_struct *new = kthread_run(hold, NULL, "obsring_hold");

	if (IS_ERR(new))
		return PTR_ERR(new);
	thread = new;
	return 0;
}

static void hold_stop(void)
{
	if (thread)
		kthread_stop(thread);
	thread = NULL;
}

static int hold_set(const char *text, const struct kernel_param *kp)
{
	bool on;
	int ret = kstrtobool(text, &on);

	if (ret)
		return ret;
	if (on)
		return thread ? 0 : hold_start();
	hold_stop();
	return 0;
}

static const struct kernel_param_ops hold_ops = { .set = hold_set };
module_param_cb(hold, &hold_ops, NULL, 0200);
MODULE_PARM_DESC(hold, "1: hold; 0: let go");

static int __init obsring_hold_init(void)
{
	return 0;
}

static void __exit obsring_hold_exit(void)
{
	hold_stop();
}

module_init(obsring_hold_init);
module_exit(obsring_hold_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Holds up grace periods");
