// SPDX-License-Identifier: MIT
/* Bytes and the digits that stand for them. */
#include "propagate.h"

/* Value of a digit plus 1; 0: it is none. Upper case is none. */
static const uint8_t digit[256] = {
	['0'] = 1, ['1'] = 2, ['2'] = 3, ['3'] = 4, ['4'] = 5, ['5'] = 6,
	['6'] = 7, ['7'] = 8, ['8'] = 9, ['9'] = 10, ['a'] = 11, ['b'] = 12,
	['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

bool obs_hex_decode(const char *text, uint8_t *bytes, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		uint8_t high = digit[(uint8_t)text[2 * i]];
		uint8_t low = digit[(uint8_t)text[2 * i + 1]];

		if (!high || !low)
			return false;
		bytes[i] = (uint8_t)((high - 1) << 4 | (low - 1));
	}
	return true;
}

char *obs_hex_encode(char *text, const uint8_t *bytes, size_t nr)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < nr; i++) {
		*text++ = digits[bytes[i] >> 4];
		*text++ = digits[bytes[i] & 15];
	}
	return text;
}

bool obs_id_is_zero(const uint8_t *id, size_t nr)
{
	uint8_t any = 0;

	while (nr)
		any |= id[--nr];
	return !any;
}

bool obs_bytes_cut(struct obs_bytes *rest, char separator, struct obs_bytes *ret)
{
	const char *end;

	if (!rest->at)
		return false;
	end = rest->len ? memchr(rest->at, separator, rest->len) : NULL;
	if (!end) {
		*ret = *rest;
		*rest = obs_bytes(NULL, 0);
		return true;
	}
	*ret = obs_bytes(rest->at, (size_t)(end - rest->at));
	*rest = obs_bytes_from(*rest, ret->len + 1);
	return true;
}
