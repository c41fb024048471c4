/* SPDX-License-Identifier: MIT */
/*
 * Trace context in the headers of requests and messages, between the files that
 * know a format each. A parser gets bytes, trimmed or not, believes nothing, and
 * changes what it is given only if it returns true. None allocates or asks the
 * system for anything.
 */
#ifndef LIBOBSRING_PROPAGATE_H
#define LIBOBSRING_PROPAGATE_H

#include <string.h>

#include <obsring.h>

#define OBS_TRACE_ID_DIGITS	32
#define OBS_SPAN_ID_DIGITS	16
#define OBS_OT_DIGITS		14	/* of 56 bits */

/* Bytes of somebody else. */
static inline struct obs_bytes obs_bytes(const char *at, size_t len)
{
	return (struct obs_bytes){ .at = at, .len = len };
}

/* What stands from @from on. */
static inline struct obs_bytes obs_bytes_from(struct obs_bytes b, size_t from)
{
	return obs_bytes(b.at + from, b.len - from);
}

/* Without the spaces and tabs around it. */
static inline struct obs_bytes obs_bytes_trim(struct obs_bytes b)
{
	while (b.len && (b.at[0] == ' ' || b.at[0] == '\t'))
		b = obs_bytes_from(b, 1);
	while (b.len && (b.at[b.len - 1] == ' ' || b.at[b.len - 1] == '\t'))
		b.len--;
	return b;
}

static inline bool obs_bytes_equal(struct obs_bytes b, const char *text)
{
	return b.len == strlen(text) && !memcmp(b.at, text, b.len);
}

/*
 * The part before the next @separator, of which *@rest is left what stands behind
 * it. False: nothing is left.
 */
bool obs_bytes_cut(struct obs_bytes *rest, char separator, struct obs_bytes *ret);

/* hex.c: 2 * @nr lower-case digits at @text and the bytes that they stand for. */
bool obs_hex_decode(const char *text, uint8_t *bytes, size_t nr);
char *obs_hex_encode(char *text, const uint8_t *bytes, size_t nr);

/* All zero? Then it is no id. */
bool obs_id_is_zero(const uint8_t *id, size_t nr);

/* traceparent.c: ids and flags of @ret. */
bool obs_traceparent_parse(struct obs_bytes value, struct obs_trace_context *ret);

/*
 * tracestate.c: take over all members of the headers' @nr values in their order,
 * and what "ot" says. False: not of that form, or more than 32 members. *@ret_cut:
 * some were left out, because together they are too long.
 */
bool obs_tracestate_parse(const struct obs_bytes *value, unsigned int nr,
			  struct obs_trace_context *ret, bool *ret_cut);

/*
 * tracescan.c: are these members and nothing but a comma between two, together not too
 * long to be kept? *@ret_ot: the first one of key "ot". False: no, or it can't tell.
 */
bool obs_tracestate_plain(struct obs_bytes value, struct obs_bytes *ret_ot);

/* A threshold as "ot" has it, behind @at: its end, without a NUL. */
char *obs_ot_threshold_write(char *at, uint64_t th);

/* b3.c; without ids, a decision alone: *@ret_ids is false. */
bool obs_b3_single_parse(struct obs_bytes value, struct obs_trace_context *ret,
			 bool *ret_ids);
bool obs_b3_multi_parse(const struct obs_trace_headers *headers,
			struct obs_trace_context *ret, bool *ret_ids);

/* grpctrace.c: 29 bytes, or base64 of them. */
bool obs_grpc_trace_parse(struct obs_bytes value, struct obs_trace_context *ret);

/* baggage.c: is it baggage? */
bool obs_baggage_valid(struct obs_bytes value);

/* tracecount.c */
void obs_trace_count(enum obs_trace_result result);

#endif /* LIBOBSRING_PROPAGATE_H */
