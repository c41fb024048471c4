/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * An exemplar's slot: the newest observation of a range of a histogram's
 * buckets that was made in a trace, with that trace. Both halves of its protocol
 * are here; the layout is specified in <linux/obsring.h>.
 *
 * Any number of writers, on any CPU and in any context, NMI included, and any
 * number of readers in other address spaces, which never write. A writer takes
 * the slot for itself, by its sequence, or gives up; a reader copies the slot
 * and looks whether the sequence stood still:
 *
 *   writer                                     reader
 *   ------                                     ------
 *   look:A     seq, acquire              <---- (publish:C of the last writer)
 *   reads the clock
 *   take:D     seq even -> odd, if it is still what look:A saw
 *   take:B     write barrier                   begin:C  seq, acquire
 *   words, relaxed                             words, relaxed
 *   publish:C  seq odd -> even, release ---->  end:B    read barrier, seq again
 *
 * The pairs:
 *   publish:C with begin:C  a reader that sees an even seq sees the words that
 *			were written before it.
 *   take:B with end:B       a reader that copied a word of a later writer sees,
 *			after its read barrier, a seq that was raised.
 *   publish:C with look:A   a writer sees the words of the one before, and has
 *			a later time than it had. The words of two writers are
 *			written one after the other, and those of the later one
 *			stay: take:D, which has no order of its own, succeeds
 *			only on the very seq that look:A saw.
 *
 * Nobody waits. A writer that meets another one in the slot, which it may have
 * interrupted, drops its exemplar (BUSY). So does one that comes less than
 * OBS_EXEMPLAR_HOLD_NS after the one that is there (HELD), so that CPUs which
 * observe the same range at a high rate share the slot's cache line for reading
 * and do not throw it to and fro. What is promised: a slot's exemplars follow
 * each other in the order of their times, unless the clock is set back, and the
 * one that is there is the range's newest with a trace, but for those that were
 * BUSY and those that came within the hold of it.
 *
 * A slot without an exemplar has time 0. One that is given to another series is
 * cleared by the same protocol, its sequence going on: a copy never mixes two
 * lives. Whose it is, the generation of the series tells (directory.h). seq has
 * 64 bits and does not wrap.
 */
#ifndef _OBSRING_EXEMPLAR_H
#define _OBSRING_EXEMPLAR_H

#include <linux/obsring.h>
#include "platform.h"

#define OBS_EXEMPLAR_HOLD_NS	1000000
#define OBS_EXEMPLAR_TRIES	8	/* of a reader */

/* Words of a slot behind its sequence; what follows them is reserved. */
enum {
	OBS_EXEMPLAR_VALUE,
	OBS_EXEMPLAR_TIME,
	OBS_EXEMPLAR_TRACE,
	OBS_EXEMPLAR_SPAN = OBS_EXEMPLAR_TRACE + 2,
	OBS_EXEMPLAR_WORDS
};

enum obs_exemplar_put {
	OBS_EXEMPLAR_STORED,
	OBS_EXEMPLAR_HELD,	/* the one that is there is as good as new */
	OBS_EXEMPLAR_BUSY,	/* another writer is at it */
};

enum obs_exemplar_get {
	OBS_EXEMPLAR_FOUND,
	OBS_EXEMPLAR_NONE,
	OBS_EXEMPLAR_BEING_WRITTEN, /* whenever it was looked at */
};

static inline void obs_exemplar_publish(struct obsring_exemplar *slot, __u64 seq,
					const __u64 word[OBS_EXEMPLAR_WORDS])
{
	__u64 *to = (__u64 *)slot + 1;
	unsigned int i;

	obs_wmb();		/* take:B, pairs with end:B */
	for (i = 0; i < OBS_EXEMPLAR_WORDS; i++)
		obs_write_once(&to[i], word[i]);
	/* publish:C, pairs with begin:C and look:A */
	obs_store_release(&slot->seq, seq + 1);
}

/**
 * obs_exemplar_look() - begin to keep an observation as an exemplar
 * @slot: of its range
 *
 * Context: any, NMI included.
 * Return: for obs_exemplar_put(), before which the clock is read.
 */
