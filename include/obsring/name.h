/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Names: which are legal, and what Prometheus makes of them where the format
 * allows ASCII letters, digits, underscores (and, in metric names, colons)
 * alone: the "underscores" escaping scheme puts one underscore in the place of
 * each other character. Two names that become the same are one name to
 * Prometheus.
 */
#ifndef _OBSRING_NAME_H
#define _OBSRING_NAME_H

#ifdef __KERNEL__
#include <linux/string.h>
#else
#include <string.h>
#endif

#include <linux/obsring.h>
#include "platform.h"

/**
 * obs_utf8_decode() - decode one character (RFC 3629)
 * @s: bytes; not read beyond the character or a NUL
 * @ret_char: receives the code point
 *
 * Return: its length, 1 to 4, or 0 if @s is empty or no valid UTF-8 (overlong
 * forms, surrogates and what lies above U+10FFFF are not).
 */
static inline unsigned int obs_utf8_decode(const char *s, __u32 *ret_char)
{
	static const __u32 lowest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)s;
	unsigned int len, i;
	__u32 c;

	if (!p[0])
		return 0;
	if (p[0] < 0x80) {
		*ret_char = p[0];
		return 1;
	}
	len = p[0] < 0xc0 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 :
	      p[0] < 0xf8 ? 4 : 0;
	if (!len)
		return 0;
	c = p[0] & (0x7f >> len);
	for (i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < lowest[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret_char = c;
	return len;
}

/* Is all of @s valid UTF-8? Any characters: help texts, label values. */
static inline bool obs_text_valid(const char *s)
{
	unsigned int len;
	__u32 c;

	for (; *s; s += len) {
		len = obs_utf8_decode(s, &c);
		if (!len)
			return false;
	}
	return true;
}

/* Is @s a name: not empty, printable UTF-8 (no control characters)? */
static inline bool obs_name_valid(const char *s)
{
	const char *p;
	unsigned int len;
	__u32 c;

	for (p = s; *p; p += len) {
		len = obs_utf8_decode(p, &c);
		if (!len || c < 0x20 || (c >= 0x7f && c < 0xa0) ||
		    c == 0x2028 || c == 0x2029)
			return false;
	}
	return p != s;
}

/* May character @c stand at this place of a classic name? */
static inline bool obs_name_classic_char(__u32 c, bool first, bool colon)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       (c >= '0' && c <= '9' && !first) || (c == ':' && colon);
}

/**
 * obs_name_escape() - the underscores scheme of Prometheus' name escaping
 * @name: a valid name
 * @colon: true for metric names, where a colon is legal; false for label names
 * @escaped: receives the escaped name, never longer than @name
 */
static inline void obs_name_escape(const char *name, bool colon, char *escaped)
{
	const char *p = name;
	unsigned int len;
	__u32 c;

	while (*p) {
		len = obs_utf8_decode(p, &c);
		if (!len)
			break;
		*escaped++ = obs_name_classic_char(c, p == name, colon) ? c : '_';
		p += len;
	}
	*escaped = '\0';
}

/* Is @name one that only obsring itself may use? */
static inline bool obs_name_reserved(const char *name)
{
	static const char *const prefix[] = { "obsring_", "process_" };
	unsigned int i, n;

	for (i = 0; i < 2; i++) {
		for (n = 0; prefix[i][n] && name[n] == prefix[i][n]; n++)
			;
		if (!prefix[i][n])
			return true;
	}
	return false;
}

/*
 * Is it a reserved name that processes may have all the same, in this form alone? It is
 * libobsring's, for what became of the headers of requests: obs_trace_publish().
 */
#define OBS_NAME_TRACE_CONTEXT	"obsring_trace_context_total"
#define OBS_LABEL_TRACE_CONTEXT	"result"

static inline bool obs_name_is_trace_context(const char *name, enum obsring_kind kind,
					     unsigned int nr_labels,
					     const char *const *label)
{
	return kind == OBSRING_KIND_COUNTER && nr_labels == 1 &&
	       !strcmp(name, OBS_NAME_TRACE_CONTEXT) &&
	       !strcmp(label[0], OBS_LABEL_TRACE_CONTEXT);
}

#endif /* _OBSRING_NAME_H */
