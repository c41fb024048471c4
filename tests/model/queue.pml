/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The queue of include/obsring/sample_queue.h, small but complete: PRODUCERS push
 * COMMANDS each, of any time and cancelling any that has been pushed, or none; the
 * consumer calls obs_sample_queue_next() while its clock goes on. Steps are
 * sequentially consistent: what weaker machines may reorder is not shown by it.
 *
 * Checked, at each command that is given as due:
 *   it is not early
 *   no push had ended, when this call began, that cancels it
 *   of those that had been pushed by then and neither given nor cancelled it is the
 *     first by time and arrival, arrival being the order of the exchanges of the head
 * and in the end: each was given once; what the consumer waits for comes.
 *
 * Mutations, each of which must be found: LINK_LATE, PUSH_STORES, TAKE_READS,
 * NO_TAKE, NOT_TURNED, NO_TIME, NO_CANCEL. SEEN_RETRY, SEEN_CANCELLED and SEEN_LATE
 * claim that no exchange fails, nothing is cancelled, and no cancel comes too late,
 * which must be found false.
 */
#define NR	(PRODUCERS * COMMANDS)
#define NONE	255
#define END	1		/* of the clock */

/* A command; 255 is no command. */
typedef command_t {
	byte next;
	byte time;
	byte cancels;
	/* Of the checks: */
	bool pushed;		/* the exchange is done */
	byte arrival;
	bool gone;		/* a push that cancels it has ended */
	bool out;		/* given, or cancelled */
}

command_t cmd[NR];
byte incoming = NONE;
byte pending = NONE;
byte arrivals, given;
byte running = PRODUCERS;
bool retried, some_cancelled, some_late;

proctype producer(byte first) {
	byte c = first, seen, target;
	bool done;

	do
	:: c < first + COMMANDS ->
		atomic {
			if
			:: cmd[c].time = 0
			:: cmd[c].time = 1
			fi;
			/* What it cancels had been pushed: its number is known. */
			target = 0;
			do
			:: target < NR ->
				if
				:: cmd[target].pushed -> cmd[c].cancels = target; break
				:: target++
				fi
			:: else -> break
			od;
			target = 0;
			done = false
		};
		seen = incoming;
		do
		:: !done ->
#ifndef LINK_LATE
			cmd[c].next = seen;
#endif
			atomic {
#ifdef PUSH_STORES
				if
				:: true ->
#else
				if
				:: incoming != seen ->
					seen = incoming;
					retried = true
				:: else ->
#endif
					incoming = c;
					cmd[c].pushed = true;
					cmd[c].arrival = arrivals;
					arrivals++;
					done = true
				fi
			}
		:: else -> break
		od;
#ifdef LINK_LATE
		cmd[c].next = seen;
#endif
		atomic {
			/* The push has ended. */
			if
			:: cmd[c].cancels != NONE -> cmd[cmd[c].cancels].gone = true
			:: else
			fi;
			seen = NONE;
			c++
		}
	:: else -> break
	od;
	running--
}

/* ---- The consumer -------------------------------------------------------- */

/* Nobody else touches what is pending. */
inline cancel(target) {
	found = false;
	at = pending;
	before = NONE;
	do
	:: at != NONE && at != target -> before = at; at = cmd[at].next
	:: else -> break
	od;
	if
	:: at == target && at != NONE ->
		if
		:: before == NONE -> pending = cmd[at].next
		:: else -> cmd[before].next = cmd[at].next
		fi;
		assert(!cmd[at].out);
		cmd[at].out = true;
		given++;
		found = true;
		some_cancelled = true
	:: else -> some_late = true
	fi;
	at = NONE;
	before = NONE
}

inline insert(new) {
	at = pending;
	before = NONE;
	do
	:: at != NONE && cmd[at].time <= cmd[new].time -> before = at; at = cmd[at].next
	:: else -> break
	od;
	cmd[new].next = at;
	if
	:: before == NONE -> pending = new
	:: else -> cmd[before].next = new
	fi;
	at = NONE;
	before = NONE
}

/* What was to take the place of one that is not there any more never applies. */
inline arrive(c) {
	found = true;
#ifndef NO_CANCEL
	if
	:: cmd[c].cancels != NONE -> cancel(cmd[c].cancels)
	:: else
	fi;
#endif
	if
	:: found -> insert(c)
	:: else ->
		assert(!cmd[c].out);
		cmd[c].out = true;
		given++
	fi;
	found = false
}

inline take() {
#ifdef TAKE_READS
	c = incoming;
	incoming = NONE;
#else
	atomic { c = incoming; incoming = NONE };
#endif
	/* The links are read one by one, beside producers. */
	do
	:: c != NONE ->
		d_step {
			link = cmd[c].next;
#ifdef NOT_TURNED
			arrive(c);
#else
			cmd[c].next = first;
			first = c;
#endif
			c = link;
			link = NONE
		}
	:: else -> break
	od;
	skip;
	d_step {
		do
		:: first != NONE ->
			link = cmd[first].next;
			arrive(first);
			first = link
		:: else -> break
		od;
		link = NONE
	}
}

/* Was d there when the call began, and is it still to come before c? */
#define OVERTAKEN(d, c)	(was_pushed[d] && !cmd[d].out && \
			 (cmd[d].time < cmd[c].time || \
			  (cmd[d].time == cmd[c].time && cmd[d].arrival < cmd[c].arrival)))

proctype consumer() {
	byte c = NONE, first = NONE, link = NONE, at = NONE, before = NONE, now, i;
	bool found, was_gone[NR], was_pushed[NR], all_done;

	do
	:: given == NR -> break
	:: else ->
		/* The clock is the consumer's alone: it goes on when it is read. */
		if
		:: now < END -> now++
		:: skip
		fi;
		d_step {
			all_done = (running == 0);
			i = 0;
			do
			:: i < NR ->
				was_gone[i] = cmd[i].gone;
				was_pushed[i] = cmd[i].pushed;
				i++
			:: else -> break
			od;
			i = 0
		};
#ifdef NO_TAKE
		if
		:: pending == NONE -> take()
		:: else
		fi;
#else
		take();
#endif
		d_step {
			c = pending;
			if
#ifdef NO_TIME
			:: c != NONE ->
#else
			:: c != NONE && cmd[c].time <= now ->
#endif
				pending = cmd[c].next;
				assert(cmd[c].time <= now);
				assert(!cmd[c].out);
				assert(!was_gone[c]);
				cmd[c].out = true;
				given++;
				i = 0;
				do
				:: i < NR ->
					assert(!OVERTAKEN(i, c));
					i++
				:: else -> break
				od;
				i = 0
			:: else ->
				/* All are there and due: none may be missing. */
				assert(!all_done || now < END || given == NR)
			fi;
			i = 0;
			do
			:: i < NR -> was_gone[i] = false; was_pushed[i] = false; i++
			:: else -> break
			od;
			i = 0;
			all_done = false;
			c = NONE
		}
	od;
	assert(incoming == NONE && pending == NONE);
#ifdef SEEN_RETRY
	assert(!retried);
#endif
#ifdef SEEN_CANCELLED
	assert(!some_cancelled);
#endif
#ifdef SEEN_LATE
	assert(!some_late);
#endif
}

init {
	byte i = 0;

	atomic {
		do
		:: i < NR -> cmd[i].next = NONE; cmd[i].cancels = NONE; i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < PRODUCERS -> run producer(i * COMMANDS); i++
		:: else -> break
		od;
		run consumer()
	}
}
