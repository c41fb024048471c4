// SPDX-License-Identifier: MIT
/*
 * Spans: a record in the log each, when it ends,
 *
 *      service=NAME traceparent=... [tracestate=ot=rv:...] .span.kind=...
 *           [.span.status=...] [.span.parent_id=...] .span.start_ns=...
 *           .span.duration_ns=... [.span.th=...] [.KEY=VALUE ]... . SPAN
 *
 * Whether a trace is sampled is decided where it begins, and then it is for all of
 * its spans: as OpenTelemetry's consistent probability sampling does it, randomness
 * (rv, or the last 7 bytes of the trace id) >= threshold (th). Rules of the log
 * (trace:N%) compare the same two numbers: of what is sampled twice whole traces are
 * kept, those of the higher threshold.
 *
 * OBS_SPAN_ATTRIBUTES_BYTES is what OBSRING_FIELDS_MAX leaves beside our own fields.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <obsring/logline.h>

#include "lineput.h"
#include "logput.h"
#include "propagate.h"

#define ONE	(1ULL << 56)

#define OURS	"span."		/* keys that begin so */

/* Longest of each of our own, with key, value and their NULs. */
#define OWN_FIELDS_MAX \
	(sizeof("span.kind") + sizeof("internal") + \
	 sizeof("span.status") + sizeof("error") + \
	 sizeof("span.parent_id") + OBS_SPAN_ID_DIGITS + 1 + \
	 sizeof("span.start_ns") + 21 + sizeof("span.duration_ns") + 21 + \
	 sizeof("span.th") + OBS_OT_DIGITS + 1 + \
	 sizeof("span.dropped_attributes") + 11)

_Static_assert(OWN_FIELDS_MAX + OBS_SPAN_ATTRIBUTES_BYTES <= OBSRING_FIELDS_MAX,
	       "a span's fields have room in a record");

/* Each byte of a field as \xhh, and what else there is. */
#define SPAN_LINE_MAX	(4 * OBSRING_FIELDS_MAX + OBS_SPAN_NAME_MAX + 512)

/**
 * struct obs_tracer - where spans go
 * @put: the device, or a segment
 * @threshold: of traces that begin here
 * @service: whose they are
 */
struct obs_tracer {
	struct obs_logput put;
	uint64_t threshold;
	char service[OBSRING_SOURCE_MAX + 1];
};

static const char *const kind_name[] = {
	[OBS_SPAN_INTERNAL] = "internal",
	[OBS_SPAN_SERVER] = "server",
	[OBS_SPAN_CLIENT] = "client",
	[OBS_SPAN_PRODUCER] = "producer",
	[OBS_SPAN_CONSUMER] = "consumer",
};

static const char *const status_name[] = {
	[OBS_SPAN_OK] = "ok",
	[OBS_SPAN_ERROR] = "error",
};

#define NR(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Tracers ------------------------------------------------------------- */

int obs_tracer_open(const char *path, const char *service, double probability,
		    struct obs_tracer **ret_tracer)
{
	struct obs_tracer *tracer;
	int r;

	if (!obs_logput_service_valid(service) || !(probability >= 0 && probability <= 1))
		return -EINVAL;
	tracer = malloc(sizeof(*tracer));
	if (!tracer)
		return -ENOMEM;
	r = obs_logput_open(path, &tracer->put);
	if (r) {
		free(tracer);
		return r;
	}
	tracer->threshold = ONE - (uint64_t)(probability * (double)ONE);
	strcpy(tracer->service, service);
	*ret_tracer = tracer;
	return 0;
}

void obs_tracer_close(struct obs_tracer *tracer)
{
	if (!tracer)
		return;
	obs_logput_close(&tracer->put);
	free(tracer);
}

/* ---- Sampling ------------------------------------------------------------ */

static uint64_t randomness(const struct obs_trace_context *context)
{
	uint64_t r = 0;
	size_t i;

	if (context->has_rv)
		return context->rv;
	for (i = 9; i < sizeof(context->trace_id); i++)
		r = r << 8 | context->trace_id[i];
	return r;
}

/* A trace that begins here. */
static void root_begin(struct obs_trace_context *context, uint64_t threshold)
{
	obs_trace_new(context, false);
	if (randomness(context) < threshold)
		return;
	context->flags |= OBS_TRACE_SAMPLED;
	context->has_th = true;
	context->th = threshold;
	obs_trace_update(context);
}

/* Who decided has decided; a threshold that contradicts it would weigh wrongly. */
static void child_begin(struct obs_trace_context *context,
			const struct obs_trace_context *parent)
{
	*context = *parent;
	obs_trace_child(context);
	if (context->has_th && (context->flags & OBS_TRACE_SAMPLED) &&
	    randomness(context) < context->th) {
		context->has_th = false;
		obs_trace_update(context);
	}
}

/* ---- Spans --------------------------------------------------------------- */

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

