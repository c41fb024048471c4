/* SPDX-License-Identifier: MIT */
/*
 * What a request for JSON asks for: the arguments of /api/v1/... A name that is not in
 * the table is passed over, and so is one without a value.
 */
#ifndef OBSRINGD_QUERY_H
#define OBSRINGD_QUERY_H

#include <stdbool.h>
#include <stdint.h>

#define QUERY_SERIES_DEFAULT	1000
#define QUERY_SERIES_MAX	10000	/* in one answer */
#define QUERY_RECORDS_DEFAULT	200
#define QUERY_RECORDS_MAX	500

struct query {
	const char *problem;	/* of the first bad argument, or NULL */
	/* Text is the request's. */
	const char *search;	/* words, or NULL */
	const char *kind;	/* "counter", ..., or NULL */
	const char *source;	/* of records: a name or shell pattern, or NULL */
	uint64_t limit, offset;	/* limit 0: the default */
	bool has_id, has_gen;
	uint64_t id, gen;
	bool has_since, has_cursor, has_trace;
	uint64_t since_ns;	/* CLOCK_REALTIME */
	uint64_t cursor;
	unsigned int levels;	/* bit N: syslog level N; 0: all */
	uint8_t trace_id[16];
};

/* Take in an argument. Both strings are kept by reference. */
void query_add(struct query *query, const char *key, const char *value);

#endif /* OBSRINGD_QUERY_H */
