/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The orders of include/obsring/ring.h that its readers rely on, where every access is
 * made as soon as its orders let it be, and not as the program has it: a store or a load
 * is an event, which may happen when those have that must come before it, by a barrier
 * or because they are of the same word. What ring.pml leaves out, and by another way
 * than weak/ring.c: there the header runs, here is what its comment says.
 *
 *   a line, written in two laps: stamp busy, two words, stamp; and its reader, who looks
 *	at the stamp, the words, the stamp again. The same shape has the generation of
 *	lines that are replaced (H, K and L, I), an exemplar, a context and an entry of
 *	the directory.
 *   the counts: head, of which the reader sees the lower bits, and epoch, behind it;
 *	jumps of nearly an epoch
 *
 * Checked: who saw the same stamp twice has the words of that lap; who saw the same
 * epoch twice knows all of the head.
 *
 * Mutations, each of which must be found: NO_A to NO_G, the orders that ring.h names so.
 * SEEN_WHOLE, SEEN_TORN, SEEN_COUNT and SEEN_AGAIN claim that no line is read whole, none
 * changes meanwhile, no count of a later epoch is read, and none changes meanwhile,
 * which must be found false.
 */
#ifdef NO_A
#define A(x)	0
#else
#define A(x)	(x)
#endif
#ifdef NO_B
#define B(x)	0
#else
#define B(x)	(x)
#endif
#ifdef NO_C
#define C(x)	0
#else
#define C(x)	(x)
#endif
#ifdef NO_D
#define D(x)	0
#else
#define D(x)	(x)
#endif
#ifdef NO_E
#define E(x)	0
#else
#define E(x)	(x)
#endif
#ifdef NO_F
#define F(x)	0
#else
#define F(x)	(x)
#endif
#ifdef NO_G
#define G(x)	0
#else
#define G(x)	(x)
#endif

/* What @what does happens once, when the events @before have. */
#define EVENT(event, before, what) \
	atomic { \
		!(done & (event)) && (done & (before)) == (before) -> \
		what; \
		done = done | (event) \
	}

/* ---- A line -------------------------------------------------------------- */

/* Of lap n the stamp is 2 n, and 2 n - 1 while it is written. */
byte stamp, word[2];

#define BUSY_1		1
#define FIRST_1		2
#define SECOND_1	4
#define DONE_1		8
#define BUSY_2		16
#define FIRST_2		32
#define SECOND_2	64
#define DONE_2		128

proctype line_writer() {
	short done;

	do
	:: EVENT(BUSY_1, 0, stamp = 1)
	:: EVENT(FIRST_1, B(BUSY_1), word[0] = 1)
	:: EVENT(SECOND_1, B(BUSY_1), word[1] = 1)
	:: EVENT(DONE_1, BUSY_1 | D(FIRST_1 | SECOND_1), stamp = 2)
	:: EVENT(BUSY_2, DONE_1, stamp = 3)
	:: EVENT(FIRST_2, FIRST_1 | B(BUSY_2), word[0] = 2)
	:: EVENT(SECOND_2, SECOND_1 | B(BUSY_2), word[1] = 2)
	:: EVENT(DONE_2, BUSY_2 | D(FIRST_2 | SECOND_2), stamp = 4)
	:: done == 255 -> break
	od
}

#define LOOK		1
#define COPY_FIRST	2
#define COPY_SECOND	4
#define LOOK_AGAIN	8

proctype line_reader() {
	byte done, seen, again, copy[2];

	do
	:: EVENT(LOOK, 0, seen = stamp)
	:: EVENT(COPY_FIRST, A(LOOK), copy[0] = word[0])
	:: EVENT(COPY_SECOND, A(LOOK), copy[1] = word[1])
	:: EVENT(LOOK_AGAIN, LOOK | C(COPY_FIRST | COPY_SECOND), again = stamp)
	:: done == 15 -> break
	od;
	if
	:: seen % 2 == 0 && seen == again ->
		assert(copy[0] == seen / 2 && copy[1] == seen / 2);
#ifdef SEEN_WHOLE
		assert(seen == 0);
#endif
		skip
	:: else ->
#ifdef SEEN_TORN
		assert(copy[0] == copy[1]);
#endif
		skip
	fi
}

/* ---- Counts -------------------------------------------------------------- */

#define EPOCH	4	/* positions: 2^31 */
#define JUMP	3

byte head;		/* modulo 2 * EPOCH as readers see it */
byte epoch;

#define HEAD_1	1
#define HEAD_2	2
#define EPOCH_2	4
#define HEAD_3	8
#define EPOCH_3	16
#define HEAD_4	32
#define EPOCH_4	64

proctype count_writer() {
	short done;

	do
	:: EVENT(HEAD_1, 0, head = JUMP)
	:: EVENT(HEAD_2, HEAD_1, head = 2 * JUMP)
	:: EVENT(EPOCH_2, E(HEAD_2), epoch = 2 * JUMP / EPOCH)
	:: EVENT(HEAD_3, HEAD_2 | B(EPOCH_2), head = 3 * JUMP)
	:: EVENT(EPOCH_3, EPOCH_2 | E(HEAD_3), epoch = 3 * JUMP / EPOCH)
	:: EVENT(HEAD_4, HEAD_3 | B(EPOCH_3), head = 4 * JUMP)
	:: EVENT(EPOCH_4, EPOCH_3 | E(HEAD_4), epoch = 4 * JUMP / EPOCH)
	:: done == 127 -> break
	od
}

#define LOAD_EPOCH	1
#define LOAD_HEAD	2
#define EPOCH_AGAIN	4

proctype count_reader() {
	byte done, seen, again, at, low;

	do
	:: EVENT(LOAD_EPOCH, 0, seen = epoch)
	:: EVENT(LOAD_HEAD, F(LOAD_EPOCH), at = head)
	:: EVENT(EPOCH_AGAIN, LOAD_EPOCH | G(LOAD_HEAD), again = epoch)
	:: done == 7 -> break
	od;
	if
	:: seen == again ->
		low = at % (2 * EPOCH);
		/* It lags by one at most, which its lowest bit shows. */
		seen = seen + (seen % 2 != low / EPOCH);
		assert(seen * EPOCH + low % EPOCH == at);
#ifdef SEEN_COUNT
		assert(at < EPOCH);
#endif
		skip
	:: else ->
#ifdef SEEN_AGAIN
		assert(false);
#endif
		skip
	fi
}

init {
	atomic {
		run line_writer();
		run line_reader();
		run count_writer();
		run count_reader()
	}
}
