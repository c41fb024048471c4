// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "faultplace.h"
#include "file.h"
#include "module.h"

#define MODULE	"obsring_points"
#define MET	"/sys/kernel/debug/obsring_points"
#define MET_MAX	16384

static uint64_t met[MET_MAX];

int places_begin(void)
{
	return module_load(MODULE, "");
}

void places_end(void)
{
	module_unload(MODULE);
}

int places_strike(uint64_t place)
{
	char text[32];

	snprintf(text, sizeof(text), "%#" PRIx64, place);
	return module_parameter_write(MODULE, "strike", text);
}

static bool is_among(uint64_t place, const uint64_t *places, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		if (places[i] == place)
			return true;
	return false;
}

int places_learn(struct places *places, unsigned int skipped, unsigned int points)
{
	/* What disarms it comes behind them. */
	long len = file_read(MET, (char *)met, sizeof(met));
	unsigned int i;

	if (len < 0)
		return (int)len;
	if ((size_t)len / sizeof(met[0]) < points)
		return -ERANGE;
	for (i = skipped; i < points; i++) {
		if (is_among(met[i], met, skipped) ||
		    is_among(met[i], places->place, places->nr))
			continue;
		if (places->nr == PLACES_MAX)
			return -ENOSPC;
		places->place[places->nr++] = met[i];
	}
	return 0;
}
