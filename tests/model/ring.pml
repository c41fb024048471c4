/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The log ring of include/obsring/ring.h, small but complete: a task, an interrupt
 * and an NMI write on one CPU, each interrupting the one below at any step, in a
 * ring of LINES lines; a reader reads beside them. Records have one or two lines.
 * Stamps hold positions modulo POSITIONS, from just below the wrap; the reader's
 * 64-bit counts are plain numbers here (how they are put together from 32 bits is
 * tests/unit/test_ring.c's). Steps are sequentially consistent: what weaker
 * machines may reorder is not shown by this model.
 *
 * Checked:
 *   no record is torn: what the reader takes is one record, the next by number
 *   nothing is lost uncounted: tried == stored + dropped, and for the reader
 *     stored == read + missed; it misses only what was overwritten, or unfinished
 *     at the moment when it looked for its place anew
 *   an unfinished line is never overwritten
 *   the reader ends (no invalid end state; each of its loops is bounded)
 *
 * Mutations, each of which must be found: NO_GUARD, NO_BUSY, NO_RECHECK,
 * FIRST_EARLY, NO_NESTING. SEEN_DROP, SEEN_MISS, SEEN_WAIT and SEEN_PASSED claim that
 * nothing is dropped, missed, found unfinished, or passed over unfinished, which
 * must be found false.
 */
#define LINES		4
#define POSITIONS	32	/* the reader sleeps over less than half of it */
#define START		30
#define LEVELS		3

/* A line: its stamp, in parts that are written together, and its payload. */
typedef line_t {
	byte pos;
	bool busy;
	bool first;
	byte nr;
	byte word
};

line_t line[LINES];
byte head = START;	/* lines */
byte record;		/* records; the word {lines, records} changes at once */
byte guard = START;
byte nesting;
byte current;		/* level that runs on the CPU */
byte running = LEVELS;	/* writers that are not done */

byte tried, dropped, overwritten;

#define AT(p)	line[(p) % LINES]
#define POS(p)	((p) % POSITIONS)
/* Is there room for the writer's n lines behind what is unfinished? */
#ifdef NO_GUARD
#define ROOM	true
#else
#define ROOM	(seen + n - guard <= LINES)
#endif
/* A step of the writer: only while nothing has interrupted it. */
#define STEP(x)	atomic { current == level; x }

inline claim() {
	i = 0;
	do
	:: i < n ->
		atomic {
			current == level;
			assert(!AT(pos + i).busy);
			overwritten = overwritten + AT(pos + i).first;
			AT(pos + i).pos = POS(pos + i);
#ifdef NO_BUSY
			AT(pos + i).busy = false;
#else
			AT(pos + i).busy = true;
#endif
			AT(pos + i).first = false;
			i++
		}
	:: else -> break
	od
}

inline finish(k) {
	STEP(AT(pos + k).busy = false; AT(pos + k).first = (k == 0);
	     AT(pos + k).nr = n)
}

inline fill() {
	i = 0;
	do
	:: i < n -> STEP(AT(pos + i).word = number; i++)
	:: else -> break
	od
}

/* obs_ring_write() of a record of n lines. */
inline write() {
	STEP(outer = nesting);
#ifdef NO_NESTING
	STEP(nesting = 0);
#else
	STEP(nesting = outer + 1);
#endif
	if
	:: outer == 0 -> STEP(seen = head); STEP(guard = seen)
	:: else
	fi;
	STEP(seen = head);
	stored = false;
	do
	:: atomic { current == level && !ROOM -> dropped++ };
		break
	:: atomic { current == level && ROOM ->
		if
		:: head == seen ->
			pos = head;
			number = record;
			head = head + n;
			record++;
			stored = true
		:: else -> seen = head
		fi };
		if
		:: stored -> break
		:: else
		fi
	od;
	if
	:: stored ->
		claim();
#ifdef FIRST_EARLY
		finish(0);
		fill();
#else
		fill();
#endif
		if
		:: n == 2 -> finish(1)
		:: else
		fi;
		finish(0)
	:: else
	fi;
	STEP(nesting = outer)
}

proctype writer(byte level; byte nr_records) {
	byte below, n, i, outer, seen, pos, number;
	bool stored;

	do
	:: nr_records > 0 ->
		/* Interrupts whatever runs below; the task just goes on. */
		atomic {
			current < level || level == 0;
			current <= level;
			below = current;
			current = level;
			tried++
		};
		if
		:: n = 1
		:: n = 2
		fi;
		write();
		atomic { current == level; current = (level == 0 -> 0 : below) };
		nr_records--
	:: else -> break
	od;
	running--
}

/* Is line p reserved and not yet finished, with or without its stamp? */
#define UNFINISHED(p)	((AT(p).busy && AT(p).pos == POS(p)) || \
			 POS(AT(p).pos + LINES) == POS(p))

