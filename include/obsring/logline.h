/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A line that a process writes to the device:
 *
 *      [<N>][service=NAME ][traceparent=00-TRACEID-SPANID-FLAGS ]
 *           [tracestate=LIST ][.KEY=VALUE ]...[. ]MESSAGE	all one line
 *
 * N is a syslog priority, 0 to 191: its level is N & 7, 6 (info) without one. What
 * stands before the message may come in any order, the named ones once each. What is
 * not exactly of this form is part of the message: nothing is refused. A dot and a
 * space end it: what follows is message, whatever it looks like. Who logs text of
 * others puts them before it, or that text could bring a trace and fields.
 *
 * .KEY=VALUE is a field of the record: KEY is 1 to 64 of A-Z a-z 0-9 _ . -, VALUE
 *
 *      1 or more bytes, no quote, space or control character among them, or
 *      "..." of any but control characters, a backslash before quote and backslash,
 *      and \n, \r, \t, \xhh (lower-case, not 00), as log lines show them.
 *
 * Fields for which the record has no room, OBSRING_FIELDS_MAX, are left out, and it
 * counts as cut. Whatever key they choose, readers are shown none of the names that
 * say who wrote a record, and when (logfmt.h).
 *
 * traceparent: W3C Trace Context, level 2, version 00: lower-case hexadecimal, no
 * id all zero. A later version is taken as 00 if it begins like one.
 *
 * tracestate: 1 to 512 printable characters of ASCII without a space. Of its members,
 * which commas separate, that of OpenTelemetry is looked at, and there the trace's
 * randomness if it is given explicitly,
 *
 *      tracestate=...,ot=...;rv:XXXXXXXXXXXXXX;...,...
 *
 * as 14 lower-case hexadecimal digits. It is for the sampler (sample.h), counts
 * only beside a traceparent, and is not stored; nor are other members.
 */
#ifndef _OBSRING_LOGLINE_H
#define _OBSRING_LOGLINE_H

#include "record.h"

#define OBS_LOGLINE_LEVEL	6	/* info */
#define OBS_LOGLINE_PRIORITY_MAX 191
#define OBS_LOGLINE_TRACESTATE_MAX 512

#define OBS_LOGLINE_KEY_MAX	64

/*
 * What a line may need before its message: each byte of a field as \xhh, and what
 * stands around the shortest.
 */
#define OBS_LOGLINE_FIELDS_MAX \
	(256 + 12 + OBS_LOGLINE_TRACESTATE_MAX + 4 * OBSRING_FIELDS_MAX)

/**
 * struct obs_logline - a line taken apart; points into it
 * @level: 0 to 7
 * @has_trace: @trace is set
 * @has_rv: @rv is set; never without @has_trace
 * @service_len: bytes of @service, up to OBSRING_SOURCE_MAX; 0: not given
 * @service: name
 * @header: what stands before the message, for obs_logline_fields()
 * @header_len: its bytes
 * @message: what is left
 * @message_len: its bytes
 * @trace: from traceparent
 * @rv: explicit randomness from tracestate, 56 bits
 */
struct obs_logline {
	__u8 level;
	bool has_trace;
	bool has_rv;
	__u32 service_len;
	const char *service;
	const char *header;
	__u32 header_len;
	const char *message;
	__u32 message_len;
	struct obsring_trace trace;
	__u64 rv;
};

/* "<N>" at the beginning: its bytes, 0 if there is none. */
static inline __u32 obs_logline_priority(const char *text, __u32 len, __u8 *ret_level)
{
	__u32 i, n = 0;

	if (!len || text[0] != '<')
		return 0;
	for (i = 1; i < len && i <= 3 && text[i] >= '0' && text[i] <= '9'; i++)
		n = n * 10 + (text[i] - '0');
	if (i == 1 || i == len || text[i] != '>' || n > OBS_LOGLINE_PRIORITY_MAX)
		return 0;
	*ret_level = n & 7;
	return i + 1;
}

/* The value of "KEY=VALUE" at the beginning, up to a space or the end; 0: none. */
static inline __u32 obs_logline_field(const char *text, __u32 len,
				      const char *key, __u32 key_len)
{
	__u32 end;

	if (len < key_len || memcmp(text, key, key_len))
		return 0;
	for (end = key_len; end < len && text[end] != ' '; end++)
		;
	return end - key_len;
}

