// SPDX-License-Identifier: MIT
/*
 * What became of headers, counted in a service: with all that was counted before, and
 * exactly while threads go on counting. The service's pages are our own memory.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <libobsring/propagate.h>
#include <libobsring/service.h>
#include <obsring/platform.h>

#define W3C	"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

/* A row for each CPU, and everyone's. */
#define CPUS	256
static __u64 row[CPUS + 1][OBS_TRACE_RESULTS];
static char made[OBS_TRACE_RESULTS][32];
static unsigned int nr_made;
static int refusal;

static int fake_metric(struct obs_member *member, const struct obs_family_spec *spec,
		       const char *const *value, struct obs_place *ret)
{
	(void)member;
	assert_string_equal("obsring_trace_context_total", spec->name);
	assert_int_equal(1, spec->nr_labels);
	assert_string_equal("result", spec->label[0]);
	if (refusal && nr_made == 5)
		return refusal;
	assert_in_range(nr_made, 0, OBS_TRACE_RESULTS - 1);
	strcpy(made[nr_made], value[0]);
	*ret = (struct obs_place){
		.rows = {
			.base = &row[0][nr_made],
			.stride = sizeof(row[0]),
			.shared = &row[CPUS][nr_made],
			.nr_cpus = CPUS,
		},
		.nr_slots = 1,
	};
	nr_made++;
	return 0;
}

static const struct obs_backend fake = { .metric = fake_metric };
static struct obs_service service;

static int begin(void **state)
{
	uint64_t counts[OBS_TRACE_RESULTS];
	unsigned int i;

	(void)state;
	memset(row, 0, sizeof(row));
	nr_made = 0;
	refusal = 0;
	service = (struct obs_service){ .backend = &fake, .name = "shop" };
	/* What tests before this one counted goes there. */
	assert_int_equal(0, obs_trace_publish(&service));
	assert_int_equal(0, obs_trace_publish(NULL));
	memset(row, 0, sizeof(row));
	obs_trace_counts(counts);
	for (i = 0; i < OBS_TRACE_RESULTS; i++)
		assert_int_equal(0, counts[i]);
	return 0;
}

static int end(void **state)
{
	(void)state;
	assert_int_equal(0, obs_trace_publish(NULL));
	obs_handles_free(&service);
	return 0;
}

static uint64_t in_service(const char *result)
{
	unsigned int i = 0, cpu;
	uint64_t sum = 0;

	while (i < nr_made && strcmp(made[i], result))
		i++;
	assert_true(i < nr_made);
	for (cpu = 0; cpu <= CPUS; cpu++)
		sum += obs_read_once(&row[cpu][i]);
	return sum;
}

static uint64_t unpublished(enum obs_trace_result result)
{
	uint64_t counts[OBS_TRACE_RESULTS];

	obs_trace_counts(counts);
	return counts[result];
}

static void request(const char *traceparent)
{
	struct obs_trace_headers headers;
	struct obs_trace_context context;

	obs_trace_headers_init(&headers);
	obs_trace_headers_add(&headers, "traceparent", 11, traceparent, strlen(traceparent));
	obs_trace_extract(&headers, &context, NULL);
}

static void before_and_after(void **state)
{
	(void)state;
	request(W3C);
	request("x");
	request(W3C);
	assert_int_equal(2, unpublished(OBS_TRACE_USED_W3C));
	assert_int_equal(0, in_service("w3c"));
	assert_int_equal(0, obs_trace_publish(&service));
	assert_int_equal(OBS_TRACE_RESULTS, nr_made);
	assert_int_equal(0, unpublished(OBS_TRACE_USED_W3C));
	assert_int_equal(2, in_service("w3c"));
	assert_int_equal(1, in_service("new"));
	assert_int_equal(1, in_service("bad_traceparent"));
	request(W3C);
	assert_int_equal(3, in_service("w3c"));
	/* Again: the same series, and nothing twice. */
	assert_int_equal(0, obs_trace_publish(&service));
	assert_int_equal(3, in_service("w3c"));
	assert_int_equal(0, obs_trace_publish(NULL));
	request(W3C);
	assert_int_equal(3, in_service("w3c"));
	assert_int_equal(1, unpublished(OBS_TRACE_USED_W3C));
}

static void refused(void **state)
{
	(void)state;
	obs_handles_free(&service);
	nr_made = 0;
	refusal = -ENOSPC;
	request(W3C);
	assert_int_equal(-ENOSPC, obs_trace_publish(&service));
	request(W3C);
	assert_int_equal(2, unpublished(OBS_TRACE_USED_W3C));
	assert_int_equal(0, in_service("w3c"));
	refusal = 0;
	assert_int_equal(0, obs_trace_publish(&service));
	assert_int_equal(2, in_service("w3c"));
}

/* Only in this form is the name not reserved. */
static void reserved(void **state)
{
	static const char *const label[] = { "result", "other" }, *const value[] = { "a", "b" };
	struct obs_family_spec spec = {
		.name = "obsring_trace_context_total", .kind = OBSRING_KIND_COUNTER,
		.nr_labels = 1, .label = label,
	};

	(void)state;
	assert_int_equal(0, obs_spec_check(&spec, value));
	spec.kind = OBSRING_KIND_GAUGE;
	assert_int_equal(-EINVAL, obs_spec_check(&spec, value));
	spec.kind = OBSRING_KIND_COUNTER;
	spec.nr_labels = 2;
	assert_int_equal(-EINVAL, obs_spec_check(&spec, value));
	spec.nr_labels = 0;
	assert_int_equal(-EINVAL, obs_spec_check(&spec, value));
	spec.nr_labels = 1;
	spec.label = label + 1;
	assert_int_equal(-EINVAL, obs_spec_check(&spec, value));
	spec.label = label;
	spec.name = "obsring_trace_context_totals";
	assert_int_equal(-EINVAL, obs_spec_check(&spec, value));
	spec.name = "obsring.trace_context_total";
	assert_int_equal(-EINVAL, obs_spec_check(&spec, value));
}

#define THREADS	2
#define TIMES	1000
#define ROUNDS	300

static unsigned int nr_counting;

static void *count(void *unused)
{
	int i;

	__atomic_fetch_add(&nr_counting, 1, __ATOMIC_RELAXED);
	for (i = 0; i < TIMES; i++)
		obs_trace_count(OBS_TRACE_USED_W3C);
	return unused;
}

/* Published while they count: each is counted once, there, and none is left over. */
static void at_once(void **state)
{
	pthread_t thread[THREADS];
	int round, i;

	(void)state;
	for (round = 1; round <= ROUNDS; round++) {
		assert_int_equal(0, obs_trace_publish(NULL));
		nr_counting = 0;
		for (i = 0; i < THREADS; i++)
			assert_int_equal(0, pthread_create(&thread[i], NULL, count, NULL));
		while (!__atomic_load_n(&nr_counting, __ATOMIC_RELAXED))
			;
		assert_int_equal(0, obs_trace_publish(&service));
		for (i = 0; i < THREADS; i++)
			pthread_join(thread[i], NULL);
		assert_int_equal(0, unpublished(OBS_TRACE_USED_W3C));
		assert_int_equal(round * THREADS * TIMES, in_service("w3c"));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(before_and_after, begin, end),
		cmocka_unit_test_setup_teardown(refused, begin, end),
		cmocka_unit_test(reserved),
		cmocka_unit_test_setup_teardown(at_once, begin, end),
	};

	return cmocka_run_group_tests_name("publish", tests, NULL, NULL);
}
