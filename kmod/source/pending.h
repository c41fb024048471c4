/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What has begun and not ended, for sources that time things: a side table and
 * a counter of what found no room in it and so was not timed.
 */
#ifndef OBSRING_SOURCE_PENDING_H
#define OBSRING_SOURCE_PENDING_H

#include <linux/cpumask.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/timekeeping.h>
#include <linux/vmalloc.h>

#include <linux/obsring.h>
#include <obsring/sidetable.h>

/**
 * struct obs_pending - a table of begin times
 * @table: its memory exists while the source is on
 * @missed: begins that found no room
 */
struct obs_pending {
	struct obs_sidetable table;
	struct obs_counter missed;
};

/*
 * Room for 128 entries a CPU, at least 2048 (48 KiB); a few are in use at a
 * time, so that sets of eight seldom fill up. Process context.
 */
static inline int obs_pending_start(struct obs_pending *pending)
{
	u32 order = clamp(ilog2(nr_cpu_ids) + 4, 8, 14);

	pending->table.sets = vzalloc(obs_sidetable_bytes(order));
	pending->table.order = order;
	return pending->table.sets ? 0 : -ENOMEM;
}

/* No probe uses it any more. Process context. */
static inline void obs_pending_stop(struct obs_pending *pending)
{
	vfree(pending->table.sets);
	pending->table.sets = NULL;
}

/* Context: any, NMI included, as for the following. */
static inline void obs_pending_begin(struct obs_pending *pending,
				     const void *what, u64 extra)
{
	if (obs_sidetable_put(&pending->table, (uintptr_t)what,
			      ktime_get_mono_fast_ns(), extra) == OBS_SIDETABLE_FULL)
		obs_counter_inc(&pending->missed);
}

/* Fetch what began: true, its duration in @ns and its extra word. */
static inline bool obs_pending_end(struct obs_pending *pending,
				   const void *what, u64 *ns, u64 *extra)
{
	struct obs_sidetable_value value;
	u64 now;

	if (!obs_sidetable_take(&pending->table, (uintptr_t)what, &value))
		return false;
	/* The NMI-safe clock may step back a little. */
	now = ktime_get_mono_fast_ns();
	*ns = now > value.time ? now - value.time : 0;
	*extra = value.extra;
	return true;
}

/* Forget what began and will not end. */
static inline void obs_pending_forget(struct obs_pending *pending,
				      const void *what)
{
	struct obs_sidetable_value value;

	obs_sidetable_take(&pending->table, (uintptr_t)what, &value);
}

#endif /* OBSRING_SOURCE_PENDING_H */
