/* SPDX-License-Identifier: MIT */
/*
 * Which series: a metric's name, and labels that they have.
 *
 *	name				all series of a metric
 *	name{label="value",...}		those with these labels
 *	{"name",label="value"}		names that need quotes; "label"= as well
 *
 * In quotes, \\ \" and \n are escapes. Without, a name is all up to "{".
 */
#ifndef OBSRINGCTL_SELECTOR_H
#define OBSRINGCTL_SELECTOR_H

#include <obsring.h>

struct selector_match {
	const char *label;
	const char *value;
};

/**
 * struct selector - a parsed selector
 * @name: of the metric
 * @nr: labels given
 * @match: they
 * @text: what the pointers point into
 */
struct selector {
	const char *name;
	unsigned int nr;
	struct selector_match match[OBSRING_LABELS_MAX];
	char *text;
};

/* -EINVAL: *ret_reason says what is wrong with it. -ENOMEM. */
int selector_parse(const char *text, struct selector *ret_selector,
		   const char **ret_reason);
void selector_free(struct selector *selector);

/* The value that is given for a label; NULL if none is. */
const char *selector_value(const struct selector *selector, const char *label);

/* The first label that the family lacks; NULL if it has all. */
const char *selector_unknown_label(const struct selector *selector,
				   const struct obs_family_info *family);

bool selector_matches(const struct selector *selector,
		      const struct obs_series_info *series);

/*
 * The values of all labels of a family, in its order. The first label that has
 * no value is returned; NULL if there is none.
 */
const char *selector_values(const struct selector *selector,
			    const struct obs_family_info *family,
			    const char **value);

#endif /* OBSRINGCTL_SELECTOR_H */
