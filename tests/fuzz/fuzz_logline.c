// SPDX-License-Identifier: MIT
/*
 * libFuzzer: any bytes are a line. Its parts lie in it, in their bounds, and the
 * message is its end; what stands before the message, taken apart alone, gives the
 * same parts again and no message. Its fields are well-formed, and fit any room.
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

/* As records have them: key NUL value NUL. The bytes. */
static __u32 check_fields(const struct obs_logline *l, __u32 room, char *fields)
{
	bool cut = false;
	__u32 nr = obs_logline_fields(l, fields, room, &cut), at, nuls = 0;

	require(nr <= room);
	for (at = 0; at < nr; at++)
		nuls += !fields[at];
	require(nuls % 2 == 0 && (!nr || !fields[nr - 1]));
	for (at = 0; at < nr;) {
		require(obs_logline_is_key(fields[at]));
		require(strlen(fields + at) <= OBS_LOGLINE_KEY_MAX);
		at += strlen(fields + at) + 1;
		at += strlen(fields + at) + 1;
	}
	return nr;
}

/* With all of the room, and with some. */
static void check_rooms(const struct obs_logline *l)
{
	char *fields = malloc(OBSRING_FIELDS_MAX), *few;
	__u32 nr;

	require(fields != NULL);
	nr = check_fields(l, OBSRING_FIELDS_MAX, fields);
	few = malloc(nr / 2 + 1);
	require(few != NULL);
	require(check_fields(l, nr / 2, few) <= nr / 2);
	free(few);
	free(fields);
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
	check_rooms(&whole);
	obs_logline_parse(text, whole.header + whole.header_len - text, &fields);
	require(!fields.message_len && same_parts(&whole, &fields));
	free(text);
	return 0;
}
