// SPDX-License-Identifier: MIT
/*
 * libFuzzer: strings that others chose, as they are shown. JSON of any bytes reads back as
 * they were, what is no UTF-8 as U+FFFD; a label's value and a name escape to what says
 * the same; lines and cells for a terminal have nothing that it would act on.
 */
#include <locale.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include <obsring/name.h>

#include "obsringctl/json.h"
#include "obsringctl/print.h"
#include "obsringctl/toptext.h"
#include "obsringd/escape.h"
#include "obsringd/expose.h"
#include "obsringd/jsontext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX	2048

static void require(int holds)
{
	if (!holds)
		abort();
}

static bool acts(__u32 c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

/* A character that is put as UTF-8. */
static size_t encode(char *out, unsigned int c)
{
	if (c < 0x80)
		return (size_t)sprintf(out, "%c", c);
	if (c < 0x800)
		return (size_t)sprintf(out, "%c%c", 0xc0 | c >> 6, 0x80 | (c & 63));
	return (size_t)sprintf(out, "%c%c%c", 0xe0 | c >> 12, 0x80 | (c >> 6 & 63),
			       0x80 | (c & 63));
}

/* The string that ends with the quote at @end - 1: its bytes, in @out. */
static size_t json_read(const char *at, const char *end, char *out)
{
	char hex[5] = "";
	unsigned int c;
	size_t nr = 0;

	require(end - at >= 2 && *at == '"' && end[-1] == '"');
	for (at++, end--; at < end; at++) {
		require((unsigned char)*at >= ' ' && *at != '"' && *at != 0x7f);
		if (*at != '\\') {
			out[nr++] = *at;
		} else if (*++at == 'u') {
			require(end - at > 4);
			memcpy(hex, at + 1, 4);
			require(strspn(hex, "0123456789abcdef") == 4);
			c = (unsigned int)strtoul(hex, NULL, 16);
			at += 4;
			nr += encode(out + nr, c);
		} else {
			require(*at == '"' || *at == '\\');
			out[nr++] = *at;
		}
	}
	return nr;
}

/* What JSON can say of it. */
static size_t json_expected(const char *text, size_t size, char *out)
{
	unsigned int len;
	size_t nr = 0, i;
	__u32 c;

	for (i = 0; i < size; i += len) {
		len = obs_utf8_decode(text + i, &c);
		if (!len && text[i]) {
			memcpy(out + nr, "\xef\xbf\xbd", 3);
			nr += 3;
		} else {
			memcpy(out + nr, text + i, len + !len);
			nr += len + !len;
		}
		len += !len;
	}
	return nr;
}

static void json_check(const char *text, size_t size)
{
	static char read[3 * INPUT_MAX + 8], expected[3 * INPUT_MAX + 8];
	struct text json = { 0 };
	struct json stream = { .depth = 0 };
	size_t nr, len;
	char *out;

	nr = json_expected(text, size, expected);
	jsontext_bytes(&json, NULL, text, size);
	require(!text_failed(&json));
	require(json_read(json.data, json.data + json.len, read) == nr);
	require(!memcmp(read, expected, nr));
	text_free(&json);
	stream.out = open_memstream(&out, &len);
	require(stream.out != NULL);
	json_bytes(&stream, NULL, text, size);
	fclose(stream.out);
	require(json_read(out, out + len, read) == nr && !memcmp(read, expected, nr));
	free(out);
}

/* ---- For Prometheus ------------------------------------------------------- */

static void label_check(const char *value)
{
	static const char *const name = "l";
	struct text text = { 0 };
	const char *at, *end;

	expose_labels(&text, &formats[FORMAT_TEXT], &name, &value, 1);
	require(!text_failed(&text) && text.len >= 4 && !memcmp(text.data, "l=\"", 3));
	end = text.data + text.len - 1;
	require(*end == '"');
	for (at = text.data + 3; at < end; at++, value++) {
		require(*at != '\n' && *at != '"');
		if (*at != '\\')
			require(*at == *value);
		else if (*++at == 'n')
			require(*value == '\n');
		else
			require((*at == '"' || *at == '\\') && *at == *value);
	}
	require(at == end && !*value);
	text_free(&text);
}

/* As it is, or U__, of which each _hex_ is a character, and __ an underscore. */
static void values_check(const char *escaped, const char *name, bool classic)
{
	unsigned int len, hex;
	int used;
	__u32 c;

	if (classic) {
		require(!strcmp(escaped, name));
		return;
	}
	require(!strncmp(escaped, "U__", 3));
	for (escaped += 3; *name; name += len) {
		len = obs_utf8_decode(name, &c);
		if (!strncmp(escaped, "__", 2)) {
			require(c == '_');
			escaped += 2;
		} else if (*escaped == '_') {
			require(sscanf(escaped, "_%x_%n", &hex, &used) == 1 && hex == c);
			escaped += used;
		} else {
			require((__u32)*escaped++ == c);
		}
	}
	require(!*escaped);
}

static void name_check(const char *name, bool colon)
{
	enum escaping escaping;
	char *escaped;

	if (strlen(name) > OBSRING_NAME_MAX || !obs_name_valid(name))
		return;
	for (escaping = 0; escaping < ESCAPE_NR; escaping++) {
		/* Of that size exactly. */
		escaped = malloc(ESCAPED_NAME_MAX + 1);
		require(escaped != NULL);
		escape_name(escaping, name, colon, escaped);
		require(strlen(escaped) <= ESCAPED_NAME_MAX);
		if (escaping == ESCAPE_NONE)
			require(!strcmp(escaped, name));
		else
			require(escape_classic(escaped, colon));
		if (escaping == ESCAPE_VALUES)
			values_check(escaped, name, escape_classic(name, colon));
		free(escaped);
	}
}

/* ---- For a terminal ------------------------------------------------------- */

static void print_check(const char *text)
{
	const char *at;
	char *out;
	size_t len;
	FILE *stream = open_memstream(&out, &len);
	unsigned int n;
	__u32 c;

	require(stream != NULL);
	print_text(stream, text);
	fclose(stream);
	require(strlen(out) == len);
	for (at = out; *at; at += n) {
		n = obs_utf8_decode(at, &c);
		require(n && !acts(c));
	}
	free(out);
}

static void cells_check(const char *text, unsigned int skip, unsigned int columns)
{
	wchar_t *cells = calloc(columns + 1, sizeof(*cells));
	unsigned int width = 0;
	size_t nr, i;

	require(cells != NULL);
	nr = top_cells(text, skip, columns, cells);
	require(nr <= columns && !cells[nr]);
	for (i = 0; i < nr; i++) {
		require(cells[i] && wcwidth(cells[i]) >= 1);
		width += (unsigned int)wcwidth(cells[i]);
	}
	require(width <= columns);
	free(cells);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size < 2 || size > INPUT_MAX)
		return -1;
	setlocale(LC_CTYPE, "C.UTF-8");
	/* Reading beyond it would be seen. */
	text = malloc(size - 2 + 1);
	require(text != NULL);
	memcpy(text, data + 2, size - 2);
	text[size - 2] = '\0';
	json_check(text, size - 2);
	label_check(text);
	name_check(text, data[0] & 1);
	print_check(text);
	cells_check(text, data[0] % 8, data[1] % 32);
	free(text);
	return 0;
}
