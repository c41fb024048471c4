// SPDX-License-Identifier: MIT
/*
 * The log ring in one thread: what is read is what was written, each loss is
 * exact, however long a reader slept, and no bytes in a ring make a reader hang
 * or leave it. Interrupts come at each access in turn, by a hook.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <obsring/platform.h>

static void step(void);

/* Each access of the header's is a place where something may happen. */
#undef obs_read_once
#undef obs_write_once
#undef obs_load_acquire
#undef obs_store_release
#define obs_read_once(p) (step(), __atomic_load_n((p), __ATOMIC_RELAXED))
#define obs_write_once(p, v) (step(), __atomic_store_n((p), (v), __ATOMIC_RELAXED))
#define obs_write_pair(to, from) \
	(obs_write_once(&(to)[0], (from)[0]), obs_write_once(&(to)[1], (from)[1]))
#define obs_load_acquire(p) (step(), __atomic_load_n((p), __ATOMIC_ACQUIRE))
#define obs_store_release(p, v) (step(), __atomic_store_n((p), (v), __ATOMIC_RELEASE))

#include <obsring/ring.h>

#define LINES	OBSRING_RING_LINES_MIN
#define WORDS	OBS_RING_RECORD_WORDS
#define HALF	(1ULL << 31)
#define NR(array) (sizeof(array) / sizeof((array)[0]))

struct ring {
	struct obsring_ring control;
	struct obs_ring_writer writer;
	struct obs_ring_view view;
	__u64 stored, refused, overwritten;
};

static struct {
	unsigned int left;		/* accesses until it is called; 0: never */
	void (*call)(void *context);
	void *context;
} hook;

static void step(void)
{
	if (hook.left && !--hook.left)
		hook.call(hook.context);
}

static void hook_set(unsigned int after, void (*call)(void *context), void *context)
{
	hook.call = call;
	hook.context = context;
	hook.left = after;
}

