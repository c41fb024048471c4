/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Log ring: variable-sized records, one CPU (or thread) writes, anyone reads.
 * It overwrites the oldest, never waits, and its readers leave no trace in it.
 *
 * Layout. nr_lines lines of 64 bytes, a power of two. A line holds a stamp and
 * 7 words of payload; a record is 1 to 32 consecutive lines, and its first
 * payload word begins with its number modulo 2^32. Lines and records are counted
 * from the ring's birth, modulo 2^32, both from just below the wrap: line
 * position p stands at index p % nr_lines, and is masked there only. A stamp is
 *
 *      position << 32 | lines of the record << 8 | FIRST | BUSY
 *
 * and says which position the line holds, so that a line of an earlier lap, one
 * being written, and one of a later lap are told apart.
 *
 * Who writes what. All of the ring and its control block is written by its own
 * CPU. There, writers nest (task, softirq, irq, NMI; of a thread: signals): each
 * interrupts another and ends before that goes on. A writer stays on its CPU from
 * beginning to end: preemption is off. nesting and guard are seen by writers
 * alone. Readers write nothing.
 *
 * Writing. The record is complete before it starts. A writer raises the nesting;
 * if that was 0 it sets guard = head: all before it is finished. (Who interrupts
 * it before that, or between reading head and writing guard, meets or leaves an
 * older guard: it only drops more.) Then it reserves by exchanging head, a word of
 * {lines, records}, against nested writers. If that would reach one lap beyond
 * guard, the record is lost and counted before head moves: so there are no holes,
 * and no unfinished line is ever overwritten. Then it stamps its lines busy,
 * stores the payload, stamps them again, the first one last.
 *
 * A nested writer that meets an unfinished record passes behind it; readers stop
 * before the unfinished one and find both when it is done. Full: the oldest
 * records go, and the number that went is returned.
 *
 * Reading. A cursor is the 64-bit position and number of the next record. The
 * reader looks at the first line's stamp: an older position or a busy line is
 * EMPTY (not there yet), a newer one LOST. Else it copies and then looks at all
 * stamps again; if one has changed the copy is thrown away: LOST. A cursor that
 * lost goes to the oldest record that is whole, or to the head; the difference of
 * their numbers is the loss: what was overwritten, and what was unfinished in
 * between at that moment. A new reader begins at the ring's first record, be it
 * finished or not, as long as nothing was overwritten; then at the oldest that is
 * whole. Of what has that number or a later one it gets each or counts it as lost;
 * the others, finished or not, were before its time.
 *
 * A process may have written anything into a ring that it hosts, and go on. Each
 * call ends all the same, after at most nr_lines steps; and while the ring stands
 * still, each that is not EMPTY leads the cursor on, so that EMPTY is reached.
 *
 * 64 bits. The writer counts in line_epoch how often the top bit of the line
 * count has changed (record_epoch: of the record count), after the change. A
 * reader loads it before head, so that it lags by one at most, which shows in its
 * lowest bit: they differ. So a reader that slept over 2^32 records knows
 * how many.
 *
 * Replacing. A ring can be given other lines, of another number, while all go on
 * writing and reading. The new ones are stamped before. obs_ring_replace() runs
 * where a nested writer could (of a CPU: in an interrupt), or where its writers
 * can't run; if nesting is not 0 it has interrupted one, does nothing, and is tried
 * again when that has gone on. Else every record is finished. It closes the ring:
 * who interrupts it loses his record, and counts it. The new lines are empty and
 * counted anew from the birth; records are counted on, and what is in the old lines
 * is lost to those who have not read it: first_record less the number of the record
 * that they would have read next.
 *
 * A generation, odd while lines are exchanged, tells readers. There are two. Who
 * finds the lines by the writer (the kernel) looks at the writer's, which is odd
 * only within obs_ring_replace(); the old lines must stay until none of them can
 * still read there. Who maps the lines looks at the control block's, which stays
 * odd until obs_ring_reopen(): to be called when no mapping leads to old lines.
 * A reader attaches to a generation, and throws away what it read when that is not
 * the ring's any more:
 *
 *      if (!obs_ring_attach(&view))            nothing to read now
 *      obs_ring_read(&view, &cursor, ...)      OBS_RING_REPLACED: attach again; the
 *                                              cursor is led over, with its loss
 *
 * Order (each operation is labelled in the code):
 *
 *   ring_write:B   release fence     busy stamps before payload
 *   ring_read:C    acquire fence     payload before the second look at stamps
 *                  A reader that got a word of a later lap sees that the stamp
 *                  has changed.
 *   ring_write:D   store-release of the first stamp: behind payload and stamps
 *   ring_read:A    load-acquire of it: before the payload
 *                  A reader that sees a finished first stamp sees all of it.
 *   ring_write:E   store-release of an epoch: behind the change of head
 *   ring_head:F    load-acquire of it: before head
 *                  A reader never has a newer epoch than head.
 *   ring_head:G    load-acquire of head: before the second look at the epochs
 *   ring_replace:H release fence     odd generation before the exchange
 *   ring_still:I   acquire fence     all that was read before the second look at it
 *                  A reader that got a word of the exchange sees that the
 *                  generation has changed.
 *   ring_replace:J store-release of the writer's generation, even: behind the exchange
 *   ring_reopen:K  store-release of the control block's, even: likewise
 *   ring_attach:L  load-acquire of one of them: before all that is read
 *
 * Follows the design of "stamps and local reservation" of LTTng's and printk's
 * rings, less commit counters: the busy stamps take their place.
 */
