/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Changes of sampling rules that wait for their time: many push, one consumer
 * applies them in the order of (time, arrival), never early.
 *
 * A command is memory of whoever pushes it, and passes on by these states:
 *
 *   its maker's   filled in: time, and what it does
 *      | push: A
 *   incoming      linked into a stack, newest first. Nobody touches it
 *      | the consumer takes the whole stack: B
 *   pending       in the consumer's list, ordered by time, then by arrival
 *      | due, or cancelled by another one
 *   given         back by obs_sample_queue_next(), with its fate; the consumer's
 *                 caller applies it if it is to, and frees it
 *
 * Arrival is the order in which pushes exchanged the stack's head: the consumer
 * turns each stack round. A push also gives a number, by which a later command can
 * name it: numbers are never used twice, but concurrent pushes may arrive in
 * another order than their numbers'.
 *
 * A command may cancel an earlier one, and do something itself (then it replaces
 * it) or nothing. That happens when the consumer takes it in, not at its time. Each
 * obs_sample_queue_next() first takes in all that has been pushed: so whatever was
 * cancelled by a push that ended before that call is not given as due by it. What
 * was given already, or never was, can't be cancelled: found says so, and what was
 * to replace it is given back as well: it never applies.
 *
 * Late: what is pushed after its time is due at once, behind what was given before.
 *
 * Full: a push beyond the limit is refused and changes nothing. Cancels have room
 * of their own beyond it, or nobody could empty a full queue.
 *
 *   queue_push:A   try_cmpxchg_release of the head: behind all of the command
 *   queue_take:B   xchg_acquire of the head: before any command is looked at
 *                  The consumer sees each command as it was pushed, and the ones
 *                  below it, which a chain of exchanges stands behind.
 *
 * No ABA: nobody takes a single command from the stack. A push whose head was taken
 * and came back in between links to the head that is there.
 */
#ifndef _OBSRING_SAMPLE_QUEUE_H
#define _OBSRING_SAMPLE_QUEUE_H

#include "platform.h"

/* Commands that wait, and those that only cancel beyond them. */
#define OBS_SAMPLE_QUEUE_MAX		1024
#define OBS_SAMPLE_QUEUE_CANCELS	256

/* struct obs_sample_queue.tickets: number << 16 | commands in the queue */
#define OBS_SAMPLE_QUEUE_NUMBER_SHIFT	16

enum obs_sample_fate {
	OBS_SAMPLE_DUE,		/* apply it */
	OBS_SAMPLE_CANCELLED,	/* by another one: it never applies */
	OBS_SAMPLE_DONE,	/* one that only cancels, or finds nothing to replace */
};

/**
 * struct obs_sample_command - embedded in whatever is to be applied
 * @next: the queue's
 * @time: when it is due, in the consumer's clock
 * @cancels: number of the command that it cancels; 0: none
 * @only_cancels: it does nothing else
 * @number: its own, set by the push: from 1
 * @arrival: set by the consumer
 * @found: set by the consumer: what it cancels was pending, and is cancelled
 * @fate: set by the consumer
 */
struct obs_sample_command {
	struct obs_sample_command *next;
	__u64 time;
	__u64 cancels;
	bool only_cancels;
	bool found;
	__u64 number;
	__u64 arrival;
	enum obs_sample_fate fate;
};

/**
 * struct obs_sample_queue - zeroed at first
 * @incoming: the stack
 * @tickets: numbers given, and commands that have room
 * @pending: consumer's: by time and arrival
 * @given: consumer's: cancelled and done ones, oldest first
 * @given_end: its last one
 * @arrivals: consumer's: commands taken in
 */
struct obs_sample_queue {
	struct obs_sample_command *incoming;
	__u64 tickets;
	struct obs_sample_command *pending;
	struct obs_sample_command *given;
	struct obs_sample_command *given_end;
	__u64 arrivals;
};

/* ---- Producers ----------------------------------------------------------- */

/**
 * obs_sample_queue_push() - send a command
 * @q: queue
 * @cmd: time, cancels and only_cancels are set; the queue's from now on
 * @ret_number: its number
 *
 * Lock-free, any number of callers at once. Who pushes wakes the consumer.
 *
 * Context: any.
 * Return: false: full; @cmd is still the caller's.
 */
