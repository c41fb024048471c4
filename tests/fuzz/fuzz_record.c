// SPDX-License-Identifier: MIT
/*
 * libFuzzer: any bytes are a record or are refused, and whatever a record says, its
 * text is one line of well-formed UTF-8 with closed quotes, cut at any size. Bytes
 * that are refused are tried again with lengths that fit.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <obsring/logfmt.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
	if (!holds)
		abort();
}

/* The bytes of the well-formed character at @s, by its definition; 0: none. */
static size_t character(const uint8_t *s, size_t left)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t nr = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4, i;
	uint32_t code = nr < 2 ? s[0] : s[0] & (0x7f >> nr);

	if (!nr || nr > left || s[0] >= 0xf8)
		return 0;
	for (i = 1; i < nr; i++) {
		if (s[i] >> 6 != 2)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	if (code < least[nr] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
		return 0;
	if (code < 0x20 || (code >= 0x7f && code < 0xa0) ||
	    (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069))
		return 0;
	return nr;
}

static void line_check(const char *line, size_t nr)
{
	const uint8_t *s = (const uint8_t *)line;
	bool quoted = false;
	size_t i, n;

	require(nr && line[nr - 1] == '\n');
	for (i = 0; i < nr - 1; i += n) {
		n = character(s + i, nr - 1 - i);
		require(n);
		if (s[i] == '"')
			quoted = !quoted;
		if (s[i] != '\\')
			continue;
		require(quoted && i + 1 < nr - 1 && strchr("\"\\nrtx", s[i + 1]));
		n++;
	}
	require(!quoted);
}

static void fields_check(const struct obs_record *record)
{
	const char *end = record->fields + record->head->fields_len, *key, *value;
	__u32 at = 0, before = 0;

	while (obs_record_next_field(record, &at, &key, &value)) {
		require(key == record->fields + before && value == key + strlen(key) + 1);
		before = at;
		require(record->fields + at == value + strlen(value) + 1);
		require(record->fields + at <= end);
	}
}

/* Into a buffer of that size exactly. */
static size_t line_make(const struct obs_record *record, size_t size)
{
	char *line = malloc(size);
	size_t nr;

	require(line != NULL);
	nr = obs_logfmt(line, size, record, record->head->time_ns);
	require(nr <= size);
	if (size < 4)
		require(!nr);
	else
		line_check(line, nr);
	free(line);
	return nr;
}

static void record_check(const struct obs_record *record)
{
	size_t nr, size = 1 + record->head->threshold % OBS_LOGFMT_MAX;

	fields_check(record);
	nr = line_make(record, OBS_LOGFMT_MAX);
	require(line_make(record, nr) == nr);
	require(line_make(record, nr - 1) < nr);
	if (size < nr)
		line_make(record, size);
}

static __u16 at_most(__u16 length, size_t left, size_t max)
{
	if (left > max)
		left = max;
	return length > left ? left : length;
}

/* Lengths that fit each other and @left bytes behind the head. */
static void lengths_fit(union obs_record_buffer *b, size_t left)
{
	struct obsring_record *head = &b->head;

	if (left < sizeof(struct obsring_trace))
		head->flags &= ~OBSRING_RECORD_TRACE;
	head->size = sizeof(*head);
	if (head->flags & OBSRING_RECORD_TRACE)
		head->size += sizeof(struct obsring_trace);
	left -= head->size - sizeof(*head);
	head->level &= 7;
	head->source_len = at_most(head->source_len, left, OBSRING_SOURCE_MAX);
	left -= head->source_len;
	head->message_len = at_most(head->message_len, left, OBSRING_MESSAGE_MAX);
	left -= head->message_len;
	head->fields_len = at_most(head->fields_len, left, OBSRING_FIELDS_MAX);
	head->size += head->source_len + head->message_len + head->fields_len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	__u32 words = size / 8;
	union obs_record_buffer *buffer;
	struct obs_record record;

	if (words > OBS_RING_RECORD_WORDS)
		words = OBS_RING_RECORD_WORDS;
	/* Reading beyond what is valid would be seen. */
	buffer = malloc(words * 8 + !words);
	require(buffer != NULL);
	memcpy(buffer, data, words * 8);
	if (obs_record_parse(buffer, words, &record)) {
		record_check(&record);
	} else if (words * 8 >= sizeof(struct obsring_record)) {
		lengths_fit(buffer, words * 8 - sizeof(struct obsring_record));
		require(obs_record_parse(buffer, words, &record));
		record_check(&record);
	}
	free(buffer);
	return 0;
}
