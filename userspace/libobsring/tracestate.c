// SPDX-License-Identifier: MIT
/*
 * tracestate: W3C Trace Context, level 2: up to 32 members KEY=VALUE between
 * commas, over any number of headers; spaces and tabs around a member, and empty
 * members, mean nothing.
 *
 *      KEY     1 to 256 of a-z 0-9 _ - * / @, the first a letter or a digit
 *      VALUE   1 to 256 printable ASCII characters, no comma or equals sign; it
 *              does not end with a space, but may begin with one
 *
 * What is kept is at most OBS_TRACESTATE_MAX bytes. If there is more, members of
 * more than 128 bytes go first, then the last ones, as the specification says; a
 * member is never cut in two.
 *
 * OpenTelemetry's member, "ot", is FIELD;FIELD..., a field NAME:VALUE:
 *
 *      th      rejection threshold, 1 to 14 digits; zeros at the end may lack
 *      rv      explicit randomness, 14 digits
 */
#include "propagate.h"

#define MEMBERS_MAX	32
#define KEY_MAX		256
#define VALUE_MAX	256
#define LONG_MEMBER	128
#define PLAIN_MIN	64	/* what is shorter is quicker taken byte by byte */

#define OT		"ot="

/**
 * struct members - the members of all headers
 * @nr: how many, without the empty ones
 * @len: of them all, and a comma between any two
 * @member: key, equals sign and value of each
 */
struct members {
	unsigned int nr;
	size_t len;
	struct obs_bytes member[MEMBERS_MAX];
};

/* What a character may be part of. */
#define KEY_FIRST	1
#define KEY		2
#define VALUE		4

#define DIGIT	(KEY_FIRST | KEY | VALUE)
#define LETTER	DIGIT
#define SIGN	(KEY | VALUE)

/* A key begins with a letter or digit; equals sign and comma are of neither. */
static const uint8_t class[256] = {
	[' '] = VALUE, ['!' ... ')'] = VALUE, ['*'] = SIGN, ['+'] = VALUE,
	['-'] = SIGN, ['.'] = VALUE, ['/'] = SIGN, ['0' ... '9'] = DIGIT,
	[':' ... '<'] = VALUE, ['>' ... '?'] = VALUE, ['@'] = SIGN,
	['A' ... '^'] = VALUE, ['_'] = SIGN, ['`'] = VALUE, ['a' ... 'z'] = LETTER,
	['{' ... '~'] = VALUE,
};

static uint8_t class_of(const char *at)
{
	return class[(uint8_t)*at];
}

/* Behind all characters of a kind. */
static const char *run_of(const char *at, const char *end, uint8_t kind)
{
	while (at < end && class_of(at) & kind)
		at++;
	return at;
}

static const char *skip_blank(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	return at;
}

/* Behind the member at @at, whose length goes to *@ret_len; NULL: it is none. */
static const char *member_scan(const char *at, const char *end, size_t *ret_len)
{
	const char *key_end, *value_end, *behind;

	if (!(class_of(at) & KEY_FIRST))
		return NULL;
	key_end = run_of(at, end, KEY);
	if (key_end == end || *key_end != '=' || key_end - at > KEY_MAX)
		return NULL;
	behind = run_of(key_end + 1, end, VALUE);
	/* Spaces at its end are none of it. */
	value_end = behind;
	while (value_end[-1] == ' ')
		value_end--;
	if (value_end == key_end + 1 || value_end - key_end - 1 > VALUE_MAX)
		return NULL;
	*ret_len = (size_t)(value_end - at);
	return behind;
}

static bool members_add(struct members *members, struct obs_bytes value)
{
	const char *at = value.at, *end;
	size_t len;

	if (!value.len)
		return true;
	for (end = at + value.len;;) {
		at = skip_blank(at, end);
		if (at < end && *at != ',') {
			if (members->nr == MEMBERS_MAX)
				return false;
			members->member[members->nr].at = at;
			at = member_scan(at, end, &len);
			if (!at)
				return false;
			members->len += len + !!members->nr;
			members->member[members->nr++].len = len;
			at = skip_blank(at, end);
		}
		if (at == end)
			return true;
		if (*at++ != ',')
			return false;
	}
}

