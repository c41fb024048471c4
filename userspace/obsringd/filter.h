/* SPDX-License-Identifier: MIT */
/*
 * What of all families a scrape asks for: ?name[]=FAMILY and ?collect[]=PREFIX.
 */
#ifndef OBSRINGD_FILTER_H
#define OBSRINGD_FILTER_H

#include <stdbool.h>

#include <obsring.h>

struct filter {
	struct filter_want {
		const char *value;
		bool prefix;
	} *want;
	unsigned int nr, max;
	bool failed;
};

void filter_init(struct filter *filter);
void filter_exit(struct filter *filter);

/*
 * Take in an argument of the query; others than these two are passed over. @value is
 * kept by reference. Once out of memory: filter_failed().
 */
void filter_add(struct filter *filter, const char *key, const char *value);

static inline bool filter_failed(const struct filter *filter)
{
	return filter->failed;
}

/* Does it ask for all? */
static inline bool filter_empty(const struct filter *filter)
{
	return !filter->nr;
}

/*
 * Is a family called @name asked for: by a name that it or one of its samples has, in
 * any format, or by the beginning of its name, up to a character that is neither letter
 * nor digit?
 */
bool filter_has(const struct filter *filter, enum obsring_kind kind, const char *name);

#endif /* OBSRINGD_FILTER_H */
