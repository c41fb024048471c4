// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <obsring/name.h>

#include "print.h"

/* The character at @text, as a number if a terminal would act on it; its length. */
static unsigned int character(FILE *out, const char *text)
{
	__u32 c = (unsigned char)*text;
	unsigned int len = obs_utf8_decode(text, &c);

	if (!len || c < 0x20 || (c >= 0x7f && c < 0xa0))
		fprintf(out, "\\x%02x", c);
	else
		fwrite(text, 1, len, out);
	return len ? len : 1;
}

void print_text(FILE *out, const char *text)
{
	while (*text)
		text += character(out, text);
}

static void quoted(FILE *out, const char *text)
{
	fputc('"', out);
	while (*text) {
		if (*text == '"' || *text == '\\') {
			fprintf(out, "\\%c", *text++);
		} else if (*text == '\n') {
			fputs("\\n", out);
			text++;
		} else {
			text += character(out, text);
		}
	}
	fputc('"', out);
}

static bool is_plain(const char *name, const char *also)
{
	const char *p;

	for (p = name; *p; p++)
		if (!isalpha((unsigned char)*p) && !strchr(also, *p) &&
		    (p == name || !isdigit((unsigned char)*p)))
			return false;
	return p != name;
}

static void label_print(FILE *out, bool *first, const char *label, const char *value)
{
	if (!*first)
		fputc(',', out);
	*first = false;
	if (is_plain(label, "_"))
		fputs(label, out);
	else
		quoted(out, label);
	fputc('=', out);
	quoted(out, value);
}

void print_selector(FILE *out, const char *name, const char *suffix,
		    const struct obs_series_info *series, const char *le)
{
	const struct obs_family_info *family = series->family;
	char full[OBSRING_NAME_MAX + sizeof("_bucket")];
	bool first = true, plain;
	unsigned int i;

	snprintf(full, sizeof(full), "%s%s", name, suffix);
	plain = is_plain(full, "_:");
	if (plain)
		fputs(full, out);
	if (plain && !family->nr_labels && !le)
		return;
	fputc('{', out);
	if (!plain) {
		quoted(out, full);
		first = false;
	}
	for (i = 0; i < family->nr_labels; i++)
		label_print(out, &first, family->label[i], series->value[i]);
	if (le)
		label_print(out, &first, "le", le);
	fputc('}', out);
}
