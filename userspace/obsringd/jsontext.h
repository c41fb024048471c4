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

/* The same of any bytes, which a NUL follows; those within become U+0000. */
void jsontext_bytes(struct text *json, const char *key, const char *bytes, size_t nr);

/* JSON that is there already. */
void jsontext_raw(struct text *json, const char *key, const char *value, size_t len);
void jsontext_number(struct text *json, const char *key, uint64_t value);
void jsontext_bool(struct text *json, const char *key, bool value);

#endif /* OBSRINGD_JSONTEXT_H */
