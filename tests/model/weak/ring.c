// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * ring.h, and what host.h mends of it: rings of two and four lines, a writer that an
 * interrupt may interrupt, a reader; a ring whose lines are replaced; one whose writer
 * was killed. Record n has n in each word but the upper half of the first.
 */
#include <string.h>

#include <obsring/host.h>

#include "weak.h"

#define WORDS	(OBSRING_LINE_WORDS + 1)	/* of a record of two lines */
#define FEW	OBSRING_RING_LINES_MIN
#define MANY	(2 * FEW)

static struct obsring_ring ring;
static struct obsring_line line[4], mapped[2][MANY];
static struct obs_ring_writer writer;
static __u32 nr_lines;
static __u64 stored, lost;

/* Newly born, on @nr of the lines. */
static void born(__u32 nr)
{
	memset(&ring, 0, sizeof(ring));
	memset(&writer, 0, sizeof(writer));
	memset(line, 0, sizeof(line));
	nr_lines = nr;
	stored = 0;
	lost = 0;
	obs_ring_init(&writer, &ring, line, nr);
}

static void start_2(void)
{
	born(2);
}

/* Record @n of the ring's life. */
static __u64 word_of(__u64 n, __u32 i)
{
	__u64 number = (__u32)(OBS_RING_RECORD_START + n);

	return i ? number : 0xabcdef0000000000ULL | number;
}

static void write(__u32 words)
{
	__u64 word[WORDS] = { 0 };
	__u32 overwritten, i;

	for (i = 0; i < words; i++)
		word[i] = word_of(stored, i);
	if (obs_ring_write(&writer, word, words, &overwritten))
		stored++;
	else
		lost++;
}

static void write_4(void)
{
	write(2);
	write(2);
	write(2);
	write(2);
}

static void write_long(void)
{
	write(WORDS);
	write(WORDS);
}

static bool whole(const __u64 *word, const struct obs_ring_peeked *got, __u64 record)
{
	__u32 i, nr = got->words < WORDS ? got->words : WORDS;

	if (got->lines == 1)
		nr = 2;
	for (i = 0; i < nr; i++)
		if (word[i] != word_of(record - OBS_RING_RECORD_START, i))
			return false;
	return true;
}

/* Up to @looks at what comes next. Records of @length lines, and none else. */
static void read(unsigned int looks, unsigned int length)
{
	struct obs_ring_view view = {
		.ring = &ring, .line = line, .nr_lines = nr_lines, .gen_at = &ring.gen,
	};
	__u64 word[2 * OBSRING_LINE_WORDS], missed = 0, before;
	struct obs_ring_cursor cursor = {
		.line = OBS_RING_LINE_START, .record = OBS_RING_RECORD_START,
	};
	struct obs_ring_peeked got;

	for (; looks; looks--) {
		before = cursor.record;
		missed = 0;
		switch (obs_ring_peek(&view, &cursor, word, length == 1 ? 2 : WORDS, &got,
				      &missed)) {
		case OBS_RING_RECORD:
			weak_check(got.lines == length);
			weak_check(whole(word, &got, cursor.record));
			obs_ring_next(&cursor, &got);
			weak_seen("record");
			break;
		case OBS_RING_LOST:
			weak_check(cursor.record == before + missed);
			weak_check(cursor.line - OBS_RING_LINE_START ==
				   (cursor.record - OBS_RING_RECORD_START) * length);
			weak_seen("lost");
			break;
		case OBS_RING_EMPTY:
			weak_check(!missed);
			weak_seen("empty");
			break;
		default:
			weak_check(!"a result of a ring that is replaced");
		}
	}
}

static void read_short(void)
{
	read(3, 1);
}

static void read_long(void)
{
	read(1, 2);
}

/* ---- Nested writers ------------------------------------------------------ */

