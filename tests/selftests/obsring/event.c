// SPDX-License-Identifier: MIT
/* Events: what changes is told to the multicast group, in order, without values. */
#include <pthread.h>

#include "test.h"
#include "wire.h"

FIXTURE(event)
{
	struct wire wire;
	struct obs_control *control;
	struct answer answer;
	char text[16384];
};

FIXTURE_SETUP(event)
{
	ASSERT_EQ(0, obs_control_open(&self->control));
	ASSERT_EQ(0, wire_open(&self->wire));
	ASSERT_EQ(0, wire_join(&self->wire));
}

FIXTURE_TEARDOWN(event)
{
	obs_probe_delete(self->control, "t_probe_total");
	obs_source_set(self->control, "irq", false, NULL, 0);
	EXPECT_EQ(0, families_clear(self->control));
	wire_close(&self->wire);
	obs_control_close(self->control);
}

/* The command of the next event, -EAGAIN if there is none. */
#define next()	wire_event(&self->wire, &self->answer, self->text, sizeof(self->text))
#define string(type)	attr_string(self->answer.attr[type])
#define number(type)	attr_u32(self->answer.attr[type])

static bool has_values(const struct answer *answer)
{
	return answer->attr[OBSRING_A_VALUE] || answer->attr[OBSRING_A_SUM] ||
	       answer->attr[OBSRING_A_BUCKET] || answer->attr[OBSRING_A_ROW];
}

TEST_F(event, families_and_series)
{
	const struct obs_family_spec spec = {
		.name = "t_total", .help = "Help.", .kind = OBSRING_KIND_COUNTER,
		.nr_labels = 1, .label = (const char *const[]){ "n" },
	};
	const char *value[] = { "a" };
	uint32_t id, gen;

	ASSERT_EQ(0, obs_family_add(self->control, &spec));
	EXPECT_EQ(OBSRING_CMD_FAMILY_NEW_NTF, next());
	EXPECT_STREQ("t_total", string(OBSRING_A_NAME));
	EXPECT_STREQ("Help.", string(OBSRING_A_HELP));
	EXPECT_STREQ("n", string(OBSRING_A_LABEL_NAME));
	EXPECT_EQ(OBSRING_KIND_COUNTER, number(OBSRING_A_KIND));
	EXPECT_EQ(OBSRING_CMD_SERIES_NEW_NTF, next());
	EXPECT_STREQ(OBSRING_OVERFLOW_VALUE, string(OBSRING_A_LABEL_VALUE));
	EXPECT_NE(NULL, self->answer.attr[OBSRING_A_OVERFLOW]);
	EXPECT_EQ(-EAGAIN, next());

	ASSERT_EQ(0, obs_series_add(self->control, "t_total", value, 1));
	EXPECT_EQ(OBSRING_CMD_SERIES_NEW_NTF, next());
	EXPECT_STREQ("t_total", string(OBSRING_A_NAME));
	EXPECT_STREQ("a", string(OBSRING_A_LABEL_VALUE));
	EXPECT_EQ(NULL, self->answer.attr[OBSRING_A_OVERFLOW]);
	EXPECT_FALSE(has_values(&self->answer));
	id = number(OBSRING_A_SERIES_ID);
	gen = number(OBSRING_A_GEN);
	EXPECT_EQ(1, gen % 2);

	ASSERT_EQ(0, obs_series_update(self->control, "t_total", value, 1, 1));
	EXPECT_EQ(-EAGAIN, next());

	ASSERT_EQ(0, obs_series_delete(self->control, "t_total", value, 1));
	EXPECT_EQ(OBSRING_CMD_SERIES_DEL_NTF, next());
	EXPECT_EQ(id, number(OBSRING_A_SERIES_ID));
	EXPECT_STREQ("a", string(OBSRING_A_LABEL_VALUE));
	EXPECT_FALSE(has_values(&self->answer));

	ASSERT_EQ(0, obs_family_delete(self->control, "t_total"));
	EXPECT_EQ(OBSRING_CMD_SERIES_DEL_NTF, next());
	EXPECT_EQ(OBSRING_CMD_FAMILY_DEL_NTF, next());
	EXPECT_STREQ("t_total", string(OBSRING_A_NAME));
	EXPECT_EQ(-EAGAIN, next());
}

