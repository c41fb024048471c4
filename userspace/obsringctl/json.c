// SPDX-License-Identifier: MIT
#include <string.h>

#include <obsring/name.h>

#include "json.h"

/* What a terminal would act on, or would show in another order. */
static bool is_escaped(__u32 c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2066 && c <= 0x2069);
}

/* @len bytes, and a NUL behind them. */
static void text(struct json *json, const char *s, size_t len)
{
	const char *end = s + len;
	unsigned int n;
	__u32 c;

	fputc('"', json->out);
	for (; s < end; s += n ? n : 1) {
		n = obs_utf8_decode(s, &c);
		if (!n)
			c = *s ? 0xfffd : 0;
		if (c == '"' || c == '\\')
			fprintf(json->out, "\\%c", *s);
		else if (!n || is_escaped(c))
			fprintf(json->out, "\\u%04x", c);
		else
			fwrite(s, 1, n, json->out);
	}
	fputc('"', json->out);
}

static void begin(struct json *json, const char *key)
{
	if (json->filled[json->depth])
		fputs(json->depth == 1 && !key ? ",\n " : ", ", json->out);
	json->filled[json->depth] = true;
	if (!key)
		return;
	text(json, key, strlen(key));
	fputs(": ", json->out);
}

void json_open(struct json *json, const char *key, char bracket)
{
	begin(json, key);
	fputc(bracket, json->out);
	json->filled[++json->depth] = false;
}

void json_close(struct json *json, char bracket)
{
	json->depth--;
	fputc(bracket, json->out);
	if (!json->depth)
		fputc('\n', json->out);
}

void json_string(struct json *json, const char *key, const char *value)
{
	json_bytes(json, key, value, strlen(value));
}

void json_bytes(struct json *json, const char *key, const char *bytes, size_t len)
{
	begin(json, key);
	text(json, bytes, len);
}

void json_number(struct json *json, const char *key, const char *digits)
{
	begin(json, key);
	fputs(digits, json->out);
}

void json_u64(struct json *json, const char *key, uint64_t value)
{
	begin(json, key);
	fprintf(json->out, "%llu", (unsigned long long)value);
}

void json_bool(struct json *json, const char *key, bool value)
{
	json_number(json, key, value ? "true" : "false");
}
