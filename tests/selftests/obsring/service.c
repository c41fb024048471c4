// SPDX-License-Identifier: MIT
/*
 * Processes as producers: what they count is exact and stays, shares of gauges go
 * with their address spaces, services have an end.
 */
#include <sys/wait.h>

#include "service.h"
#include "test.h"

#define SERVICE	"selftest"
#define ME	0	/* tests are root's */

static const struct obs_family_spec counter_spec = {
	.name = "selftest_events_total", .help = "h",
	.nr_labels = 1, .label = (const char *const[]){ "kind" },
};

static const struct obs_family_spec gauge_spec = {
	.name = "selftest_busy", .help = "h",
};

static const struct obs_family_spec set_spec = {
	.name = "selftest_temperature", .help = "h",
};

static const struct obs_family_spec histogram_spec = {
	.name = "selftest_latency_seconds", .help = "h", .unit = "seconds", .exp10 = -9,
	.schema = 3, .min_log2 = -20, .max_log2 = 3,
};

static const struct obs_family_spec state_spec = {
	.name = "selftest_order", .help = "h",
	.nr_labels = 1, .label = (const char *const[]){ "order" },
	.nr_states = 3, .state = (const char *const[]){ "new", "paid", "sent" },
};

FIXTURE(service)
{
	struct obs_control *control;
	struct obs_service *service;
};

FIXTURE_SETUP(service)
{
	ASSERT_EQ(0, obs_control_open(&self->control));
	services_clear(self->control);
	ASSERT_EQ(0, obs_service_attach(SERVICE, &self->service));
}

FIXTURE_TEARDOWN(service)
{
	obs_service_detach(self->service);
	services_clear(self->control);
	obs_control_close(self->control);
}

static struct obs_counter *counter_of(struct obs_service *service, const char *kind)
{
	struct obs_counter *counter;

	if (obs_counter_new(service, &counter_spec, &kind, &counter))
		exit(99);
	return counter;
}

static int64_t events(struct obs_control *control, const char *kind)
{
	return service_value(control, counter_spec.name, SERVICE, ME, kind);
}

