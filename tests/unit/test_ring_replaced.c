// SPDX-License-Identifier: MIT
/*
 * The log ring in one thread, whose lines are replaced: by others of any size, at each
 * access of a writer and of a reader in turn. What was not read is lost, exactly.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ring.h"

/* Lines of which a ring in turn has each; their sizes. */
struct spare {
	struct ring *ring;
	struct obsring_line *line[8];
	__u32 nr_lines[8];
	unsigned int next, taken, refused;
	__u64 gone;			/* records in those that were replaced */
};

static void spare_open(struct spare *s, struct ring *r)
{
	unsigned int i;

	memset(s, 0, sizeof(*s));
	s->ring = r;
	for (i = 0; i < NR(s->line); i++) {
		s->nr_lines[i] = LINES << i * 3 % 5;
		s->line[i] = calloc(s->nr_lines[i], sizeof(*s->line[i]));
		assert_non_null(s->line[i]);
	}
}

static void spare_close(struct spare *s)
{
	unsigned int i;

	for (i = 0; i < NR(s->line); i++)
		free(s->line[i]);
}

static __u64 records_of(const struct obsring_line *line, __u32 nr_lines)
{
	__u64 nr = 0;
	__u32 i;

	for (i = 0; i < nr_lines; i++) {
		assert_false(line[i].stamp & OBSRING_LINE_BUSY);
		nr += !!(line[i].stamp & OBSRING_LINE_FIRST);
	}
	return nr;
}

/* Give the ring other lines: it takes them, or a writer was interrupted. */
static void replace(void *context)
{
	struct spare *s = context;
	struct ring *r = s->ring;
	unsigned int i = s->next % NR(s->line);
	struct obsring_line *old = r->writer.line;
	__u32 nr_old = r->writer.mask + 1;

	memset(s->line[i], 0, s->nr_lines[i] * sizeof(*s->line[i]));
	obs_ring_prepare(s->line[i], s->nr_lines[i]);
	if (!obs_ring_replace(&r->writer, s->line[i], s->nr_lines[i])) {
		assert_ptr_equal(r->writer.line, old);
		s->refused++;
		return;
	}
	s->gone += records_of(old, nr_old);
	s->next++;
	s->taken++;
}

/* The same, when all mappings have them as well. */
static void replace_and_reopen(void *context)
{
	struct spare *s = context;
	unsigned int taken = s->taken;

	replace(s);
	if (s->taken != taken)
		obs_ring_reopen(&s->ring->control);
}

/* A reader that finds the lines by the writer, or as if they were mapped. */
struct follower {
	struct ring *ring;
	bool maps;
	struct obs_ring_view view;
	struct obs_ring_cursor cursor;
	__u64 read, lost, replaced;
};

static bool follow(struct follower *f)
{
	if (!f->maps)
		return obs_ring_view_of(&f->ring->writer, &f->view);
	f->view.ring = &f->ring->control;
	f->view.gen_at = &f->ring->control.gen;
	f->view.line = f->ring->writer.line;
	return obs_ring_attach(&f->view);
}

static void follow_begin(struct follower *f, struct ring *r, bool maps)
{
	memset(f, 0, sizeof(*f));
	f->ring = r;
	f->maps = maps;
	assert_true(follow(f));
	obs_ring_seek_oldest(&f->view, &f->cursor);
	assert_true(obs_ring_still(&f->view));
}

/* To the end, or to where the ring is not open. */
static void follow_read(struct follower *f)
{
	struct obs_ring_peeked peeked;
	enum obs_ring_result result;
	__u64 word[WORDS], lost;
	struct obs_ring_cursor before;

	if (!follow(f))
		return;
	do {
		before = f->cursor;
		lost = f->lost;
		result = obs_ring_read(&f->view, &f->cursor, word, WORDS, &peeked, &f->lost);
		assert_int_equal(f->cursor.record - before.record, f->lost - lost);
		if (result == OBS_RING_REPLACED) {
			assert_memory_equal(&f->cursor, &before, sizeof(before));
			f->replaced++;
			if (!follow(f))
				return;
		}
		if (result != OBS_RING_RECORD)
			continue;
		assert_int_equal((__u32)word[0], (__u32)f->cursor.record);
		record_check(word, peeked.words, peeked.lines);
		obs_ring_next(&f->cursor, &peeked);
		f->read++;
	} while (result != OBS_RING_EMPTY);
}

static void all_seen(struct follower *f)
{
	follow_read(f);
	assert_int_equal(f->read + f->lost, f->ring->stored);
}

/* What was not read is lost, exactly; record counts go on, through their wrap. */
static void test_replaced(void **state)
{
	struct follower eager, lazy, maps;
	unsigned int i, n;
	struct spare s;
	struct ring r;

	(void)state;
	ring_open(&r, LINES);
	spare_open(&s, &r);
	follow_begin(&eager, &r, false);
	follow_begin(&lazy, &r, false);
	follow_begin(&maps, &r, true);
	for (i = 0; i < 200; i++) {
		__u64 line, record;

		for (n = random64() % 12; n; n--)
			assert_true(ring_put(&r, random_words()));
		all_seen(&eager);
		if (i % 3 == 0)
			all_seen(&lazy);
		for (n = random64() % 12; n; n--)
			assert_true(ring_put(&r, random_words()));
		obs_ring_head(&r.control, &line, &record);
		replace(&s);
		assert_int_equal(s.taken, i + 1);
		ring_head_is(&r, OBS_RING_LINE_START, record);
		assert_int_equal(r.control.first_record, record);
		assert_int_equal(r.stored, r.overwritten + s.gone);
		/* Who maps waits, and the ring is written all the same. */
		n = maps.read;
		assert_false(follow(&maps));
		assert_true(ring_put(&r, 1 + random64() % WORDS));
		all_seen(&eager);
		follow_read(&maps);
		assert_int_equal(maps.read, n);
		obs_ring_reopen(&r.control);
		all_seen(&maps);
	}
	all_seen(&lazy);
	assert_true(lazy.lost > eager.lost && eager.read && maps.read);
	assert_int_equal(eager.cursor.record >> 32, 1);
	free((void *)r.view.line);
	spare_close(&s);
}

