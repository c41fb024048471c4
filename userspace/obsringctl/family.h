/* SPDX-License-Identifier: MIT */
#ifndef OBSRINGCTL_FAMILY_H
#define OBSRINGCTL_FAMILY_H

#include "options.h"

/* What was given behind --; NULL: nothing. */
struct family_options {
	const char *kind, *help, *unit, *exp10, *bounds, *schema, *min_log2, *max_log2;
	struct ctl_values label;
	bool set;
};

/*
 * Name and options to a description; explicit bounds go to @bound, which has
 * room for OBSRING_BOUNDS_MAX. CTL_USAGE after a message.
 */
int family_from_options(const struct ctl_command *command, const char *name,
			const struct family_options *options, uint64_t *bound,
			struct obs_family_spec *ret_spec);

#endif /* OBSRINGCTL_FAMILY_H */