#ifndef _OBSRING_RING_H
#define _OBSRING_RING_H

#include <linux/obsring.h>
#include "platform.h"

/* Positions at birth, so that every ring wraps early in its life. */
#define OBS_RING_LINE_START	0xfffffc00u
#define OBS_RING_RECORD_START	0xffffff80u

/* An epoch lasts 2^31 lines: who changes it more often than this lies. */
#define OBS_RING_HEAD_TRIES	64

#define OBS_RING_RECORD_WORDS	(OBSRING_RECORD_LINES_MAX * OBSRING_LINE_WORDS)

/* Nesting of a ring whose lines are being replaced. */
#define OBS_RING_CLOSED		0x80000000u

/**
 * struct obs_ring_writer - the writing side; belongs to one CPU or thread
 * @ring: control block
 * @line: its lines
 * @mask: number of lines less one
 * @guard: line position: all before it is finished
 * @nesting: writers that have begun and not ended, or OBS_RING_CLOSED
 * @gen: odd while the lines are being replaced
 */
struct obs_ring_writer {
	struct obsring_ring *ring;
	struct obsring_line *line;
	__u32 mask;
	__u32 guard;
	__u32 nesting;
	__u32 gen;
};

/**
 * struct obs_ring_view - the reading side
 * @ring: control block
 * @line: its lines
 * @nr_lines: their number as the reader knows it, a power of two
 * @gen: generation that @line and @nr_lines are of
 * @gen_at: where the ring's stands, of a ring whose lines may be replaced:
 *	&@ring->gen if @line is a mapping
 */
struct obs_ring_view {
	const struct obsring_ring *ring;
	const struct obsring_line *line;
	__u32 nr_lines;
	__u32 gen;
	const __u32 *gen_at;
};

/**
 * struct obs_ring_cursor - what a reader reads next
 * @line: line position
 * @record: number of the record there
 * @laps: losses since the last record that could be read
 * @gen: generation that @line is of
 */
struct obs_ring_cursor {
	__u64 line;
	__u64 record;
	__u32 laps;
	__u32 gen;
};

/**
 * struct obs_ring_peeked - a record that was looked at
 * @lines: its length
 * @words: payload words that were copied
 */
struct obs_ring_peeked {
	__u32 lines;
	__u32 words;
};

enum obs_ring_result {
	OBS_RING_RECORD,	/* copied */
	OBS_RING_EMPTY,		/* nothing there yet */
	OBS_RING_LOST,		/* the cursor was moved on; try again */
	OBS_RING_REPLACED,	/* the view is out of date: attach, try again */
};

