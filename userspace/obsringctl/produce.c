// SPDX-License-Identifier: MIT
/*
 * A family's scale, unit, bounds and order of labels are fixed by who made it first.
 * They are guessed from the command line; if that family is another one, or the
 * number is not told in the scale guessed, the family itself is looked at. So the
 * call that is made again and again reads nothing of what others count.
 */
#include <errno.h>
#include <string.h>

#include "decimal.h"
#include "produce.h"
#include "scale.h"

/* What prometheus_client has, in seconds. */
#define BOUNDS_DEFAULT	"0.005,0.01,0.025,0.05,0.1,0.25,0.5,1,2.5,5,10"

/* Labels of every family of processes; they come first. */
#define OWN_LABELS	2

static const char *const own_label[OWN_LABELS] = { "service", "uid" };

static const struct {
	int error;
	const char *reason;
} reasons[] = {
	{ EEXIST, "a metric of that name is another one, or differs from it only in "
		  "what Prometheus can't tell apart" },
	{ EINVAL, "the name, a label or the unit is malformed or reserved" },
	{ ENOSPC, "no room: a limit is reached" },
	{ ESTALE, "the service was removed meanwhile" },
	{ EOPNOTSUPP, "this module or program can't count for processes" },
	{ EPERM, "permission denied: the device is not open for writing" },
};

const char *produce_reason(int error)
{
	size_t i;

	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].error == -error)
			return reasons[i].reason;
	return ctl_open_reason(error);
}

/* ---- From the command line ------------------------------------------------- */

/* A histogram without bounds: what suits seconds, or powers of two. */
static void bounds_default(struct family_options *options)
{
	if (options->bounds || options->schema || options->min_log2 || options->max_log2)
		return;
	if (!strcmp(options->exp10, "0")) {
		options->schema = "0";
		options->min_log2 = "0";
		options->max_log2 = "40";
	} else {
		options->bounds = BOUNDS_DEFAULT;
	}
}

static int spec_guess(struct produce_series *series)
{
	struct family_options options = series->given;
	unsigned int i;
	int r;

	if (!options.unit)
		options.unit = scale_unit_of_name(series->selector.name);
	if (!options.exp10)
		options.exp10 = scale_exp10(options.unit);
	if (!strcmp(options.kind, ctl_kind_name(OBSRING_KIND_HISTOGRAM)))
		bounds_default(&options);
	r = family_from_options(series->command, series->selector.name, &options,
				series->bound, &series->spec);
	if (r)
		return r;
	series->spec.nr_labels = series->selector.nr;
	series->spec.label = series->label;
	for (i = 0; i < series->selector.nr; i++) {
		series->label[i] = series->selector.match[i].label;
		series->value[i] = series->selector.match[i].value;
	}
	return CTL_OK;
}

static bool label_is_own(const char *label)
{
	unsigned int i;

	for (i = 0; i < OWN_LABELS; i++)
		if (!strcmp(label, own_label[i]))
			return true;
	return false;
}

static int labels_check(const struct produce_series *series)
{
	unsigned int i;

	for (i = 0; i < series->selector.nr; i++)
		if (label_is_own(series->selector.match[i].label))
			return ctl_misused(series->command, "label \"%s\" is added by itself",
					   series->selector.match[i].label);
	if (series->selector.nr > OBSRING_LABELS_MAX - OWN_LABELS)
		return ctl_misused(series->command, "more than %d labels",
				   OBSRING_LABELS_MAX - OWN_LABELS);
	return CTL_OK;
}

int produce_parse(const struct ctl_command *command, const char *text,
		  const struct family_options *given, struct produce_series *series)
{
	const char *reason;
	int r;

	*series = (struct produce_series){ .command = command, .given = *given };
	r = selector_parse(text, &series->selector, &reason);
	if (r == -EINVAL)
		return ctl_misused(command, "%s: %s", text, reason);
	if (r)
		return ctl_fail("%s", strerror(-r));
	r = labels_check(series);
	if (!r)
		r = spec_guess(series);
	if (r)
		produce_free(series);
	return r;
}

void produce_free(struct produce_series *series)
{
	selector_free(&series->selector);
	ctl_reader_close(&series->reader);
}

/* ---- From the family ------------------------------------------------------- */

static bool of_processes(const struct obs_family_info *family)
{
	unsigned int i;

	for (i = 0; i < OWN_LABELS; i++)
		if (family->nr_labels <= i || strcmp(family->label[i], own_label[i]))
			return false;
	return true;
}

static int kind_check(const struct produce_series *series,
		      const struct obs_family_info *family)
{
	const char *name = family->name;

	if (!of_processes(family))
		return ctl_fail("%s is no metric of processes", name);
	if (family->kind != series->spec.kind)
		return ctl_fail("cannot %s %s: it is a %s", series->command->name, name,
				ctl_kind_name(family->kind));
	if (family->set != series->spec.set)
		return ctl_fail("cannot %s %s: it is a gauge that processes add to, "
				"which has no value to set", series->command->name, name);
	return CTL_OK;
}

/* All labels that the family has, and no others, in its order. */
static int labels_take(struct produce_series *series, const struct obs_family_info *family)
{
	const char *value[OBSRING_LABELS_MAX] = { NULL }, *label;
	unsigned int i;

	label = selector_unknown_label(&series->selector, family);
	if (label)
		return ctl_fail("metric %s has no label \"%s\"", family->name, label);
	for (i = OWN_LABELS; i < family->nr_labels; i++) {
		value[i] = selector_value(&series->selector, family->label[i]);
		if (!value[i])
			return ctl_fail("metric %s needs a value of label \"%s\"",
					family->name, family->label[i]);
		series->label[i - OWN_LABELS] = family->label[i];
		series->value[i - OWN_LABELS] = value[i];
	}
	series->spec.nr_labels = family->nr_labels - OWN_LABELS;
	return CTL_OK;
}

