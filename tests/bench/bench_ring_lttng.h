/* SPDX-License-Identifier: MIT */
/* LTTng's events of the two sizes that bench_ring.c writes. */
#undef TRACEPOINT_PROVIDER
#define TRACEPOINT_PROVIDER obsring_bench

#undef TRACEPOINT_INCLUDE
#define TRACEPOINT_INCLUDE "./bench_ring_lttng.h"

#if !defined(_BENCH_RING_LTTNG_H) || defined(TRACEPOINT_HEADER_MULTI_READ)
#define _BENCH_RING_LTTNG_H

#include <lttng/tracepoint.h>

TRACEPOINT_EVENT(obsring_bench, record64,
	TP_ARGS(const unsigned char *, data),
	TP_FIELDS(ctf_array(unsigned char, data, data, 48)))

TRACEPOINT_EVENT(obsring_bench, record256,
	TP_ARGS(const unsigned char *, data),
	TP_FIELDS(ctf_array(unsigned char, data, data, 240)))

#endif

#include <lttng/tracepoint-event.h>
