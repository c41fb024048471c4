// SPDX-License-Identifier: GPL-2.0-only
#include <linux/hash.h>
#include <linux/jiffies.h>
#include <linux/kallsyms.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/stacktrace.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

#include "sleeper.h"

#define SLEEPER_BITS	12
#define SLEEPER_WAYS	4		/* places that a task may have */
#define YOUNG		16		/* sleeps of a task that are all saved */
#define ONE_IN_LOG2	4		/* of those later one in 16, by chance */
#define PERIOD		max(HZ / 16, 1)	/* in which a budget holds */
#define BUDGET		(OBSRING_SLEEPS_BUDGET * PERIOD / HZ)

/**
 * struct sleeper - a saved stack
 * @seq: odd while it is written
 * @tid: whose, 0: nobody's
 * @start_ns: when that task started
 * @nr_sleeps: its voluntary switches, this one included
 * @when: jiffies
 * @nr: frames
 * @frame: return addresses, the innermost first
 */
struct sleeper {
	unsigned int seq;
	u32 tid;
	u64 start_ns;
	u64 nr_sleeps;
	u32 when;
	u32 nr;
	unsigned long frame[OBS_SLEEPER_FRAMES];
};

/**
 * struct budget - what a CPU may still save in this period
 * @period: which
 * @left: by kind: old, young
 * @chance: the last random number; not a count, which tasks that take turns would
 *	be in step with
 */
struct budget {
	unsigned long period;
	unsigned int left[2];
	u32 chance;
};

static DEFINE_PER_CPU(struct budget, budgets);
static struct sleeper *table;

struct obs_counter obs_sleeps_saved = OBS_COUNTER_INIT;
struct obs_counter obs_sleeps_missed = OBS_COUNTER_INIT;

bool obs_sleepers_supported(void)
{
	return IS_ENABLED(CONFIG_STACKTRACE) && IS_ENABLED(CONFIG_KALLSYMS);
}

int obs_sleepers_start(void)
{
	table = vzalloc(sizeof(*table) << SLEEPER_BITS);
	return table ? 0 : -ENOMEM;
}

void obs_sleepers_stop(void)
{
	vfree(table);
	table = NULL;
}

static struct sleeper *places(u32 tid)
{
	return &table[hash_32(tid, SLEEPER_BITS) & ~(SLEEPER_WAYS - 1)];
}

#ifdef CONFIG_STACKTRACE
/* Own CPU, interrupts off. */
static bool budget_take(bool young)
{
	struct budget *budget = this_cpu_ptr(&budgets);
	unsigned long period = jiffies / PERIOD;

	/* A linear congruence, whose upper bits are good enough for this. */
	budget->chance = budget->chance * 1664525 + 1013904223;
	if (!young && budget->chance >> (32 - ONE_IN_LOG2))
		return false;
	if (budget->period != period) {
		budget->period = period;
		budget->left[0] = BUDGET;
		budget->left[1] = BUDGET;
	}
	if (budget->left[young]) {
		budget->left[young]--;
		return true;
	}
	obs_counter_inc(&obs_sleeps_missed);
	return false;
}

/* The task's own place, or the one to take. */
static struct sleeper *place_of(u32 tid, u32 now)
{
	struct sleeper *place = places(tid), *oldest = place;
	unsigned int i;

	for (i = 0; i < SLEEPER_WAYS; i++, place++) {
		if (READ_ONCE(place->tid) == tid)
			return place;
		if (now - READ_ONCE(place->when) > now - READ_ONCE(oldest->when))
			oldest = place;
	}
	return oldest;
}

static void place_write(struct sleeper *place, unsigned int nr, u32 now,
			const unsigned long *frame)
{
	unsigned int i;

	WRITE_ONCE(place->tid, current->pid);
	WRITE_ONCE(place->start_ns, current->start_time);
	WRITE_ONCE(place->nr_sleeps, current->nvcsw);
	WRITE_ONCE(place->when, now);
	WRITE_ONCE(place->nr, nr);
	for (i = 0; i < nr; i++)
		WRITE_ONCE(place->frame[i], frame[i]);
}

void obs_sleeper_save(void)
{
	unsigned long frame[OBS_SLEEPER_FRAMES];
	struct sleeper *place;
	unsigned int seq, nr;
	u32 now = jiffies;

	if (!budget_take(current->nvcsw <= YOUNG))
		return;
	nr = stack_trace_save(frame, ARRAY_SIZE(frame), 0);
	place = place_of(current->pid, now);
	seq = READ_ONCE(place->seq);
	/* sleeper_save:A, pairs with sleeper_find:B: what follows is seen odd. */
	if (seq & 1 || cmpxchg(&place->seq, seq, seq + 1) != seq) {
		obs_counter_inc(&obs_sleeps_missed);
		return;
	}
	place_write(place, nr, now, frame);
	/* sleeper_save:B, pairs with sleeper_find:A: what precedes is complete. */
	smp_store_release(&place->seq, seq + 2);
	obs_counter_inc(&obs_sleeps_saved);
}
#else
void obs_sleeper_save(void)
{
}
#endif

/* Frames, 0: not this sleep's, or being written. */
static unsigned int place_read(const struct sleeper *place,
			       const struct task_struct *task, unsigned long *frame)
{
	/* sleeper_find:A, pairs with sleeper_save:B. */
	unsigned int seq = smp_load_acquire(&place->seq);
	unsigned int i, nr = READ_ONCE(place->nr);
	/* The task may be switching: then it is in this sleep, or no more. */
	u64 nr_sleeps = data_race(task->nvcsw);
	bool same = READ_ONCE(place->start_ns) == task->start_time &&
		    READ_ONCE(place->nr_sleeps) == nr_sleeps;

	if (seq & 1 || !same || nr > OBS_SLEEPER_FRAMES)
		return 0;
	for (i = 0; i < nr; i++)
		frame[i] = READ_ONCE(place->frame[i]);
	smp_rmb();	/* sleeper_find:B, pairs with sleeper_save:A */
	return READ_ONCE(place->seq) == seq ? nr : 0;
}

unsigned int obs_sleeper_find(struct task_struct *task,
			      unsigned long frame[OBS_SLEEPER_FRAMES])
{
	const struct sleeper *place = places(task->pid);
	unsigned int i;

	for (i = 0; i < SLEEPER_WAYS; i++, place++) {
		if (READ_ONCE(place->tid) == task->pid)
			return place_read(place, task, frame);
	}
	return 0;
}

/* How a task comes here is the same for all: probe, scheduler, time-out. */
static bool is_scheduler(const char *name)
{
	return strstr(name, "schedule") || strstarts(name, "__traceiter_") ||
	       strstr(name, "sched_switch") || strstr(name, "sleeper_save") ||
	       strstr(name, "stack_trace_save");
}

void obs_sleeper_print(const unsigned long *frame, unsigned int nr, char *text,
		       size_t size)
{
	char name[KSYM_SYMBOL_LEN];
	bool begun = false;
	size_t len = 0;
	unsigned int i;

	text[0] = 0;
	for (i = 0; i < nr; i++) {
		snprintf(name, sizeof(name), "%ps", (void *)frame[i]);
		/* Code that has no name is told by its address. */
		if (strstarts(name, "0x"))
			strscpy(name, "?", sizeof(name));
		if (!begun && is_scheduler(name))
			continue;
		if (len + strlen(name) + 2 > size)
			break;
		len += scnprintf(text + len, size - len, "%s%s", begun ? "<" : "",
				 name);
		begun = true;
	}
}