static __u64 random64(void)
{
	static __u64 seed = 0x9e3779b97f4a7c15ULL;

	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void ring_open(struct ring *r, __u32 nr_lines)
{
	struct obsring_line *line = calloc(nr_lines, sizeof(*line));

	assert_non_null(line);
	memset(r, 0, sizeof(*r));
	obs_ring_init(&r->writer, &r->control, line, nr_lines);
	r->view.ring = &r->control;
	r->view.line = line;
	r->view.nr_lines = nr_lines;
}

static void ring_close(struct ring *r)
{
	free(r->writer.line);
}

static __u64 word_of(__u64 id, __u32 i)
{
	return (id + i) * 0x9e3779b97f4a7c15ULL;
}

/* A record: {its words, number}, id, then what follows from it. */
static void record_make(__u64 *word, __u32 nr, __u64 id)
{
	__u32 i;

	word[0] = (__u64)nr << 32 | 0xdeadbeef;
	if (nr > 1)
		word[1] = id;
	for (i = 2; i < nr; i++)
		word[i] = word_of(id, i);
}

static void record_check(const __u64 *word, __u32 words, __u32 lines)
{
	__u32 nr = word[0] >> 32, i;

	assert_int_equal(obs_ring_lines_for(nr), lines);
	for (i = 2; i < nr && i < words; i++)
		assert_int_equal(word[i], word_of(word[1], i));
}

static bool put(struct ring *r, __u32 nr)
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

static __u32 random_words(void)
{
	return 1 + random64() % (random64() % 4 ? 21 : WORDS);
}

/* As if the writer had come to these counts, at rest, with records of a line. */
static void ring_move(struct ring *r, __u64 line, __u64 record)
{
	__u32 i, n = r->view.nr_lines;

	line -= n;
	record -= n;
	r->control.head = line << 32 | (__u32)record;
	r->control.line_epoch = line >> 31;
	r->control.record_epoch = record >> 31;
	for (i = 0; i < n; i++)
		assert_true(put(r, 1));
}

static void head_is(const struct ring *r, __u64 line, __u64 record)
{
	__u64 has_line, has_record;

	obs_ring_head(&r->control, &has_line, &has_record);
	assert_int_equal(has_line, line);
	assert_int_equal(has_record, record);
}

/* Read a record and check it. */
static enum obs_ring_result get(const struct ring *r, struct obs_ring_cursor *c, __u64 *lost)
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
static __u64 drain(const struct ring *r, struct obs_ring_cursor *c)
{
	enum obs_ring_result result;
	__u64 nr = 0, lost = 0;

	while ((result = get(r, c, &lost)) == OBS_RING_RECORD)
		nr++;
	assert_int_equal(result, OBS_RING_EMPTY);
	return nr;
}

/* At rest: what was stored was overwritten or is left. */
static void ring_adds_up(const struct ring *r)
{
	struct obs_ring_cursor c;

	obs_ring_seek_oldest(&r->view, &c);
	assert_int_equal(c.record - r->control.first_record, r->overwritten);
	assert_int_equal(drain(r, &c), r->stored - r->overwritten);
	head_is(r, c.line, c.record);
}

static void test_empty(void **state)
{
	struct obs_ring_cursor c;
	struct ring r;
	__u32 nr;

	(void)state;
	for (nr = LINES; nr <= 8192; nr *= 2) {
		ring_open(&r, nr);
		head_is(&r, OBS_RING_LINE_START, OBS_RING_RECORD_START);
		obs_ring_seek_oldest(&r.view, &c);
		assert_int_equal(c.line, OBS_RING_LINE_START);
		assert_int_equal(c.record, OBS_RING_RECORD_START);
		assert_int_equal(drain(&r, &c), 0);
		obs_ring_seek_newest(&r.view, &c);
		assert_int_equal(c.line, OBS_RING_LINE_START);
		assert_int_equal(drain(&r, &c), 0);
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
		assert_true(put(&r, nr));
		assert_int_equal(drain(&r, &c), 1);
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
		assert_true(put(&r, nr));
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
			assert_true(put(&r, random_words()));
		ring_adds_up(&r);
		obs_ring_seek_oldest(&r.view, &oldest);
		for (i = 0; i <= nr; i++) {
			c = at[i];
			lost = 0;
			if (c.record < oldest.record) {
				assert_int_equal(get(&r, &c, &lost), OBS_RING_LOST);
				assert_int_equal(c.line, oldest.line);
				assert_int_equal(c.record, oldest.record);
				assert_int_equal(lost, oldest.record - at[i].record);
			}
			drain(&r, &c);
			head_is(&r, c.line, c.record);
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
			assert_true(put(&r, 1));
		assert_int_equal(get(&r, &c, &lost), OBS_RING_LOST);
		obs_ring_head(&r.control, &line, &record);
		assert_int_equal(c.line, line - LINES + (i < 8 ? i : 8) * (LINES / 8));
		assert_int_equal(lost, c.record - r.control.first_record);
	}
	assert_int_equal(drain(&r, &c), 0);
	assert_true(put(&r, 1));
	assert_int_equal(drain(&r, &c), 1);
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
		assert_true(put(&r, random_words()));
		assert_int_equal(drain(&r, &fast), 1);
		head_is(&r, fast.line, fast.record);
		ring_adds_up(&r);
		while (!(random64() % 100) &&
		       (result = get(&r, &slow, &lost)) != OBS_RING_EMPTY)
			read += result == OBS_RING_RECORD;
	}
	while ((result = get(&r, &slow, &lost)) != OBS_RING_EMPTY)
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
				head_is(&r, phase[i] + slept[k], phase[j] + records);
				if (get(&r, &c, &lost) != OBS_RING_LOST)
					fail_msg("at %llu, %llu on: not lost", phase[i], slept[k]);
				assert_int_equal(lost, records - LINES);
				assert_int_equal(drain(&r, &c), LINES);
				head_is(&r, c.line, c.record);
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
			head_is(&r, line + 3, record + 5);
			r.control.record_epoch--;
			head_is(&r, line + 3, record + 5);
			assert_int_equal(drain(&r, &c), 10);
			r.control.line_epoch++;
			head_is(&r, line + 3, record + 5);
			obs_ring_seek_oldest(&r.view, &c);
			assert_int_equal(c.record, record + 5 - LINES);
			assert_int_equal(drain(&r, &c), LINES);
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
		assert_true(put(&r, 8));
	obs_ring_seek_oldest(&r.view, &c);
	assert_int_equal(c.line, r.control.first_line);
	assert_int_equal(drain(&r, &c), 20);
	obs_ring_seek_newest(&r.view, &c);
	assert_int_equal(drain(&r, &c), 0);
	assert_true(put(&r, 20));
	assert_int_equal(drain(&r, &c), 1);
	/* Of the oldest record the first lines are gone. */
	for (i = 0; i < 9; i++)
		assert_true(put(&r, WORDS / 4));
	obs_ring_seek_oldest(&r.view, &c);
	assert_int_equal(c.record - r.control.first_record, 30 - 8);
	assert_int_equal(drain(&r, &c), 8);
	ring_close(&r);
}

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
		assert_int_equal(drain(&r, &c), 0);
		for (i = 0; i < 3; i++)
			assert_true(put(&r, 7 * i + 1));
		assert_int_equal(drain(&r, &c), 0);
		finish(&r, &u);
		obs_ring_seek_oldest(&r.view, &oldest);
		drain(&r, &oldest);
		assert_int_equal(drain(&r, &c), 4);
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
		assert_true(put(&r, 8));
	obs_ring_seek_oldest(&r.view, &c);
	assert_int_equal(c.record, r.control.first_record);
	assert_int_equal(drain(&r, &c), 0);
	finish(&r, &u);
	assert_int_equal(drain(&r, &c), 4);
	/* All before it is gone: its number can't be known, and it is not waited for. */
	for (i = 0; i < LINES; i++)
		assert_true(put(&r, 1));
	begin(&r, &u, 8);
	while (put(&r, 8))
		;
	obs_ring_seek_oldest(&r.view, &c);
	assert_int_equal((__u32)c.record, u.record + 1);
	begun = c.record;
	records = drain(&r, &c);
	finish(&r, &u);
	assert_int_equal(drain(&r, &c), 0);
	assert_int_equal((__u32)r.control.head - (__u32)begun, records);
	assert_true(put(&r, 8));
	assert_int_equal(drain(&r, &c), 1);
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
			if (put(&r, nr))
				continue;
			assert_int_equal(r.control.head, head);
			assert_true((__u32)(head >> 32) - u.pos + obs_ring_lines_for(nr) > LINES);
		}
		while (put(&r, 1))
			;
		assert_int_equal((__u32)(r.control.head >> 32) - u.pos, LINES);
		assert_int_equal(drain(&r, &c), 0);
		finish(&r, &u);
		assert_int_equal(drain(&r, &c), r.stored - stored);
		ring_adds_up(&r);
	}
	assert_true(put(&r, 1));
	ring_close(&r);
}

