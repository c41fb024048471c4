// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "layout.h"
#include "number.h"
#include "proto.h"

void layout_init(struct layout *layout, const struct format *format)
{
	memset(layout, 0, sizeof(*layout));
	layout->format = format;
}

void layout_exit(struct layout *layout)
{
	text_free(&layout->labels);
	text_free(&layout->text);
}

static enum obsring_kind shown_kind(const struct obs_family_info *family, enum part part)
{
	return part == PART_VERSION ? OBSRING_KIND_GAUGE : family->kind;
}

/* Names are escaped once for all series of a family that come together. */
static void take_family(struct layout *layout, const struct obs_family_info *family,
			enum part part)
{
	char raw[OBSRING_NAME_MAX + sizeof("_version")];

	text_clear(&layout->text);
	layout->nr_fields = 0;
	layout->mark = 0;
	if (layout->family == family && layout->part == part)
		return;
	snprintf(raw, sizeof(raw), "%s%s", family->name,
		 part == PART_VERSION ? "_version" : "");
	expose_name_init(&layout->name, layout->format, shown_kind(family, part), raw);
	layout->family = family;
	layout->part = part;
}

int layout_family(struct layout *layout, const struct obs_family_info *family,
		  enum part part)
{
	const char *unit = part == PART_VERSION ? "" : family->unit;

	/* It may be another one at the same place: whoever was there is gone. */
	layout->family = NULL;
	take_family(layout, family, part);
	if (layout->format->proto)
		proto_family(&layout->text, layout->format, &layout->name,
			     shown_kind(family, part), family->help, unit);
	else
		expose_header(&layout->text, layout->format, &layout->name,
			      shown_kind(family, part), family->help, unit);
	return text_failed(&layout->text) ? -ENOMEM : 0;
}

static unsigned int decimal_width(enum field_type type, int exp10)
{
	switch (type) {
	case FIELD_STATE:
		return 1;
	case FIELD_UNSIGNED:
		return exp10 ? NUMBER_DIGITS + 1 : NUMBER_DIGITS;
	case FIELD_SIGNED:	/* -0.000000000001 */
		return exp10 ? NUMBER_DIGITS + 2 : NUMBER_DIGITS;
	default:
		return NUMBER_DIGITS;
	}
}

unsigned int layout_width(const struct format *format, enum field_type type, int exp10)
{
	return format->proto ? sizeof(double) : decimal_width(type, exp10);
}

static bool is_scaled(enum field_type type)
{
	return type == FIELD_UNSIGNED || type == FIELD_SIGNED;
}

void layout_number(char *out, const struct format *format, enum field_type type,
		   uint64_t value, int exp10)
{
	if (!is_scaled(type))
		exp10 = 0;
	if (format->proto)
		proto_double(out, type == FIELD_SIGNED ?
			     number_double_signed(value, exp10) :
			     number_double(value, exp10));
	else
		number_fill(out, decimal_width(type, exp10), format->fill, value,
			    type == FIELD_SIGNED, exp10);
}

void layout_change(char *out, const struct format *format, enum field_type type,
		   uint64_t shown, uint64_t value, int exp10)
{
	/* Signed ones below 0 are greater than all others here, and have a sign. */
	if (format->proto || value <= shown || (int64_t)value < 0 ||
	    (exp10 && is_scaled(type)))
		layout_number(out, format, type, value, exp10);
	else
		number_raise(out + decimal_width(type, 0), shown, value);
}

/* Those whose numbers are decimal end the line. */
static void put_number(struct layout *layout, enum field_type type, unsigned int last)
{
	int exp10 = layout->family->exp10;
	unsigned int width = layout_width(layout->format, type, exp10);
	char *out = text_reserve(&layout->text, width + 1);

	if (!out)
		return;
	layout->field[layout->nr_fields++] = (struct field){
		.skip = layout->text.len - layout->mark,
		.last = last,
		.type = type,
	};
	layout_number(out, layout->format, type, 0, exp10);
	layout->text.len += width;
	layout->mark = layout->text.len;
	if (!layout->format->proto)
		text_put(&layout->text, "\n", 1);
}

static void put_sample(struct layout *layout, const char *suffix, enum field_type type,
		       unsigned int last)
{
	expose_sample(&layout->text, &layout->name, suffix, &layout->labels);
	put_number(layout, type, last);
}

static void put_created(struct layout *layout, const struct obs_series_info *series)
{
	char number[NUMBER_MAX];

	if (!layout->format->created)
		return;
	expose_sample(&layout->text, &layout->name, "_created", &layout->labels);
	text_put(&layout->text, number,
		 number_scaled(number, series->created_ns, -9) - number);
	text_put(&layout->text, "\n", 1);
}

