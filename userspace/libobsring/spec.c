// SPDX-License-Identifier: MIT
/* What a process may make: the rules of the module, for families of services. */
#include <errno.h>
#include <string.h>

#include <obsring/histogram.h>
#include <obsring/name.h>

#include "service.h"

#define LABELS_MAX	(OBSRING_LABELS_MAX - 2)

static bool fits(const char *s, size_t max)
{
	return s && strnlen(s, max + 1) <= max;
}

static bool name_ok(const char *s)
{
	return fits(s, OBSRING_NAME_MAX) && obs_name_valid(s);
}

static bool is_ours(const struct obs_family_spec *spec)
{
	return spec->label && spec->label[0] &&
	       obs_name_is_trace_context(spec->name, spec->kind, spec->nr_labels,
					 spec->label);
}

static bool names_ok(const struct obs_family_spec *spec)
{
	char escaped[OBSRING_NAME_MAX + 1];

	if (!name_ok(spec->name))
		return false;
	obs_name_escape(spec->name, true, escaped);
	if (obs_name_reserved(escaped) && !is_ours(spec))
		return false;
	if (spec->help && (!fits(spec->help, OBSRING_HELP_MAX) ||
			   !obs_text_valid(spec->help)))
		return false;
	return !spec->unit || !*spec->unit ||
	       (fits(spec->unit, OBSRING_UNIT_MAX) && obs_name_valid(spec->unit));
}

/* Are two names the same to Prometheus? */
static bool same(const char *a, const char *b, bool colon)
{
	char escaped[2][OBSRING_NAME_MAX + 1];

	obs_name_escape(a, colon, escaped[0]);
	obs_name_escape(b, colon, escaped[1]);
	return !strcmp(escaped[0], escaped[1]);
}

/* Legal, and none that Prometheus, the service, or the kind of metric adds. */
static bool label_ok(const struct obs_family_spec *spec, unsigned int index)
{
	const char *label = spec->label[index];
	char escaped[OBSRING_NAME_MAX + 1];
	unsigned int i;

	if (!name_ok(label))
		return false;
	obs_name_escape(label, false, escaped);
	if (!strncmp(escaped, "__", 2) || !strcmp(escaped, "service") ||
	    !strcmp(escaped, "uid"))
		return false;
	if (spec->kind == OBSRING_KIND_HISTOGRAM && !strcmp(escaped, "le"))
		return false;
	if (spec->kind == OBSRING_KIND_STATE && same(label, spec->name, false))
		return false;
	for (i = 0; i < index; i++)
		if (same(label, spec->label[i], false))
			return false;
	return true;
}

static bool labels_ok(const struct obs_family_spec *spec, const char *const *value)
{
	unsigned int i;

	if (spec->nr_labels > LABELS_MAX ||
	    (spec->nr_labels && (!spec->label || !value)))
		return false;
	for (i = 0; i < spec->nr_labels; i++)
		if (!label_ok(spec, i) || !fits(value[i], OBSRING_VALUE_MAX) ||
		    !obs_text_valid(value[i]))
			return false;
	return true;
}

static bool bounds_ok(const struct obs_family_spec *spec)
{
	unsigned int i;

	if (spec->kind != OBSRING_KIND_HISTOGRAM)
		return !spec->nr_bounds;
	if (!spec->nr_bounds)
		return spec->schema >= 0 && spec->schema <= OBSRING_SCHEMA_MAX &&
		       spec->min_log2 >= OBSRING_LOG2_MIN &&
		       spec->max_log2 <= OBSRING_LOG2_MAX &&
		       spec->min_log2 < spec->max_log2 &&
		       obs_spec_nr_slots(spec) <= OBSRING_SLOTS_MAX;
	if (spec->nr_bounds > OBSRING_BOUNDS_MAX || !spec->bound)
		return false;
	for (i = 1; i < spec->nr_bounds; i++)
		if (spec->bound[i] <= spec->bound[i - 1])
			return false;
	return spec->bound[i - 1] != UINT64_MAX;
}

static bool states_ok(const struct obs_family_spec *spec)
{
	unsigned int i, k;

	if (spec->kind != OBSRING_KIND_STATE)
		return !spec->nr_states;
	if (!spec->nr_states || spec->nr_states > OBSRING_STATES_MAX || !spec->state)
		return false;
	for (i = 0; i < spec->nr_states; i++) {
		if (!name_ok(spec->state[i]) ||
		    !fits(spec->state[i], OBSRING_STATE_NAME_MAX))
			return false;
		for (k = 0; k < i; k++)
			if (!strcmp(spec->state[i], spec->state[k]))
				return false;
	}
	return true;
}

int obs_spec_check(const struct obs_family_spec *spec, const char *const *value)
{
	bool ok = (spec->kind == OBSRING_KIND_COUNTER || spec->kind == OBSRING_KIND_GAUGE ||
		   spec->kind == OBSRING_KIND_HISTOGRAM ||
		   spec->kind == OBSRING_KIND_STATE) &&
		  (!spec->set || spec->kind == OBSRING_KIND_GAUGE) &&
		  spec->exp10 >= OBSRING_EXP10_MIN && spec->exp10 <= 0 &&
		  names_ok(spec) && labels_ok(spec, value) && bounds_ok(spec) &&
		  states_ok(spec);

	return ok ? 0 : -EINVAL;
}

uint32_t obs_spec_nr_bounds(const struct obs_family_spec *spec)
{
	if (spec->kind != OBSRING_KIND_HISTOGRAM)
		return 0;
	if (spec->nr_bounds)
		return spec->nr_bounds;
	return obs_histogram_exp_nr_bounds(spec->schema, spec->min_log2, spec->max_log2);
}

uint32_t obs_spec_nr_slots(const struct obs_family_spec *spec)
{
	/* The sum, and a bucket more than there are bounds. */
	return spec->kind == OBSRING_KIND_HISTOGRAM ? obs_spec_nr_bounds(spec) + 2 : 1;
}
