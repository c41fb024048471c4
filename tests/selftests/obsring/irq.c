// SPDX-License-Identifier: MIT
/* Source irq: runs of soft interrupts, against /proc/softirqs. */
#include "packet.h"
#include "test.h"

#define SOFTIRQS "obsring_softirq_seconds"

FIXTURE(irq)
{
	struct session session;
	struct view *view;
};

FIXTURE_SETUP(irq)
{
	ASSERT_EQ(0, session_open(&self->session));
	self->view = &self->session.view;
	ASSERT_EQ(0, obs_source_set(self->session.control, "irq", true, NULL, 0));
}

FIXTURE_TEARDOWN(irq)
{
	EXPECT_EQ(0, obs_source_set(self->session.control, "irq", false, NULL, 0));
	session_close(&self->session);
}

/**
 * struct reading - a vector's runs: the source's count between two of the kernel's
 * @low: kernel's before
 * @ours: metric
 * @high: kernel's after
 */
struct reading {
	int64_t low, ours, high;
};

static struct reading read_vector(struct view *view, const char *vector)
{
	struct reading reading;

	reading.low = (int64_t)file_softirqs(vector);
	reading.ours = metric(view, SOFTIRQS, vector);
	reading.high = (int64_t)file_softirqs(vector);
	return reading;
}

static const char *const vectors[] = {
	"HI", "TIMER", "NET_TX", "NET_RX", "BLOCK", "IRQ_POLL", "TASKLET", "SCHED",
	"HRTIMER", "RCU",
};

/*
 * Runs that lie between the readings are counted exactly; one may be under way
 * on each CPU at either of them.
 */
TEST_F(irq, each_vector_equals_the_kernels)
{
	int64_t cpus = sysconf(_SC_NPROCESSORS_CONF);
	struct reading begin[ARRAY_SIZE(vectors)], end;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(vectors); i++)
		begin[i] = read_vector(self->view, vectors[i]);
	ASSERT_EQ(0, packets_without_socket(2000));
	for (i = 0; i < ARRAY_SIZE(vectors); i++) {
		end = read_vector(self->view, vectors[i]);
		EXPECT_NE(METRIC_NONE, end.ours);
		EXPECT_LE(end.low - begin[i].high - cpus, end.ours - begin[i].ours)
			TH_LOG("%s", vectors[i]);
		EXPECT_GE(end.high - begin[i].low + cpus, end.ours - begin[i].ours)
			TH_LOG("%s", vectors[i]);
	}
}

/* The receiving of packets, which nobody else does here, to the last run. */
TEST_F(irq, receiving_exactly)
{
	struct reading begin, end;
	time_t begun = await_begin();

	do {
		begin = read_vector(self->view, "NET_RX");
		ASSERT_EQ(0, packets_without_socket(1000));
		end = read_vector(self->view, "NET_RX");
		/* A thread takes many in one run where it has to wait for a CPU. */
	} while ((begin.low != begin.high || end.low != end.high ||
		  end.ours - begin.ours < 500) && await_go_on(begun));
	EXPECT_EQ(begin.low, begin.high);
	EXPECT_EQ(end.low, end.high);
	EXPECT_LE(500, end.ours - begin.ours);
	EXPECT_EQ(end.low - begin.low, end.ours - begin.ours);
}

TEST_F(irq, time_passes_in_them)
{
	int64_t sum = metric_sum(self->view, SOFTIRQS, "NET_RX");

	ASSERT_EQ(0, packets_without_socket(1000));
	EXPECT_TRUE(await(metric_sum(self->view, SOFTIRQS, "NET_RX") > sum));
}

TEST_HARNESS_MAIN
