/* SPDX-License-Identifier: MIT */
/*
 * The address to listen on.
 */
#ifndef OBSRINGD_LISTEN_H
#define OBSRINGD_LISTEN_H

#include <stddef.h>

struct listen_address {
	char host[256];		/* "": all addresses, of both families */
	char port[6];		/* "0": any free one */
};

#define LISTEN_NAME_MAX 80

/* host:port, [v6]:port or :port. NULL, or what is wrong with it. */
const char *listen_parse(const char *string, struct listen_address *ret_address);

/* A listening socket. NULL, or why not. */
const char *listen_open(const struct listen_address *address, int *ret_socket);

/* The address that the socket got, as host:port. */
void listen_name(int socket, char name[LISTEN_NAME_MAX]);

#endif /* OBSRINGD_LISTEN_H */