/* Each record says in two words which call wrote it. */
static void write_tagged(void)
{
	__u64 tag = 1 + stored + lost;
	__u64 word[2] = { tag << 32, tag };
	__u32 overwritten;

	if (obs_ring_write(&writer, word, 2, &overwritten)) {
		stored++;
	} else {
		lost++;
		weak_seen("no room");
	}
}

static void write_outer(void)
{
	write_tagged();
	write_tagged();
}

static void write_nested(void)
{
	write_tagged();
	write_tagged();
}

/* At rest each line of the last lap is a whole record. */
static void all_whole(void)
{
	__u64 lines, records, pos, stamp;
	const struct obsring_line *l;

	obs_ring_head(&ring, &lines, &records);
	weak_check(records - OBS_RING_RECORD_START == stored);
	weak_check(lines - OBS_RING_LINE_START == stored);
	weak_check(!obs_read_once(&writer.nesting));
	pos = stored < nr_lines ? OBS_RING_LINE_START : lines - nr_lines;
	for (; pos < lines; pos++) {
		l = &line[pos & (nr_lines - 1)];
		stamp = obs_read_once(&l->stamp);
		weak_check(obs_ring_is_first(stamp, pos));
		weak_check((__u32)obs_read_once(&l->word[0]) ==
			   (__u32)(OBS_RING_RECORD_START + pos - OBS_RING_LINE_START));
		weak_check(obs_read_once(&l->word[0]) >> 32 == obs_read_once(&l->word[1]));
	}
}

/* ---- Counts of 64 bits --------------------------------------------------- */

#define JUMP	0x60000000u	/* lines between two looks: 2^31 lie within two */
#define JUMPS	5
#define RECORDS	(0xffffffffu - JUMPS / 2)	/* the count wraps on the way */

static void start_counts(void)
{
	born(2);
	ring.head = (__u64)OBS_RING_LINE_START << 32 | RECORDS;
	ring.record_epoch = RECORDS >> 31;
	writer.mask = ~0u >> 1;
}

/* What obs_ring_write() does to the head, and as seldom as 2^31 lines can be written. */
static void count(void)
{
	__u32 pos, record, i;

	for (i = 0; i < JUMPS; i++) {
		obs_write_once(&writer.guard, OBS_RING_LINE_START + i * JUMP);
		weak_check(obs_ring_reserve(&writer, JUMP, &pos, &record));
		obs_wmb();
	}
}

/* What the head was at some time, lines and records together. */
static void read_counts(void)
{
	__u64 lines, records, nr, before = 0;
	int i;

	for (i = 0; i < 2; i++) {
		obs_ring_head(&ring, &lines, &records);
		nr = records - RECORDS;
		weak_check(nr <= JUMPS);
		weak_check(lines == OBS_RING_LINE_START + nr * JUMP);
		weak_check(nr >= before);
		before = nr;
	}
	weak_seen(before == JUMPS ? "last count" : "earlier count");
}

/* ---- Lines that are replaced --------------------------------------------- */

static void start_replaced(void)
{
	born(2);
	memset(mapped, 0, sizeof(mapped));
	obs_ring_init(&writer, &ring, mapped[0], FEW);
	obs_ring_prepare(mapped[1], MANY);
}

static void replace(void)
{
	write(2);
	write(2);
	weak_check(obs_ring_replace(&writer, mapped[1], MANY));
	if (weak_choose(2))
		write(2);
	obs_ring_reopen(&ring);
}

