/* SPDX-License-Identifier: MIT */
/*
 * Names as a format may show them: Prometheus' escaping schemes, of which a
 * client chooses one.
 */
#ifndef OBSRINGD_ESCAPE_H
#define OBSRINGD_ESCAPE_H

#include <stdbool.h>

#include <obsring.h>

enum escaping {
	ESCAPE_UNDERSCORES,	/* _ for each character that is not classic */
	ESCAPE_DOTS,		/* as it, but _dot_ for a dot, __ for _ and others */
	ESCAPE_VALUES,		/* U__ and each other character's code, as _2e_ */
	ESCAPE_NONE,		/* allow-utf-8: names as they are, quoted */

	ESCAPE_NR
};

/* As `escaping=` has them. */
extern const char *const escaping_name[ESCAPE_NR];

/* A dot becomes five bytes; U__ precedes a name. */
#define ESCAPED_NAME_MAX (5 * OBSRING_NAME_MAX + 3)

/*
 * Write @name, valid and of at most OBSRING_NAME_MAX bytes, to @escaped.
 * @colon: true for metric names, where a colon is classic.
 */
void escape_name(enum escaping escaping, const char *name, bool colon,
		 char escaped[ESCAPED_NAME_MAX + 1]);

/* Are all characters of @name classic, so that it needs no quotes? */
bool escape_classic(const char *name, bool colon);

#endif /* OBSRINGD_ESCAPE_H */
