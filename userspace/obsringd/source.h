/* SPDX-License-Identifier: MIT */
/*
 * Where a connection comes from, as far as it matters for who gets how much: its
 * address, of IPv6 the network of 64 bits.
 */
#ifndef OBSRINGD_SOURCE_H
#define OBSRINGD_SOURCE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/socket.h>

struct source {
	sa_family_t family;	/* 0: unknown */
	uint8_t bytes[8];
};

static inline struct source source_of(const struct sockaddr *address)
{
	const struct sockaddr_in6 *v6 = (const void *)address;
	const struct sockaddr_in *v4 = (const void *)address;
	struct source source = { .family = address ? address->sa_family : AF_UNSPEC };

	if (source.family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		source.family = AF_INET;
		memcpy(source.bytes, v6->sin6_addr.s6_addr + 12, 4);
	} else if (source.family == AF_INET6) {
		memcpy(source.bytes, v6->sin6_addr.s6_addr, sizeof(source.bytes));
	} else if (source.family == AF_INET) {
		memcpy(source.bytes, &v4->sin_addr, 4);
	}
	return source;
}

static inline bool source_same(const struct source *a, const struct source *b)
{
	return a->family == b->family && !memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

/* This machine, by the address it has for itself. */
static inline bool source_loopback(const struct source *source)
{
	static const uint8_t zero[sizeof(source->bytes)];

	return (source->family == AF_INET && source->bytes[0] == 127) ||
	       (source->family == AF_INET6 && !memcmp(source->bytes, zero, sizeof(zero)));
}

#endif /* OBSRINGD_SOURCE_H */
