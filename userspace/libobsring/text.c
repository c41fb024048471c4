// SPDX-License-Identifier: MIT
#include <string.h>

#include <obsring/platform.h>

#include "text.h"

void obs_words_copy(__u64 *to, const __u64 *from, size_t words)
{
	size_t i;

	for (i = 0; i < words; i++)
		to[i] = obs_read_once(&from[i]);
}

/* What a leading byte promises; ranges of the Unicode standard, table 3-7. */
static const struct {
	unsigned char first, last;	/* leading byte */
	unsigned char low, high;	/* second byte */
	unsigned char len;
} utf8_rule[] = {
	{ 0x00, 0x7f, 0x00, 0x00, 1 },
	{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
	{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
	{ 0xe1, 0xec, 0x80, 0xbf, 3 },
	{ 0xed, 0xed, 0x80, 0x9f, 3 },
	{ 0xee, 0xef, 0x80, 0xbf, 3 },
	{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
	{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
	{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

/* Length of the valid character at @s, of which @len bytes exist; 0 if none. */
static size_t utf8_len(const unsigned char *s, size_t len)
{
	size_t i, n;

	for (i = 0; i < sizeof(utf8_rule) / sizeof(utf8_rule[0]); i++)
		if (s[0] >= utf8_rule[i].first && s[0] <= utf8_rule[i].last)
			break;
	if (i == sizeof(utf8_rule) / sizeof(utf8_rule[0]))
		return 0;
	n = utf8_rule[i].len;
	if (n > len)
		return 0;
	if (n > 1 && (s[1] < utf8_rule[i].low || s[1] > utf8_rule[i].high))
		return 0;
	for (i = 2; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

bool obs_utf8_valid(const char *s, size_t len)
{
	size_t n;

	for (; len; s += n, len -= n) {
		n = utf8_len((const unsigned char *)s, len);
		if (!n)
			return false;
	}
	return true;
}

bool obs_name_valid(const char *name)
{
	const char *p;

	for (p = name; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
	return p != name;
}

const char *obs_text_next(const char *text, size_t len, size_t *pos, size_t max)
{
	const char *s = text + *pos;
	size_t left = len - *pos, n;

	n = strnlen(s, left);
	if (n == left || n > max || !obs_utf8_valid(s, n))
		return NULL;
	*pos += n + 1;
	return s;
}
