// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

static int misused(const struct ctl_command *command, const char *what,
		   const char *option, size_t len)
{
	if (command)
		return ctl_misused(command, "%s --%.*s", what, (int)len, option);
	fprintf(stderr, "obsringctl: %s --%.*s\n", what, (int)len, option);
	fputs("usage: obsringctl [--device PATH] [--json] COMMAND ...; see --help\n",
	      stderr);
	return CTL_USAGE;
}

static const struct ctl_option *option_find(const struct ctl_option *options,
					    const char *name, size_t len)
{
	for (; options && options->name; options++)
		if (strlen(options->name) == len && !memcmp(options->name, name, len))
			return options;
	return NULL;
}

/* Give @option its value, inline or the next word: how many words that took. */
static int option_take(const struct ctl_option *option, const char *inline_value,
		       const char *next)
{
	const char *value = inline_value ? inline_value : next;

	if (option->flag) {
		*option->flag = true;
		return inline_value ? -1 : 1;
	}
	if (!value)
		return -1;
	if (option->value)
		*option->value = value;
	else if (option->values->nr < CTL_VALUES_MAX)
		option->values->value[option->values->nr++] = value;
	else
		return -1;
	return inline_value ? 1 : 2;
}

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1] && !isdigit((unsigned char)word[1]) &&
	       word[1] != '.';
}

/* The option at @argv[0]: how many words it took, or -CTL_USAGE. */
static int option_parse(const struct ctl_command *command,
			const struct ctl_option *globals,
			const struct ctl_option *options, int argc, char **argv)
{
	const char *name = argv[0] + strspn(argv[0], "-");
	size_t len = strcspn(name, "=");
	const struct ctl_option *option = option_find(options, name, len);
	int taken;

	if (!option)
		option = option_find(globals, name, len);
	if (!option || name - argv[0] != 2)
		return -misused(command, "unknown option", name, len);
	taken = option_take(option, name[len] ? name + len + 1 : NULL,
			    argc > 1 ? argv[1] : NULL);
	if (taken < 0)
		return -misused(command, option->flag ? "no value is taken by" :
				"a value is missing, or one too many given, for",
				name, len);
	return taken;
}

int ctl_options_parse(const struct ctl_command *command, struct ctl_globals *globals,
		      const struct ctl_option *options, int argc, char **argv,
		      int *ret_words)
{
	const struct ctl_option global[] = {
		{ "device", NULL, &globals->device, NULL },
		{ "json", &globals->json, NULL, NULL },
		{ "help", &globals->help, NULL, NULL },
		{ command ? NULL : "version", &globals->version, NULL, NULL },
		{ NULL, NULL, NULL, NULL },
	};
	int i, words = 0, taken;
	bool ended = false;

	for (i = 0; i < argc; i += taken) {
		taken = 1;
		if (!ended && !strcmp(argv[i], "--")) {
			ended = true;
		} else if (!ended && is_option(argv[i])) {
			taken = option_parse(command, global, options, argc - i,
					     argv + i);
			if (taken < 0)
				return -taken;
		} else if (!command) {
			break;
		} else if (command->operand == CTL_COMMAND) {
			words = argc - i;
			memmove(argv, argv + i, (size_t)words * sizeof(*argv));
			break;
		} else {
			argv[words++] = argv[i];
		}
	}
	*ret_words = command ? words : i;
	if (command && globals->device && !globals->help && !command->maps)
		return ctl_misused(command, "--device: this is about the module "
				   "that is loaded, not about a file");
	return 0;
}

int ctl_words_parse(const struct ctl_command *command, struct ctl_globals *globals,
		    const struct ctl_option *options, int argc, char **argv, int nr,
		    const char *expected)
{
	int words, r = ctl_options_parse(command, globals, options, argc, argv, &words);

	if (r || globals->help || words == nr)
		return r;
	if (!nr)
		return ctl_misused(command, "\"%s\" is not expected", argv[0]);
	return ctl_misused(command, "%s", expected);
}

bool ctl_size_parse(const char *text, uint64_t *ret_size)
{
	unsigned int shift = 0;
	uint64_t size;
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	size = strtoull(text, &end, 10);
	if (*end == 'K' || *end == 'k')
		shift = 10;
	else if (*end == 'M' || *end == 'm')
		shift = 20;
	if (shift)
		end++;
	if (errno || *end || !size || size > UINT64_MAX >> shift)
		return false;
	*ret_size = size << shift;
	return true;
}

bool ctl_mode_parse(const char *text, unsigned int *ret_mode)
{
	size_t zeros = strspn(text, "0"), digits = strspn(text + zeros, "01234567");

	if (!digits || digits > 3 || text[zeros + digits])
		return false;
	*ret_mode = (unsigned int)strtoul(text, NULL, 8);
	return true;
}

bool ctl_number_parse(const char *text, long min, long max, long *ret_number)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno || end == text || *end || n < min || n > max)
		return false;
	*ret_number = n;
	return true;
}