static size_t format_bound(const struct layout *layout, unsigned int i, char *out)
{
	const struct obs_family_info *family = layout->family;
	bool point = layout->format->le_point;

	if (family->exponential)
		return number_bound_log2(out, family->min_log2 + (int)i, point) - out;
	return number_bound_scaled(out, family->bound[i], family->exp10, point) - out;
}

static void put_histogram(struct layout *layout, const struct obs_series_info *series)
{
	const struct obs_family_info *family = layout->family;
	char bound[NUMBER_MAX];
	unsigned int i;

	for (i = 0; i < obs_family_nr_ranges(family) - 1; i++) {
		expose_bucket(&layout->text, &layout->name, &layout->labels, bound,
			      format_bound(layout, i, bound));
		put_number(layout, FIELD_BUCKET, obs_family_range_last(family, i));
	}
	expose_bucket(&layout->text, &layout->name, &layout->labels, "+Inf", 4);
	put_number(layout, FIELD_BUCKET, family->nr_bounds);
	put_sample(layout, "_sum", FIELD_UNSIGNED, 0);
	put_sample(layout, "_count", FIELD_COUNT, family->nr_bounds);
	put_created(layout, series);
}

static void put_states(struct layout *layout)
{
	const struct obs_family_info *family = layout->family;
	size_t labels_len = layout->labels.len;
	unsigned int i;

	for (i = 0; i < family->nr_states; i++) {
		if (labels_len)
			text_put(&layout->labels, ",", 1);
		expose_labels(&layout->labels, layout->format,
			      (const char *const[]){ family->name },
			      &family->state[i], 1);
		put_sample(layout, "", FIELD_STATE, i);
		layout->labels.len = labels_len;
	}
}

static void put_series(struct layout *layout, const struct obs_series_info *series)
{
	text_clear(&layout->labels);
	expose_labels(&layout->labels, layout->format, layout->family->label,
		      series->value, layout->family->nr_labels);
	switch (layout->family->kind) {
	case OBSRING_KIND_COUNTER:
		put_sample(layout, layout->name.suffix, FIELD_UNSIGNED, 0);
		put_created(layout, series);
		return;
	case OBSRING_KIND_GAUGE:
		put_sample(layout, "", FIELD_SIGNED, 0);
		return;
	case OBSRING_KIND_HISTOGRAM:
		put_histogram(layout, series);
		return;
	case OBSRING_KIND_STATE:
		if (layout->part == PART_VERSION)
			put_sample(layout, "", FIELD_VERSION, 0);
		else
			put_states(layout);
		return;
	default:
		expose_sample(&layout->text, &layout->name, layout->name.suffix,
			      &layout->labels);
		text_puts(&layout->text, "1\n");
		return;
	}
}

static void put_proto_field(struct layout *layout, enum field_type type,
			    unsigned int last, const struct obs_series_info *series,
			    const char *state)
{
	size_t value_at;

	value_at = proto_metric(&layout->text, layout->format, layout->family, series,
				layout->part == PART_VERSION ? OBSRING_KIND_GAUGE :
				layout->family->kind, state);
	layout->field[layout->nr_fields++] = (struct field){
		.skip = value_at - layout->mark,
		.last = last,
		.type = type,
	};
	layout->mark = value_at + sizeof(double);
}

/* Histograms are of no fixed length: proto_histogram() makes them whenever shown. */
static void put_proto(struct layout *layout, const struct obs_series_info *series)
{
	static const uint64_t zero[OBSRING_SLOTS_MAX];
	const struct obs_family_info *family = layout->family;
	unsigned int i;

	if (layout->part == PART_VERSION) {
		put_proto_field(layout, FIELD_VERSION, 0, series, NULL);
		return;
	}
	switch (family->kind) {
	case OBSRING_KIND_COUNTER:
		put_proto_field(layout, FIELD_UNSIGNED, 0, series, NULL);
		return;
	case OBSRING_KIND_GAUGE:
		put_proto_field(layout, FIELD_SIGNED, 0, series, NULL);
		return;
	case OBSRING_KIND_HISTOGRAM:
		proto_histogram(&layout->text, layout->format, series, zero, NULL, 0);
		return;
	case OBSRING_KIND_STATE:
		for (i = 0; i < family->nr_states; i++)
			put_proto_field(layout, FIELD_STATE, i, series,
					family->state[i]);
		return;
	default:
		proto_metric(&layout->text, layout->format, family, series,
			     OBSRING_KIND_INFO, NULL);
		return;
	}
}

int layout_series(struct layout *layout, const struct obs_series_info *series,
		  enum part part)
{
	take_family(layout, series->family, part);
	if (layout->format->proto)
		put_proto(layout, series);
	else
		put_series(layout, series);
	return text_failed(&layout->text) || text_failed(&layout->labels) ? -ENOMEM : 0;
}
