// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "options.h"
#include "print.h"
#include "selector.h"

static int matching_print(const struct print *print, const struct selector *selector,
			  const struct obs_family_info *family, unsigned int *ret_nr)
{
	const struct obs_series_info *series = NULL;
	unsigned int nr = 0;
	int r;

	while ((series = obs_series_next(print->reader->snapshot, family, series))) {
		if (!selector_matches(selector, series))
			continue;
		r = print_series(print, series);
		if (r)
			return r;
		nr++;
	}
	*ret_nr = nr;
	return 0;
}

static unsigned int matching_count(const struct ctl_reader *reader,
				   const struct selector *selector,
				   const struct obs_family_info *family)
{
	const struct obs_series_info *series = NULL;
	unsigned int nr = 0;

	while ((series = obs_series_next(reader->snapshot, family, series)))
		nr += selector_matches(selector, series);
	return nr;
}

static int family_print(struct print *print, const struct selector *selector,
			const struct obs_family_info *family)
{
	unsigned int nr;
	int r;

	if (print->json)
		json_open(print->json, NULL, '[');
	r = matching_print(print, selector, family, &nr);
	if (print->json)
		json_close(print->json, ']');
	if (r == -ESTALE)
		return ctl_fail("cannot read %s: a series was removed meanwhile",
				selector->name);
	if (r)
		return ctl_fail("cannot read %s: %s", selector->name, strerror(-r));
	return CTL_OK;
}

static int selector_print(struct print *print, const struct selector *selector,
			  const char *text)
{
	const struct obs_family_info *family;
	const char *unknown;

	family = obs_family_find(print->reader->snapshot, selector->name);
	if (!family)
		return ctl_fail("no metric is named \"%s\"", selector->name);
	unknown = selector_unknown_label(selector, family);
	if (unknown)
		return ctl_fail("metric %s has no label \"%s\"", selector->name,
				unknown);
	if (!matching_count(print->reader, selector, family))
		return ctl_fail("no series matches %s", text);
	return family_print(print, selector, family);
}

static int reader_print(const struct ctl_globals *globals, struct print *print,
			const struct selector *selector, const char *text)
{
	struct json json = { .out = stdout };
	struct ctl_reader reader;
	int r;

	r = ctl_reader_open(globals, &reader);
	if (r)
		return r;
	print->reader = &reader;
	print->json = globals->json ? &json : NULL;
	r = selector_print(print, selector, text);
	ctl_reader_close(&reader);
	return r;
}

int ctl_get(const struct ctl_command *command, struct ctl_globals *globals,
	    int argc, char **argv)
{
	struct print print = { .raw = false };
	const struct ctl_option options[] = {
		{ "per-cpu", &print.per_cpu, NULL, NULL },
		{ "raw", &print.raw, NULL, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	struct selector selector;
	const char *reason;
	int r;

	r = ctl_words_parse(command, globals, options, argc, argv, 1,
			    "one metric is expected");
	if (r || globals->help)
		return r;
	r = selector_parse(argv[0], &selector, &reason);
	if (r == -EINVAL)
		return ctl_misused(command, "%s: %s", argv[0], reason);
	if (r)
		return ctl_fail("%s", strerror(-r));
	r = reader_print(globals, &print, &selector, argv[0]);
	selector_free(&selector);
	return r;
}
