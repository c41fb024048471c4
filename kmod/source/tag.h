/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The trace in which something began, kept until it ends elsewhere. Of a side
 * table it takes two entries of two words: keys are pointers, and the low bits
 * tell a tag's from the begin's own.
 *
 *      key | 1   trace id
 *      key | 2   span id, check << 8 | flags
 *
 * The caller's check tells a tag from one that an earlier life of the same pointer
 * left behind.
 */
#ifndef OBSRING_SOURCE_TAG_H
#define OBSRING_SOURCE_TAG_H

#include <linux/string.h>

#include <linux/obsring.h>
#include <obsring/sidetable.h>

/* Fetch a tag, and forget it. Context: any, as for the following. */
static inline bool obs_tag_take(const struct obs_sidetable *table, const void *what,
				struct obsring_trace *trace, u64 *check)
{
	struct obs_sidetable_value id, rest;

	if (!obs_sidetable_take(table, (uintptr_t)what | 1, &id) ||
	    !obs_sidetable_take(table, (uintptr_t)what | 2, &rest))
		return false;
	memset(trace, 0, sizeof(*trace));
	memcpy(trace->trace_id, &id, sizeof(trace->trace_id));
	memcpy(trace->span_id, &rest.time, sizeof(trace->span_id));
	trace->flags = (u8)rest.extra;
	*check = rest.extra >> 8;
	return true;
}

static inline void obs_tag_forget(const struct obs_sidetable *table, const void *what)
{
	struct obsring_trace trace;
	u64 check;

	obs_tag_take(table, what, &trace, &check);
}

/* Keep @trace for @what, aligned to 4, with 56 bits of @check. False: no room. */
static inline bool obs_tag_put(const struct obs_sidetable *table, const void *what,
			       const struct obsring_trace *trace, u64 check)
{
	u64 id[2], span;

	BUILD_BUG_ON(sizeof(id) != sizeof(trace->trace_id));
	memcpy(id, trace->trace_id, sizeof(id));
	memcpy(&span, trace->span_id, sizeof(span));
	if (obs_sidetable_put(table, (uintptr_t)what | 1, id[0], id[1]) ==
	    OBS_SIDETABLE_FULL)
		return false;
	if (obs_sidetable_put(table, (uintptr_t)what | 2, span,
			      check << 8 | trace->flags) != OBS_SIDETABLE_FULL)
		return true;
	obs_tag_forget(table, what);
	return false;
}

#endif /* OBSRING_SOURCE_TAG_H */
