// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decimal.h"

static uint64_t power_of_10(int n)
{
	uint64_t power = 1;

	for (; n > 0; n--)
		power *= 10;
	return power;
}

const char *decimal_format(char *text, uint64_t value, int exp10)
{
	uint64_t unit = power_of_10(-exp10);
	int n;

	n = snprintf(text, DECIMAL_SIZE, "%llu", (unsigned long long)(value / unit));
	if (value % unit == 0)
		return text;
	n += snprintf(text + n, DECIMAL_SIZE - (size_t)n, ".%0*llu", -exp10,
		      (unsigned long long)(value % unit));
	while (text[n - 1] == '0')
		text[--n] = 0;
	return text;
}

const char *decimal_format_signed(char *text, int64_t value, int exp10)
{
	if (value >= 0)
		return decimal_format(text, (uint64_t)value, exp10);
	text[0] = '-';
	decimal_format(text + 1, -(uint64_t)value, exp10);
	return text;
}

/* Append a decimal digit; false if it does not fit. */
static bool digit_append(uint64_t *value, unsigned int digit)
{
	return !__builtin_mul_overflow(*value, (uint64_t)10, value) &&
	       !__builtin_add_overflow(*value, (uint64_t)digit, value);
}

static bool zeros_append(uint64_t *value, int nr)
{
	for (; nr > 0 && *value; nr--)
		if (!digit_append(value, 0))
			return false;
	return true;
}

/* "e+06", or nothing: the power of ten, of which more than this is no number's. */
static int exponent_parse(const char *text, int *ret_exponent)
{
	long exponent = 0;
	char *end;

	if (*text) {
		text++;
		if (!isdigit((unsigned char)text[*text == '-' || *text == '+']))
			return -EINVAL;
		exponent = strtol(text, &end, 10);
		if (*end)
			return -EINVAL;
	}
	if (exponent > 1000 || exponent < -1000)
		return -ERANGE;
	*ret_exponent = (int)exponent;
	return 0;
}

/* Digits with at most one point, and perhaps an exponent, in units of 10^-places. */
static int magnitude_parse(const char *text, int places, uint64_t *ret_value)
{
	int zeros = 0, exponent, r;
	bool point = false, any = false, fits = true;
	uint64_t value = 0;

	for (; *text && *text != 'e' && *text != 'E'; text++) {
		if (*text == '.' && !point) {
			point = true;
			continue;
		}
		if (!isdigit((unsigned char)*text))
			return -EINVAL;
		any = true;
		places -= point;
		/* Those at the end count as places, of which there may be too many. */
		if (*text == '0') {
			zeros++;
			continue;
		}
		fits = fits && zeros_append(&value, zeros) &&
		       digit_append(&value, (unsigned int)(*text - '0'));
		zeros = 0;
	}
	r = any ? exponent_parse(text, &exponent) : -EINVAL;
	if (r == -ERANGE && !value && fits)
		exponent = 0;
	else if (r)
		return r;
	places += zeros + exponent;
	if (!fits || (value && places < 0) || !zeros_append(&value, places))
		return -ERANGE;
	*ret_value = value;
	return 0;
}

int decimal_parse(const char *text, int exp10, uint64_t *ret_value)
{
	bool negative = *text == '-';
	uint64_t value;
	int r;

	r = magnitude_parse(text + (*text == '-' || *text == '+'), -exp10, &value);
	if (r)
		return r;
	if (negative && value > (uint64_t)INT64_MAX + 1)
		return -ERANGE;
	*ret_value = negative ? -value : value;
	return 0;
}

bool decimal_seconds(const char *text, size_t nr, uint64_t *ret_ns)
{
	char number[DECIMAL_SIZE];

	if (!nr || nr >= sizeof(number) || strspn(text, "0123456789.") < nr)
		return false;
	memcpy(number, text, nr);
	number[nr] = 0;
	return !decimal_parse(number, -9, ret_ns);
}

/* "d.ddde-05" of @digits significant digits, without the zeros at its end. */
static void scientific(char *text, double value, int digits)
{
	snprintf(text, DECIMAL_SIZE, "%.*e", digits - 1, value);
}

const char *double_format(char *text, double value)
{
	int digits, exponent;

	if (isnan(value))
		return strcpy(text, "NaN");
	if (isinf(value))
		return strcpy(text, value > 0 ? "+Inf" : "-Inf");
	for (digits = 1; digits < 17; digits++) {
		scientific(text, value, digits);
		if (strtod(text, NULL) == value)
			break;
	}
	scientific(text, value, digits);
	exponent = atoi(strchr(text, 'e') + 1);
	/* strconv.FormatFloat(f, 'g', -1, 64), which all of Prometheus uses. */
	if (exponent < -4 || exponent >= 6)
		return text;
	snprintf(text, DECIMAL_SIZE, "%.*f",
		 digits - 1 > exponent ? digits - 1 - exponent : 0, value);
	return text;
}