static void bounds_take(struct obs_family_spec *spec, const struct obs_family_info *family)
{
	spec->nr_bounds = family->exponential ? 0 : family->nr_bounds;
	spec->bound = family->bound;
	spec->schema = family->schema;
	spec->min_log2 = family->min_log2;
	spec->max_log2 = family->max_log2;
}

/* Ask for the family as it is, but for what was given otherwise. */
static int spec_take(struct produce_series *series, const struct obs_family_info *family)
{
	const struct family_options *given = &series->given;
	int r = kind_check(series, family);

	if (!r)
		r = labels_take(series, family);
	if (r)
		return r;
	if (!given->unit)
		series->spec.unit = family->unit;
	if (!given->exp10)
		series->spec.exp10 = family->exp10;
	if (!given->bounds && !given->schema && !given->min_log2 && !given->max_log2)
		bounds_take(&series->spec, family);
	series->exists = true;
	return CTL_OK;
}

/* Look at the family, once; it need not exist. */
static int family_look(const struct ctl_globals *globals, struct produce_series *series)
{
	const struct obs_family_info *family;
	int r;

	if (series->reader.device)
		return CTL_OK;
	r = ctl_reader_open(globals, &series->reader);
	if (r)
		return r;
	family = obs_family_find(series->reader.snapshot, series->selector.name);
	return family ? spec_take(series, family) : CTL_OK;
}

/* ---- Numbers --------------------------------------------------------------- */

/* -EINVAL: not a number; -ERANGE: no such integer; -EDOM: it may not be negative. */
static int number_read(const struct obs_family_spec *spec, const char *text,
		       uint64_t *ret_number)
{
	bool negative = *text == '-', gauge = spec->kind == OBSRING_KIND_GAUGE;
	uint64_t number;
	int r = decimal_parse(text, spec->exp10, &number);

	if (r)
		return r;
	if (negative && number && !gauge)
		return -EDOM;
	if (!negative && gauge && number > INT64_MAX)
		return -ERANGE;
	*ret_number = number;
	return 0;
}

static int number_misused(const struct produce_series *series, const char *text, int error)
{
	const char *name = series->selector.name;

	if (error == -EINVAL)
		return ctl_misused(series->command, "\"%s\" is no number", text);
	if (error == -EDOM)
		return ctl_misused(series->command, "%s: only a gauge takes a negative number",
				   text);
	ctl_fail("%s is counted in units of 10^%d, which can't tell %s%s", name,
		 series->spec.exp10, text,
		 series->exists ? "" : "; --exp10 chooses others for a new metric");
	return CTL_USAGE;
}

int produce_number(const struct ctl_globals *globals, struct produce_series *series,
		   const char *text, uint64_t *ret_number)
{
	int status, r = number_read(&series->spec, text, ret_number);

	if (r == -ERANGE) {
		status = family_look(globals, series);
		if (status)
			return status;
		r = number_read(&series->spec, text, ret_number);
	}
	return r ? number_misused(series, text, r) : CTL_OK;
}

/* ---- The service ----------------------------------------------------------- */

int produce_attach(const struct ctl_globals *globals, const char *name,
		   struct obs_service **ret_service)
{
	const struct obs_service_options options = { .device = globals->device };
	int r = obs_service_attach_with(name, &options, ret_service);

	if (r == -EINVAL)
		return ctl_fail("cannot attach to service \"%s\": the name is malformed", name);
	if (r)
		return ctl_fail("cannot attach to service \"%s\": %s", name,
				produce_reason(r));
	return CTL_OK;
}

static int handle_new(const struct produce_series *series, struct obs_service *service,
		      struct produce_handle *handle)
{
	switch (series->spec.kind) {
	case OBSRING_KIND_COUNTER:
		return obs_counter_new(service, &series->spec, series->value,
				       &handle->counter);
	case OBSRING_KIND_GAUGE:
		return obs_gauge_set_new(service, &series->spec, series->value,
					 &handle->gauge);
	default:
		return obs_histogram_new(service, &series->spec, series->value,
					 &handle->histogram);
	}
}

/* Another definition: with the family's own, unless that was asked for already. */
static int handle_retry(const struct ctl_globals *globals, struct produce_series *series,
			struct obs_service *service, const char *text, uint64_t *number,
			struct produce_handle *handle, int *result)
{
	int status;

	if (series->exists)
		return CTL_OK;
	status = family_look(globals, series);
	if (status || !series->exists)
		return status;
	status = produce_number(globals, series, text, number);
	if (!status)
		*result = handle_new(series, service, handle);
	return status;
}

int produce_make(const struct ctl_globals *globals, struct produce_series *series,
		 struct obs_service *service, const char *text, uint64_t *number,
		 struct produce_handle *ret_handle)
{
	struct produce_handle handle = { .overflow = false };
	int status, r = handle_new(series, service, &handle);

	/* -EINVAL: among others, a gauge of the other type. */
	if (r == -EEXIST || r == -EINVAL) {
		status = handle_retry(globals, series, service, text, number, &handle, &r);
		if (status)
			return status;
	}
	if (r == -EEXIST && series->exists)
		return ctl_fail("cannot %s %s: it has another unit, scale or buckets than "
				"was given", series->command->name, series->selector.name);
	if (r < 0)
		return ctl_fail("cannot %s %s: %s", series->command->name,
				series->selector.name, produce_reason(r));
	handle.overflow = r > 0;
	*ret_handle = handle;
	return CTL_OK;
}
