// SPDX-License-Identifier: MIT
#include <string.h>

#include "scale.h"

/*
 * Prometheus' base units. 64 bits of nanoseconds are 292 years with a sign; what is
 * measured by instruments has six decimals at most.
 */
static const struct {
	const char *unit, *exp10;
} scales[] = {
	{ "seconds", "-9" },
	{ "ratio", "-9" },
	{ "celsius", "-6" },
	{ "kelvin", "-6" },
	{ "meters", "-6" },
	{ "grams", "-6" },
	{ "volts", "-6" },
	{ "amperes", "-6" },
	{ "joules", "-6" },
	{ "watts", "-6" },
	{ "hertz", "-6" },
	{ "bytes", "0" },
};

#define NR_SCALES	(sizeof(scales) / sizeof(scales[0]))

const char *scale_unit_of_name(const char *name)
{
	static const char total[] = "_total";
	size_t len = strlen(name), n, i;

	if (len > strlen(total) && !strcmp(name + len - strlen(total), total))
		len -= strlen(total);
	for (i = 0; i < NR_SCALES; i++) {
		n = strlen(scales[i].unit);
		if (len > n && name[len - n - 1] == '_' &&
		    !memcmp(name + len - n, scales[i].unit, n))
			return scales[i].unit;
	}
	return NULL;
}

const char *scale_exp10(const char *unit)
{
	size_t i;

	for (i = 0; unit && i < NR_SCALES; i++)
		if (!strcmp(scales[i].unit, unit))
			return scales[i].exp10;
	return "0";
}
