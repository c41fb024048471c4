// SPDX-License-Identifier: MIT
#include <math.h>
#include <string.h>

#include <obsring/histogram.h>

#include "number.h"
#include "proto.h"

/* Field numbers and wire types, from the messages' definition. */
enum wire { WIRE_VARINT, WIRE_FIXED64, WIRE_LEN };

enum {
	FAMILY_NAME = 1, FAMILY_HELP, FAMILY_TYPE, FAMILY_METRIC, FAMILY_UNIT,

	METRIC_LABEL = 1, METRIC_GAUGE = 2, METRIC_COUNTER = 3, METRIC_HISTOGRAM = 7,

	LABEL_NAME = 1, LABEL_VALUE,

	GAUGE_VALUE = 1,

	COUNTER_VALUE = 1, COUNTER_CREATED = 3,

	HISTOGRAM_COUNT = 1, HISTOGRAM_SUM = 2, HISTOGRAM_BUCKET = 3,
	HISTOGRAM_SCHEMA = 5, HISTOGRAM_ZERO_THRESHOLD = 6, HISTOGRAM_ZERO_COUNT = 7,
	HISTOGRAM_SPAN = 12, HISTOGRAM_DELTA = 13, HISTOGRAM_CREATED = 15,

	BUCKET_COUNT = 1, BUCKET_BOUND, BUCKET_EXEMPLAR,

	SPAN_OFFSET = 1, SPAN_LENGTH,

	EXEMPLAR_LABEL = 1, EXEMPLAR_VALUE, EXEMPLAR_TIME,

	TIME_SECONDS = 1, TIME_NANOS,
};

static const unsigned int metric_type[OBSRING_KIND_MAX + 1] = {
	[OBSRING_KIND_COUNTER] = 0,
	[OBSRING_KIND_GAUGE] = 1,
	[OBSRING_KIND_HISTOGRAM] = 4,
	[OBSRING_KIND_INFO] = 1,
	[OBSRING_KIND_STATE] = 1,
};

#define VARINT_MAX 10

static size_t put_varint(char *out, uint64_t value)
{
	size_t len = 0;

	for (; value >= 0x80; value >>= 7)
		out[len++] = value | 0x80;
	out[len++] = value;
	return len;
}

