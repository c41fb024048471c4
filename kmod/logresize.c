// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rings of another size. One change at a time:
 *
 *   1. Lines for all rings are made. Until here the change can fail.
 *   2. Each CPU takes its new lines, in an interrupt that has not interrupted one
 *      of its writers, else again; CPUs stay on line or off. No writer can be in
 *      the old lines then. Readers by read(2) go on at once, each in its
 *      section of RCU; the mapped generation is odd, so that readers by mmap wait.
 *   3. The store is told: a page fault that asked before is done with when the
 *      lock for that is ours, one that asks later gets new lines.
 *   4. The old ones are taken out of all page tables. Now no process can see them.
 *   5. The generation is made even, with new lines behind it, and waiters look.
 *   6. After a grace period no reader is in the old lines: they are freed.
 *
 * From 2 on nothing can fail or is interrupted by a signal. It waits for page faults
 * on the device that have begun, and for no other doing of a process.
 */
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <net/netlink.h>

#include "chardev.h"
#include "log.h"
#include "logread.h"
#include "logresize.h"
#include "logring.h"
#include "metric.h"
#include "netlink.h"
#include "self.h"

static DEFINE_MUTEX(resize_mutex);	/* one change at a time */

/**
 * struct size - a size that was set
 * @origin: of whose rings
 * @bytes: of each
 */
struct size {
	enum obsring_origin origin;
	u64 bytes;
};

static int fill_size(struct sk_buff *skb, const void *object)
{
	const struct size *size = object;

	return nla_put_u32(skb, OBSRING_A_ORIGIN, size->origin) ||
	       nla_put_u64_64bit(skb, OBSRING_A_BYTES, size->bytes,
				 OBSRING_A_PAD) ? -EMSGSIZE : 0;
}

static void lines_free(struct obsring_line **line)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		obs_logring_lines_free(line[cpu]);
	kvfree(line);
}

/* For all CPUs or, NULL, none. To try at all would cost others their memory. */
static struct obsring_line **lines_new(u64 bytes)
{
	struct obsring_line **line;
	unsigned int cpu;

	if (DIV_ROUND_UP(bytes, PAGE_SIZE) * num_possible_cpus() > si_mem_available())
		return NULL;
	line = kvcalloc(nr_cpu_ids, sizeof(*line), GFP_KERNEL_ACCOUNT);
	if (!line)
		return NULL;
	for_each_possible_cpu(cpu) {
		line[cpu] = obs_logring_lines_new(cpu, bytes);
		if (!line[cpu]) {
			lines_free(line);
			return NULL;
		}
	}
	return line;
}

/* Steps 2 to 6. */
static void change(const struct size *size, struct obsring_line **line)
{
	const struct obsring_region *log = &obs_header->region[OBSRING_REGION_LOG];
	u64 filled = obs_logring_replace(size->origin, line, size->bytes);

	obs_log_emptied(size->origin, filled);
	obs_chardev_unmap(log->offset, log->size);
	obs_logring_reopen(size->origin);
	obs_logread_wake_all(EPOLLIN | EPOLLRDNORM);
	synchronize_rcu();
	lines_free(line);
}

static int resize(const struct size *size, struct netlink_ext_ack *extack)
{
	struct obsring_line **line;

	if (size->bytes == obs_logring_size(size->origin))
		return 0;
	line = lines_new(size->bytes);
	if (!line) {
		if (fatal_signal_pending(current))
			return -ERESTARTSYS;
		NL_SET_ERR_MSG(extack, "there is no memory for rings of that size on all CPUs");
		return -ENOMEM;
	}
	change(size, line);
	mutex_lock(&obs_registry_mutex);
	obs_self_memory();
	obs_netlink_ntf(OBSRING_CMD_LOG_NTF, fill_size, size);
	mutex_unlock(&obs_registry_mutex);
	return 0;
}

int obs_log_resize(enum obsring_origin origin, u64 bytes,
		   struct netlink_ext_ack *extack)
{
	const struct size size = { .origin = origin, .bytes = bytes };
	int ret;

	if (mutex_lock_interruptible(&resize_mutex))
		return -ERESTARTSYS;
	ret = resize(&size, extack);
	mutex_unlock(&resize_mutex);
	return ret;
}
