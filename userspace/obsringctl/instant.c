// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "decimal.h"
#include "instant.h"

#define SECOND_NS	1000000000ULL

/* "17.5" to ns. */
static int seconds_parse(const char *text, uint64_t *ret_ns)
{
	if (*text < '0' || *text > '9')
		return -EINVAL;
	return decimal_parse(text, -9, ret_ns);
}

/* Does a date stand for itself? timegm() takes the 31st of April for May. */
static bool date_valid(const struct tm *given)
{
	struct tm tm = *given;

	return timegm(&tm) != -1 && tm.tm_year == given->tm_year &&
	       tm.tm_mon == given->tm_mon && tm.tm_mday == given->tm_mday;
}

static int utc_parse(const char *text, uint64_t *ret_ns)
{
	char fraction[INSTANT_SIZE] = "0";
	struct tm tm = { 0 };
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	uint64_t ns;
	size_t n;
	int r;

	if (!end || !date_valid(&tm) || tm.tm_sec > 59)
		return -EINVAL;
	n = strlen(end);
	if (!n || n >= sizeof(fraction) || end[n - 1] != 'Z' ||
	    (n > 1 && (end[0] != '.' || n == 2)))
		return -EINVAL;
	memcpy(fraction + 1, end, n - 1);
	fraction[n] = 0;
	r = seconds_parse(fraction, &ns);
	if (r)
		return r;
	/* 2262 is where 63 bits of nanoseconds end. */
	if (timegm(&tm) < 0 || tm.tm_year >= 2262 - 1900)
		return -ERANGE;
	*ret_ns = (uint64_t)timegm(&tm) * SECOND_NS + ns;
	return 0;
}

int instant_parse(const char *text, uint64_t now_ns, uint64_t *ret_ns)
{
	uint64_t ns;
	int r;

	if (*text == '@' || *text == '+')
		r = seconds_parse(text + 1, &ns);
	else
		r = utc_parse(text, &ns);
	if (r)
		return r;
	if (*text == '+')
		ns = ns > INT64_MAX ? ns : ns + now_ns;
	if (ns > INT64_MAX)
		return -ERANGE;
	*ret_ns = ns;
	return 0;
}

const char *instant_format(char *text, uint64_t ns)
{
	time_t seconds = (time_t)(ns / SECOND_NS);
	struct tm tm;
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(text, INSTANT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, INSTANT_SIZE - n, ".%09uZ", (unsigned int)(ns % SECOND_NS));
	return text;
}
