/* SPDX-License-Identifier: MIT */
/*
 * /api/v1/series: the device's families and series with their values, as JSON;
 * /api/v1/series/cpu: one of them by CPU.
 */
#ifndef OBSRINGD_SERIES_H
#define OBSRINGD_SERIES_H

#include "collect.h"
#include "query.h"
#include "text.h"

/*
 * The series that the query asks for, up to its limit. -errno: the device can't be read,
 * and @reason says why; what was put then means nothing.
 */
int series_write(struct collector *collector, const struct query *query,
		 struct text *json, char reason[COLLECT_REASON_MAX]);

/* One, by its id and gen. As above; -ESTALE: there is no such series, or no more. */
int series_write_cpus(struct collector *collector, const struct query *query,
		      struct text *json, char reason[COLLECT_REASON_MAX]);

#endif /* OBSRINGD_SERIES_H */