/* One who was attached and had read a record, and attaches anew as often as he must. */
static void follow(struct obs_ring_view *view, const struct obsring_line *old)
{
	struct obs_ring_cursor cursor, oldest;
	struct obs_ring_peeked got;
	__u64 word[OBSRING_LINE_WORDS], missed = 0, first;

	obs_ring_seek_oldest(view, &oldest);
	if (!obs_ring_still(view)) {
		weak_seen("replaced while it sought");
		return;
	}
	first = OBS_RING_RECORD_START + (view->line == old ? 0 : 2);
	weak_check(oldest.line == OBS_RING_LINE_START && oldest.record == first);
	cursor = (struct obs_ring_cursor){
		.line = OBS_RING_LINE_START + 1, .record = OBS_RING_RECORD_START + 1,
	};
	switch (obs_ring_read(view, &cursor, word, 2, &got, &missed)) {
	case OBS_RING_RECORD:
		weak_check(whole(word, &got, cursor.record));
		weak_check(cursor.record == OBS_RING_RECORD_START + 1 + missed);
		weak_check(missed == (view->line != old));
		weak_seen(view->line == old ? "old record" : "new record");
		break;
	case OBS_RING_REPLACED:
		weak_check(!missed);
		weak_seen("replaced while it read");
		break;
	case OBS_RING_EMPTY:
		break;
	case OBS_RING_LOST:
		weak_check(!"a loss in a ring that is not full");
	}
}

/* As a process does: which lines a mapping leads to, the generation says. */
static void read_mapped(void)
{
	struct obs_ring_view view = { .ring = &ring, .gen_at = &ring.gen };

	if (!obs_ring_attach(&view)) {
		weak_seen("closed");
		return;
	}
	weak_check(view.nr_lines == (view.gen ? MANY : FEW));
	view.line = mapped[view.gen != 0];
	follow(&view, mapped[0]);
}

/* As the kernel does: by the writer. */
static void read_by_writer(void)
{
	struct obs_ring_view view;

	if (!obs_ring_view_of(&writer, &view)) {
		weak_seen("being replaced");
		return;
	}
	weak_check(view.nr_lines == (view.gen ? MANY : FEW));
	weak_check(view.line == mapped[view.gen != 0]);
	follow(&view, mapped[0]);
}

/* An interrupt writes while its CPU replaces. */
static void replace_only(void)
{
	write_tagged();
	weak_check(obs_ring_replace(&writer, mapped[1], MANY));
}

static void end_replaced(void)
{
	__u64 lines, records, pos, in_new;
	const struct obsring_line *l;

	obs_ring_head(&ring, &lines, &records);
	weak_check(records - OBS_RING_RECORD_START == stored);
	weak_check(!obs_read_once(&writer.nesting));
	in_new = records - obs_read_once(&ring.first_record);
	weak_check(lines - OBS_RING_LINE_START == in_new);
	for (pos = OBS_RING_LINE_START; pos < lines; pos++) {
		l = &mapped[1][pos & (MANY - 1)];
		weak_check(obs_ring_is_first(obs_read_once(&l->stamp), pos));
		weak_check(obs_read_once(&l->word[0]) >> 32 == obs_read_once(&l->word[1]));
		weak_seen("in new lines");
	}
}

/* An interrupt replaces while its CPU writes. */
static void replace_in_interrupt(void)
{
	if (!obs_ring_replace(&writer, mapped[1], MANY))
		weak_seen("a writer in between");
	else
		weak_seen("replaced");
}

static void write_and_end(void)
{
	write_tagged();
	write_tagged();
}

static void end_replaced_or_not(void)
{
	const struct obsring_line *l;
	__u64 lines, records, pos;

	obs_ring_head(&ring, &lines, &records);
	weak_check(records - OBS_RING_RECORD_START == stored);
	weak_check(lines - OBS_RING_LINE_START ==
		   records - obs_read_once(&ring.first_record));
	for (pos = OBS_RING_LINE_START; pos < lines; pos++) {
		l = &writer.line[pos & writer.mask];
		weak_check(obs_ring_is_first(obs_read_once(&l->stamp), pos));
	}
}

/* ---- A writer that was killed -------------------------------------------- */

#define BEFORE	0xfffffffeULL	/* the line count's wrap is in what it left */

static void start_killed(void)
{
	__u32 i, pos;

	born(4);
	for (i = 0; i < 4; i++) {
		pos = BEFORE - 4 + i;
		line[pos & 3].stamp = obs_ring_stamp(pos);
	}
	ring.head = (__u64)BEFORE << 32 | OBS_RING_RECORD_START;
	ring.first_line = BEFORE;
}

