/* SPDX-License-Identifier: MIT */
/* Headers with trace context, of one trace and span. */
#ifndef TESTS_TRACED_H
#define TESTS_TRACED_H

#include <libobsring/propagate.h>

#define NR(array) (sizeof(array) / sizeof((array)[0]))

#define TRACE	"4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN	"00f067aa0ba902b7"
#define PARENT	"00-" TRACE "-" SPAN

/* grpc-trace-bin of these, and sampled; base64 is from Python's. */
extern const char grpc[OBS_GRPC_TRACE_LEN];
#define GRPC64	"AABL+S81d7NNpqPOkp0ODkc2AQDwZ6oLqQK3AgE"

/* So many characters, and ten members. */
#define X15	"xxxxxxxxxxxxxxx"
#define X16	"xxxxxxxxxxxxxxxx"
#define X64	X16 X16 X16 X16
#define X126	X64 X16 X16 X15 X15
#define X128	X64 X64
#define X255	X128 X64 X16 X16 X16 X15
#define X256	X128 X128
#define TEN(n)	"a" n "0=0,a" n "1=1,a" n "2=2,a" n "3=3,a" n "4=4,a" n "5=5,a" n "6=6,a" n "7=7,a" n "8=8,a" n "9=9"

void add(struct obs_trace_headers *headers, const char *name, const char *value);
struct obs_bytes bytes(const char *text);

/* It is that trace and span. */
void assert_ids(const struct obs_trace_context *context);

#endif /* TESTS_TRACED_H */
