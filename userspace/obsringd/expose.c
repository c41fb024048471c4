// SPDX-License-Identifier: MIT
#include <string.h>

#include <obsring/name.h>

#include "expose.h"

#define TYPES(info, state)					\
	.type_name = {						\
		[OBSRING_KIND_COUNTER] = "counter",		\
		[OBSRING_KIND_GAUGE] = "gauge",			\
		[OBSRING_KIND_HISTOGRAM] = "histogram",		\
		[OBSRING_KIND_INFO] = info,			\
		[OBSRING_KIND_STATE] = state,			\
	}

#define TEXT(scheme, version, name) {					\
	.escaping = scheme,						\
	.content_type = "text/plain; version=" version "; "		\
			"charset=utf-8; escaping=" name,		\
	TYPES("gauge", "gauge"),					\
	.fill = ' ',							\
	.help_escapes = "\\\n",						\
	.end = "",							\
}

#define OPENMETRICS(scheme, name) {					\
	.escaping = scheme,						\
	.content_type = "application/openmetrics-text; version=1.0.0; "	\
			"charset=utf-8; escaping=" name,		\
	TYPES("info", "stateset"),					\
	.suffixes = true,						\
	.units = true,							\
	.created = true,						\
	.le_point = true,						\
	.exemplars = true,						\
	.fill = '0',							\
	.help_escapes = "\\\n\"",						\
	.end = "# EOF\n",						\
}

#define PROTOBUF(scheme, name) {						\
	.escaping = scheme,						\
	.content_type = "application/vnd.google.protobuf; "		\
			"proto=io.prometheus.client.MetricFamily; "	\
			"encoding=delimited; escaping=" name,		\
	.exemplars = true,						\
	.proto = true,							\
	.end = "",							\
}

const struct format formats[FORMAT_NR] = {
	[FORMAT_TEXT + ESCAPE_UNDERSCORES] =
		TEXT(ESCAPE_UNDERSCORES, "0.0.4", "underscores"),
	[FORMAT_TEXT + ESCAPE_DOTS] = TEXT(ESCAPE_DOTS, "0.0.4", "dots"),
	[FORMAT_TEXT + ESCAPE_VALUES] = TEXT(ESCAPE_VALUES, "0.0.4", "values"),
	/* It has no quotes, and nobody gets this one. */
	[FORMAT_TEXT + ESCAPE_NONE] =
		TEXT(ESCAPE_UNDERSCORES, "0.0.4", "underscores"),
	[FORMAT_TEXT_1 + ESCAPE_UNDERSCORES] =
		TEXT(ESCAPE_UNDERSCORES, "1.0.0", "underscores"),
	[FORMAT_TEXT_1 + ESCAPE_DOTS] = TEXT(ESCAPE_DOTS, "1.0.0", "dots"),
	[FORMAT_TEXT_1 + ESCAPE_VALUES] = TEXT(ESCAPE_VALUES, "1.0.0", "values"),
	[FORMAT_TEXT_1 + ESCAPE_NONE] = TEXT(ESCAPE_NONE, "1.0.0", "allow-utf-8"),
	[FORMAT_OPENMETRICS + ESCAPE_UNDERSCORES] =
		OPENMETRICS(ESCAPE_UNDERSCORES, "underscores"),
	[FORMAT_OPENMETRICS + ESCAPE_DOTS] = OPENMETRICS(ESCAPE_DOTS, "dots"),
	[FORMAT_OPENMETRICS + ESCAPE_VALUES] = OPENMETRICS(ESCAPE_VALUES, "values"),
	[FORMAT_OPENMETRICS + ESCAPE_NONE] = OPENMETRICS(ESCAPE_NONE, "allow-utf-8"),
	[FORMAT_PROTOBUF + ESCAPE_UNDERSCORES] =
		PROTOBUF(ESCAPE_UNDERSCORES, "underscores"),
	[FORMAT_PROTOBUF + ESCAPE_DOTS] = PROTOBUF(ESCAPE_DOTS, "dots"),
	[FORMAT_PROTOBUF + ESCAPE_VALUES] = PROTOBUF(ESCAPE_VALUES, "values"),
	[FORMAT_PROTOBUF + ESCAPE_NONE] = PROTOBUF(ESCAPE_NONE, "allow-utf-8"),
};

/* The suffix that a format with suffixes demands of a kind's samples. */
static const char *const kind_suffix[OBSRING_KIND_MAX + 1] = {
	[OBSRING_KIND_COUNTER] = "_total",
	[OBSRING_KIND_INFO] = "_info",
};

/* Does @string end in @end, with something before it? */
static bool ends_with(const char *string, const char *end)
{
	size_t len = strlen(string), end_len = strlen(end);

	return len > end_len && !strcmp(string + len - end_len, end);
}

void expose_name_init(struct expose_name *name, const struct format *format,
		      enum obsring_kind kind, const char *raw_name)
{
	const char *suffix = format->suffixes ? kind_suffix[kind] : NULL;

	escape_name(format->escaping, raw_name, true, name->family);
	name->quoted = !escape_classic(name->family, true);
	name->suffix = "";
	if (!suffix)
		return;
	if (ends_with(name->family, suffix))
		name->family[strlen(name->family) - strlen(suffix)] = '\0';
	name->suffix = suffix;
}

