// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bitmap.h>
#include <linux/fdtable.h>
#include <linux/idr.h>
#include <linux/jhash.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/rcupdate.h>
#include <linux/rwsem.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/uaccess.h>

#include "process.h"
#include "sleeper.h"

#define STEP_ANSWERS	64	/* processes told in one step */
#define STEP_LOOKS	512	/* numbers looked at in one */

/* Read: an answer is being made. Write: it begins or ends to be allowed. */
static DECLARE_RWSEM(process_lock);
static bool process_on;

int obs_process_start(void)
{
	int ret = obs_sleepers_supported() ? obs_sleepers_start() : 0;

	if (ret)
		return ret;
	down_write(&process_lock);
	process_on = true;
	up_write(&process_lock);
	return 0;
}

void obs_process_stop(void)
{
	down_write(&process_lock);
	process_on = false;
	up_write(&process_lock);
	obs_sleepers_stop();
}

/*
 * Return: 0 with the lock held for reading, or -errno. Never across a copy to user
 * memory, which may take as long as its owner likes.
 */
static int answer_begin(void)
{
	/* Numbers of another namespace would be no numbers to it. */
	if (task_active_pid_ns(current) != &init_pid_ns)
		return -EPERM;
	if (down_read_killable(&process_lock))
		return -EINTR;
	if (process_on)
		return 0;
	up_read(&process_lock);
	return -ENODATA;
}

static void answer_end(void)
{
	up_read(&process_lock);
}

/* Under RCU: the task of that type whose number is *@nr or the next, which it sets. */
static struct task_struct *task_from(u32 *nr, enum pid_type type, unsigned int *looks)
{
	struct task_struct *task;
	struct pid *pid;
	int id;

	for (; *looks; (*looks)--) {
		id = *nr;
		pid = idr_get_next(&init_pid_ns.idr, &id);
		if (!pid) {
			*nr = 0;
			return NULL;
		}
		*nr = id;
		task = pid_task(pid, type);
		if (task)
			return task;
		(*nr)++;
	}
	return NULL;
}

/* ---- What processes hold ------------------------------------------------- */

static u64 memory_of(struct mm_struct *mm)
{
	s64 pages = get_mm_counter(mm, MM_ANONPAGES);

	pages += get_mm_counter(mm, MM_SHMEMPAGES);
	pages += get_mm_counter(mm, MM_SWAPENTS);
	return (u64)max_t(s64, pages, 0) << PAGE_SHIFT;
}

/* Under RCU, which its tables are freed by, and the task's lock, which holds @files. */
static u64 files_of(struct files_struct *files)
{
	struct fdtable *fdt = files_fdtable(files);

	/* Others open and close meanwhile: it is as many as at some moments. */
	return data_race(bitmap_weight(fdt->open_fds, fdt->max_fds));
}

/* Under RCU: a thread that does not exit, for what they all share; or NULL. */
static struct task_struct *thread_alive(struct task_struct *leader)
{
	struct task_struct *thread;

	for_each_thread(leader, thread) {
		if (!(READ_ONCE(thread->flags) & PF_EXITING))
			return thread;
	}
	return NULL;
}

/* Under RCU. False: a thread of the kernel, or it exits. */
static bool process_fill(struct task_struct *leader, struct obsring_process *ret)
{
	struct task_struct *task = thread_alive(leader);

	if (!task || task->flags & PF_KTHREAD)
		return false;
	*ret = (struct obsring_process){
		.pid = leader->pid,
		.start_ns = leader->start_time,
	};
	/* A number that others change as a whole. */
	ret->threads = data_race(get_nr_threads(leader));
	BUILD_BUG_ON(sizeof(ret->comm) != TASK_COMM_LEN);
	get_task_comm(ret->comm, leader);
	task_lock(task);
	if (task->mm)
		ret->memory_bytes = memory_of(task->mm);
	if (task->files)
		ret->files = files_of(task->files);
	task_unlock(task);
	return true;
}

/* The next ones from @nr on, as many as one step takes. Return: how many, or -errno. */
static int processes_step(u32 *nr, struct obsring_process *process, unsigned int room)
{
	unsigned int looks = STEP_LOOKS, told = 0;
	struct task_struct *task;
	int ret = answer_begin();

	if (ret)
		return ret;
	rcu_read_lock();
	while (told < room) {
		task = task_from(nr, PIDTYPE_TGID, &looks);
		if (!task)
			break;
		told += process_fill(task, &process[told]);
		(*nr)++;
	}
	rcu_read_unlock();
	answer_end();
	return told;
}

static int processes_tell(struct obsring_processes *list,
			  struct obsring_process *process)
{
	struct obsring_process __user *to = u64_to_user_ptr(list->process);
	unsigned int room, all = 0;
	int told;

	do {
		room = min_t(unsigned int, list->nr - all, STEP_ANSWERS);
		told = processes_step(&list->pid, process, room);
		if (told < 0)
			return told;
		if (copy_to_user(to + all, process, told * sizeof(*process)))
			return -EFAULT;
		all += told;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	} while (list->pid && all < list->nr);
	list->nr = all;
	return 0;
}

