/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Services of processes, as kmod/service.c and kmod/service_map.c have them: USERS
 * processes attach to the service of one name, map it, count, fork a child that counts
 * as well, and leave, in any order; the work that sweeps services whose time to live is
 * over; one who asks by netlink to delete it; and a clock. A lock's section is one step
 * if it holds nothing else; the registry's mutex is taken and given back.
 *
 * Checked:
 *   a service that has members is not removed, and none that was removed gets one
 *   what a member counts is in a service that is there
 *   when a service is removed, no share page of a member is left
 *   it is not removed before its time to live is over since it was attached to or left,
 *     but by who asks for that
 *   it is removed in the end: who leaves last is not forgotten by a sweep that runs
 *   there is one service of a name; nothing is touched after it was freed, and all is
 *     freed in the end
 *
 * Mutations, each of which must be found: NO_DEAD, NO_LEFT, SHARES_LATE, LOOK_FIRST,
 * NO_SWEEP, FORGETS, NO_REF, NO_MUTEX, FORK_LATE, DELETE_ALL. SEEN_STALE, SEEN_AGAIN,
 * SEEN_EXPIRED, SEEN_BUSY, SEEN_DELETED and SEEN_FORK claim that no mapping comes too
 * late, none is made anew, none expires, no deletion is refused, none is done, and no
 * child outlives its parent, which must be found false.
 */
#ifndef USERS
#define USERS	2
#endif
#ifndef LIVES
#define LIVES	1	/* how often each attaches */
#endif
#ifndef FORKS
#define FORKS	1	/* of all of them */
#endif
#ifndef DELETES
#define DELETES	0	/* whether one asks for it */
#endif
#define SERVICES 4	/* made one after the other */
#define NONE	255
#define NEVER	200
#define TTL	1
#define CLOCK	1	/* ticks while there are users */

typedef service_t {
	byte refs;
	byte members;
	byte shares;
	byte left;
	byte used;		/* when it was attached to or left, as everybody saw it */
	bool dead;
	bool freed
};

service_t service[SERVICES];
byte registry = NONE;		/* the one of that name */
byte made;
bool mutex;
byte clock;
byte forks;
byte sweep_ns = NEVER;
byte running = USERS;		/* processes */
bool over;			/* nobody comes any more, and time has passed */

#define S		service[s]
#define HELD		assert(S.refs > 0 && !S.freed)

inline lock() {
	atomic { !mutex -> mutex = true }
}

inline unlock() {
	mutex = false
}

inline put() {
	atomic {
		HELD;
		S.refs--;
		S.freed = (S.refs == 0)
	}
}

/* service_end_ns(), then sweep_at(): each under a lock of its own. */
inline sweep_for() {
	atomic {
		HELD;
		end = (S.members == 0 -> S.left + TTL : NEVER)
	};
	atomic { sweep_ns = (end < sweep_ns -> end : sweep_ns) }
}

/* service_retire(), under the mutex. */
inline retire() {
	atomic {
		HELD;
		assert(S.members == 0);
		S.dead = true
	};
	/* obs_service_clear() */
	atomic { assert(S.shares == 0 && S.members == 0) };
	atomic { assert(registry == s); registry = NONE };
	put()
}

inline member_add() {
	atomic {
		HELD;
		assert(!S.dead);
		S.members++
	}
}

/* A fault that makes a share, and an update in the service's pages. */
inline count() {
	atomic { HELD; assert(!S.dead && S.members > 0) };
	if
	:: !shared ->
		lock();
		atomic { HELD; S.shares++; shared = true };
		unlock()
	:: true
	fi
}

inline free_shares() {
	if
	:: shared ->
		lock();
		atomic { HELD; S.shares--; shared = false };
		unlock()
	:: else
	fi
}

/* member_put() of the last mapping, then the reference of its file. */
inline leave() {
#ifndef SHARES_LATE
	free_shares();
#endif
#ifdef NO_REF
	put();
#endif
	atomic {
		HELD;
		S.members--;
		last = (S.members == 0);
		if
		:: last -> S.left = clock; S.used = clock
		:: else
		fi
	};
#ifdef SHARES_LATE
	free_shares();
#endif
#ifndef NO_SWEEP
	if
	:: last -> sweep_for()
	:: else
	fi;
#endif
#ifndef NO_REF
	put();
#endif
	skip
}

