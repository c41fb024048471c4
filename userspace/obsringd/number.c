// SPDX-License-Identifier: MIT
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"

static const char two_digits[] =
	"00010203040506070809"
	"10111213141516171819"
	"20212223242526272829"
	"30313233343536373839"
	"40414243444546474849"
	"50515253545556575859"
	"60616263646566676869"
	"70717273747576777879"
	"80818283848586878889"
	"90919293949596979899";

static const uint64_t power_of_10[] = {
	1ULL,
	10ULL,
	100ULL,
	1000ULL,
	10000ULL,
	100000ULL,
	1000000ULL,
	10000000ULL,
	100000000ULL,
	1000000000ULL,
	10000000000ULL,
	100000000000ULL,
	1000000000000ULL,
	10000000000000ULL,
	100000000000000ULL,
	1000000000000000ULL,
	10000000000000000ULL,
	100000000000000000ULL,
	1000000000000000000ULL,
	10000000000000000000ULL,
};

#define DIGITS_MAX NUMBER_DIGITS

/* Digits that end at @p; where they begin. */
static char *put_before(char *p, uint64_t value)
{
	while (value >= 100) {
		p -= 2;
		memcpy(p, two_digits + value % 100 * 2, 2);
		value /= 100;
	}
	if (value >= 10) {
		p -= 2;
		memcpy(p, two_digits + value * 2, 2);
	} else {
		*--p = '0' + value;
	}
	return p;
}

void number_raise(char *end, uint64_t shown, uint64_t value)
{
	for (; value != shown && value >= 10; value /= 100, shown /= 100) {
		end -= 2;
		memcpy(end, two_digits + value % 100 * 2, 2);
	}
	if (value != shown)
		*--end = '0' + value;
}

char *number_u64(char *out, uint64_t value)
{
	char buffer[DIGITS_MAX], *p = put_before(buffer + DIGITS_MAX, value);
	size_t len = buffer + DIGITS_MAX - p;

	memcpy(out, p, len);
	return out + len;
}

/* "." and the @places digits of @fraction, without the zeros at their end. */
static char *put_fraction(char *out, uint64_t fraction, int places)
{
	char *p;

	*out++ = '.';
	for (p = out + places; p > out; fraction /= 10)
		*--p = '0' + fraction % 10;
	for (out += places; out[-1] == '0'; out--)
		;
	return out;
}

char *number_scaled(char *out, uint64_t value, int exp10)
{
	uint64_t fraction;

	if (!exp10)
		return number_u64(out, value);
	fraction = value % power_of_10[-exp10];
	out = number_u64(out, value / power_of_10[-exp10]);
	return fraction ? put_fraction(out, fraction, -exp10) : out;
}

char *number_scaled_signed(char *out, int64_t value, int exp10)
{
	if (value >= 0)
		return number_scaled(out, value, exp10);
	*out++ = '-';
	return number_scaled(out, -(uint64_t)value, exp10);
}

static void fill_signed(char *out, unsigned int width, char fill, int64_t value,
			int exp10)
{
	char number[NUMBER_MAX];
	unsigned int len = number_scaled_signed(number, value, exp10) - number;

	memset(out, fill, width - len);
	memcpy(out + width - len, number, len);
	if (fill == '0' && number[0] == '-') {
		out[width - len] = '0';
		out[0] = '-';
	}
}

void number_fill(char *out, unsigned int width, char fill, uint64_t value,
		 bool negative, int exp10)
{
	char number[NUMBER_MAX], *start;
	unsigned int len;

	if (negative && (int64_t)value < 0) {
		fill_signed(out, width, fill, (int64_t)value, exp10);
		return;
	}
	if (!exp10) {
		start = put_before(out + width, value);
		memset(out, fill, start - out);
		return;
	}
	len = number_scaled(number, value, exp10) - number;
	memset(out, fill, width - len);
	memcpy(out + width - len, number, len);
}

/* Wider than a double, so that there is one rounding that counts. */
double number_double(uint64_t value, int exp10)
{
	return (double)((long double)value / (long double)power_of_10[-exp10]);
}

double number_double_signed(int64_t value, int exp10)
{
	return value < 0 ? -number_double(-(uint64_t)value, exp10) :
			   number_double(value, exp10);
}

static char *put(char *out, const char *data, size_t len)
{
	memcpy(out, data, len);
	return out + len;
}

static char *put_zeros(char *out, int nr)
{
	memset(out, '0', nr);
	return out + nr;
}

/* @nr digits d.ddd times 10^@exponent, as 1.5e-05. */
static char *put_exponential(char *out, const char *digits, int nr, int exponent)
{
	unsigned int size = abs(exponent);

	*out++ = digits[0];
	if (nr > 1) {
		*out++ = '.';
		out = put(out, digits + 1, nr - 1);
	}
	*out++ = 'e';
	*out++ = exponent < 0 ? '-' : '+';
	return put(out, two_digits + size * 2, 2);
}

/* The same as 0.00015, 150 or 1.5. */
static char *put_positional(char *out, const char *digits, int nr, int exponent,
			    bool point)
{
	int whole = exponent + 1;

	if (whole <= 0) {
		out = put(out, "0.", 2);
		out = put_zeros(out, -whole);
		return put(out, digits, nr);
	}
	if (nr <= whole) {
		out = put(out, digits, nr);
		out = put_zeros(out, whole - nr);
		return point ? put(out, ".0", 2) : out;
	}
	out = put(out, digits, whole);
	*out++ = '.';
	return put(out, digits + whole, nr - whole);
}

/* The rule that Go's strconv ('g', -1) and with it all of Prometheus follows. */
static char *put_canonical(char *out, const char *digits, int nr, int exponent,
			   bool point)
{
	while (nr > 1 && digits[nr - 1] == '0')
		nr--;
	if (exponent < -4 || exponent >= 6)
		return put_exponential(out, digits, nr, exponent);
	return put_positional(out, digits, nr, exponent, point);
}

char *number_bound_scaled(char *out, uint64_t value, int exp10, bool point)
{
	char digits[DIGITS_MAX];
	int nr = number_u64(digits, value) - digits;

	if (!value)
		exp10 = 0;
	return put_canonical(out, digits, nr, nr - 1 + exp10, point);
}

#define DOUBLE_DIGITS_MAX 17	/* enough for any double to read back */

/*
 * The fewest digits d.ddd times 10^exponent that read back as @value, which is
 * positive. Slow: for the bounds of a new family, not for values.
 */
static int shortest_digits(double value, char *digits, int *ret_exponent)
{
	char text[DOUBLE_DIGITS_MAX + 16];
	int nr;

	for (nr = 1; nr <= DOUBLE_DIGITS_MAX; nr++) {
		snprintf(text, sizeof(text), "%.*e", nr - 1, value);
		if (strtod(text, NULL) == value)
			break;
	}
	digits[0] = text[0];
	if (nr > 1)
		memcpy(digits + 1, text + 2, nr - 1);
	*ret_exponent = atoi(strchr(text, 'e') + 1);
	return nr;
}

char *number_bound_log2(char *out, int log2, bool point)
{
	char digits[DOUBLE_DIGITS_MAX];
	int nr, exponent;

	nr = shortest_digits(ldexp(1.0, log2), digits, &exponent);
	return put_canonical(out, digits, nr, exponent, point);
}
