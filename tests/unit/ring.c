// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ring.h"

void ring_open(struct ring *r, __u32 nr_lines)
{
	struct obsring_line *line = calloc(nr_lines, sizeof(*line));

	assert_non_null(line);
	memset(r, 0, sizeof(*r));
	obs_ring_init(&r->writer, &r->control, line, nr_lines);
	r->view.ring = &r->control;
	r->view.line = line;
	r->view.nr_lines = nr_lines;
}

void ring_close(struct ring *r)
{
	free(r->writer.line);
}

static __u64 word_of(__u64 id, __u32 i)
{
	return (id + i) * 0x9e3779b97f4a7c15ULL;
}

/* A record: {its words, number}, id, then what follows from it. */
void record_make(__u64 *word, __u32 nr, __u64 id)
{
	__u32 i;

	word[0] = (__u64)nr << 32 | 0xdeadbeef;
	if (nr > 1)
		word[1] = id;
	for (i = 2; i < nr; i++)
		word[i] = word_of(id, i);
}

void record_check(const __u64 *word, __u32 words, __u32 lines)
{
	__u32 nr = word[0] >> 32, i;

	assert_int_equal(obs_ring_lines_for(nr), lines);
	for (i = 2; i < nr && i < words; i++)
		assert_int_equal(word[i], word_of(word[1], i));
}

bool ring_put(struct ring *r, __u32 nr)
{
	/* Of that size exactly: reading beyond it would be seen. */
	__u64 *word = malloc(nr * sizeof(*word));
	__u32 overwritten = 0;
	bool stored;

	assert_non_null(word);
	record_make(word, nr, random64());
	stored = obs_ring_write(&r->writer, word, nr, &overwritten);
	r->stored += stored;
	r->refused += !stored;
	r->overwritten += overwritten;
	free(word);
	return stored;
}

__u32 random_words(void)
{
	return 1 + random64() % (random64() % 4 ? 21 : WORDS);
}

void put_some(void *context)
{
	/* With what they interrupt, and what came before, they fit in the ring. */
	ring_put(context, 1 + random64() % 35);
	ring_put(context, 1 + random64() % 35);
}

void put_a_lap(void *context)
{
	unsigned int i;

	for (i = 1 + random64() % 12; i; i--)
		ring_put(context, random_words());
}

/* As if the writer had come to these counts, at rest, with records of a line. */
void ring_move(struct ring *r, __u64 line, __u64 record)
{
	__u32 i, n = r->view.nr_lines;

	line -= n;
	record -= n;
	r->control.head = line << 32 | (__u32)record;
	r->control.line_epoch = line >> 31;
	r->control.record_epoch = record >> 31;
	for (i = 0; i < n; i++)
		assert_true(ring_put(r, 1));
}

void ring_head_is(const struct ring *r, __u64 line, __u64 record)
{
	__u64 has_line, has_record;

	obs_ring_head(&r->control, &has_line, &has_record);
	assert_int_equal(has_line, line);
	assert_int_equal(has_record, record);
}

/* Read a record and check it. */
enum obs_ring_result ring_get(const struct ring *r, struct obs_ring_cursor *c, __u64 *lost)
{
	struct obs_ring_cursor before = *c;
	struct obs_ring_peeked peeked;
	enum obs_ring_result result;
	__u64 word[WORDS], was = *lost;

	result = obs_ring_peek(&r->view, c, word, WORDS, &peeked, lost);
	if (result == OBS_RING_LOST) {
		assert_int_equal(c->record - before.record, *lost - was);
		return result;
	}
	assert_int_equal(*lost, was);
	assert_int_equal(c->line, before.line);
	assert_int_equal(c->record, before.record);
	if (result == OBS_RING_RECORD) {
		assert_int_equal((__u32)word[0], (__u32)c->record);
		record_check(word, peeked.words, peeked.lines);
		obs_ring_next(c, &peeked);
	}
	return result;
}

/* Read to the end, where nothing is lost: how many. */
__u64 ring_drain(const struct ring *r, struct obs_ring_cursor *c)
{
	enum obs_ring_result result;
	__u64 nr = 0, lost = 0;

	while ((result = ring_get(r, c, &lost)) == OBS_RING_RECORD)
		nr++;
	assert_int_equal(result, OBS_RING_EMPTY);
	return nr;
}

/* At rest: what was stored was overwritten or is left. */
void ring_adds_up(const struct ring *r)
{
	struct obs_ring_cursor c;

	obs_ring_seek_oldest(&r->view, &c);
	assert_int_equal(c.record - r->control.first_record, r->overwritten);
	assert_int_equal(ring_drain(r, &c), r->stored - r->overwritten);
	ring_head_is(r, c.line, c.record);
}