static inline __u64 obs_exemplar_look(const struct obsring_exemplar *slot)
{
	return obs_load_acquire(&slot->seq);	/* look:A, pairs with publish:C */
}

/**
 * obs_exemplar_put() - keep an observation as the exemplar of its range
 * @slot: the range's
 * @seq: from obs_exemplar_look()
 * @value: in stored units
 * @time_ns: CLOCK_REALTIME, read since then; above OBS_EXEMPLAR_HOLD_NS
 * @trace: whose ids are not all 0
 *
 * Context: any, NMI included.
 */
static inline enum obs_exemplar_put
obs_exemplar_put(struct obsring_exemplar *slot, __u64 seq, __u64 value,
		 __u64 time_ns, const struct obsring_trace *trace)
{
	__u64 word[OBS_EXEMPLAR_WORDS] = { value, time_ns };

	if (seq & 1)
		return OBS_EXEMPLAR_BUSY;
	if (time_ns - obs_read_once(&slot->time_ns) < OBS_EXEMPLAR_HOLD_NS)
		return OBS_EXEMPLAR_HELD;
	__builtin_memcpy(&word[OBS_EXEMPLAR_TRACE], trace->trace_id,
			 sizeof(trace->trace_id));
	__builtin_memcpy(&word[OBS_EXEMPLAR_SPAN], trace->span_id,
			 sizeof(trace->span_id));
	/* take:D: look:A has the order */
	if (!obs_try_cmpxchg(&slot->seq, &seq, seq + 1))
		return OBS_EXEMPLAR_BUSY;
	obs_exemplar_publish(slot, seq + 1, word);
	return OBS_EXEMPLAR_STORED;
}

/**
 * obs_exemplar_clear() - take the exemplar away
 * @slot: of a series that no writer can find any more; readers may
 */
static inline void obs_exemplar_clear(struct obsring_exemplar *slot)
{
	static const __u64 word[OBS_EXEMPLAR_WORDS];
	__u64 seq = obs_read_once(&slot->seq);

	if (!seq)
		return;
	obs_write_once(&slot->seq, seq + 1);
	obs_exemplar_publish(slot, seq + 1, word);
}

/**
 * obs_exemplar_get() - copy an exemplar
 * @slot: the range's; it may be in a mapping that others write
 * @ret: filled if there is one; its seq is that of the copy
 *
 * Context: any; tries OBS_EXEMPLAR_TRIES times. To be checked by who reads a
 * mapping that a stranger wrote: all but that time_ns is not 0.
 */
static inline enum obs_exemplar_get
obs_exemplar_get(const struct obsring_exemplar *slot, struct obsring_exemplar *ret)
{
	const __u64 *from = (const __u64 *)slot + 1;
	__u64 word[OBS_EXEMPLAR_WORDS], seq;
	unsigned int try, i;

	for (try = 0; try < OBS_EXEMPLAR_TRIES; try++) {
		/* begin:C, pairs with publish:C */
		seq = obs_load_acquire(&slot->seq);
		if (!seq)
			return OBS_EXEMPLAR_NONE;
		if (seq & 1)
			continue;
		for (i = 0; i < OBS_EXEMPLAR_WORDS; i++)
			word[i] = obs_read_once(&from[i]);
		obs_rmb();	/* end:B, pairs with take:B */
		if (obs_read_once(&slot->seq) != seq)
			continue;
		if (!word[OBS_EXEMPLAR_TIME])
			return OBS_EXEMPLAR_NONE;
		*ret = (struct obsring_exemplar){
			.seq = seq,
			.value = word[OBS_EXEMPLAR_VALUE],
			.time_ns = word[OBS_EXEMPLAR_TIME],
		};
		__builtin_memcpy(ret->trace_id, &word[OBS_EXEMPLAR_TRACE],
				 sizeof(ret->trace_id));
		__builtin_memcpy(ret->span_id, &word[OBS_EXEMPLAR_SPAN],
				 sizeof(ret->span_id));
		return OBS_EXEMPLAR_FOUND;
	}
	return OBS_EXEMPLAR_BEING_WRITTEN;
}

#endif /* _OBSRING_EXEMPLAR_H */