TEST_F(event, what_fails_is_not_told)
{
	const struct obs_family_spec spec = {
		.name = "obsring_t", .help = "h", .kind = OBSRING_KIND_COUNTER,
	};

	struct obs_probe_info probe = {
		.name = "t_probe_total", .type = OBSRING_PROBE_TRACEPOINT,
		.target = "oom:no_such_event",
	};

	EXPECT_EQ(-EINVAL, obs_family_add(self->control, &spec));
	EXPECT_EQ(-ENOENT, obs_probe_add(self->control, &probe, NULL));
	probe.type = OBSRING_PROBE_KPROBE;
	strcpy(probe.target, "no_such_function");
	EXPECT_EQ(-ENOENT, obs_probe_add(self->control, &probe, NULL));
	strcpy(probe.target, "obs_wait_for_updates");
	EXPECT_EQ(-EINVAL, obs_probe_add(self->control, &probe, NULL));
	EXPECT_EQ(-ENOENT, obs_family_delete(self->control, "t"));
	EXPECT_EQ(-ENOENT, obs_source_set(self->control, "none", true, NULL, 0));
	EXPECT_EQ(-EAGAIN, next());
}

TEST_F(event, state)
{
	ASSERT_EQ(0, obs_control_set_state(self->control, OBSRING_STATE_DRAINING));
	EXPECT_EQ(OBSRING_CMD_STATE_NTF, next());
	EXPECT_EQ(OBSRING_STATE_DRAINING, number(OBSRING_A_STATE));
	ASSERT_EQ(0, obs_control_set_state(self->control, OBSRING_STATE_RUNNING));
	EXPECT_EQ(OBSRING_CMD_STATE_NTF, next());
	EXPECT_EQ(OBSRING_STATE_RUNNING, number(OBSRING_A_STATE));
}

struct setter {
	pthread_barrier_t *barrier;
	struct obs_control *control;
	enum obsring_state state;
};

#define ROUNDS	300

static void *set_state(void *arg)
{
	struct setter *setter = arg;
	long failed = 0;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(setter->barrier);
		failed += !!obs_control_set_state(setter->control, setter->state);
		pthread_barrier_wait(setter->barrier);
		/* The test looks. */
		pthread_barrier_wait(setter->barrier);
	}
	return (void *)failed;
}

/* Of two that set it at once, the one who was last is told last. */
TEST_F(event, state_in_order)
{
	pthread_barrier_t barrier;
	struct setter setter[] = {
		{ .barrier = &barrier, .state = OBSRING_STATE_DRAINING },
		{ .barrier = &barrier, .state = OBSRING_STATE_RUNNING },
	};
	unsigned int wrong = 0, told, last = 0, i;
	struct obs_info info;
	pthread_t thread[2];
	void *failed;

	pthread_barrier_init(&barrier, NULL, 3);
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, obs_control_open(&setter[i].control));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, set_state, &setter[i]));
	for (i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
		for (told = 0; next() == OBSRING_CMD_STATE_NTF; told++)
			last = number(OBSRING_A_STATE);
		EXPECT_EQ(2, told);
		EXPECT_EQ(0, obs_control_info(self->control, &info));
		wrong += info.state != last;
		pthread_barrier_wait(&barrier);
	}
	EXPECT_EQ(0, wrong);
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(thread[i], &failed));
		EXPECT_EQ(NULL, failed);
		obs_control_close(setter[i].control);
	}
	ASSERT_EQ(0, obs_control_set_state(self->control, OBSRING_STATE_RUNNING));
}

static const struct nlattr *enabled(struct _test_data_event *self)
{
	return self->answer.attr[OBSRING_A_ENABLED];
}

