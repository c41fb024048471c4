/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A scrape, from the device to the bytes that are sent: the library's snapshot
 * (userspace/libobsring/snapshot.c: the directory, the values, and whether the
 * directory stood still meanwhile), and obsringd's bodies (metrics.c, kept.c, piece.c,
 * chunk.c): one complete answer, written over in place where nobody is being sent it.
 * Else, FLAT, another body takes its place and is written; or the bytes that change are
 * copied and the body is made anew; while those who have the old one go on sending.
 * SCRAPERS threads scrape, the last SCRAPES times, the others once; a scrape of another
 * format may find that the series is gone, and change this one's plan; the device's one
 * series ends and its slot is given to another. An answer is two bytes, whose series
 * and its value, which are written and sent one by one.
 *
 * Checked:
 *   no answer has one series' value under another's name
 *   what is being sent does not change
 *   an answer has what was read for it, or for one that is shared with it
 *   it is of a time since it was asked for, or SHARED before if another one is being
 *     sent it
 *   nothing is touched after it was freed; in the end nothing is held but by the plan
 *     and its bodies
 *
 * Mutations, each of which must be found: NO_QUIET, NO_DROP, NO_LEND, NO_COPY, NO_MOVED,
 * NO_END, ANY_AGE, GET_LATE, PUT_EARLY; with FLAT, SPARE_BUSY and NOT_THE_SAME.
 * SEEN_SHARED, SEEN_IN_PLACE, SEEN_COPIED, SEEN_SPARE, SEEN_RETRIED and SEEN_DROPPED
 * claim that none is shared, written in place, copied, no spare body is used, nothing
 * is read anew, and no series left out because the directory never stood still, which
 * must be found false.
 */
#ifndef FLAT
#define FLAT	1
#endif
#ifndef SCRAPERS
#define SCRAPERS 2
#endif
#ifndef SCRAPES
#define SCRAPES	1
#endif
#ifndef LIVES
#define LIVES	2
#endif
#define ROUNDS	2	/* ROUNDS_MAX of the library */
#define CHUNKS	8
#define BODIES	5
#define NONE	255
#ifndef SHARED
#define SHARED	1	/* SHARED_NS: below this */
#endif
#ifndef TICKS
#define TICKS	1
#endif

/* ---- The device ---------------------------------------------------------- */

byte gen;		/* odd: alive */
byte owner;		/* whose life, from 1 */
byte slot;		/* 16 * life + count; 0: nothing yet */
byte pos;		/* of the journal */

bool looked_at;		/* only then it matters when it changes */

#define STEP(x)	atomic { looked_at; x }

proctype device() {
	byte life;

	do
	:: life < LIVES ->
		/* Nobody looks at it before gen says so. */
		STEP(life++; owner = life; slot = 0; gen++);
		STEP(pos++);
		STEP(slot = 16 * life + 1);
		if
		:: life < LIVES ->
			STEP(gen++);
			STEP(pos++)
		:: else
		fi
	:: else -> break
	od
}

/* ---- The daemon ---------------------------------------------------------- */

/* Bytes are its own, or those of the whole that it is a part of. */
typedef chunk_t {
	byte refs;
	byte whole;
	byte name;
	byte value
};

typedef body_t {
	byte refs;
	byte chunk;		/* flat: the whole; else the plan's piece */
	byte read		/* read_ns */
};

chunk_t chunk[CHUNKS];
body_t body[BODIES];
bool lock;		/* metrics.lock, and the collector's */
byte plain = NONE;	/* kept.plain */
byte spare = NONE;	/* kept.spare: one is enough here */
byte piece;		/* the plan's, and what it shows */
byte shown_name, shown_value;
byte lent;
bool moved;
byte clock;
byte running = SCRAPERS;

#define DATA(c)		chunk[(chunk[c].whole == NONE -> c : chunk[c].whole)]
#define IDLE(b)		(body[b].refs == 1)

inline new_chunk() {
	i = 0;
	do
	:: i < CHUNKS && chunk[i].refs -> i++
	:: else -> break
	od;
	assert(i < CHUNKS);
	chunk[i].refs = 1;
	chunk[i].whole = NONE;
	chunk[i].name = 0;
	chunk[i].value = 0
}

inline new_body(its_chunk) {
	k = 0;
	do
	:: k < BODIES && body[k].refs -> k++
	:: else -> break
	od;
	assert(k < BODIES);
	body[k].refs = 1;
	body[k].chunk = its_chunk;
	body[k].read = 0
}

