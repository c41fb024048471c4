/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where tasks sleep: kernel stacks, saved by the tasks themselves as they are
 * switched out to sleep, in a table that is keyed by the task.
 *
 * A place in the table is found by the task's number among SLEEPER_WAYS; if none is
 * its own, it takes the one that was written longest ago. A place is written under
 * its own sequence (odd: being written): whoever finds it odd, another CPU's task of
 * the same few places, gives up, and counts that. So nobody waits, and nothing is
 * ever freed while the source is on: what dead tasks left is told from others by
 * number and start, and is overwritten in time.
 *
 * What was saved is of the sleep that the task's count of voluntary switches says:
 * once it has slept again, unseen, the two differ.
 */
#ifndef OBSRING_SLEEPER_H
#define OBSRING_SLEEPER_H

#include <linux/sched.h>

#include <linux/obsring.h>

/* The hook's own frames and the scheduler's are among them. */
#define OBS_SLEEPER_FRAMES	12

extern struct obs_counter obs_sleeps_saved, obs_sleeps_missed;

/* Can this kernel save stacks at all? */
bool obs_sleepers_supported(void);

/* Process context. Return: 0 or -ENOMEM. */
int obs_sleepers_start(void);

/* Process context; nobody saves or looks any more. */
void obs_sleepers_stop(void);

/*
 * The current task goes to sleep. Interrupts are off, a run queue's lock may be
 * held: no lock, no wake-up, no memory.
 */
void obs_sleeper_save(void);

/**
 * obs_sleeper_find() - the stack of a task's present sleep
 * @task: which, valid under RCU
 * @frame: receives its addresses, the innermost first
 *
 * Return: how many; 0: it was not saved.
 */
unsigned int obs_sleeper_find(struct task_struct *task,
			      unsigned long frame[OBS_SLEEPER_FRAMES]);

/**
 * obs_sleeper_print() - addresses as names of functions
 * @frame: addresses
 * @nr: how many
 * @text: receives names with '<' between, without the scheduler's own at the
 *	beginning; never an address
 * @size: of it
 */
void obs_sleeper_print(const unsigned long *frame, unsigned int nr, char *text,
		       size_t size);

#endif /* OBSRING_SLEEPER_H */