/* Killed behind its reservation, or behind its stamps; then mended, and written on. */
static void be_killed(void)
{
	__u32 pos = BEFORE + 1, i;

	write(2);
	obs_write_once(&ring.head, (__u64)(pos + 2) << 32 |
				   (OBS_RING_RECORD_START + 2));
	stored++;
	if (weak_choose(2)) {
		weak_seen("killed behind its stamps");
		for (i = 0; i < 2; i++)
			obs_write_once(&line[(pos + i) & 3].stamp,
				       obs_ring_stamp(pos + i) | OBSRING_LINE_BUSY);
	}
	weak_check(obs_host_ring_mend(&ring, line, 4) == 1);
	obs_write_once(&writer.guard, (__u32)(obs_read_once(&ring.head) >> 32));
	write(2);
}

static void read_mended(void)
{
	struct obs_ring_view view = {
		.ring = &ring, .line = line, .nr_lines = 4, .gen_at = &ring.gen,
	};
	struct obs_ring_cursor cursor = {
		.line = BEFORE, .record = OBS_RING_RECORD_START,
	};
	__u64 word[OBSRING_LINE_WORDS], missed, lines, records, nr;
	struct obs_ring_peeked got;
	int looks;

	for (looks = 0; looks < 3; looks++) {
		missed = 0;
		switch (obs_ring_peek(&view, &cursor, word, 2, &got, &missed)) {
		case OBS_RING_RECORD:
			weak_check(whole(word, &got, cursor.record));
			weak_check(cursor.record != OBS_RING_RECORD_START + 1);
			obs_ring_next(&cursor, &got);
			weak_seen(cursor.record == OBS_RING_RECORD_START + 1 ?
				  "what was before" : "what came behind");
			break;
		case OBS_RING_LOST:
			/* And the one behind it, if that was not there yet. */
			weak_check(missed == 1 || missed == 2);
			weak_check(cursor.record == OBS_RING_RECORD_START + 1 + missed);
			weak_check(cursor.line == BEFORE + 2 + missed);
			weak_seen("its loss");
			break;
		default:
			weak_check(!missed);
		}
	}
	obs_ring_head(&ring, &lines, &records);
	nr = records - OBS_RING_RECORD_START;
	weak_check(nr <= 3);
	weak_check(lines == BEFORE + nr + (nr > 1));
}

static const struct weak_scenario scenarios[] = {
	{ "ring: records of a line", start_2, { write_4 }, .reader = { read_short } },
	{ "ring: records of two lines", start_2, { write_long }, .reader = { read_long } },
	{ "ring: an interrupt writes", start_2, { write_outer }, write_nested, 1,
	  .end = all_whole },
	{ "ring: counts", start_counts, { count }, .reader = { read_counts } },
	{ "ring: replaced, and mapped", start_replaced, { replace },
	  .reader = { read_mapped } },
	{ "ring: replaced, and found by its writer", start_replaced, { replace },
	  .reader = { read_by_writer } },
	{ "ring: written by an interrupt of who replaces", start_replaced,
	  { replace_only }, write_nested, 1, .end = end_replaced },
	{ "ring: replaced by an interrupt of a writer", start_replaced,
	  { write_and_end }, replace_in_interrupt, 1, .end = end_replaced_or_not },
	{ "ring: killed and mended", start_killed, { be_killed },
	  .reader = { read_mended } },
};

int main(int argc, char **argv)
{
	unsigned int i;

	for (i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		if (argc < 2 || strstr(scenarios[i].name, argv[1]))
			weak_explore(&scenarios[i]);
	if (argc < 2)
		weak_demand("record", "lost", "empty", "interrupted", "delayed", "no room",
			    "last count", "earlier count", "closed", "old record",
			    "new record", "replaced while it read", "being replaced",
			    "replaced while it sought", "in new lines", "replaced",
			    "a writer in between", "killed behind its stamps",
			    "what was before", "what came behind", "its loss", NULL);
	return 0;
}
