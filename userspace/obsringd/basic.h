/* SPDX-License-Identifier: MIT */
/*
 * The header Authorization of the Basic scheme, RFC 7617.
 */
#ifndef OBSRINGD_BASIC_H
#define OBSRINGD_BASIC_H

#include <stdbool.h>
#include <stddef.h>

#define BASIC_BYTES_MAX 512	/* of name, colon and password: as much as crypt(3) takes */

struct basic {
	char text[BASIC_BYTES_MAX + 1];	/* name, NUL, password, NUL */
	const char *name;
	const char *password;
};

/* False: another scheme, no base64, no colon, a NUL in it, or too long. */
bool basic_parse(const char *header, struct basic *ret_basic);

#endif /* OBSRINGD_BASIC_H */
