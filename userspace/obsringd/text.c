// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "text.h"

#define TEXT_SIZE_MIN 256

char *text_reserve(struct text *text, size_t more)
{
	size_t size = text->size ? text->size : TEXT_SIZE_MIN;
	char *data;

	if (text->failed)
		return NULL;
	if (text->data && text->size - text->len >= more)
		return text->data + text->len;
	while (size - text->len < more)
		size *= 2;
	data = realloc(text->data, size);
	if (!data) {
		text->failed = true;
		return NULL;
	}
	text->data = data;
	text->size = size;
	return data + text->len;
}

void text_put(struct text *text, const void *data, size_t len)
{
	char *end;

	if (!len)
		return;
	end = text_reserve(text, len);
	if (!end)
		return;
	memcpy(end, data, len);
	text->len += len;
}

void text_puts(struct text *text, const char *string)
{
	text_put(text, string, strlen(string));
}

void text_clear(struct text *text)
{
	text->len = 0;
}

void text_free(struct text *text)
{
	free(text->data);
	*text = (struct text){ 0 };
}
