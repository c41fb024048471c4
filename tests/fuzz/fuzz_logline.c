// SPDX-License-Identifier: MIT
/*
 * libFuzzer: any bytes are a line. Its parts lie in it, in their bounds, and the
 * message is its end; what stands before the message, taken apart alone, gives the
 * same parts again and no message.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <obsring/logline.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
	if (!holds)
		abort();
}

static void check(const char *text, __u32 len, const struct obs_logline *l)
{
	require(l->level <= 7);
	require(l->message >= text && l->message + l->message_len == text + len);
	require(l->service_len <= OBSRING_SOURCE_MAX);
	if (l->service_len) {
		require(l->service >= text && l->service + l->service_len <= l->message);
		require(!memchr(l->service, ' ', l->service_len));
	}
	require(!l->has_rv || (l->has_trace && l->rv >> 56 == 0));
	if (l->has_trace) {
		require(!obs_logline_zero(l->trace.trace_id, sizeof(l->trace.trace_id)));
		require(!obs_logline_zero(l->trace.span_id, sizeof(l->trace.span_id)));
	}
}

static bool same_parts(const struct obs_logline *a, const struct obs_logline *b)
{
	return a->level == b->level && a->service_len == b->service_len &&
	       (!a->service_len || !memcmp(a->service, b->service, a->service_len)) &&
	       a->has_trace == b->has_trace && a->has_rv == b->has_rv &&
	       (!a->has_rv || a->rv == b->rv) &&
	       !memcmp(&a->trace, &b->trace, sizeof(a->trace));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct obs_logline whole, fields;
	/* Reading beyond it would be seen. */
	char *text = malloc(size + !size);

	require(text != NULL);
	memcpy(text, data, size);
	obs_logline_parse(text, size, &whole);
	check(text, size, &whole);
	obs_logline_parse(text, whole.message - text, &fields);
	require(!fields.message_len && same_parts(&whole, &fields));
	free(text);
	return 0;
}
