// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "traced.h"

void add(struct obs_trace_headers *headers, const char *name, const char *value)
{
	obs_trace_headers_add(headers, name, strlen(name), value, strlen(value));
}

struct obs_bytes bytes(const char *text)
{
	return obs_bytes(text, strlen(text));
}

void assert_ids(const struct obs_trace_context *context)
{
	uint8_t trace_id[16], span_id[8];

	assert_true(obs_hex_decode(TRACE, trace_id, 16));
	assert_true(obs_hex_decode(SPAN, span_id, 8));
	assert_memory_equal(trace_id, context->trace_id, 16);
	assert_memory_equal(span_id, context->span_id, 8);
}

const char grpc[OBS_GRPC_TRACE_LEN] =
	"\0\0\x4b\xf9\x2f\x35\x77\xb3\x4d\xa6\xa3\xce\x92\x9d\x0e\x0e\x47\x36"
	"\1\x00\xf0\x67\xaa\x0b\xa9\x02\xb7\2\1";
