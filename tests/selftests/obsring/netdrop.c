// SPDX-License-Identifier: MIT
/* Source netdrop: packets that the kernel drops for reasons we give it. */
#include "logged.h"
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

TEST_F(netdrop, drops_exactly)
{
	int64_t before, total;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		before = metric(&self->view, DROPS, cases[i].reason);
		ASSERT_LE(0, before)
			TH_LOG("%s", cases[i].reason);
		total = metric_total(&self->view, DROPS);
		ASSERT_EQ(0, packets_dropped(cases[i].drop, 200));
		EXPECT_EQ(before + 200, metric(&self->view, DROPS, cases[i].reason))
			TH_LOG("%s", cases[i].reason);
		EXPECT_LE(total + 200, metric_total(&self->view, DROPS));
	}
}

/* The kernel's own count of packets to ports without a socket. */
TEST_F(netdrop, equals_the_kernels)
{
	uint64_t ports = file_net_number("/proc/net/snmp", "Udp:", "NoPorts");
	int64_t before = metric(&self->view, DROPS, "NO_SOCKET");

	ASSERT_NE(UINT64_MAX, ports);
	ASSERT_EQ(0, packets_dropped(packets_without_socket, 123));
	EXPECT_LE(ports + 123, file_net_number("/proc/net/snmp", "Udp:", "NoPorts"));
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

/* ---- In the log ---------------------------------------------------------- */

FIXTURE(record)
{
	struct session session;
	struct logged log;
};

FIXTURE_SETUP(record)
{
	const char *const on = "log-drop=on";

	ASSERT_EQ(0, session_open(&self->session));
	ASSERT_EQ(0, logged_open(&self->log));
	ASSERT_EQ(0, packets_dropped(packets_without_socket, 10));
	EXPECT_EQ(0, logged(&self->log, "source=netdrop"));
	ASSERT_EQ(0, obs_source_set(self->session.control, "netdrop", true, &on, 1));
}

FIXTURE_TEARDOWN(record)
{
	const char *const off = "log-drop=off";

	EXPECT_EQ(0, obs_source_set(self->session.control, "netdrop", true, &off, 1));
	logged_clear(&self->log);
	EXPECT_EQ(0, packets_dropped(packets_without_socket, 10));
	EXPECT_EQ(0, logged(&self->log, "source=netdrop"));
	logged_close(&self->log);
	session_close(&self->session);
}

TEST_F(record, of_a_drop)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		char reason[64];

		snprintf(reason, sizeof(reason), " reason=%s protocol=ipv4 bytes=", cases[i].reason);
		ASSERT_EQ(0, packets_dropped(cases[i].drop, 20));
		EXPECT_EQ(20, logged(&self->log, reason, " level=info source=netdrop ",
				     " msg=\"a packet is dropped: ", " interface=lo"))
			TH_LOG("%s", logged_line(&self->log, "source=netdrop"));
	}
	/* UDP's head and a byte; no address of the kernel's. */
	EXPECT_EQ(20, logged(&self->log, " reason=NO_SOCKET ", " bytes=9 "));
	EXPECT_EQ(0, logged(&self->log, "ffff"));
}

/* Where a device may stand, sockets note something else: it is left alone. */
TEST_F(record, of_what_nobody_read)
{
	int64_t before = metric_total(&self->session.view, DROPS);

	ASSERT_EQ(0, packets_dropped(packets_unread, 50));
	EXPECT_TRUE(await(metric_total(&self->session.view, DROPS) >= before + 50));
	EXPECT_TRUE(await(logged(&self->log, " source=netdrop ", " protocol=ipv4 bytes=1") >= 50));
	EXPECT_EQ(0, logged(&self->log, " source=netdrop ", " bytes=1 interface="));
}

/* Each drop is a record: read, or lost to this reader and told so. */
TEST_F(record, flood)
{
	struct view *view = &self->session.view;
	int64_t drops = metric_total(view, DROPS), overwritten;
	int64_t stored = metric(view, "obsring_log_records_total", "kernel", "info");
	int64_t nested = metric(view, "obsring_log_lost_total", "nested");

	overwritten = metric(view, "obsring_log_overwritten_total");
	ASSERT_EQ(0, packets_dropped(packets_without_socket, 20000));
	drops = metric_total(view, DROPS) - drops;
	EXPECT_LE(20000, drops);
	stored = metric(view, "obsring_log_records_total", "kernel", "info") - stored;
	nested = metric(view, "obsring_log_lost_total", "nested") - nested;
	EXPECT_EQ(drops, stored + nested);
	EXPECT_EQ(stored, (int64_t)(logged(&self->log, " source=netdrop ") +
				    logged_sum(&self->log, "lost=")));
	EXPECT_LT(0, metric(view, "obsring_log_overwritten_total") - overwritten);
}

TEST_HARNESS_MAIN
