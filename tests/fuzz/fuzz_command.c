// SPDX-License-Identifier: MIT
/*
 * libFuzzer: command lines, a line of the input a word. obsringctl's options and words are
 * taken apart, and what is left taken apart again is the same; descriptions of metrics,
 * probes and series that come of them are within their bounds, and so are sizes and modes.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "obsringctl/family.h"
#include "obsringctl/probe.h"
#include "obsringctl/produce.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WORDS_MAX	24

static const struct ctl_command command = { .name = "fuzz", .usage = "", .maps = true };

static void require(int holds)
{
	if (!holds)
		abort();
}

/* What is wrong is printed, for which nobody asks here. */
static void mute(void)
{
	static FILE *nowhere;

	if (nowhere)
		return;
	nowhere = fopen("/dev/null", "w");
	require(nowhere != NULL);
	stderr = nowhere;
}

static int words_of(char *text, char **word)
{
	char *save, *at;
	int nr = 0;

	for (at = strtok_r(text, "\n", &save); at && nr < WORDS_MAX;
	     at = strtok_r(NULL, "\n", &save))
		word[nr++] = at;
	return nr;
}

/* All that some command takes. */
struct given {
	struct family_options family;
	struct probe_options probe;
	struct ctl_globals globals;
};

static int parse(struct given *given, int argc, char **argv, int *words)
{
	const struct ctl_option options[] = {
		{ "kind", NULL, &given->family.kind, NULL },
		{ "help-text", NULL, &given->family.help, NULL },
		{ "unit", NULL, &given->family.unit, NULL },
		{ "label", NULL, NULL, &given->family.label },
		{ "set", &given->family.set, NULL, NULL },
		{ "exp10", NULL, &given->family.exp10, NULL },
		{ "bounds", NULL, &given->family.bounds, NULL },
		{ "schema", NULL, &given->family.schema, NULL },
		{ "min-log2", NULL, &given->family.min_log2, NULL },
		{ "max-log2", NULL, &given->family.max_log2, NULL },
		{ "as", NULL, &given->probe.as, NULL },
		{ "sample", NULL, &given->probe.sample, NULL },
		{ NULL, NULL, NULL, NULL },
	};

	memset(given, 0, sizeof(*given));
	return ctl_options_parse(&command, &given->globals, options, argc, argv, words);
}

/* Behind "--" only words: nothing is left to be taken. */
static void words_check(char **word, int nr)
{
	char *again[WORDS_MAX + 1] = { (char *)"--" };
	struct given given, none;
	int words, i;

	memcpy(again + 1, word, (size_t)nr * sizeof(*word));
	require(!parse(&given, nr + 1, again, &words) && words == nr);
	for (i = 0; i < nr; i++)
		require(again[i] == word[i]);
	memset(&none, 0, sizeof(none));
	require(!memcmp(&given, &none, sizeof(none)));
}

static void family_check(const struct family_options *options, const char *name)
{
	uint64_t bound[OBSRING_BOUNDS_MAX];
	struct obs_family_spec spec;

	if (family_from_options(&command, name, options, bound, &spec))
		return;
	require(spec.kind && spec.kind <= OBSRING_KIND_MAX && spec.name == name);
	require(spec.exp10 <= 0 && spec.exp10 >= OBSRING_EXP10_MIN);
	require(spec.nr_bounds <= OBSRING_BOUNDS_MAX && (!spec.nr_bounds || spec.bound == bound));
	require(spec.nr_labels <= OBSRING_LABELS_MAX);
	require(spec.schema >= 0 && spec.schema <= OBSRING_SCHEMA_MAX);
	require(spec.min_log2 >= OBSRING_LOG2_MIN && spec.max_log2 <= OBSRING_LOG2_MAX);
	require(spec.kind == OBSRING_KIND_HISTOGRAM || (!spec.nr_bounds && !spec.schema));
}

static void probe_check(const struct probe_options *options, int nr, char **word)
{
	struct obs_probe_info probe;

	if (probe_from_words(&command, nr, word, options, &probe))
		return;
	require(probe.type && probe.type <= OBSRING_PROBE_MAX);
	require(!strcmp(probe.name, options->as) && !strcmp(probe.target, word[1]));
	require(probe.sample >= 1 && probe.sample <= 1 << 20);
	require(probe.kind != OBSRING_KIND_HISTOGRAM || probe.type == OBSRING_PROBE_KRETPROBE);
}

static void series_check(const struct family_options *options, const char *text)
{
	struct family_options given = *options;
	struct produce_series series;

	if (!given.kind)
		given.kind = "counter";
	if (produce_parse(&command, text, &given, &series))
		return;
	require(series.spec.nr_labels == series.selector.nr && *series.spec.name);
	require(series.spec.nr_labels <= OBSRING_LABELS_MAX - 2);
	produce_free(&series);
}

/* The same number, said in another way, is the same. */
static void sizes_check(const char *text)
{
	unsigned int mode, mode_again;
	uint64_t bytes, again;
	char other[32];

	if (ctl_size_parse(text, &bytes)) {
		require(bytes && strchr("0123456789", *text));
		snprintf(other, sizeof(other), "%llu", (unsigned long long)bytes);
		require(ctl_size_parse(other, &again) && again == bytes);
		snprintf(other, sizeof(other), "%lluk", (unsigned long long)bytes);
		require(ctl_size_parse(other, &again) == !(bytes >> 54));
		require(bytes >> 54 || again == bytes << 10);
	}
	if (ctl_mode_parse(text, &mode)) {
		require(mode && mode <= 0777);
		snprintf(other, sizeof(other), "0%o", mode);
		require(ctl_mode_parse(other, &mode_again) && mode_again == mode);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *word[WORDS_MAX], *command_word[WORDS_MAX];
	struct given given;
	int nr, words, i;

	require(text != NULL);
	mute();
	memcpy(text, data, size);
	text[size] = '\0';
	nr = words_of(text, word);
	memcpy(command_word, word, sizeof(word));
	if (ctl_command_find(nr, command_word, &words))
		require(words >= 1 && words <= 2 && words <= nr);
	for (i = 0; i < nr; i++)
		sizes_check(word[i]);
	if (!parse(&given, nr, word, &words)) {
		require(words >= 0 && words <= nr);
		words_check(word, words);
		probe_check(&given.probe, words, word);
		for (i = 0; i < words; i++) {
			family_check(&given.family, word[i]);
			series_check(&given.family, word[i]);
		}
	}
	free(text);
	return 0;
}
