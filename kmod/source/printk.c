// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages in the kernel's log, by level; those that programs write to /dev/kmsg
 * are among them. Only numbers leave, nothing of a message does, lest dmesg_restrict
 * be bypassed: unless a holder of CAP_SYSLOG, who may read that log, has those of a
 * level and above copied to the device's, for all who read it. Lockdown does not
 * forbid it, as it leaves that log readable.
 *
 * A copied message is a record a line, as "dmesg" prints it, its time in brackets
 * (printk.time) included: the record's own is that of the copying, up to a second
 * later. Its facility is a field, 0 with the kernel's own alone: what a program
 * wrote to /dev/kmsg can't pass for one.
 *
 * The console tracepoint carries no level, and comes before a record is whole,
 * so it is a wake-up alone: irq_work (a message may come from any context, with
 * any lock held), then a work that reads the log from where it stopped. Reading
 * prints nothing, so it does not wake itself. Records that were overwritten, or
 * cleared away, before they were read are told by the gap in their sequence
 * numbers, and counted under "unknown": the sum over the levels is exact.
 *
 * Before 6.3 the kernel warns (WARN_ON_ONCE) when that tracepoint is on and a
 * message comes from an NMI, where lockups and hardware errors are told. There
 * it stays off, and the log is looked into once a second.
 *
 * Memory: 10 slots.
 */
#include <linux/kernel.h>
#include <linux/kmsg_dump.h>
#include <linux/percpu.h>
#include <linux/netlink.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <linux/version.h>
#include <linux/workqueue.h>
#include <trace/events/printk.h>

#include <obsring/record.h>

#include "compat.h"
#include "irqwork.h"
#include "series.h"
#include "source.h"

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
#define WOKEN
#define POLL	(10 * HZ)
#else
#define POLL	HZ
#endif

#define LEVELS	8
#define UNKNOWN	LEVELS

/*
 * As "dmesg -x" prints them. A message is up to 1 KiB, and a prefix of up to 48
 * bytes goes before each of its lines: the first line always fits. Of very many
 * lines the kernel leaves out the last.
 */
#define MESSAGE_MAX	1024
#define PREFIX_MAX	48
#define LINE_SIZE	4096

static const char * const level_name[LEVELS + 1] = {
	"emerg", "alert", "crit", "err", "warn", "notice", "info", "debug",
	[UNKNOWN] = "unknown",
};

static struct obs_counter messages[LEVELS + 1] = {
	[0 ... LEVELS] = OBS_COUNTER_INIT,
};

static struct obs_metric metrics[] = {
	{
		.desc = {
			.name = "obsring_kernel_messages_total",
			.help = "Messages in the kernel's log; \"unknown\" were overwritten before they were read.",
			.label = { "level" },
			.kind = OBSRING_KIND_COUNTER,
		},
	},
};

/* The work's alone, and start()'s and stop()'s while there is none. */
static struct kmsg_dump_iter cursor;
static char line[LINE_SIZE];

/* Of "<N>..." the bytes, N being facility * 8 + level; 0: it is not of that form. */
static size_t line_priority(const char *text, size_t len, unsigned int *ret_priority)
{
	unsigned int priority = 0;
	size_t i;

	if (len < 3 || text[0] != '<')
		return 0;
	for (i = 1; i < len && text[i] >= '0' && text[i] <= '9'; i++)
		priority = priority * 10 + (text[i] - '0');
	if (i == len || text[i] != '>')
		return 0;
	*ret_priority = priority;
	return i + 1;
}

/* ---- Copying ------------------------------------------------------------- */

#define LEVEL_OFF	(-1)

static int log_level = LEVEL_OFF;	/* copied up to this */

static struct obs_log_source log = { .name = "printk", .taskless = true };

/* The lines of a message, each with its prefix; @len counts a last newline. */
static void copy(unsigned int priority, const char *text, size_t len)
{
	bool more = len + PREFIX_MAX + MESSAGE_MAX >= LINE_SIZE;
	char facility[12];
	const struct obs_log_field fields[] = {
		{ "facility", facility },
		{ "more", "maybe" },
	};
	const char *end = text + len, *next;
	unsigned int unused;

	snprintf(facility, sizeof(facility), "%u", priority / LEVELS);
	for (; text < end; text = next) {
		next = memchr(text, '\n', end - text);
		next = next ? next + 1 : end;
		text += line_priority(text, next - text, &unused);
		obs_log_fields(&log, priority % LEVELS, fields,
			       more && next == end ? 2 : 1,
			       "%.*s", (int)(next - text), text);
	}
}

static void copy_missed(u64 nr)
{
	char missed[24];
	const struct obs_log_field field = { "missed", missed };

	snprintf(missed, sizeof(missed), "%llu", nr);
	obs_log_fields(&log, LOGLEVEL_WARNING, &field, 1,
		       "messages were overwritten before they were read");
}

/* ---- Reading ------------------------------------------------------------- */

static void read_message(const char *text, size_t len, u64 missed)
{
	int level = READ_ONCE(log_level);
	unsigned int priority;

	if (missed) {
		obs_counter_add(&messages[UNKNOWN], missed);
		if (level != LEVEL_OFF)
			copy_missed(missed);
	}
	if (!line_priority(text, len, &priority)) {
		obs_counter_inc(&messages[UNKNOWN]);
		return;
	}
	obs_counter_inc(&messages[priority % LEVELS]);
	if ((int)(priority % LEVELS) <= level)
		copy(priority, text, len);
}