/* A backslash before each of @escapes; bytes of longer characters are none. */
static void put_escaped(struct text *text, const char *string,
			const char *escapes)
{
	size_t len;

	for (;;) {
		len = strcspn(string, escapes);
		text_put(text, string, len);
		string += len;
		if (!*string)
			return;
		text_puts(text, "\\");
		text_put(text, *string == '\n' ? "n" : string, 1);
		string++;
	}
}

/* A family's name with one of its suffixes, in quotes if it needs them. */
static void put_name(struct text *text, const struct expose_name *name,
		     const char *suffix)
{
	if (!name->quoted) {
		text_puts(text, name->family);
		text_puts(text, suffix);
		return;
	}
	text_put(text, "\"", 1);
	put_escaped(text, name->family, "\\\n\"");
	text_puts(text, suffix);
	text_put(text, "\"", 1);
}

static void put_comment(struct text *text, const char *keyword,
			const struct expose_name *name)
{
	text_puts(text, "# ");
	text_puts(text, keyword);
	text_put(text, " ", 1);
	put_name(text, name, "");
	text_put(text, " ", 1);
}

/* OpenMetrics: a unit is the family name's last part, and info has none. */
static bool unit_shown(const struct format *format, const struct expose_name *name,
		       enum obsring_kind kind, const char *unit)
{
	char suffix[OBSRING_UNIT_MAX + 2] = "_";

	if (!format->units || kind == OBSRING_KIND_INFO ||
	    kind == OBSRING_KIND_STATE || !*unit)
		return false;
	strncat(suffix, unit, OBSRING_UNIT_MAX);
	return ends_with(name->family, suffix);
}

void expose_header(struct text *text, const struct format *format,
		   const struct expose_name *name, enum obsring_kind kind,
		   const char *help, const char *unit)
{
	if (*help) {
		put_comment(text, "HELP", name);
		put_escaped(text, help, format->help_escapes);
		text_put(text, "\n", 1);
	}
	put_comment(text, "TYPE", name);
	text_puts(text, format->type_name[kind]);
	text_put(text, "\n", 1);
	if (unit_shown(format, name, kind, unit)) {
		put_comment(text, "UNIT", name);
		text_puts(text, unit);
		text_put(text, "\n", 1);
	}
}

static void put_label_name(struct text *text, const struct format *format,
			   const char *name)
{
	char escaped[ESCAPED_NAME_MAX + 1];

	escape_name(format->escaping, name, false, escaped);
	if (escape_classic(escaped, false)) {
		text_puts(text, escaped);
		return;
	}
	text_put(text, "\"", 1);
	put_escaped(text, escaped, "\\\n\"");
	text_put(text, "\"", 1);
}

void expose_labels(struct text *text, const struct format *format,
		   const char *const *name, const char *const *value,
		   unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (i)
			text_put(text, ",", 1);
		put_label_name(text, format, name[i]);
		text_put(text, "=\"", 2);
		put_escaped(text, value[i], "\\\n\"");
		text_put(text, "\"", 1);
	}
}

/* A name that needs quotes stands within the braces, before the labels. */
static void open_braces(struct text *text, const struct expose_name *name,
			const char *suffix, const struct text *labels)
{
	if (name->quoted)
		text_put(text, "{", 1);
	put_name(text, name, suffix);
	text_put(text, name->quoted ? "," : "{", 1);
	text_put(text, labels->data, labels->len);
}

void expose_sample(struct text *text, const struct expose_name *name,
		   const char *suffix, const struct text *labels)
{
	if (labels->len) {
		open_braces(text, name, suffix, labels);
		text_put(text, "} ", 2);
		return;
	}
	if (name->quoted)
		text_put(text, "{", 1);
	put_name(text, name, suffix);
	text_puts(text, name->quoted ? "} " : " ");
}

void expose_bucket(struct text *text, const struct expose_name *name,
		   const struct text *labels, const char *bound, size_t bound_len)
{
	open_braces(text, name, "_bucket", labels);
	text_puts(text, labels->len ? ",le=\"" : "le=\"");
	text_put(text, bound, bound_len);
	text_puts(text, "\"} ");
}

char *expose_hex(char *out, const uint8_t *byte, size_t nr)
{
	static const char digit[] = "0123456789abcdef";

	for (; nr--; byte++) {
		*out++ = digit[*byte >> 4];
		*out++ = digit[*byte & 15];
	}
	return out;
}

static char *put(char *out, const char *string)
{
	size_t len = strlen(string);

	memcpy(out, string, len);
	return out + len;
}

void expose_exemplar(char out[EXPOSE_EXEMPLAR_LEN], const struct obs_exemplar *exemplar,
		     int exp10)
{
	out = put(out, " # {trace_id=\"");
	out = expose_hex(out, exemplar->trace_id, sizeof(exemplar->trace_id));
	out = put(out, "\",span_id=\"");
	out = expose_hex(out, exemplar->span_id, sizeof(exemplar->span_id));
	out = put(out, "\"} ");
	number_fill(out, EXPOSE_EXEMPLAR_DIGITS, '0', exemplar->value, false, exp10);
	out += EXPOSE_EXEMPLAR_DIGITS;
	*out++ = ' ';
	number_fill(out, EXPOSE_EXEMPLAR_DIGITS, '0', exemplar->time_ns, false, -9);
}
