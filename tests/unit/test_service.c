// SPDX-License-Identifier: MIT
/*
 * Handles and updates over a backend of the test's own, which is memory: what a series
 * is found by, when the backend is asked, and what is where afterwards.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "libobsring/handle.h"
#include "libobsring/service.h"

#define CPUS	4
#define SLOTS	4096
#define SERIES	3	/* past that: the overflow series */

static const uint64_t bounds[] = { 10, 20, 30 };
static const uint64_t other_bounds[] = { 10, 20, 31 };
static const char *const labels[] = { "method", "code" };
static const char *const states[] = { "new", "paid" };

#define VALUES(...)	((const char *const []){ __VA_ARGS__ })
#define COUNTER		{ .name = "c_total", .nr_labels = 2, .label = labels }
#define HISTOGRAM	{ .name = "h", .nr_bounds = 3, .bound = bounds }

/* ---- The backend --------------------------------------------------------- */

static struct {
	__u64 *row;		/* CPUS + 1 of SLOTS */
	__u64 *share;
	uint32_t slots, shares, series;
	unsigned int asked;
	int error;		/* to refuse by */
	bool wrong;		/* to answer wrongly */
} memory;

static int memory_metric(struct obs_member *member, const struct obs_family_spec *spec,
			 const char *const *value, struct obs_place *ret_place)
{
	uint32_t nr = obs_spec_nr_slots(spec);

	(void)member;
	(void)value;
	memory.asked++;
	if (memory.error)
		return memory.error;
	*ret_place = (struct obs_place){ .series = memory.series, .nr_slots = nr };
	if (memory.series == SERIES)
		ret_place->overflow = true;
	else
		memory.series++;
	if (spec->kind == OBSRING_KIND_GAUGE && !spec->set) {
		ret_place->share = &memory.share[memory.shares++];
		return 0;
	}
	ret_place->rows.base = memory.row + memory.slots;
	ret_place->rows.shared = ret_place->rows.base + CPUS * SLOTS;
	ret_place->rows.stride = SLOTS * sizeof(uint64_t);
	if (!spec->set && spec->kind != OBSRING_KIND_STATE)
		ret_place->rows.nr_cpus = CPUS;
	if (memory.wrong)
		ret_place->nr_slots++;
	memory.slots += nr;
	return 0;
}

static const struct obs_backend backend = { .metric = memory_metric };

static uint64_t sum(uint32_t slot)
{
	uint64_t value = 0;
	unsigned int i;

	for (i = 0; i <= CPUS; i++)
		value += memory.row[i * SLOTS + slot];
	return value;
}

static int setup(void **state)
{
	struct obs_service *service = calloc(1, sizeof(*service));
	size_t size = (CPUS + 2) * SLOTS * sizeof(uint64_t);

	memset(&memory, 0, sizeof(memory));
	memory.row = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			  -1, 0);
	assert_true(memory.row != MAP_FAILED);
	memory.share = memory.row + (CPUS + 1) * SLOTS;
	service->backend = &backend;
	*state = service;
	return 0;
}

static int teardown(void **state)
{
	obs_handles_free(*state);
	free(*state);
	munmap(memory.row, (CPUS + 2) * SLOTS * sizeof(uint64_t));
	return 0;
}

/* ---- Finding them -------------------------------------------------------- */

static void test_found(void **state)
{
	struct obs_family_spec spec = COUNTER, copy = COUNTER;
	struct obs_counter *get, *post, *again = NULL;
	const char *names[] = { "method", "code" };
	char value[] = "GET";

	assert_int_equal(obs_counter_new(*state, &spec, VALUES(value, "200"), &get), 0);
	assert_int_equal(obs_counter_new(*state, &spec, VALUES("POST", "200"), &post), 0);
	assert_ptr_not_equal(get, post);
	assert_int_equal(memory.asked, 2);
	/* By what it is, not by where that stands. */
	copy.name = strdup("c_total");
	copy.label = names;
	copy.help = "Another help.";
	value[0] = 'X';
	assert_int_equal(obs_counter_new(*state, &copy, VALUES("GET", "200"), &again), 0);
	assert_ptr_equal(again, get);
	assert_int_equal(memory.asked, 2);
	free((char *)copy.name);
	/* Values are not run together. */
	assert_int_equal(obs_counter_new(*state, &spec, VALUES("GE", "T200"), &again), 0);
	assert_ptr_not_equal(again, get);
	assert_int_equal(memory.asked, 3);
}

