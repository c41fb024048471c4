// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "decimal.h"
#include "family.h"

/* A number option, or @unset. */
static int number_get(const struct ctl_command *command, const char *name,
		      const char *text, long min, long max, long unset, int *ret_number)
{
	long number = unset;

	if (text && !ctl_number_parse(text, min, max, &number))
		return ctl_misused(command, "--%s %s is not from %ld to %ld", name, text,
				   min, max);
	*ret_number = (int)number;
	return CTL_OK;
}

/* "0.1,0.5,1" in the Prometheus unit. */
static int bounds_parse(const struct ctl_command *command, const char *text,
			uint64_t *bound, struct obs_family_spec *spec)
{
	char number[DECIMAL_SIZE];
	size_t n;

	for (spec->bound = bound; *text; text += n + (text[n] == ',')) {
		n = strcspn(text, ",");
		if (spec->nr_bounds == OBSRING_BOUNDS_MAX)
			return ctl_misused(command, "more than %d bounds",
					   OBSRING_BOUNDS_MAX);
		if (n >= sizeof(number))
			return ctl_misused(command, "a bound has too many digits");
		memcpy(number, text, n);
		number[n] = 0;
		if (*number == '-' ||
		    decimal_parse(number, spec->exp10, &bound[spec->nr_bounds]))
			return ctl_misused(command, "bound \"%s\" is no multiple of 10^%d",
					   number, spec->exp10);
		spec->nr_bounds++;
	}
	if (!spec->nr_bounds)
		return ctl_misused(command, "no bound is given");
	return CTL_OK;
}

static int exponential_parse(const struct ctl_command *command,
			     const struct family_options *options,
			     struct obs_family_spec *spec)
{
	int r;

	if (!options->min_log2 || !options->max_log2)
		return ctl_misused(command,
				   "a histogram needs its bounds, or --min-log2 and --max-log2");
	r = number_get(command, "schema", options->schema, 0, OBSRING_SCHEMA_MAX,
		       OBSRING_SCHEMA_MAX, &spec->schema);
	if (!r)
		r = number_get(command, "min-log2", options->min_log2,
			       OBSRING_LOG2_MIN, OBSRING_LOG2_MAX, 0, &spec->min_log2);
	if (!r)
		r = number_get(command, "max-log2", options->max_log2,
			       OBSRING_LOG2_MIN, OBSRING_LOG2_MAX, 0, &spec->max_log2);
	return r;
}

/* Bounds are a histogram's, and of one sort. */
static int bounds_get(const struct ctl_command *command,
		      const struct family_options *options, uint64_t *bound,
		      struct obs_family_spec *spec)
{
	bool exponential = options->schema || options->min_log2 || options->max_log2;

	if (spec->kind != OBSRING_KIND_HISTOGRAM)
		return options->bounds || exponential ?
		       ctl_misused(command, "only a histogram has bounds") : CTL_OK;
	if (!options->bounds)
		return exponential_parse(command, options, spec);
	if (exponential)
		return ctl_misused(command, "bounds are given one by one, or by --schema, "
				   "--min-log2 and --max-log2, not by both");
	return bounds_parse(command, options->bounds, bound, spec);
}

int family_from_options(const struct ctl_command *command, const char *name,
			const struct family_options *options, uint64_t *bound,
			struct obs_family_spec *ret_spec)
{
	struct obs_family_spec spec = {
		.name = name,
		.help = options->help,
		.unit = options->unit,
		.set = options->set,
		.nr_labels = options->label.nr,
		.label = options->label.value,
	};
	int r;

	if (!options->kind)
		return ctl_misused(command, "--kind is missing");
	spec.kind = ctl_kind_parse(options->kind);
	if (!spec.kind)
		return ctl_misused(command, "unknown kind \"%s\"", options->kind);
	if (spec.kind == OBSRING_KIND_STATE)
		return ctl_misused(command, "state sets are made by processes");
	if (spec.nr_labels > OBSRING_LABELS_MAX)
		return ctl_misused(command, "more than %d labels", OBSRING_LABELS_MAX);
	r = number_get(command, "exp10", options->exp10, OBSRING_EXP10_MIN, 0, 0,
		       &spec.exp10);
	if (!r)
		r = bounds_get(command, options, bound, &spec);
	if (!r)
		*ret_spec = spec;
	return r;
}

int ctl_family_add(const struct ctl_command *command, struct ctl_globals *globals,
		   int argc, char **argv)
{
	struct family_options given = { .kind = NULL };
	const struct ctl_option options[] = {
		{ "kind", NULL, &given.kind, NULL },
		{ "help-text", NULL, &given.help, NULL },
		{ "unit", NULL, &given.unit, NULL },
		{ "label", NULL, NULL, &given.label },
		{ "set", &given.set, NULL, NULL },
		{ "exp10", NULL, &given.exp10, NULL },
		{ "bounds", NULL, &given.bounds, NULL },
		{ "schema", NULL, &given.schema, NULL },
		{ "min-log2", NULL, &given.min_log2, NULL },
		{ "max-log2", NULL, &given.max_log2, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	uint64_t bound[OBSRING_BOUNDS_MAX];
	struct obs_control *control;
	struct obs_family_spec spec;
	int r;

	r = ctl_words_parse(command, globals, options, argc, argv, 1,
			    "one name is expected");
	if (r || globals->help)
		return r;
	r = family_from_options(command, argv[0], &given, bound, &spec);
	if (r)
		return r;
	r = ctl_control_open(&control);
	if (r)
		return r;
	r = obs_family_add(control, &spec);
	return ctl_control_end(control, r, "cannot add metric \"%s\"", spec.name);
}

int ctl_family_delete(const struct ctl_command *command, struct ctl_globals *globals,
		      int argc, char **argv)
{
	struct obs_control *control;
	int r;

	r = ctl_words_parse(command, globals, NULL, argc, argv, 1,
			    "one metric is expected");
	if (r || globals->help)
		return r;
	r = ctl_control_open(&control);
	if (r)
		return r;
	r = obs_family_delete(control, argv[0]);
	return ctl_control_end(control, r, "cannot delete metric \"%s\"", argv[0]);
}
