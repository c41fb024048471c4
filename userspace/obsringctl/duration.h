/* SPDX-License-Identifier: MIT */
/* A length of time, as people give it: 10m, 1.5h, 1d12h; s, m, h, d. */
#ifndef OBSRINGCTL_DURATION_H
#define OBSRINGCTL_DURATION_H

#include <stdint.h>

#define DURATION_SIZE	32

/* In ns. -EINVAL: it is none, or above 584 years. */
int duration_parse(const char *text, uint64_t *ret_ns);

/* Whole seconds: "1d12h", "0s". */
const char *duration_format(char *text, uint64_t seconds);

#endif /* OBSRINGCTL_DURATION_H */
