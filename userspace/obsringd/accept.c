// SPDX-License-Identifier: MIT
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "accept.h"

/* Bytes of a header's value; not ended by a NUL. */
struct span {
	const char *start;
	size_t len;
};

struct media_range {
	struct span type;
	struct span subtype;
	struct span version;	/* start is NULL if there is none, as below */
	struct span proto;
	struct span encoding;
	enum escaping escaping;
	int quality;
};

#define PROTO "io.prometheus.client.MetricFamily"

/* One that is @named is given only to who asks for just that, version and all. */
static const struct {
	const char *type, *subtype, *version;
	bool named;
} offered[SYNTAX_NR] = {
	[SYNTAX_TEXT] = { "text", "plain", "0.0.4", false },
	[SYNTAX_TEXT_1] = { "text", "plain", "1.0.0", true },
	[SYNTAX_OPENMETRICS] = { "application", "openmetrics-text", "1.0.0", false },
	[SYNTAX_PROTOBUF] = { "application", "vnd.google.protobuf", NULL, true },
};

static bool span_is(struct span span, const char *string)
{
	return span.len == strlen(string) &&
	       !strncasecmp(span.start, string, span.len);
}

static const char *skip_blanks(const char *p)
{
	return p + strspn(p, " \t");
}

static bool is_token(unsigned char c)
{
	static const bool token[256] = {
		['!'] = true, ['#'] = true, ['$'] = true, ['%'] = true, ['&'] = true,
		['\''] = true, ['*'] = true, ['+'] = true, ['-'] = true, ['.'] = true,
		['^'] = true, ['_'] = true, ['`'] = true, ['|'] = true, ['~'] = true,
		['0' ... '9'] = true, ['a' ... 'z'] = true, ['A' ... 'Z'] = true,
	};

	return token[c];
}

/* RFC 9110, 5.6.2; empty if there is none at @p. strspn() makes a table each time. */
static struct span parse_token(const char **p)
{
	struct span token = { .start = *p };

	while (is_token(token.start[token.len]))
		token.len++;
	*p += token.len;
	return token;
}

/* Past the closing quote, or at the end if there is none. */
static const char *skip_quoted(const char *p)
{
	for (p++; *p && *p != '"'; p++)
		if (*p == '\\' && p[1])
			p++;
	return *p ? p + 1 : p;
}

static bool parse_value(const char **p, struct span *value)
{
	const char *start = *p;

	if (*start != '"') {
		*value = parse_token(p);
		return value->len;
	}
	*p = skip_quoted(start);
	if (*p - start < 2 || (*p)[-1] != '"')
		return false;
	*value = (struct span){ .start = start + 1, .len = *p - start - 2 };
	return true;
}

/* A weight as thousandths; -1 if it is none. */
static int parse_quality(struct span value)
{
	int quality, place = 100;
	size_t i;

	if (!value.len || (value.start[0] != '0' && value.start[0] != '1'))
		return -1;
	quality = (value.start[0] - '0') * 1000;
	if (value.len > 1 && value.start[1] != '.')
		return -1;
	for (i = 2; i < value.len; i++) {
		if (value.start[i] < '0' || value.start[i] > '9')
			return -1;
		quality += (value.start[i] - '0') * place;
		place /= 10;
	}
	return quality <= 1000 ? quality : -1;
}

/* A scheme that we do not know is as good as none. */
static enum escaping parse_escaping(struct span value)
{
	int id;

	for (id = 0; id < ESCAPE_NR; id++)
		if (span_is(value, escaping_name[id]))
			return id;
	return ESCAPE_UNDERSCORES;
}

static bool take_parameter(struct media_range *range, struct span name,
			   struct span value)
{
	if (span_is(name, "q")) {
		range->quality = parse_quality(value);
		return range->quality >= 0;
	}
	if (span_is(name, "version"))
		range->version = value;
	if (span_is(name, "proto"))
		range->proto = value;
	if (span_is(name, "encoding"))
		range->encoding = value;
	if (span_is(name, "escaping"))
		range->escaping = parse_escaping(value);
	return true;
}

/* *( OWS ";" OWS [ name "=" value ] ) */
static bool parse_parameters(const char **p, struct media_range *range)
{
	struct span name, value;

	for (*p = skip_blanks(*p); **p == ';'; *p = skip_blanks(*p)) {
		*p = skip_blanks(*p + 1);
		name = parse_token(p);
		if (!name.len)
			continue;
		if (**p != '=')
			return false;
		(*p)++;
		if (!parse_value(p, &value) || !take_parameter(range, name, value))
			return false;
	}
	return true;
}