/* What fork() has made a member of, with a reference of the file. */
proctype child(byte s) {
	byte end;
	bool shared, last;

#ifdef FORK_LATE
	member_add();
#endif
	count();
#ifdef SEEN_FORK
	assert(S.members > 1);
#endif
	leave();
	running--
}

proctype user() {
	byte s, end, lives;
	bool shared, last, stale;

	do
	:: lives == LIVES -> break
	:: else ->
		lives++;
		/* OBSRING_IOC_ATTACH: service_get() */
#ifndef NO_MUTEX
		lock();
#endif
		s = registry;
		if
		:: s == NONE ->
			atomic {
				s = made;
				made++;
				S.refs = 1;
				S.used = clock
			};
#ifdef SEEN_AGAIN
			assert(s == 0);
#endif
			atomic { assert(registry == NONE); registry = s }
		:: else
		fi;
		atomic { HELD; S.refs++ };
#ifdef NO_LEFT
		S.used = clock;
#else
		atomic { S.left = clock; S.used = clock };
#endif
		sweep_for();
#ifndef NO_MUTEX
		unlock();
#endif
		/* mmap: member_get() */
		lock();
		stale = S.dead;
#ifdef NO_DEAD
		stale = false;
#endif
		if
		:: !stale -> atomic { S.refs++ }; member_add()
		:: else
		fi;
		unlock();
#ifdef SEEN_STALE
		assert(!stale);
#endif
		if
		:: !stale ->
			count();
			if
			:: atomic { forks < FORKS -> forks++; S.refs++; running++ };
				/* fork: the parent is a member meanwhile */
#ifndef FORK_LATE
				member_add();
#endif
				run child(s);
				count()
			:: true
			fi;
			leave()
		:: else
		fi;
		/* the descriptor */
		put()
	od;
	running--
}

proctype deleter() {
	byte s;

	lock();
	s = registry;
	if
	:: s != NONE ->
		if
		:: S.members == 0 ->
#ifdef SEEN_DELETED
			assert(false);
#endif
			retire()
		:: else ->
#ifdef SEEN_BUSY
			assert(false);
#endif
#ifdef DELETE_ALL
			retire()
#else
			skip
#endif
		fi
	:: else
	fi;
	unlock()
}

proctype sweeper() {
	byte s, end;

end_sweeper:
	do
	:: clock >= sweep_ns ->
#ifndef FORGETS
		sweep_ns = NEVER;
#endif
#ifdef LOOK_FIRST
		s = registry;
		end = NEVER;
		if
		:: s != NONE -> atomic { end = (S.members == 0 -> S.left + TTL : NEVER) }
		:: else
		fi;
#endif
		lock();
#ifndef LOOK_FIRST
		s = registry;
		if
		:: s != NONE ->
			atomic { HELD; end = (S.members == 0 -> S.left + TTL : NEVER) }
		:: else
		fi;
#endif
		if
		:: s != NONE && registry == s ->
			if
			:: end <= clock ->
				assert(clock >= S.used + TTL);
#ifdef SEEN_EXPIRED
				assert(false);
#endif
				retire()
			:: else -> sweep_for()
			fi
		:: else
		fi;
		unlock();
#ifdef FORGETS
		sweep_ns = NEVER;
#endif
		skip
	od
}

proctype ticker() {
	do
	:: clock < CLOCK && running > 0 -> clock++
	:: running == 0 -> break
	od;
	clock = clock + TTL;
	over = true
}

init {
	byte i;

	atomic {
		i = 0;
		do
		:: i < USERS -> run user(); i++
		:: else -> break
		od;
		if
		:: DELETES -> run deleter()
		:: else
		fi;
		run sweeper();
		run ticker()
	};
	/* Nothing is left to do. */
	timeout;
	assert(over);
	assert(registry == NONE);
	i = 0;
	do
	:: i < made -> assert(service[i].freed && service[i].shares == 0); i++
	:: else -> break
	od
}