static void test_other_family(void **state)
{
	struct obs_family_spec spec = COUNTER, h = HISTOGRAM, s = {
		.name = "s", .nr_states = 2, .state = states };
	struct obs_histogram *histogram;
	struct obs_counter *counter;
	struct obs_gauge *gauge = (void *)1;
	struct obs_state *set;
	unsigned int asked;

	assert_int_equal(obs_counter_new(*state, &spec, VALUES("GET", "200"), &counter), 0);
	assert_int_equal(obs_histogram_new(*state, &h, NULL, &histogram), 0);
	assert_int_equal(obs_state_new(*state, &s, NULL, &set), 0);
	asked = memory.asked;
	assert_int_equal(obs_gauge_new(*state, &spec, VALUES("GET", "200"), &gauge), -EEXIST);
	assert_ptr_equal(gauge, (void *)1);
	spec.unit = "seconds";
	assert_int_equal(obs_counter_new(*state, &spec, VALUES("GET", "200"), &counter),
			 -EEXIST);
	spec = (struct obs_family_spec)COUNTER;
	spec.exp10 = -9;
	assert_int_equal(obs_counter_new(*state, &spec, VALUES("GET", "200"), &counter),
			 -EEXIST);
	spec.exp10 = 0;
	spec.label = VALUES("method", "kode");
	assert_int_equal(obs_counter_new(*state, &spec, VALUES("GET", "200"), &counter),
			 -EEXIST);
	spec.nr_labels = 1;
	assert_int_equal(obs_counter_new(*state, &spec, VALUES("GET"), &counter), -EEXIST);
	h.bound = other_bounds;
	assert_int_equal(obs_histogram_new(*state, &h, NULL, &histogram), -EEXIST);
	h.nr_bounds = 0;
	h.max_log2 = 1;
	assert_int_equal(obs_histogram_new(*state, &h, NULL, &histogram), -EEXIST);
	s.nr_states = 1;
	assert_int_equal(obs_state_new(*state, &s, NULL, &set), -EEXIST);
	assert_int_equal(memory.asked, asked);
}

/* Add-type and set-type do not mix. */
static void test_gauges(void **state)
{
	const struct obs_family_spec add = { .name = "add" }, set = { .name = "set" };
	struct obs_gauge *a, *s, *no;

	assert_int_equal(obs_gauge_new(*state, &add, NULL, &a), 0);
	assert_int_equal(obs_gauge_set_new(*state, &set, NULL, &s), 0);
	assert_int_equal(obs_gauge_set_new(*state, &add, NULL, &no), -EINVAL);
	assert_int_equal(obs_gauge_new(*state, &set, NULL, &no), -EINVAL);
	assert_int_equal(obs_gauge_add(a, 5), 0);
	assert_int_equal(obs_gauge_add(a, -12), 0);
	assert_int_equal(obs_gauge_set(a, 1), -EINVAL);
	assert_int_equal((int64_t)memory.share[0], -7);
	assert_int_equal(obs_gauge_set(s, -3), 0);
	assert_int_equal(obs_gauge_set(s, 4), 0);
	assert_int_equal(obs_gauge_add(s, 1), -EINVAL);
	assert_int_equal(sum(0), 4);
	assert_int_equal(memory.row[CPUS * SLOTS], 4);
}

