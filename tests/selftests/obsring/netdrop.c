// SPDX-License-Identifier: MIT
/* Source netdrop: packets that the kernel drops for reasons we give it. */
#include "packet.h"
#include "test.h"

#define DROPS	"obsring_packet_drops_total"

FIXTURE(netdrop)
{
	struct view view;
};

FIXTURE_SETUP(netdrop)
{
	ASSERT_EQ(0, view_open(&self->view));
}

FIXTURE_TEARDOWN(netdrop)
{
	view_close(&self->view);
}

static const struct {
	const char *reason;
	int (*drop)(unsigned int nr);
} cases[] = {
	{ "NO_SOCKET", packets_without_socket },
	{ "IP_NOPROTO", packets_without_protocol },
	{ "SOCKET_FILTER", packets_filtered },
};

/* Packets over the loopback are dropped before their send returns, or soon after. */
TEST_F(netdrop, drops_exactly)
{
	int64_t before, total;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		before = metric(&self->view, DROPS, cases[i].reason);
		ASSERT_LE(0, before)
			TH_LOG("%s", cases[i].reason);
		total = metric_total(&self->view, DROPS);
		ASSERT_EQ(0, cases[i].drop(200));
		EXPECT_TRUE(await(metric(&self->view, DROPS, cases[i].reason) >= before + 200))
			TH_LOG("%s", cases[i].reason);
		EXPECT_EQ(before + 200, metric(&self->view, DROPS, cases[i].reason));
		EXPECT_LE(total + 200, metric_total(&self->view, DROPS));
	}
}

/* The kernel's own count of packets to ports without a socket. */
TEST_F(netdrop, equals_the_kernels)
{
	uint64_t ports = file_net_number("/proc/net/snmp", "Udp:", "NoPorts");
	int64_t before = metric(&self->view, DROPS, "NO_SOCKET");

	ASSERT_NE(UINT64_MAX, ports);
	ASSERT_EQ(0, packets_without_socket(123));
	EXPECT_TRUE(await(file_net_number("/proc/net/snmp", "Udp:", "NoPorts") >= ports + 123));
	EXPECT_EQ(file_net_number("/proc/net/snmp", "Udp:", "NoPorts") - ports,
		  metric(&self->view, DROPS, "NO_SOCKET") - before);
}

TEST_F(netdrop, what_is_taken_is_no_drop)
{
	int64_t before = metric(&self->view, DROPS, "NO_SOCKET");

	EXPECT_EQ(METRIC_NONE, metric(&self->view, DROPS, "CONSUMED"));
	EXPECT_EQ(METRIC_NONE, metric(&self->view, DROPS, "NOT_DROPPED_YET"));
	EXPECT_EQ(before, metric(&self->view, DROPS, "NO_SOCKET"));
}

TEST_HARNESS_MAIN