static void read_log(struct work_struct *work)
{
	u64 next = cursor.cur_seq;
	size_t len;

	while (kmsg_dump_get_line(&cursor, true, line, sizeof(line), &len)) {
		/* The cursor stands behind the record that was read. */
		read_message(line, len, cursor.cur_seq - 1 - next);
		next = cursor.cur_seq;
		cond_resched();
	}
	/*
	 * Nothing to read, but the log may have been cleared: what it then skips
	 * is counted with the next record.
	 */
	cursor.cur_seq = next;
}

static DECLARE_WORK(read_work, read_log);

/* No kernel tells when a line that others continued is whole. */
static void poll(struct work_struct *work)
{
	queue_work(system_unbound_wq, &read_work);
	queue_delayed_work(system_power_efficient_wq, to_delayed_work(work), POLL);
}

static DECLARE_DELAYED_WORK(poll_work, poll);

#if defined(WOKEN) && defined(OBS_HAVE_tp_console)
#define UNAVAILABLE NULL

static void wake(struct irq_work *work)
{
	queue_work(system_unbound_wq, &read_work);
}

/*
 * One a CPU: a record is stored with interrupts off, so the irq_work of the
 * same CPU comes when it is whole. One for all could be pending elsewhere, and
 * the log be read a moment too early. Set up by start(): the loader does not
 * relocate per-CPU data, so a function's address can't stand there.
 */
static DEFINE_PER_CPU(struct irq_work, wake_work);

/* Any context, NMI included, before the record is whole. */
static void console(void *data, const char *text, size_t len)
{
	preempt_disable_notrace();
	obs_irq_work_queue(this_cpu_ptr(&wake_work));
	preempt_enable_notrace();
}

OBS_HOOK_CHECK(console, console);

static struct obs_hook hooks[] = {
	{ "console", console },
};

static void wake_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		per_cpu(wake_work, cpu) = IRQ_WORK_INIT_HARD(wake);
}

static void wake_sync(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		irq_work_sync(per_cpu_ptr(&wake_work, cpu));
}
#else
static struct obs_hook hooks[0];

static void wake_init(void)
{
}

static void wake_sync(void)
{
}

#ifndef WOKEN
#define UNAVAILABLE NULL
#else
#define UNAVAILABLE "console has a prototype that obsring does not know"
#endif
#endif

/* ---- Life ---------------------------------------------------------------- */

/* What was said before is read by what was set before. */
static void log_level_change(int level)
{
	if (obs_source_printk.enabled) {
		queue_work(system_unbound_wq, &read_work);
		flush_work(&read_work);
	}
	WRITE_ONCE(log_level, level);
}

static int log_level_set(const struct obs_source_option *option, const char *value,
			 struct netlink_ext_ack *extack)
{
	int level;

	if (!strcmp(value, "off")) {
		log_level_change(LEVEL_OFF);
		return 0;
	}
	for (level = 0; level < LEVELS; level++) {
		if (strcmp(value, obs_level_name(level)))
			continue;
		log_level_change(level);
		return 0;
	}
	NL_SET_ERR_MSG(extack, "log-level: not off, emerg, alert, crit, err, warning, notice, info or debug");
	return -EINVAL;
}

/* Past the limit of sources it is counted with others. */
static void log_level_done(const struct obs_source_option *option)
{
	if (log_level != LEVEL_OFF)
		obs_log_source_register(&log);
}

static int log_level_show(const struct obs_source_option *option, char *buf, size_t size)
{
	return scnprintf(buf, size, "%s",
			 log_level == LEVEL_OFF ? "off" : obs_level_name(log_level));
}

static const struct obs_source_option options[] = {
	{
		.key = "log-level",
		.help = "Copy messages of this level and above to the log, emerg to debug; needs CAP_SYSLOG (default off).",
		.set = log_level_set,
		.done = log_level_done,
		.show = log_level_show,
		.syslog = true,
	},
};

static int start(void)
{
	int ret;

	wake_init();
	/* From the end of the log: what was there before is not counted. */
	kmsg_dump_rewind(&cursor);
	cursor.cur_seq = cursor.next_seq;
	ret = obs_counters_attach(metrics[0].family, level_name, messages,
				  ARRAY_SIZE(messages));
	if (!ret)
		queue_delayed_work(system_power_efficient_wq, &poll_work, POLL);
	return ret;
}

static void stop(void)
{
	wake_sync();
	cancel_delayed_work_sync(&poll_work);
	cancel_work_sync(&read_work);
	read_log(NULL);
}

struct obs_source obs_source_printk = {
	.name = "printk",
	.help = "Messages in the kernel's log, by level.",
	.unavailable = UNAVAILABLE,
	.metrics = metrics,
	.nr_metrics = ARRAY_SIZE(metrics),
	.hooks = hooks,
	.nr_hooks = ARRAY_SIZE(hooks),
	.options = options,
	.nr_options = ARRAY_SIZE(options),
	.start = start,
	.stop = stop,
};
