/* SPDX-License-Identifier: MIT */
/* What event_cost.c and sleep_cost.c have in common: their arguments and medians. */
#ifndef COST_H
#define COST_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* A number from 1 to a million, or the end of @program. */
static long number(const char *program, const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (*end || n < 1 || n > 1000000) {
		fprintf(stderr, "%s: not a number from 1 to 1000000: %s\n", program, text);
		exit(2);
	}
	return n;
}

#endif /* COST_H */
