// SPDX-License-Identifier: MIT
/*
 * The log ring in one thread: what is read is what was written, each loss is exact,
 * however long a reader slept, and no record is seen before it is whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ring.h"

static void test_empty(void **state)
{
	struct obs_ring_cursor c;
	struct ring r;
	__u32 nr;

	(void)state;
	for (nr = LINES; nr <= 8192; nr *= 2) {
		ring_open(&r, nr);
		ring_head_is(&r, OBS_RING_LINE_START, OBS_RING_RECORD_START);
		obs_ring_seek_oldest(&r.view, &c);
		assert_int_equal(c.line, OBS_RING_LINE_START);
		assert_int_equal(c.record, OBS_RING_RECORD_START);
		assert_int_equal(ring_drain(&r, &c), 0);
		obs_ring_seek_newest(&r.view, &c);
		assert_int_equal(c.line, OBS_RING_LINE_START);
		assert_int_equal(ring_drain(&r, &c), 0);
		ring_close(&r);
	}
}

static void test_sizes(void **state)
{
	struct obs_ring_cursor c;
	struct ring r;
	__u32 nr;

	(void)state;
	ring_open(&r, LINES);
	obs_ring_seek_oldest(&r.view, &c);
	for (nr = 1; nr <= WORDS; nr++) {
		assert_true(ring_put(&r, nr));
		assert_int_equal(ring_drain(&r, &c), 1);
		ring_adds_up(&r);
	}
	ring_close(&r);
}

static void test_peek_part(void **state)
{
	static const __u32 max[] = { 1, 2, 6, 7, 8, 13, 14, 15, 100, WORDS };
	struct obs_ring_peeked peeked;
	struct obs_ring_cursor c;
	__u64 *word, lost = 0;
	__u32 nr, has;
	struct ring r;
	size_t i;

	(void)state;
	ring_open(&r, LINES);
	obs_ring_seek_oldest(&r.view, &c);
	for (nr = 1; nr <= WORDS; nr += 3) {
		assert_true(ring_put(&r, nr));
		has = obs_ring_lines_for(nr) * OBSRING_LINE_WORDS;
		for (i = 0; i < NR(max); i++) {
			word = malloc(max[i] * sizeof(*word));
			assert_int_equal(obs_ring_peek(&r.view, &c, word, max[i], &peeked, &lost),
					 OBS_RING_RECORD);
			assert_int_equal(peeked.lines, obs_ring_lines_for(nr));
			assert_int_equal(peeked.words, has < max[i] ? has : max[i]);
			assert_int_equal(word[0] >> 32, nr);
			record_check(word, peeked.words, peeked.lines);
			free(word);
		}
		obs_ring_next(&c, &peeked);
	}
	assert_int_equal(lost, 0);
	ring_close(&r);
}

/* Readers fall behind by more than a lap, from each record of a full ring. */
static void test_overrun(void **state)
{
	struct obs_ring_cursor at[LINES + 1], c, oldest;
	__u64 lost, word[WORDS];
	struct obs_ring_peeked peeked;
	unsigned int round, i, nr;
	struct ring r;

	(void)state;
	ring_open(&r, LINES);
	for (round = 0; round < 500; round++) {
		obs_ring_seek_oldest(&r.view, &c);
		for (nr = 0;; nr++) {
			at[nr] = c;
			lost = 0;
			if (obs_ring_peek(&r.view, &c, word, WORDS, &peeked, &lost) !=
			    OBS_RING_RECORD)
				break;
			obs_ring_next(&c, &peeked);
		}
		for (i = random64() % 100; i; i--)
			assert_true(ring_put(&r, random_words()));
		ring_adds_up(&r);
		obs_ring_seek_oldest(&r.view, &oldest);
		for (i = 0; i <= nr; i++) {
			c = at[i];
			lost = 0;
			if (c.record < oldest.record) {
				assert_int_equal(ring_get(&r, &c, &lost), OBS_RING_LOST);
				assert_int_equal(c.line, oldest.line);
				assert_int_equal(c.record, oldest.record);
				assert_int_equal(lost, oldest.record - at[i].record);
			}
			ring_drain(&r, &c);
			ring_head_is(&r, c.line, c.record);
		}
	}
	ring_close(&r);
}

/* Each loss in a row leaves an eighth of the ring more before the writer. */
static void test_overrun_again(void **state)
{
	__u64 line, record, lost = 0;
	struct obs_ring_cursor c;
	struct ring r;
	unsigned int i, n;

	(void)state;
	ring_open(&r, LINES);
	obs_ring_seek_oldest(&r.view, &c);
	for (i = 0; i < 12; i++) {
		for (n = 0; n <= LINES; n++)
			assert_true(ring_put(&r, 1));
		assert_int_equal(ring_get(&r, &c, &lost), OBS_RING_LOST);
		obs_ring_head(&r.control, &line, &record);
		assert_int_equal(c.line, line - LINES + (i < 8 ? i : 8) * (LINES / 8));
		assert_int_equal(lost, c.record - r.control.first_record);
	}
	assert_int_equal(ring_drain(&r, &c), 0);
	assert_true(ring_put(&r, 1));
	assert_int_equal(ring_drain(&r, &c), 1);
	assert_int_equal(c.laps, 0);
	ring_close(&r);
}

