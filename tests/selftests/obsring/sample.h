/* SPDX-License-Identifier: MIT */
/* Sampling: the module, obsring_chatter that speaks, and rules. */
#ifndef SELFTEST_SAMPLE_H
#define SELFTEST_SAMPLE_H

#include <time.h>

#include "test.h"
#include "wire.h"

#define SEEN	"obsring_log_seen_total"
#define KEPT	"obsring_log_kept_total"
#define RECORDS	"obsring_log_records_total"
#define LOST	"obsring_log_lost_total"
#define DELAY	"obsring_sample_apply_delay_seconds"
#define OTHERS	OBSRING_OVERFLOW_VALUE

#define HALF	(OBSRING_THRESHOLD_ONE / 2)
#define TENTH	(OBSRING_THRESHOLD_ONE - OBSRING_THRESHOLD_ONE / 10)

FIXTURE(sample)
{
	struct session session;
};

static inline int begin(struct session *session, const char *parameters)
{
	int r = module_loaded("obsring_chatter") ? module_unload("obsring_chatter") : 0;

	if (!r)
		r = module_reload(parameters);
	if (!r)
		r = module_load("obsring_chatter", "");
	return r ? r : session_open(session);
}

/* Without the floor, but where it is what the test is about. */
FIXTURE_SETUP(sample)
{
	ASSERT_EQ(0, begin(&self->session, "log_floor=0 log_kernel_bytes=4194304"));
}

FIXTURE_TEARDOWN(sample)
{
	session_close(&self->session);
	EXPECT_EQ(0, module_unload("obsring_chatter"));
}

#define VIEW		(&self->session.view)
#define control		(self->session.control)

static inline int speak(const char *source, int level, unsigned int count, unsigned int types)
{
	char text[128];

	snprintf(text, sizeof(text), "%s %d %u %u", source, level, count, types);
	return module_parameter_write("obsring_chatter", "speak", text);
}

static inline struct obs_sample_info rule_of(const char *source, int level,
					     enum obsring_rule rule, uint64_t value)
{
	struct obs_sample_info sample = { .level = level, .rule = rule, .value = value };

	snprintf(sample.source, sizeof(sample.source), "%s", source);
	return sample;
}

static inline int set(struct obs_control *c, const char *source, int level,
		      enum obsring_rule rule, uint64_t value)
{
	const struct obs_sample_info sample = rule_of(source, level, rule, value);

	return obs_sample_send(c, &sample, NULL);
}

static inline int unset(struct obs_control *c, const char *source, int level)
{
	return set(c, source, level, OBSRING_RULE_UNSPEC, 0);
}

static inline int write_line(const char *text)
{
	int fd = open(OBSRING_DEVICE, O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -errno : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return n < 0 ? (int)n : 0;
}

static inline uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* At rest: what was seen, in all, is what was kept or dropped; kept, stored or lost. */
#define EXPECT_BALANCE()						\
	EXPECT_EQ(metric_total(VIEW, KEPT),				\
		  metric_total(VIEW, RECORDS) + metric(VIEW, LOST, "nested"))

#endif /* SELFTEST_SAMPLE_H */
