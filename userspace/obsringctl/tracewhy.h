/* SPDX-License-Identifier: MIT */
/* What is wrong with a header that the library did not take. */
#ifndef OBSRINGCTL_TRACEWHY_H
#define OBSRINGCTL_TRACEWHY_H

#include <stddef.h>

#include <obsring.h>

/*
 * In @text, why the headers have this reason, one of OBS_TRACE_BAD_..., or "" where no
 * more is to be said.
 */
void trace_why(const struct obs_trace_headers *headers, unsigned int reason, char *text,
	       size_t size);

#endif /* OBSRINGCTL_TRACEWHY_H */
