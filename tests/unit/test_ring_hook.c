// SPDX-License-Identifier: MIT
/*
 * Interrupts and readers at each access of a writer of the log ring in turn, writers at
 * each of a reader; and bytes in it that nobody wrote: no reader hangs or leaves it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ring.h"

struct looker {
	struct ring *ring;
	struct obs_ring_cursor cursor;
	__u64 read, lost;
};

static void look(void *context)
{
	struct looker *l = context;
	int result;

	while ((result = ring_get(l->ring, &l->cursor, &l->lost)) != OBS_RING_EMPTY)
		l->read += result == OBS_RING_RECORD;
}

/* An interrupt that writes, at each access of a writer in turn. */
static void test_interrupted(void **state)
{
	struct obs_ring_cursor c;
	unsigned int at, round;
	bool reached = true;
	struct ring r;

	(void)state;
	ring_open(&r, LINES);
	obs_ring_seek_oldest(&r.view, &c);
	for (round = 0; round < 40; round++) {
		for (at = 1, reached = true; reached; at++) {
			__u64 stored = r.stored;

			hook_set(at, put_some, &r);
			assert_true(ring_put(&r, 1 + round * 5));
			reached = !hook.left;
			hook.left = 0;
			assert_int_equal(r.stored - stored, reached ? 3 : 1);
			assert_int_equal(ring_drain(&r, &c), r.stored - stored);
			ring_adds_up(&r);
		}
		assert_true(at > 10);
	}
	ring_close(&r);
}

/* A reader that looks at each access of a writer in turn. */
static void test_looked_at(void **state)
{
	struct looker l = { 0 };
	unsigned int at, nr;
	struct ring r;
	bool reached;

	(void)state;
	ring_open(&r, LINES);
	l.ring = &r;
	obs_ring_seek_oldest(&r.view, &l.cursor);
	for (nr = 1; nr <= WORDS; nr += 5)
		for (at = 1, reached = true; reached; at++) {
			hook_set(at, look, &l);
			assert_true(ring_put(&r, nr));
			reached = !hook.left;
			hook.left = 0;
		}
	look(&l);
	assert_int_equal(l.lost, 0);
	assert_int_equal(l.read, r.stored);
	ring_close(&r);
}

/* A writer that overtakes at each access of a reader in turn. */
static void test_overtaken(void **state)
{
	struct looker l = { 0 };
	unsigned int at, round;
	struct ring r;
	bool reached;

	(void)state;
	ring_open(&r, LINES);
	l.ring = &r;
	obs_ring_seek_oldest(&r.view, &l.cursor);
	for (round = 0; round < 20; round++)
		for (at = 1, reached = true; reached; at++) {
			put_a_lap(&r);
			hook_set(at, put_a_lap, &r);
			look(&l);
			reached = !hook.left;
			hook.left = 0;
			look(&l);
			assert_int_equal(l.read + l.lost, r.stored);
			ring_adds_up(&r);
		}
	assert_true(l.lost && l.read);
	ring_close(&r);
}

/* ---- Damage -------------------------------------------------------------- */

/* What a hostile writer may leave. */
static __u64 any(__u64 close)
{
	switch (random64() % 5) {
	case 0:
		return random64();
	case 1:
		return close + random64() % (4 * LINES) - 2 * LINES;
	case 2:
		return close ^ 1ULL << random64() % 64;
	case 3:
		return 0 - random64() % 3;
	}
	return close;
}

static void damage(struct ring *r)
{
	struct obsring_ring *control = &r->control;
	unsigned int n;

	if (random64() % 2)
		control->head = any(control->head >> 32) << 32 |
				(__u32)any(control->head);
	if (!(random64() % 4))
		control->line_epoch = any(control->line_epoch);
	if (!(random64() % 4))
		control->record_epoch = any(control->record_epoch);
	if (!(random64() % 4))
		control->first_line = any(control->first_line);
	if (!(random64() % 4))
		control->first_record = any(control->first_record);
	if (!(random64() % 8))
		control->nr_lines = any(LINES);
	for (n = random64() % (2 * LINES); n; n--) {
		struct obsring_line *l = &r->writer.line[random64() % LINES];
		__u32 pos = any(l->stamp >> 32);

		l->stamp = random64() % 2 ? any(l->stamp) :
			   (__u64)pos << 32 | (random64() & 0xffff);
		if (random64() % 2)
			l->word[0] = any(l->word[0]);
	}
}