static void test_overflow(void **state)
{
	struct obs_counter *counter[3], *over = NULL, *again = NULL;
	struct obs_family_spec spec = COUNTER;
	unsigned int i;

	for (i = 0; i < SERIES; i++)
		assert_int_equal(obs_counter_new(*state, &spec,
						 VALUES("x", states[i % 2] + i / 2),
						 &counter[i]), 0);
	assert_int_equal(obs_counter_new(*state, &spec, VALUES("y", "1"), &over), 1);
	assert_int_equal(obs_counter_new(*state, &spec, VALUES("y", "2"), &again), 1);
	assert_ptr_equal(over, again);
	obs_counter_add(over, 2);
	obs_counter_add(again, 3);
	assert_int_equal(sum((uint32_t)(((struct obs_handle *)over)->rows.base - memory.row)),
			 5);
	assert_int_equal(obs_counter_new(*state, &spec, VALUES("x", "new"), &again), 0);
	assert_ptr_equal(again, counter[0]);
}

/* A refusal leaves nothing behind: it is asked again, and then is there. */
static void test_refused(void **state)
{
	static const int errors[] = { -ENOSPC, -ENOMEM, -ESTALE, -EBADF, -EEXIST };
	struct obs_family_spec spec = COUNTER;
	struct obs_counter *counter = NULL;
	size_t i;

	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		memory.error = errors[i];
		assert_int_equal(obs_counter_new(*state, &spec, VALUES("GET", "200"),
						 &counter), errors[i]);
		assert_null(counter);
	}
	memory.error = 0;
	memory.wrong = true;
	assert_int_equal(obs_counter_new(*state, &spec, VALUES("GET", "200"), &counter),
			 -EPROTO);
	memory.wrong = false;
	assert_int_equal(obs_counter_new(*state, &spec, VALUES("GET", "200"), &counter), 0);
	assert_int_equal(memory.asked, i + 2);
}

