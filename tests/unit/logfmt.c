// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "logfmt.h"

static const struct obsring_trace trace = {
	.trace_id = { 0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6,
		      0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36 },
	.span_id = { 0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7 },
};

static void append(union obs_record_buffer *b, struct bytes bytes)
{
	if (bytes.nr)
		memcpy(b->byte + b->head.size, bytes.at, bytes.nr);
	b->head.size += bytes.nr;
}

void sample_build(const struct sample *s, union obs_record_buffer *b,
		  struct obs_record *ret)
{
	memset(b, 0, sizeof(*b));
	b->head.level = s->level;
	b->head.flags = s->flags;
	b->head.cpu = s->cpu;
	b->head.pid = s->pid;
	b->head.uid = s->uid;
	b->head.source_len = s->source.nr;
	b->head.message_len = s->message.nr;
	b->head.fields_len = s->fields.nr;
	if (s->comm.nr)
		memcpy(b->head.comm, s->comm.at, s->comm.nr);
	b->head.size = sizeof(b->head);
	if (s->flags & OBSRING_RECORD_TRACE)
		append(b, (struct bytes){ (const char *)&trace, sizeof(trace) });
	append(b, s->source);
	append(b, s->message);
	append(b, s->fields);
	assert_true(obs_record_parse(b, obs_record_words(b->head.size), ret));
}

/* Into a buffer of that size exactly; the caller frees it. */
char *format(const struct obs_record *record, __u64 ns, __u32 size, __u32 *ret_nr)
{
	char *line = malloc(size + !size);

	assert_non_null(line);
	*ret_nr = obs_logfmt(line, size, record, ns);
	assert_true(*ret_nr <= size);
	return line;
}

/* ---- Taking lines apart -------------------------------------------------- */

const char bare[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/@+-";
static const char in_keys[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";

/* Of an escape at @s the byte that it stands for, and where it ends. */
static const char *unescape(const char *s, char *ret)
{
	static const char hex[] = "0123456789abcdef";
	const char *high, *low;

	switch (*s) {
	case '"':
	case '\\':
		*ret = *s;
		return s + 1;
	case 'n':
		*ret = '\n';
		return s + 1;
	case 'r':
		*ret = '\r';
		return s + 1;
	case 't':
		*ret = '\t';
		return s + 1;
	case 'x':
		high = memchr(hex, s[1], 16);
		low = memchr(hex, s[2], 16);
		assert_non_null(high);
		assert_non_null(low);
		*ret = (high - hex) << 4 | (low - hex);
		return s + 3;
	}
	fail_msg("\\%c", *s);
	return NULL;
}

static const char *parse_value(const char *s, struct pair *p)
{
	p->nr = 0;
	p->quoted = *s == '"';
	if (!p->quoted) {
		p->nr = strspn(s, bare);
		assert_true(p->nr > 0 && p->nr < sizeof(p->value));
		memcpy(p->value, s, p->nr);
		return s + p->nr;
	}
	for (s++; *s != '"'; p->nr++) {
		assert_true(p->nr < sizeof(p->value));
		assert_true((unsigned char)*s >= 0x20 && *s != 0x7f);
		if (*s == '\\')
			s = unescape(s + 1, &p->value[p->nr]);
		else
			p->value[p->nr] = *s++;
	}
	return s + 1;
}

void parse(const char *bytes, __u32 nr, struct parsed *ret)
{
	char *line = strndup(bytes, nr);
	const char *s = line;

	assert_int_equal(strlen(line), nr);
	assert_int_equal(strcspn(line, "\n"), nr - 1);
	ret->nr = 0;
	ret->cut = false;
	while (*s != '\n') {
		struct pair *p = &ret->pair[ret->nr];
		size_t key;

		if (s != line)
			assert_int_equal(*s++, ' ');
		if (!strcmp(s, "...\n")) {
			ret->cut = true;
			s += 3;
			continue;
		}
		assert_true(ret->nr < PAIRS_MAX);
		key = strspn(s, in_keys);
		assert_true(key > 0 && key < sizeof(p->key));
		memcpy(p->key, s, key);
		p->key[key] = 0;
		s += key;
		assert_int_equal(*s++, '=');
		s = parse_value(s, p);
		ret->nr++;
	}
	free(line);
}

static void pair_is(const struct pair *p, const char *key, const char *prefix,
		    const char *value, size_t nr)
{
	size_t before = strlen(prefix);

	assert_string_equal(p->key, key);
	assert_int_equal(p->nr, before + nr);
	assert_memory_equal(p->value, prefix, before);
	if (nr)
		assert_memory_equal(p->value + before, value, nr);
	/* The shorter form where there are two. */
	if (strcmp(key, "msg"))
		assert_int_equal(p->quoted, !nr || strspn(p->value, bare) < p->nr);
	else
		assert_true(p->quoted);
}

static void number_is(const struct pair *p, const char *key, __u32 value)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", value);
	pair_is(p, key, "", text, strlen(text));
}

/* The key of a field as the format has it. */
static void key_of(char *ret, const char *key)
{
	static const char *const ours[] = {
		"ts", "level", "source", "cpu", "pid", "uid", "comm", "trace_id",
		"span_id", "msg", "cut", "lost",
	};
	size_t i;

	strcpy(ret, *key ? key : "_");
	for (i = 0; ret[i]; i++)
		if (!strchr(in_keys, ret[i]))
			ret[i] = '_';
	for (i = 0; i < NR(ours); i++)
		if (!strcmp(ret, ours[i])) {
			sprintf(ret, "_%s", ours[i]);
			return;
		}
}

/* @p is what @s says, and nothing else. */
void parsed_is(struct parsed *parsed, const struct sample *s)
{
	static const char *const levels[] = {
		"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
	};
	const struct pair *p = parsed->pair;
	size_t i;

	/* So that strspn() ends. */
	for (i = 0; i < parsed->nr; i++)
		parsed->pair[i].value[parsed->pair[i].nr] = 0;
	assert_false(parsed->cut);
	assert_string_equal((p++)->key, "ts");
	pair_is(p++, "level", "", levels[s->level], strlen(levels[s->level]));
	pair_is(p++, "source", s->flags & OBSRING_RECORD_USER ? "user." : "", s->source.at,
		s->source.nr);
	number_is(p++, "cpu", s->cpu);
	number_is(p++, "pid", s->pid);
	number_is(p++, "uid", s->uid);
	pair_is(p++, "comm", "", s->comm.at, s->comm.nr);
	if (s->flags & OBSRING_RECORD_TRACE) {
		pair_is(p++, "trace_id", "", "4bf92f3577b34da6a3ce929d0e0e4736", 32);
		pair_is(p++, "span_id", "", "00f067aa0ba902b7", 16);
	}
	pair_is(p++, "msg", "", s->message.at, s->message.nr);
	if (s->flags & OBSRING_RECORD_CUT)
		pair_is(p++, "cut", "", "true", 4);
	for (i = 0; i < s->fields.nr; ) {
		const char *key = s->fields.at + i, *value = key + strlen(key) + 1;
		char name[OBSRING_FIELDS_MAX + 8];

		key_of(name, key);
		pair_is(p++, name, "", value, strlen(value));
		i = value + strlen(value) + 1 - s->fields.at;
	}
	assert_int_equal(p - parsed->pair, parsed->nr);
}
