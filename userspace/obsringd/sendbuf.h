/* SPDX-License-Identifier: MIT */
/*
 * How much of an answer the kernel holds before its client reads it. The more, the less
 * often the two wake each other; so it is the kernel's to choose. But where the client is
 * on the very processor that answers, they take turns whatever it is, and what is written
 * by one and read by the other should still be in that processor's cache.
 */
#ifndef OBSRINGD_SENDBUF_H
#define OBSRINGD_SENDBUF_H

#include <stddef.h>

#include "clients.h"

/*
 * Before an answer of @len bytes, by the thread that answers. A client may come from
 * another processor with its next request.
 */
void sendbuf_fit(struct client *client, size_t len);

#endif /* OBSRINGD_SENDBUF_H */
