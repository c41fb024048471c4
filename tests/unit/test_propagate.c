// SPDX-License-Identifier: MIT
/*
 * Trace context in headers, the formats together: precedence, what comes in and goes out,
 * what is counted, that nothing is allocated, and that processes differ.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "traced.h"

struct out {
	unsigned int nr;
	size_t len;
	char line[8][700];
};

static int put(const char *name, const char *value, size_t len, void *arg)
{
	struct out *out = arg;

	assert_true(out->nr < NR(out->line));
	snprintf(out->line[out->nr++], sizeof(out->line[0]), "%s: %.*s", name,
		 (int)len, value);
	return 0;
}

static int refuse(const char *name, const char *value, size_t len, void *arg)
{
	(void)name, (void)value, (void)len;
	++*(int *)arg;
	return 42;
}

static void precedence(void **state)
{
	struct obs_trace_headers headers;
	struct obs_trace_context context;
	unsigned int dropped;

	(void)state;
	obs_trace_headers_init(&headers);
	/* The worst first: each that is added comes before what was there. */
	assert_int_equal(OBS_TRACE_NONE, obs_trace_extract(&headers, &context, &dropped));
	assert_int_equal(0, dropped);
	assert_int_equal(OBS_TRACE_RANDOM, context.flags);
	obs_trace_headers_add(&headers, "grpc-trace-bin", 14, grpc, sizeof(grpc));
	add(&headers, "tracestate", "a=1");
	assert_int_equal(OBS_TRACE_GRPC, obs_trace_extract(&headers, &context, &dropped));
	assert_int_equal(OBS_TRACE_NO_TRACESTATE, dropped);
	assert_string_equal("", context.tracestate);
	assert_ids(&context);
	add(&headers, "X-B3-Sampled", "0");
	assert_int_equal(OBS_TRACE_B3_MULTI, obs_trace_extract(&headers, &context, &dropped));
	assert_int_equal(OBS_TRACE_RANDOM, context.flags);
	add(&headers, "B3", "d");
	assert_int_equal(OBS_TRACE_B3_SINGLE, obs_trace_extract(&headers, &context, &dropped));
	assert_true(context.debug);
	assert_int_equal(OBS_TRACE_RANDOM | OBS_TRACE_SAMPLED, context.flags);
	add(&headers, "TraceParent", PARENT "-03");
	assert_int_equal(OBS_TRACE_W3C, obs_trace_extract(&headers, &context, &dropped));
	assert_int_equal(0, dropped);
	assert_string_equal("a=1", context.tracestate);
	assert_false(context.debug);
	assert_ids(&context);
	/* Two are none. */
	add(&headers, "traceparent", PARENT "-03");
	assert_int_equal(OBS_TRACE_B3_SINGLE, obs_trace_extract(&headers, &context, &dropped));
	assert_int_equal(OBS_TRACE_BAD_TRACEPARENT | OBS_TRACE_NO_TRACESTATE, dropped);
	assert_string_equal("", context.tracestate);
}