int obs_process_list(unsigned long arg)
{
	struct obsring_processes __user *user = (void __user *)arg;
	struct obsring_process *process;
	struct obsring_processes list;
	int ret;

	if (copy_from_user(&list, user, sizeof(list)))
		return -EFAULT;
	if (list.size != sizeof(list) || list.reserved || !list.pid ||
	    list.pid > INT_MAX)
		return -EINVAL;
	process = kcalloc(STEP_ANSWERS, sizeof(*process), GFP_KERNEL_ACCOUNT);
	ret = process ? processes_tell(&list, process) : -ENOMEM;
	kfree(process);
	if (!ret && copy_to_user(user, &list, sizeof(list)))
		ret = -EFAULT;
	return ret;
}

/* ---- Where tasks sleep --------------------------------------------------- */

#define GROUPS		256	/* at most */
#define GROUPS_HASHED	512

/**
 * struct group - tasks of one stack
 * @tasks: their number
 * @nr: frames
 * @frame: addresses
 */
struct group {
	u32 tasks;
	u32 nr;
	unsigned long frame[OBS_SLEEPER_FRAMES];
};

/**
 * struct census - tasks, as they are counted
 * @answer: what is told in the end
 * @nr: groups
 * @group: these, in the order that they were met
 * @hashed: index + 1 of each
 */
struct census {
	struct obsring_sleepers answer;
	unsigned int nr;
	struct group group[GROUPS];
	u16 hashed[GROUPS_HASHED];
};

/* NULL: there are too many. */
static struct group *group_of(struct census *census, const unsigned long *frame,
			      unsigned int nr)
{
	size_t bytes = nr * sizeof(*frame);
	u32 at = jhash(frame, bytes, 0);
	struct group *group;

	for (;; at++) {
		at %= GROUPS_HASHED;
		if (!census->hashed[at])
			break;
		group = &census->group[census->hashed[at] - 1];
		if (group->nr == nr && !memcmp(group->frame, frame, bytes))
			return group;
	}
	if (census->nr == GROUPS)
		return NULL;
	census->hashed[at] = census->nr + 1;
	group = &census->group[census->nr++];
	group->nr = nr;
	memcpy(group->frame, frame, bytes);
	return group;
}

/* Under RCU. */
static void census_take(struct census *census, struct task_struct *task)
{
	unsigned long frame[OBS_SLEEPER_FRAMES];
	struct group *group = NULL;
	unsigned int nr;

	census->answer.tasks++;
	if (READ_ONCE(task->exit_state)) {
		census->answer.exited++;
		return;
	}
	if (READ_ONCE(task->__state) == TASK_RUNNING) {
		census->answer.running++;
		return;
	}
	nr = obs_sleeper_find(task, frame);
	if (nr)
		group = group_of(census, frame, nr);
	if (group)
		group->tasks++;
	else
		census->answer.unknown++;
}

static void census_step(struct census *census, u32 *nr)
{
	u32 pid = census->answer.pid;
	unsigned int looks = STEP_LOOKS;
	struct task_struct *task;

	rcu_read_lock();
	while (looks) {
		task = task_from(nr, PIDTYPE_PID, &looks);
		if (!task)
			break;
		if (!pid || task->tgid == pid)
			census_take(census, task);
		(*nr)++;
		looks--;
	}
	rcu_read_unlock();
}

static int more_tasks(const void *a, const void *b)
{
	const struct group *left = a, *right = b;

	return right->tasks < left->tasks ? -1 : right->tasks > left->tasks;
}

/* Groups that the caller has no room for are unknown to it. */
static int census_tell(struct census *census)
{
	struct obsring_sleep_group __user *to = u64_to_user_ptr(census->answer.group);
	struct obsring_sleep_group told;
	struct group *group;
	unsigned int i;

	sort(census->group, census->nr, sizeof(*group), more_tasks, NULL);
	for (i = 0; i < census->nr; i++) {
		group = &census->group[i];
		if (i >= census->answer.nr) {
			census->answer.unknown += group->tasks;
			continue;
		}
		memset(&told, 0, sizeof(told));
		told.tasks = group->tasks;
		obs_sleeper_print(group->frame, group->nr, told.stack,
				  sizeof(told.stack));
		if (copy_to_user(to + i, &told, sizeof(told)))
			return -EFAULT;
	}
	census->answer.nr = min(census->answer.nr, census->nr);
	return 0;
}

static int census_make(struct census *census)
{
	u32 nr = 1;

	while (nr) {
		census_step(census, &nr);
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

int obs_process_sleepers(unsigned long arg)
{
	struct obsring_sleepers __user *user = (void __user *)arg;
	struct obsring_sleepers asked;
	struct census *census;
	int ret;

	if (copy_from_user(&asked, user, sizeof(asked)))
		return -EFAULT;
	if (asked.size != sizeof(asked) || asked.reserved)
		return -EINVAL;
	if (!obs_sleepers_supported())
		return -EOPNOTSUPP;
	census = kvzalloc(sizeof(*census), GFP_KERNEL_ACCOUNT);
	if (!census)
		return -ENOMEM;
	census->answer = (struct obsring_sleepers){
		.size = asked.size, .pid = asked.pid, .nr = asked.nr,
		.group = asked.group,
	};
	ret = answer_begin();
	if (!ret) {
		ret = census_make(census);
		answer_end();
	}
	if (!ret)
		ret = census_tell(census);
	if (!ret && copy_to_user(user, &census->answer, sizeof(census->answer)))
		ret = -EFAULT;
	kvfree(census);
	return ret;
}
