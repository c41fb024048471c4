// SPDX-License-Identifier: MIT
#include <string.h>

#include <obsring/name.h>
#include <obsring/platform.h>

#include "text.h"

void obs_words_copy(__u64 *to, const __u64 *from, size_t words)
{
	size_t i;

	for (i = 0; i < words; i++)
		to[i] = obs_read_once(&from[i]);
}

const char *obs_text_next(const char *text, size_t len, size_t *pos, size_t max)
{
	const char *s = text + *pos;
	size_t left = len - *pos, n;

	n = strnlen(s, left);
	if (n == left || n > max || !obs_text_valid(s))
		return NULL;
	*pos += n + 1;
	return s;
}
