// SPDX-License-Identifier: MIT
#include <string.h>

#include "options.h"
#include "probe.h"

static const char *const type_names[OBSRING_PROBE_MAX + 1] = {
	[OBSRING_PROBE_UNSPEC]	   = "unknown",
	[OBSRING_PROBE_TRACEPOINT] = "tracepoint",
	[OBSRING_PROBE_KPROBE]	   = "kprobe",
	[OBSRING_PROBE_KRETPROBE]  = "kretprobe",
};

const char *probe_type_name(enum obsring_probe_type type)
{
	return type_names[type <= OBSRING_PROBE_MAX ? type : OBSRING_PROBE_UNSPEC];
}

static enum obsring_probe_type type_parse(const char *name)
{
	unsigned int type;

	for (type = OBSRING_PROBE_TRACEPOINT; type <= OBSRING_PROBE_MAX; type++)
		if (!strcmp(type_names[type], name))
			return type;
	return OBSRING_PROBE_UNSPEC;
}

void probe_json(const struct obs_probe_info *probe, struct json *json)
{
	json_open(json, NULL, '{');
	json_string(json, "name", probe->name);
	json_string(json, "type", probe_type_name(probe->type));
	json_string(json, "target", probe->target);
	json_string(json, "kind", ctl_kind_name(probe->kind));
	json_u64(json, "sample", probe->sample);
	json_u64(json, "hits", probe->hits);
	json_u64(json, "missed", probe->missed);
	json_bool(json, "gone", *probe->reason);
	if (*probe->reason)
		json_string(json, "reason", probe->reason);
	json_close(json, '}');
}

void probe_line(const struct obs_probe_info *probe, FILE *out)
{
	fprintf(out, "%s  %s %s  %s  1:%u  %llu hits, %llu missed", probe->name,
		probe_type_name(probe->type), probe->target, ctl_kind_name(probe->kind),
		probe->sample, (unsigned long long)probe->hits,
		(unsigned long long)probe->missed);
	if (*probe->reason)
		fprintf(out, "  gone (%s)", probe->reason);
	fputc('\n', out);
}

static int probe_print(const struct obs_probe_info *probe, void *json)
{
	if (json)
		probe_json(probe, json);
	else
		probe_line(probe, stdout);
	return 0;
}

int ctl_probe_list(const struct ctl_command *command, struct ctl_globals *globals,
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
	r = obs_probe_list(control, probe_print, globals->json ? &json : NULL);
	if (globals->json)
		json_close(&json, ']');
	return ctl_control_end(control, r, "cannot list probes");
}

static bool ends_with(const char *s, const char *end)
{
	size_t n = strlen(s), m = strlen(end);

	return n >= m && !strcmp(s + n - m, end);
}

static int text_set(const struct ctl_command *command, const char *what, char *to,
		    size_t size, const char *text)
{
	if (strlen(text) >= size)
		return ctl_misused(command, "the %s is longer than %zu bytes", what,
				   size - 1);
	strcpy(to, text);
	return CTL_OK;
}

static int kind_set(const struct ctl_command *command, const char *kind,
		    struct obs_probe_info *probe)
{
	/* A name that is a count's; else the module times with a kretprobe. */
	if (!kind && ends_with(probe->name, "_total"))
		kind = ctl_kind_name(OBSRING_KIND_COUNTER);
	if (!kind)
		return CTL_OK;
	probe->kind = ctl_kind_parse(kind);
	if (probe->kind != OBSRING_KIND_COUNTER &&
	    probe->kind != OBSRING_KIND_HISTOGRAM)
		return ctl_misused(command, "kind \"%s\" is neither counter nor histogram",
				   kind);
	if (probe->kind == OBSRING_KIND_HISTOGRAM &&
	    probe->type != OBSRING_PROBE_KRETPROBE)
		return ctl_misused(command, "only a kretprobe has a latency");
	return CTL_OK;
}

int probe_from_words(const struct ctl_command *command, int words, char **argv,
		     const struct probe_options *options,
		     struct obs_probe_info *ret_probe)
{
	struct obs_probe_info probe = { .sample = 1 };
	long sample = 1;
	int r;

	if (words != 2)
		return ctl_misused(command, "a type and a target are expected");
	probe.type = type_parse(argv[0]);
	if (!probe.type)
		return ctl_misused(command, "unknown type \"%s\"", argv[0]);
	if (!options->as)
		return ctl_misused(command, "--as METRIC is missing");
	if (options->sample && !ctl_number_parse(options->sample, 1, 1 << 20, &sample))
		return ctl_misused(command, "--sample %s is not from 1 to %d",
				   options->sample, 1 << 20);
	probe.sample = (uint32_t)sample;
	r = text_set(command, "target", probe.target, sizeof(probe.target), argv[1]);
	if (!r)
		r = text_set(command, "metric", probe.name, sizeof(probe.name),
			     options->as);
	if (!r)
		r = kind_set(command, options->kind, &probe);
	if (!r)
		*ret_probe = probe;
	return r;
}

int ctl_probe_add(const struct ctl_command *command, struct ctl_globals *globals,
		  int argc, char **argv)
{
	struct probe_options given = { .as = NULL };
	const struct ctl_option options[] = {
		{ "as", NULL, &given.as, NULL },
		{ "sample", NULL, &given.sample, NULL },
		{ "kind", NULL, &given.kind, NULL },
		{ "help-text", NULL, &given.help, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	struct obs_control *control;
	struct obs_probe_info probe;
	int r, words;

	r = ctl_options_parse(command, globals, options, argc, argv, &words);
	if (r || globals->help)
		return r;
	r = probe_from_words(command, words, argv, &given, &probe);
	if (r)
		return r;
	r = ctl_control_open(&control);
	if (r)
		return r;
	r = obs_probe_add(control, &probe, given.help);
	return ctl_control_end(control, r, "cannot add %s \"%s\" as \"%s\"",
			       argv[0], probe.target, probe.name);
}

int ctl_probe_delete(const struct ctl_command *command, struct ctl_globals *globals,
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
	r = obs_probe_delete(control, argv[0]);
	return ctl_control_end(control, r, "cannot delete probe \"%s\"", argv[0]);
}