/* Each is -EINVAL, and the backend is not asked. */
static void test_malformed(void **state)
{
	static const char *const le[] = { "le" }, *const service[] = { "service" };
	static const char *const own[] = { "__x" }, *const twice[] = { "a.b", "a_b" };
	static const char *const empty[] = { "" }, *const latin[] = { "\377" };
	static const char *const self[] = { "m" }, *const same[] = { "x", "x" };
	static const char *const many[] = { "a", "b", "c", "d", "e", "f", "g", "h", "i" };
	static const uint64_t falling[] = { 2, 1 }, top[] = { UINT64_MAX };
	static char long_name[OBSRING_NAME_MAX + 2], long_help[OBSRING_HELP_MAX + 2];
	static char long_unit[OBSRING_UNIT_MAX + 2], long_state[OBSRING_STATE_NAME_MAX + 2];
	static const char *const too_long[] = { long_state };
	const struct {
		enum obsring_kind kind;
		struct obs_family_spec spec;
		const char *const *value;
	} cases[] = {
		{ OBSRING_KIND_COUNTER, { .name = NULL }, NULL },
		{ OBSRING_KIND_COUNTER, { .name = "" }, NULL },
		{ OBSRING_KIND_COUNTER, { .name = "a\n" }, NULL },
		{ OBSRING_KIND_COUNTER, { .name = "\377" }, NULL },
		{ OBSRING_KIND_COUNTER, { .name = long_name }, NULL },
		{ OBSRING_KIND_COUNTER, { .name = "obsring_x_total" }, NULL },
		{ OBSRING_KIND_COUNTER, { .name = "process_x" }, NULL },
		{ OBSRING_KIND_COUNTER, { .name = "process.x" }, NULL },
		{ OBSRING_KIND_COUNTER, { .name = "m", .help = long_help }, NULL },
		{ OBSRING_KIND_COUNTER, { .name = "m", .help = "\377" }, NULL },
		{ OBSRING_KIND_COUNTER, { .name = "m", .unit = long_unit }, NULL },
		{ OBSRING_KIND_COUNTER, { .name = "m", .unit = "\n" }, NULL },
		{ OBSRING_KIND_COUNTER, { .name = "m", .exp10 = 1 }, NULL },
		{ OBSRING_KIND_COUNTER, { .name = "m", .exp10 = -13 }, NULL },
		{ OBSRING_KIND_COUNTER, { .name = "m", .nr_labels = 7, .label = many }, many },
		{ OBSRING_KIND_COUNTER, { .name = "m", .nr_labels = ~0U, .label = many }, many },
		{ OBSRING_KIND_COUNTER, { .name = "m", .nr_labels = 1 }, many },
		{ OBSRING_KIND_COUNTER, { .name = "m", .nr_labels = 1, .label = many }, NULL },
		{ OBSRING_KIND_COUNTER, { .name = "m", .nr_labels = 1, .label = empty }, many },
		{ OBSRING_KIND_COUNTER, { .name = "m", .nr_labels = 1, .label = latin }, many },
		{ OBSRING_KIND_COUNTER, { .name = "m", .nr_labels = 1, .label = many }, latin },
		{ OBSRING_KIND_COUNTER, { .name = "m", .nr_labels = 1, .label = service }, many },
		{ OBSRING_KIND_COUNTER, { .name = "m", .nr_labels = 1, .label = own }, many },
		{ OBSRING_KIND_COUNTER, { .name = "m", .nr_labels = 2, .label = twice }, many },
		{ OBSRING_KIND_COUNTER, { .name = "m", .nr_bounds = 2, .bound = bounds }, NULL },
		{ OBSRING_KIND_COUNTER, { .name = "m", .nr_states = 2, .state = many }, NULL },
		{ OBSRING_KIND_HISTOGRAM, { .name = "m", .nr_labels = 1, .label = le,
					    .nr_bounds = 2, .bound = bounds }, many },
		{ OBSRING_KIND_HISTOGRAM, { .name = "m" }, NULL },
		{ OBSRING_KIND_HISTOGRAM, { .name = "m", .schema = 4, .max_log2 = 1 }, NULL },
		{ OBSRING_KIND_HISTOGRAM, { .name = "m", .schema = -1, .max_log2 = 1 }, NULL },
		{ OBSRING_KIND_HISTOGRAM, { .name = "m", .min_log2 = -41 }, NULL },
		{ OBSRING_KIND_HISTOGRAM, { .name = "m", .max_log2 = 41 }, NULL },
		{ OBSRING_KIND_HISTOGRAM, { .name = "m", .schema = 3, .min_log2 = -40,
					    .max_log2 = 40 }, NULL },
		{ OBSRING_KIND_HISTOGRAM, { .name = "m", .nr_bounds = 129, .bound = bounds },
		  NULL },
		{ OBSRING_KIND_HISTOGRAM, { .name = "m", .nr_bounds = 2 }, NULL },
		{ OBSRING_KIND_HISTOGRAM, { .name = "m", .nr_bounds = 2, .bound = falling },
		  NULL },
		{ OBSRING_KIND_HISTOGRAM, { .name = "m", .nr_bounds = 1, .bound = top }, NULL },
		{ OBSRING_KIND_STATE, { .name = "m" }, NULL },
		{ OBSRING_KIND_STATE, { .name = "m", .nr_states = 1 }, NULL },
		{ OBSRING_KIND_STATE, { .name = "m", .nr_states = OBSRING_STATES_MAX + 1,
					.state = many }, NULL },
		{ OBSRING_KIND_STATE, { .name = "m", .nr_states = 1, .state = too_long },
		  NULL },
		{ OBSRING_KIND_STATE, { .name = "m", .nr_states = 1, .state = empty }, NULL },
		{ OBSRING_KIND_STATE, { .name = "m", .nr_states = 2, .state = same }, NULL },
		{ OBSRING_KIND_STATE, { .name = "m", .nr_states = 1, .state = many,
					.nr_labels = 1, .label = self }, many },
	};
	struct obs_histogram *histogram;
	struct obs_counter *counter;
	struct obs_state *set;
	size_t i;
	int r;

	memset(long_name, 'a', sizeof(long_name) - 1);
	memset(long_help, 'a', sizeof(long_help) - 1);
	memset(long_unit, 'a', sizeof(long_unit) - 1);
	memset(long_state, 'a', sizeof(long_state) - 1);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (cases[i].kind == OBSRING_KIND_HISTOGRAM)
			r = obs_histogram_new(*state, &cases[i].spec, cases[i].value,
					      &histogram);
		else if (cases[i].kind == OBSRING_KIND_STATE)
			r = obs_state_new(*state, &cases[i].spec, cases[i].value, &set);
		else
			r = obs_counter_new(*state, &cases[i].spec, cases[i].value, &counter);
		if (r != -EINVAL)
			fail_msg("case %zu: %d", i, r);
	}
	assert_int_equal(memory.asked, 0);
}

