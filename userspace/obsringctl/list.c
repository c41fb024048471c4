// SPDX-License-Identifier: MIT
#include <fnmatch.h>
#include <stdio.h>

#include "options.h"
#include "print.h"

static bool matches(const char *name, char **pattern, int nr)
{
	int i;

	for (i = 0; i < nr; i++)
		if (!fnmatch(pattern[i], name, 0))
			return true;
	return nr == 0;
}

static void family_line(const struct ctl_reader *reader,
			const struct obs_family_info *family)
{
	unsigned int i;

	print_text(stdout, family->name);
	for (i = 0; i < family->nr_labels; i++) {
		putchar(i ? ',' : '{');
		print_text(stdout, family->label[i]);
	}
	printf("%s  %s  %u series  ", family->nr_labels ? "}" : "",
	       ctl_kind_name(family->kind),
	       obs_family_nr_series(reader->snapshot, family));
	print_text(stdout, family->help);
	putchar('\n');
}

static void states_json(const struct obs_family_info *family, struct json *json)
{
	unsigned int i;

	json_open(json, "states", '[');
	for (i = 0; i < family->nr_states; i++)
		json_string(json, NULL, family->state[i]);
	json_close(json, ']');
}

static void family_json(const struct ctl_reader *reader,
			const struct obs_family_info *family, struct json *json)
{
	unsigned int i;

	json_open(json, NULL, '{');
	json_string(json, "name", family->name);
	json_string(json, "kind", ctl_kind_name(family->kind));
	json_string(json, "unit", family->unit);
	json_string(json, "help", family->help);
	json_open(json, "labels", '[');
	for (i = 0; i < family->nr_labels; i++)
		json_string(json, NULL, family->label[i]);
	json_close(json, ']');
	if (family->kind == OBSRING_KIND_STATE)
		states_json(family, json);
	json_u64(json, "series", obs_family_nr_series(reader->snapshot, family));
	json_close(json, '}');
}

static unsigned int families_print(const struct ctl_reader *reader, struct json *json,
				   char **pattern, int nr)
{
	const struct obs_family_info *family = NULL;
	unsigned int found = 0;

	while ((family = obs_family_next(reader->snapshot, family))) {
		if (!matches(family->name, pattern, nr))
			continue;
		found++;
		if (json)
			family_json(reader, family, json);
		else
			family_line(reader, family);
	}
	return found;
}

int ctl_list(const struct ctl_command *command, struct ctl_globals *globals,
	     int argc, char **argv)
{
	struct json json = { .out = stdout };
	struct ctl_reader reader;
	unsigned int found;
	int r, words;

	r = ctl_options_parse(command, globals, NULL, argc, argv, &words);
	if (r || globals->help)
		return r;
	r = ctl_reader_open(globals, &reader);
	if (r)
		return r;
	if (globals->json)
		json_open(&json, NULL, '[');
	found = families_print(&reader, globals->json ? &json : NULL, argv, words);
	if (globals->json)
		json_close(&json, ']');
	ctl_reader_close(&reader);
	if (!found && words)
		return ctl_fail("no metric matches \"%s\"%s", argv[0],
				words > 1 ? " or the others" : "");
	return CTL_OK;
}