bool obs_span_start(struct obs_span *span, const struct obs_tracer *tracer,
		    const struct obs_trace_context *parent, enum obs_span_kind kind,
		    const char *name)
{
	span->has_parent = parent;
	if (parent) {
		memcpy(span->parent_id, parent->span_id, sizeof(span->parent_id));
		child_begin(&span->context, parent);
	} else {
		root_begin(&span->context, tracer ? tracer->threshold : ONE);
	}
	span->tracer = tracer;
	span->recording = tracer && span->context.flags & OBS_TRACE_SAMPLED;
	if (!span->recording)
		return false;
	span->kind = kind;
	span->status = OBS_SPAN_UNSET;
	span->nr_attributes = 0;
	span->nr_dropped = 0;
	span->attributes_len = 0;
	snprintf(span->name, sizeof(span->name), "%s", name);
	span->start_ns = now_ns(CLOCK_REALTIME);
	span->start_monotonic_ns = now_ns(CLOCK_MONOTONIC);
	return true;
}

static bool key_valid(const char *key)
{
	size_t i;

	for (i = 0; key[i]; i++)
		if (!obs_logline_is_key(key[i]))
			return false;
	return i && i <= OBS_LOGLINE_KEY_MAX && strncmp(key, OURS, strlen(OURS));
}

int obs_span_attribute(struct obs_span *span, const char *key, const char *value)
{
	size_t key_size = strlen(key) + 1, value_size = strlen(value) + 1;
	char *at = span->attribute + span->attributes_len;

	if (!span->recording)
		return 0;
	if (!key_valid(key)) {
		span->nr_dropped++;
		return -EINVAL;
	}
	if (span->nr_attributes == OBS_SPAN_ATTRIBUTES_MAX ||
	    key_size + value_size > sizeof(span->attribute) - span->attributes_len) {
		span->nr_dropped++;
		return -ENOSPC;
	}
	memcpy(at, key, key_size);
	memcpy(at + key_size, value, value_size);
	span->attributes_len += key_size + value_size;
	span->nr_attributes++;
	return 0;
}

int obs_span_attribute_int(struct obs_span *span, const char *key, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)value);
	return obs_span_attribute(span, key, text);
}

static void origin_put(const struct obs_span *span, struct obs_lineput *line)
{
	char parent[OBS_TRACEPARENT_LEN + 1];
	uint8_t rv[7];
	size_t i;

	obs_trace_format_traceparent(&span->context, parent);
	obs_lineput_text(line, "service=");
	obs_lineput_text(line, span->tracer->service);
	obs_lineput_text(line, " traceparent=");
	obs_lineput_text(line, parent);
	if (!span->context.has_rv)
		return;
	for (i = 0; i < sizeof(rv); i++)
		rv[i] = (uint8_t)(span->context.rv >> (48 - 8 * i));
	obs_lineput_text(line, " tracestate=ot=rv:");
	obs_lineput_hex(line, rv, sizeof(rv));
}

static void own_put(const struct obs_span *span, struct obs_lineput *line)
{
	char text[OBS_OT_DIGITS + OBS_SPAN_ID_DIGITS + 1];

	if ((size_t)span->kind < NR(kind_name))
		obs_lineput_field(line, "span.kind", kind_name[span->kind]);
	if (span->status && (size_t)span->status < NR(status_name))
		obs_lineput_field(line, "span.status", status_name[span->status]);
	if (span->has_parent) {
		*obs_hex_encode(text, span->parent_id, sizeof(span->parent_id)) = '\0';
		obs_lineput_field(line, "span.parent_id", text);
	}
	obs_lineput_number(line, "span.start_ns", span->start_ns);
	obs_lineput_number(line, "span.duration_ns",
			   now_ns(CLOCK_MONOTONIC) - span->start_monotonic_ns);
	if (span->context.has_th) {
		*obs_ot_threshold_write(text, span->context.th) = '\0';
		obs_lineput_field(line, "span.th", text);
	}
	if (span->nr_dropped)
		obs_lineput_number(line, "span.dropped_attributes", span->nr_dropped);
}

static void attributes_put(const struct obs_span *span, struct obs_lineput *line)
{
	const char *key = span->attribute, *value;

	while (key < span->attribute + span->attributes_len) {
		value = key + strlen(key) + 1;
		obs_lineput_field(line, key, value);
		key = value + strlen(value) + 1;
	}
}

int obs_span_end(struct obs_span *span)
{
	char text[SPAN_LINE_MAX];
	struct obs_lineput line = { .at = text, .end = text + sizeof(text) };

	if (!span->recording)
		return 0;
	span->recording = false;
	origin_put(span, &line);
	own_put(span, &line);
	attributes_put(span, &line);
	obs_lineput_message(&line, span->name);
	return obs_logput_line(&span->tracer->put, text, (size_t)(line.at - text));
}