static inline bool obs_sample_queue_push(struct obs_sample_queue *q,
					 struct obs_sample_command *cmd,
					 __u64 *ret_number)
{
	const __u64 one = 1ULL << OBS_SAMPLE_QUEUE_NUMBER_SHIFT;
	__u64 max = OBS_SAMPLE_QUEUE_MAX +
		    (cmd->only_cancels ? OBS_SAMPLE_QUEUE_CANCELS : 0);
	__u64 tickets = obs_read_once(&q->tickets);
	struct obs_sample_command *head;

	do {
		if ((tickets & (one - 1)) >= max)
			return false;
	} while (!obs_try_cmpxchg(&q->tickets, &tickets, tickets + one + 1));
	cmd->number = (tickets >> OBS_SAMPLE_QUEUE_NUMBER_SHIFT) + 1;
	*ret_number = cmd->number;
	head = obs_read_once(&q->incoming);
	do {
		cmd->next = head;
		/* queue_push:A, pairs with queue_take:B */
	} while (!obs_try_cmpxchg_release(&q->incoming, &head, cmd));
	return true;
}

/* ---- The consumer -------------------------------------------------------- */

static inline void obs_sample_queue_give(struct obs_sample_queue *q,
					 struct obs_sample_command *cmd,
					 enum obs_sample_fate fate)
{
	cmd->fate = fate;
	cmd->next = NULL;
	if (q->given)
		q->given_end->next = cmd;
	else
		q->given = cmd;
	q->given_end = cmd;
}

static inline bool obs_sample_queue_cancel(struct obs_sample_queue *q, __u64 number)
{
	struct obs_sample_command **at, *cmd;

	for (at = &q->pending; *at; at = &(*at)->next) {
		cmd = *at;
		if (cmd->number != number)
			continue;
		*at = cmd->next;
		obs_sample_queue_give(q, cmd, OBS_SAMPLE_CANCELLED);
		return true;
	}
	return false;
}

/* Behind all of its time: they arrived before it. */
static inline void obs_sample_queue_insert(struct obs_sample_queue *q,
					   struct obs_sample_command *cmd)
{
	struct obs_sample_command **at;

	for (at = &q->pending; *at && (*at)->time <= cmd->time; at = &(*at)->next)
		;
	cmd->next = *at;
	*at = cmd;
}

static inline void obs_sample_queue_arrive(struct obs_sample_queue *q,
					   struct obs_sample_command *cmd)
{
	cmd->arrival = q->arrivals++;
	cmd->found = cmd->cancels && obs_sample_queue_cancel(q, cmd->cancels);
	if (cmd->only_cancels || (cmd->cancels && !cmd->found))
		obs_sample_queue_give(q, cmd, OBS_SAMPLE_DONE);
	else
		obs_sample_queue_insert(q, cmd);
}

/* Everything that has been pushed, in the order of its arrival. */
static inline void obs_sample_queue_take(struct obs_sample_queue *q)
{
	struct obs_sample_command *cmd, *next, *first = NULL;

	if (!obs_read_once(&q->incoming))
		return;
	/* queue_take:B, pairs with queue_push:A */
	for (cmd = obs_xchg_acquire(&q->incoming, NULL); cmd; cmd = next) {
		next = cmd->next;
		cmd->next = first;
		first = cmd;
	}
	for (cmd = first; cmd; cmd = next) {
		next = cmd->next;
		obs_sample_queue_arrive(q, cmd);
	}
}

/**
 * obs_sample_queue_next() - the next command whose fate is known
 * @q: queue
 * @now: read before the call
 *
 * One caller at a time. Those that cancel or were cancelled come first, then those
 * whose time is not after @now, by time and arrival.
 *
 * Return: a command, the caller's again: look at its fate; NULL: none now.
 */
static inline struct obs_sample_command *
obs_sample_queue_next(struct obs_sample_queue *q, __u64 now)
{
	struct obs_sample_command *cmd;
	__u64 tickets;

	obs_sample_queue_take(q);
	cmd = q->given;
	if (cmd) {
		q->given = cmd->next;
	} else {
		cmd = q->pending;
		if (!cmd || cmd->time > now)
			return NULL;
		q->pending = cmd->next;
		cmd->fate = OBS_SAMPLE_DUE;
	}
	tickets = obs_read_once(&q->tickets);
	do {
	} while (!obs_try_cmpxchg(&q->tickets, &tickets, tickets - 1));
	return cmd;
}

/* When obs_sample_queue_next() will have one, as far as it knows. False: never. */
static inline bool obs_sample_queue_when(const struct obs_sample_queue *q,
					 __u64 *ret_time)
{
	if (!q->pending)
		return false;
	*ret_time = q->pending->time;
	return true;
}

#endif /* _OBSRING_SAMPLE_QUEUE_H */