static uint64_t zigzag(int64_t value)
{
	return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

static void text_varint(struct text *text, uint64_t value)
{
	char *out = text_reserve(text, VARINT_MAX);

	if (out)
		text->len += put_varint(out, value);
}

static void put_tag(struct text *text, unsigned int field, enum wire wire)
{
	text_varint(text, field << 3 | wire);
}

static void put_number(struct text *text, unsigned int field, uint64_t value)
{
	put_tag(text, field, WIRE_VARINT);
	text_varint(text, value);
}

static void put_double(struct text *text, unsigned int field, double value)
{
	char bytes[sizeof(value)];

	proto_double(bytes, value);
	put_tag(text, field, WIRE_FIXED64);
	text_put(text, bytes, sizeof(bytes));
}

static void put_bytes(struct text *text, unsigned int field, const char *bytes,
		      size_t len)
{
	put_tag(text, field, WIRE_LEN);
	text_varint(text, len);
	text_put(text, bytes, len);
}

/*
 * A message: begun behind a length of one byte, which is moved apart at the end if it
 * takes more.
 */
static size_t message_begin(struct text *text, unsigned int field)
{
	put_tag(text, field, WIRE_LEN);
	text_put(text, "", 1);
	return text->len;
}

static void message_end(struct text *text, size_t start)
{
	char length[VARINT_MAX];
	size_t len, more;

	if (!text_reserve(text, VARINT_MAX))
		return;
	len = text->len - start;
	more = put_varint(length, len) - 1;
	memmove(text->data + start + more, text->data + start, len);
	memcpy(text->data + start - 1, length, 1 + more);
	text->len += more;
}

void proto_length(char out[PROTO_LENGTH_BYTES], uint32_t len)
{
	unsigned int i;

	for (i = 0; i < PROTO_LENGTH_BYTES - 1; i++, len >>= 7)
		out[i] = len | 0x80;
	out[i] = len;
}

void proto_double(char *out, double value)
{
	uint64_t bits;
	unsigned int i;

	memcpy(&bits, &value, sizeof(bits));
	for (i = 0; i < sizeof(bits); i++, bits >>= 8)
		out[i] = bits;
}

void proto_family(struct text *text, const struct format *format,
		  const struct expose_name *name, enum obsring_kind kind,
		  const char *help, const char *unit)
{
	size_t start;

	(void)format;
	text_put(text, "\0\0\0\0", PROTO_LENGTH_BYTES);
	start = text->len;
	put_bytes(text, FAMILY_NAME, name->family, strlen(name->family));
	if (*help)
		put_bytes(text, FAMILY_HELP, help, strlen(help));
	put_number(text, FAMILY_TYPE, metric_type[kind]);
	if (*unit)
		put_bytes(text, FAMILY_UNIT, unit, strlen(unit));
	if (!text_failed(text))
		proto_length(text->data + start - PROTO_LENGTH_BYTES, text->len - start);
}

static void put_label(struct text *text, unsigned int field, const char *name,
		      const char *value, size_t value_len)
{
	size_t start = message_begin(text, field);

	put_bytes(text, LABEL_NAME, name, strlen(name));
	put_bytes(text, LABEL_VALUE, value, value_len);
	message_end(text, start);
}

static void put_escaped_label(struct text *text, const struct format *format,
			      const char *name, const char *value)
{
	char escaped[ESCAPED_NAME_MAX + 1];

	escape_name(format->escaping, name, false, escaped);
	put_label(text, METRIC_LABEL, escaped, value, strlen(value));
}

static void put_labels(struct text *text, const struct format *format,
		       const struct obs_series_info *series)
{
	const struct obs_family_info *family = series->family;
	unsigned int i;

	for (i = 0; i < family->nr_labels; i++)
		put_escaped_label(text, format, family->label[i], series->value[i]);
}

static void put_time(struct text *text, unsigned int field, uint64_t ns)
{
	size_t start = message_begin(text, field);

	put_number(text, TIME_SECONDS, ns / 1000000000);
	if (ns % 1000000000)
		put_number(text, TIME_NANOS, ns % 1000000000);
	message_end(text, start);
}

size_t proto_metric(struct text *text, const struct format *format,
		    const struct obs_family_info *family,
		    const struct obs_series_info *series, enum obsring_kind kind,
		    const char *state)
{
	bool counter = kind == OBSRING_KIND_COUNTER;
	size_t metric = message_begin(text, FAMILY_METRIC), value, end;

	put_labels(text, format, series);
	if (state)
		put_escaped_label(text, format, family->name, state);
	value = message_begin(text, counter ? METRIC_COUNTER : METRIC_GAUGE);
	put_double(text, counter ? COUNTER_VALUE : GAUGE_VALUE,
		   kind == OBSRING_KIND_INFO);
	end = text->len;
	if (counter)
		put_time(text, COUNTER_CREATED, series->created_ns);
	end = text->len - end;
	message_end(text, value);
	message_end(text, metric);
	return text->len - end - sizeof(double);
}

static void put_exemplar(struct text *text, const struct obs_exemplar *exemplar,
			 int exp10)
{
	char hex[2 * sizeof(exemplar->trace_id)];
	size_t start = message_begin(text, BUCKET_EXEMPLAR);

	put_label(text, EXEMPLAR_LABEL, "trace_id", hex,
		  expose_hex(hex, exemplar->trace_id, sizeof(exemplar->trace_id)) - hex);
	put_label(text, EXEMPLAR_LABEL, "span_id", hex,
		  expose_hex(hex, exemplar->span_id, sizeof(exemplar->span_id)) - hex);
	put_double(text, EXEMPLAR_VALUE, number_double(exemplar->value, exp10));
	put_time(text, EXEMPLAR_TIME, exemplar->time_ns);
	message_end(text, start);
}

/* The classic buckets: ranges of ours, each with what is in those before it. */
static void put_classic(struct text *text, const struct obs_family_info *family,
			const uint64_t *bucket, const struct obs_exemplar *exemplar,
			unsigned int nr_exemplars)
{
	unsigned int range, last, next = 0, nr = obs_family_nr_ranges(family);
	uint64_t cumulated = 0, before;
	size_t start;

	for (range = 0; range < nr; range++) {
		last = obs_family_range_last(family, range);
		for (before = cumulated; next <= last; next++)
			cumulated += bucket[next];
		start = message_begin(text, HISTOGRAM_BUCKET);
		put_number(text, BUCKET_COUNT, cumulated);
		put_double(text, BUCKET_BOUND, obs_family_bound(family, last));
		if (range < nr_exemplars && exemplar[range].time_ns && cumulated != before)
			put_exemplar(text, &exemplar[range], family->exp10);
		message_end(text, start);
	}
}

/*
 * Bucket b of ours ends at bound[b] = 2^((min_log2 * 2^schema + b) / 2^schema), which
 * is bound number min_log2 * 2^schema + b of the schema. Bucket 0, all from 0 on, is
 * the zero bucket. The last one has no upper bound: it is the schema's overflow
 * bucket, the one above the greatest double.
 */
static int native_index(const struct obs_family_info *family, unsigned int bucket)
{
	if (bucket == family->nr_bounds)
		return (1024 << family->schema) + 1;
	return family->min_log2 * (1 << family->schema) + (int)bucket;
}

/* The first bucket from @bucket on that holds something, or behind the last. */
static unsigned int next_filled(const struct obs_family_info *family,
				const uint64_t *bucket, unsigned int from)
{
	while (from <= family->nr_bounds && !bucket[from])
		from++;
	return from;
}

/* Those that follow one another without a gap are a span. */
static void put_spans(struct text *text, const struct obs_family_info *family,
		      const uint64_t *bucket)
{
	unsigned int first = next_filled(family, bucket, 1), end;
	int behind = 0;
	size_t start;

	do {	/* with none, an empty one says that it is native */
		for (end = first; end < family->nr_bounds && bucket[end]; end++)
			;
		if (end == first && end == family->nr_bounds && bucket[end])
			end++;
		start = message_begin(text, HISTOGRAM_SPAN);
		if (end != first) {
			put_number(text, SPAN_OFFSET,
				   zigzag(native_index(family, first) - behind));
			behind = native_index(family, end - 1) + 1;
		}
		put_number(text, SPAN_LENGTH, end - first);
		message_end(text, start);
		first = next_filled(family, bucket, end);
	} while (first <= family->nr_bounds);
}

static void put_deltas(struct text *text, const struct obs_family_info *family,
		       const uint64_t *bucket)
{
	size_t start = message_begin(text, HISTOGRAM_DELTA);
	unsigned int i;
	uint64_t before = 0;

	for (i = 1; i <= family->nr_bounds; i++) {
		if (!bucket[i])
			continue;
		text_varint(text, zigzag((int64_t)(bucket[i] - before)));
		before = bucket[i];
	}
	message_end(text, start);
}

static void put_native(struct text *text, const struct obs_family_info *family,
		       const uint64_t *bucket)
{
	put_number(text, HISTOGRAM_SCHEMA, zigzag(family->schema));
	put_double(text, HISTOGRAM_ZERO_THRESHOLD, ldexp(1.0, family->min_log2));
	put_number(text, HISTOGRAM_ZERO_COUNT, bucket[0]);
	put_spans(text, family, bucket);
	put_deltas(text, family, bucket);
}

void proto_histogram(struct text *text, const struct format *format,
		     const struct obs_series_info *series, const uint64_t *slots,
		     const struct obs_exemplar *exemplar, unsigned int nr_exemplars)
{
	const struct obs_family_info *family = series->family;
	size_t metric = message_begin(text, FAMILY_METRIC), histogram;
	const uint64_t *bucket = slots + 1;
	uint64_t count = 0;
	unsigned int i;

	for (i = 0; i <= family->nr_bounds; i++)
		count += bucket[i];
	put_labels(text, format, series);
	histogram = message_begin(text, METRIC_HISTOGRAM);
	put_number(text, HISTOGRAM_COUNT, count);
	put_double(text, HISTOGRAM_SUM, number_double(slots[0], family->exp10));
	put_classic(text, family, bucket, exemplar, nr_exemplars);
	if (family->exponential)
		put_native(text, family, bucket);
	put_time(text, HISTOGRAM_CREATED, series->created_ns);
	message_end(text, histogram);
	message_end(text, metric);
}
