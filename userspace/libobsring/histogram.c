// SPDX-License-Identifier: MIT
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <obsring.h>

/* 2^(j/8), rounded to nearest. */
static const double root[8] = {
	1.0, 0x1.172b83c7d517bp+0, 0x1.306fe0a31b715p+0, 0x1.4bfdad5362a27p+0,
	0x1.6a09e667f3bcdp+0, 0x1.8ace5422aa0dbp+0, 0x1.ae89f995ad3adp+0,
	0x1.d5818dcfba487p+0,
};

static double exponential_bound(const struct obs_family_info *family,
				unsigned int index)
{
	int eighths = family->min_log2 * 8 + (int)(index << (3 - family->schema));
	int j = eighths & 7;

	return ldexp(root[j], (eighths - j) / 8);
}

/* The double nearest to bound * 10^exp10: strtod rounds correctly. */
static double explicit_bound(const struct obs_family_info *family,
			     unsigned int index)
{
	char text[32];

	snprintf(text, sizeof(text), "%llue%d",
		 (unsigned long long)family->bound[index], family->exp10);
	return strtod(text, NULL);
}

double obs_family_bound(const struct obs_family_info *family, unsigned int index)
{
	if (index >= family->nr_bounds)
		return HUGE_VAL;
	return family->exponential ? exponential_bound(family, index) :
				     explicit_bound(family, index);
}