static inline __u64 obs_ring_stamp(__u32 pos)
{
	return (__u64)pos << 32;
}

static inline __u32 obs_ring_lines_for(__u32 words)
{
	return (words + OBSRING_LINE_WORDS - 1) / OBSRING_LINE_WORDS;
}

/* ---- Writer -------------------------------------------------------------- */

/* Stamp @nr_lines @line, zeroed, at which nobody looks yet: a lap before birth. */
static inline void obs_ring_prepare(struct obsring_line *line, __u32 nr_lines)
{
	__u32 i, pos;

	for (i = 0; i < nr_lines; i++) {
		pos = OBS_RING_LINE_START - nr_lines + i;
		line[pos & (nr_lines - 1)].stamp = obs_ring_stamp(pos);
	}
}

/* @ring and @nr_lines @line: zeroed, and nobody looks at them yet. */
static inline void obs_ring_init(struct obs_ring_writer *w,
				 struct obsring_ring *ring,
				 struct obsring_line *line, __u32 nr_lines)
{
	w->ring = ring;
	w->line = line;
	w->mask = nr_lines - 1;
	w->guard = OBS_RING_LINE_START;
	w->nesting = 0;
	w->gen = 0;
	ring->head = (__u64)OBS_RING_LINE_START << 32 | OBS_RING_RECORD_START;
	ring->line_epoch = OBS_RING_LINE_START >> 31;
	ring->record_epoch = OBS_RING_RECORD_START >> 31;
	ring->first_line = OBS_RING_LINE_START;
	ring->first_record = OBS_RING_RECORD_START;
	ring->nr_lines = nr_lines;
	obs_ring_prepare(line, nr_lines);
}

/* Count a change of the top bit of what went from @old to @new. */
static inline void obs_ring_epoch(__u64 *epoch, __u32 old, __u32 new_count)
{
	/* ring_write:E, pairs with ring_head:F */
	if ((old ^ new_count) >> 31)
		obs_store_release(epoch, obs_read_once(epoch) + 1);
}

/* Stamp the lines busy; how many records ended by that. */
static inline __u32 obs_ring_claim(struct obs_ring_writer *w, __u32 pos, __u32 n)
{
	__u32 i, overwritten = 0;
	__u64 *stamp;

	for (i = 0; i < n; i++) {
		stamp = &w->line[(pos + i) & w->mask].stamp;
		overwritten += (obs_read_once(stamp) & OBSRING_LINE_FIRST) != 0;
		obs_write_once(stamp, obs_ring_stamp(pos + i) | OBSRING_LINE_BUSY);
	}
	return overwritten;
}

/* The words of a whole line behind its first: a loop takes twice as long. */
static inline void obs_ring_fill_line(struct obsring_line *line, const __u64 *word)
{
	obs_write_pair(&line->word[1], &word[1]);
	obs_write_pair(&line->word[3], &word[3]);
	obs_write_pair(&line->word[5], &word[5]);
}

/* Line by line: to divide each word's index by 7 costs more than to store it. */
static inline void obs_ring_fill(struct obs_ring_writer *w, __u32 pos,
				 const __u64 *word, __u32 nr, __u32 record)
{
	__u64 first = (word[0] >> 32 << 32) | record;
	struct obsring_line *line;
	__u32 i;

	for (;;) {
		line = &w->line[pos++ & w->mask];
		obs_write_once(&line->word[0], first);
		if (nr < OBSRING_LINE_WORDS)
			break;
		obs_ring_fill_line(line, word);
		nr -= OBSRING_LINE_WORDS;
		if (!nr)
			return;
		word += OBSRING_LINE_WORDS;
		first = word[0];
	}
	for (i = 1; i < nr; i++)
		obs_write_once(&line->word[i], word[i]);
}

