// SPDX-License-Identifier: MIT
/*
 * inc, add, set and observe: one update of one series, by a process that then ends.
 * It is made when nothing can fail any more, so that a failure means that nothing was
 * counted.
 */
#include <stdio.h>

#include "options.h"
#include "produce.h"

/* What a subcommand does to a series. */
struct update {
	enum obsring_kind kind;
	bool set;
	void (*apply)(const struct produce_handle *handle, uint64_t number);
};

static void counter_apply(const struct produce_handle *handle, uint64_t number)
{
	obs_counter_add(handle->counter, number);
}

/* A handle of the wrong type is not made in the first place. */
static void gauge_apply(const struct produce_handle *handle, uint64_t number)
{
	obs_gauge_set(handle->gauge, (int64_t)number);
}

static void histogram_apply(const struct produce_handle *handle, uint64_t number)
{
	obs_histogram_observe(handle->histogram, number);
}

static const struct update counter_update = {
	.kind = OBSRING_KIND_COUNTER, .apply = counter_apply };
static const struct update gauge_update = {
	.kind = OBSRING_KIND_GAUGE, .set = true, .apply = gauge_apply };
static const struct update histogram_update = {
	.kind = OBSRING_KIND_HISTOGRAM, .apply = histogram_apply };

/* The overflow series counts what it gets; a value that is set there says nothing. */
static int overflow_tell(const struct produce_series *series, const struct update *update)
{
	const char *name = series->selector.name;

	if (update->set)
		return ctl_fail("cannot set %s: no room for these labels: a limit is reached",
				name);
	fprintf(stderr, "obsringctl: no room for these labels of %s: counted in its "
		"overflow series\n", name);
	return CTL_OK;
}

static int update_make(const struct ctl_globals *globals, const struct update *update,
		       struct produce_series *series, const char *service_name,
		       const char *text)
{
	struct produce_handle handle;
	struct obs_service *service;
	uint64_t number;
	int r;

	r = produce_number(globals, series, text, &number);
	if (r)
		return r;
	r = produce_attach(globals, service_name, &service);
	if (r)
		return r;
	r = produce_make(globals, series, service, text, &number, &handle);
	if (!r && handle.overflow)
		r = overflow_tell(series, update);
	if (!r)
		update->apply(&handle, number);
	obs_service_detach(service);
	return r;
}

/* NAME and a number, which is @text if it is not given; NULL: it must be. */
static int words_take(const struct ctl_command *command, int nr, char **argv,
		      const char **text)
{
	if (nr == 2)
		*text = argv[1];
	else if (nr != 1 || !*text)
		return ctl_misused(command, *text ? "one series is expected" :
				   "a series and a number are expected");
	return CTL_OK;
}

static int count(const struct ctl_command *command, struct ctl_globals *globals,
		 int argc, char **argv, const struct update *update, const char *text)
{
	struct family_options given = { .kind = ctl_kind_name(update->kind),
					.set = update->set };
	const char *service = NULL;
	const struct ctl_option options[] = {
		{ "service", NULL, &service, NULL },
		{ "help-text", NULL, &given.help, NULL },
		{ "unit", NULL, &given.unit, NULL },
		{ "exp10", NULL, &given.exp10, NULL },
		/* The last four are observe's. */
		{ update == &histogram_update ? "buckets" : NULL, NULL, &given.bounds, NULL },
		{ "schema", NULL, &given.schema, NULL },
		{ "min-log2", NULL, &given.min_log2, NULL },
		{ "max-log2", NULL, &given.max_log2, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	struct produce_series series;
	int r, words;

	r = ctl_options_parse(command, globals, options, argc, argv, &words);
	if (r || globals->help)
		return r;
	r = words_take(command, words, argv, &text);
	if (r)
		return r;
	if (!service)
		return ctl_misused(command, "--service is missing");
	r = produce_parse(command, argv[0], &given, &series);
	if (r)
		return r;
	r = update_make(globals, update, &series, service, text);
	produce_free(&series);
	return r;
}

int ctl_inc(const struct ctl_command *command, struct ctl_globals *globals, int argc,
	    char **argv)
{
	return count(command, globals, argc, argv, &counter_update, "1");
}

int ctl_add(const struct ctl_command *command, struct ctl_globals *globals, int argc,
	    char **argv)
{
	return count(command, globals, argc, argv, &counter_update, NULL);
}

int ctl_set(const struct ctl_command *command, struct ctl_globals *globals, int argc,
	    char **argv)
{
	return count(command, globals, argc, argv, &gauge_update, NULL);
}

int ctl_observe(const struct ctl_command *command, struct ctl_globals *globals, int argc,
		char **argv)
{
	return count(command, globals, argc, argv, &histogram_update, NULL);
}
