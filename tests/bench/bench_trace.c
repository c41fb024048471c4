// SPDX-License-Identifier: MIT
/*
 * What a header with trace context costs to parse and to write, and that none of it
 * allocates.
 *
 * usage: bench_trace [ROUNDS]		prints Markdown
 *
 * In each round each case has a turn; the median of the rounds is told, in CPU time of
 * the thread. Fails if something was allocated or a header was not taken as it should
 * be, never for a figure.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libobsring/propagate.h>

#include "rows.h"

#define ROUNDS_MAX	1001
#define REPEATS		2000	/* of a turn */
#define NR(array)	(sizeof(array) / sizeof((array)[0]))

#define TRACE	"4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN	"00f067aa0ba902b7"

/* ---- Allocations --------------------------------------------------------- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t nr, size_t size);
void *__libc_realloc(void *old, size_t size);

static volatile unsigned long nr_allocated;

void *malloc(size_t size)
{
	nr_allocated++;
	return __libc_malloc(size);
}

void *calloc(size_t nr, size_t size)
{
	nr_allocated++;
	return __libc_calloc(nr, size);
}

void *realloc(void *old, size_t size)
{
	nr_allocated++;
	return __libc_realloc(old, size);
}

/* ---- Cases --------------------------------------------------------------- */

/**
 * struct bench - a case
 * @name: for the table
 * @headers: of one run, which the figure is divided by
 * @run: once; false: it is not as it should be
 * @value: for @run
 */
struct bench {
	const char *name;
	unsigned int headers;
	bool (*run)(struct obs_bytes value, struct obs_trace_context *context);
	const char *value;
};

static bool parent(struct obs_bytes value, struct obs_trace_context *context)
{
	return obs_traceparent_parse(value, context);
}

static bool bad_parent(struct obs_bytes value, struct obs_trace_context *context)
{
	return !obs_traceparent_parse(value, context);
}

static bool state(struct obs_bytes value, struct obs_trace_context *context)
{
	bool cut;

	return obs_tracestate_parse(&value, 1, context, &cut) && !cut;
}

static bool b3(struct obs_bytes value, struct obs_trace_context *context)
{
	bool ids;

	return obs_b3_single_parse(value, context, &ids) && ids;
}

static bool b3_multi(struct obs_bytes value, struct obs_trace_context *context)
{
	struct obs_trace_headers headers;
	bool ids;

	(void)value;
	obs_trace_headers_init(&headers);
	obs_trace_headers_add(&headers, "X-B3-TraceId", 12, TRACE, 32);
	obs_trace_headers_add(&headers, "X-B3-SpanId", 11, SPAN, 16);
	obs_trace_headers_add(&headers, "X-B3-Sampled", 12, "1", 1);
	return obs_b3_multi_parse(&headers, context, &ids) && ids;
}

static bool grpc(struct obs_bytes value, struct obs_trace_context *context)
{
	static const char binary[OBS_GRPC_TRACE_LEN] =
		"\0\0\x4b\xf9\x2f\x35\x77\xb3\x4d\xa6\xa3\xce\x92\x9d\x0e\x0e\x47\x36"
		"\1\x00\xf0\x67\xaa\x0b\xa9\x02\xb7\2\1";

	return obs_grpc_trace_parse(value.len ? value : obs_bytes(binary, sizeof(binary)),
				    context);
}

static bool baggage(struct obs_bytes value, struct obs_trace_context *context)
{
	(void)context;
	return obs_baggage_valid(value);
}

