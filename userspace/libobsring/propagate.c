// SPDX-License-Identifier: MIT
/* From the headers of a request to a context, and back. */
#include <strings.h>

#include "propagate.h"

/* ---- Collecting ---------------------------------------------------------- */

/**
 * struct known - a header that matters
 * @name: compared without case
 * @len: of @name
 * @offset: where in struct obs_trace_headers its value goes
 * @max: values that are kept; 0: the last one, and they are not counted
 * @nr_offset: of their number, if they are
 */
struct known {
	const char *name;
	size_t len;
	size_t offset;
	unsigned int max;
	size_t nr_offset;
};

#define ONE(_name, _field) \
	{ _name, sizeof(_name) - 1, offsetof(struct obs_trace_headers, _field), 0, 0 }
#define COUNTED(_name, _field, _max) \
	{ _name, sizeof(_name) - 1, offsetof(struct obs_trace_headers, _field), _max, \
	  offsetof(struct obs_trace_headers, nr_##_field) }
static const struct known known[] = {
	COUNTED("traceparent", traceparent, 1),
	COUNTED("tracestate", tracestate, OBS_TRACE_HEADER_VALUES),
	ONE("b3", b3),
	ONE("x-b3-traceid", b3_trace_id),
	ONE("x-b3-spanid", b3_span_id),
	ONE("x-b3-parentspanid", b3_parent_id),
	ONE("x-b3-sampled", b3_sampled),
	ONE("x-b3-flags", b3_flags),
	ONE("grpc-trace-bin", grpc_trace),
	COUNTED("baggage", baggage, OBS_BAGGAGE_VALUES),
};

static const struct known *known_find(struct obs_bytes name)
{
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].len == name.len &&
		    !strncasecmp(known[i].name, name.at, name.len))
			return &known[i];
	return NULL;
}

void obs_trace_headers_add(struct obs_trace_headers *headers,
			   const char *name, size_t name_len,
			   const char *value, size_t value_len)
{
	const struct known *k = known_find(obs_bytes(name, name_len));
	struct obs_bytes *slot;
	unsigned int *nr;

	if (!k)
		return;
	slot = (struct obs_bytes *)((char *)headers + k->offset);
	if (k->max) {
		nr = (unsigned int *)((char *)headers + k->nr_offset);
		/* One too many is counted, and makes the whole invalid. */
		if (*nr < k->max)
			slot[*nr] = obs_bytes(value, value_len);
		*nr += *nr <= k->max;
		return;
	}
	*slot = obs_bytes(value, value_len);
}

/* ---- Extracting ---------------------------------------------------------- */

static bool w3c_extract(const struct obs_trace_headers *headers,
			struct obs_trace_context *context, unsigned int *dropped)
{
	bool cut = false;

	if (headers->nr_traceparent != 1 ||
	    !obs_traceparent_parse(headers->traceparent, context)) {
		*dropped |= headers->nr_traceparent ? OBS_TRACE_BAD_TRACEPARENT : 0;
		*dropped |= headers->nr_tracestate ? OBS_TRACE_NO_TRACESTATE : 0;
		return false;
	}
	if (headers->nr_tracestate > OBS_TRACE_HEADER_VALUES ||
	    !obs_tracestate_parse(headers->tracestate, headers->nr_tracestate,
				  context, &cut))
		*dropped |= OBS_TRACE_BAD_TRACESTATE;
	if (cut)
		*dropped |= OBS_TRACE_CUT_TRACESTATE;
	return true;
}

static bool b3_multi_given(const struct obs_trace_headers *headers)
{
	return headers->b3_trace_id.at || headers->b3_span_id.at ||
	       headers->b3_sampled.at || headers->b3_flags.at;
}

/* Whose context it is, if it is anyone's; *@ret_ids is false for a decision alone. */
static enum obs_trace_format
others_extract(const struct obs_trace_headers *headers,
	       struct obs_trace_context *context, unsigned int *dropped, bool *ret_ids)
{
	*ret_ids = true;
	if (headers->b3.at) {
		if (obs_b3_single_parse(headers->b3, context, ret_ids))
			return OBS_TRACE_B3_SINGLE;
		*dropped |= OBS_TRACE_BAD_B3;
	}
	if (b3_multi_given(headers)) {
		if (obs_b3_multi_parse(headers, context, ret_ids))
			return OBS_TRACE_B3_MULTI;
		*dropped |= OBS_TRACE_BAD_B3_MULTI;
	}
	*ret_ids = true;
	if (headers->grpc_trace.at) {
		if (obs_grpc_trace_parse(headers->grpc_trace, context))
			return OBS_TRACE_GRPC;
		*dropped |= OBS_TRACE_BAD_GRPC;
	}
	*ret_ids = false;
	return OBS_TRACE_NONE;
}