/* A view or a cursor of before is found out, whatever it was used for. */
static void test_replaced_behind(void **state)
{
	struct obs_ring_peeked peeked;
	__u64 word[WORDS], lost = 0;
	struct obs_ring_cursor c;
	struct follower f;
	unsigned int i;
	struct spare s;
	struct ring r;

	(void)state;
	ring_open(&r, LINES);
	spare_open(&s, &r);
	for (i = 0; i < 20; i++) {
		assert_true(ring_put(&r, 20));
		follow_begin(&f, &r, i & 1);
		assert_true(obs_ring_still(&f.view));
		replace_and_reopen(&s);
		assert_false(obs_ring_still(&f.view));
		c = f.cursor;
		assert_int_equal(obs_ring_read(&f.view, &c, word, WORDS, &peeked, &lost),
				 OBS_RING_REPLACED);
		assert_memory_equal(&c, &f.cursor, sizeof(c));
		assert_int_equal(lost, 0);
		assert_true(follow(&f));
		assert_int_equal(obs_ring_read(&f.view, &c, word, WORDS, &peeked, &lost),
				 OBS_RING_EMPTY);
		assert_int_equal(lost, 1);
		assert_int_equal(c.gen, f.view.gen);
		lost = 0;
	}
	free((void *)r.view.line);
	spare_close(&s);
}

/* Lines come at each access of a writer in turn: only between two writes. */
static void test_replaced_while_writing(void **state)
{
	unsigned int at, round, taken, refused;
	struct follower f, maps;
	bool reached;
	struct spare s;
	struct ring r;

	(void)state;
	ring_open(&r, LINES);
	spare_open(&s, &r);
	follow_begin(&f, &r, false);
	follow_begin(&maps, &r, true);
	for (round = 0; round < 20; round++) {
		taken = s.taken;
		refused = s.refused;
		for (at = 1, reached = true; reached; at++) {
			hook_set(at, replace_and_reopen, &s);
			assert_true(ring_put(&r, 1 + round * 11));
			reached = !hook.left;
			hook.left = 0;
			all_seen(&f);
			all_seen(&maps);
			assert_int_equal(r.stored, r.overwritten + s.gone +
					 records_of(r.writer.line, r.writer.mask + 1));
		}
		assert_int_equal(at - 2, s.taken - taken + s.refused - refused);
		assert_true(s.taken - taken >= 2 && s.refused - refused >= 5);
	}
	free((void *)r.view.line);
	spare_close(&s);
}

/* A writer at each access of the exchange in turn: stored before it, or refused. */
static void test_written_while_replacing(void **state)
{
	unsigned int at, round, closed = 0;
	struct follower f;
	bool reached;
	struct spare s;
	struct ring r;

	(void)state;
	ring_open(&r, LINES);
	spare_open(&s, &r);
	follow_begin(&f, &r, true);
	for (round = 0; round < 40; round++)
		for (at = 1, reached = true; reached; at++) {
			__u64 stored = r.stored, refused = r.refused;
			unsigned int taken = s.taken;

			hook_set(at, put_some, &r);
			replace_and_reopen(&s);
			reached = !hook.left;
			hook.left = 0;
			assert_int_equal(s.taken, taken + 1);
			assert_int_equal(r.stored - stored + r.refused - refused,
					 reached ? 2 : 0);
			closed += r.refused != refused;
			assert_true(ring_put(&r, 1 + round * 5));
			all_seen(&f);
			assert_int_equal(r.stored, r.overwritten + s.gone +
					 records_of(r.writer.line, r.writer.mask + 1));
		}
	assert_true(closed > 10 * 40);
	free((void *)r.view.line);
	spare_close(&s);
}

static void follow_once(void *context)
{
	follow_read(context);
}

/* A reader at each access of the exchange, and the exchange at each of a reader. */
static void test_replaced_while_reading(void **state)
{
	struct follower f, other;
	unsigned int at, round;
	bool reached;
	struct spare s;
	struct ring r;

	(void)state;
	ring_open(&r, LINES);
	spare_open(&s, &r);
	follow_begin(&f, &r, false);
	follow_begin(&other, &r, true);
	for (round = 0; round < 30; round++) {
		for (at = 1, reached = true; reached; at++) {
			put_a_lap(&r);
			hook_set(at, follow_once, round & 1 ? &other : &f);
			replace_and_reopen(&s);
			reached = !hook.left;
			hook.left = 0;
			all_seen(&f);
			all_seen(&other);
		}
		for (at = 1, reached = true; reached; at++) {
			put_a_lap(&r);
			hook_set(at, replace_and_reopen, &s);
			follow_read(round & 1 ? &other : &f);
			reached = !hook.left;
			hook.left = 0;
			all_seen(&f);
			all_seen(&other);
		}
	}
	assert_true(f.replaced && other.replaced && f.read && f.lost);
	free((void *)r.view.line);
	spare_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_replaced_behind),
		cmocka_unit_test(test_replaced_while_writing),
		cmocka_unit_test(test_written_while_replacing),
		cmocka_unit_test(test_replaced_while_reading),
	};

	return cmocka_run_group_tests_name("ring replaced", tests, NULL, NULL);
}