static void put_some(void *context)
{
	/* With what they interrupt, and what came before, they fit in the ring. */
	put(context, 1 + random64() % 35);
	put(context, 1 + random64() % 35);
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
			assert_true(put(&r, 1 + round * 5));
			reached = !hook.left;
			hook.left = 0;
			assert_int_equal(r.stored - stored, reached ? 3 : 1);
			assert_int_equal(drain(&r, &c), r.stored - stored);
			ring_adds_up(&r);
		}
		assert_true(at > 10);
	}
	ring_close(&r);
}

struct looker {
	struct ring *ring;
	struct obs_ring_cursor cursor;
	__u64 read, lost;
};

static void look(void *context)
{
	struct looker *l = context;
	int result;

	while ((result = get(l->ring, &l->cursor, &l->lost)) != OBS_RING_EMPTY)
		l->read += result == OBS_RING_RECORD;
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
			assert_true(put(&r, nr));
			reached = !hook.left;
			hook.left = 0;
		}
	look(&l);
	assert_int_equal(l.lost, 0);
	assert_int_equal(l.read, r.stored);
	ring_close(&r);
}

static void put_a_lap(void *context)
{
	unsigned int i;

	for (i = 1 + random64() % 12; i; i--)
		put(context, random_words());
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

/* ---- Lines that are replaced --------------------------------------------- */

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
			assert_true(put(&r, random_words()));
		all_seen(&eager);
		if (i % 3 == 0)
			all_seen(&lazy);
		for (n = random64() % 12; n; n--)
			assert_true(put(&r, random_words()));
		obs_ring_head(&r.control, &line, &record);
		replace(&s);
		assert_int_equal(s.taken, i + 1);
		head_is(&r, OBS_RING_LINE_START, record);
		assert_int_equal(r.control.first_record, record);
		assert_int_equal(r.stored, r.overwritten + s.gone);
		/* Who maps waits, and the ring is written all the same. */
		n = maps.read;
		assert_false(follow(&maps));
		assert_true(put(&r, 1 + random64() % WORDS));
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
		assert_true(put(&r, 20));
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
			assert_true(put(&r, 1 + round * 11));
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
			assert_true(put(&r, 1 + round * 5));
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
			put(&r, random_words());
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
			put(&r, random_words());
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
	put(&r, 1);
	hook_set(1, epoch_change, &r);
	obs_ring_seek_oldest(&r.view, &c);
	obs_ring_seek_newest(&r.view, &c);
	hook.left = 0;
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
		cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_looked_at),
		cmocka_unit_test(test_overtaken),
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_replaced_behind),
		cmocka_unit_test(test_replaced_while_writing),
		cmocka_unit_test(test_written_while_replacing),
		cmocka_unit_test(test_replaced_while_reading),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_epoch_races),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
