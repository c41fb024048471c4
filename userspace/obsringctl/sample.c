// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>
#include <time.h>

#include <obsring/record.h>

#include "instant.h"
#include "options.h"
#include "print.h"
#include "rule.h"
#include "sample.h"

static const char *level_name(const struct obs_sample_info *sample)
{
	return obs_level_name((uint8_t)sample->level);
}

void sample_line(const struct obs_sample_info *sample, FILE *out)
{
	char rule[RULE_SIZE], at[INSTANT_SIZE];

	print_text(out, sample->source);
	if (sample->level != OBS_SAMPLE_NO_LEVEL)
		fprintf(out, ":%s", level_name(sample));
	fprintf(out, "  %s", rule_format(rule, sample->rule, sample->value));
	if (sample->id)
		fprintf(out, "  at %s, command %llu", instant_format(at, sample->at_ns),
			(unsigned long long)sample->id);
	fputc('\n', out);
}

void sample_json(const struct obs_sample_info *sample, struct json *json)
{
	char rule[RULE_SIZE], at[INSTANT_SIZE];

	json_open(json, NULL, '{');
	json_string(json, "source", sample->source);
	if (sample->level != OBS_SAMPLE_NO_LEVEL)
		json_string(json, "level", level_name(sample));
	json_string(json, "rule", rule_format(rule, sample->rule, sample->value));
	json_bool(json, "waits", sample->id);
	if (sample->id) {
		json_string(json, "at", instant_format(at, sample->at_ns));
		json_u64(json, "command", sample->id);
	}
	json_close(json, '}');
}

static int sample_print(const struct obs_sample_info *sample, void *json)
{
	if (json)
		sample_json(sample, json);
	else
		sample_line(sample, stdout);
	return 0;
}

static int segment_list(const struct ctl_globals *globals, struct json *json)
{
	int r = obs_segment_sample_list(globals->device, sample_print, json);

	return r ? ctl_fail("cannot list sampling rules: %s", strerror(-r)) : CTL_OK;
}

static int module_list(struct json *json)
{
	struct obs_control *control;
	int r = ctl_control_open(&control);

	if (r)
		return r;
	r = obs_sample_list(control, sample_print, json);
	return ctl_control_end(control, r, "cannot list sampling rules");
}

int ctl_sample_list(const struct ctl_command *command, struct ctl_globals *globals,
		    int argc, char **argv)
{
	struct json json = { .out = stdout };
	int r;

	r = ctl_words_parse(command, globals, NULL, argc, argv, 0, NULL);
	if (r || globals->help)
		return r;
	if (globals->json)
		json_open(&json, NULL, '[');
	r = ctl_segment_is_meant(globals) ?
	    segment_list(globals, globals->json ? &json : NULL) :
	    module_list(globals->json ? &json : NULL);
	if (globals->json)
		json_close(&json, ']');
	return r;
}

static int at_set(const struct ctl_command *command, const char *at,
		  struct obs_sample_info *sample)
{
	struct timespec now;
	int r;

	if (!at)
		return CTL_OK;
	clock_gettime(CLOCK_REALTIME, &now);
	r = instant_parse(at, (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec,
			  &sample->at_ns);
	if (r == -ERANGE)
		return ctl_misused(command, "--at %s is before 1970 or beyond 2262", at);
	if (r)
		return ctl_misused(command, "--at %s is no time: YYYY-MM-DDThh:mm:ssZ, @SECONDS, +SECONDS",
				   at);
	/* 0 means without a time. */
	sample->at_ns += !sample->at_ns;
	return CTL_OK;
}

static bool id_parse(const char *text, uint64_t *ret_id)
{
	long id;

	if (!ctl_number_parse(text, 1, INT64_MAX, &id))
		return false;
	*ret_id = (uint64_t)id;
	return true;
}

static int replace_set(const struct ctl_command *command, const char *replace,
		       struct obs_sample_info *sample)
{
	if (!replace || id_parse(replace, &sample->id))
		return CTL_OK;
	return ctl_misused(command, "--replace %s is no command's number", replace);
}

static int target_set(const struct ctl_command *command, const char *target,
		      struct obs_sample_info *sample)
{
	int r = rule_target_parse(target, sample);

