/* SPDX-License-Identifier: MIT */
#ifndef OBSRINGCTL_SINCE_H
#define OBSRINGCTL_SINCE_H

#include <stdint.h>

/*
 * A time in the past, as people give it, to ns since 1970, UTC:
 *
 *	10m, 1.5h, 1d12h	that long before @now_ns; s, m, h, d
 *	@1795364057.5		seconds since 1970
 *	2026-11-22T16:14:17.5Z	RFC 3339, with any offset from UTC
 *
 * What is before 1970 becomes 0. -EINVAL: none of these.
 */
int since_parse(const char *text, uint64_t now_ns, uint64_t *ret_ns);

#endif /* OBSRINGCTL_SINCE_H */
