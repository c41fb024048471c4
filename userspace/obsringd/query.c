// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <obsring/logline.h>
#include <obsring/record.h>

#include "query.h"

#define NS_PER_S 1000000000ULL

/* Decimal digits and nothing else. */
static bool take_number(const char *text, uint64_t *ret_number)
{
	unsigned long long number;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno || *end)
		return false;
	*ret_number = number;
	return true;
}

static bool take_search(struct query *query, const char *value)
{
	query->search = value;
	return true;
}

static bool take_kind(struct query *query, const char *value)
{
	query->kind = value;
	return true;
}

static bool take_source(struct query *query, const char *value)
{
	query->source = value;
	return true;
}

static bool take_limit(struct query *query, const char *value)
{
	return take_number(value, &query->limit) && query->limit;
}

static bool take_offset(struct query *query, const char *value)
{
	return take_number(value, &query->offset);
}

static bool take_id(struct query *query, const char *value)
{
	query->has_id = take_number(value, &query->id);
	return query->has_id;
}

static bool take_gen(struct query *query, const char *value)
{
	query->has_gen = take_number(value, &query->gen);
	return query->has_gen;
}

/* Seconds since 1970, with up to nine places. */
static bool take_since(struct query *query, const char *value)
{
	uint64_t seconds, places = NS_PER_S;
	char *end;

	if (*value < '0' || *value > '9')
		return false;
	seconds = strtoull(value, &end, 10);
	if (seconds > UINT64_MAX / NS_PER_S - 1)
		return false;
	query->since_ns = seconds * NS_PER_S;
	if (*end == '.')
		for (end++; *end >= '0' && *end <= '9'; end++) {
			places /= 10;
			query->since_ns += (uint64_t)(*end - '0') * places;
		}
	query->has_since = !*end;
	return query->has_since;
}

static bool take_cursor(struct query *query, const char *value)
{
	query->has_cursor = take_number(value, &query->cursor);
	return query->has_cursor;
}

/* That level, and all that are worse. */
static bool take_level(struct query *query, const char *value)
{
	unsigned int level;

	for (level = 0; level < 8; level++) {
		if (strcmp(value, obs_level_name(level)))
			continue;
		query->levels = (2U << level) - 1;
		return true;
	}
	return false;
}

static bool take_trace(struct query *query, const char *value)
{
	query->has_trace = strlen(value) == 2 * sizeof(query->trace_id) &&
		obs_logline_bytes(value, query->trace_id, sizeof(query->trace_id));
	return query->has_trace;
}

static const struct argument {
	const char *key;
	bool (*take)(struct query *query, const char *value);
	const char *problem;
} arguments[] = {
	{ "search", take_search, NULL },
	{ "kind", take_kind, NULL },
	{ "limit", take_limit, "limit: not a number above 0" },
	{ "offset", take_offset, "offset: not a number" },
	{ "id", take_id, "id: not a number" },
	{ "gen", take_gen, "gen: not a number" },
	{ "since", take_since, "since: not in seconds since 1970" },
	{ "cursor", take_cursor, "cursor: not one that an answer had" },
	{ "level", take_level,
	  "level: not emerg, alert, crit, err, warning, notice, info or debug" },
	{ "trace", take_trace, "trace: not 32 lower-case hexadecimal digits" },
	{ "source", take_source, NULL },
};

void query_add(struct query *query, const char *key, const char *value)
{
	const struct argument *argument;
	size_t i;

	if (!value || !*value)
		return;
	for (i = 0; i < sizeof(arguments) / sizeof(arguments[0]); i++) {
		argument = &arguments[i];
		if (strcmp(key, argument->key))
			continue;
		if (!argument->take(query, value) && !query->problem)
			query->problem = argument->problem;
		return;
	}
}
