// SPDX-License-Identifier: MIT
/*
 * Baggage: W3C, passed on as it came and never looked into. What is longer than the
 * specification asks anyone to carry, or has bytes that are not printable ASCII, is
 * not passed on.
 */
#include "propagate.h"

bool obs_baggage_valid(struct obs_bytes value)
{
	size_t i;

	for (i = 0; i < value.len; i++)
		if ((value.at[i] < ' ' || value.at[i] > '~') && value.at[i] != '\t')
			return false;
	return value.len && value.len <= OBS_BAGGAGE_MAX;
}
