// SPDX-License-Identifier: MIT
#include "random64.h"

__u64 random64(void)
{
	static __u64 seed = 0x9e3779b97f4a7c15ULL;

	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}
