// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include <obsring/name.h>

#include "escape.h"

const char *const escaping_name[ESCAPE_NR] = {
	[ESCAPE_UNDERSCORES] = "underscores",
	[ESCAPE_DOTS] = "dots",
	[ESCAPE_VALUES] = "values",
	[ESCAPE_NONE] = "allow-utf-8",
};

bool escape_classic(const char *name, bool colon)
{
	const char *p;

	for (p = name; *p; p++)
		if (!obs_name_classic_char((unsigned char)*p, p == name, colon))
			return false;
	return p != name;
}

/* What stands for character @c, which is @len bytes at @p. */
static char *put_dots(char *out, const char *p, __u32 c, bool classic)
{
	if (c == '.')
		return stpcpy(out, "_dot_");
	if (c == '_' || !classic)
		return stpcpy(out, "__");
	*out++ = *p;
	return out;
}

static char *put_values(char *out, const char *p, __u32 c, bool classic)
{
	if (c == '_')
		return stpcpy(out, "__");
	if (!classic)
		return out + sprintf(out, "_%x_", c);
	*out++ = *p;
	return out;
}

static void escape_each(const char *name, bool colon, char *out,
			char *(*put)(char *out, const char *p, __u32 c, bool classic))
{
	const char *p = name;
	unsigned int len;
	__u32 c;

	for (; *p; p += len) {
		len = obs_utf8_decode(p, &c);
		if (!len)
			break;
		out = put(out, p, c, obs_name_classic_char(c, p == name, colon));
	}
	*out = '\0';
}

void escape_name(enum escaping escaping, const char *name, bool colon,
		 char escaped[ESCAPED_NAME_MAX + 1])
{
	switch (escaping) {
	case ESCAPE_DOTS:	/* classic names as well: they may hold a _ */
		escape_each(name, colon, escaped, put_dots);
		return;
	case ESCAPE_VALUES:
		if (escape_classic(name, colon))
			break;
		strcpy(escaped, "U__");
		escape_each(name, colon, escaped + 3, put_values);
		return;
	case ESCAPE_NONE:
		break;
	default:
		obs_name_escape(name, colon, escaped);
		return;
	}
	strcpy(escaped, name);
}
