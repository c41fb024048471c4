// SPDX-License-Identifier: MIT
/*
 * Lines of the log: as they are documented; dates against the C library; and
 * whatever the bytes of a record, a parser that shares no code with the writer
 * has them back. Cut at any size, a line is a line and says no more than the
 * whole one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "logfmt.h"
#include "random64.h"

#define NOW	1795364057123456789ULL	/* 2026-11-22T16:14:17.123456789Z */

/* ---- Golden lines -------------------------------------------------------- */

#define WHEN	"ts=2026-11-22T16:14:17.123456789Z "

static const struct {
	struct sample sample;
	const char *line;
} golden[] = {
	{ { 6, 0, 0, 1, 0, BYTES("init"), BYTES("disk"), BYTES("hello"), NO_BYTES },
	  WHEN "level=info source=disk cpu=0 pid=1 uid=0 comm=init msg=\"hello\"\n" },
	{ { 4, OBSRING_RECORD_TRACE, 3, 4711, 1000, BYTES("nginx"), BYTES("net.tcp"),
	    BYTES("retransmit"), BYTES("saddr\0" "10.0.0.1:80\0" "n\0" "3\0") },
	  WHEN "level=warning source=net.tcp cpu=3 pid=4711 uid=1000 comm=nginx "
	  "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7 "
	  "msg=\"retransmit\" saddr=10.0.0.1:80 n=3\n" },
	{ { 0, OBSRING_RECORD_USER | OBSRING_RECORD_CUT, 65535, ~0U, ~0U, BYTES("sh"),
	    BYTES("backup"), BYTES("disk 93% full"), BYTES("dev\0/dev/sda1\0") },
	  WHEN "level=emerg source=user.backup cpu=65535 pid=4294967295 uid=4294967295 "
	  "comm=sh msg=\"disk 93% full\" cut=true dev=/dev/sda1\n" },
	/* outside of tasks, and nothing said */
	{ { 7, 0, 1, 0, 0, NO_BYTES, BYTES("x"), NO_BYTES, NO_BYTES },
	  WHEN "level=debug source=x cpu=1 pid=0 uid=0 comm=\"\" msg=\"\"\n" },
	{ { 1, OBSRING_RECORD_USER, 0, 0, 0, BYTES("abcdefghijklmnop"), BYTES("a b"),
	    BYTES("m"), NO_BYTES },
	  WHEN "level=alert source=\"user.a b\" cpu=0 pid=0 uid=0 comm=abcdefghijklmnop "
	  "msg=\"m\"\n" },
	/* attempts at a line and at fields */
	{ { 2, 0, 0, 1, 0, BYTES("a b=\"c\n"), BYTES("s\nts=1 level=emerg"),
	    BYTES("\" level=emerg msg=\"\nts=1970"), BYTES("k=v x\0y\0") },
	  WHEN "level=crit source=\"s\\nts=1 level=emerg\" cpu=0 pid=1 uid=0 "
	  "comm=\"a b=\\\"c\\n\" msg=\"\\\" level=emerg msg=\\\"\\nts=1970\" k_v_x=y\n" },
	{ { 3, 0, 0, 1, 0, BYTES("c"), BYTES("s"), BYTES("\\ \\n \t\r\n\x01\x1f\x7f \0 ~"),
	    NO_BYTES },
	  WHEN "level=err source=s cpu=0 pid=1 uid=0 comm=c "
	  "msg=\"\\\\ \\\\n \\t\\r\\n\\x01\\x1f\\x7f \\x00 ~\"\n" },
	/* UTF-8: the least and the greatest of each length, and what is none */
	{ { 5, 0, 0, 1, 0, BYTES("c"), BYTES("s"),
	    BYTES("\xc2\xa0 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf "
		  "\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf \xe2\x80\xa7 \xe2\x80\xaf "
		  "\xe2\x81\xa5 \xe2\x81\xaa"), NO_BYTES },
	  WHEN "level=notice source=s cpu=0 pid=1 uid=0 comm=c "
	  "msg=\"\xc2\xa0 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf "
	  "\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf \xe2\x80\xa7 \xe2\x80\xaf "
	  "\xe2\x81\xa5 \xe2\x81\xaa\"\n" },
	{ { 5, 0, 0, 1, 0, BYTES("c"), BYTES("s"),
	    BYTES("\x80 \xc0\x80 \xc1\xbf \xe0\x9f\xbf \xed\xa0\x80 \xf0\x8f\xbf\xbf "
		  "\xf4\x90\x80\x80 \xf5\x80\x80\x80 \xff"), NO_BYTES },
	  WHEN "level=notice source=s cpu=0 pid=1 uid=0 comm=c "
	  "msg=\"\\x80 \\xc0\\x80 \\xc1\\xbf \\xe0\\x9f\\xbf \\xed\\xa0\\x80 "
	  "\\xf0\\x8f\\xbf\\xbf \\xf4\\x90\\x80\\x80 \\xf5\\x80\\x80\\x80 \\xff\"\n" },
	{ { 5, 0, 0, 1, 0, BYTES("c"), BYTES("s"),
	    BYTES("\xc2\x80 \xc2\x9f \xe2\x80\xa8 \xe2\x80\xa9 \xc3 \xe1\x80 \xf1\x80\x80"),
	    NO_BYTES },
	  WHEN "level=notice source=s cpu=0 pid=1 uid=0 comm=c "
	  "msg=\"\\xc2\\x80 \\xc2\\x9f \\xe2\\x80\\xa8 \\xe2\\x80\\xa9 \\xc3 \\xe1\\x80 "
	  "\\xf1\\x80\\x80\"\n" },
	/* what turns the direction of writing: the first and the last of each range */
	{ { 5, 0, 0, 1, 0, BYTES("c"), BYTES("s"),
	    BYTES("\xe2\x80\xaa \xe2\x80\xae \xe2\x81\xa6 \xe2\x81\xa9"), NO_BYTES },
	  WHEN "level=notice source=s cpu=0 pid=1 uid=0 comm=c "
	  "msg=\"\\xe2\\x80\\xaa \\xe2\\x80\\xae \\xe2\\x81\\xa6 \\xe2\\x81\\xa9\"\n" },
	/* names of ours, near misses, no name */
	{ { 5, 0, 0, 1, 0, BYTES("c"), BYTES("s"), NO_BYTES,
	    BYTES("ts\0" "1\0" "level\0\0" "source\0" "1\0" "cpu\0" "1\0" "pid\0" "1\0"
		  "uid\0" "1\0" "comm\0" "1\0" "trace id\0" "1\0" "span_id\0" "1\0" "msg\0"
		  "1\0" "cut\0" "1\0" "lost\0" "1\0") },
	  WHEN "level=notice source=s cpu=0 pid=1 uid=0 comm=c msg=\"\" _ts=1 _level=\"\" "
	  "_source=1 _cpu=1 _pid=1 _uid=1 _comm=1 _trace_id=1 _span_id=1 _msg=1 _cut=1 "
	  "_lost=1\n" },
	{ { 5, 0, 0, 1, 0, BYTES("c"), BYTES("s"), NO_BYTES,
	    BYTES("t\0" "1\0" "tss\0" "1\0" "MSG\0" "1\0" "\0" "1\0" "\0\0" "a.b-c_9\0" "+\0"
		  "\"\\=\n\xc3\xa4\0" "\xc3\xa4\0") },
	  WHEN "level=notice source=s cpu=0 pid=1 uid=0 comm=c msg=\"\" t=1 tss=1 MSG=1 "
	  "_=1 _=\"\" a.b-c_9=+ ______=\"\xc3\xa4\"\n" },
	/* the last field lacks its end */
	{ { 5, 0, 0, 1, 0, BYTES("c"), BYTES("s"), NO_BYTES, BYTES("a\0" "1\0" "b\0" "2") },
	  WHEN "level=notice source=s cpu=0 pid=1 uid=0 comm=c msg=\"\" a=1\n" },
	/* all that is bare */
	{ { 5, 0, 0, 1, 0, BYTES("c"), BYTES("azAZ09._:/@+-"), NO_BYTES,
	    BYTES("a\0" "...\0" "b\0" "a,b\0" "c\0" "a=b\0" "d\0" "%\0") },
	  WHEN "level=notice source=azAZ09._:/@+- cpu=0 pid=1 uid=0 comm=c msg=\"\" "
	  "a=... b=\"a,b\" c=\"a=b\" d=\"%\"\n" },
};

