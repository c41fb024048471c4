/* SPDX-License-Identifier: MIT */
/*
 * A point in time, as text:
 *
 *	2026-11-22T16:14:17.5Z	UTC, up to nine decimals
 *	@1795364057.5		seconds since 1970
 *	+2.5			seconds from now
 */
#ifndef OBSRINGCTL_INSTANT_H
#define OBSRINGCTL_INSTANT_H

#include <stdint.h>

#define INSTANT_SIZE	40

/* CLOCK_REALTIME, ns. -EINVAL: not a time; -ERANGE: before 1970, beyond 2262. */
int instant_parse(const char *text, uint64_t now_ns, uint64_t *ret_ns);

/* In UTC, with nanoseconds. */
const char *instant_format(char *text, uint64_t ns);

#endif /* OBSRINGCTL_INSTANT_H */