static void extract_count(enum obs_trace_format format, unsigned int dropped)
{
	obs_trace_count(format ? OBS_TRACE_USED_W3C + (unsigned int)__builtin_ctz(format) :
				 OBS_TRACE_USED_NONE);
	for (; dropped; dropped &= dropped - 1)
		obs_trace_count(OBS_TRACE_DROPPED + (unsigned int)__builtin_ctz(dropped));
}

enum obs_trace_format obs_trace_extract(const struct obs_trace_headers *headers,
					struct obs_trace_context *ret_context,
					unsigned int *ret_dropped)
{
	enum obs_trace_format format = OBS_TRACE_W3C;
	unsigned int dropped = 0;
	bool ids = true, debug;

	memset(ret_context, 0, offsetof(struct obs_trace_context, tracestate) + 1);
	if (!w3c_extract(headers, ret_context, &dropped))
		format = others_extract(headers, ret_context, &dropped, &ids);
	if (!ids) {
		debug = ret_context->debug;
		obs_trace_new(ret_context, ret_context->flags & OBS_TRACE_SAMPLED);
		ret_context->debug = debug;
	}
	extract_count(format, dropped);
	if (ret_dropped)
		*ret_dropped = dropped;
	return format;
}

/* ---- Injecting ----------------------------------------------------------- */

struct put {
	int (*fn)(const char *name, const char *value, size_t len, void *arg);
	void *arg;
};

static int w3c_inject(const struct obs_trace_context *context, struct put put)
{
	char text[OBS_TRACEPARENT_LEN + 1];
	int r;

	obs_trace_format_traceparent(context, text);
	r = put.fn("traceparent", text, OBS_TRACEPARENT_LEN, put.arg);
	if (r || !*context->tracestate)
		return r;
	return put.fn("tracestate", context->tracestate,
		      strlen(context->tracestate), put.arg);
}

static int b3_single_inject(const struct obs_trace_context *context, struct put put)
{
	char text[OBS_B3_LEN + 1];

	obs_trace_format_b3(context, text);
	return put.fn("b3", text, OBS_B3_LEN, put.arg);
}

static int b3_multi_inject(const struct obs_trace_context *context, struct put put)
{
	char text[OBS_TRACE_ID_DIGITS + 1] = "";
	int r;

	obs_hex_encode(text, context->trace_id, sizeof(context->trace_id));
	r = put.fn("X-B3-TraceId", text, OBS_TRACE_ID_DIGITS, put.arg);
	if (r)
		return r;
	*obs_hex_encode(text, context->span_id, sizeof(context->span_id)) = '\0';
	r = put.fn("X-B3-SpanId", text, OBS_SPAN_ID_DIGITS, put.arg);
	if (r)
		return r;
	if (context->debug)
		return put.fn("X-B3-Flags", "1", 1, put.arg);
	return put.fn("X-B3-Sampled", context->flags & OBS_TRACE_SAMPLED ? "1" : "0",
		      1, put.arg);
}

static int grpc_inject(const struct obs_trace_context *context, struct put put)
{
	char text[OBS_GRPC_TRACE_BASE64_LEN + 1];

	obs_trace_format_grpc_base64(context, text);
	return put.fn("grpc-trace-bin", text, OBS_GRPC_TRACE_BASE64_LEN, put.arg);
}

static const struct {
	enum obs_trace_format format;
	int (*inject)(const struct obs_trace_context *context, struct put put);
} injectors[] = {
	{ OBS_TRACE_W3C, w3c_inject },
	{ OBS_TRACE_B3_SINGLE, b3_single_inject },
	{ OBS_TRACE_B3_MULTI, b3_multi_inject },
	{ OBS_TRACE_GRPC, grpc_inject },
};

int obs_trace_inject(const struct obs_trace_context *context, unsigned int formats,
		     int (*fn)(const char *name, const char *value, size_t len,
			       void *arg),
		     void *arg)
{
	const struct put put = { .fn = fn, .arg = arg };
	size_t i;
	int r = 0;

	for (i = 0; i < sizeof(injectors) / sizeof(injectors[0]) && !r; i++)
		if (formats & injectors[i].format)
			r = injectors[i].inject(context, put);
	return r;
}

int obs_baggage_inject(const struct obs_trace_headers *headers,
		       int (*fn)(const char *name, const char *value, size_t len,
				 void *arg),
		       void *arg)
{
	unsigned int i, nr = headers->nr_baggage;
	struct obs_bytes value;
	size_t len = 0;
	int r = 0;

	if (nr > OBS_BAGGAGE_VALUES) {
		nr = OBS_BAGGAGE_VALUES;
		obs_trace_count(OBS_TRACE_DROPPED_BAGGAGE);
	}
	for (i = 0; i < nr && !r; i++) {
		value = headers->baggage[i];
		if (!obs_baggage_valid(value) || len + value.len > OBS_BAGGAGE_MAX) {
			obs_trace_count(OBS_TRACE_DROPPED_BAGGAGE);
			continue;
		}
		len += value.len + 1;	/* and a comma */
		r = fn("baggage", value.at, value.len, arg);
	}
	return r;
}