static inline void obs_ring_commit(struct obs_ring_writer *w, __u32 pos, __u32 n)
{
	__u32 i;

	for (i = 1; i < n; i++)
		obs_write_once(&w->line[(pos + i) & w->mask].stamp,
			       obs_ring_stamp(pos + i));
	/* ring_write:D, pairs with ring_read:A */
	obs_store_release(&w->line[pos & w->mask].stamp,
			  obs_ring_stamp(pos) | OBSRING_LINE_FIRST |
			  (__u64)n << OBSRING_LINE_NR_SHIFT);
}

/*
 * Reserve @n lines for a record: its position and number. False: a nested
 * writer finds no room behind what is unfinished.
 */
static inline bool obs_ring_reserve(struct obs_ring_writer *w, __u32 n,
				    __u32 *ret_pos, __u32 *ret_record)
{
	struct obsring_ring *ring = w->ring;
	__u64 old = obs_read_once(&ring->head);
	__u32 pos, record;

	do {
		pos = old >> 32;
		record = (__u32)old;
		if (pos + n - obs_read_once(&w->guard) > w->mask + 1)
			return false;
	} while (!obs_try_cmpxchg_local(&ring->head, &old,
					(__u64)(pos + n) << 32 |
					(__u32)(record + 1)));
	obs_ring_epoch(&ring->line_epoch, pos, pos + n);
	obs_ring_epoch(&ring->record_epoch, record, record + 1);
	*ret_pos = pos;
	*ret_record = record;
	return true;
}

/**
 * obs_ring_write() - append a record
 * @w: this CPU's writer; preemption is off
 * @word: payload; the low half of the first word is replaced by the number
 * @nr: words, 1 to OBS_RING_RECORD_WORDS
 * @overwritten: records that ended by it; valid if it was stored
 *
 * Context: any, NMI included. Never waits.
 * Return: true; false if it was lost because an interrupted writer is
 * unfinished a lap behind, or the lines were just being replaced: the caller
 * counts it.
 */
static inline bool obs_ring_write(struct obs_ring_writer *w, const __u64 *word,
				  __u32 nr, __u32 *overwritten)
{
	__u32 nesting = obs_read_once(&w->nesting);
	__u32 n = obs_ring_lines_for(nr);
	__u32 pos, record;
	bool stored;

	if (nesting == OBS_RING_CLOSED)
		return false;
	/* These two in either order, as an interrupt sees them; before the rest. */
	obs_write_once(&w->nesting, nesting + 1);
	if (!nesting)
		obs_write_once(&w->guard,
			       (__u32)(obs_read_once(&w->ring->head) >> 32));
	obs_barrier();
	stored = obs_ring_reserve(w, n, &pos, &record);
	if (stored) {
		*overwritten = obs_ring_claim(w, pos, n);
		/* ring_write:B, pairs with ring_read:C */
		obs_wmb();
		obs_ring_fill(w, pos, word, nr, record);
		obs_ring_commit(w, pos, n);
	}
	obs_barrier();
	obs_write_once(&w->nesting, nesting);
	return stored;
}

/* Both counts at one moment, 64 bits each. */
static inline void obs_ring_head(const struct obsring_ring *ring,
				 __u64 *ret_line, __u64 *ret_record)
{
	__u64 lines, records, head;
	__u32 tries = 0;

	do {
		/* ring_head:F, pairs with ring_write:E */
		lines = obs_load_acquire(&ring->line_epoch);
		/* ring_head:F, likewise */
		records = obs_load_acquire(&ring->record_epoch);
		/* ring_head:G: before the second look at the epochs */
		head = obs_load_acquire(&ring->head);
	} while ((lines != obs_read_once(&ring->line_epoch) ||
		  records != obs_read_once(&ring->record_epoch)) &&
		 ++tries < OBS_RING_HEAD_TRIES);

	lines += (lines ^ head >> 63) & 1;
	records += (records ^ head >> 31) & 1;
	*ret_line = lines >> 1 << 32 | head >> 32;
	*ret_record = records >> 1 << 32 | (__u32)head;
}

/* ---- Replacing the lines ------------------------------------------------- */

