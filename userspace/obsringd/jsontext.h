/* SPDX-License-Identifier: MIT */
/*
 * JSON, written piece by piece; commas are put where they are due.
 */
#ifndef OBSRINGD_JSONTEXT_H
#define OBSRINGD_JSONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "text.h"

/* @bracket: { or [, } or ]. @key: NULL in a list, and outside. */
void jsontext_open(struct text *json, const char *key, char bracket);
void jsontext_close(struct text *json, char bracket);

/* What is no UTF-8 becomes U+FFFD. */
void jsontext_string(struct text *json, const char *key, const char *value);
void jsontext_number(struct text *json, const char *key, uint64_t value);
void jsontext_bool(struct text *json, const char *key, bool value);

#endif /* OBSRINGD_JSONTEXT_H */
