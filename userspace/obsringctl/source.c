// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "options.h"

static void source_json(const struct obs_source_info *source, struct json *json)
{
	unsigned int i;

	json_open(json, NULL, '{');
	json_string(json, "name", source->name);
	json_string(json, "help", source->help);
	json_bool(json, "enabled", source->enabled);
	json_bool(json, "available", !*source->reason);
	if (*source->reason)
		json_string(json, "reason", source->reason);
	json_open(json, "options", '{');
	for (i = 0; i < source->nr_options; i++)
		json_string(json, source->option[i].key, source->option[i].value);
	json_close(json, '}');
	json_close(json, '}');
}

static void source_lines(const struct obs_source_info *source)
{
	unsigned int i;

	printf("%-10s %-11s %s", source->name,
	       *source->reason ? "unavailable" : source->enabled ? "on" : "off",
	       source->help);
	if (*source->reason)
		printf(" (%s)", source->reason);
	putchar('\n');
	for (i = 0; i < source->nr_options; i++)
		printf("           %s=%s  %s\n", source->option[i].key,
		       source->option[i].value, source->option[i].help);
}

static int source_print(const struct obs_source_info *source, void *arg)
{
	if (arg)
		source_json(source, arg);
	else
		source_lines(source);
	return 0;
}

int ctl_source_list(const struct ctl_command *command, struct ctl_globals *globals,
		    int argc, char **argv)
{
	struct json json = { .out = stdout };
	struct obs_control *control;
	int r;

	r = ctl_words_parse(command, globals, NULL, argc, argv, 0, NULL);
	if (r || globals->help)
		return r;
	r = ctl_control_open(&control);
	if (r)
		return r;
	if (globals->json)
		json_open(&json, NULL, '[');
	r = obs_source_list(control, source_print, globals->json ? &json : NULL);
	if (globals->json)
		json_close(&json, ']');
	return ctl_control_end(control, r, "cannot list sources");
}

/* The first word that is no key=value; NULL if there is none. */
static const char *option_bad(int nr, char **option)
{
	int i;

	for (i = 0; i < nr; i++)
		if (option[i][0] == '=' || !strchr(option[i], '='))
			return option[i];
	return NULL;
}

static int source_set(const struct ctl_command *command, struct ctl_globals *globals,
		      int argc, char **argv, bool enable)
{
	struct obs_control *control;
	const char *bad;
	int r, words;

	r = ctl_options_parse(command, globals, NULL, argc, argv, &words);
	if (r || globals->help)
		return r;
	if (words < 1)
		return ctl_misused(command, "a source is missing");
	bad = option_bad(words - 1, argv + 1);
	if (bad)
		return ctl_misused(command, "\"%s\" is not key=value", bad);
	r = ctl_control_open(&control);
	if (r)
		return r;
	r = obs_source_set(control, argv[0], enable, (const char *const *)argv + 1,
			   (unsigned int)words - 1);
	return ctl_control_end(control, r, "cannot %s source \"%s\"",
			       enable ? "enable" : "disable", argv[0]);
}

int ctl_source_enable(const struct ctl_command *command, struct ctl_globals *globals,
		      int argc, char **argv)
{
	return source_set(command, globals, argc, argv, true);
}

int ctl_source_disable(const struct ctl_command *command, struct ctl_globals *globals,
		       int argc, char **argv)
{
	return source_set(command, globals, argc, argv, false);
}
