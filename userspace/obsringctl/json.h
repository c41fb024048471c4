/* SPDX-License-Identifier: MIT */
/*
 * JSON to standard output. Numbers are given as text: 64-bit integers and exact
 * decimals have more digits than a double.
 */
#ifndef OBSRINGCTL_JSON_H
#define OBSRINGCTL_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/**
 * struct json - a document in the making
 * @out: where it goes
 * @depth: open arrays and objects
 * @filled: by depth: something stands in it, so a comma comes first
 */
struct json {
	FILE *out;
	unsigned int depth;
	bool filled[8];
};

/* @key is NULL for elements of an array, and at the top. */
void json_open(struct json *json, const char *key, char bracket);
void json_close(struct json *json, char bracket);
void json_string(struct json *json, const char *key, const char *value);
/* @len bytes, any, and a NUL behind them; what is no UTF-8 becomes U+FFFD. */
void json_bytes(struct json *json, const char *key, const char *bytes, size_t len);
void json_number(struct json *json, const char *key, const char *digits);
void json_u64(struct json *json, const char *key, uint64_t value);
void json_bool(struct json *json, const char *key, bool value);

#endif /* OBSRINGCTL_JSON_H */
