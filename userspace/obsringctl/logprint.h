/* SPDX-License-Identifier: MIT */
#ifndef OBSRINGCTL_LOGPRINT_H
#define OBSRINGCTL_LOGPRINT_H

#include <obsring.h>

#include "json.h"

/*
 * What obs_log_next() gave, as an object on a line of its own:
 *
 *	{"ts": "...", "level": "info", "source": "...", "origin": "user", "cpu": 0,
 *	 "pid": 1, "uid": 0, "comm": "...", "trace_id": "...", "span_id": "...",
 *	 "trace_flags": 1, "threshold": 0, "weight": 1, "msg": "...", "cut": true,
 *	 "fields": {"key": "value"}}
 *	{"lost": 5, "origin": "kernel", "cpu": 0}
 *
 * trace_* and span_id where there is a trace, cut and fields where that is so. What
 * is no UTF-8 becomes U+FFFD.
 */
void log_record_json(const struct obs_log_entry *entry, struct json *json);
void log_lost_json(const struct obs_log_entry *entry, struct json *json);

#endif /* OBSRINGCTL_LOGPRINT_H */
