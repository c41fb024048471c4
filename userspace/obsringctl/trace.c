// SPDX-License-Identifier: MIT
/* What headers say about a trace, as the library reads them. */
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "options.h"
#include "tracewhy.h"

static const struct {
	enum obs_trace_format format;
	const char *name;
} formats[] = {
	{ OBS_TRACE_NONE, "none" },
	{ OBS_TRACE_W3C, "w3c" },
	{ OBS_TRACE_B3_SINGLE, "b3" },
	{ OBS_TRACE_B3_MULTI, "b3-multi" },
	{ OBS_TRACE_GRPC, "grpc-trace-bin" },
};

static const struct {
	unsigned int bit;
	const char *why;
} reasons[] = {
	{ OBS_TRACE_BAD_TRACEPARENT, "traceparent is not used" },
	{ OBS_TRACE_BAD_TRACESTATE, "tracestate is not used" },
	{ OBS_TRACE_CUT_TRACESTATE, "tracestate is longer than 512 bytes: members were left out" },
	{ OBS_TRACE_NO_TRACESTATE, "tracestate counts only with a valid traceparent" },
	{ OBS_TRACE_BAD_B3, "b3 is malformed" },
	{ OBS_TRACE_BAD_B3_MULTI, "the X-B3 headers are malformed or incomplete" },
	{ OBS_TRACE_BAD_GRPC, "grpc-trace-bin is malformed" },
};

#define NR(array) (sizeof(array) / sizeof((array)[0]))

static const char *format_name(enum obs_trace_format format)
{
	size_t i;

	for (i = 0; i < NR(formats) - 1; i++)
		if (formats[i].format == format)
			break;
	return formats[i].name;
}

/**
 * struct explained - a context as text
 * @format: who gave it
 * @trace_id: from @parent
 * @span_id: likewise
 * @parent: as traceparent
 * @context: itself
 * @headers: which give it
 * @dropped: OBS_TRACE_BAD_... bits
 */
struct explained {
	const char *format;
	char trace_id[33], span_id[17];
	char parent[OBS_TRACEPARENT_LEN + 1];
	struct obs_trace_context context;
	const struct obs_trace_headers *headers;
	unsigned int dropped;
};

static enum obs_trace_format explain(const struct obs_trace_headers *headers,
				     struct explained *ret)
{
	enum obs_trace_format format;

	memset(ret, 0, sizeof(*ret));
	ret->headers = headers;
	format = obs_trace_extract(headers, &ret->context, &ret->dropped);
	ret->format = format_name(format);
	obs_trace_format_traceparent(&ret->context, ret->parent);
	memcpy(ret->trace_id, ret->parent + 3, 32);
	memcpy(ret->span_id, ret->parent + 36, 16);
	return format;
}

/* Is this a reason? Then all of it in @text. */
static bool dropped_text(const struct explained *x, size_t reason, char *text, size_t size)
{
	char why[128];

	if (!(x->dropped & reasons[reason].bit))
		return false;
	trace_why(x->headers, reasons[reason].bit, why, sizeof(why));
	snprintf(text, size, "%s%s%s", reasons[reason].why, *why ? ": " : "", why);
	return true;
}

static void hex56(char text[15], uint64_t n)
{
	snprintf(text, 15, "%014llx", (unsigned long long)n);
}

static void print_json(const struct explained *x)
{
	const struct obs_trace_context *context = &x->context;
	struct json json = { .out = stdout };
	char text[15], why[256];
	size_t i;

	json_open(&json, NULL, '{');
	json_string(&json, "format", x->format);
	json_string(&json, "trace_id", x->trace_id);
	json_string(&json, "span_id", x->span_id);
	json_bool(&json, "sampled", context->flags & OBS_TRACE_SAMPLED);
	json_bool(&json, "random", context->flags & OBS_TRACE_RANDOM);
	json_bool(&json, "debug", context->debug);
	json_string(&json, "tracestate", context->tracestate);
	if (context->has_th) {
		hex56(text, context->th);
		json_string(&json, "th", text);
	}
	if (context->has_rv) {
		hex56(text, context->rv);
		json_string(&json, "rv", text);
	}
	json_string(&json, "traceparent", x->parent);
	json_open(&json, "dropped", '[');
	for (i = 0; i < NR(reasons); i++)
		if (dropped_text(x, i, why, sizeof(why)))
			json_string(&json, NULL, why);
	json_close(&json, ']');
	json_close(&json, '}');
}

static void print_text(const struct explained *x)
{
	const struct obs_trace_context *context = &x->context;
	char text[15], why[256];
	size_t i;

	printf("format: %s\n", x->format);
	printf("trace_id: %s\n", x->trace_id);
	printf("span_id: %s\n", x->span_id);
	printf("flags:%s%s%s\n", context->flags & OBS_TRACE_SAMPLED ? " sampled" : "",
	       context->flags & OBS_TRACE_RANDOM ? " random" : "",
	       context->debug ? " debug" : "");
	if (*context->tracestate)
		printf("tracestate: %s\n", context->tracestate);
	if (context->has_th) {
		hex56(text, context->th);
		printf("th: %s (sampled with probability %g)\n", text,
		       (double)((1ULL << 56) - context->th) / (double)(1ULL << 56));
	}
	if (context->has_rv) {
		hex56(text, context->rv);
		printf("rv: %s\n", text);
	}
	printf("traceparent: %s\n", x->parent);
	for (i = 0; i < NR(reasons); i++)
		if (dropped_text(x, i, why, sizeof(why)))
			printf("dropped: %s\n", why);
}

int ctl_trace_parse(const struct ctl_command *command, struct ctl_globals *globals,
		    int argc, char **argv)
{
	struct obs_trace_headers headers;
	enum obs_trace_format format;
	struct explained explained;
	const char *colon;
	int i, r, words;

	r = ctl_options_parse(command, globals, NULL, argc, argv, &words);
	if (r || globals->help)
		return r;
	if (!words)
		return ctl_misused(command, "a header is missing");
	obs_trace_headers_init(&headers);
	for (i = 0; i < words; i++) {
		colon = strchr(argv[i], ':');
		if (!colon)
			return ctl_misused(command, "\"%s\" is not NAME: VALUE", argv[i]);
		obs_trace_headers_add(&headers, argv[i], (size_t)(colon - argv[i]),
				      colon + 1, strlen(colon + 1));
	}
	format = explain(&headers, &explained);
	if (globals->json)
		print_json(&explained);
	else
		print_text(&explained);
	if (format == OBS_TRACE_NONE)
		return ctl_fail("no header gives a context: the one shown is new");
	return CTL_OK;
}
