// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where injected faults can strike: of each point that a task with a fail-nth meets, a
 * number for the calls that led there. Calls alike have the same number, in whatever load
 * of whatever module: of an address in a module the place in its page is taken, which
 * stays when the module is loaded elsewhere.
 *
 * debugfs obsring_points has the numbers since the last write to parameters/strike, in
 * their order. What is written there is the number of the place at which the next point is
 * the one that fails; 0: none.
 */
#include <linux/debugfs.h>
#include <linux/hash.h>
#include <linux/kprobes.h>
#include <linux/kstrtox.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/stacktrace.h>

#define POINTS	16384
#define DEPTH	48

static u64 points[POINTS];
static u64 strike;
static unsigned int last;	/* fail_nth of the last point: each point has its own */
static struct debugfs_blob_wrapper blob = { .data = points };
static struct dentry *file;

static bool in_module(unsigned long address)
{
	return address >= MODULES_VADDR && address < MODULES_END;
}

static u64 place_of(const unsigned long *call, unsigned int nr)
{
	u64 sum = 0;
	unsigned int i;

	for (i = 0; i < nr; i++)
		sum = (sum ^ (in_module(call[i]) ? offset_in_page(call[i]) : call[i])) *
		      GOLDEN_RATIO_64;
	return sum;
}

/*
 * In the task that has the fail-nth, and no other has one: none writes beside it but what
 * interrupts it, which is no point and leaves the fail-nth as it is; so does the one of the
 * two functions that calls the other. The last that came with a fail-nth is the point.
 */
static int point_met(struct kprobe *probe, struct pt_regs *regs)
{
	unsigned int nth = READ_ONCE(current->fail_nth);
	unsigned long call[DEPTH];
	u64 place;

	if (!nth || blob.size == sizeof(points))
		return 0;
	if (nth != last || !blob.size)
		blob.size += sizeof(points[0]);
	last = nth;
	place = place_of(call, stack_trace_save(call, DEPTH, 0));
	points[blob.size / sizeof(points[0]) - 1] = place;
	if (place == strike)
		WRITE_ONCE(current->fail_nth, 1);
	return 0;
}

/* Kprobes without one may become jumps, by which a place would get another number. */
static void point_passed(struct kprobe *probe, struct pt_regs *regs, unsigned long flags)
{
}

static struct kprobe functions[] = {
	{ .symbol_name = "should_fail", .pre_handler = point_met, .post_handler = point_passed },
	{ .symbol_name = "should_fail_ex", .pre_handler = point_met, .post_handler = point_passed },
};

static struct kprobe *probes[] = { &functions[0], &functions[1] };

static int strike_set(const char *text, const struct kernel_param *kp)
{
	blob.size = 0;
	return kstrtou64(text, 0, &strike);
}

static const struct kernel_param_ops strike_ops = { .set = strike_set };
module_param_cb(strike, &strike_ops, NULL, 0200);
MODULE_PARM_DESC(strike, "where to fail; what was met before is forgotten");

static int __init obsring_points_init(void)
{
	int ret = register_kprobes(probes, ARRAY_SIZE(probes));

	if (!ret)
		file = debugfs_create_blob("obsring_points", 0400, NULL, &blob);
	return ret;
}

static void __exit obsring_points_exit(void)
{
	debugfs_remove(file);
	unregister_kprobes(probes, ARRAY_SIZE(probes));
}

module_init(obsring_points_init);
module_exit(obsring_points_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Where injected faults can strike");
