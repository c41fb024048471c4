// SPDX-License-Identifier: MIT
#include <string.h>

#include <obsring/name.h>

#include "expose.h"

const struct format formats[FORMAT_NR] = {
	[FORMAT_TEXT] = {
		.content_type = "text/plain; version=0.0.4; charset=utf-8",
		.type_name = {
			[OBSRING_KIND_COUNTER] = "counter",
			[OBSRING_KIND_GAUGE] = "gauge",
			[OBSRING_KIND_HISTOGRAM] = "histogram",
			[OBSRING_KIND_INFO] = "gauge",
		},
		.help_escapes = "\\\n",
		.end = "",
	},
	[FORMAT_OPENMETRICS] = {
		.content_type = "application/openmetrics-text; version=1.0.0; "
				"charset=utf-8; escaping=underscores",
		.type_name = {
			[OBSRING_KIND_COUNTER] = "counter",
			[OBSRING_KIND_GAUGE] = "gauge",
			[OBSRING_KIND_HISTOGRAM] = "histogram",
			[OBSRING_KIND_INFO] = "info",
		},
		.suffixes = true,
		.units = true,
		.created = true,
		.le_point = true,
		.exemplars = true,
		.help_escapes = "\\\n\"",
		.end = "# EOF\n",
	},
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

	obs_name_escape(raw_name, true, name->family);
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

static void put_comment(struct text *text, const char *keyword, const char *family)
{
	text_puts(text, "# ");
	text_puts(text, keyword);
	text_put(text, " ", 1);
	text_puts(text, family);
	text_put(text, " ", 1);
}

/* OpenMetrics: a unit is the family name's last part, and info has none. */
static bool unit_shown(const struct format *format, const struct expose_name *name,
		       enum obsring_kind kind, const char *unit)
{
	char suffix[OBSRING_UNIT_MAX + 2] = "_";

	if (!format->units || kind == OBSRING_KIND_INFO || !*unit)
		return false;
	strncat(suffix, unit, OBSRING_UNIT_MAX);
	return ends_with(name->family, suffix);
}

void expose_header(struct text *text, const struct format *format,
		   const struct expose_name *name, enum obsring_kind kind,
		   const char *help, const char *unit)
{
	if (*help) {
		put_comment(text, "HELP", name->family);
		put_escaped(text, help, format->help_escapes);
		text_put(text, "\n", 1);
	}
	put_comment(text, "TYPE", name->family);
	text_puts(text, format->type_name[kind]);
	text_put(text, "\n", 1);
	if (unit_shown(format, name, kind, unit)) {
		put_comment(text, "UNIT", name->family);
		text_puts(text, unit);
		text_put(text, "\n", 1);
	}
}

void expose_labels(struct text *text, const char *const *name,
		   const char *const *value, unsigned int nr)
{
	char escaped[OBSRING_NAME_MAX + 1];
	unsigned int i;

	for (i = 0; i < nr; i++) {
		obs_name_escape(name[i], false, escaped);
		if (i)
			text_put(text, ",", 1);
		text_puts(text, escaped);
		text_put(text, "=\"", 2);
		put_escaped(text, value[i], "\\\n\"");
		text_put(text, "\"", 1);
	}
}

void expose_sample(struct text *text, const struct expose_name *name,
		   const char *suffix, const struct text *labels)
{
	text_puts(text, name->family);
	text_puts(text, suffix);
	if (labels->len) {
		text_put(text, "{", 1);
		text_put(text, labels->data, labels->len);
		text_put(text, "}", 1);
	}
	text_put(text, " ", 1);
}

void expose_bucket(struct text *text, const struct expose_name *name,
		   const struct text *labels, const char *bound, size_t bound_len)
{
	text_puts(text, name->family);
	text_puts(text, "_bucket{");
	if (labels->len) {
		text_put(text, labels->data, labels->len);
		text_put(text, ",", 1);
	}
	text_puts(text, "le=\"");
	text_put(text, bound, bound_len);
	text_puts(text, "\"} ");
}

static char *put_hex(char *out, const uint8_t *byte, size_t nr)
{
	static const char digit[] = "0123456789abcdef";

	for (; nr--; byte++) {
		*out++ = digit[*byte >> 4];
		*out++ = digit[*byte & 15];
	}
	return out;
}

char *expose_exemplar(char *out, const struct obs_exemplar *exemplar, int exp10)
{
	out = stpcpy(out, " # {trace_id=\"");
	out = put_hex(out, exemplar->trace_id, sizeof(exemplar->trace_id));
	out = stpcpy(out, "\",span_id=\"");
	out = put_hex(out, exemplar->span_id, sizeof(exemplar->span_id));
	out = stpcpy(out, "\"} ");
	out = number_scaled(out, exemplar->value, exp10);
	*out++ = ' ';
	return number_scaled(out, exemplar->time_ns, -9);
}