/* The next event of sources; families and series that one makes come before. */
static int next_of_source(struct _test_data_event *self)
{
	int cmd;

	do {
		cmd = next();
	} while (cmd > 0 && cmd != OBSRING_CMD_SOURCE_NTF);
	return cmd;
}

TEST_F(event, sources)
{
	const char *option[] = { "sample=7" };

	ASSERT_EQ(0, obs_source_set(self->control, "irq", true, NULL, 0));
	EXPECT_EQ(OBSRING_CMD_SOURCE_NTF, next_of_source(self));
	EXPECT_STREQ("irq", string(OBSRING_A_NAME));
	ASSERT_NE(NULL, enabled(self));
	EXPECT_EQ(1, *(const uint8_t *)attr_data(enabled(self)));
	EXPECT_EQ(-EAGAIN, next());
	/* No change, no event. */
	ASSERT_EQ(0, obs_source_set(self->control, "irq", true, NULL, 0));
	EXPECT_EQ(-EAGAIN, next());
	ASSERT_EQ(0, obs_source_set(self->control, "irq", false, NULL, 0));
	EXPECT_EQ(OBSRING_CMD_SOURCE_NTF, next_of_source(self));
	EXPECT_EQ(0, *(const uint8_t *)attr_data(enabled(self)));
	/* An option alone. */
	ASSERT_EQ(0, obs_source_set(self->control, "syscall", false, option, 1));
	EXPECT_EQ(OBSRING_CMD_SOURCE_NTF, next_of_source(self));
	EXPECT_STREQ("syscall", string(OBSRING_A_NAME));
	EXPECT_NE(NULL, self->answer.attr[OBSRING_A_OPTION]);
	option[0] = "sample=1000";
	ASSERT_EQ(0, obs_source_set(self->control, "syscall", false, option, 1));
}

TEST_F(event, probes)
{
	struct obs_probe_info probe = {
		.name = "t_probe_total", .type = OBSRING_PROBE_TRACEPOINT,
		.target = "oom:oom_score_adj_update",
	};
	int cmd;

	ASSERT_EQ(0, obs_probe_add(self->control, &probe, NULL));
	do {
		cmd = next();
	} while (cmd > 0 && cmd != OBSRING_CMD_PROBE_NEW_NTF);
	EXPECT_EQ(OBSRING_CMD_PROBE_NEW_NTF, cmd);
	EXPECT_STREQ("t_probe_total", string(OBSRING_A_NAME));
	EXPECT_STREQ("oom:oom_score_adj_update", string(OBSRING_A_PROBE_TARGET));
	EXPECT_EQ(OBSRING_PROBE_TRACEPOINT, number(OBSRING_A_PROBE_TYPE));
	EXPECT_EQ(-EAGAIN, next());
	ASSERT_EQ(0, obs_probe_delete(self->control, "t_probe_total"));
	do {
		cmd = next();
	} while (cmd > 0 && cmd != OBSRING_CMD_PROBE_DEL_NTF);
	EXPECT_EQ(OBSRING_CMD_PROBE_DEL_NTF, cmd);
	EXPECT_STREQ("t_probe_total", string(OBSRING_A_NAME));
	EXPECT_EQ(-EAGAIN, next());
}

TEST_F(event, kernel_modules)
{
	unsigned int families = 0, series = 0;
	int cmd;

	ASSERT_EQ(0, module_load("obsring_example", ""));
	while ((cmd = next()) > 0) {
		families += cmd == OBSRING_CMD_FAMILY_NEW_NTF;
		series += cmd == OBSRING_CMD_SERIES_NEW_NTF;
	}
	EXPECT_EQ(6, families);
	/* Two operations and their overflow, four without labels, one info. */
	EXPECT_EQ(8, series);
	ASSERT_EQ(0, module_unload("obsring_example"));
	while ((cmd = next()) > 0) {
		families -= cmd == OBSRING_CMD_FAMILY_DEL_NTF;
		series -= cmd == OBSRING_CMD_SERIES_DEL_NTF;
	}
	EXPECT_EQ(0, families);
	EXPECT_EQ(0, series);
}

TEST_HARNESS_MAIN
