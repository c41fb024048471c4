/* SPDX-License-Identifier: MIT */
/* Numbers as if by chance, the same ones in each run. */
#ifndef TESTS_RANDOM64_H
#define TESTS_RANDOM64_H

#include <linux/types.h>

__u64 random64(void);

#endif /* TESTS_RANDOM64_H */
