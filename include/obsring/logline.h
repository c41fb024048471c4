/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A line that a process writes to the device:
 *
 *      [<N>][service=NAME ][traceparent=00-TRACEID-SPANID-FLAGS ]
 *           [tracestate=LIST ]MESSAGE		all one line
 *
 * N is a syslog priority, 0 to 191: its level is N & 7, 6 (info) without one. The
 * fields may come in any order, each once. What is not exactly of this form is part
 * of the message: nothing is refused.
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

/* What a line may need before its message. */
#define OBS_LOGLINE_FIELDS_MAX	(256 + 12 + OBS_LOGLINE_TRACESTATE_MAX)

/**
 * struct obs_logline - a line taken apart; points into it
 * @level: 0 to 7
 * @has_trace: @trace is set
 * @has_rv: @rv is set; never without @has_trace
 * @service_len: bytes of @service, up to OBSRING_SOURCE_MAX; 0: not given
 * @service: name
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

/* One of the fields at the beginning: its bytes, 0 if there is none of them. */
static inline __u32 obs_logline_any(const char *text, __u32 len, bool *has_state,
				    struct obs_logline *ret)
{
	static const char service[] = "service=", trace[] = "traceparent=",
			  state[] = "tracestate=";
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
	return 0;
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
	for (;;) {
		text += n;
		len -= n;
		n = obs_logline_any(text, len, &has_state, ret);
		if (!n)
			break;
		n += n < len;	/* the space */
	}
	ret->has_rv = ret->has_rv && ret->has_trace;
	ret->message = text;
	ret->message_len = len;
}

#endif /* _OBSRING_LOGLINE_H */
