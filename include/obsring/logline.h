/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A line that a process writes to the device:
 *
 *      [<N>][service=NAME ][traceparent=00-TRACEID-SPANID-FLAGS ]MESSAGE
 *
 * N is a syslog priority, 0 to 191: its level is N & 7, 6 (info) without one. The
 * two fields may come in either order. What is not exactly of this form is part of
 * the message: nothing is refused.
 *
 * traceparent: W3C Trace Context, level 2, version 00: lower-case hexadecimal, no
 * id all zero. A later version is taken as 00 if it begins like one.
 */
#ifndef _OBSRING_LOGLINE_H
#define _OBSRING_LOGLINE_H

#include "record.h"

#define OBS_LOGLINE_LEVEL	6	/* info */
#define OBS_LOGLINE_PRIORITY_MAX 191

/**
 * struct obs_logline - a line taken apart; points into it
 * @level: 0 to 7
 * @has_trace: @trace is set
 * @service_len: bytes of @service, up to OBSRING_SOURCE_MAX; 0: not given
 * @service: name
 * @message: what is left
 * @message_len: its bytes
 * @trace: from traceparent
 */
struct obs_logline {
	__u8 level;
	bool has_trace;
	__u32 service_len;
	const char *service;
	const char *message;
	__u32 message_len;
	struct obsring_trace trace;
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

/**
 * obs_logline_parse() - take a line apart
 * @text: without its newline
 * @len: bytes, any
 * @ret: its parts
 */
static inline void obs_logline_parse(const char *text, __u32 len,
				     struct obs_logline *ret)
{
	static const char service[] = "service=", trace[] = "traceparent=";
	__u32 n;

	memset(ret, 0, sizeof(*ret));
	ret->level = OBS_LOGLINE_LEVEL;
	n = obs_logline_priority(text, len, &ret->level);
	for (;;) {
		text += n;
		len -= n;
		n = obs_logline_field(text, len, service, sizeof(service) - 1);
		if (n && n <= OBSRING_SOURCE_MAX && !ret->service_len) {
			ret->service = text + sizeof(service) - 1;
			ret->service_len = n;
			n += sizeof(service) - 1;
		} else {
			n = obs_logline_field(text, len, trace, sizeof(trace) - 1);
			if (!n || ret->has_trace ||
			    !obs_logline_traceparent(text + sizeof(trace) - 1, n,
						     &ret->trace))
				break;
			ret->has_trace = true;
			n += sizeof(trace) - 1;
		}
		n += n < len;	/* the space */
	}
	ret->message = text;
	ret->message_len = len;
}

#endif /* _OBSRING_LOGLINE_H */