/**
 * obs_ring_replace() - give the ring other lines
 * @w: its writer
 * @line: prepared by obs_ring_prepare(), which nobody else knows
 * @nr_lines: their number
 *
 * Odd generations told the last change before: obs_ring_reopen() was called.
 *
 * Context: the writer's CPU or thread, where nothing but a writer can interrupt
 * it; or any, while that can't run.
 * Return: true; false if it interrupted a writer: try again when that went on.
 */
static inline bool obs_ring_replace(struct obs_ring_writer *w,
				    struct obsring_line *line, __u32 nr_lines)
{
	struct obsring_ring *ring = w->ring;
	__u64 lines, records;

	if (obs_read_once(&w->nesting))
		return false;
	obs_write_once(&w->nesting, OBS_RING_CLOSED);
	obs_barrier();
	obs_ring_head(ring, &lines, &records);
	obs_write_once(&w->gen, w->gen + 1);
	obs_write_once(&ring->gen, ring->gen + 1);
	/* ring_replace:H, pairs with ring_still:I */
	obs_wmb();
	obs_write_once(&w->line, line);
	obs_write_once(&w->mask, nr_lines - 1);
	obs_write_once(&w->guard, OBS_RING_LINE_START);
	obs_write_once(&ring->head,
		       (__u64)OBS_RING_LINE_START << 32 | (__u32)records);
	obs_write_once(&ring->line_epoch, OBS_RING_LINE_START >> 31);
	obs_write_once(&ring->first_line, OBS_RING_LINE_START);
	obs_write_once(&ring->first_record, records);
	obs_write_once(&ring->nr_lines, nr_lines);
	/* ring_replace:J, pairs with ring_attach:L */
	obs_store_release(&w->gen, w->gen + 1);
	obs_barrier();
	obs_write_once(&w->nesting, 0);
	return true;
}

/* No mapping leads to lines that were replaced: let those who map read. */
static inline void obs_ring_reopen(struct obsring_ring *ring)
{
	/* ring_reopen:K, pairs with ring_attach:L */
	obs_store_release(&ring->gen, ring->gen + 1);
}

/* Is the view, up to here, of the ring's lines? */
static inline bool obs_ring_still(const struct obs_ring_view *v)
{
	/* ring_still:I, pairs with ring_replace:H */
	obs_rmb();
	return !(v->gen & 1) && obs_read_once(v->gen_at) == v->gen;
}

/*
 * Take over generation and number of lines, of a view whose @ring and @gen_at are
 * set. False: nothing to read now.
 */
static inline bool obs_ring_attach(struct obs_ring_view *v)
{
	/* ring_attach:L, pairs with ring_replace:J and ring_reopen:K */
	v->gen = obs_load_acquire(v->gen_at);
	v->nr_lines = obs_read_once(&v->ring->nr_lines);
	return v->nr_lines >= OBSRING_RING_LINES_MIN &&
	       v->nr_lines <= OBSRING_RING_LINES_MAX &&
	       !(v->nr_lines & (v->nr_lines - 1)) && obs_ring_still(v);
}

/*
 * View of the ring that @w writes: for who may read its lines, old ones included,
 * for the time of his use. False: they are being replaced, try again.
 */
static inline bool obs_ring_view_of(const struct obs_ring_writer *w,
				    struct obs_ring_view *v)
{
	v->ring = w->ring;
	v->gen_at = &w->gen;
	if (!obs_ring_attach(v))
		return false;
	v->line = obs_read_once(&w->line);
	return obs_ring_still(v);
}

/* ---- Reader -------------------------------------------------------------- */

/* Is the stamp that of a finished record's first line at @pos? */
static inline bool obs_ring_is_first(__u64 stamp, __u64 pos)
{
	return stamp >> 32 == (__u32)pos && stamp & OBSRING_LINE_FIRST &&
	       !(stamp & OBSRING_LINE_BUSY);
}

/*
 * Put the cursor on the oldest whole record from @from on, or on the head if
 * there is none: the counts of a moment.
 */
