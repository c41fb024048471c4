// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "decimal.h"
#include "duration.h"
#include "since.h"

#define SECOND	1000000000LL

static int ago_parse(const char *text, uint64_t now_ns, uint64_t *ret_ns)
{
	uint64_t ago;
	int r = duration_parse(text, &ago);

	if (r)
		return r;
	*ret_ns = now_ns > ago ? now_ns - ago : 0;
	return 0;
}

/* Text as the pattern: 9 is a digit, which goes to the next number; "T" takes " ". */
static bool pattern_match(const char **text, const char *pattern, int *number)
{
	const char *p = *text;

	for (; *pattern; pattern++, p++) {
		if (*pattern == '9' && isdigit((unsigned char)*p))
			*number = *number * 10 + (*p - '0');
		else if (*pattern == '9' || (*pattern != toupper((unsigned char)*p) &&
					     !(*pattern == 'T' && *p == ' ')))
			return false;
		if (*pattern == '9' && pattern[1] != '9')
			number++;
	}
	*text = p;
	return true;
}

/* "Z", or what is to be subtracted from the time to have UTC. */
static bool offset_parse(const char *text, int *ret_seconds)
{
	int number[2] = { 0 }, sign = *text == '-' ? -1 : 1;

	if ((*text == 'Z' || *text == 'z') && !text[1]) {
		*ret_seconds = 0;
		return true;
	}
	if (*text != '+' && *text != '-')
		return false;
	text++;
	if (!pattern_match(&text, "99:99", number) || *text || number[0] > 23 ||
	    number[1] > 59)
		return false;
	*ret_seconds = sign * (number[0] * 3600 + number[1] * 60);
	return true;
}

static int rfc3339_parse(const char *text, uint64_t *ret_ns)
{
	int number[6] = { 0 }, offset;
	uint64_t fraction = 0;
	struct tm tm, given;
	int64_t seconds;
	size_t n;

	if (!pattern_match(&text, "9999-99-99T99:99:99", number))
		return -EINVAL;
	if (*text == '.') {
		n = 1 + strspn(text + 1, "0123456789");
		if (n == 1 || !decimal_seconds(text, n, &fraction))
			return -EINVAL;
		text += n;
	}
	if (!offset_parse(text, &offset))
		return -EINVAL;
	given = (struct tm){ .tm_year = number[0] - 1900, .tm_mon = number[1] - 1,
			     .tm_mday = number[2], .tm_hour = number[3],
			     .tm_min = number[4], .tm_sec = number[5] };
	tm = given;
	seconds = timegm(&tm);
	/* The 31st of June would be the 1st of July. */
	if (tm.tm_mon != given.tm_mon || tm.tm_mday != given.tm_mday ||
	    tm.tm_hour != given.tm_hour || tm.tm_min != given.tm_min ||
	    tm.tm_sec != given.tm_sec)
		return -EINVAL;
	seconds -= offset;
	if (seconds > INT64_MAX / SECOND - 1)
		return -EINVAL;
	*ret_ns = seconds < 0 ? 0 : (uint64_t)(seconds * SECOND) + fraction;
	return 0;
}

int since_parse(const char *text, uint64_t now_ns, uint64_t *ret_ns)
{
	if (*text == '@')
		return decimal_seconds(text + 1, strlen(text + 1), ret_ns) ? 0 : -EINVAL;
	if (strchr(text, ':'))
		return rfc3339_parse(text, ret_ns);
	return ago_parse(text, now_ns, ret_ns);
}
