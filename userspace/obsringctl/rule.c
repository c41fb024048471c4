// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <obsring/record.h>
#include <obsring/sample.h>

#include "decimal.h"
#include "rule.h"

/* Parts are integers in units of 10^-18: a percentage has 16 decimals. */
#define PART_EXP10	(-18)
#define PERCENT_EXP10	(-16)
#define PART_ONE	1000000000000000000ULL

__extension__ typedef unsigned __int128 u128;

/* Whole numbers, without a sign. */
static int number_parse(const char *text, uint64_t *ret_number)
{
	return *text >= '0' && *text <= '9' ? decimal_parse(text, 0, ret_number) : -EINVAL;
}

/* What is before @end, if @text ends so, as text of its own. */
static bool cut_end(const char *text, const char *end, char *to, size_t size)
{
	size_t n = strlen(text), m = strlen(end);

	if (n < m || n - m >= size || strcmp(text + n - m, end))
		return false;
	memcpy(to, text, n - m);
	to[n - m] = 0;
	return true;
}

/* How many of 2^56 are kept of that part of 10^18. */
static uint64_t part_kept(uint64_t part)
{
	return (uint64_t)(((u128)part * OBSRING_THRESHOLD_ONE + PART_ONE / 2) / PART_ONE);
}

/* "5%" or "0.05" to a threshold. None at all is another rule: drop. */
static int part_parse(const char *text, uint64_t *ret_threshold)
{
	char number[RULE_SIZE];
	uint64_t part;
	int r;

	if (cut_end(text, "%", number, sizeof(number)))
		r = decimal_parse(number, PERCENT_EXP10, &part);
	else if (strchr(text, '.'))
		r = decimal_parse(text, PART_EXP10, &part);
	else
		r = -EINVAL;
	if (r)
		return r;
	if (*text == '-' || part > PART_ONE || !part_kept(part))
		return -ERANGE;
	*ret_threshold = OBSRING_THRESHOLD_ONE - part_kept(part);
	return 0;
}

/* "20/s" */
static int rate_parse(const char *text, uint64_t *ret_rate)
{
	char number[RULE_SIZE];

	return cut_end(text, "/s", number, sizeof(number)) ?
	       number_parse(number, ret_rate) : -EINVAL;
}

static const struct {
	const char *prefix;
	enum obsring_rule rule;
	int (*parse)(const char *text, uint64_t *ret_value);
} forms[] = {
	{ "1:", OBSRING_RULE_ONE_IN, number_parse },
	{ "trace:", OBSRING_RULE_TRACE, part_parse },
	{ "target:", OBSRING_RULE_TARGET, rate_parse },
	{ "", OBSRING_RULE_RATE, rate_parse },
	{ "", OBSRING_RULE_PROBABILITY, part_parse },
};

int rule_parse(const char *text, enum obsring_rule *ret_rule, uint64_t *ret_value)
{
	uint64_t value = 0;
	int r = -EINVAL;
	size_t i, n;

	if (!strcmp(text, "keep") || !strcmp(text, "drop")) {
		*ret_rule = *text == 'k' ? OBSRING_RULE_KEEP : OBSRING_RULE_DROP;
		*ret_value = 0;
		return 0;
	}
	for (i = 0; i < sizeof(forms) / sizeof(forms[0]) && r == -EINVAL; i++) {
		n = strlen(forms[i].prefix);
		if (strncmp(text, forms[i].prefix, n))
			continue;
		r = forms[i].parse(text + n, &value);
		if (!r && !obs_sample_valid(forms[i].rule, value))
			r = -ERANGE;
		if (!r) {
			*ret_rule = forms[i].rule;
			*ret_value = value;
		}
	}
	return r;
}

/* The shortest percentage that reads back as @threshold. */
static void part_format(char *text, uint64_t threshold)
{
	uint64_t keep = OBSRING_THRESHOLD_ONE - threshold, unit = PART_ONE, part, rounded;
	size_t n;

	part = (uint64_t)(((u128)keep * PART_ONE + OBSRING_THRESHOLD_ONE / 2) /
			  OBSRING_THRESHOLD_ONE);
	do {
		unit /= 10;
		rounded = unit > 1 ? (part + unit / 2) / unit * unit : part;
	} while (unit > 1 && part_kept(rounded) != keep);
	decimal_format(text, rounded, PERCENT_EXP10);
	n = strlen(text);
	strcpy(text + n, "%");
}

const char *rule_format(char *text, enum obsring_rule rule, uint64_t value)
{
	unsigned long long number = value;

	switch (rule) {
	case OBSRING_RULE_KEEP:
		return strcpy(text, "keep");
	case OBSRING_RULE_DROP:
		return strcpy(text, "drop");
	case OBSRING_RULE_ONE_IN:
		snprintf(text, RULE_SIZE, "1:%llu", number);
		return text;
	case OBSRING_RULE_PROBABILITY:
		part_format(text, value);
		return text;
	case OBSRING_RULE_TRACE:
		part_format(stpcpy(text, "trace:"), value);
		return text;
	case OBSRING_RULE_RATE:
		snprintf(text, RULE_SIZE, "%llu/s", number);
		return text;
	case OBSRING_RULE_TARGET:
		snprintf(text, RULE_SIZE, "target:%llu/s", number);
		return text;
	default:
		return strcpy(text, "none");
	}
}

/* A level by its name or number; false: it is none. */
static bool level_parse(const char *text, int *ret_level)
{
	int level;

	for (level = 0; level <= 7; level++)
		if (!strcmp(text, obs_level_name((uint8_t)level)) ||
		    (text[0] == '0' + level && !text[1])) {
			*ret_level = level;
			return true;
		}
	return false;
}

int rule_target_parse(const char *text, struct obs_sample_info *sample)
{
	const char *colon = strrchr(text, ':');
	int level = OBS_SAMPLE_NO_LEVEL;
	size_t n = strlen(text);

	if (colon && (!colon[1] || level_parse(colon + 1, &level)))
		n = (size_t)(colon - text);
	if (!n)
		return -EINVAL;
	if (n >= sizeof(sample->source))
		return -ENAMETOOLONG;
	memcpy(sample->source, text, n);
	sample->source[n] = 0;
	sample->level = level;
	return 0;
}
