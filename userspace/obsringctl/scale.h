/* SPDX-License-Identifier: MIT */
/* Stored units of metrics that processes make: integers, fine enough for what is told. */
#ifndef OBSRINGCTL_SCALE_H
#define OBSRINGCTL_SCALE_H

#include <stddef.h>

/*
 * The unit that a metric's name ends with, before "_total", if it is one that
 * Prometheus knows: "seconds" of "backup_duration_seconds". NULL: none of them.
 */
const char *scale_unit_of_name(const char *name);

/* As text, what to multiply a stored integer by: 10 to this power. "0" by default. */
const char *scale_exp10(const char *unit);

#endif /* OBSRINGCTL_SCALE_H */