static void all_bad(void **state)
{
	struct obs_trace_headers headers;
	struct obs_trace_context context;
	unsigned int dropped, i;

	(void)state;
	obs_trace_headers_init(&headers);
	add(&headers, "traceparent", "00-" TRACE);
	add(&headers, "b3", "x");
	add(&headers, "x-b3-traceid", "x");
	add(&headers, "grpc-trace-bin", "x");
	add(&headers, "trace-parent", PARENT "-01");
	assert_int_equal(OBS_TRACE_NONE, obs_trace_extract(&headers, &context, &dropped));
	assert_int_equal(OBS_TRACE_BAD_TRACEPARENT | OBS_TRACE_BAD_B3 |
			 OBS_TRACE_BAD_B3_MULTI | OBS_TRACE_BAD_GRPC, dropped);
	assert_false(obs_id_is_zero(context.trace_id, 16));
	assert_false(obs_id_is_zero(context.span_id, 8));

	obs_trace_headers_init(&headers);
	add(&headers, "traceparent", PARENT "-01");
	add(&headers, "tracestate", "no");
	assert_int_equal(OBS_TRACE_W3C, obs_trace_extract(&headers, &context, &dropped));
	assert_int_equal(OBS_TRACE_BAD_TRACESTATE, dropped);
	assert_string_equal("", context.tracestate);

	obs_trace_headers_init(&headers);
	add(&headers, "traceparent", PARENT "-01");
	for (i = 0; i < OBS_TRACE_HEADER_VALUES; i++)
		add(&headers, "tracestate", "");
	assert_int_equal(OBS_TRACE_W3C, obs_trace_extract(&headers, &context, &dropped));
	assert_int_equal(0, dropped);
	for (i = 0; i < 3; i++)
		add(&headers, "tracestate", "");
	assert_int_equal(OBS_TRACE_W3C, obs_trace_extract(&headers, &context, &dropped));
	assert_int_equal(OBS_TRACE_BAD_TRACESTATE, dropped);
}

static void inject(void **state)
{
	struct obs_trace_headers headers;
	struct obs_trace_context context, back;
	struct out out = { 0 };
	int calls = 0;

	(void)state;
	obs_trace_headers_init(&headers);
	add(&headers, "traceparent", PARENT "-01");
	add(&headers, "tracestate", "a=1");
	obs_trace_extract(&headers, &context, NULL);
	assert_int_equal(0, obs_trace_inject(&context,
					     OBS_TRACE_W3C | OBS_TRACE_B3_SINGLE |
					     OBS_TRACE_B3_MULTI | OBS_TRACE_GRPC,
					     put, &out));
	assert_int_equal(7, out.nr);
	assert_string_equal("traceparent: " PARENT "-01", out.line[0]);
	assert_string_equal("tracestate: a=1", out.line[1]);
	assert_string_equal("b3: " TRACE "-" SPAN "-1", out.line[2]);
	assert_string_equal("X-B3-TraceId: " TRACE, out.line[3]);
	assert_string_equal("X-B3-SpanId: " SPAN, out.line[4]);
	assert_string_equal("X-B3-Sampled: 1", out.line[5]);
	assert_string_equal("grpc-trace-bin: " GRPC64, out.line[6]);
	assert_int_equal(42, obs_trace_inject(&context, OBS_TRACE_W3C | OBS_TRACE_GRPC,
					      refuse, &calls));
	assert_int_equal(1, calls);

	/* A child: the same trace, another span. */
	back = context;
	obs_trace_child(&back);
	assert_memory_equal(context.trace_id, back.trace_id, 16);
	assert_memory_not_equal(context.span_id, back.span_id, 8);
	assert_string_equal("a=1", back.tracestate);
}

static int measure(const char *name, const char *value, size_t len, void *arg)
{
	(void)name, (void)value;
	((struct out *)arg)->nr++;
	((struct out *)arg)->len += len;
	return 0;
}

