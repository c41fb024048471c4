// SPDX-License-Identifier: MIT
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <obsring/name.h>

#include "jsontext.h"

static void put_char(struct text *json, const char *at, unsigned int len, __u32 c)
{
	char escape[8];

	if (c == '"' || c == '\\') {
		text_put(json, "\\", 1);
		text_put(json, at, 1);
	} else if (c < 0x20 || (c >= 0x7f && c < 0xa0)) {
		snprintf(escape, sizeof(escape), "\\u%04x", c);
		text_puts(json, escape);
	} else {
		text_put(json, at, len);
	}
}

/* A character may end at a NUL that is within, never behind the end. */
static void put_quoted(struct text *json, const char *bytes, size_t nr)
{
	const char *end = bytes + nr;
	unsigned int len;
	__u32 c;

	text_put(json, "\"", 1);
	for (; bytes < end; bytes += len) {
		len = obs_utf8_decode(bytes, &c);
		if (len) {
			put_char(json, bytes, len, c);
			continue;
		}
		text_puts(json, *bytes ? "\\ufffd" : "\\u0000");
		len = 1;
	}
	text_put(json, "\"", 1);
}

static void put_key(struct text *json, const char *key)
{
	if (json->len && !strchr("{[:", json->data[json->len - 1]))
		text_put(json, ",", 1);
	if (!key)
		return;
	put_quoted(json, key, strlen(key));
	text_put(json, ":", 1);
}

void jsontext_open(struct text *json, const char *key, char bracket)
{
	put_key(json, key);
	text_put(json, &bracket, 1);
}

void jsontext_close(struct text *json, char bracket)
{
	text_put(json, &bracket, 1);
}

void jsontext_string(struct text *json, const char *key, const char *value)
{
	jsontext_bytes(json, key, value, strlen(value));
}

void jsontext_bytes(struct text *json, const char *key, const char *bytes, size_t nr)
{
	put_key(json, key);
	put_quoted(json, bytes, nr);
}

void jsontext_raw(struct text *json, const char *key, const char *value, size_t len)
{
	put_key(json, key);
	text_put(json, value, len);
}

void jsontext_number(struct text *json, const char *key, uint64_t value)
{
	char number[24];

	put_key(json, key);
	snprintf(number, sizeof(number), "%" PRIu64, value);
	text_puts(json, number);
}

void jsontext_bool(struct text *json, const char *key, bool value)
{
	put_key(json, key);
	text_puts(json, value ? "true" : "false");
}