static void members_remove(struct members *members, unsigned int i)
{
	members->nr--;
	members->len -= members->member[i].len + !!members->nr;
	memmove(&members->member[i], &members->member[i + 1],
		(members->nr - i) * sizeof(members->member[0]));
}

/* Until they fit into @max bytes. */
static bool members_cut(struct members *members, size_t max)
{
	unsigned int i = members->nr;
	bool cut = members->len > max;

	while (members->len > max && i--)
		if (members->member[i].len > LONG_MEMBER)
			members_remove(members, i);
	while (members->len > max)
		members_remove(members, members->nr - 1);
	return cut;
}

/* Behind @at, in the order of the members. */
static char *members_write(const struct members *members, char *at, bool comma)
{
	unsigned int i;

	for (i = 0; i < members->nr; i++) {
		if (comma)
			*at++ = ',';
		comma = true;
		memcpy(at, members->member[i].at, members->member[i].len);
		at += members->member[i].len;
	}
	return at;
}

/* ---- ot ------------------------------------------------------------------ */

static bool digits_parse(struct obs_bytes text, uint64_t *ret)
{
	char padded[OBS_OT_DIGITS + 1] = "00000000000000";
	uint8_t bytes[OBS_OT_DIGITS / 2];
	uint64_t n = 0;
	size_t i;

	if (!text.len || text.len > OBS_OT_DIGITS)
		return false;
	memcpy(padded, text.at, text.len);
	if (!obs_hex_decode(padded, bytes, sizeof(bytes)))
		return false;
	for (i = 0; i < sizeof(bytes); i++)
		n = n << 8 | bytes[i];
	*ret = n;
	return true;
}

/* A field that is not well-formed is as good as none. */
static void ot_parse(struct obs_bytes value, struct obs_trace_context *ret)
{
	struct obs_bytes rest = value, field;

	while (obs_bytes_cut(&rest, ';', &field)) {
		if (field.len > 3 && !memcmp(field.at, "th:", 3))
			ret->has_th = digits_parse(obs_bytes_from(field, 3), &ret->th);
		else if (field.len == 3 + OBS_OT_DIGITS && !memcmp(field.at, "rv:", 3))
			ret->has_rv = digits_parse(obs_bytes_from(field, 3), &ret->rv);
	}
}

/* OpenTelemetry's member; NULL if there is none. Its value stands behind OT. */
static const struct obs_bytes *members_find_ot(const struct members *members)
{
	unsigned int i;

	for (i = 0; i < members->nr; i++)
		if (members->member[i].len > strlen(OT) &&
		    !memcmp(members->member[i].at, OT, strlen(OT)))
			return &members->member[i];
	return NULL;
}

/* Do they stand in one header, with nothing between them but commas? */
static bool members_whole(const struct members *members, unsigned int nr_headers)
{
	const struct obs_bytes *last;

	if (nr_headers != 1 || !members->nr)
		return false;
	last = &members->member[members->nr - 1];
	return (size_t)(last->at + last->len - members->member[0].at) == members->len;
}

/* A header of that length that is plain is taken as it is. */
static bool plain_parse(struct obs_bytes value, struct obs_trace_context *ret)
{
	struct obs_bytes ot;

	if (value.len < PLAIN_MIN || !obs_tracestate_plain(value, &ot))
		return false;
	memcpy(ret->tracestate, value.at, value.len);
	ret->tracestate[value.len] = '\0';
	if (ot.len)
		ot_parse(obs_bytes_from(ot, strlen(OT)), ret);
	return true;
}

bool obs_tracestate_parse(const struct obs_bytes *value, unsigned int nr,
			  struct obs_trace_context *ret, bool *ret_cut)
{
	const struct obs_bytes *ot;
	struct members members;
	unsigned int i;

