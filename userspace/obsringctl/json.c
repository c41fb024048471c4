// SPDX-License-Identifier: MIT
#include "json.h"

static void text(struct json *json, const char *s)
{
	fputc('"', json->out);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fprintf(json->out, "\\%c", *s);
		else if ((unsigned char)*s < 0x20 || *s == 0x7f)
			fprintf(json->out, "\\u%04x", (unsigned char)*s);
		else
			fputc(*s, json->out);
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
	text(json, key);
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
	begin(json, key);
	text(json, value);
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
