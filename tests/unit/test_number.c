// SPDX-License-Identifier: MIT
/* Numbers as text: exact, and bounds in OpenMetrics' canonical form. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "obsringd/number.h"

#define NR(array) (sizeof(array) / sizeof((array)[0]))

static void assert_number(const char *buffer, const char *end, const char *text)
{
	size_t len = end - buffer;

	assert_true(len <= NUMBER_MAX);
	assert_int_equal(len, strlen(text));
	assert_memory_equal(buffer, text, len);
}

static const struct {
	uint64_t value;
	int exp10;
	const char *text;
} scaled[] = {
	{ 0, 0, "0" },
	{ 7, 0, "7" },
	{ 10, 0, "10" },
	{ 99, 0, "99" },
	{ 100, 0, "100" },
	{ 12345, 0, "12345" },
	{ UINT64_MAX, 0, "18446744073709551615" },
	{ 9007199254740993, 0, "9007199254740993" },
	{ 0, -9, "0" },
	{ 1, -9, "0.000000001" },
	{ 1500000000, -9, "1.5" },
	{ 1000000000, -9, "1" },
	{ 10, -1, "1" },
	{ 1, -12, "0.000000000001" },
	{ UINT64_MAX, -9, "18446744073.709551615" },
	{ UINT64_MAX, -12, "18446744.073709551615" },
	{ UINT64_MAX, -19, "1.8446744073709551615" },
};

static void test_scaled(void **state)
{
	char buffer[NUMBER_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < NR(scaled); i++)
		assert_number(buffer, number_scaled(buffer, scaled[i].value,
						    scaled[i].exp10),
			      scaled[i].text);
}

static void test_signed(void **state)
{
	char buffer[NUMBER_MAX];

	(void)state;
	assert_number(buffer, number_scaled_signed(buffer, -5, 0), "-5");
	assert_number(buffer, number_scaled_signed(buffer, 5, 0), "5");
	assert_number(buffer, number_scaled_signed(buffer, -1500, -3), "-1.5");
	assert_number(buffer, number_scaled_signed(buffer, INT64_MIN, 0),
		      "-9223372036854775808");
	assert_number(buffer, number_scaled_signed(buffer, INT64_MIN, -12),
		      "-9223372.036854775808");
}

static const struct {
	uint64_t value;
	int exp10;
	const char *text, *with_point;
} bounds[] = {
	{ 0, 0, "0", "0.0" },
	{ 0, -9, "0", "0.0" },
	{ 1, 0, "1", "1.0" },
	{ 10000, 0, "10000", "10000.0" },
	{ 100000, 0, "100000", "100000.0" },
	{ 1000000, 0, "1e+06", "1e+06" },
	{ 1048576, 0, "1.048576e+06", "1.048576e+06" },
	{ 5, -3, "0.005", "0.005" },
	{ 2500000, -9, "0.0025", "0.0025" },
	{ 1000000000, -9, "1", "1.0" },
	{ 1, -4, "0.0001", "0.0001" },
	{ 1, -5, "1e-05", "1e-05" },
	{ 25, -6, "2.5e-05", "2.5e-05" },
	{ 1, -12, "1e-12", "1e-12" },
	{ 15, -1, "1.5", "1.5" },
	{ UINT64_MAX, 0, "1.8446744073709551615e+19", "1.8446744073709551615e+19" },
};

static void test_bound_scaled(void **state)
{
	char buffer[NUMBER_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < NR(bounds); i++) {
		assert_number(buffer, number_bound_scaled(buffer, bounds[i].value,
							  bounds[i].exp10, false),
			      bounds[i].text);
		assert_number(buffer, number_bound_scaled(buffer, bounds[i].value,
							  bounds[i].exp10, true),
			      bounds[i].with_point);
	}
}

static void test_bound_log2(void **state)
{
	char buffer[NUMBER_MAX];

	(void)state;
	assert_number(buffer, number_bound_log2(buffer, 0, true), "1.0");
	assert_number(buffer, number_bound_log2(buffer, 0, false), "1");
	assert_number(buffer, number_bound_log2(buffer, -1, true), "0.5");
	assert_number(buffer, number_bound_log2(buffer, -10, true), "0.0009765625");
	assert_number(buffer, number_bound_log2(buffer, -20, true),
		      "9.5367431640625e-07");
	assert_number(buffer, number_bound_log2(buffer, -30, true),
		      "9.313225746154785e-10");
	assert_number(buffer, number_bound_log2(buffer, 16, false), "65536");
	assert_number(buffer, number_bound_log2(buffer, 20, true), "1.048576e+06");
	assert_number(buffer, number_bound_log2(buffer, 40, true),
		      "1.099511627776e+12");
}

static void test_bound_log2_reads_back(void **state)
{
	char buffer[NUMBER_MAX + 1];
	double expected = 1;
	int k;

	(void)state;
	for (k = 0; k <= 64; k++, expected *= 2) {
		*number_bound_log2(buffer, k, true) = '\0';
		assert_true(strtod(buffer, NULL) == expected);
		*number_bound_log2(buffer, -k, true) = '\0';
		assert_true(strtod(buffer, NULL) == 1 / expected);
	}
}

/* Digit by digit what it would be if it were written as a whole. */
static void check_raise(uint64_t shown, uint64_t value, char fill)
{
	char whole[20], raised[20];

	number_fill(whole, sizeof(whole), fill, value, false, 0);
	number_fill(raised, sizeof(raised), fill, shown, false, 0);
	number_raise(raised + sizeof(raised), shown, value);
	assert_memory_equal(raised, whole, sizeof(whole));
}

static void test_raise(void **state)
{
	uint64_t from, to, power;
	unsigned int i, seed = 1;

	(void)state;
	for (from = 0; from < 1200; from++)
		for (to = from + 1; to <= 1300; to++)
			check_raise(from, to, from & 1 ? '0' : ' ');
	for (power = 1; power <= UINT64_MAX / 10; power *= 10) {
		check_raise(power - 1, power, ' ');
		check_raise(0, power, '0');
		check_raise(power, UINT64_MAX, ' ');
		for (i = 0; i < 1000; i++) {
			from = power * (rand_r(&seed) % 9) + (unsigned int)rand_r(&seed);
			to = from + 1 + (unsigned int)rand_r(&seed) % power;
			check_raise(from, to, '0');
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scaled),
		cmocka_unit_test(test_signed),
		cmocka_unit_test(test_bound_scaled),
		cmocka_unit_test(test_bound_log2),
		cmocka_unit_test(test_bound_log2_reads_back),
		cmocka_unit_test(test_raise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