/* What is freed is forgotten: fewer states. With the one that it is a part of. */
inline chunk_clear(freed) {
	chunk[freed].name = 0;
	chunk[freed].value = 0;
	chunk[freed].whole = 0
}

inline chunk_put(held_chunk) {
	assert(chunk[held_chunk].refs > 0);
	chunk[held_chunk].refs--;
	if
	:: chunk[held_chunk].refs == 0 ->
		if
		:: chunk[held_chunk].whole != NONE ->
			assert(chunk[chunk[held_chunk].whole].refs > 0);
			chunk[chunk[held_chunk].whole].refs--;
			if
			:: chunk[chunk[held_chunk].whole].refs == 0 ->
				chunk_clear(chunk[held_chunk].whole)
			:: else
			fi
		:: else
		fi;
		chunk_clear(held_chunk)
	:: else
	fi
}

/* Who comes to 0 frees it. */
inline body_put(b) {
	atomic {
		assert(body[b].refs > 0);
		body[b].refs--;
		if
		:: body[b].refs == 0 ->
			chunk_put(body[b].chunk);
			body[b].chunk = 0;
			body[b].read = 0
		:: else
		fi
	}
}

inline drop_plain() {
	if
	:: plain != NONE -> body_put(plain); plain = NONE
	:: else
	fi;
	if
	:: spare != NONE -> body_put(spare); spare = NONE
	:: else
	fi
}

inline drop_moved() {
#ifndef NO_MOVED
	if
	:: moved -> drop_plain()
	:: else
	fi;
#endif
	moved = false
}

/* snapshot_read(): name 0 if there is no series. */
inline read_snapshot() {
	looked_at = true;
	round = 0;
	do
	:: round < ROUNDS ->
		atomic { round++; end = pos };
		begun = gen;
		name = 0;
		if
		:: begun % 2 ->
			name = owner;
			/* obs_entry_end(): else it is looked up again */
			if
			:: gen != begun -> name = 0
			:: else
			fi
		:: else
		fi;
		value = slot;
#ifdef NO_QUIET
		break;
#endif
		if
		:: pos == end -> break
		:: else ->
#ifdef SEEN_RETRIED
			assert(false);
#endif
			skip
		fi
	:: else ->
		/* obs_directory_drop_stale() */
#ifndef NO_DROP
		if
		:: name && gen != begun ->
#ifdef SEEN_DROPPED
			assert(false);
#endif
			name = 0
		:: else
		fi;
#endif
		break
	od;
	if
	:: name == 0 -> value = 0
	:: else
	fi;
	looked_at = false
}

/* The body is being sent: another one says the same, and takes its place. */
inline replace_flat() {
	if
#ifdef SPARE_BUSY
	:: spare != NONE
#else
	:: spare != NONE && IDLE(spare)
#endif
		->
#ifdef SEEN_SPARE
		assert(false);
#endif
		k = spare;
		spare = NONE
	:: else ->
		atomic { new_chunk(); new_body(i) }
	fi;
	i = body[k].chunk;
#ifndef NOT_THE_SAME
	chunk[i].name = chunk[body[plain].chunk].name;
	chunk[i].value = chunk[body[plain].chunk].value;
#endif
	/* chunk_part_move() */
	atomic {
		chunk[chunk[piece].whole].refs--;
		chunk[piece].whole = i;
		chunk[i].refs++
	};
	if
	:: spare != NONE -> body_put(spare)
	:: else
	fi;
	spare = plain;
	plain = k
}

inline kept_lend() {
	drop_moved();
	failed = false;
	if
#ifndef NO_LEND
	:: plain != NONE && !IDLE(plain) ->
#if FLAT
		if
		:: replace_flat()
		:: failed = true	/* no memory */
		fi
#else
		drop_plain()
#endif
#endif
	:: else
	fi;
	lent = (plain != NONE && !failed)
}

/* piece_own() of what is about to change. */
inline own() {
	if
#ifdef NO_COPY
	:: true
#else
	:: chunk[piece].refs + (chunk[piece].whole != NONE) <= 1 + lent
#endif
		->
#ifdef SEEN_IN_PLACE
		assert(plain == NONE);
#endif
		skip
	:: else ->
#ifdef SEEN_COPIED
		assert(false);
#endif
		atomic {
			new_chunk();
			chunk[i].name = DATA(piece).name;
			chunk[i].value = DATA(piece).value;
			chunk_put(piece);
			piece = i;
			moved = true
		}
	fi
}

