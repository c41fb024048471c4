/* SPDX-License-Identifier: MIT */
/*
 * Addresses to listen on, and their sockets: TCP ones, those of the file system,
 * or what the service manager hands over.
 */
#ifndef OBSRINGD_LISTEN_H
#define OBSRINGD_LISTEN_H

#include <stdbool.h>
#include <sys/un.h>

struct listen_address {
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];	/* else "" */
	char host[256];		/* "": all addresses, of both families */
	char port[6];		/* "0": any free one */
};

#define LISTEN_MAX	16
#define LISTEN_NAME_MAX	128

struct listen_sockets {
	int fd[LISTEN_MAX];
	char path[LISTEN_MAX][sizeof(((struct sockaddr_un *)0)->sun_path)];	/* ours to remove */
	unsigned int nr;
};

/* host:port, [v6]:port, :port or unix:/path. NULL, or what is wrong with it. */
const char *listen_parse(const char *string, struct listen_address *ret_address);

/* Add a listening socket, fewer than LISTEN_MAX being there. NULL, or why not. */
const char *listen_open(const struct listen_address *address,
			struct listen_sockets *sockets);

/*
 * Add those that the service manager has open for us, sd_listen_fds(3), and
 * take them out of the environment. NULL, or why not.
 */
const char *listen_inherit(struct listen_sockets *sockets);

/* The address of a listening socket, as listen_parse() takes it. */
void listen_name(int socket, char name[LISTEN_NAME_MAX]);

/* Close all, and remove the files of those that have one. */
void listen_close(struct listen_sockets *sockets);

#endif /* OBSRINGD_LISTEN_H */
