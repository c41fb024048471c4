// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registry of trace contexts: a hash from task to address. An entry belongs to
 * its task: that alone looks for it, changes it and removes it, in its own
 * context, at the latest when it exits. So who found an entry may use it, and RCU
 * only protects the way past the entries of others.
 *
 * What ends an entry: its thread's wish; sched_process_exit, which comes for every
 * task that dies, before its memory can be another's; sched_process_exec. exec has
 * its new address space some time before it tells, and the old address must not
 * be read there (it may be a set-user-ID program's stack): an entry holds for the
 * address space in which it was made. That one is still used when the new one is
 * made, so that they differ.
 *
 * fork, vfork and clone make other tasks, which have no entry. They, a tracer, or
 * any other thread that shares or can write the memory can change what stands at
 * the address: it is the process' own concern what its records are tagged with.
 *
 * Both tracepoints are hooked, and the static key is on, from the first entry
 * until there was none for IDLE: a thread that registers in turns must not have
 * the kernel's code patched each time.
 */
#include <linux/atomic.h>
#include <linux/compat.h>
#include <linux/cred.h>
#include <linux/hash.h>
#include <linux/hashtable.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>
#include <linux/workqueue.h>
#include <trace/events/sched.h>

#include "compat.h"
#include "context.h"
#include "hook.h"

#define IDLE	(5 * HZ)

/* A user may have one of so many of all entries. */
#define USER_SHARE	4

/**
 * struct owner - who has entries
 * @node: in owners
 * @uid: in the initial user namespace
 * @entries: how many; raised under contexts_mutex only
 */
struct owner {
	struct hlist_node node;
	kuid_t uid;
	atomic_t entries;
};

/**
 * struct entry - a thread that has registered
 * @node: in the table; changed under entries_lock
 * @task: whose; never followed
 * @mm: in which address space; never followed
 * @where: its context
 * @owner: who registered it
 * @rcu: frees it
 */
struct entry {
	struct hlist_node node;
	const struct task_struct *task;
	const struct mm_struct *mm;
	const struct obsring_context __user *where;
	struct owner *owner;
	struct rcu_head rcu;
};

DEFINE_STATIC_KEY_FALSE(obs_contexts);

static DEFINE_MUTEX(contexts_mutex);	/* watching, owners, the table's making */
static DEFINE_HASHTABLE(owners, 6);
static bool watching;

static DEFINE_RAW_SPINLOCK(entries_lock);	/* chains of the table */
static struct hlist_head *table;		/* made once */
static unsigned int table_order;
static unsigned int max_entries;
static atomic_t nr_entries;

/* ---- Entries ------------------------------------------------------------- */

static struct hlist_head *chain(const struct task_struct *task)
{
	return &table[hash_ptr(task, table_order)];
}

/* The current task's own. The key is on: the table exists. */
static struct entry *entry_own(void)
{
	struct entry *entry, *own = NULL;

	rcu_read_lock();
	hlist_for_each_entry_rcu(entry, chain(current), node)
		if (entry->task == current) {
			own = entry;
			break;
		}
	rcu_read_unlock();
	return own;
}

static void watch_idle(struct work_struct *work);
static DECLARE_DELAYED_WORK(idle_work, watch_idle);

/* By its task. Any context that may not sleep. */
static void entry_remove(struct entry *entry)
{
	raw_spin_lock(&entries_lock);
	hlist_del_rcu(&entry->node);
	raw_spin_unlock(&entries_lock);
	atomic_dec(&entry->owner->entries);
	if (atomic_dec_and_test(&nr_entries))
		queue_delayed_work(system_power_efficient_wq, &idle_work, IDLE);
	kfree_rcu(entry, rcu);
}

static __maybe_unused void own_remove(void)
{
	struct entry *entry = entry_own();

	if (entry)
		entry_remove(entry);
}

/* ---- Watching exit and exec ---------------------------------------------- */

#if !defined(OBS_HAVE_tp_sched_process_exec)
#define UNAVAILABLE true
#elif defined(OBS_HAVE_tp_sched_process_exit)
/* The thread itself. */
static void exited(void *data, struct task_struct *task)
{
	own_remove();
}
#elif defined(OBS_HAVE_tp_sched_process_exit_group)
static void exited(void *data, struct task_struct *task, bool group_dead)
{
	own_remove();
}
#else
#define UNAVAILABLE true
#endif

#ifndef UNAVAILABLE
/* The thread itself, in its new address space. */
static void executes(void *data, struct task_struct *task, pid_t old_pid,
		     struct linux_binprm *bprm)
{
	own_remove();
}

OBS_HOOK_CHECK(sched_process_exit, exited);
OBS_HOOK_CHECK(sched_process_exec, executes);

static struct obs_hook hooks[] = {
	{ "sched_process_exit", exited },
	{ "sched_process_exec", executes },
};

static bool available;
#else
static struct obs_hook hooks[0];
static const bool available;
#endif

/* Users without entries say nothing. */
static void owners_sweep(void)
{
	struct hlist_node *next;
	struct owner *owner;
	int i;

	hash_for_each_safe(owners, i, next, owner, node)
		if (!atomic_read(&owner->entries)) {
			hash_del(&owner->node);
			kfree(owner);
		}
}

static int watch(void)
{
	int ret;

	if (watching)
		return 0;
	if (!table)
		table = kvcalloc(1UL << table_order, sizeof(*table), GFP_KERNEL);
	if (!table)
		return -ENOMEM;
	ret = obs_hooks_set(hooks, ARRAY_SIZE(hooks));
	if (ret)
		return ret;
	static_branch_enable(&obs_contexts);
	watching = true;
	return 0;
}

static void unwatch(void)
{
	if (!watching)
		return;
	static_branch_disable(&obs_contexts);
	obs_hooks_remove(hooks, ARRAY_SIZE(hooks));
	watching = false;
}

static void watch_idle(struct work_struct *work)
{
	mutex_lock(&contexts_mutex);
	if (!atomic_read(&nr_entries)) {
		unwatch();
		owners_sweep();
	}
	mutex_unlock(&contexts_mutex);
}

/* ---- Registering --------------------------------------------------------- */

static struct owner *owner_get(kuid_t uid)
{
	struct owner *owner;

	hash_for_each_possible(owners, owner, node, __kuid_val(uid))
		if (uid_eq(owner->uid, uid))
			return owner;
	owners_sweep();
	owner = kzalloc(sizeof(*owner), GFP_KERNEL_ACCOUNT);
	if (owner) {
		owner->uid = uid;
		hash_add(owners, &owner->node, __kuid_val(uid));
	}
	return owner;
}

/* Under contexts_mutex; @entry is complete but for its user. */
static int entry_insert(struct entry *entry)
{
	struct owner *owner;
	int ret;

	if (atomic_read(&nr_entries) >= max_entries)
		return -ENOSPC;
	owner = owner_get(current_uid());
	if (!owner)
		return -ENOMEM;
	if (atomic_read(&owner->entries) >= DIV_ROUND_UP(max_entries, USER_SHARE))
		return -ENOSPC;
	/* Before there is an entry: its task's exit must be told. */
	ret = watch();
	if (ret)
		return ret;
	entry->owner = owner;
	atomic_inc(&owner->entries);
	atomic_inc(&nr_entries);
	raw_spin_lock(&entries_lock);
	hlist_add_head_rcu(&entry->node, chain(entry->task));
	raw_spin_unlock(&entries_lock);
	return 0;
}

static int entry_new(const struct obsring_context __user *where)
{
	struct entry *entry;
	int ret;

	entry = kzalloc(sizeof(*entry), GFP_KERNEL_ACCOUNT);
	if (!entry)
		return -ENOMEM;
	entry->task = current;
	entry->mm = current->mm;
	entry->where = where;
	ret = mutex_lock_killable(&contexts_mutex);
	if (!ret) {
		ret = entry_insert(entry);
		mutex_unlock(&contexts_mutex);
	}
	if (ret)
		kfree(entry);
	return ret;
}

int obs_context_register(u64 address)
{
	const struct obsring_context __user *where = u64_to_user_ptr(address);
	struct entry *entry;

	if (!available || in_compat_syscall())
		return -EOPNOTSUPP;
	if (!IS_ALIGNED(address, sizeof(u64)))
		return -EINVAL;
	if (!access_ok(where, sizeof(*where)))
		return -EFAULT;
	/* An own entry keeps the key on. */
	entry = obs_contexts_any() ? entry_own() : NULL;
	if (!address) {
		if (entry)
			entry_remove(entry);
		return 0;
	}
	if (!entry)
		return entry_new(where);
	WRITE_ONCE(entry->where, where);
	return 0;
}

/* ---- Reading ------------------------------------------------------------- */

#ifdef PF_USER_WORKER
#define WORKERS	(PF_KTHREAD | PF_IO_WORKER | PF_USER_WORKER)
#else
#define WORKERS	(PF_KTHREAD | PF_IO_WORKER)
#endif

bool __obs_context_get(struct obs_context *ret)
{
	struct entry *entry;

	if (!in_task() || !current->mm || current->flags & WORKERS)
		return false;
	entry = entry_own();
	if (!entry || entry->mm != current->mm)
		return false;
	return obs_context_read(READ_ONCE(entry->where), ret);
}

void __obs_context_observe(struct obs_histogram *h, u64 v)
{
	struct obs_context context;
	bool traced = __obs_context_get(&context);

	obs_histogram_observe_traced(h, v, traced ? &context.trace : NULL);
}

/* ---- Life ---------------------------------------------------------------- */

void obs_contexts_init(unsigned int max)
{
	max_entries = max;
	/* Chains of eight when it is full. */
	table_order = max_t(int, ilog2(max | 1) - 3, 4);
#ifndef UNAVAILABLE
	available = !obs_hooks_find(hooks, ARRAY_SIZE(hooks));
#endif
}

void obs_contexts_exit(void)
{
	struct hlist_node *next;
	struct entry *entry;
	unsigned int i;

	mutex_lock(&contexts_mutex);
	unwatch();
	mutex_unlock(&contexts_mutex);
	/* No probe is left that would queue it. */
	cancel_delayed_work_sync(&idle_work);
	for (i = 0; table && i < 1U << table_order; i++)
		hlist_for_each_entry_safe(entry, next, &table[i], node) {
			atomic_dec(&entry->owner->entries);
			kfree(entry);
		}
	owners_sweep();
	kvfree(table);
}
