// SPDX-License-Identifier: MIT
/*
 * libFuzzer: any bytes, given to each parser, and taken as headers: a context comes
 * out that is one; it goes out in every format, and what went out is taken for the
 * same context again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <libobsring/propagate.h>
#include <obsringctl/tracewhy.h>

static const char *const name[] = {
	"traceparent", "tracestate", "b3", "X-B3-TraceId", "X-B3-SpanId",
	"X-B3-ParentSpanId", "X-B3-Sampled", "X-B3-Flags", "grpc-trace-bin", "baggage",
};

#define NR_NAMES (sizeof(name) / sizeof(name[0]))

struct out {
	struct obs_trace_headers headers;
	char text[8][OBS_TRACESTATE_MAX + 1];
	unsigned int nr;
};

static int put(const char *header, const char *value, size_t len, void *arg)
{
	struct out *out = arg;

	if (len > OBS_TRACESTATE_MAX || value[len] || strlen(value) != len)
		abort();
	memcpy(out->text[out->nr], value, len);
	obs_trace_headers_add(&out->headers, header, strlen(header),
			      out->text[out->nr++], len);
	return 0;
}

static void again(const struct obs_trace_context *context, enum obs_trace_format format)
{
	struct out out = { .nr = 0 };
	struct obs_trace_context back;
	unsigned int dropped;

	obs_trace_inject(context, format, put, &out);
	if (obs_trace_extract(&out.headers, &back, &dropped) != format || dropped ||
	    memcmp(back.trace_id, context->trace_id, 16) ||
	    memcmp(back.span_id, context->span_id, 8) ||
	    (back.flags ^ context->flags) & OBS_TRACE_SAMPLED)
		abort();
	if (format == OBS_TRACE_W3C &&
	    (strcmp(back.tracestate, context->tracestate) ||
	     back.flags != context->flags || back.has_th != context->has_th ||
	     back.has_rv != context->has_rv))
		abort();
}

/*
 * At a glance, and byte by byte, which a second header without anything makes it: what
 * comes out is the same.
 */
static void state(struct obs_bytes value)
{
	const struct obs_bytes two[] = { value, obs_bytes("", 0) };
	struct obs_trace_context one, other;
	bool valid, cut = false, other_cut = false;

	memset(&one, 0, sizeof(one));
	memset(&other, 0, sizeof(other));
	valid = obs_tracestate_parse(&value, 1, &one, &cut);
	if (valid != obs_tracestate_parse(two, 2, &other, &other_cut))
		abort();
	if (valid && (cut != other_cut || strcmp(one.tracestate, other.tracestate) ||
		      one.has_th != other.has_th || one.has_rv != other.has_rv ||
		      one.th != other.th || one.rv != other.rv ||
		      strlen(one.tracestate) > value.len))
		abort();
}

/* Why a header is not used, as obsringctl tells of words, which have a NUL behind them. */
static void why(const char *text, size_t size)
{
	char *word = malloc(size + 1), told[128];
	struct obs_trace_headers headers;
	struct obs_trace_context context;
	unsigned int dropped, bit, i;

	if (!word)
		abort();
	memcpy(word, text, size);
	word[size] = '\0';
	obs_trace_headers_init(&headers);
	for (i = 0; i < NR_NAMES; i++)
		obs_trace_headers_add(&headers, name[i], strlen(name[i]), word, strlen(word));
	obs_trace_extract(&headers, &context, &dropped);
	for (bit = 1; bit && bit <= OBS_TRACE_BAD_GRPC; bit <<= 1) {
		memset(told, 'x', sizeof(told));
		trace_why(&headers, bit, told, sizeof(told));
		if (strnlen(told, sizeof(told)) == sizeof(told))
			abort();
		/* Refused, and nothing is wrong with it? */
		if (dropped & bit & OBS_TRACE_BAD_TRACEPARENT && size && !*told)
			abort();
	}
	free(word);
}

/* Each parser by itself: extracting asks the next one only if the one before refused. */
static void parsers(const uint8_t *data, size_t size)
{
	/* Of that size exactly: reading beyond it would be seen. */
	char *text = malloc(size + !size);
	struct obs_bytes value = obs_bytes(text, size);
	struct obs_trace_context context;
	struct obs_trace_headers headers;
	bool ids;

	if (!text)
		abort();
	memcpy(text, data, size);
	memset(&context, 0, sizeof(context));
	if (obs_traceparent_parse(value, &context))
		again(&context, OBS_TRACE_W3C);
	if (obs_b3_single_parse(value, &context, &ids) && ids)
		again(&context, OBS_TRACE_B3_SINGLE);
	if (obs_grpc_trace_parse(value, &context))
		again(&context, OBS_TRACE_GRPC);
	memset(&headers, 0, sizeof(headers));
	headers.b3_trace_id = value;
	headers.b3_span_id = value;
	headers.b3_sampled = value;
	if (obs_b3_multi_parse(&headers, &context, &ids))
		abort();	/* no id is a decision */
	state(value);
	why(text, size);
	obs_baggage_valid(value);
	free(text);
}

static int baggage_put(const char *header, const char *value, size_t len, void *arg)
{
	(void)header, (void)arg;
	if (memchr(value, '\n', len) || memchr(value, '\r', len))
		abort();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum obs_trace_format formats[] = {
		OBS_TRACE_W3C, OBS_TRACE_B3_SINGLE, OBS_TRACE_B3_MULTI, OBS_TRACE_GRPC,
	};
	struct obs_trace_headers headers;
	struct obs_trace_context context;
	size_t len, i;

	parsers(data, size);
	obs_trace_headers_init(&headers);
	/* Which header, its length, its bytes. */
	while (size >= 3) {
		len = (data[1] << 8 | data[2]) % 1024;
		if (len > size - 3)
			len = size - 3;
		i = data[0] % NR_NAMES;
		obs_trace_headers_add(&headers, name[i], strlen(name[i]),
				      (const char *)data + 3, len);
		data += 3 + len;
		size -= 3 + len;
	}
	obs_trace_extract(&headers, &context, NULL);
	if (obs_id_is_zero(context.trace_id, 16) || obs_id_is_zero(context.span_id, 8))
		abort();
	for (i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		again(&context, formats[i]);
	obs_trace_update(&context);
	again(&context, OBS_TRACE_W3C);
	context.has_th = true;
	context.th = 0x80000000000000;
	obs_trace_update(&context);
	if (memcmp(context.tracestate, "ot=th:8", 7))
		abort();
	again(&context, OBS_TRACE_W3C);
	obs_baggage_inject(&headers, baggage_put, NULL);
	return 0;
}
