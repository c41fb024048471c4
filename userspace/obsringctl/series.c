// SPDX-License-Identifier: MIT
/*
 * Series of metrics that no kernel code owns. The metric's labels, their order
 * and its unit are read from the mapping, the request goes over netlink.
 */
#include <errno.h>
#include <string.h>

#include "decimal.h"
#include "options.h"
#include "selector.h"

/* A series that the command line names. */
struct target {
	struct selector selector;
	struct ctl_reader reader;
	const struct obs_family_info *family;
	const char *value[OBSRING_LABELS_MAX];
};

static int target_resolve(const struct ctl_globals *globals, struct target *target)
{
	const char *name = target->selector.name, *label;
	int r;

	r = ctl_reader_open(globals, &target->reader);
	if (r)
		return r;
	target->family = obs_family_find(target->reader.snapshot, name);
	if (!target->family) {
		r = ctl_fail("no metric is named \"%s\"", name);
		goto err;
	}
	label = selector_unknown_label(&target->selector, target->family);
	if (label) {
		r = ctl_fail("metric %s has no label \"%s\"", name, label);
		goto err;
	}
	label = selector_values(&target->selector, target->family, target->value);
	if (label) {
		r = ctl_fail("metric %s needs a value of label \"%s\"", name, label);
		goto err;
	}
	return CTL_OK;
err:
	ctl_reader_close(&target->reader);
	return r;
}

static int target_open(const struct ctl_command *command,
		       const struct ctl_globals *globals, const char *text,
		       struct target *target)
{
	const char *reason;
	int r;

	r = selector_parse(text, &target->selector, &reason);
	if (r == -EINVAL)
		return ctl_misused(command, "%s: %s", text, reason);
	if (r)
		return ctl_fail("%s", strerror(-r));
	r = target_resolve(globals, target);
	if (r)
		selector_free(&target->selector);
	return r;
}

static void target_close(struct target *target)
{
	selector_free(&target->selector);
	ctl_reader_close(&target->reader);
}

typedef int (*series_request)(struct obs_control *control, const char *family,
			      const char *const *value, unsigned int nr);

/* Add or delete: a selector, nothing else. */
static int series_change(const struct ctl_command *command,
			 struct ctl_globals *globals, int argc, char **argv,
			 const char *verb, series_request request)
{
	struct obs_control *control;
	struct target target;
	int r;

	r = ctl_words_parse(command, globals, NULL, argc, argv, 1,
			    "one series is expected");
	if (r || globals->help)
		return r;
	r = target_open(command, globals, argv[0], &target);
	if (r)
		return r;
	r = ctl_control_open(&control);
	if (!r) {
		r = request(control, target.family->name, target.value,
			    target.family->nr_labels);
		r = ctl_control_end(control, r, "cannot %s series %s", verb, argv[0]);
	}
	target_close(&target);
	return r;
}

int ctl_series_add(const struct ctl_command *command, struct ctl_globals *globals,
		   int argc, char **argv)
{
	return series_change(command, globals, argc, argv, "add", obs_series_add);
}

int ctl_series_delete(const struct ctl_command *command, struct ctl_globals *globals,
		      int argc, char **argv)
{
	return series_change(command, globals, argc, argv, "delete", obs_series_delete);
}

/* What keeps a metric from taking @number, which is below 0 if @negative. */
static const char *number_problem(const struct obs_family_info *family, bool negative,
				  uint64_t number)
{
	if (family->kind != OBSRING_KIND_GAUGE && negative && number)
		return "only a gauge takes a negative number";
	if (!negative && number > INT64_MAX)
		return "it is above 2^63 - 1 in stored units";
	return NULL;
}

static int target_update(const struct ctl_command *command, struct target *target,
			 const char *series, const char *text, bool raw)
{
	int exp10 = raw ? 0 : target->family->exp10;
	struct obs_control *control;
	const char *problem;
	uint64_t number;
	int r;

	r = decimal_parse(text, exp10, &number);
	if (r == -EINVAL)
		return ctl_misused(command, "\"%s\" is no number", text);
	if (r)
		return ctl_fail("%s can't be told in units of 10^%d: %s", text, exp10,
				strerror(-r));
	problem = number_problem(target->family, *text == '-', number);
	if (problem)
		return ctl_fail("cannot update series %s by %s: %s", series, text, problem);
	r = ctl_control_open(&control);
	if (r)
		return r;
	r = obs_series_update(control, target->family->name, target->value,
			      target->family->nr_labels, (int64_t)number);
	return ctl_control_end(control, r, "cannot update series %s", series);
}

int ctl_series_update(const struct ctl_command *command, struct ctl_globals *globals,
		      int argc, char **argv)
{
	bool raw = false;
	const struct ctl_option options[] = {
		{ "raw", &raw, NULL, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	struct target target;
	int r;

	r = ctl_words_parse(command, globals, options, argc, argv, 2,
			    "a series and a number are expected");
	if (r || globals->help)
		return r;
	r = target_open(command, globals, argv[0], &target);
	if (r)
		return r;
	r = target_update(command, &target, argv[0], argv[1], raw);
	target_close(&target);
	return r;
}