static inline int obs_logline_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* @nr bytes from 2 * @nr digits. False: not all are digits. */
static inline bool obs_logline_bytes(const char *text, __u8 *bytes, __u32 nr)
{
	__u32 i;

	for (i = 0; i < nr; i++) {
		int high = obs_logline_hex(text[2 * i]);
		int low = obs_logline_hex(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		bytes[i] = high << 4 | low;
	}
	return true;
}

static inline bool obs_logline_zero(const __u8 *bytes, __u32 nr)
{
	while (nr)
		if (bytes[--nr])
			return false;
	return true;
}

#define OBS_TRACEPARENT_LEN	55	/* of version 00 */

static inline bool obs_logline_traceparent(const char *text, __u32 len,
					   struct obsring_trace *ret)
{
	struct obsring_trace trace;
	__u8 version;

	if (len < OBS_TRACEPARENT_LEN || text[2] != '-' || text[35] != '-' ||
	    text[52] != '-' || !obs_logline_bytes(text, &version, 1) ||
	    version == 0xff)
		return false;
	if (version ? len > OBS_TRACEPARENT_LEN && text[55] != '-' :
		      len != OBS_TRACEPARENT_LEN)
		return false;
	memset(&trace, 0, sizeof(trace));
	if (!obs_logline_bytes(text + 3, trace.trace_id, sizeof(trace.trace_id)) ||
	    !obs_logline_bytes(text + 36, trace.span_id, sizeof(trace.span_id)) ||
	    !obs_logline_bytes(text + 53, &trace.flags, 1) ||
	    obs_logline_zero(trace.trace_id, sizeof(trace.trace_id)) ||
	    obs_logline_zero(trace.span_id, sizeof(trace.span_id)))
		return false;
	*ret = trace;
	return true;
}

/* May this be the value of a tracestate? */
static inline bool obs_logline_is_tracestate(const char *text, __u32 len)
{
	if (len > OBS_LOGLINE_TRACESTATE_MAX)
		return false;
	while (len)
		if (text[--len] <= ' ' || text[len] > '~')
			return false;
	return true;
}

/* The bytes up to @separator, or all. */
static inline __u32 obs_logline_until(const char *text, __u32 len, char separator)
{
	__u32 n;

	for (n = 0; n < len && text[n] != separator; n++)
		;
	return n;
}

/* OpenTelemetry's member: keys and values, "rv:" among them. */
static inline bool obs_logline_ot_rv(const char *text, __u32 len, __u64 *ret_rv)
{
	__u8 byte[7];
	__u32 n, i;

	for (;; text += n + 1, len -= n + 1) {
		n = obs_logline_until(text, len, ';');
		if (n == 3 + 2 * sizeof(byte) && !memcmp(text, "rv:", 3) &&
		    obs_logline_bytes(text + 3, byte, sizeof(byte)))
			break;
		if (n == len)
			return false;
	}
	*ret_rv = 0;
	for (i = 0; i < sizeof(byte); i++)
		*ret_rv = *ret_rv << 8 | byte[i];
	return true;
}

/* The explicit randomness in a tracestate: there, of 56 bits. */
static inline bool obs_logline_rv(const char *text, __u32 len, __u64 *ret_rv)
{
	__u32 n;

	for (;; text += n + 1, len -= n + 1) {
		n = obs_logline_until(text, len, ',');
		if (n > 3 && !memcmp(text, "ot=", 3))
			return obs_logline_ot_rv(text + 3, n - 3, ret_rv);
		if (n == len)
			return false;
	}
}

/* ---- .KEY=VALUE ---------------------------------------------------------- */

static inline bool obs_logline_is_key(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z') || c == '_' || c == '.' || c == '-';
}

static inline bool obs_logline_is_control(char c)
{
	return (__u8)c < ' ' || c == 0x7f;
}

/* What \C stands for; 0: nothing. \xhh is not among them. */
static inline char obs_logline_escape(char c)
{
	static const char from[] = "\"\\nrt", to[] = "\"\\\n\r\t";
	__u32 i;

	for (i = 0; i < sizeof(from) - 1; i++)
		if (from[i] == c)
			return to[i];
	return 0;
}

/* A character within quotes: its bytes, 0 if it is none. */
static inline __u32 obs_logline_quoted(const char *text, __u32 len, char *ret)
{
	if (!len || text[0] == '"' || obs_logline_is_control(text[0]))
		return 0;
	*ret = text[0];
	if (text[0] != '\\')
		return 1;
	if (len < 2)
		return 0;
	*ret = obs_logline_escape(text[1]);
	if (*ret)
		return 2;
	if (len < 4 || text[1] != 'x' || !obs_logline_bytes(text + 2, (__u8 *)ret, 1))
		return 0;
	return *ret ? 4 : 0;
}

/* A character without quotes. */
static inline __u32 obs_logline_bare(const char *text, __u32 len, char *ret)
{
	if (!len || text[0] == '"' || text[0] == ' ' || obs_logline_is_control(text[0]))
		return 0;
	*ret = text[0];
	return 1;
}

/**
 * obs_logline_value() - a field's value
 * @text: what begins with it
 * @len: bytes of it
 * @to: receives the bytes that it stands for; NULL: they are only counted
 * @ret_len: how many
 *
 * Return: bytes of it in @text, which a space follows or nothing; 0: there is none.
 */
static inline __u32 obs_logline_value(const char *text, __u32 len, char *to,
				      __u32 *ret_len)
{
	bool quoted = len && text[0] == '"';
	__u32 at = quoted, nr = 0, n;
	char c;

	for (;; at += n, nr++) {
		n = quoted ? obs_logline_quoted(text + at, len - at, &c) :
			     obs_logline_bare(text + at, len - at, &c);
		if (!n)
			break;
		if (to)
			to[nr] = c;
	}
	if (quoted ? at == len || text[at++] != '"' : !nr)
		return 0;
	*ret_len = nr;
	return at == len || text[at] == ' ' ? at : 0;
}

/**
 * struct obs_logline_own - a field
 * @key: @key_len bytes
 * @value: as it is written, @value_len bytes
 * @nr: bytes that the value stands for
 */
struct obs_logline_own {
	const char *key, *value;
	__u32 key_len, value_len, nr;
};

/* ".KEY=VALUE" at the beginning: its bytes, 0 if there is none. */
static inline __u32 obs_logline_own(const char *text, __u32 len,
				    struct obs_logline_own *ret)
{
	__u32 n;

	if (!len || text[0] != '.')
		return 0;
	for (n = 1; n < len && obs_logline_is_key(text[n]); n++)
		;
	ret->key = text + 1;
	ret->key_len = n - 1;
	if (!ret->key_len || ret->key_len > OBS_LOGLINE_KEY_MAX ||
	    n == len || text[n] != '=')
		return 0;
	n++;
	ret->value = text + n;
	ret->value_len = obs_logline_value(text + n, len - n, NULL, &ret->nr);
	return ret->value_len ? n + ret->value_len : 0;
}

/* ---- The line ------------------------------------------------------------ */

/* A part of the header at the beginning: its bytes, 0 if there is none. */
static inline __u32 obs_logline_any(const char *text, __u32 len, bool *has_state,
				    struct obs_logline *ret)
{
	static const char service[] = "service=", trace[] = "traceparent=",
			  state[] = "tracestate=";
	struct obs_logline_own own;
	__u32 n;

	n = obs_logline_field(text, len, service, sizeof(service) - 1);
	if (n && n <= OBSRING_SOURCE_MAX && !ret->service_len) {
		ret->service = text + sizeof(service) - 1;
		ret->service_len = n;
		return n + sizeof(service) - 1;
	}
	n = obs_logline_field(text, len, trace, sizeof(trace) - 1);
	if (n && !ret->has_trace &&
	    obs_logline_traceparent(text + sizeof(trace) - 1, n, &ret->trace)) {
		ret->has_trace = true;
		return n + sizeof(trace) - 1;
	}
	n = obs_logline_field(text, len, state, sizeof(state) - 1);
	if (n && !*has_state && obs_logline_is_tracestate(text + sizeof(state) - 1, n)) {
		*has_state = true;
		ret->has_rv = obs_logline_rv(text + sizeof(state) - 1, n, &ret->rv);
		return n + sizeof(state) - 1;
	}
	return obs_logline_own(text, len, &own);
}

/**
 * obs_logline_parse() - take a line apart
 * @text: without its newline
 * @len: bytes, any
 * @ret: its parts
 */
static inline void obs_logline_parse(const char *text, __u32 len,
				     struct obs_logline *ret)
{
	bool has_state = false;
	__u32 n;

	memset(ret, 0, sizeof(*ret));
	ret->level = OBS_LOGLINE_LEVEL;
	n = obs_logline_priority(text, len, &ret->level);
	ret->header = text + n;
	for (;;) {
		text += n;
		len -= n;
		n = obs_logline_any(text, len, &has_state, ret);
		if (!n)
			break;
		n += n < len;	/* the space */
	}
	ret->header_len = text - ret->header;
	n = len >= 2 && !memcmp(text, ". ", 2) ? 2 : 0;
	ret->has_rv = ret->has_rv && ret->has_trace;
	ret->message = text + n;
	ret->message_len = len - n;
}

/**
 * obs_logline_fields() - the fields of a line, as a record has them
 * @line: taken apart, and still there
 * @to: receives key NUL value NUL, repeated
 * @size: of @to
 * @cut: set if a field had no room
 *
 * Return: bytes in @to.
 */
static inline __u32 obs_logline_fields(const struct obs_logline *line, char *to,
				       __u32 size, bool *cut)
{
	const char *text = line->header;
	__u32 len = line->header_len, at = 0, n;
	struct obs_logline_own own;

	for (; len; text += n, len -= n) {
		n = obs_logline_own(text, len, &own);
		if (n && own.key_len + own.nr + 2 <= size - at) {
			memcpy(to + at, own.key, own.key_len);
			at += own.key_len;
			to[at++] = 0;
			obs_logline_value(own.value, own.value_len, to + at, &own.nr);
			at += own.nr;
			to[at++] = 0;
		} else if (n) {
			*cut = true;
		} else {
			n = obs_logline_until(text, len, ' ');
		}
		n += n < len;	/* the space */
	}
	return at;
}

#endif /* _OBSRING_LOGLINE_H */
