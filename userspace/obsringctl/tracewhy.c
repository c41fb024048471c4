// SPDX-License-Identifier: MIT
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "tracewhy.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Spaces and tabs around it are none of a value. */
static struct obs_bytes trim(struct obs_bytes b)
{
	while (b.len && is_blank(b.at[0])) {
		b.at++;
		b.len--;
	}
	while (b.len && is_blank(b.at[b.len - 1]))
		b.len--;
	return b;
}

/* ---- traceparent --------------------------------------------------------- */

static const struct {
	const char *name;
	size_t at, len;
	bool not_zero;
} fields[] = {
	{ "version", 0, 2, false },
	{ "trace id", 3, 32, true },
	{ "span id", 36, 16, true },
	{ "flags", 53, 2, false },
};

#define NR_FIELDS (sizeof(fields) / sizeof(fields[0]))

static bool is_digit(char c)
{
	return c && strchr("0123456789abcdef", c);
}

/* The first character of a field that is no digit; its length if all are. */
static size_t digits(struct obs_bytes value, size_t field)
{
	size_t i = 0;

	while (i < fields[field].len && is_digit(value.at[fields[field].at + i]))
		i++;
	return i;
}

static bool field_why(struct obs_bytes value, size_t field, char *text, size_t size)
{
	const char *name = fields[field].name, *at = value.at + fields[field].at;
	size_t len = fields[field].len, good = digits(value, field);

	if (good < len)
		snprintf(text, size, "character %zu, in its %s, is none of 0-9 a-f",
			 fields[field].at + good + 1, name);
	else if (field && at[-1] != '-')
		snprintf(text, size, "character %zu, before its %s, is no dash",
			 fields[field].at, name);
	else if (fields[field].not_zero && strspn(at, "0") >= len)
		snprintf(text, size, "its %s is all zero", name);
	else
		return false;
	return true;
}

static void traceparent_why(const struct obs_trace_headers *headers, char *text, size_t size)
{
	struct obs_bytes value = trim(headers->traceparent);
	size_t i;

	if (headers->nr_traceparent > 1) {
		snprintf(text, size, "there are several");
		return;
	}
	if (value.len < OBS_TRACEPARENT_LEN) {
		snprintf(text, size, "it has %zu characters, not %d", value.len,
			 OBS_TRACEPARENT_LEN);
		return;
	}
	for (i = 0; i < NR_FIELDS; i++)
		if (field_why(value, i, text, size))
			return;
	if (!memcmp(value.at, "ff", 2))
		snprintf(text, size, "version ff is none");
	else if (!memcmp(value.at, "00", 2))
		snprintf(text, size, "version 00 ends with its flags");
	else
		snprintf(text, size, "what follows on its flags does not begin with a dash");
}

/* ---- tracestate ---------------------------------------------------------- */

/* Is it a member? The library tells, beside a traceparent that is one. */
static bool is_member(const char *at, size_t len)
{
	static const char parent[] = "00-00000000000000000000000000000001-0000000000000001-00";
	struct obs_trace_headers headers;
	struct obs_trace_context context;
	unsigned int dropped;

	obs_trace_headers_init(&headers);
	obs_trace_headers_add(&headers, "traceparent", 11, parent, sizeof(parent) - 1);
	obs_trace_headers_add(&headers, "tracestate", 10, at, len);
	obs_trace_extract(&headers, &context, &dropped);
	return !(dropped & OBS_TRACE_BAD_TRACESTATE);
}

/* Counts on from *@nr; the first that is none, or 0. */
static unsigned int members_check(struct obs_bytes value, unsigned int *nr)
{
	const char *at = value.at, *end = at + value.len, *comma;

	for (; at < end; at = comma + 1) {
		comma = memchr(at, ',', (size_t)(end - at));
		if (!comma)
			comma = end;
		if (!trim((struct obs_bytes){ at, (size_t)(comma - at) }).len)
			continue;
		++*nr;
		if (!is_member(at, (size_t)(comma - at)))
			return *nr;
	}
	return 0;
}

static void tracestate_why(const struct obs_trace_headers *headers, char *text, size_t size)
{
	unsigned int nr = 0, bad = 0, i;

	if (headers->nr_tracestate > OBS_TRACE_HEADER_VALUES) {
		snprintf(text, size, "there are more than %d", OBS_TRACE_HEADER_VALUES);
		return;
	}
	for (i = 0; i < headers->nr_tracestate && !bad; i++)
		bad = members_check(headers->tracestate[i], &nr);
	if (bad)
		snprintf(text, size, "its member %u is not KEY=VALUE of that form", bad);
	else
		snprintf(text, size, "it has %u members, of which 32 may be", nr);
}

void trace_why(const struct obs_trace_headers *headers, unsigned int reason, char *text,
	       size_t size)
{
	*text = '\0';
	if (reason == OBS_TRACE_BAD_TRACEPARENT)
		traceparent_why(headers, text, size);
	else if (reason == OBS_TRACE_BAD_TRACESTATE)
		tracestate_why(headers, text, size);
}