/* ---- The reader ---------------------------------------------------------- */

byte read_records, missed;

proctype reader() {
	byte at = START, number, n, i, p, end_line, end_record, stamp_pos, ahead;
	bool passed;	/* over an unfinished record, when it had lost its place */
	bool all_done, stamp_busy, stamp_first, whole;
	byte word[2];

	do
	:: all_done = (running == 0);
		/* ring_read:A */
		atomic {
			stamp_pos = AT(at).pos;
			stamp_busy = AT(at).busy;
			stamp_first = AT(at).first;
			n = AT(at).nr
		};
		ahead = (stamp_pos + POSITIONS - POS(at)) % POSITIONS;
		if
		:: ahead >= POSITIONS / 2 || (ahead == 0 && stamp_busy) ->
			/* EMPTY */
#ifdef SEEN_WAIT
			assert(!(ahead == 0 && stamp_busy));
#endif
			if
			:: all_done -> break
			:: else
			fi
		:: ahead == 0 && !stamp_busy && stamp_first ->
			assert(n == 1 || n == 2);
			i = 0;
			do
			:: i < n -> word[i] = AT(at + i).word; i++
			:: else -> break
			od;
			whole = true;
#ifndef NO_RECHECK
			i = 0;
			do
			:: i < n ->
				atomic {
					whole = whole && !AT(at + i).busy &&
						AT(at + i).pos == POS(at + i) &&
						AT(at + i).first == (i == 0);
					i++
				}
			:: else -> break
			od;
#endif
			if
			:: whole ->
				assert(word[0] == number);
				assert(n == 1 || word[1] == number);
				at = at + n;
				number++;
				read_records++
			:: else -> goto lost
			fi
		:: else -> goto lost
		fi;
		goto next;
lost:
		/* The oldest whole record from here on, or the head. */
		atomic { end_line = head; end_record = record };
		assert(end_line > at + LINES);
		p = end_line - LINES;
		if
		:: p <= at -> p = at + 1
		:: else
		fi;
		whole = false;
		do
		:: p < end_line && !whole ->
			atomic {
				if
				:: AT(p).pos == POS(p) && AT(p).first && !AT(p).busy ->
					/* Word and both looks at the stamp. */
					missed = missed + AT(p).word - number;
					number = AT(p).word;
					at = p;
					whole = true
				:: else ->
					passed = passed || UNFINISHED(p);
					p++
				fi
			}
		:: else -> break
		od;
		if
		:: !whole ->
			missed = missed + end_record - number;
			number = end_record;
			at = end_line
		:: else
		fi;
next:		skip
	od;

	assert(tried == record + dropped);
	assert(at == head && number == record);
	assert(record == read_records + missed);
#ifdef SEEN_DROP
	assert(dropped == 0);
#endif
#ifdef SEEN_MISS
	assert(missed == 0);
#endif
#ifdef SEEN_PASSED
	assert(!passed);
#endif
	assert(missed <= overwritten || passed)
}

init {
	byte i = 0;

	atomic {
		do
		:: i < LINES ->
			AT(START + i).pos = POS(START + i + POSITIONS - LINES);
			i++
		:: else -> break
		od;
		run writer(0, TASK);
		run writer(1, IRQ);
		run writer(2, NMI);
		run reader()
	}
}
