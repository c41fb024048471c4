/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The text of a log record: a line of logfmt,
 *
 *      ts=2026-11-22T16:14:17.123456789Z level=info source=disk cpu=0 pid=1 uid=0
 *      comm=init trace_id=<32 hex> span_id=<16 hex> msg="..." cut=true key=value ...
 *
 * trace_id and span_id where the record has a trace, cut where it was shortened.
 * The source of what processes write begins with "user.".
 *
 * Whoever chooses message, source, comm, keys or values can forge neither a line
 * nor a field:
 *
 *   value   bare if it is not empty and of A-Z a-z 0-9 . _ : / @ + - alone, else
 *           in quotes, and the message always
 *   quoted  printable ASCII and well-formed UTF-8, a backslash before quote and
 *           backslash; line feed, carriage return and tab by their letter; and
 *           \xhh for each byte of any other control character, of a line or
 *           paragraph separator, of what turns the direction of writing (it would
 *           show the rest of the line in another order), or of no UTF-8. So the
 *           bytes can be had back
 *   key     what is not A-Z a-z 0-9 _ . - becomes "_", and an empty key "_"; one
 *           that is a name of ours then gets "_" in front
 *
 * A line that does not fit is cut behind a whole pair or character, its quotes are
 * closed, and " ..." follows: the one word without "=" that a line can have.
 */
#ifndef _OBSRING_LOGFMT_H
#define _OBSRING_LOGFMT_H

#include "record.h"

/*
 * Room for any line. The first string has each part that is no text of others at
 * its longest, the second the hex digits of a trace. A byte of message, source or
 * comm gives 4 at most, as \xhh. So do fields: one of k + v + 2 bytes, key and value
 * with their NULs, gives a space, "_" and the key, "=" and the quoted value, in all
 * k + 4 v + 5, which is less than 4 (k + v + 2).
 */
#define OBS_LOGFMT_MAX \
	(sizeof("ts=1970-01-01T00:00:00.000000000Z level=warning source=\"user.\" " \
		"cpu=65535 pid=4294967295 uid=4294967295 comm=\"\" trace_id= span_id= " \
		"msg=\"\" cut=true\n") - 1 + 32 + 16 + \
	 4 * (OBSRING_SOURCE_MAX + OBSRING_COMM_MAX + OBSRING_MESSAGE_MAX + \
	      OBSRING_FIELDS_MAX))

/**
 * struct obs_logfmt_line - a line under construction
 * @buf: where it goes
 * @size: of @buf
 * @at: bytes so far; beyond @size they are only counted
 * @keep: the line may be cut here: it could be ended within @size
 * @quoted: within quotes
 * @keep_quoted: @quoted at @keep
 */
struct obs_logfmt_line {
	char *buf;
	__u32 size;
	__u32 at;
	__u32 keep;
	bool quoted;
	bool keep_quoted;
};

static inline void obs_logfmt_char(struct obs_logfmt_line *l, char c)
{
	if (l->at < l->size)
		l->buf[l->at] = c;
	l->at++;
}

static inline void obs_logfmt_text(struct obs_logfmt_line *l, const char *text)
{
	while (*text)
		obs_logfmt_char(l, *text++);
}

/* What is there so far may stand alone. */
static inline void obs_logfmt_keep(struct obs_logfmt_line *l)
{
	__u32 tail = l->quoted ? sizeof("\" ...\n") - 1 : sizeof(" ...\n") - 1;

	if (l->at + tail > l->size)
		return;
	l->keep = l->at;
	l->keep_quoted = l->quoted;
}

static inline __u32 obs_logfmt_end(struct obs_logfmt_line *l)
{
	obs_logfmt_char(l, '\n');
	if (l->at <= l->size)
		return l->at;
	if (l->size < sizeof("...\n") - 1)
		return 0;
	l->at = l->keep;
	if (l->keep_quoted)
		obs_logfmt_char(l, '"');
	obs_logfmt_text(l, l->at ? " ...\n" : "...\n");
	return l->at;
}

/* @v with leading zeros up to @digits, 1 to 20. */
static inline void obs_logfmt_decimal(struct obs_logfmt_line *l, __u64 v, __u32 digits)
{
	char text[20];
	__u32 i = sizeof(text);

	do {
		text[--i] = '0' + v % 10;
		v /= 10;
	} while (v || sizeof(text) - i < digits);
	while (i < sizeof(text))
		obs_logfmt_char(l, text[i++]);
}

static inline void obs_logfmt_hex(struct obs_logfmt_line *l, const __u8 *byte, __u32 nr)
{
	static const char digit[] = "0123456789abcdef";
	__u32 i;

	for (i = 0; i < nr; i++) {
		obs_logfmt_char(l, digit[byte[i] >> 4]);
		obs_logfmt_char(l, digit[byte[i] & 15]);
	}
}

