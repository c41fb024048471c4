/* SPDX-License-Identifier: MIT */
/*
 * Options and words in any order: --name, --name VALUE, --name=VALUE; behind
 * "--" only words. A negative number is a word.
 */
#ifndef OBSRINGCTL_OPTIONS_H
#define OBSRINGCTL_OPTIONS_H

#include "obsringctl.h"

#define CTL_VALUES_MAX	16

/* Values of an option that may be repeated. */
struct ctl_values {
	unsigned int nr;
	const char *value[CTL_VALUES_MAX];
};

/* Exactly one of the pointers says what the option takes. */
struct ctl_option {
	const char *name;	/* without "--"; NULL ends the list */
	bool *flag;
	const char **value;
	struct ctl_values *values;
};

/*
 * Take options out of @argv, which keeps the words: their number goes to
 * @ret_words. Options of @globals are always known. @command is NULL before the
 * subcommand's name is known; parsing then ends at the first word.
 *
 * 0, or CTL_USAGE after a message.
 */
int ctl_options_parse(const struct ctl_command *command, struct ctl_globals *globals,
		      const struct ctl_option *options, int argc, char **argv,
		      int *ret_words);

/*
 * The same for a subcommand that takes exactly @nr words; another number is
 * misuse, of which @expected is the message (unused for 0).
 */
int ctl_words_parse(const struct ctl_command *command, struct ctl_globals *globals,
		    const struct ctl_option *options, int argc, char **argv, int nr,
		    const char *expected);

/* A whole number between @min and @max. */
bool ctl_number_parse(const char *text, long min, long max, long *ret_number);

/* A number of bytes above 0, with K or M behind it, which are powers of 1024. */
bool ctl_size_parse(const char *text, uint64_t *ret_size);

/* Permissions as chmod(1) takes them, in octal: some of 0777. */
bool ctl_mode_parse(const char *text, unsigned int *ret_mode);

#endif /* OBSRINGCTL_OPTIONS_H */
