// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/filter.h>

#include "await.h"
#include "packet.h"

#define QUEUED_MAX	200	/* of net.core.netdev_max_backlog, 1000 */
#define NOBODYS_PORT	9
#define NOBODYS_PROTOCOL 253	/* for experiments: RFC 3692 */

static struct sockaddr_in loopback(unsigned int port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
}

/* A socket and its address. */
static int bound_socket(struct sockaddr_in *ret_address)
{
	socklen_t len = sizeof(*ret_address);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	*ret_address = loopback(0);
	if (fd < 0 || bind(fd, (void *)ret_address, sizeof(*ret_address)) ||
	    getsockname(fd, (void *)ret_address, &len))
		return -errno;
	return fd;
}

static int send_packets(int fd, const void *packet, size_t len,
			const struct sockaddr_in *to, unsigned int nr)
{
	while (nr--)
		if (sendto(fd, packet, len, 0, (const void *)to, sizeof(*to)) < 0)
			return -errno;
	return 0;
}

/* Send one, which arrives behind all others of this CPU, and receive it. */
static int send_and_receive(void)
{
	struct timeval patience = { .tv_sec = AWAIT_SECONDS };
	struct sockaddr_in to;
	int fd = bound_socket(&to);
	char byte;
	int r;

	if (fd < 0)
		return fd;
	r = setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ?
	    -errno : send_packets(fd, "x", 1, &to, 1);
	if (!r && recv(fd, &byte, 1, 0) != 1)
		r = -errno;
	close(fd);
	return r;
}

/* Never so many at once that the queue is full. */
static int send_all(int fd, const void *packet, size_t len,
		    const struct sockaddr_in *to, unsigned int nr)
{
	int r;

	for (; nr > QUEUED_MAX; nr -= QUEUED_MAX) {
		r = send_packets(fd, packet, len, to, QUEUED_MAX) ?: send_and_receive();
		if (r)
			return r;
	}
	return send_packets(fd, packet, len, to, nr);
}

int packets_without_socket(unsigned int nr)
{
	struct sockaddr_in to = loopback(NOBODYS_PORT);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	r = send_all(fd, "x", 1, &to, nr);
	close(fd);
	return r;
}

int packets_without_protocol(unsigned int nr)
{
	struct sockaddr_in to = loopback(0);
	struct iphdr head = {
		.version = 4, .ihl = 5, .ttl = 64, .protocol = NOBODYS_PROTOCOL,
		.saddr = to.sin_addr.s_addr, .daddr = to.sin_addr.s_addr,
	};
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	int r;

	if (fd < 0)
		return -errno;
	r = send_all(fd, &head, sizeof(head), &to, nr);
	close(fd);
	return r;
}

/* Send to @receiver, and close it when all have arrived. */
static int send_and_close(int receiver, const struct sockaddr_in *to, unsigned int nr)
{
	int sender = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int r = receiver < 0 ? receiver : send_all(sender, "x", 1, to, nr) ?: send_and_receive();

	close(sender);
	close(receiver);
	return r;
}

int packets_filtered(unsigned int nr)
{
	struct sock_filter none = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog filter = { .len = 1, .filter = &none };
	struct sockaddr_in to;
	int receiver = bound_socket(&to);

	if (receiver >= 0 &&
	    setsockopt(receiver, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)))
		return -errno;
	return send_and_close(receiver, &to, nr);
}

int packets_unread(unsigned int nr)
{
	struct sockaddr_in to;
	int receiver = bound_socket(&to);

	return send_and_close(receiver, &to, nr);
}

/*
 * The loopback's packets queue by CPU; where an interrupt has no time for them, a thread
 * takes them later.
 */
int packets_dropped(int (*send)(unsigned int nr), unsigned int nr)
{
	cpu_set_t all, one;
	int r;

	if (sched_getaffinity(0, sizeof(all), &all))
		return -errno;
	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		return -errno;
	r = send(nr);
	if (!r)
		r = send_and_receive();
	return sched_setaffinity(0, sizeof(all), &all) ? -errno : r;
}
