// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hooks that do nothing: what the kernel itself takes to tell an event, which
 * obsring and every other tool pay alike. For tests/bench/bench_kernel.sh.
 *
 * insmod obsring_floor.ko with any of tracepoint=NAME[,NAME], kprobe=FUNCTION,
 * kretprobe=FUNCTION sets them, rmmod removes them.
 */
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/string.h>
#include <linux/tracepoint.h>

#define TRACEPOINTS_MAX	2
#define MAXACTIVE	64

static char *tracepoint[TRACEPOINTS_MAX];
static unsigned int nr_tracepoints;
module_param_array(tracepoint, charp, &nr_tracepoints, 0444);
MODULE_PARM_DESC(tracepoint, "Names of up to two tracepoints of the kernel's own");

static char *kprobe;
module_param(kprobe, charp, 0444);
MODULE_PARM_DESC(kprobe, "A function to stop at");

static char *kretprobe;
module_param(kretprobe, charp, 0444);
MODULE_PARM_DESC(kretprobe, "A function to stop at, and at its return");

/* Of any prototype: it looks at none of its arguments. */
static void tracepoint_nothing(void *data)
{
}

static int kprobe_nothing(struct kprobe *kp, struct pt_regs *regs)
{
	return 0;
}

static int kretprobe_nothing(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	return 0;
}

static struct kprobe kp = { .pre_handler = kprobe_nothing };
static struct kretprobe rp = {
	.entry_handler = kretprobe_nothing,
	.handler = kretprobe_nothing,
	.maxactive = MAXACTIVE,
};

static struct tracepoint *found[TRACEPOINTS_MAX];

static void match(struct tracepoint *tp, void *unused)
{
	unsigned int i;

	for (i = 0; i < nr_tracepoints; i++) {
		if (!strcmp(tp->name, tracepoint[i]))
			found[i] = tp;
	}
}

static void tracepoints_unregister(unsigned int nr)
{
	while (nr--)
		tracepoint_probe_unregister(found[nr], tracepoint_nothing, NULL);
	tracepoint_synchronize_unregister();
}

static int tracepoints_register(void)
{
	unsigned int i;
	int ret;

	for_each_kernel_tracepoint(match, NULL);
	for (i = 0; i < nr_tracepoints; i++) {
		ret = -ENOENT;
		if (found[i])
			ret = tracepoint_probe_register(found[i], tracepoint_nothing, NULL);
		if (ret) {
			tracepoints_unregister(i);
			return ret;
		}
	}
	return 0;
}

static int __init floor_init(void)
{
	int ret;

	ret = tracepoints_register();
	if (ret)
		return ret;
	kp.symbol_name = kprobe;
	ret = kprobe ? register_kprobe(&kp) : 0;
	if (ret)
		goto err_kprobe;
	rp.kp.symbol_name = kretprobe;
	ret = kretprobe ? register_kretprobe(&rp) : 0;
	if (ret)
		goto err_kretprobe;
	return 0;

err_kretprobe:
	if (kprobe)
		unregister_kprobe(&kp);
err_kprobe:
	tracepoints_unregister(nr_tracepoints);
	return ret;
}

static void __exit floor_exit(void)
{
	if (kretprobe)
		unregister_kretprobe(&rp);
	if (kprobe)
		unregister_kprobe(&kp);
	tracepoints_unregister(nr_tracepoints);
}

module_init(floor_init);
module_exit(floor_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Empty hooks, to know what the kernel takes itself");