static const char *const request[][2] = {
	{ "Host", "shop.example" },
	{ "User-Agent", "curl/7.88.1" },
	{ "Accept", "application/json" },
	{ "Accept-Encoding", "gzip, deflate, br" },
	{ "traceparent", "00-" TRACE "-" SPAN "-01" },
	{ "tracestate", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE" },
	{ "Content-Type", "application/json" },
	{ "Content-Length", "17" },
	{ "Authorization", "Bearer abcdefghijklmnop" },
	{ "X-Request-Id", "c0ffee00-0000-4000-8000-000000000000" },
};

static bool extract(struct obs_bytes value, struct obs_trace_context *context)
{
	struct obs_trace_headers headers;
	size_t i;

	(void)value;
	obs_trace_headers_init(&headers);
	for (i = 0; i < NR(request); i++)
		obs_trace_headers_add(&headers, request[i][0], strlen(request[i][0]),
				      request[i][1], strlen(request[i][1]));
	return obs_trace_extract(&headers, context, NULL) == OBS_TRACE_W3C;
}

static int put(const char *name, const char *text, size_t len, void *arg)
{
	(void)name, (void)text;
	*(size_t *)arg += len;
	return 0;
}

static bool inject(struct obs_bytes value, struct obs_trace_context *context)
{
	size_t len = 0;

	(void)value;
	obs_trace_child(context);
	return !obs_trace_inject(context, OBS_TRACE_W3C, put, &len) && len;
}

static bool update(struct obs_bytes value, struct obs_trace_context *context)
{
	(void)value;
	context->has_th = true;
	context->th = 0xc0000000000000;
	obs_trace_update(context);
	return true;
}

#define FOUR(n)		"k" n "0=abcdefghij,k" n "1=abcdefghij,k" n "2=abcdefghij,k" n "3=abcdefghij"
#define X16		"key=value/value,"
#define X64		X16 X16 X16 X16

static const struct bench benches[] = {
	{ "traceparent", 1, parent, "00-" TRACE "-" SPAN "-01" },
	{ "traceparent, its last digit malformed", 1, bad_parent, "00-" TRACE "-" SPAN "-0x" },
	{ "tracestate, 2 members, 39 bytes", 1, state,
	  "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE" },
	{ "tracestate, th and rv, 29 bytes", 1, state, "ot=th:c;rv:d29d6a7215ced0,a=1" },
	{ "tracestate, 32 members, 479 bytes", 1, state,
	  FOUR("0") "," FOUR("1") "," FOUR("2") "," FOUR("3") ","
	  FOUR("4") "," FOUR("5") "," FOUR("6") "," FOUR("7") },
	{ "b3", 1, b3, TRACE "-" SPAN "-1-05e3ac9a4f6e3b90" },
	{ "X-B3-TraceId, -SpanId, -Sampled, collected too", 3, b3_multi, "" },
	{ "grpc-trace-bin, 29 bytes", 1, grpc, "" },
	{ "grpc-trace-bin, base64", 1, grpc, "AABL+S81d7NNpqPOkp0ODkc2AQDwZ6oLqQK3AgE" },
	{ "baggage, 64 bytes", 1, baggage, X64 },
	{ "a request of 10 headers, 2 of them W3C: each of the 10", 10, extract, "" },
	{ "writing traceparent and tracestate of a new span: each", 2, inject, "" },
	{ "obs_trace_update()", 1, update, "" },
};

/* ---- Turns --------------------------------------------------------------- */

static double clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double turn(const struct bench *bench)
{
	const struct obs_bytes value = obs_bytes(bench->value, strlen(bench->value));
	struct obs_trace_context context;
	unsigned int i, wrong = 0;
	double begun;

	obs_trace_new(&context, true);
	strcpy(context.tracestate, "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE");
	begun = clock_ns();
	for (i = 0; i < REPEATS; i++) {
		wrong += !bench->run(value, &context);
		/* Whatever it wrote is wanted. */
		__asm__ volatile("" : : "r"(&context) : "memory");
	}
	begun = clock_ns() - begun;
	if (wrong) {
		fprintf(stderr, "bench_trace: %s: not taken\n", bench->name);
		exit(1);
	}
	return begun / REPEATS / bench->headers;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	static double ns[NR(benches)][ROUNDS_MAX];
	int rounds = argc > 1 ? atoi(argv[1]) : 201;
	unsigned long before, allocated;
	size_t i;
	int round;

	if (rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: bench_trace [ROUNDS], 1 to %u\n", ROUNDS_MAX);
		return 2;
	}
	before = nr_allocated;
	for (round = 0; round < rounds; round++)
		for (i = 0; i < NR(benches); i++)
			ns[i][round] = turn(&benches[i]);
	allocated = nr_allocated - before;

	printf("| header | ns | best round |\n| --- | --- | --- |\n");
	for (i = 0; i < NR(benches); i++) {
		qsort(ns[i], (size_t)rounds, sizeof(ns[i][0]), compare);
		printf("| %s | %.1f | %.1f |\n", benches[i].name, ns[i][rounds / 2], ns[i][0]);
		row_threads("trace", benches[i].name, 1, ns[i], (unsigned int)rounds);
	}
	printf("\n%d rounds of %d, %lu allocations.\n", rounds, REPEATS, allocated);
	return allocated != 0;
}
