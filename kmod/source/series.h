/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Series of a family with one label, made all at once from a table of names.
 */
#ifndef OBSRING_SOURCE_SERIES_H
#define OBSRING_SOURCE_SERIES_H

#include <linux/errno.h>

#include <linux/obsring.h>

/*
 * A handle that a limit refused counts in the overflow series: go on. What finds no
 * memory is not switched on.
 */
static inline int obs_series_attached(int ret)
{
	return ret == -ENOSPC ? 0 : ret;
}

/*
 * Attach counter[i] to the series name[i]; a counter without a name stays
 * detached, and what it counts goes nowhere. Attaching again changes nothing.
 */
static inline int obs_counters_attach(struct obs_family *family,
				      const char *const *name,
				      struct obs_counter *counter,
				      unsigned int nr)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < nr && !ret; i++) {
		if (!name[i])
			continue;
		ret = obs_counter_attach(family, &name[i], &counter[i]);
		ret = obs_series_attached(ret);
	}
	return ret;
}

#endif /* OBSRING_SOURCE_SERIES_H */