static void baggage(void **state)
{
	struct obs_trace_headers headers;
	static char big[8193 + 1];
	struct out out = { 0 };
	unsigned int i;

	(void)state;
	obs_trace_headers_init(&headers);
	memset(big, 'x', sizeof(big) - 1);
	add(&headers, "Baggage", "userId=alice,serverNode=DF%2028;p=1");
	add(&headers, "baggage", "a=\n");
	add(&headers, "baggage", "");
	add(&headers, "baggage", big);
	add(&headers, "baggage", "b=2");
	assert_int_equal(0, obs_baggage_inject(&headers, put, &out));
	assert_int_equal(2, out.nr);
	assert_string_equal("baggage: userId=alice,serverNode=DF%2028;p=1", out.line[0]);
	assert_string_equal("baggage: b=2", out.line[1]);

	/* What anyone must pass on: 64 members, each a header of its own. */
	obs_trace_headers_init(&headers);
	for (i = 0; i < 64; i++)
		obs_trace_headers_add(&headers, "baggage", 7, big, 127);
	out.nr = 0;
	assert_int_equal(0, obs_baggage_inject(&headers, measure, &out));
	assert_int_equal(64, out.nr);
	add(&headers, "baggage", "a=1");
	out.nr = 0;
	assert_int_equal(0, obs_baggage_inject(&headers, measure, &out));
	assert_int_equal(64, out.nr);
	/* 8192 bytes in all, with a comma; of what is more, what has room. */
	obs_trace_headers_init(&headers);
	obs_trace_headers_add(&headers, "baggage", 7, big, 4096);
	obs_trace_headers_add(&headers, "baggage", 7, big, 4096);
	obs_trace_headers_add(&headers, "baggage", 7, big, 4095);
	obs_trace_headers_add(&headers, "baggage", 7, "", 0);
	obs_trace_headers_add(&headers, "baggage", 7, "x", 1);
	out = (struct out){ 0 };
	assert_int_equal(0, obs_baggage_inject(&headers, measure, &out));
	assert_int_equal(2, out.nr);
	assert_int_equal(4096 + 4095, out.len);
	assert_int_equal(42, obs_baggage_inject(&headers, refuse, &i));
}

/* Keys and values of a message are bytes: no NUL, and there may be no value. */
static void kafka(void **state)
{
	static const char message[] = "traceparent" PARENT "-01tracestatea=1,b=2x";
	const char *value = message + 11, *key = value + OBS_TRACEPARENT_LEN;
	struct obs_trace_headers headers;
	struct obs_trace_context context;
	unsigned int dropped;

	(void)state;
	obs_trace_headers_init(&headers);
	obs_trace_headers_add(&headers, message, 11, value, OBS_TRACEPARENT_LEN);
	obs_trace_headers_add(&headers, key, 10, key + 10, 7);
	assert_int_equal(OBS_TRACE_W3C, obs_trace_extract(&headers, &context, &dropped));
	assert_int_equal(0, dropped);
	assert_ids(&context);
	assert_string_equal("a=1,b=2", context.tracestate);

	/* One behind the other, with a byte between them that is no comma. */
	obs_trace_headers_init(&headers);
	obs_trace_headers_add(&headers, message, 11, value, OBS_TRACEPARENT_LEN);
	obs_trace_headers_add(&headers, "tracestate", 10, "a=1;b=2", 3);
	obs_trace_headers_add(&headers, "tracestate", 10, headers.tracestate[0].at + 4, 3);
	obs_trace_extract(&headers, &context, &dropped);
	assert_string_equal("a=1,b=2", context.tracestate);

	obs_trace_headers_add(&headers, "tracestate", 10, NULL, 0);
	obs_trace_headers_add(&headers, "tracestate", 10, "c=\0", 3);
	obs_trace_headers_add(&headers, "baggage", 7, NULL, 0);
	assert_int_equal(OBS_TRACE_W3C, obs_trace_extract(&headers, &context, &dropped));
	assert_int_equal(OBS_TRACE_BAD_TRACESTATE, dropped);
	assert_int_equal(0, obs_baggage_inject(&headers, refuse, NULL));

	obs_trace_headers_init(&headers);
	obs_trace_headers_add(&headers, "traceparent", 11, NULL, 0);
	obs_trace_headers_add(&headers, "b3", 2, NULL, 0);
	obs_trace_headers_add(&headers, "grpc-trace-bin", 14, NULL, 0);
	assert_int_equal(OBS_TRACE_NONE, obs_trace_extract(&headers, &context, &dropped));
	assert_int_equal(OBS_TRACE_BAD_TRACEPARENT, dropped);
}

/* ---- Counts -------------------------------------------------------------- */

#define HEADERS_MAX 4