/* ---- Counting ------------------------------------------------------------ */

static void test_counts(void **state)
{
	struct obs_family_spec spec = COUNTER, h = HISTOGRAM;
	struct obs_histogram *histogram;
	struct obs_counter *counter;
	struct obs_timer timer;
	uint64_t spent;
	int status;
	pid_t pid;

	assert_int_equal(obs_histogram_new(*state, &h, NULL, &histogram), 0);
	assert_int_equal(obs_counter_new(*state, &spec, VALUES("GET", "200"), &counter), 0);
	obs_counter_add(counter, 3);
	obs_histogram_observe(histogram, 0);
	obs_histogram_observe(histogram, 10);
	obs_histogram_observe(histogram, 11);
	obs_histogram_observe(histogram, 1000);
	pid = fork();
	if (!pid) {
		obs_counter_add(counter, 4);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(sum(5), 7);
	assert_int_equal(sum(0), 1021);
	assert_int_equal(sum(1), 2);
	assert_int_equal(sum(2), 1);
	assert_int_equal(sum(3), 0);
	assert_int_equal(sum(4), 1);
	timer = obs_timer_start();
	spent = obs_timer_observe(&timer, histogram);
	assert_int_equal(sum(0), 1021 + spent);
	assert_int_equal(sum(1) + sum(2) + sum(3) + sum(4), 5);
}

static void test_exponential(void **state)
{
	const struct obs_family_spec spec = { .name = "e_seconds", .exp10 = -9, .schema = 2,
					      .min_log2 = -2, .max_log2 = 1 };
	struct obs_histogram *histogram;
	unsigned int i;

	assert_int_equal(obs_histogram_new(*state, &spec, NULL, &histogram), 0);
	obs_histogram_observe(histogram, 250000000);	/* 2^-2 s */
	obs_histogram_observe(histogram, 250000001);
	obs_histogram_observe(histogram, 2000000000);
	obs_histogram_observe(histogram, 2000000001);
	for (i = 1; i <= 14; i++)
		assert_int_equal(sum(i), i == 1 || i == 2 || i == 13 || i == 14);
}

static void test_states(void **state)
{
	const struct obs_family_spec spec = { .name = "s", .nr_states = 2, .state = states };
	struct obs_state *set;
	unsigned int is;

	assert_int_equal(obs_state_new(*state, &spec, NULL, &set), 0);
	assert_int_equal(obs_state_get(set, &is), 0);
	assert_int_equal(obs_state_update(set, 0, 1), -EINVAL);
	assert_int_equal(obs_state_update(set, OBS_STATE_VERSION_MAX + 1, 1), -EINVAL);
	assert_int_equal(obs_state_update(set, 1, OBS_STATE_MAX + 1), -EINVAL);
	assert_int_equal(obs_state_update(set, 5, 1), OBS_STATE_INSERTED);
	assert_int_equal(obs_state_update(set, 7, 0), OBS_STATE_UPDATED);
	assert_int_equal(obs_state_update(set, 6, 1), OBS_STATE_STALE);
	assert_int_equal(obs_state_update(set, 7, 0), OBS_STATE_STALE);
	assert_int_equal(obs_state_update(set, 7, 1), OBS_STATE_CONFLICT);
	assert_int_equal(obs_state_get(set, &is), 7);
	assert_int_equal(is, 0);
}

static void test_none(void **state)
{
	struct obs_timer timer = obs_timer_start();
	unsigned int is = 7;

	(void)state;
	obs_counter_add(NULL, 1);
	assert_int_equal(obs_gauge_add(NULL, 1), 0);
	assert_int_equal(obs_gauge_set(NULL, 1), 0);
	obs_histogram_observe(NULL, 1);
	obs_timer_observe(&timer, NULL);
	assert_int_equal(obs_state_update(NULL, 1, 1), -ENOENT);
	assert_int_equal(obs_state_get(NULL, &is), 0);
	assert_int_equal(is, 0);
	obs_service_detach(NULL);
}

/*
 * Within its caller and called, the same is added; and the caller's code may go then: the
 * kernel is not told of it any more. A preemption on the way leaves the library's.
 */
static void test_inline(void **state)
{
	const struct obs_family_spec spec = COUNTER;
	const volatile __u64 *armed = (const volatile __u64 *)&obs_rseq_area()->rseq_cs;
	struct obs_counter *counter;
	unsigned int i, left = 0;

	assert_int_equal(obs_counter_new(*state, &spec, VALUES("GET", "200"), &counter), 0);
	for (i = 0; i < 1000; i++) {
		obs_counter_add(counter, 2);
		/* Whose CPU has no row is left to the library. */
		left += *armed != 0 && sched_getcpu() < CPUS;
		(obs_counter_add)(counter, 3);
	}
	assert_int_equal(sum(0), 5000);
	assert_in_range(left, 0, 500);
	obs_counter_add(counter, (uint64_t)-1);
	assert_int_equal(sum(0), 4999);
}

/* All threads ask for the same series, whoever comes first: one handle each. */
#define ASKERS	4
#define ASKED	500

struct asker {
	struct obs_service *service;
	struct obs_counter *counter[ASKED];
	pthread_t thread;
};

static void *asker_main(void *arg)
{
	const struct obs_family_spec spec = COUNTER;
	struct asker *asker = arg;
	char value[16];
	unsigned int i;

	for (i = 0; i < ASKED; i++) {
		snprintf(value, sizeof(value), "%u", i * 7 % ASKED);
		if (obs_counter_new(asker->service, &spec, VALUES("GET", value),
				    &asker->counter[i]) < 0)
			abort();
		obs_counter_add(asker->counter[i], 1);
	}
	return NULL;
}

static void test_threads(void **state)
{
	static struct asker asker[ASKERS];
	uint64_t all = 0;
	unsigned int i;

	for (i = 0; i < ASKERS; i++) {
		asker[i].service = *state;
		assert_int_equal(pthread_create(&asker[i].thread, NULL, asker_main, &asker[i]),
				 0);
	}
	for (i = 0; i < ASKERS; i++)
		pthread_join(asker[i].thread, NULL);
	for (i = 1; i < ASKERS; i++)
		assert_memory_equal(asker[i].counter, asker[0].counter,
				    SERIES * sizeof(asker[0].counter[0]));
	for (i = 0; i <= SERIES; i++)
		all += sum(i);
	assert_int_equal(all, ASKERS * ASKED);
}

static void test_attach_fails(void **state)
{
	static char long_name[OBSRING_NAME_MAX + 2];
	static const struct {
		const char *name, *path;
		int error;
	} cases[] = {
		{ "x", "/nonexistent/obsring", -ENOENT },
		{ "x", "/", -EPROTO },
		{ "x", "/dev/null", -EPROTO },
		{ "x", "/dev/zero", -EPROTO },
		{ "x", "/dev/tty/x", -ENOTDIR },
		{ "", "/dev/null", -EINVAL },
		{ "a\tb", "/dev/null", -EINVAL },
		{ "\377", "/dev/null", -EINVAL },
		{ long_name, "/dev/null", -EINVAL },
	};
	struct obs_service *service = (void *)1;
	size_t i;

	(void)state;
	memset(long_name, 'a', sizeof(long_name) - 1);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(obs_service_attach_with(cases[i].name,
			&(struct obs_service_options){ .device = cases[i].path }, &service),
				 cases[i].error);
		assert_ptr_equal(service, (void *)1);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_found),
		TEST(test_other_family),
		TEST(test_gauges),
		TEST(test_overflow),
		TEST(test_refused),
		TEST(test_malformed),
		TEST(test_counts),
		TEST(test_exponential),
		TEST(test_states),
		TEST(test_none),
		TEST(test_inline),
		TEST(test_threads),
		TEST(test_attach_fails),
	};

	return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
