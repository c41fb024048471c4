// SPDX-License-Identifier: MIT
/*
 * libFuzzer: any configuration file, and any command line (a word a line), is taken or
 * refused with a reason; what was taken, said again as a command line, is the same.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "obsringd/options.h"
#include "door.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WORDS_MAX	32

static char program[] = "obsringd";

/* As a command line. */
struct said {
	char *word[OPTIONS_MAX + LISTEN_MAX + 1];
	int nr;
};

static void require(int holds)
{
	if (!holds)
		abort();
}

static void say(struct said *said, const char *name, const char *value, size_t len)
{
	require(said->nr < OPTIONS_MAX + LISTEN_MAX);
	require(asprintf(&said->word[said->nr++], "--%s=%.*s", name, (int)len, value) > 0);
}

/* Addresses are said one by one. */
static void take_option(void *context, const char *name, const char *value)
{
	size_t len;

	require(*name && value);
	if (!strcmp(name, "config.file"))
		return;
	if (strcmp(name, "web.listen-address")) {
		say(context, name, value, strlen(value));
		return;
	}
	for (; *value; value += len + (value[len] == ',')) {
		len = strcspn(value, ",");
		say(context, name, value, len);
	}
}

static void said_free(struct said *said)
{
	while (said->nr)
		free(said->word[--said->nr]);
}

/* Has no address a comma, and is there room to say them all? */
static bool is_plain(const struct options *options)
{
	size_t len = 0;
	unsigned int i;

	for (i = 0; i < options->nr_listen; i++) {
		if (strchr(options->listen_text[i], ','))
			return false;
		len += strlen(options->listen_text[i]) + 1;
	}
	return len < 4096;
}

static void again(const struct options *options)
{
	struct said first = { .nr = 0 }, second = { .nr = 0 };
	char *argv[OPTIONS_MAX + LISTEN_MAX + 2] = { program };
	char reason[OPTIONS_REASON_MAX];
	static struct options other;
	int i;

	require(options->nr_listen && options->max_requests && options->max_connections);
	options_each(options, take_option, &first);
	if (is_plain(options)) {
		memcpy(argv + 1, first.word, (size_t)first.nr * sizeof(*argv));
		require(options_read(&other, first.nr + 1, argv, reason) == OPTIONS_RUN);
		options_each(&other, take_option, &second);
		require(second.nr == first.nr);
		for (i = 0; i < first.nr; i++)
			require(!strcmp(first.word[i], second.word[i]));
	}
	said_free(&first);
	said_free(&second);
}

static void file(const uint8_t *data, size_t size)
{
	char *argv[] = { program, NULL };
	char reason[OPTIONS_REASON_MAX];
	static struct options options;
	struct conf conf;

	require(options_read(&options, 1, argv, reason) == OPTIONS_RUN);
	if (conf_parse(&conf, "f", (const char *)data, size) < 0) {
		require(!strncmp(conf.reason, "f:", 2));
		return;
	}
	if (options_take_conf(&options, &conf) < 0) {
		require(!strncmp(conf.reason, "f:", 2));
	} else {
		door_pass();
		again(&options);
	}
	conf_free(&conf);
}

static void command_line(char *text)
{
	char *argv[WORDS_MAX + 2] = { program }, *word, *save;
	char reason[OPTIONS_REASON_MAX];
	static struct options options;
	int nr = 1;

	for (word = strtok_r(text, "\n", &save); word && nr <= WORDS_MAX;
	     word = strtok_r(NULL, "\n", &save)) {
		/* These print, and a file may be any. */
		if (!strncmp(word, "--h", 3) || !strncmp(word, "--v", 3) ||
		    !strncmp(word, "-h", 2) || !strncmp(word, "--c", 3))
			return;
		argv[nr++] = word;
	}
	switch (options_read(&options, nr, argv, reason)) {
	case OPTIONS_RUN:
		again(&options);
		options_free(&options);
		break;
	case OPTIONS_USAGE:
		require(*reason && strnlen(reason, sizeof(reason)) < sizeof(reason));
		break;
	default:
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	require(text != NULL);
	door_watch();
	memcpy(text, data, size);
	text[size] = '\0';
	file(data, size);
	command_line(text);
	free(text);
	return 0;
}
