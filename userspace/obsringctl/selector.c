// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "selector.h"

/**
 * struct cursor - where the parser stands
 * @in: what is left to read
 * @out: where the next string goes; never further than what was read
 * @reason: what is wrong
 */
struct cursor {
	const char *in;
	char *out;
	const char *reason;
};

static int bad(struct cursor *c, const char *reason)
{
	c->reason = reason;
	return -EINVAL;
}

static void skip_blanks(struct cursor *c)
{
	c->in += strspn(c->in, " \t\n");
}

static bool take(struct cursor *c, char byte)
{
	skip_blanks(c);
	if (*c->in != byte)
		return false;
	c->in++;
	return true;
}

/* One character of a quoted string, unescaped. */
static int quoted_byte(struct cursor *c, char *ret_byte)
{
	if (*c->in != '\\') {
		*ret_byte = *c->in++;
		return 0;
	}
	switch (c->in[1]) {
	case '\\':
	case '"':
		*ret_byte = c->in[1];
		break;
	case 'n':
		*ret_byte = '\n';
		break;
	default:
		return bad(c, "an escape other than \\\\, \\\" and \\n");
	}
	c->in += 2;
	return 0;
}

static int quoted(struct cursor *c, const char **ret_string)
{
	const char *string = c->out;
	int r;

	if (!take(c, '"'))
		return bad(c, "a quoted string is missing");
	while (*c->in != '"') {
		if (!*c->in)
			return bad(c, "a quote is not closed");
		r = quoted_byte(c, c->out);
		if (r)
			return r;
		c->out++;
	}
	c->in++;
	*c->out++ = 0;
	*ret_string = string;
	return 0;
}

/* A label without quotes, up to what can't belong to it. */
static int bare_label(struct cursor *c, const char **ret_label)
{
	size_t n;

	skip_blanks(c);
	n = strcspn(c->in, "=,{}\" \t\n!~");
	if (!n)
		return bad(c, "a label is missing");
	memcpy(c->out, c->in, n);
	c->out[n] = 0;
	*ret_label = c->out;
	c->out += n + 1;
	c->in += n;
	return 0;
}

static int match_add(struct cursor *c, struct selector *selector, const char *label)
{
	unsigned int i;

	for (i = 0; i < selector->nr; i++)
		if (!strcmp(selector->match[i].label, label))
			return bad(c, "a label is given twice");
	if (selector->nr == OBSRING_LABELS_MAX)
		return bad(c, "more than 8 labels");
	selector->match[selector->nr].label = label;
	return quoted(c, &selector->match[selector->nr++].value);
}

/* label="value", or the quoted name of the metric. */
static int element(struct cursor *c, struct selector *selector)
{
	const char *label;
	bool in_quotes;
	int r;

	skip_blanks(c);
	in_quotes = *c->in == '"';
	r = in_quotes ? quoted(c, &label) : bare_label(c, &label);
	if (r)
		return r;
	if (take(c, '='))
		return match_add(c, selector, label);
	if (!in_quotes || selector->name)
		return bad(c, "\"=\" is missing behind a label");
	selector->name = label;
	return 0;
}

static int braces(struct cursor *c, struct selector *selector)
{
	int r;

	if (!take(c, '{'))
		return 0;
	while (!take(c, '}')) {
		r = element(c, selector);
		if (r)
			return r;
		if (take(c, ','))
			continue;
		if (!take(c, '}'))
			return bad(c, "\"}\" is missing");
		break;
	}
	skip_blanks(c);
	return *c->in ? bad(c, "something follows \"}\"") : 0;
}

static int parse(struct cursor *c, struct selector *selector)
{
	size_t n = strcspn(c->in, "{");
	int r;

	if (n) {
		memcpy(c->out, c->in, n);
		c->out[n] = 0;
		selector->name = c->out;
		c->out += n + 1;
		c->in += n;
	}
	r = braces(c, selector);
	if (!r && (!selector->name || !*selector->name))
		return bad(c, "the metric's name is missing");
	return r;
}

int selector_parse(const char *text, struct selector *ret_selector,
		   const char **ret_reason)
{
	struct selector selector = { .nr = 0 };
	struct cursor c = { .in = text };
	int r;

	/* Each string is at most as long as what it was read from, with its NUL. */
	selector.text = malloc(2 * strlen(text) + 2);
	if (!selector.text)
		return -ENOMEM;
	c.out = selector.text;
	r = parse(&c, &selector);
	if (r) {
		free(selector.text);
		*ret_reason = c.reason;
		return r;
	}
	*ret_selector = selector;
	return 0;
}

void selector_free(struct selector *selector)
{
	free(selector->text);
	selector->text = NULL;
}

const char *selector_value(const struct selector *selector, const char *label)
{
	unsigned int i;

	for (i = 0; i < selector->nr; i++)
		if (!strcmp(selector->match[i].label, label))
			return selector->match[i].value;
	return NULL;
}

static bool family_has_label(const struct obs_family_info *family, const char *label)
{
	unsigned int i;

	for (i = 0; i < family->nr_labels; i++)
		if (!strcmp(family->label[i], label))
			return true;
	return false;
}

const char *selector_unknown_label(const struct selector *selector,
				   const struct obs_family_info *family)
{
	unsigned int i;

	for (i = 0; i < selector->nr; i++)
		if (!family_has_label(family, selector->match[i].label))
			return selector->match[i].label;
	return NULL;
}

bool selector_matches(const struct selector *selector,
		      const struct obs_series_info *series)
{
	const struct obs_family_info *family = series->family;
	const char *value;
	unsigned int i;

	for (i = 0; i < family->nr_labels; i++) {
		value = selector_value(selector, family->label[i]);
		if (value && strcmp(value, series->value[i]))
			return false;
	}
	return true;
}

const char *selector_values(const struct selector *selector,
			    const struct obs_family_info *family,
			    const char **value)
{
	unsigned int i;

	for (i = 0; i < family->nr_labels; i++) {
		value[i] = selector_value(selector, family->label[i]);
		if (!value[i])
			return family->label[i];
	}
	return NULL;
}
