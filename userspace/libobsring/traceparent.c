// SPDX-License-Identifier: MIT
/*
 * traceparent: W3C Trace Context, level 2.
 *
 *      VERSION-TRACEID-SPANID-FLAGS            2, 32, 16 and 2 digits
 *
 * Version ff is none; 00 ends there; a later one may go on behind a dash, and is
 * read like 00. Of the flags two are known, sampled and random; the others are
 * not passed on.
 */
#include "propagate.h"

#define TRACE_ID_AT	3
#define SPAN_ID_AT	(TRACE_ID_AT + OBS_TRACE_ID_DIGITS + 1)
#define FLAGS_AT	(SPAN_ID_AT + OBS_SPAN_ID_DIGITS + 1)

#define FLAGS_KNOWN	(OBS_TRACE_SAMPLED | OBS_TRACE_RANDOM)

static bool length_valid(struct obs_bytes value, uint8_t version)
{
	if (value.len == OBS_TRACEPARENT_LEN)
		return true;
	return version && value.at[OBS_TRACEPARENT_LEN] == '-';
}

bool obs_traceparent_parse(struct obs_bytes value, struct obs_trace_context *ret)
{
	uint8_t trace_id[16], span_id[8], version, flags;

	value = obs_bytes_trim(value);
	if (value.len < OBS_TRACEPARENT_LEN ||
	    !obs_hex_decode(value.at, &version, 1) || version == 0xff ||
	    !length_valid(value, version) ||
	    value.at[TRACE_ID_AT - 1] != '-' || value.at[SPAN_ID_AT - 1] != '-' ||
	    value.at[FLAGS_AT - 1] != '-' ||
	    !obs_hex_decode(value.at + TRACE_ID_AT, trace_id, sizeof(trace_id)) ||
	    !obs_hex_decode(value.at + SPAN_ID_AT, span_id, sizeof(span_id)) ||
	    !obs_hex_decode(value.at + FLAGS_AT, &flags, 1) ||
	    obs_id_is_zero(trace_id, sizeof(trace_id)) ||
	    obs_id_is_zero(span_id, sizeof(span_id)))
		return false;
	memcpy(ret->trace_id, trace_id, sizeof(trace_id));
	memcpy(ret->span_id, span_id, sizeof(span_id));
	ret->flags = flags & FLAGS_KNOWN;
	return true;
}

void obs_trace_format_traceparent(const struct obs_trace_context *context,
				  char text[OBS_TRACEPARENT_LEN + 1])
{
	uint8_t flags = context->flags & FLAGS_KNOWN;
	char *at = text;

	*at++ = '0';
	*at++ = '0';
	*at++ = '-';
	at = obs_hex_encode(at, context->trace_id, sizeof(context->trace_id));
	*at++ = '-';
	at = obs_hex_encode(at, context->span_id, sizeof(context->span_id));
	*at++ = '-';
	at = obs_hex_encode(at, &flags, 1);
	*at = '\0';
}
