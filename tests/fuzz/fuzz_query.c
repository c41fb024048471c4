// SPDX-License-Identifier: MIT
/*
 * libFuzzer: what a scrape's query and its Accept-Encoding ask for. Lines "name[]=..."
 * or "collect[]=..." are arguments; the last line is the header, and the first a
 * family's name.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <obsring/name.h>

#include "obsringd/accept.h"
#include "obsringd/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A filter has what one of its wishes alone has. */
static void check(const struct filter *filter, const char *name)
{
	struct filter one;
	bool any = false;
	unsigned int i;

	for (i = 0; i < filter->nr && !any; i++) {
		one = (struct filter){ .want = &filter->want[i], .nr = 1 };
		any = filter_has(&one, OBSRING_KIND_COUNTER, name);
	}
	if (any != filter_has(filter, OBSRING_KIND_COUNTER, name))
		abort();
}

/* A coding that is not known changes nothing. */
static void check_gzip(const char *header)
{
	static const char before[] = "br;q=0.9;x=\"a,b\", ";
	char *whole = malloc(sizeof(before) + strlen(header));

	if (!whole)
		abort();
	strcpy(stpcpy(whole, before), header);
	if (accept_gzip(whole) != accept_gzip(header))
		abort();
	free(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *line, *next, *value, *save;
	const char *name, *last = "";
	struct filter filter;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	filter_init(&filter);
	name = strtok_r(text, "\n", &save);
	for (line = name ? strtok_r(NULL, "\n", &save) : NULL; line; line = next) {
		next = strtok_r(NULL, "\n", &save);
		value = strchr(line, '=');
		if (value)
			*value++ = '\0';
		filter_add(&filter, line, value);
		last = line;
	}
	check_gzip(last);
	if (name && strlen(name) <= OBSRING_NAME_MAX && obs_name_valid(name))
		check(&filter, name);
	filter_exit(&filter);
	free(text);
	return 0;
}
