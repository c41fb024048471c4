// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "listen.h"

#define BACKLOG		1024
#define INHERITED_FIRST	3	/* SD_LISTEN_FDS_START */

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

/* unix:/path, or unix:///path as a URL has it. */
static const char *parse_path(const char *path, struct listen_address *address)
{
	if (!strncmp(path, "///", 3))
		path += 2;
	if (path[0] != '/')
		return "not unix:/path";
	if (strlen(path) >= sizeof(address->path))
		return "path too long for a socket";
	strcpy(address->path, path);
	return NULL;
}

const char *listen_parse(const char *string, struct listen_address *ret_address)
{
	const char *colon = strrchr(string, ':');
	struct listen_address address = { .path = "" };
	const char *problem;

	if (!strncmp(string, "unix:", 5)) {
		problem = parse_path(string + 5, &address);
		if (!problem)
			*ret_address = address;
		return problem;
	}

	if (!colon)
		return "no port: not host:port, [v6]:port, :port or unix:/path";
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

static const char *open_tcp(const struct listen_address *address, int *ret_socket)
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

/* A socket that nobody listens on any more is left from one that was killed. */
static bool is_stale(const struct sockaddr_un *address)
{
	struct stat status;
	bool stale;
	int fd;

	if (lstat(address->sun_path, &status) || !S_ISSOCK(status.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	stale = connect(fd, (const struct sockaddr *)address, sizeof(*address)) &&
		errno == ECONNREFUSED;
	close(fd);
	return stale;
}

static const char *open_unix(const char *path, int *ret_socket)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct addrinfo info = {
		.ai_family = AF_UNIX,
		.ai_addr = (struct sockaddr *)&address,
		.ai_addrlen = sizeof(address),
	};
	int r;

	strcpy(address.sun_path, path);
	if (is_stale(&address))
		unlink(path);
	r = open_one(&info, ret_socket);
	return r ? strerror(-r) : NULL;
}

const char *listen_open(const struct listen_address *address,
			struct listen_sockets *sockets)
{
	const char *problem;
	int fd;

	if (*address->path)
		problem = open_unix(address->path, &fd);
	else
		problem = open_tcp(address, &fd);
	if (problem)
		return problem;
	strcpy(sockets->path[sockets->nr], address->path);
	sockets->fd[sockets->nr++] = fd;
	return NULL;
}

/* The number that the environment has under @name, or -1. */
static long env_number(const char *name)
{
	const char *value = getenv(name);
	char *end;
	long number;

	if (!value || !*value)
		return -1;
	errno = 0;
	number = strtol(value, &end, 10);
	return errno || *end || number < 0 ? -1 : number;
}

static int socket_option(int fd, int option)
{
	socklen_t len = sizeof(int);
	int value;

	return getsockopt(fd, SOL_SOCKET, option, &value, &len) ? -1 : value;
}

static const char *adopt(int fd, struct listen_sockets *sockets)
{
	if (socket_option(fd, SO_TYPE) != SOCK_STREAM ||
	    socket_option(fd, SO_ACCEPTCONN) != 1)
		return "one of the sockets is not a listening stream";
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) ||
	    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK))
		return strerror(errno);
	sockets->path[sockets->nr][0] = '\0';
	sockets->fd[sockets->nr++] = fd;
	return NULL;
}

const char *listen_inherit(struct listen_sockets *sockets)
{
	bool ours = env_number("LISTEN_PID") == getpid();
	long i, nr = env_number("LISTEN_FDS");
	const char *problem = NULL;

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (!ours || nr <= 0)
		return "the service manager passed none";
	if (nr > LISTEN_MAX - (long)sockets->nr)
		return "too many";
	for (i = 0; i < nr && !problem; i++)
		problem = adopt(INHERITED_FIRST + i, sockets);
	return problem;
}

static void tcp_name(const struct sockaddr *address, socklen_t len,
		     char name[LISTEN_NAME_MAX])
{
	char host[NI_MAXHOST], port[NI_MAXSERV];

	if (getnameinfo(address, len, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV))
		strcpy(host, "?"), strcpy(port, "?");
	snprintf(name, LISTEN_NAME_MAX, strchr(host, ':') ? "[%.60s]:%s" : "%.60s:%s",
		 host, port);
}

void listen_name(int socket, char name[LISTEN_NAME_MAX])
{
	struct sockaddr_storage address = { .ss_family = AF_UNSPEC };
	const struct sockaddr_un *local = (const void *)&address;
	socklen_t len = sizeof(address);

	if (getsockname(socket, (struct sockaddr *)&address, &len))
		address.ss_family = AF_UNSPEC;
	if (address.ss_family != AF_UNIX) {
		tcp_name((const struct sockaddr *)&address, len, name);
		return;
	}
	len = len > offsetof(struct sockaddr_un, sun_path) ?
	      len - offsetof(struct sockaddr_un, sun_path) : 0;
	/* An abstract one begins with a NUL. */
	snprintf(name, LISTEN_NAME_MAX, "unix:%s%.*s",
		 len && !local->sun_path[0] ? "@" : "",
		 len ? (int)len - !local->sun_path[0] : 0,
		 local->sun_path + (len && !local->sun_path[0]));
}

void listen_close(struct listen_sockets *sockets)
{
	unsigned int i;

	for (i = 0; i < sockets->nr; i++) {
		close(sockets->fd[i]);
		if (sockets->path[i][0])
			unlink(sockets->path[i]);
	}
	sockets->nr = 0;
}
