/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The exemplar of include/obsring/exemplar.h: WRITERS writers, each with PUTS
 * exemplars, the last of them an interrupt that runs on the first one's CPU at any
 * of its steps; a reader; and an owner that ends a life of the slot: it retires the
 * series, waits until no writer can hold the slot, clears it, and gives it to
 * another. Stores reach the others in any order but for that of the barriers: the
 * payload's two words are written in either order, and read in either order. seq is
 * a plain number. Steps are else sequentially consistent.
 *
 * Checked:
 *   no torn exemplar is taken: both words are of one put
 *   none is taken of another life than that which the reader looked at
 *   a put never overtakes one that looked later: numbers of takes only grow
 *   everybody ends: the reader's tries are bounded, writers never wait
 *
 * Mutations, each of which must be found: NO_ODD, NO_RECHECK, NO_GEN, NO_CLAIM.
 * SEEN_BUSY, SEEN_RETRY, SEEN_FOUND and SEEN_ENDED claim that no writer is refused,
 * no copy repeated, none taken, and no life ends under the reader, which must be
 * found false.
 */
#ifndef WRITERS
#define WRITERS	2
#endif
#ifndef PUTS
#define PUTS	1
#endif
#define LIVES	2
#define TRIES	2

byte seq;
byte word[2];		/* 16 * life + put; 0: none */
byte gen = 1;		/* odd: alive */
byte inside;		/* writers that may hold the slot */
bool closed;		/* the handle points elsewhere */
byte clock;		/* numbers the looks */
byte shown;		/* look of the exemplar that was taken last */
bool interrupted;	/* the last writer runs: the first one does not */
byte running = WRITERS;

/* A step of a writer, if @when: only while nothing has interrupted it. */
#define STEP(when, x)	atomic { (nr != 0 || !interrupted) && (when); x }

proctype writer(byte nr) {
	byte seen, put, value, life, look;
	bool swap;

	put = 0;
	do
	:: put < PUTS ->
		put++;
		if
		:: nr == WRITERS - 1 -> interrupted = true
		:: else
		fi;
		/* A handle that points at the series: the grace period waits. */
		if
		:: STEP(!closed, inside++; life = gen)
		:: STEP(closed, goto next)
		fi;
		STEP(true, seen = seq; clock++; look = clock);	/* look:A */
		value = 16 * life + nr * PUTS + put;
#ifdef NO_CLAIM
		if
		:: STEP(seen % 2 == 0, seq = seen + 1)
		:: STEP(seen % 2, goto busy)
		fi;
#else
		if
		:: STEP(seen % 2 == 0 && seq == seen, seq = seen + 1)	/* take:D */
		:: STEP(seen % 2 || seq != seen, goto busy)
		fi;
#endif
#ifdef NO_ODD
		STEP(true, seq = seen);
#endif
		select (swap : 0 .. 1);
		STEP(true, word[swap] = value);
		STEP(true, word[1 - swap] = value);
		STEP(true, assert(look > shown); shown = look; seq = seen + 2);	/* publish:C */
		goto done;
busy:
#ifdef SEEN_BUSY
		assert(false);
#endif
done:
		STEP(true, inside--);
next:
		if
		:: nr == WRITERS - 1 -> interrupted = false
		:: else
		fi
	:: else -> break
	od;
	running--
}

/* As the registry: retire:C, wait for updates, clear, publish:A. */
proctype owner() {
	byte lives, seen;

	do
	:: lives < LIVES - 1 ->
		lives++;
		atomic { closed = true; gen++ }
		inside == 0;
		if
		:: seq ->
			seen = seq;
			seq = seen + 1;
			word[0] = 0;
			word[1] = 0;
			seq = seen + 2
		:: else
		fi;
		atomic { closed = false; gen++ }
	:: else -> break
	od
}

proctype reader() {
	byte begun, seen, copy[2], try;
	bool swap;

	do
	:: running ->
		begun = gen;
		if
		:: begun % 2 == 0 -> goto again
		:: else
		fi;
		try = 0;
		do
		:: try < TRIES ->
			try++;
			seen = seq;			/* begin:C */
			if
			:: seen == 0 -> goto again
			:: seen % 2 -> goto retry
			:: else
			fi;
			select (swap : 0 .. 1);
			copy[swap] = word[swap];
			copy[1 - swap] = word[1 - swap];
#ifndef NO_RECHECK
			if
			:: seq != seen -> goto retry	/* end:B */
			:: else
			fi;
#endif
#ifndef NO_GEN
			if
			:: gen != begun ->
#ifdef SEEN_ENDED
				assert(false);
#endif
				goto again
			:: else
			fi;
#endif
			assert(copy[0] == copy[1]);
			assert(!copy[0] || copy[0] / 16 == begun);
#ifdef SEEN_FOUND
			assert(!copy[0]);
#endif
			goto again;
retry:
#ifdef SEEN_RETRY
			assert(false);
#endif
			skip
		:: else -> break
		od;
again:
		skip
	:: else -> break
	od
}

init {
	byte i;

	atomic {
		for (i : 0 .. WRITERS - 1) {
			run writer(i)
		}
		run owner();
		run reader()
	}
}
