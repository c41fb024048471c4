/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Log records as bytes (struct obsring_record): built in a buffer before the ring
 * is touched, and taken apart from a copy. Neither trusts a length.
 */
#ifndef _OBSRING_RECORD_H
#define _OBSRING_RECORD_H

#ifdef __KERNEL__
#include <linux/string.h>
#else
#include <string.h>
#endif

#include "ring.h"

#define OBS_RECORD_BYTES_MAX \
	(sizeof(struct obsring_record) + sizeof(struct obsring_trace) + \
	 OBSRING_SOURCE_MAX + OBSRING_MESSAGE_MAX + OBSRING_FIELDS_MAX)

/* A record under construction or a copy of one. */
union obs_record_buffer {
	__u64 word[OBS_RING_RECORD_WORDS];
	struct obsring_record head;
	__u8 byte[OBS_RING_RECORD_WORDS * 8];
};

/**
 * struct obs_record - a record taken apart; points into its buffer
 * @head: its head
 * @trace: NULL if it has none
 * @source: @head->source_len bytes
 * @message: @head->message_len bytes
 * @fields: @head->fields_len bytes
 */
struct obs_record {
	const struct obsring_record *head;
	const struct obsring_trace *trace;
	const char *source;
	const char *message;
	const char *fields;
};

/* As syslog has them. */
static inline const char *obs_level_name(__u8 level)
{
	static const char * const name[] = {
		"emerg", "alert", "crit", "err",
		"warning", "notice", "info", "debug",
	};

	return name[level & 7];
}

/* Words of a record of @size bytes. */
static inline __u32 obs_record_words(__u32 size)
{
	return (size + 7) / 8;
}

/**
 * obs_record_parse() - take a record apart
 * @buffer: a copy, which nobody else writes
 * @words: of it that are valid
 * @ret: its parts
 *
 * Return: false if its lengths do not fit each other or the buffer.
 */
static inline bool obs_record_parse(const union obs_record_buffer *buffer,
				    __u32 words, struct obs_record *ret)
{
	const struct obsring_record *head = &buffer->head;
	__u32 at = sizeof(*head);

	if (words * 8 < sizeof(*head) || head->size > words * 8 ||
	    head->source_len > OBSRING_SOURCE_MAX ||
	    head->message_len > OBSRING_MESSAGE_MAX ||
	    head->fields_len > OBSRING_FIELDS_MAX || head->level > 7)
		return false;
	ret->head = head;
	ret->trace = NULL;
	if (head->flags & OBSRING_RECORD_TRACE) {
		ret->trace = (const void *)(buffer->byte + at);
		at += sizeof(*ret->trace);
	}
	ret->source = (const char *)buffer->byte + at;
	at += head->source_len;
	ret->message = (const char *)buffer->byte + at;
	at += head->message_len;
	ret->fields = (const char *)buffer->byte + at;
	at += head->fields_len;
	return at == head->size;
}

/**
 * obs_record_next_field() - walk over the fields
 * @record: parsed
 * @at: where the walk is, from 0
 * @ret_key: NUL-terminated
 * @ret_value: NUL-terminated
 *
 * Return: false behind the last, or where one is cut off.
 */
static inline bool obs_record_next_field(const struct obs_record *record, __u32 *at,
					 const char **ret_key, const char **ret_value)
{
	__u32 left = record->head->fields_len - *at;
	const char *key = record->fields + *at;
	const char *end = memchr(key, 0, left);
	const char *value;

	if (!left || !end)
		return false;
	value = end + 1;
	end = memchr(value, 0, left - (value - key));
	if (!end)
		return false;
	*at = end + 1 - record->fields;
	*ret_key = key;
	*ret_value = value;
	return true;
}

#endif /* _OBSRING_RECORD_H */
