// SPDX-License-Identifier: MIT
/*
 * libFuzzer: any text is a selector or is refused with a reason; one that is written in
 * quotes as it was understood is understood as the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "obsringctl/decimal.h"
#include "obsringctl/selector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *quoted(char *out, const char *text)
{
	*out++ = '"';
	for (; *text; text++) {
		if (strchr("\"\\\n", *text))
			*out++ = '\\';
		*out++ = *text == '\n' ? 'n' : *text;
	}
	*out++ = '"';
	return out;
}

static void selector_use(const struct selector *s, size_t size)
{
	/* Each byte may need a backslash. */
	char *text = malloc(2 * size + 8 * OBSRING_LABELS_MAX + 16), *out = text;
	size_t bytes = strlen(s->name);
	struct selector again;
	const char *reason;
	unsigned int i;

	if (!text)
		abort();
	*out++ = '{';
	out = quoted(out, s->name);
	for (i = 0; i < s->nr; i++) {
		bytes += strlen(s->match[i].label) + strlen(s->match[i].value);
		*out++ = ',';
		out = quoted(out, s->match[i].label);
		*out++ = '=';
		out = quoted(out, s->match[i].value);
	}
	strcpy(out, "}");
	if (!*s->name || bytes > size || selector_parse(text, &again, &reason))
		abort();
	if (strcmp(again.name, s->name) || again.nr != s->nr)
		abort();
	for (i = 0; i < s->nr; i++)
		if (strcmp(again.match[i].label, s->match[i].label) ||
		    selector_value(&again, s->match[i].label) != again.match[i].value ||
		    strcmp(again.match[i].value, s->match[i].value))
			abort();
	selector_free(&again);
	free(text);
}

/* What was read is written as it was, but for zeros and signs. */
static void decimal_use(const char *text)
{
	char again[DECIMAL_SIZE];
	uint64_t value, same;

	if (decimal_parse(text, -9, &value))
		return;
	if (*text == '-')
		decimal_format_signed(again, (int64_t)value, -9);
	else
		decimal_format(again, value, -9);
	if (decimal_parse(again, -9, &same) || same != value)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	const char *reason = NULL;
	struct selector s;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	if (!selector_parse(text, &s, &reason)) {
		selector_use(&s, size);
		selector_free(&s);
	} else if (!reason) {
		abort();
	}
	decimal_use(text);
	free(text);
	return 0;
}
