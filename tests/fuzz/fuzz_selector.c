// SPDX-License-Identifier: MIT
/* libFuzzer: any text is a selector or is refused with a reason. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "obsringctl/decimal.h"
#include "obsringctl/selector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void selector_use(const struct selector *s, size_t size)
{
	size_t bytes = strlen(s->name);
	unsigned int i;

	for (i = 0; i < s->nr; i++)
		bytes += strlen(s->match[i].label) + strlen(s->match[i].value);
	if (!*s->name || bytes > size)
		abort();
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
