// SPDX-License-Identifier: MIT
#include <string.h>
#include <strings.h>

#include "basic.h"

static int digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* Bytes written to @out, which has room for @max, or -1. */
static int decode(const char *in, size_t len, char *out, size_t max)
{
	unsigned int bits = 0, nr_bits = 0;
	size_t i, nr = 0;
	int value;

	if (len % 4)
		return -1;
	while (len && in[len - 1] == '=' && nr_bits++ < 2)
		len--;
	nr_bits = 0;
	for (i = 0; i < len; i++) {
		value = digit(in[i]);
		if (value < 0)
			return -1;
		bits = bits << 6 | value;
		nr_bits += 6;
		if (nr_bits < 8)
			continue;
		if (nr == max)
			return -1;
		nr_bits -= 8;
		out[nr++] = bits >> nr_bits;
		bits &= (1U << nr_bits) - 1;
	}
	/* What is left over of the last digit is zero: one text, one encoding. */
	return bits || nr_bits >= 6 ? -1 : (int)nr;
}

bool basic_parse(const char *header, struct basic *ret_basic)
{
	char *colon;
	size_t len;
	int nr;

	if (strncasecmp(header, "Basic ", 6))
		return false;
	header += 6;
	header += strspn(header, " ");
	len = strlen(header);
	while (len && (header[len - 1] == ' ' || header[len - 1] == '\t'))
		len--;
	nr = decode(header, len, ret_basic->text, BASIC_BYTES_MAX);
	if (nr < 0 || memchr(ret_basic->text, '\0', nr))
		return false;
	ret_basic->text[nr] = '\0';
	colon = strchr(ret_basic->text, ':');
	if (!colon)
		return false;
	*colon = '\0';
	ret_basic->name = ret_basic->text;
	ret_basic->password = colon + 1;
	return true;
}