	if (nr == 1 && plain_parse(value[0], ret)) {
		*ret_cut = false;
		return true;
	}
	members.nr = 0;
	members.len = 0;
	for (i = 0; i < nr; i++)
		if (!members_add(&members, value[i]))
			return false;
	*ret_cut = members_cut(&members, OBS_TRACESTATE_MAX);
	if (members_whole(&members, nr)) {
		memcpy(ret->tracestate, members.member[0].at, members.len);
		ret->tracestate[members.len] = '\0';
	} else {
		*members_write(&members, ret->tracestate, false) = '\0';
	}
	ot = members_find_ot(&members);
	if (ot)
		ot_parse(obs_bytes_from(*ot, strlen(OT)), ret);
	return true;
}

/* ---- Changing it --------------------------------------------------------- */

static char *digits_write(char *at, const char *name, uint64_t n, bool short_form)
{
	uint8_t bytes[OBS_OT_DIGITS / 2];
	size_t i = sizeof(bytes);
	char *begin;

	while (i) {
		bytes[--i] = (uint8_t)n;
		n >>= 8;
	}
	at = begin = stpcpy(at, name);
	at = obs_hex_encode(at, bytes, sizeof(bytes));
	while (short_form && at - begin > 1 && at[-1] == '0')
		at--;
	return at;
}

char *obs_ot_threshold_write(char *at, uint64_t th)
{
	return digits_write(at, "", th, true);
}

/* Fields that are not ours, as they were. */
static char *ot_keep(char *at, const char *end, struct obs_bytes value)
{
	struct obs_bytes rest = value, field;

	while (obs_bytes_cut(&rest, ';', &field)) {
		if (!field.len || (field.len >= 3 && (!memcmp(field.at, "th:", 3) ||
						      !memcmp(field.at, "rv:", 3))))
			continue;
		if ((size_t)(end - at) < field.len + 1)
			continue;
		*at++ = ';';
		memcpy(at, field.at, field.len);
		at += field.len;
	}
	return at;
}

/* The value of "ot", 0 to VALUE_MAX bytes. */
static size_t ot_write(char *text, const struct obs_trace_context *context,
		       const struct obs_bytes *old)
{
	char fields[2 * (OBS_OT_DIGITS + 4) + VALUE_MAX + 1], *at = fields;

	if (context->has_th) {
		*at++ = ';';
		at = digits_write(at, "th:", context->th, true);
	}
	if (context->has_rv) {
		*at++ = ';';
		at = digits_write(at, "rv:", context->rv, false);
	}
	if (old)
		at = ot_keep(at, fields + 1 + VALUE_MAX, obs_bytes_from(*old, strlen(OT)));
	/* No value ends with a space, though a field may. */
	while (at > fields + 1 && at[-1] == ' ')
		at--;
	if (at == fields)
		return 0;
	memcpy(text, fields + 1, (size_t)(at - fields - 1));
	return (size_t)(at - fields - 1);
}

void obs_trace_update(struct obs_trace_context *context)
{
	char text[OBS_TRACESTATE_MAX + 1], *at = text;
	struct members members = { .nr = 0 };
	const struct obs_bytes *old;
	size_t len;

	/* Of our own making: it is well-formed. */
	members_add(&members, obs_bytes(context->tracestate,
					strnlen(context->tracestate,
						OBS_TRACESTATE_MAX)));
	old = members_find_ot(&members);
	len = ot_write(text + strlen(OT), context, old);
	if (len) {
		memcpy(text, OT, strlen(OT));
		at += strlen(OT) + len;
	}
	/* The first one counts; a second would be the first of the next reader. */
	for (; old; old = members_find_ot(&members))
		members_remove(&members, (unsigned int)(old - members.member));
	if (members.nr == MEMBERS_MAX)
		members_remove(&members, members.nr - 1);
	members_cut(&members, OBS_TRACESTATE_MAX - (size_t)(at - text) - (at > text));
	*members_write(&members, at, at > text) = '\0';
	strcpy(context->tracestate, text);
}
