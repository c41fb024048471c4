/* SPDX-License-Identifier: MIT */
/*
 * /api/v1/log: the newest records of the device's log, as JSON.
 */
#ifndef OBSRINGD_RECORDS_H
#define OBSRINGD_RECORDS_H

#include "query.h"
#include "text.h"

/*
 * The newest records that the query asks for, up to its limit, and the cursor behind
 * them. The device is open no longer than this takes. -errno of obs_log_open() or
 * obs_log_next(); what was put then means nothing.
 */
int records_write(const char *device, const struct query *query, struct text *json);

#endif /* OBSRINGD_RECORDS_H */
