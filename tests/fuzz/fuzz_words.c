// SPDX-License-Identifier: MIT
/*
 * libFuzzer: words of obsringctl's command line: numbers, lengths of time, times, rules
 * and what they are about, URLs. Each is one or is refused; what was taken and is said
 * again is taken for the same.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "obsringctl/decimal.h"
#include "obsringctl/doctor.h"
#include "obsringctl/duration.h"
#include "obsringctl/instant.h"
#include "obsringctl/options.h"
#include "obsringctl/rule.h"
#include "obsringctl/since.h"
#include "obsringd/number.h"

#define NOW_NS 1795364057500000000ULL

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int ok)
{
	if (!ok)
		abort();
}

static void try_decimal(const char *text)
{
	char again[DECIMAL_SIZE];
	uint64_t value, back;
	int exp10;

	for (exp10 = OBSRING_EXP10_MIN; exp10 <= 0; exp10++) {
		if (decimal_parse(text, exp10, &value))
			continue;
		if (strchr(text, '-') && (int64_t)value < 0)
			decimal_format_signed(again, (int64_t)value, exp10);
		else
			decimal_format(again, value, exp10);
		check(!decimal_parse(again, exp10, &back) && back == value);
		/* The daemon writes it as another program does. */
		*number_scaled(again, value, exp10) = '\0';
		check(!decimal_parse(again, exp10, &back) && back == value);
	}
}

static void try_duration(const char *text)
{
	char again[DURATION_SIZE];
	uint64_t ns, back;

	if (duration_parse(text, &ns))
		return;
	duration_format(again, ns / 1000000000);
	check(!duration_parse(again, &back) && back == ns / 1000000000 * 1000000000);
}

static void try_instant(const char *text)
{
	char again[INSTANT_SIZE];
	uint64_t ns, back;

	if (!instant_parse(text, NOW_NS, &ns)) {
		instant_format(again, ns);
		check(!instant_parse(again, NOW_NS, &back) && back == ns);
	}
	if (since_parse(text, NOW_NS, &ns))
		return;
	/* A length of time is before now; a time is one that can be told again. */
	check(*text == '@' || strchr(text, ':') || ns <= NOW_NS);
	snprintf(again, sizeof(again), "@%llu.%09llu", (unsigned long long)(ns / 1000000000),
		 (unsigned long long)(ns % 1000000000));
	check(!since_parse(again, NOW_NS, &back) && back == ns);
}

static void try_rule(const char *text)
{
	struct obs_sample_info sample = { .level = 0 };
	char again[RULE_SIZE];
	enum obsring_rule rule, rule_back;
	uint64_t value, back;

	if (!rule_parse(text, &rule, &value)) {
		rule_format(again, rule, value);
		check(!rule_parse(again, &rule_back, &back) && rule_back == rule);
		check(back == value || rule == OBSRING_RULE_PROBABILITY ||
		      rule == OBSRING_RULE_TRACE);
	}
	if (!rule_target_parse(text, &sample))
		check(*sample.source && strlen(sample.source) <= OBSRING_NAME_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	long number = 5;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	try_decimal(text);
	try_duration(text);
	try_instant(text);
	try_rule(text);
	doctor_url_valid(text);
	if (ctl_number_parse(text, -3, 1000, &number))
		check(number >= -3 && number <= 1000);
	free(text);
	return 0;
}
