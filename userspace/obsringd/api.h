/* SPDX-License-Identifier: MIT */
/*
 * The JSON behind the page: {"status":"success","data":{...}}, or "error" and why.
 */
#ifndef OBSRINGD_API_H
#define OBSRINGD_API_H

#include "collect.h"
#include "query.h"
#include "requests.h"
#include "text.h"

/* What is answered, and with which status. Out of memory: text_failed(@json). */
typedef enum request_status api_fn(struct collector *collector, const struct query *query,
				   struct text *json);

api_fn api_series, api_series_cpu, api_log;

/* In the place of api_log(), where it is off. */
api_fn api_log_off;

#endif /* OBSRINGD_API_H */