/* To the end, in a ring that does not change: it is near, and the way leads on. */
static void read_damaged(const struct ring *r, struct obs_ring_cursor *c)
{
	__u32 max = 1 + random64() % WORDS;
	__u64 *word = malloc(max * sizeof(*word));
	__u64 calls = 0, lost = 0;
	enum obs_ring_result result;

	for (;;) {
		struct obs_ring_peeked peeked;
		__u64 before = c->line;

		result = obs_ring_peek(&r->view, c, word, max, &peeked, &lost);
		if (result == OBS_RING_EMPTY)
			break;
		if (result == OBS_RING_RECORD) {
			assert_in_range(peeked.lines, 1, OBSRING_RECORD_LINES_MAX);
			assert_in_range(peeked.words, 1, max);
			obs_ring_next(c, &peeked);
		}
		if ((__s64)(c->line - before) <= 0)
			fail_msg("from %llx to %llx", before, c->line);
		assert_true(++calls <= 3 * LINES + 2);
	}
	free(word);
}

static void test_damaged(void **state)
{
	struct obs_ring_cursor c, held;
	unsigned int round, i;
	struct ring r;

	(void)state;
	for (round = 0; round < 50000; round++) {
		ring_open(&r, LINES);
		obs_ring_seek_oldest(&r.view, &held);
		for (i = random64() % 80; i; i--)
			ring_put(&r, random_words());
		damage(&r);
		c = held;
		read_damaged(&r, &c);
		obs_ring_seek_oldest(&r.view, &c);
		read_damaged(&r, &c);
		obs_ring_seek_newest(&r.view, &c);
		read_damaged(&r, &c);
		held.line = any(held.line);
		held.record = any(held.record);
		held.laps = random64() % 9;
		read_damaged(&r, &held);
		ring_close(&r);
	}
}

static void damage_again(void *context)
{
	damage(context);
	hook.left = 1 + random64() % 4;
}

/* A hostile writer that goes on while it is read: each call ends. */
static void test_hostile(void **state)
{
	struct obs_ring_cursor c;
	struct obs_ring_peeked peeked;
	__u64 word[WORDS], lost;
	unsigned int round, i;
	struct ring r;

	(void)state;
	ring_open(&r, LINES);
	for (round = 0; round < 300; round++) {
		for (i = 0; i < 40; i++)
			ring_put(&r, random_words());
		hook_set(1, damage_again, &r);
		obs_ring_seek_oldest(&r.view, &c);
		for (i = 0; i < 20; i++)
			if (obs_ring_peek(&r.view, &c, word, WORDS, &peeked, &lost) ==
			    OBS_RING_RECORD)
				obs_ring_next(&c, &peeked);
		hook.left = 0;
		ring_close(&r);
		ring_open(&r, LINES);
	}
	ring_close(&r);
}

static void epoch_change(void *context)
{
	struct ring *r = context;

	r->control.line_epoch++;
	hook.left = 1;
}

/* An epoch that is never twice the same. */
static void test_epoch_races(void **state)
{
	struct obs_ring_cursor c;
	struct ring r;

	(void)state;
	ring_open(&r, LINES);
	ring_put(&r, 1);
	hook_set(1, epoch_change, &r);
	obs_ring_seek_oldest(&r.view, &c);
	obs_ring_seek_newest(&r.view, &c);
	hook.left = 0;
	ring_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_looked_at),
		cmocka_unit_test(test_overtaken),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_epoch_races),
	};

	return cmocka_run_group_tests_name("ring hook", tests, NULL, NULL);
}