/* Both counts wrap soon after birth. */
static void test_wrap(void **state)
{
	struct obs_ring_cursor fast, slow;
	__u64 line, record, lost = 0, read = 0;
	struct ring r;
	int i, result;

	(void)state;
	ring_open(&r, LINES);
	obs_ring_seek_oldest(&r.view, &fast);
	slow = fast;
	for (i = 0; i < 3000; i++) {
		assert_true(ring_put(&r, random_words()));
		assert_int_equal(ring_drain(&r, &fast), 1);
		ring_head_is(&r, fast.line, fast.record);
		ring_adds_up(&r);
		while (!(random64() % 100) &&
		       (result = ring_get(&r, &slow, &lost)) != OBS_RING_EMPTY)
			read += result == OBS_RING_RECORD;
	}
	while ((result = ring_get(&r, &slow, &lost)) != OBS_RING_EMPTY)
		read += result == OBS_RING_RECORD;
	assert_int_equal(read + lost, r.stored);
	obs_ring_head(&r.control, &line, &record);
	assert_int_equal(line >> 32, 1);
	assert_int_equal(record >> 32, 1);
	ring_close(&r);
}

/* A cursor that saw nothing of what was written since, from many a phase. */
static void test_slept(void **state)
{
	static const __u64 phase[] = {
		2 * HALF, 2 * HALF + 1000, 3 * HALF - LINES, 3 * HALF - 1, 3 * HALF,
		3 * HALF + 1, 7 * HALF / 2, 4 * HALF - 1, 4 * HALF, 9 * HALF + 12345,
	};
	static const __u64 slept[] = {
		LINES + 1, 2 * LINES, HALF / 2, HALF - 1, HALF, HALF + 1, HALF + LINES,
		3 * HALF / 2, 2 * HALF - LINES, 2 * HALF - 1, 2 * HALF, 2 * HALF + 1,
		2 * HALF + LINES, 5 * HALF / 2, 3 * HALF, 4 * HALF, 6 * HALF + 5,
		1000 * HALF + 7,
	};
	struct obs_ring_cursor c;
	size_t i, j, k;
	struct ring r;

	(void)state;
	ring_open(&r, LINES);
	for (i = 0; i < NR(phase); i++)
		for (j = 0; j < NR(phase); j++)
			for (k = 0; k < NR(slept); k++) {
				__u64 records = slept[k] / (1 + k % 3), lost = 0;

				ring_move(&r, phase[i], phase[j]);
				obs_ring_seek_newest(&r.view, &c);
				assert_int_equal(c.line, phase[i]);
				assert_int_equal(c.record, phase[j]);
				ring_move(&r, phase[i] + slept[k], phase[j] + records);
				ring_head_is(&r, phase[i] + slept[k], phase[j] + records);
				if (ring_get(&r, &c, &lost) != OBS_RING_LOST)
					fail_msg("at %llu, %llu on: not lost", phase[i], slept[k]);
				assert_int_equal(lost, records - LINES);
				assert_int_equal(ring_drain(&r, &c), LINES);
				ring_head_is(&r, c.line, c.record);
			}
	ring_close(&r);
}

/* A reader between the change of head and that of its epoch. */
static void test_epoch_lags(void **state)
{
	struct obs_ring_cursor c;
	__u64 line, record;
	struct ring r;

	(void)state;
	ring_open(&r, LINES);
	for (line = 3 * HALF; line <= 7 * HALF; line += HALF)
		for (record = 3 * HALF; record <= 7 * HALF; record += HALF) {
			ring_move(&r, line + 3, record + 5);
			obs_ring_seek_newest(&r.view, &c);
			c.line -= 10;
			c.record -= 10;
			r.control.line_epoch--;
			ring_head_is(&r, line + 3, record + 5);
			r.control.record_epoch--;
			ring_head_is(&r, line + 3, record + 5);
			assert_int_equal(ring_drain(&r, &c), 10);
			r.control.line_epoch++;
			ring_head_is(&r, line + 3, record + 5);
			obs_ring_seek_oldest(&r.view, &c);
			assert_int_equal(c.record, record + 5 - LINES);
			assert_int_equal(ring_drain(&r, &c), LINES);
		}
	ring_close(&r);
}

static void test_seek(void **state)
{
	struct obs_ring_cursor c;
	struct ring r;
	int i;

	(void)state;
	ring_open(&r, LINES);
	for (i = 0; i < 20; i++)
		assert_true(ring_put(&r, 8));
	obs_ring_seek_oldest(&r.view, &c);
	assert_int_equal(c.line, r.control.first_line);
	assert_int_equal(ring_drain(&r, &c), 20);
	obs_ring_seek_newest(&r.view, &c);
	assert_int_equal(ring_drain(&r, &c), 0);
	assert_true(ring_put(&r, 20));
	assert_int_equal(ring_drain(&r, &c), 1);
	/* Of the oldest record the first lines are gone. */
	for (i = 0; i < 9; i++)
		assert_true(ring_put(&r, WORDS / 4));
	obs_ring_seek_oldest(&r.view, &c);
	assert_int_equal(c.record - r.control.first_record, 30 - 8);
	assert_int_equal(ring_drain(&r, &c), 8);
	ring_close(&r);
}