static const struct {
	const char *header[HEADERS_MAX][2];
	const char *counted[3];
} counteds[] = {
	{ { { "Accept", "x" } }, { "new" } },
	{ { { "traceparent", PARENT "-01" } }, { "w3c" } },
	{ { { "traceparent", PARENT "-01" }, { "tracestate", "x" } },
	  { "w3c", "bad_tracestate" } },
	{ { { "traceparent", PARENT "-01" }, { "tracestate", X256 "=" X256 } },
	  { "w3c", "cut_tracestate" } },
	{ { { "traceparent", "x" }, { "tracestate", "a=1" }, { "b3", "1" } },
	  { "b3", "bad_traceparent", "tracestate_alone" } },
	{ { { "b3", "x" }, { "X-B3-Sampled", "1" } }, { "b3_multi", "bad_b3" } },
	{ { { "X-B3-Sampled", "x" }, { "grpc-trace-bin", GRPC64 } },
	  { "grpc", "bad_b3_multi" } },
	{ { { "grpc-trace-bin", "x" } }, { "new", "bad_grpc" } },
	{ { { "traceparent", PARENT "-01" }, { "baggage", "a=1" }, { "baggage", "\x01" } },
	  { "w3c", "bad_baggage" } },
};

/* What is counted for a row, in a process of its own: it begins with 0. */
static int counted_again(size_t row)
{
	uint64_t counts[OBS_TRACE_RESULTS], expected[OBS_TRACE_RESULTS] = { 0 };
	struct obs_trace_headers headers;
	struct obs_trace_context context;
	struct out out = { 0 };
	size_t i, named;

	obs_trace_headers_init(&headers);
	for (i = 0; i < HEADERS_MAX && counteds[row].header[i][0]; i++)
		add(&headers, counteds[row].header[i][0], counteds[row].header[i][1]);
	obs_trace_extract(&headers, &context, NULL);
	obs_baggage_inject(&headers, measure, &out);
	obs_trace_counts(counts);
	for (named = 0; named < 3 && counteds[row].counted[named]; named++)
		for (i = 0; i < OBS_TRACE_RESULTS; i++)
			if (!strcmp(counteds[row].counted[named], obs_trace_result_name(i)))
				expected[i] = 1;
	return memcmp(expected, counts, sizeof(counts)) != 0;
}

static void counted(void **state)
{
	size_t i;
	int status;

	(void)state;
	assert_string_equal("", obs_trace_result_name(OBS_TRACE_RESULTS));
	for (i = 0; i < NR(counteds); i++) {
		if (!fork())
			_exit(counted_again(i));
		assert_true(wait(&status) > 0);
		if (status)
			fail_msg("row %zu", i);
	}
}

#define COUNTERS 40

#define TIMES	5000

static void *count_many(void *unused)
{
	struct obs_trace_headers headers;
	struct obs_trace_context context;
	int i;

	obs_trace_headers_init(&headers);
	add(&headers, "traceparent", PARENT "-01");
	for (i = 0; i < TIMES; i++)
		obs_trace_extract(&headers, &context, NULL);
	return unused;
}

/* More threads than sets: none is lost. */
static void counted_by_threads(void **state)
{
	uint64_t before[OBS_TRACE_RESULTS], after[OBS_TRACE_RESULTS];
	pthread_t thread[COUNTERS];
	int i;

	(void)state;
	obs_trace_counts(before);
	for (i = 0; i < COUNTERS; i++)
		assert_int_equal(0, pthread_create(&thread[i], NULL, count_many, NULL));
	for (i = 0; i < COUNTERS; i++)
		pthread_join(thread[i], NULL);
	obs_trace_counts(after);
	assert_int_equal(COUNTERS * TIMES,
			 after[OBS_TRACE_USED_W3C] - before[OBS_TRACE_USED_W3C]);
}

/* ---- Memory -------------------------------------------------------------- */

/* Of the sanitizers' runtime; gcc has no header for it. */
__attribute__((weak))
int __sanitizer_install_malloc_and_free_hooks(void (*allocated)(const volatile void *, size_t),
					      void (*freed)(const volatile void *));

