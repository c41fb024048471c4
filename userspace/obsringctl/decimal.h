/* SPDX-License-Identifier: MIT */
/* Stored integers as decimal fractions, without floating point. */
#ifndef OBSRINGCTL_DECIMAL_H
#define OBSRINGCTL_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Enough for a sign, 20 digits, a point and a zero before it. */
#define DECIMAL_SIZE	40

/* @value * 10^@exp10, exactly; @exp10 is OBSRING_EXP10_MIN to 0. */
const char *decimal_format(char *text, uint64_t value, int exp10);
const char *decimal_format_signed(char *text, int64_t value, int exp10);

/*
 * The integer that stands for @text ("-1.25", "1e+06") in units of 10^@exp10, as two's
 * complement if it is negative. -EINVAL: not a number; -ERANGE: no such integer.
 */
int decimal_parse(const char *text, int exp10, uint64_t *ret_value);

/* The first @nr characters of @text, digits and points alone, as seconds to ns. */
bool decimal_seconds(const char *text, size_t nr, uint64_t *ret_ns);

/* The shortest text that reads back as @value, as Prometheus writes it. */
const char *double_format(char *text, double value);

#endif /* OBSRINGCTL_DECIMAL_H */
