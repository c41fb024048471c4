// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "decimal.h"
#include "duration.h"

static const struct {
	char name;
	uint64_t seconds;
} units[] = { { 'd', 86400 }, { 'h', 3600 }, { 'm', 60 }, { 's', 1 } };

#define NR_UNITS	(sizeof(units) / sizeof(units[0]))

int duration_parse(const char *text, uint64_t *ret_ns)
{
	uint64_t part, sum = 0;
	size_t n, i;

	do {
		n = strspn(text, "0123456789.");
		for (i = 0; i < NR_UNITS; i++)
			if (units[i].name == text[n])
				break;
		if (i == NR_UNITS || !decimal_seconds(text, n, &part) ||
		    __builtin_mul_overflow(part, units[i].seconds, &part) ||
		    __builtin_add_overflow(sum, part, &sum))
			return -EINVAL;
		text += n + 1;
	} while (*text);
	*ret_ns = sum;
	return 0;
}

const char *duration_format(char *text, uint64_t seconds)
{
	size_t len = 0, i;

	for (i = 0; i < NR_UNITS; i++) {
		if (seconds >= units[i].seconds)
			len += (size_t)snprintf(text + len, DURATION_SIZE - len, "%llu%c",
						(unsigned long long)(seconds /
								     units[i].seconds),
						units[i].name);
		seconds %= units[i].seconds;
	}
	return len ? text : strcpy(text, "0s");
}
