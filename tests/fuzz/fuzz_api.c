// SPDX-License-Identifier: MIT
/*
 * libFuzzer: what a request for JSON asks for. Lines "key=value" are its arguments. What
 * was taken is within its bounds, and taken in another order it is the same, if nothing
 * is said twice.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "obsringd/query.h"

#define ARGUMENTS_MAX 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct argument {
	const char *key, *value;
};

static void check(int ok)
{
	if (!ok)
		abort();
}

static unsigned int arguments_of(char *text, struct argument *argument)
{
	unsigned int nr = 0, i;
	char *line, *value, *save;

	for (line = strtok_r(text, "\n", &save); line && nr < ARGUMENTS_MAX;
	     line = strtok_r(NULL, "\n", &save)) {
		value = strchr(line, '=');
		if (value)
			*value++ = '\0';
		for (i = 0; i < nr && strcmp(argument[i].key, line); i++)
			;
		if (i == nr)
			argument[nr++] = (struct argument){ line, value };
	}
	return nr;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct query query = { .problem = NULL }, back = { .problem = NULL };
	struct argument argument[ARGUMENTS_MAX];
	char *text = malloc(size + 1);
	unsigned int nr, i;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	nr = arguments_of(text, argument);
	for (i = 0; i < nr; i++)
		query_add(&query, argument[i].key, argument[i].value);
	while (i--)
		query_add(&back, argument[i].key, argument[i].value);
	check(query.levels <= 0xff && !(query.levels & (query.levels + 1)));
	check(!query.problem == !back.problem);
	check(query.limit == back.limit && query.offset == back.offset &&
	      query.id == back.id && query.gen == back.gen && query.cursor == back.cursor &&
	      query.since_ns == back.since_ns && query.levels == back.levels &&
	      query.search == back.search && query.kind == back.kind &&
	      query.source == back.source);
	free(text);
	return 0;
}
