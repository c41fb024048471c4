// SPDX-License-Identifier: MIT
/* Source tcp: segments sent again because the loopback loses all of them. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "test.h"

#define RETRANSMITS "obsring_tcp_retransmits_total"

FIXTURE(tcp)
{
	struct view view;
};

FIXTURE_VARIANT(tcp)
{
	int family;
	const char *address;
	const char *label;
	const char *other;
};

FIXTURE_VARIANT_ADD(tcp, ipv4)
{
	.family = AF_INET, .address = "127.0.0.1", .label = "ipv4", .other = "ipv6",
};

FIXTURE_VARIANT_ADD(tcp, ipv6)
{
	.family = AF_INET6, .address = "::1", .label = "ipv6", .other = "ipv4",
};

/* IPv4 over an IPv6 socket: the packets are IPv4's. */
FIXTURE_VARIANT_ADD(tcp, mapped)
{
	.family = AF_INET6, .address = "::ffff:127.0.0.1", .label = "ipv4", .other = "ipv6",
};

FIXTURE_SETUP(tcp)
{
	ASSERT_EQ(0, view_open(&self->view));
	program("modprobe", "-q", "sch_netem");
	if (program("tc", "qdisc", "add", "dev", "lo", "root", "netem", "loss", "0%"))
		SKIP_SETUP("no netem: neither tc nor the kernel's sch_netem may be missing");
}

FIXTURE_TEARDOWN(tcp)
{
	program("tc", "qdisc", "del", "dev", "lo", "root");
	view_close(&self->view);
}

static int lose(const char *share)
{
	return program("tc", "qdisc", "change", "dev", "lo", "root", "netem", "loss", share);
}

static socklen_t address_make(int family, const char *text, struct sockaddr_storage *address)
{
	struct sockaddr_in *v4 = (void *)address;
	struct sockaddr_in6 *v6 = (void *)address;

	memset(address, 0, sizeof(*address));
	address->ss_family = (sa_family_t)family;
	inet_pton(family, text, family == AF_INET ? (void *)&v4->sin_addr :
						    (void *)&v6->sin6_addr);
	return family == AF_INET ? sizeof(*v4) : sizeof(*v6);
}

/* Both ends of a connection over the loopback. */
static int connect_pair(int family, const char *text, int end[2])
{
	struct sockaddr_storage address;
	socklen_t len = address_make(family, text, &address);
	int one = 1, listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	end[0] = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (void *)&address, len) || listen(listener, 1) ||
	    getsockname(listener, (void *)&address, &len) ||
	    connect(end[0], (void *)&address, len))
		return -errno;
	end[1] = accept(listener, NULL, NULL);
	close(listener);
	if (setsockopt(end[0], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)))
		return -errno;
	return end[1] < 0 ? -errno : 0;
}

static struct tcp_info info_of(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len);
	return info;
}

static uint64_t kernel_retransmits(void)
{
	return file_net_number("/proc/net/snmp", "Tcp:", "RetransSegs");
}

TEST_F(tcp, retransmits_exactly)
{
	int64_t before = metric(&self->view, RETRANSMITS, variant->label), connected;
	int64_t other = metric(&self->view, RETRANSMITS, variant->other);
	struct tcp_info info;
	int end[2] = { -1, -1 };
	uint64_t kernel;
	char byte;

	ASSERT_LE(0, before);
	ASSERT_EQ(0, connect_pair(variant->family, variant->address, end));
	/* None, unless this machine took a second for an answer. */
	connected = metric(&self->view, RETRANSMITS, variant->label);
	EXPECT_EQ(before + info_of(end[0]).tcpi_total_retrans, connected);
	kernel = kernel_retransmits();
	ASSERT_NE(UINT64_MAX, kernel);

	ASSERT_EQ(0, lose("100%"));
	ASSERT_EQ(1, write(end[0], "x", 1));
	EXPECT_TRUE(await(info_of(end[0]).tcpi_total_retrans >= 3));
	ASSERT_EQ(0, lose("0%"));
	ASSERT_EQ(1, read(end[1], &byte, 1));
	EXPECT_TRUE(await(!info_of(end[0]).tcpi_unacked));

	info = info_of(end[0]);
	EXPECT_EQ(before + info.tcpi_total_retrans,
		  metric(&self->view, RETRANSMITS, variant->label));
	EXPECT_EQ(kernel_retransmits() - kernel,
		  metric(&self->view, RETRANSMITS, variant->label) - connected);
	EXPECT_EQ(other, metric(&self->view, RETRANSMITS, variant->other));
	close(end[0]);
	close(end[1]);
}

TEST_HARNESS_MAIN