static void test_golden(void **state)
{
	union obs_record_buffer buffer;
	struct obs_record record;
	char *line;
	__u32 nr;
	size_t i;

	(void)state;
	for (i = 0; i < NR(golden); i++) {
		sample_build(&golden[i].sample, &buffer, &record);
		line = format(&record, NOW, OBS_LOGFMT_MAX, &nr);
		if (nr != strlen(golden[i].line) || memcmp(line, golden[i].line, nr))
			fail_msg("%zu: %.*s", i, (int)nr, line);
		free(line);
	}
}

/* ---- Dates --------------------------------------------------------------- */

static void time_is(__u64 ns, const char *want)
{
	static const struct sample sample = { .source = BYTES("s") };
	union obs_record_buffer buffer;
	struct obs_record record;
	char *line;
	__u32 nr;

	sample_build(&sample, &buffer, &record);
	line = format(&record, ns, OBS_LOGFMT_MAX, &nr);
	if (strncmp(line, "ts=", 3) || strncmp(line + 3, want, strlen(want)) ||
	    strncmp(line + 3 + strlen(want), " level=", 7))
		fail_msg("%llu: %.*s, not %s", ns, 33, line, want);
	free(line);
}

static void test_dates(void **state)
{
	static const struct {
		__u64 ns;
		const char *want;
	} dates[] = {
		{ 0, "1970-01-01T00:00:00.000000000Z" },
		{ 1, "1970-01-01T00:00:00.000000001Z" },
		{ 86399999999999ULL, "1970-01-01T23:59:59.999999999Z" },
		{ 68169600000000000ULL, "1972-02-29T00:00:00.000000000Z" },
		{ 951782400000000000ULL, "2000-02-29T00:00:00.000000000Z" },
		{ 951868800000000000ULL, "2000-03-01T00:00:00.000000000Z" },
		{ 978307199999999999ULL, "2000-12-31T23:59:59.999999999Z" },
		{ 1709164800000000000ULL, "2024-02-29T00:00:00.000000000Z" },
		{ 1795364057123456789ULL, "2026-11-22T16:14:17.123456789Z" },
		{ 2147483648000000000ULL, "2038-01-19T03:14:08.000000000Z" },
		{ 4107542399999999999ULL, "2100-02-28T23:59:59.999999999Z" },
		{ 4107542400000000000ULL, "2100-03-01T00:00:00.000000000Z" },
		{ 9223372036854775807ULL, "2262-04-11T23:47:16.854775807Z" },
		{ 9223372036854775808ULL, "2262-04-11T23:47:16.854775808Z" },
		{ 13574563200000000000ULL, "2400-02-29T00:00:00.000000000Z" },
		{ 18446744073709551615ULL, "2554-07-21T23:34:33.709551615Z" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < NR(dates); i++)
		time_is(dates[i].ns, dates[i].want);
}

/* Each day that there is, at an odd time. */
static void test_each_day(void **state)
{
	__u64 s;

	(void)state;
	for (s = 0; s < ~0ULL / 1000000000; s += 86400 + random64() % 3) {
		time_t when = s;
		char day[64], want[96];
		struct tm tm;

		assert_non_null(gmtime_r(&when, &tm));
		strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
		snprintf(want, sizeof(want), "%s.%09uZ", day, (unsigned int)(s % 1000));
		time_is(s * 1000000000 + s % 1000, want);
	}
}

/* ---- Taken apart --------------------------------------------------------- */

struct random_sample {
	struct sample sample;
	char comm[OBSRING_COMM_MAX];
	char source[OBSRING_SOURCE_MAX];
	char message[OBSRING_MESSAGE_MAX];
	char fields[OBSRING_FIELDS_MAX];
};

/* Bytes of all kinds: any, printable, of special meaning, pieces of UTF-8. */
static size_t random_bytes(char *to, size_t max)
{
	static const char special[] =
		"\"\\= \n\r\tx\x80\xbf\xc2\xa0\xe2\x80\xa8\xe2\x80\xa9\xed\xf0\x9f\x98\x80\xf4";
	size_t nr = random64() % 4 ? random64() % (max + 1) : random64() % 4 % (max + 1), i;
	int kind = random64() % 4;

	for (i = 0; i < nr; i++)
		switch (kind) {
		case 0:
			to[i] = random64();
			break;
		case 1:
			to[i] = bare[random64() % strlen(bare)];
			break;
		case 2:
			to[i] = 0x20 + random64() % 0x5f;
			break;
		default:
			to[i] = special[random64() % sizeof(special)];
		}
	return nr;
}

static size_t random_string(char *to, size_t max)
{
	size_t nr = random_bytes(to, max - 1), i;

	for (i = 0; i < nr; i++)
		if (!to[i])
			to[i] = 1;
	to[nr] = 0;
	return nr + 1;
}

static void random_sample(struct random_sample *r)
{
	static const char *const names[] = { "ts", "lost", "trace id", "msg", "levels" };
	struct sample *s = &r->sample;
	size_t at = 0, nr;

	s->level = random64() % 8;
	s->flags = random64() % 8;
	s->cpu = random64() >> random64() % 16;
	s->pid = random64() >> random64() % 32;
	s->uid = random64() >> random64() % 32;
	nr = random_bytes(r->comm, sizeof(r->comm));
	s->comm = (struct bytes){ r->comm, strnlen(r->comm, nr) };
	nr = random_bytes(r->source, sizeof(r->source));
	s->source = (struct bytes){ r->source, nr };
	nr = random_bytes(r->message, sizeof(r->message));
	s->message = (struct bytes){ r->message, nr };
	while (random64() % 16 && at + 32 < sizeof(r->fields)) {
		if (random64() % 4) {
			at += random_string(r->fields + at, 16);
		} else {
			strcpy(r->fields + at, names[random64() % NR(names)]);
			at += strlen(r->fields + at) + 1;
		}
		at += random_string(r->fields + at, random64() % 8 ? 16 : sizeof(r->fields) - at);
	}
	s->fields = (struct bytes){ r->fields, at };
}

static void test_taken_apart(void **state)
{
	static struct random_sample r;
	static struct parsed parsed;
	union obs_record_buffer buffer;
	struct obs_record record;
	unsigned int i;
	char *line;
	__u32 nr;

	(void)state;
	for (i = 0; i < 20000; i++) {
		random_sample(&r);
		sample_build(&r.sample, &buffer, &record);
		line = format(&record, random64(), OBS_LOGFMT_MAX, &nr);
		parse(line, nr, &parsed);
		parsed_is(&parsed, &r.sample);
		free(line);
	}
}

/* Of two pairs, is @cut as @whole, or a beginning of it where that is the last? */
static void pair_begins(const struct pair *cut, const struct pair *whole, bool last)
{
	assert_string_equal(cut->key, whole->key);
	assert_int_equal(cut->quoted, whole->quoted);
	assert_true(cut->nr == whole->nr || (last && cut->quoted && cut->nr < whole->nr));
	assert_memory_equal(cut->value, whole->value, cut->nr);
}

static void cut_at(const struct obs_record *record, __u32 size, const struct parsed *whole,
		   __u32 whole_nr, const char *whole_line)
{
	static struct parsed parsed;
	unsigned int i;
	char *line;
	__u32 nr;

	line = format(record, NOW, size, &nr);
	if (size >= whole_nr) {
		assert_int_equal(nr, whole_nr);
		assert_memory_equal(line, whole_line, nr);
	} else if (size < 4) {
		assert_int_equal(nr, 0);
	} else {
		assert_memory_equal(line + nr - 4, "...\n", 4);
		parse(line, nr, &parsed);
		assert_true(parsed.cut);
		assert_true(parsed.nr <= whole->nr);
		for (i = 0; i < parsed.nr; i++)
			pair_begins(&parsed.pair[i], &whole->pair[i], i == parsed.nr - 1);
	}
	free(line);
}

static void test_cut(void **state)
{
	static struct random_sample r;
	static struct parsed whole;
	union obs_record_buffer buffer;
	struct obs_record record;
	unsigned int i;
	__u32 nr, size;
	char *line;

	(void)state;
	for (i = 0; i < NR(golden) + 10; i++) {
		if (i >= NR(golden))
			random_sample(&r);
		sample_build(i < NR(golden) ? &golden[i].sample : &r.sample, &buffer, &record);
		line = format(&record, NOW, OBS_LOGFMT_MAX, &nr);
		parse(line, nr, &whole);
		for (size = 0; size <= nr + 2; size++)
			cut_at(&record, size, &whole, nr, line);
		free(line);
	}
}

#define INIT	"level=info source=disk cpu=0 pid=1 uid=0 comm=init"

static void test_cut_golden(void **state)
{
	static const struct {
		__u32 size;
		const char *line;
	} cases[] = {
		{ 3, "" },
		{ 4, "...\n" },
		{ 37, "...\n" },
		{ 38, "ts=2026-11-22T16:14:17.123456789Z ...\n" },
		{ 88, WHEN "level=info source=disk cpu=0 pid=1 uid=0 ...\n" },
		{ 89, WHEN INIT " ...\n" },
		{ 96, WHEN INIT " ...\n" },
		{ 97, WHEN INIT " msg=\"a\" ...\n" },
		/* neither within an escape nor within a character */
		{ 98, WHEN INIT " msg=\"ab\" ...\n" },
		{ 99, WHEN INIT " msg=\"ab\" ...\n" },
		{ 100, WHEN INIT " msg=\"ab\\\"\" ...\n" },
		{ 101, WHEN INIT " msg=\"ab\\\"\" ...\n" },
		{ 102, WHEN INIT " msg=\"ab\\\"\xc3\xa4\" ...\n" },
		{ 103, WHEN INIT " msg=\"ab\\\"\xc3\xa4 \" ...\n" },
		{ 104, WHEN INIT " msg=\"ab\\\"\xc3\xa4 cdefg\"\n" },
	};
	static const struct sample sample = {
		6, 0, 0, 1, 0, BYTES("init"), BYTES("disk"), BYTES("ab\"\xc3\xa4 cdefg"), NO_BYTES
	};
	union obs_record_buffer buffer;
	struct obs_record record;
	char *line;
	size_t i;
	__u32 nr;

	(void)state;
	sample_build(&sample, &buffer, &record);
	for (i = 0; i < NR(cases); i++) {
		line = format(&record, NOW, cases[i].size, &nr);
		if (nr != strlen(cases[i].line) || memcmp(line, cases[i].line, nr))
			fail_msg("%u: %.*s", cases[i].size, (int)nr, line);
		free(line);
	}
}

/* The longest line there can be, but for what fields can't reach. */
static void test_longest(void **state)
{
	static struct random_sample r;
	static struct parsed parsed;
	union obs_record_buffer buffer;
	struct obs_record record;
	unsigned int i;
	char *line;
	__u32 nr;

	(void)state;
	memset(&r, 1, sizeof(r));
	r.fields[0] = 0;
	r.fields[sizeof(r.fields) - 1] = 0;
	r.sample = (struct sample){
		.level = 4, .flags = 7, .cpu = ~0, .pid = ~0U, .uid = ~0U,
		.comm = { r.comm, sizeof(r.comm) },
		.source = { r.source, sizeof(r.source) },
		.message = { r.message, sizeof(r.message) },
		.fields = { r.fields, sizeof(r.fields) },
	};
	sample_build(&r.sample, &buffer, &record);
	line = format(&record, ~0ULL, OBS_LOGFMT_MAX, &nr);
	assert_int_equal(nr, OBS_LOGFMT_MAX - 3);
	parse(line, nr, &parsed);
	parsed_is(&parsed, &r.sample);
	free(line);

	/* As many fields as there can be: of each kind of short key. */
	for (i = 0; i < 5; i++) {
		static const struct bytes field[] = {
			BYTES("\0\0"), BYTES("a\0\0"), BYTES("\0\x01\0"), BYTES("ts\0\0"),
			BYTES("ts\0\x01\0"),
		};

		r.sample.fields.nr = 0;
		while (r.sample.fields.nr + field[i].nr <= sizeof(r.fields)) {
			memcpy(r.fields + r.sample.fields.nr, field[i].at, field[i].nr);
			r.sample.fields.nr += field[i].nr;
		}
		sample_build(&r.sample, &buffer, &record);
		line = format(&record, ~0ULL, OBS_LOGFMT_MAX, &nr);
		parse(line, nr, &parsed);
		parsed_is(&parsed, &r.sample);
		free(line);
	}
}

static void test_lost(void **state)
{
	static const struct {
		__u64 lost;
		const char *line;
	} cases[] = {
		{ 0, "lost=0\n" },
		{ 17, "lost=17\n" },
		{ ~0ULL, "lost=18446744073709551615\n" },
	};
	char line[32];
	size_t i;
	__u32 nr;

	(void)state;
	for (i = 0; i < NR(cases); i++) {
		nr = obs_logfmt_lost(line, strlen(cases[i].line), cases[i].lost);
		assert_int_equal(nr, strlen(cases[i].line));
		assert_memory_equal(line, cases[i].line, nr);
		nr = obs_logfmt_lost(line, strlen(cases[i].line) - 1, cases[i].lost);
		assert_int_equal(nr, 4);
		assert_memory_equal(line, "...\n", nr);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_each_day),
		cmocka_unit_test(test_taken_apart),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_cut_golden),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_lost),
	};

	return cmocka_run_group_tests_name("logfmt", tests, NULL, NULL);
}