static unsigned int nr_allocated;

static void allocated(const volatile void *unused, size_t size)
{
	(void)unused, (void)size;
	nr_allocated++;
}

static void freed(const volatile void *unused)
{
	(void)unused;
}

/* Every parser with what it takes, and what it refuses; every way out. */
static void use_everything(void)
{
	static const char *const header[][2] = {
		{ "traceparent", PARENT "-01" }, { "tracestate", TEN("0") "," TEN("1") },
		{ "b3", TRACE "-" SPAN "-1" }, { "X-B3-TraceId", TRACE },
		{ "X-B3-SpanId", SPAN }, { "grpc-trace-bin", GRPC64 },
		{ "baggage", "a=1" },
	};
	const unsigned int all = OBS_TRACE_W3C | OBS_TRACE_B3_SINGLE | OBS_TRACE_B3_MULTI |
				 OBS_TRACE_GRPC;
	struct obs_trace_headers headers;
	struct obs_trace_context context;
	struct out out = { 0 };
	size_t first, i;

	for (first = 0; first <= NR(header); first++) {
		obs_trace_headers_init(&headers);
		add(&headers, "traceparent", "x");
		for (i = first; i < NR(header); i++)
			add(&headers, header[i][0], header[i][1]);
		if (!first)
			headers.nr_traceparent = 1, headers.traceparent = bytes(header[0][1]);
		obs_trace_extract(&headers, &context, NULL);
		obs_trace_child(&context);
		context.has_th = true;
		context.th = first;
		obs_trace_update(&context);
		obs_trace_inject(&context, all, measure, &out);
		obs_baggage_inject(&headers, measure, &out);
	}
}

static void nothing_is_allocated(void **state)
{
	void *volatile probe;	/* else it is optimized away */

	(void)state;
	/* Built for coverage, without sanitizers: it reaches all the same, and sees nothing. */
	if (!&__sanitizer_install_malloc_and_free_hooks) {
		use_everything();
		skip();
	}
	assert_int_not_equal(0, __sanitizer_install_malloc_and_free_hooks(allocated, freed));
	nr_allocated = 0;
	use_everything();
	assert_int_equal(0, nr_allocated);
	/* It would have been seen. */
	probe = malloc(1);
	assert_int_equal(1, nr_allocated);
	free(probe);
}

/* ---- Processes ----------------------------------------------------------- */

static void child_ids(int out)
{
	struct obs_trace_context context;

	obs_trace_new(&context, false);
	_exit(write(out, context.trace_id, 16) != 16);
}

/* Parent and children began with the same generator. */
static void fork_has_ids_of_its_own(void **state)
{
	struct obs_trace_context context;
	uint8_t id[3][16];
	int fds[2], i;

	(void)state;
	obs_trace_new(&context, false);
	assert_int_equal(0, pipe(fds));
	for (i = 0; i < 2; i++)
		if (!fork())
			child_ids(fds[1]);
	obs_trace_new(&context, true);
	memcpy(id[0], context.trace_id, 16);
	assert_int_equal(16, read(fds[0], id[1], 16));
	assert_int_equal(16, read(fds[0], id[2], 16));
	while (wait(NULL) > 0)
		;
	assert_memory_not_equal(id[0], id[1], 16);
	assert_memory_not_equal(id[0], id[2], 16);
	assert_memory_not_equal(id[1], id[2], 16);
	assert_int_equal(OBS_TRACE_RANDOM | OBS_TRACE_SAMPLED, context.flags);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(precedence),
		cmocka_unit_test(all_bad),
		cmocka_unit_test(inject),
		cmocka_unit_test(baggage),
		cmocka_unit_test(kafka),
		cmocka_unit_test(counted),
		cmocka_unit_test(counted_by_threads),
		cmocka_unit_test(nothing_is_allocated),
		cmocka_unit_test(fork_has_ids_of_its_own),
	};

	return cmocka_run_group_tests_name("propagate", tests, NULL, NULL);
}
