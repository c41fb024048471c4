// SPDX-License-Identifier: MIT
/*
 * B3, Zipkin's propagation, in one header or several:
 *
 *      b3: TRACEID-SPANID[-STATE[-PARENTID]]     or only    b3: STATE
 *      X-B3-TraceId  X-B3-SpanId  [X-B3-ParentSpanId]  [X-B3-Sampled]  [X-B3-Flags]
 *
 * A trace id has 16 or 32 digits, the short one being the low half; STATE is 0
 * (deny), 1 (accept) or d (debug, which implies accept). X-B3-Sampled is 0 or 1
 * (false and true of old senders too), X-B3-Flags: 1 is debug. No state leaves the
 * decision to us: not sampled is what is passed on. The parent's id is checked and
 * not kept.
 */
#include "propagate.h"

static bool trace_id_parse(struct obs_bytes text, uint8_t id[16])
{
	memset(id, 0, 16);
	if (text.len == OBS_TRACE_ID_DIGITS)
		return obs_hex_decode(text.at, id, 16) && !obs_id_is_zero(id, 16);
	return text.len == OBS_TRACE_ID_DIGITS / 2 &&
	       obs_hex_decode(text.at, id + 8, 8) && !obs_id_is_zero(id, 16);
}

static bool span_id_parse(struct obs_bytes text, uint8_t id[8])
{
	return text.len == OBS_SPAN_ID_DIGITS && obs_hex_decode(text.at, id, 8) &&
	       !obs_id_is_zero(id, 8);
}

static bool state_parse(struct obs_bytes text, uint8_t *ret_flags, bool *ret_debug)
{
	if (text.len != 1 || !text.at[0] || !strchr("01d", text.at[0]))
		return false;
	*ret_flags = text.at[0] == '0' ? 0 : OBS_TRACE_SAMPLED;
	*ret_debug = text.at[0] == 'd';
	return true;
}

static bool sampled_parse(struct obs_bytes text, uint8_t *ret_flags)
{
	if (obs_bytes_equal(text, "1") || obs_bytes_equal(text, "true"))
		*ret_flags = OBS_TRACE_SAMPLED;
	else if (obs_bytes_equal(text, "0") || obs_bytes_equal(text, "false"))
		*ret_flags = 0;
	else
		return false;
	return true;
}

/* All that is optional in "TRACEID-SPANID[-STATE[-PARENTID]]". */
static bool tail_parse(struct obs_bytes rest, uint8_t *flags, bool *debug)
{
	struct obs_bytes part;
	uint8_t parent[8];

	if (!obs_bytes_cut(&rest, '-', &part))
		return true;
	if (!state_parse(part, flags, debug))
		return false;
	if (!obs_bytes_cut(&rest, '-', &part))
		return true;
	return span_id_parse(part, parent) && !rest.at;
}

bool obs_b3_single_parse(struct obs_bytes value, struct obs_trace_context *ret,
			 bool *ret_ids)
{
	uint8_t trace_id[16], span_id[8], flags = 0;
	struct obs_bytes rest, part;
	bool debug = false;

	rest = obs_bytes_trim(value);
	if (!rest.len)
		return false;
	*ret_ids = rest.len > 1;
	if (!*ret_ids) {
		if (!state_parse(rest, &flags, &debug))
			return false;
	} else {
		if (!obs_bytes_cut(&rest, '-', &part) ||
		    !trace_id_parse(part, trace_id) ||
		    !obs_bytes_cut(&rest, '-', &part) ||
		    !span_id_parse(part, span_id) ||
		    !tail_parse(rest, &flags, &debug))
			return false;
		memcpy(ret->trace_id, trace_id, sizeof(trace_id));
		memcpy(ret->span_id, span_id, sizeof(span_id));
	}
	ret->flags = flags;
	ret->debug = debug;
	return true;
}

static bool multi_decision(const struct obs_trace_headers *headers,
			   uint8_t *flags, bool *debug)
{
	*flags = 0;
	*debug = headers->b3_flags.at &&
		 obs_bytes_equal(obs_bytes_trim(headers->b3_flags), "1");
	if (headers->b3_sampled.at &&
	    !sampled_parse(obs_bytes_trim(headers->b3_sampled), flags))
		return false;
	if (*debug)
		*flags = OBS_TRACE_SAMPLED;
	return true;
}

bool obs_b3_multi_parse(const struct obs_trace_headers *headers,
			struct obs_trace_context *ret, bool *ret_ids)
{
	uint8_t trace_id[16], span_id[8], parent[8], flags;
	bool debug;

	if (!multi_decision(headers, &flags, &debug))
		return false;
	*ret_ids = headers->b3_trace_id.at || headers->b3_span_id.at;
	if (!*ret_ids && !headers->b3_sampled.at && !debug)
		return false;
	if (*ret_ids) {
		if (!trace_id_parse(obs_bytes_trim(headers->b3_trace_id), trace_id) ||
		    !span_id_parse(obs_bytes_trim(headers->b3_span_id), span_id) ||
		    (headers->b3_parent_id.at &&
		     !span_id_parse(obs_bytes_trim(headers->b3_parent_id), parent)))
			return false;
		memcpy(ret->trace_id, trace_id, sizeof(trace_id));
		memcpy(ret->span_id, span_id, sizeof(span_id));
	}
	ret->flags = flags;
	ret->debug = debug;
	return true;
}

void obs_trace_format_b3(const struct obs_trace_context *context,
			 char text[OBS_B3_LEN + 1])
{
	char *at = text;

	at = obs_hex_encode(at, context->trace_id, sizeof(context->trace_id));
	*at++ = '-';
	at = obs_hex_encode(at, context->span_id, sizeof(context->span_id));
	*at++ = '-';
	*at++ = context->debug ? 'd' : context->flags & OBS_TRACE_SAMPLED ? '1' : '0';
	*at = '\0';
}
