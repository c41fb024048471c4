// SPDX-License-Identifier: MIT
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "listen.h"

#define BACKLOG 1024

static bool is_port(const char *string)
{
	size_t len = strlen(string);

	return len && len <= 5 && strspn(string, "0123456789") == len &&
	       atoi(string) <= 65535;
}

static const char *parse_host(const char *host, size_t len,
			      struct listen_address *address)
{
	bool brackets = len && host[0] == '[';

	if (brackets) {
		if (len < 3 || host[len - 1] != ']')
			return "a [ without its ]";
		host++;
		len -= 2;
	} else if (memchr(host, ':', len)) {
		return "an IPv6 address stands in brackets: [::1]:10478";
	}
	if (len >= sizeof(address->host))
		return "host name too long";
	memcpy(address->host, host, len);
	address->host[len] = '\0';
	return NULL;
}

const char *listen_parse(const char *string, struct listen_address *ret_address)
{
	const char *colon = strrchr(string, ':');
	struct listen_address address;
	const char *problem;

	if (!colon)
		return "no port: not host:port, [v6]:port or :port";
	if (!is_port(colon + 1))
		return "the port is no number from 0 to 65535";
	strcpy(address.port, colon + 1);
	problem = parse_host(string, colon - string, &address);
	if (!problem)
		*ret_address = address;
	return problem;
}

static int bind_and_listen(int fd, const struct addrinfo *info)
{
	int on = 1, off = 0;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (info->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, info->ai_addr, info->ai_addrlen) || listen(fd, BACKLOG))
		return -errno;
	return 0;
}

static int open_one(const struct addrinfo *info, int *ret_socket)
{
	int fd, r;

	fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = bind_and_listen(fd, info);
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret_socket = fd;
	return 0;
}

static const char *open_family(const struct listen_address *address, int family,
			       int *ret_socket, int *ret_error)
{
	struct addrinfo hints = {
		.ai_family = family,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
	}, *info;
	int r = getaddrinfo(*address->host ? address->host : NULL, address->port,
			    &hints, &info);

	if (r)
		return r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r);
	r = open_one(info, ret_socket);
	freeaddrinfo(info);
	*ret_error = -r;
	return r ? strerror(-r) : NULL;
}

const char *listen_open(const struct listen_address *address, int *ret_socket)
{
	const char *problem;
	int error = 0;

	if (*address->host)
		return open_family(address, AF_UNSPEC, ret_socket, &error);
	/* All addresses: one IPv6 socket takes both; a kernel may lack IPv6. */
	problem = open_family(address, AF_INET6, ret_socket, &error);
	if (problem && (error == EAFNOSUPPORT || error == EADDRNOTAVAIL))
		problem = open_family(address, AF_INET, ret_socket, &error);
	return problem;
}

void listen_name(int socket, char name[LISTEN_NAME_MAX])
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	char host[NI_MAXHOST], port[NI_MAXSERV];

	if (getsockname(socket, (struct sockaddr *)&address, &len) ||
	    getnameinfo((struct sockaddr *)&address, len, host, sizeof(host), port,
			sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
		strcpy(host, "?"), strcpy(port, "?");
	snprintf(name, LISTEN_NAME_MAX, strchr(host, ':') ? "[%.60s]:%s" : "%.60s:%s",
		 host, port);
}