	if (r == -ENAMETOOLONG)
		return ctl_misused(command, "the source is longer than %d bytes",
				   OBSRING_NAME_MAX);
	return r ? ctl_misused(command, "\"%s\" names no source", target) : CTL_OK;
}

static int rule_set(const struct ctl_command *command, const char *rule,
		    struct obs_sample_info *sample)
{
	int r = rule_parse(rule, &sample->rule, &sample->value);

	if (r == -ERANGE)
		return ctl_misused(command, "rule \"%s\" has a number that it can't have", rule);
	return r ? ctl_misused(command, "\"%s\" is no rule", rule) : CTL_OK;
}

/* It is in force at once. */
static int segment_send(const struct obs_sample_info *sample,
			const struct ctl_globals *globals, const char *what,
			const char *target)
{
	int r = obs_segment_sample_send(globals->device, sample);

	if (r == -EOPNOTSUPP)
		return ctl_fail("cannot %s the rule of \"%s\": in a segment no change waits for its time",
				what, target);
	return r ? ctl_fail("cannot %s the rule of \"%s\": %s", what, target, strerror(-r)) :
		   CTL_OK;
}

/* Send it; a command that waits is told by its number, which cancels it. */
static int sample_send(const struct obs_sample_info *sample,
		       const struct ctl_globals *globals, const char *what,
		       const char *target)
{
	struct json json = { .out = stdout };
	struct obs_control *control;
	uint64_t id;
	int r;

	if (ctl_segment_is_meant(globals))
		return segment_send(sample, globals, what, target);
	r = ctl_control_open(&control);
	if (r)
		return r;
	r = obs_sample_send(control, sample, &id);
	if (!r && globals->json) {
		json_open(&json, NULL, '{');
		json_u64(&json, "command", id);
		json_close(&json, '}');
	} else if (!r && sample->at_ns) {
		printf("command %llu\n", (unsigned long long)id);
	}
	return ctl_control_end(control, r, "cannot %s the rule of \"%s\"", what, target);
}

int ctl_sample_set(const struct ctl_command *command, struct ctl_globals *globals,
		   int argc, char **argv)
{
	struct obs_sample_info sample = { .id = 0 };
	const char *at = NULL, *replace = NULL;
	const struct ctl_option options[] = {
		{ "at", NULL, &at, NULL },
		{ "replace", NULL, &replace, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int r;

	r = ctl_words_parse(command, globals, options, argc, argv, 2,
			    "a source and a rule are expected");
	if (r || globals->help)
		return r;
	r = target_set(command, argv[0], &sample);
	if (!r)
		r = rule_set(command, argv[1], &sample);
	if (!r)
		r = at_set(command, at, &sample);
	if (!r)
		r = replace_set(command, replace, &sample);
	return r ? r : sample_send(&sample, globals, "set", argv[0]);
}

int ctl_sample_delete(const struct ctl_command *command, struct ctl_globals *globals,
		      int argc, char **argv)
{
	struct obs_sample_info sample = { .rule = OBSRING_RULE_UNSPEC };
	const char *at = NULL, *replace = NULL;
	const struct ctl_option options[] = {
		{ "at", NULL, &at, NULL },
		{ "replace", NULL, &replace, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int r;

	r = ctl_words_parse(command, globals, options, argc, argv, 1,
			    "one source is expected");
	if (r || globals->help)
		return r;
	r = target_set(command, argv[0], &sample);
	if (!r)
		r = at_set(command, at, &sample);
	if (!r)
		r = replace_set(command, replace, &sample);
	return r ? r : sample_send(&sample, globals, "delete", argv[0]);
}

int ctl_sample_cancel(const struct ctl_command *command, struct ctl_globals *globals,
		      int argc, char **argv)
{
	struct obs_control *control;
	uint64_t id;
	int r;

	r = ctl_words_parse(command, globals, NULL, argc, argv, 1,
			    "the number of one command is expected");
	if (r || globals->help)
		return r;
	if (!id_parse(argv[0], &id))
		return ctl_misused(command, "\"%s\" is no command's number", argv[0]);
	r = ctl_control_open(&control);
	if (r)
		return r;
	r = obs_sample_cancel(control, id);
	return ctl_control_end(control, r, "cannot cancel command %s", argv[0]);
}
