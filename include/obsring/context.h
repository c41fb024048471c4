/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Trace context of a thread (struct obsring_context): in memory of the process,
 * written by its thread, read by the kernel in that thread's context.
 *
 *      sequence        even: the fields belong together; odd: being written
 *      flags, ids, rv  whole words, written one by one
 *
 *   A  set_begin     write barrier behind the odd sequence    pairs with D
 *   B  set_end       store_release of the even sequence       pairs with C
 *   C  read_begin    read barrier behind the sequence         pairs with B
 *   D  read_end      read barrier before it is read again     pairs with A
 *
 * Who read the same even sequence twice has in between read what one set wrote.
 * That holds against another thread which sets by this protocol as well. Against
 * one that does not, nothing holds but that the bytes are the process' own and
 * that the ids are not zero.
 *
 * Two threads must not set one context at the same time. A set that interrupts
 * another one, in a signal handler, finds the sequence odd and changes nothing: the
 * other goes on undisturbed. A thread that leaves a set by longjmp() leaves it odd,
 * and has no context until obs_context_init().
 */
#ifndef _OBSRING_CONTEXT_H
#define _OBSRING_CONTEXT_H

#ifdef __KERNEL__
#include <linux/string.h>
#else
#include <string.h>
#endif

#include "platform.h"

#include <linux/obsring.h>

#define OBS_CONTEXT_RV_MASK	((1ULL << 56) - 1)

/* Words of struct obsring_context behind the sequence that mean something. */
#define OBS_CONTEXT_WORDS	6

/**
 * struct obs_context - a context as a value
 * @trace: ids and flags
 * @rv: explicit randomness, 56 bits, if @has_rv
 * @has_rv: @rv is set
 */
struct obs_context {
	struct obsring_trace trace;
	__u64 rv;
	bool has_rv;
};

/* The words as they are written and read, one by one. */
union obs_context_words {
	struct obsring_context context;
	__u64 word[sizeof(struct obsring_context) / sizeof(__u64)];
};

/* Memory whose thread has not been told of to the kernel yet: no context. */
static inline void obs_context_init(struct obsring_context *c)
{
	memset(c, 0, sizeof(*c));
}

/**
 * obs_context_set() - give a thread its context
 * @c: the thread's own
 * @to: what it shall be; an id that is all 0 means none
 *
 * Async-signal-safe. Return: false if it interrupted another set: then nothing
 * was changed.
 */
static inline bool obs_context_set(struct obsring_context *c,
				   const struct obs_context *to)
{
	__u64 sequence = obs_read_once(&c->sequence);
	union obs_context_words words;
	__u64 *word = (__u64 *)c;
	unsigned int i;

	if (sequence & 1)
		return false;
	memset(&words, 0, sizeof(words));
	words.context.flags = to->has_rv ? OBSRING_CONTEXT_RV : 0;
	words.context.trace_flags = to->trace.flags;
	memcpy(words.context.trace_id, to->trace.trace_id, sizeof(to->trace.trace_id));
	memcpy(words.context.span_id, to->trace.span_id, sizeof(to->trace.span_id));
	words.context.rv = to->rv;
	obs_write_once(&c->sequence, sequence + 1);
	/* set_begin:A, pairs with read_end:D */
	obs_wmb();
	for (i = 1; i < OBS_CONTEXT_WORDS; i++)
		obs_write_once(&word[i], words.word[i]);
	/* set_end:B, pairs with read_begin:C */
	obs_store_release(&c->sequence, sequence + 2);
	return true;
}

/* No context. Return: as obs_context_set(). */
static inline bool obs_context_clear(struct obsring_context *c)
{
	static const struct obs_context none;

	return obs_context_set(c, &none);
}

/* Is it a context? Then as a value. */
static inline bool obs_context_parse(const struct obsring_context *copy,
				     struct obs_context *ret)
{
	static const __u8 zero[16];

	if (copy->sequence & 1 ||
	    !memcmp(copy->trace_id, zero, sizeof(copy->trace_id)) ||
	    !memcmp(copy->span_id, zero, sizeof(copy->span_id)))
		return false;
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->trace.trace_id, copy->trace_id, sizeof(copy->trace_id));
	memcpy(ret->trace.span_id, copy->span_id, sizeof(copy->span_id));
	ret->trace.flags = copy->trace_flags;
	ret->has_rv = copy->flags & OBSRING_CONTEXT_RV;
	ret->rv = ret->has_rv ? copy->rv & OBS_CONTEXT_RV_MASK : 0;
	return true;
}

/**
 * obs_context_read() - read the context of the current thread
 * @from: where it said that it is: any address, any bytes, changing meanwhile
 * @ret: filled if there is one
 *
 * Context: the thread's own; may not sleep, and does not. Return: false if there
 * is none, or it is being written, or there is no memory.
 */
static inline bool obs_context_read(const struct obsring_context __user *from,
				    struct obs_context *ret)
{
	const __u64 __user *word = (const __u64 __user *)from;
	union obs_context_words copy;
	/* By pointer: nothing that checks bounds may be called in between. */
	__u64 *to = copy.word;
	unsigned int i;
	__u64 again;
	bool there;

	if (!obs_user_begin(from, sizeof(*from)))
		return false;
	there = obs_user_load(&to[0], &word[0]);
	/* read_begin:C, pairs with set_end:B */
	obs_rmb();
	for (i = 1; i < OBS_CONTEXT_WORDS; i++)
		there = there && obs_user_load(&to[i], &word[i]);
	/* read_end:D, pairs with set_begin:A */
	obs_rmb();
	there = there && obs_user_load(&again, &word[0]);
	obs_user_end();
	return there && copy.word[0] == again &&
	       obs_context_parse(&copy.context, ret);
}

#endif /* _OBSRING_CONTEXT_H */