/* Only what is not shown is written. */
inline render() {
	if
	:: shown_name == name && shown_value == value
	:: else ->
		atomic { own() };
		if
		:: shown_name != name -> DATA(piece).name = name
		:: else
		fi;
		if
		:: shown_value != value -> DATA(piece).value = value
		:: else
		fi;
		shown_name = name;
		shown_value = value
	fi
}

inline kept_make() {
	drop_moved();
	if
	:: plain == NONE ->
		atomic {
#if FLAT
			/* make_flat(): the piece's bytes are of the whole from now on. */
			new_chunk();
			chunk[i].name = DATA(piece).name;
			chunk[i].value = DATA(piece).value;
			new_body(i);
			c = i;
			new_chunk();
			chunk[i].whole = c;
			chunk[c].refs++;
			chunk_put(piece);
			piece = i;
#else
			chunk[piece].refs++;
			new_body(piece);
#endif
			plain = k
		}
	:: else
	fi
}

inline kept_end() {
#ifndef NO_END
	lent = 0
#else
	skip
#endif
}

/* A scrape of another format hears that the series goes: this one's plan changes. */
proctype other() {
	byte i, name, value;

	if
	:: atomic { !lock -> lock = true };
		render();
		lock = false
	:: true
	fi
}

proctype scraper(byte scrapes) {
	byte asked, start, round, end, begun, name, value, i, k, mine, c;
	byte sent_name, sent_value;
	bool share, failed;

	do
	:: scrapes == 0 -> break
	:: else ->
		atomic { scrapes--; asked = clock };
		atomic { !lock -> lock = true };
		/* shared() */
		share = false;
		if
		:: plain != NONE && body[plain].read > asked -> share = true
		:: plain != NONE && body[plain].read <= asked && !IDLE(plain) &&
#ifdef ANY_AGE
		   true
#else
		   asked - body[plain].read < SHARED
#endif
			-> share = true
		:: else
		fi;
		if
		:: !share ->
			start = clock;
			read_snapshot();
			atomic { kept_lend() };
			render();
			atomic {
				kept_make();
				body[plain].read = start;
				kept_end();
				c = body[plain].chunk;
				assert(DATA(c).name == name && DATA(c).value == value)
			}
		:: else ->
#ifdef SEEN_SHARED
			assert(false);
#endif
			skip
		fi;
		atomic {
			mine = plain;
			c = body[mine].chunk;
			sent_name = DATA(c).name;
			sent_value = DATA(c).value;
			assert(body[mine].read >= asked || asked - body[mine].read < SHARED)
#ifdef GET_LATE
			;
			lock = false
#endif
		};
		atomic {
			assert(body[mine].refs > 0);
			body[mine].refs++;
#ifndef GET_LATE
			lock = false;
#endif
			asked = 0; start = 0; round = 0; end = 0; begun = 0; name = 0;
			value = 0; i = 0; k = 0; share = false; failed = false
		};
#ifdef PUT_EARLY
		body_put(mine);
#endif
		/* The answer is being sent. */
		atomic {
			assert(body[mine].refs > 0 && chunk[c].refs > 0);
			assert(DATA(c).name == sent_name);
			assert(sent_value == 0 || sent_value / 16 == sent_name)
		};
		atomic {
			assert(body[mine].refs > 0 && chunk[c].refs > 0);
			assert(DATA(c).value == sent_value)
		};
#ifndef PUT_EARLY
		body_put(mine);
#endif
		atomic { mine = 0; c = 0; sent_name = 0; sent_value = 0 }
	od;
	running--
}

proctype ticker() {
	do
	:: clock < TICKS && running > 0 -> clock++
	:: else -> break
	od
}

init {
	byte i, held, want;

	atomic {
		chunk[0].refs = 1;	/* the plan's; nothing is in it yet */
		chunk[0].whole = NONE;
		run device();
		i = 0;
		do
		:: i < SCRAPERS -> run scraper((i == SCRAPERS - 1 -> SCRAPES : 1)); i++
		:: else -> break
		od;
		run other();
		run ticker()
	};
	timeout;
	assert(running == 0 && !lock && plain != NONE && IDLE(plain));
	assert(spare == NONE || IDLE(spare));
	/* The plan's piece and what that is of, the bodies and what they hold. */
	want = 1 + (chunk[piece].whole != NONE) + 2 + (spare != NONE -> 2 : 0);
	i = 0;
	do
	:: i < BODIES -> held = held + body[i].refs; i++
	:: else -> break
	od;
	i = 0;
	do
	:: i < CHUNKS -> held = held + chunk[i].refs; i++
	:: else -> break
	od;
	assert(held == want);
	looked_at = true	/* and the device ends */
}