static inline bool obs_logfmt_is_alnum(__u8 c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/*
 * Bytes of the well-formed character beyond ASCII at @s, of @left bytes; 0 if there
 * is none, or a C1 control, U+2028 to U+202E or U+2066 to U+2069. (RFC 3629,
 * section 4.)
 */
static inline __u32 obs_logfmt_utf8(const __u8 *s, __u32 left)
{
	__u32 nr = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	__u8 low = 0x80, high = 0xbf;

	if (s[0] < 0xc2 || s[0] > 0xf4 || nr > left)
		return 0;
	if (s[0] == 0xc2 || s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;
	if (nr > 2 && (s[2] & 0xc0) != 0x80)
		return 0;
	if (nr > 3 && (s[3] & 0xc0) != 0x80)
		return 0;
	if (s[0] == 0xe2 && s[1] == 0x80 && s[2] >= 0xa8 && s[2] <= 0xae)
		return 0;
	if (s[0] == 0xe2 && s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9)
		return 0;
	return nr;
}

/* A character below 0x80, or a byte that is no character. */
static inline void obs_logfmt_escape(struct obs_logfmt_line *l, __u8 c)
{
	if (c == '"' || c == '\\') {
		obs_logfmt_char(l, '\\');
		obs_logfmt_char(l, c);
	} else if (c >= 0x20 && c < 0x7f) {
		obs_logfmt_char(l, c);
	} else if (c == '\n') {
		obs_logfmt_text(l, "\\n");
	} else if (c == '\r') {
		obs_logfmt_text(l, "\\r");
	} else if (c == '\t') {
		obs_logfmt_text(l, "\\t");
	} else {
		obs_logfmt_text(l, "\\x");
		obs_logfmt_hex(l, &c, 1);
	}
}

/* @prefix, ASCII without quotes, and @nr bytes. */
static inline void obs_logfmt_quote(struct obs_logfmt_line *l, const char *prefix,
				    const char *text, __u32 nr)
{
	const __u8 *s = (const __u8 *)text;
	__u32 i, n;

	obs_logfmt_char(l, '"');
	obs_logfmt_text(l, prefix);
	l->quoted = true;
	while (nr) {
		n = obs_logfmt_utf8(s, nr);
		if (n)
			for (i = 0; i < n; i++)
				obs_logfmt_char(l, s[i]);
		else
			obs_logfmt_escape(l, s[0]);
		s += n ? n : 1;
		nr -= n ? n : 1;
		obs_logfmt_keep(l);
	}
	obs_logfmt_char(l, '"');
	l->quoted = false;
	obs_logfmt_keep(l);
}

static inline bool obs_logfmt_is_bare(const char *text, __u32 nr)
{
	__u32 i;

	for (i = 0; i < nr; i++)
		if (!obs_logfmt_is_alnum(text[i]) &&
		    !memchr("._:/@+-", text[i], 7))
			return false;
	return nr;
}

static inline void obs_logfmt_value(struct obs_logfmt_line *l, const char *prefix,
				    const char *text, __u32 nr)
{
	__u32 i;

	if (!obs_logfmt_is_bare(text, nr)) {
		obs_logfmt_quote(l, prefix, text, nr);
		return;
	}
	obs_logfmt_text(l, prefix);
	for (i = 0; i < nr; i++)
		obs_logfmt_char(l, text[i]);
	obs_logfmt_keep(l);
}

/* A number, and what introduces it. */
static inline void obs_logfmt_number(struct obs_logfmt_line *l, const char *before, __u64 v)
{
	obs_logfmt_text(l, before);
	obs_logfmt_decimal(l, v, 1);
	obs_logfmt_keep(l);
}

static inline char obs_logfmt_key_char(char c)
{
	return obs_logfmt_is_alnum(c) || c == '.' || c == '-' ? c : '_';
}

/* Is @key one of our names, when it is written? */
static inline bool obs_logfmt_is_ours(const char *key)
{
	static const char name[][12] = {
		"ts", "level", "source", "cpu", "pid", "uid", "comm", "trace_id",
		"span_id", "msg", "cut", "lost", "",
	};
	__u32 i, at;

	for (i = 0; name[i][0]; i++) {
		for (at = 0; key[at] && obs_logfmt_key_char(key[at]) == name[i][at]; at++)
			;
		if (!key[at] && !name[i][at])
			return true;
	}
	return false;
}

static inline void obs_logfmt_key(struct obs_logfmt_line *l, const char *key)
{
	obs_logfmt_char(l, ' ');
	if (!*key || obs_logfmt_is_ours(key))
		obs_logfmt_char(l, '_');
	while (*key)
		obs_logfmt_char(l, obs_logfmt_key_char(*key++));
	obs_logfmt_char(l, '=');
}

/* RFC 3339, UTC, Gregorian. */
static inline void obs_logfmt_time(struct obs_logfmt_line *l, __u64 ns)
{
	__u64 s = ns / 1000000000;
	__u32 second = s % 86400;
	/*
	 * Days since 0000-03-01: a year that begins in March ends with its leap
	 * day, and from March on each five months have 153 days.
	 */
	__u32 day = s / 86400 + 719468;
	__u32 cycle = day / 146097, year, month;

	day %= 146097;
	year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	day -= 365 * year + year / 4 - year / 100;
	month = (5 * day + 2) / 153;
	day -= (153 * month + 2) / 5;
	year += 400 * cycle + (month >= 10);
	month = month < 10 ? month + 3 : month - 9;

	obs_logfmt_text(l, "ts=");
	obs_logfmt_decimal(l, year, 4);
	obs_logfmt_char(l, '-');
	obs_logfmt_decimal(l, month, 2);
	obs_logfmt_char(l, '-');
	obs_logfmt_decimal(l, day + 1, 2);
	obs_logfmt_char(l, 'T');
	obs_logfmt_decimal(l, second / 3600, 2);
	obs_logfmt_char(l, ':');
	obs_logfmt_decimal(l, second / 60 % 60, 2);
	obs_logfmt_char(l, ':');
	obs_logfmt_decimal(l, second % 60, 2);
	obs_logfmt_char(l, '.');
	obs_logfmt_decimal(l, ns % 1000000000, 9);
	obs_logfmt_char(l, 'Z');
	obs_logfmt_keep(l);
}

static inline void obs_logfmt_trace(struct obs_logfmt_line *l,
				    const struct obsring_trace *trace)
{
	obs_logfmt_text(l, " trace_id=");
	obs_logfmt_hex(l, trace->trace_id, sizeof(trace->trace_id));
	obs_logfmt_keep(l);
	obs_logfmt_text(l, " span_id=");
	obs_logfmt_hex(l, trace->span_id, sizeof(trace->span_id));
	obs_logfmt_keep(l);
}

/* All that stands before the message. */
static inline void obs_logfmt_origin(struct obs_logfmt_line *l,
				     const struct obs_record *record)
{
	const struct obsring_record *head = record->head;
	__u32 comm_len = 0;

	while (comm_len < sizeof(head->comm) && head->comm[comm_len])
		comm_len++;
	obs_logfmt_text(l, " level=");
	obs_logfmt_text(l, obs_level_name(head->level));
	obs_logfmt_keep(l);
	obs_logfmt_text(l, " source=");
	obs_logfmt_value(l, head->flags & OBSRING_RECORD_USER ? "user." : "",
			 record->source, head->source_len);
	obs_logfmt_number(l, " cpu=", head->cpu);
	obs_logfmt_number(l, " pid=", head->pid);
	obs_logfmt_number(l, " uid=", head->uid);
	obs_logfmt_text(l, " comm=");
	obs_logfmt_value(l, "", head->comm, comm_len);
	if (record->trace)
		obs_logfmt_trace(l, record->trace);
}

/**
 * obs_logfmt() - write a record as a line
 * @buf: receives it; no NUL follows
 * @size: of @buf; OBS_LOGFMT_MAX suffices for any record, below 4 nothing fits
 * @record: parsed
 * @realtime_ns: when it was written, nanoseconds since 1970, UTC
 *
 * Context: any.
 * Return: bytes written, up to @size.
 */
static inline __u32 obs_logfmt(char *buf, __u32 size, const struct obs_record *record,
			       __u64 realtime_ns)
{
	struct obs_logfmt_line l = { .buf = buf, .size = size };
	const char *key, *value;
	__u32 at = 0;

	obs_logfmt_time(&l, realtime_ns);
	obs_logfmt_origin(&l, record);
	obs_logfmt_text(&l, " msg=");
	obs_logfmt_quote(&l, "", record->message, record->head->message_len);
	if (record->head->flags & OBSRING_RECORD_CUT) {
		obs_logfmt_text(&l, " cut=true");
		obs_logfmt_keep(&l);
	}
	while (obs_record_next_field(record, &at, &key, &value)) {
		obs_logfmt_key(&l, key);
		obs_logfmt_value(&l, "", value, strlen(value));
	}
	return obs_logfmt_end(&l);
}

/**
 * obs_logfmt_lost() - write as a line how many records a reader lost
 * @buf: receives it; no NUL follows
 * @size: of @buf; OBS_LOGFMT_MAX suffices, below 4 nothing fits
 * @lost: records
 *
 * Return: bytes written, up to @size.
 */
static inline __u32 obs_logfmt_lost(char *buf, __u32 size, __u64 lost)
{
	struct obs_logfmt_line l = { .buf = buf, .size = size };

	obs_logfmt_number(&l, "lost=", lost);
	return obs_logfmt_end(&l);
}

#endif /* _OBSRING_LOGFMT_H */