/* ---- Writers that were interrupted --------------------------------------- */

/* A writer that was interrupted behind its claim. */
struct unfinished {
	__u64 word[WORDS];
	__u32 nr, pos, record;
};

static void begin(struct ring *r, struct unfinished *u, __u32 nr)
{
	assert_int_equal(r->writer.nesting, 0);
	u->nr = nr;
	record_make(u->word, nr, random64());
	r->writer.guard = r->control.head >> 32;
	r->writer.nesting = 1;
	assert_true(obs_ring_reserve(&r->writer, obs_ring_lines_for(nr), &u->pos, &u->record));
	r->overwritten += obs_ring_claim(&r->writer, u->pos, obs_ring_lines_for(nr));
}

static void finish(struct ring *r, struct unfinished *u)
{
	obs_ring_fill(&r->writer, u->pos, u->word, u->nr, u->record);
	obs_ring_commit(&r->writer, u->pos, obs_ring_lines_for(u->nr));
	r->writer.nesting = 0;
	r->stored++;
}

static void test_busy(void **state)
{
	struct obs_ring_cursor c, oldest;
	struct unfinished u;
	struct ring r;
	__u32 nr, i;

	(void)state;
	ring_open(&r, LINES);
	obs_ring_seek_oldest(&r.view, &c);
	for (nr = 1; nr <= WORDS; nr++) {
		begin(&r, &u, nr);
		assert_int_equal(ring_drain(&r, &c), 0);
		for (i = 0; i < 3; i++)
			assert_true(ring_put(&r, 7 * i + 1));
		assert_int_equal(ring_drain(&r, &c), 0);
		finish(&r, &u);
		obs_ring_seek_oldest(&r.view, &oldest);
		ring_drain(&r, &oldest);
		assert_int_equal(ring_drain(&r, &c), 4);
		ring_adds_up(&r);
	}
	ring_close(&r);
}

/* Who comes while the oldest record is unfinished. */
static void test_seek_busy(void **state)
{
	struct obs_ring_cursor c;
	struct unfinished u;
	__u64 begun, records;
	struct ring r;
	int i;

	(void)state;
	ring_open(&r, LINES);
	begin(&r, &u, 8);
	for (i = 0; i < 3; i++)
		assert_true(ring_put(&r, 8));
	obs_ring_seek_oldest(&r.view, &c);
	assert_int_equal(c.record, r.control.first_record);
	assert_int_equal(ring_drain(&r, &c), 0);
	finish(&r, &u);
	assert_int_equal(ring_drain(&r, &c), 4);
	/* All before it is gone: its number can't be known, and it is not waited for. */
	for (i = 0; i < LINES; i++)
		assert_true(ring_put(&r, 1));
	begin(&r, &u, 8);
	while (ring_put(&r, 8))
		;
	obs_ring_seek_oldest(&r.view, &c);
	assert_int_equal((__u32)c.record, u.record + 1);
	begun = c.record;
	records = ring_drain(&r, &c);
	finish(&r, &u);
	assert_int_equal(ring_drain(&r, &c), 0);
	assert_int_equal((__u32)r.control.head - (__u32)begun, records);
	assert_true(ring_put(&r, 8));
	assert_int_equal(ring_drain(&r, &c), 1);
	ring_adds_up(&r);
	ring_close(&r);
}

static void test_guard(void **state)
{
	__u64 head, stored, refused;
	struct obs_ring_cursor c;
	struct unfinished u;
	unsigned int round;
	struct ring r;

	(void)state;
	ring_open(&r, LINES);
	obs_ring_seek_oldest(&r.view, &c);
	for (round = 0; round < 500; round++) {
		stored = r.stored;
		begin(&r, &u, random_words());
		for (refused = r.refused; r.refused < refused + 5;) {
			__u32 nr = random_words();

			head = r.control.head;
			if (ring_put(&r, nr))
				continue;
			assert_int_equal(r.control.head, head);
			assert_true((__u32)(head >> 32) - u.pos + obs_ring_lines_for(nr) > LINES);
		}
		while (ring_put(&r, 1))
			;
		assert_int_equal((__u32)(r.control.head >> 32) - u.pos, LINES);
		assert_int_equal(ring_drain(&r, &c), 0);
		finish(&r, &u);
		assert_int_equal(ring_drain(&r, &c), r.stored - stored);
		ring_adds_up(&r);
	}
	assert_true(ring_put(&r, 1));
	ring_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_peek_part),
		cmocka_unit_test(test_overrun),
		cmocka_unit_test(test_overrun_again),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_slept),
		cmocka_unit_test(test_epoch_lags),
		cmocka_unit_test(test_seek),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_seek_busy),
		cmocka_unit_test(test_guard),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