/* A child that does @fn and then waits to be killed; *@ret_ready is readable then. */
static pid_t child_hold(void (*fn)(void *arg), void *arg, int *ret_ready)
{
	int ready[2];
	pid_t pid;

	if (pipe(ready))
		return -1;
	pid = fork();
	if (!pid) {
		fn(arg);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	*ret_ready = ready[0];
	return pid;
}

static bool child_ready(int ready)
{
	char byte;
	bool is = read(ready, &byte, 1) == 1;

	close(ready);
	return is;
}

static void child_kill(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* ---- Counting ------------------------------------------------------------ */

TEST_F(service, counts_and_stays)
{
	struct obs_service_info info;

	obs_counter_add(counter_of(self->service, "a"), 5);
	EXPECT_EQ(5, events(self->control, "a"));
	EXPECT_EQ(1, service_members(self->control, SERVICE, ME));

	obs_service_detach(self->service);
	ASSERT_EQ(0, service_info(self->control, SERVICE, ME, &info));
	EXPECT_EQ(0, info.members);
	EXPECT_NE(0, info.detached_ns);
	EXPECT_EQ(604800, info.ttl_s);
	EXPECT_EQ(2, info.series);	/* and the overflow series */
	EXPECT_EQ(5, events(self->control, "a"));

	ASSERT_EQ(0, obs_service_attach(SERVICE, &self->service));
	obs_counter_add(counter_of(self->service, "a"), 2);
	EXPECT_EQ(7, events(self->control, "a"));
}

static void add_seven(void *counter)
{
	obs_counter_add(counter, 7);
}

TEST_F(service, counts_of_killed_children_stay)
{
	struct obs_counter *counter = counter_of(self->service, "fork");
	int ready;
	pid_t pid = child_hold(add_seven, counter, &ready);

	ASSERT_TRUE(child_ready(ready));
	EXPECT_EQ(2, service_members(self->control, SERVICE, ME));
	child_kill(pid);
	obs_counter_add(counter, 1);
	EXPECT_EQ(1, service_members(self->control, SERVICE, ME));
	EXPECT_EQ(8, events(self->control, "fork"));
}

static void make_in_child(void *service)
{
	obs_counter_add(counter_of(service, "late"), 3);
}

TEST_F(service, children_make_series)
{
	int ready;
	pid_t pid = child_hold(make_in_child, self->service, &ready);

	ASSERT_TRUE(child_ready(ready));
	EXPECT_EQ(3, events(self->control, "late"));
	obs_counter_add(counter_of(self->service, "late"), 1);
	EXPECT_EQ(4, events(self->control, "late"));
	child_kill(pid);
}

TEST_F(service, histogram)
{
	struct obs_histogram *histogram;

	ASSERT_EQ(0, obs_histogram_new(self->service, &histogram_spec, NULL, &histogram));
	obs_histogram_observe(histogram, 1000000);
	obs_histogram_observe(histogram, 3);
	EXPECT_EQ(1000003, service_value(self->control, histogram_spec.name, SERVICE, ME, ""));
}

/* Each CPU's row is its own: what a thread adds on one stands there. */
struct rows {
	int64_t cpu[4], shared;
};

static int collect_rows(const struct obs_series_values *series, void *arg)
{
	struct rows *rows = arg;
	unsigned int i;

	if (series->overflow)
		return 0;
	for (i = 0; i < series->nr_rows; i++) {
		if (series->row_cpu[i] == OBSRING_CPU_SHARED)
			rows->shared += series->row_number[i];
		else if (series->row_cpu[i] < 4)
			rows->cpu[series->row_cpu[i]] += series->row_number[i];
	}
	return 0;
}

TEST_F(service, rows_are_of_cpus)
{
	struct obs_counter *counter = counter_of(self->service, "rows");
	struct rows rows = { 0 };
	unsigned int cpu, nr = 0;

	for (cpu = 0; cpu < 4; cpu++) {
		if (stay_on_cpu(cpu))
			continue;
		nr++;
		obs_counter_add(counter, 10 + cpu);
	}
	ASSERT_LT(0, nr);
	ASSERT_EQ(0, obs_series_dump(self->control, counter_spec.name, true, -1,
				     collect_rows, &rows));
	for (cpu = 0; cpu < nr; cpu++)
		EXPECT_EQ(10 + cpu, rows.cpu[cpu]);
	EXPECT_EQ(0, rows.shared);
}

/* ---- Gauges -------------------------------------------------------------- */

static void add_three(void *gauge)
{
	if (obs_gauge_add(gauge, 3))
		_exit(1);
}

static int64_t busy(struct obs_control *control)
{
	return service_value(control, gauge_spec.name, SERVICE, ME, "");
}

TEST_F(service, shares_go_with_their_process)
{
	struct obs_gauge *gauge;
	pid_t pid;
	int ready;

	ASSERT_EQ(0, obs_gauge_new(self->service, &gauge_spec, NULL, &gauge));
	ASSERT_EQ(0, obs_gauge_add(gauge, 5));
	pid = child_hold(add_three, gauge, &ready);
	ASSERT_TRUE(child_ready(ready));
	EXPECT_EQ(8, busy(self->control));
	child_kill(pid);
	EXPECT_EQ(5, busy(self->control));
	ASSERT_EQ(0, obs_gauge_add(gauge, -7));
	EXPECT_EQ(-2, busy(self->control));
	obs_service_detach(self->service);
	EXPECT_EQ(0, busy(self->control));
	ASSERT_EQ(0, obs_service_attach(SERVICE, &self->service));
}

static void add_and_exec(void *gauge)
{
	static char *const argv[] = { "sleep", "1000", NULL };

	if (!obs_gauge_add(gauge, 3))
		execvp(argv[0], argv);
	_exit(1);
}

TEST_F(service, shares_go_with_exec)
{
	struct obs_gauge *gauge;
	pid_t pid;

	ASSERT_EQ(0, obs_gauge_new(self->service, &gauge_spec, NULL, &gauge));
	ASSERT_EQ(0, obs_gauge_add(gauge, 1));
	pid = fork();
	if (!pid)
		add_and_exec(gauge);
	EXPECT_TRUE(await(service_members(self->control, SERVICE, ME) == 1 &&
			  busy(self->control) == 1));
	EXPECT_EQ(0, kill(pid, 0));
	child_kill(pid);
	EXPECT_EQ(1, busy(self->control));
}

TEST_F(service, set_gauges_stay)
{
	struct obs_gauge *gauge, *other;

	ASSERT_EQ(0, obs_gauge_set_new(self->service, &set_spec, NULL, &gauge));
	ASSERT_EQ(0, obs_gauge_set(gauge, -40));
	EXPECT_EQ(-EINVAL, obs_gauge_add(gauge, 1));
	EXPECT_EQ(-EINVAL, obs_gauge_new(self->service, &set_spec, NULL, &other));
	obs_service_detach(self->service);
	EXPECT_EQ(-40, service_value(self->control, set_spec.name, SERVICE, ME, ""));
	ASSERT_EQ(0, obs_service_attach(SERVICE, &self->service));
}

/* ---- State sets ---------------------------------------------------------- */

TEST_F(service, states)
{
	const char *order = "17";
	struct obs_state *state;
	unsigned int now;

	ASSERT_EQ(0, obs_state_new(self->service, &state_spec, &order, &state));
	EXPECT_EQ(OBS_STATE_INSERTED, obs_state_update(state, 4, 1));
	EXPECT_EQ(OBS_STATE_STALE, obs_state_update(state, 3, 2));
	EXPECT_EQ(OBS_STATE_CONFLICT, obs_state_update(state, 4, 2));
	EXPECT_EQ(OBS_STATE_UPDATED, obs_state_update(state, 9, 2));
	EXPECT_EQ(9, obs_state_get(state, &now));
	EXPECT_EQ(2, now);
	EXPECT_EQ(9 << 8 | 2, service_value(self->control, state_spec.name, SERVICE, ME, "17"));
}

/* ---- Families are everyone's --------------------------------------------- */

TEST_F(service, families_agree)
{
	struct obs_family_spec other = counter_spec;
	struct obs_histogram *histogram;
	struct obs_counter *counter;
	struct obs_gauge *gauge;
	const char *kind = "x";

	counter_of(self->service, "x");
	other.help = "another sentence";
	EXPECT_EQ(0, obs_counter_new(self->service, &other, &kind, &counter));
	EXPECT_EQ(-EEXIST, obs_gauge_new(self->service, &other, &kind, &gauge));
	other.exp10 = -3;
	EXPECT_EQ(-EEXIST, obs_counter_new(self->service, &other, &kind, &counter));
	other = counter_spec;
	other.label = (const char *const[]){ "sort" };
	EXPECT_EQ(-EEXIST, obs_counter_new(self->service, &other, &kind, &counter));
	other = histogram_spec;
	ASSERT_EQ(0, obs_histogram_new(self->service, &other, NULL, &histogram));
	other.max_log2 = 4;
	EXPECT_EQ(-EEXIST, obs_histogram_new(self->service, &other, NULL, &histogram));
	other.name = "selftest_latency_seconds_bucket";
	EXPECT_EQ(-EEXIST, obs_histogram_new(self->service, &other, NULL, &histogram));
}

TEST_F(service, names_are_checked)
{
	static const char *const bad[] = {
		"", "obsring_mine_total", "process_mine_total", "obsring.mine",
		"obsring_task_forks_total",
	};
	struct obs_family_spec spec = counter_spec;
	struct obs_counter *counter;
	const char *kind = "x";
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		spec.name = bad[i];
		EXPECT_GT(0, obs_counter_new(self->service, &spec, &kind, &counter))
			TH_LOG("'%s' is allowed", bad[i]);
	}
	spec = counter_spec;
	spec.label = (const char *const[]){ "uid" };
	EXPECT_EQ(-EINVAL, obs_counter_new(self->service, &spec, &kind, &counter));
}

/* A family goes with its last series, and its name is free. */
TEST_F(service, family_goes_with_the_last_series)
{
	struct obs_family_spec other = counter_spec;
	struct obs_gauge *gauge;
	const char *kind = "x";

	counter_of(self->service, "x");
	obs_service_detach(self->service);
	ASSERT_EQ(0, obs_service_delete(self->control, -1, SERVICE, ME));
	EXPECT_EQ(SERVICE_NONE, events(self->control, "x"));
	ASSERT_EQ(0, obs_service_attach(SERVICE, &self->service));
	other.name = "selftest_events_total";
	EXPECT_EQ(0, obs_gauge_new(self->service, &other, &kind, &gauge));
}

/* ---- The end of a service ------------------------------------------------ */

TEST_F(service, no_end_with_members)
{
	EXPECT_EQ(-EBUSY, obs_service_delete(self->control, -1, SERVICE, ME));
	EXPECT_SAYS("the service has members", self->control);
	EXPECT_EQ(-ENOENT, obs_service_delete(self->control, -1, SERVICE, 4711));
	EXPECT_EQ(-ENOENT, obs_service_delete(self->control, -1, "none", ME));
}

TEST_F(service, time_to_live)
{
	const struct obs_service_options short_lived = { .has_ttl = true, .ttl_s = 1 };
	struct obs_service_info info, next;
	struct obs_service *other;

	ASSERT_EQ(0, obs_service_attach_with("brief", &short_lived, &other));
	obs_counter_add(counter_of(other, "ttl"), 4);
	obs_counter_add(counter_of(self->service, "ttl"), 1);
	ASSERT_EQ(0, service_info(self->control, "brief", ME, &info));
	EXPECT_EQ(1, info.ttl_s);
	obs_service_detach(other);
	EXPECT_TRUE(await(service_info(self->control, "brief", ME, &next) == -ENOENT));
	EXPECT_EQ(SERVICE_NONE,
		  service_value(self->control, counter_spec.name, "brief", ME, "ttl"));
	EXPECT_EQ(1, events(self->control, "ttl"));

	/* Anew, from nothing. */
	ASSERT_EQ(0, obs_service_attach("brief", &other));
	obs_counter_add(counter_of(other, "ttl"), 1);
	EXPECT_EQ(1, service_value(self->control, counter_spec.name, "brief", ME, "ttl"));
	ASSERT_EQ(0, service_info(self->control, "brief", ME, &next));
	EXPECT_LT(info.created_ns, next.created_ns);
	obs_service_detach(other);
}

TEST_F(service, time_to_live_is_set)
{
	struct obs_service_info info;

	obs_service_detach(self->service);
	ASSERT_EQ(0, obs_service_set_ttl(self->control, -1, SERVICE, ME, 0));
	ASSERT_EQ(0, service_info(self->control, SERVICE, ME, &info));
	EXPECT_EQ(0, info.ttl_s);
	ASSERT_EQ(0, obs_service_set_ttl(self->control, -1, SERVICE, ME, 1));
	EXPECT_TRUE(await(service_info(self->control, SERVICE, ME, &info) == -ENOENT));
	ASSERT_EQ(0, obs_service_attach(SERVICE, &self->service));
}

/* ---- Whose it is --------------------------------------------------------- */

static int count_as_nobody(void *arg)
{
	struct obs_service *service;

	(void)arg;
	if (obs_service_attach(SERVICE, &service))
		return -1;
	obs_counter_add(counter_of(service, "who"), 9);
	return 0;
}

TEST_F(service, users_have_their_own)
{
	obs_counter_add(counter_of(self->service, "who"), 1);
	EXPECT_EQ(0, nobody_run(OBSRING_GROUP, count_as_nobody, NULL));
	EXPECT_EQ(1, events(self->control, "who"));
	EXPECT_EQ(9, service_value(self->control, counter_spec.name, SERVICE, NOBODY, "who"));
	EXPECT_EQ(-1, nobody_run(0, count_as_nobody, NULL));
}

/* The user may delete its own, and nobody else's. */
static int delete_as_nobody(void *uid)
{
	int fd = open(OBSRING_DEVICE, O_RDWR | O_CLOEXEC);
	struct obs_control *control;
	int r;

	if (fd < 0 || obs_control_open(&control))
		return -1;
	r = obs_service_delete(control, fd, SERVICE, *(uint32_t *)uid);
	obs_control_close(control);
	close(fd);
	return r;
}

static int delete_without_device(void *uid)
{
	struct obs_control *control;
	int r;

	if (obs_control_open(&control))
		return -1;
	r = obs_service_delete(control, -1, SERVICE, *(uint32_t *)uid);
	obs_control_close(control);
	return r;
}

TEST_F(service, owner_deletes)
{
	uint32_t me = ME, nobody = NOBODY;

	obs_service_detach(self->service);
	EXPECT_EQ(0, nobody_run(OBSRING_GROUP, count_as_nobody, NULL));
	EXPECT_EQ(-EPERM, nobody_run(OBSRING_GROUP, delete_as_nobody, &me));
	EXPECT_EQ(-EPERM, nobody_run(OBSRING_GROUP, delete_without_device, &nobody));
	EXPECT_EQ(0, nobody_run(OBSRING_GROUP, delete_as_nobody, &nobody));
	EXPECT_EQ(-ENOENT, nobody_run(OBSRING_GROUP, delete_as_nobody, &nobody));
	ASSERT_EQ(0, obs_service_attach(SERVICE, &self->service));
}

/* ---- The mapping of readers ---------------------------------------------- */

TEST_F(service, readers_see_the_same)
{
	struct obs_gauge *gauge;
	struct view view;

	obs_counter_add(counter_of(self->service, "read"), 6);
	ASSERT_EQ(0, obs_gauge_new(self->service, &gauge_spec, NULL, &gauge));
	ASSERT_EQ(0, obs_gauge_add(gauge, 2));
	ASSERT_EQ(0, view_open(&view));
	EXPECT_EQ(6, metric(&view, counter_spec.name, SERVICE, "0", "read"));
	EXPECT_EQ(2, metric(&view, gauge_spec.name, SERVICE, "0"));
	EXPECT_EQ(1, metric(&view, "obsring_service_members", SERVICE, "0"));
	obs_service_detach(self->service);
	EXPECT_EQ(6, metric(&view, counter_spec.name, SERVICE, "0", "read"));
	EXPECT_EQ(0, metric(&view, gauge_spec.name, SERVICE, "0"));
	services_clear(self->control);
	EXPECT_EQ(METRIC_NONE, metric(&view, counter_spec.name, SERVICE, "0", "read"));
	EXPECT_EQ(METRIC_NONE, metric(&view, "obsring_service_members", SERVICE, "0"));
	view_close(&view);
	ASSERT_EQ(0, obs_service_attach(SERVICE, &self->service));
}

TEST_HARNESS_MAIN
