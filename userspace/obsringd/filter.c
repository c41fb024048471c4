// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <obsring/name.h>

#include "filter.h"

void filter_init(struct filter *filter)
{
	*filter = (struct filter){ 0 };
}

void filter_exit(struct filter *filter)
{
	free(filter->want);
	filter_init(filter);
}

void filter_add(struct filter *filter, const char *key, const char *value)
{
	bool prefix = !strcmp(key, "collect[]");
	struct filter_want *want;
	unsigned int max;

	if (!value || (!prefix && strcmp(key, "name[]")))
		return;
	if (filter->nr == filter->max) {
		max = filter->max * 2 + 8;
		want = reallocarray(filter->want, max, sizeof(*want));
		if (!want) {
			filter->failed = true;
			return;
		}
		filter->want = want;
		filter->max = max;
	}
	filter->want[filter->nr++] = (struct filter_want){ value, prefix };
}

static const char *const suffix[OBSRING_KIND_MAX + 1][5] = {
	[OBSRING_KIND_COUNTER] = { "_total", "_created" },
	[OBSRING_KIND_HISTOGRAM] = { "_bucket", "_sum", "_count", "_created" },
	[OBSRING_KIND_INFO] = { "_info" },
	[OBSRING_KIND_STATE] = { "_version" },
};

/* Is @value the first @len bytes of @name, and one of its kind's suffixes or none? */
static bool is_sample(enum obsring_kind kind, const char *name, size_t len,
		      const char *value)
{
	unsigned int i;

	if (strncmp(value, name, len))
		return false;
	for (i = 0; i < 5 && suffix[kind][i]; i++)
		if (!strcmp(value + len, suffix[kind][i]))
			return true;
	return !value[len];
}

/* A counter's family may be named with _total or without it, and so with _info. */
static size_t base_len(enum obsring_kind kind, const char *name)
{
	const char *end = kind == OBSRING_KIND_COUNTER ? "_total" :
			  kind == OBSRING_KIND_INFO ? "_info" : "";
	size_t len = strlen(name), end_len = strlen(end);

	return len > end_len && !strcmp(name + len - end_len, end) ? len - end_len : len;
}

static bool begins(const char *name, const char *prefix)
{
	size_t len = strlen(prefix);

	return len && !strncmp(name, prefix, len) &&
	       !isalnum((unsigned char)name[len]);
}

static bool wants(const struct filter_want *want, enum obsring_kind kind,
		  const char *name)
{
	if (want->prefix)
		return begins(name, want->value);
	return is_sample(kind, name, strlen(name), want->value) ||
	       is_sample(kind, name, base_len(kind, name), want->value);
}

bool filter_has(const struct filter *filter, enum obsring_kind kind, const char *name)
{
	char escaped[OBSRING_NAME_MAX + 1];
	unsigned int i;

	obs_name_escape(name, true, escaped);
	for (i = 0; i < filter->nr; i++)
		if (wants(&filter->want[i], kind, name) ||
		    wants(&filter->want[i], kind, escaped))
			return true;
	return false;
}