static inline void obs_ring_seek(const struct obs_ring_view *v,
				 struct obs_ring_cursor *c, __u64 from)
{
	__u64 first = obs_read_once(&v->ring->first_line);
	__u64 line, record, pos;

	obs_ring_head(v->ring, &line, &record);
	pos = line - first < v->nr_lines ? first : line - v->nr_lines;
	if ((__s64)(from - pos) > 0)
		pos = from;
	for (; (__s64)(line - pos) > 0; pos++) {
		const struct obsring_line *l = &v->line[pos & (v->nr_lines - 1)];
		__u64 stamp, word;

		/* ring_read:A, pairs with ring_write:D */
		stamp = obs_load_acquire(&l->stamp);
		if (!obs_ring_is_first(stamp, pos))
			continue;
		word = obs_read_once(&l->word[0]);
		/* ring_read:C, pairs with ring_write:B */
		obs_rmb();
		if (obs_read_once(&l->stamp) != stamp)
			continue;
		c->line = pos;
		c->record = record - (__u32)((__u32)record - (__u32)word);
		return;
	}
	c->line = line;
	c->record = record;
}

/* These two: if obs_ring_still() is false afterwards, attach and seek again. */
static inline void obs_ring_seek_oldest(const struct obs_ring_view *v,
					struct obs_ring_cursor *c)
{
	__u64 first = obs_read_once(&v->ring->first_line);
	__u64 line, record;

	c->laps = 0;
	c->gen = v->gen;
	obs_ring_head(v->ring, &line, &record);
	if (line - first <= v->nr_lines) {
		c->line = first;
		c->record = obs_read_once(&v->ring->first_record);
	} else {
		obs_ring_seek(v, c, first);
	}
}

static inline void obs_ring_seek_newest(const struct obs_ring_view *v,
					struct obs_ring_cursor *c)
{
	c->laps = 0;
	c->gen = v->gen;
	obs_ring_head(v->ring, &c->line, &c->record);
}

/*
 * The cursor's record is gone. Each time in a row it leaves more room before the
 * writer, an eighth of the ring, else a slow reader would lose for ever.
 */
static inline enum obs_ring_result
obs_ring_lost(const struct obs_ring_view *v, struct obs_ring_cursor *c, __u64 *lost)
{
	__u64 line, record, from, before = c->record;

	obs_ring_head(v->ring, &line, &record);
	/* Nothing is written there that overtook who is at the head. */
	if ((__s64)(line - c->line) <= 0)
		return OBS_RING_EMPTY;
	from = line - v->nr_lines + (__u64)c->laps * (v->nr_lines / 8);
	if ((__s64)(from - c->line) <= 0)
		from = c->line + 1;
	if (c->laps < 8)
		c->laps++;
	obs_ring_seek(v, c, from);
	*lost += c->record - before;
	return OBS_RING_LOST;
}

/* Are the stamps behind the first still those of position @pos and on? */
static inline bool obs_ring_whole(const struct obs_ring_view *v, __u64 pos,
				  __u64 first, __u32 n)
{
	__u32 i;

	if (obs_read_once(&v->line[pos & (v->nr_lines - 1)].stamp) != first)
		return false;
	for (i = 1; i < n; i++)
		if (obs_read_once(&v->line[(pos + i) & (v->nr_lines - 1)].stamp) !=
		    obs_ring_stamp((__u32)pos + i))
			return false;
	return true;
}

static inline bool obs_ring_lapped(const struct obs_ring_view *v,
				   const struct obs_ring_cursor *c)
{
	__u64 line, record;

	obs_ring_head(v->ring, &line, &record);
	return line - c->line > v->nr_lines;
}

static inline void obs_ring_copy(const struct obs_ring_view *v, __u64 pos,
				 __u64 *word, __u32 nr)
{
	const struct obsring_line *line;
	__u32 i, n;

	for (; nr; nr -= n, word += n, pos++) {
		line = &v->line[pos & (v->nr_lines - 1)];
		n = nr < OBSRING_LINE_WORDS ? nr : OBSRING_LINE_WORDS;
		for (i = 0; i < n; i++)
			word[i] = obs_read_once(&line->word[i]);
	}
}

