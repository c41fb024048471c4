// SPDX-License-Identifier: MIT
/*
 * grpc-trace-bin, OpenCensus' binary form: 29 bytes,
 *
 *      version 0 | 0, trace id (16) | 1, span id (8) | 2, flags (1)
 *
 * As metadata of gRPC they travel in base64, with or without padding.
 */
#include "propagate.h"

#define TRACE_ID_AT	2
#define SPAN_ID_AT	19
#define FLAGS_AT	28
#define BASE64_LEN	39	/* of 29 bytes, without the padding */

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* False: not base64 of as many bytes, or bits are left that are not 0. */
static bool base64_decode(struct obs_bytes text, uint8_t bytes[OBS_GRPC_TRACE_LEN])
{
	unsigned int bits = 0, nr = 0;
	uint32_t buffer = 0;
	size_t i;
	int value;

	if (text.len == BASE64_LEN + 1 && text.at[BASE64_LEN] == '=')
		text.len--;
	if (text.len != BASE64_LEN)
		return false;
	for (i = 0; i < text.len; i++) {
		value = base64_value(text.at[i]);
		if (value < 0)
			return false;
		buffer = buffer << 6 | (uint32_t)value;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			bytes[nr++] = (uint8_t)(buffer >> bits);
		}
	}
	return !(buffer & ((1U << bits) - 1));
}

bool obs_grpc_trace_parse(struct obs_bytes value, struct obs_trace_context *ret)
{
	uint8_t bytes[OBS_GRPC_TRACE_LEN];

	if (value.len == OBS_GRPC_TRACE_LEN)
		memcpy(bytes, value.at, sizeof(bytes));
	else if (!base64_decode(obs_bytes_trim(value), bytes))
		return false;
	if (bytes[0] || bytes[TRACE_ID_AT - 1] != 0 || bytes[SPAN_ID_AT - 1] != 1 ||
	    bytes[FLAGS_AT - 1] != 2 || obs_id_is_zero(bytes + TRACE_ID_AT, 16) ||
	    obs_id_is_zero(bytes + SPAN_ID_AT, 8))
		return false;
	memcpy(ret->trace_id, bytes + TRACE_ID_AT, sizeof(ret->trace_id));
	memcpy(ret->span_id, bytes + SPAN_ID_AT, sizeof(ret->span_id));
	ret->flags = bytes[FLAGS_AT] & OBS_TRACE_SAMPLED;
	return true;
}

void obs_trace_format_grpc(const struct obs_trace_context *context,
			   uint8_t bytes[OBS_GRPC_TRACE_LEN])
{
	memset(bytes, 0, OBS_GRPC_TRACE_LEN);
	memcpy(bytes + TRACE_ID_AT, context->trace_id, sizeof(context->trace_id));
	bytes[SPAN_ID_AT - 1] = 1;
	memcpy(bytes + SPAN_ID_AT, context->span_id, sizeof(context->span_id));
	bytes[FLAGS_AT - 1] = 2;
	bytes[FLAGS_AT] = context->flags & OBS_TRACE_SAMPLED;
}

void obs_trace_format_grpc_base64(const struct obs_trace_context *context,
				  char text[OBS_GRPC_TRACE_BASE64_LEN + 1])
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t bytes[OBS_GRPC_TRACE_LEN + 1] = { 0 };
	unsigned int i, bit;

	obs_trace_format_grpc(context, bytes);
	for (i = 0; i < OBS_GRPC_TRACE_BASE64_LEN; i++) {
		bit = 6 * i;
		text[i] = digits[(bytes[bit / 8] << 8 | bytes[bit / 8 + 1]) >>
				 (10 - bit % 8) & 63];
	}
	text[i] = '\0';
}