static bool parse_range(const char **p, struct media_range *range)
{
	*range = (struct media_range){ .quality = 1000 };
	range->type = parse_token(p);
	if (!range->type.len || **p != '/')
		return false;
	(*p)++;
	range->subtype = parse_token(p);
	return range->subtype.len && parse_parameters(p, range) &&
	       (!**p || **p == ',');
}

/* To the next element of the list, whatever this one held. */
static const char *skip_element(const char *p)
{
	while (*p && *p != ',')
		p = *p == '"' ? skip_quoted(p) : p + 1;
	return *p ? p + 1 : p;
}

static bool parameter_is(struct span value, const char *string)
{
	return value.start && span_is(value, string);
}

static bool range_names(const struct media_range *range, enum syntax id)
{
	if (id == SYNTAX_PROTOBUF)
		return parameter_is(range->proto, PROTO) &&
		       parameter_is(range->encoding, "delimited");
	return parameter_is(range->version, offered[id].version);
}

/* How closely @range names a syntax, from 1; 0 if it does not. */
static int range_specificity(const struct media_range *range, enum syntax id)
{
	if (offered[id].named && !range_names(range, id))
		return 0;
	if (span_is(range->type, "*"))
		return span_is(range->subtype, "*") ? 1 : 0;
	if (!span_is(range->type, offered[id].type))
		return 0;
	if (span_is(range->subtype, "*"))
		return 2;
	if (!span_is(range->subtype, offered[id].subtype))
		return 0;
	if (range_names(range, id))
		return 4;
	return range->version.start ? 0 : 3;
}

static void take_range(struct accept *accept, const struct media_range *range)
{
	struct accept_offer *offer;
	int id, specificity;

	for (id = 0; id < SYNTAX_NR; id++) {
		offer = &accept->offer[id];
		specificity = range_specificity(range, id);
		if (specificity <= offer->specificity)
			continue;
		offer->specificity = specificity;
		offer->quality = range->quality;
		offer->position = accept->position;
		offer->escaping = range->escaping;
	}
	accept->position++;
}

void accept_init(struct accept *accept)
{
	int id;

	*accept = (struct accept){ 0 };
	for (id = 0; id < SYNTAX_NR; id++)
		accept->offer[id].quality = -1;
}

void accept_parse(struct accept *accept, const char *value)
{
	struct media_range range;

	for (value = skip_blanks(value); *value; value = skip_blanks(value)) {
		if (parse_range(&value, &range))
			take_range(accept, &range);
		value = skip_element(value);
	}
}

static bool better(const struct accept_offer *a, const struct accept_offer *b)
{
	if (a->quality != b->quality)
		return a->quality > b->quality;
	if (a->specificity != b->specificity)
		return a->specificity > b->specificity;
	return a->position < b->position;
}

enum format_id accept_choose(const struct accept *accept)
{
	enum syntax best = SYNTAX_TEXT;
	int id;

	for (id = 0; id < SYNTAX_NR; id++)
		if (accept->offer[id].quality > 0 &&
		    better(&accept->offer[id], &accept->offer[best]))
			best = id;
	if (best == SYNTAX_TEXT && accept->offer[best].escaping == ESCAPE_NONE)
		return FORMAT_TEXT;
	return best * ESCAPE_NR + accept->offer[best].escaping;
}

/* A coding and its weight; -1: malformed. */
static int parse_coding(const char **p, struct span *coding)
{
	struct media_range weight = { .quality = 1000 };

	*coding = parse_token(p);
	if (!coding->len || !parse_parameters(p, &weight) || (**p && **p != ','))
		return -1;
	return weight.quality;
}

/*
 * Who rules out everything, plain text included, gets plain text: RFC 9110 (12.4.1)
 * leaves that to the server, and others do so as well.
 */
bool accept_gzip(const char *value)
{
	int quality, gzip = -1, identity = 0, any = 0;
	struct span coding;

	for (value = skip_blanks(value); *value; value = skip_blanks(value)) {
		quality = parse_coding(&value, &coding);
		if (quality >= 0 && (span_is(coding, "gzip") || span_is(coding, "x-gzip")))
			gzip = quality;
		if (quality >= 0 && span_is(coding, "identity"))
			identity = quality;
		if (quality >= 0 && span_is(coding, "*"))
			any = quality;
		value = skip_element(value);
	}
	if (gzip < 0)
		gzip = any;
	return gzip > 0 && gzip >= identity;
}