/**
 * obs_ring_peek() - copy the cursor's record, and leave the cursor there
 * @v: ring
 * @c: cursor; moved on a loss
 * @word: receives up to @max words of the record
 * @max: 1 to OBS_RING_RECORD_WORDS
 * @ret: what was copied
 * @lost: raised by the number of records lost
 *
 * For a ring whose lines are never replaced; else obs_ring_read().
 *
 * Return: OBS_RING_RECORD, _EMPTY or _LOST.
 */
static inline enum obs_ring_result
obs_ring_peek(const struct obs_ring_view *v, struct obs_ring_cursor *c,
	      __u64 *word, __u32 max, struct obs_ring_peeked *ret, __u64 *lost)
{
	const struct obsring_line *l = &v->line[c->line & (v->nr_lines - 1)];
	__u32 n, words;
	__u64 stamp;
	__s32 ahead;

	/* ring_read:A, pairs with ring_write:D */
	stamp = obs_load_acquire(&l->stamp);
	ahead = (__s32)((__u32)(stamp >> 32) - (__u32)c->line);
	/*
	 * Asleep for half the range of positions? Then stamps tell nothing. That
	 * can be so from the next epoch on.
	 */
	if (obs_read_once(&v->ring->line_epoch) != c->line >> 31 &&
	    obs_ring_lapped(v, c))
		return obs_ring_lost(v, c, lost);
	if (ahead < 0 || (!ahead && stamp & OBSRING_LINE_BUSY))
		return OBS_RING_EMPTY;
	if (ahead || !(stamp & OBSRING_LINE_FIRST))
		return obs_ring_lost(v, c, lost);
	n = stamp >> OBSRING_LINE_NR_SHIFT & OBSRING_LINE_NR_MASK;
	if (!n || n > OBSRING_RECORD_LINES_MAX)
		return obs_ring_lost(v, c, lost);
	words = n * OBSRING_LINE_WORDS < max ? n * OBSRING_LINE_WORDS : max;
	obs_ring_copy(v, c->line, word, words);
	/* ring_read:C, pairs with ring_write:B */
	obs_rmb();
	if (!obs_ring_whole(v, c->line, stamp, n) ||
	    (__u32)word[0] != (__u32)c->record)
		return obs_ring_lost(v, c, lost);
	c->laps = 0;
	ret->lines = n;
	ret->words = words;
	return OBS_RING_RECORD;
}

/**
 * obs_ring_read() - the same of a ring whose lines may be replaced
 * @v: attached
 * @c: cursor, of this generation or an earlier one
 * @word: receives up to @max words of the record
 * @max: 1 to OBS_RING_RECORD_WORDS
 * @ret: what was copied
 * @lost: raised by the number of records lost
 *
 * Return: enum obs_ring_result. OBS_RING_REPLACED: cursor and @lost are as before.
 */
static inline enum obs_ring_result
obs_ring_read(const struct obs_ring_view *v, struct obs_ring_cursor *c,
	      __u64 *word, __u32 max, struct obs_ring_peeked *ret, __u64 *lost)
{
	struct obs_ring_cursor at = *c;
	enum obs_ring_result result;
	__u64 missed = 0;

	if (at.gen != v->gen) {
		at.line = obs_read_once(&v->ring->first_line);
		at.record = obs_read_once(&v->ring->first_record);
		at.laps = 0;
		at.gen = v->gen;
		missed = at.record - c->record;
	}
	result = obs_ring_peek(v, &at, word, max, ret, &missed);
	if (!obs_ring_still(v))
		return OBS_RING_REPLACED;
	*c = at;
	*lost += missed;
	return result;
}

/* Pass over the record that obs_ring_peek() or _read() has just copied. */
static inline void obs_ring_next(struct obs_ring_cursor *c,
				 const struct obs_ring_peeked *peeked)
{
	c->line += peeked->lines;
	c->record++;
}

#endif /* _OBSRING_RING_H */
