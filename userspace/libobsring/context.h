/* SPDX-License-Identifier: MIT */
/* What the calling thread works for, for what it logs by itself. */
#ifndef LIBOBSRING_CONTEXT_H
#define LIBOBSRING_CONTEXT_H

#include <obsring/context.h>

/*
 * What obs_trace_set() gave the calling thread; false: nothing, or a set is being made
 * that this call has interrupted. Async-signal-safe.
 */
bool obs_context_own(struct obs_context *ret);

#endif /* LIBOBSRING_CONTEXT_H */
