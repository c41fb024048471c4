/* SPDX-License-Identifier: MIT */
/*
 * Which format a client wants: proactive negotiation by the Accept header
 * (RFC 9110, 12.5.1).
 */
#ifndef OBSRINGD_ACCEPT_H
#define OBSRINGD_ACCEPT_H

#include "expose.h"

/* What was asked for so far, by syntax. */
struct accept {
	struct accept_offer {
		int quality;		/* 0 to 1000; -1: not named */
		int specificity;	/* of the range that named it */
		unsigned int position;	/* of that range in the header */
		enum escaping escaping;	/* that it asked for */
	} offer[SYNTAX_NR];
	unsigned int position;
};

void accept_init(struct accept *accept);

/* Take in one header's value; several headers are one list. */
void accept_parse(struct accept *accept, const char *value);

/*
 * The syntax of the highest quality; of equals the more specifically named,
 * then the first named; with the escaping scheme that was asked for there, or
 * underscores. Text 0.0.4 if none is acceptable, rather than an error.
 */
enum format_id accept_choose(const struct accept *accept);

/* Does the value of an Accept-Encoding header ask for gzip (RFC 9110, 12.5.3)? */
bool accept_gzip(const char *value);

#endif /* OBSRINGD_ACCEPT_H */
