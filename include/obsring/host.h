/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Hosted segments: region HOST, and who writes what in a file of the device's layout
 * when no kernel does. User space only.
 *
 * All processes that may open the file for writing map all of it, readers nothing but
 * what <linux/obsring.h> tells them of. Nobody is protected from who scribbles over
 * the file; each one checks what it uses as an index or a length, so that a damaged
 * file gives wrong numbers or errors, not crashes.
 *
 * Who writes what:
 *
 *   header, FAMILIES, SERIES,     the owner of the directory's lock
 *   TEXT, JOURNAL, SHARES,
 *   HOST but for leases
 *   SERVICES                      threads of members: rows by restartable sequences,
 *                                 everyone's row by atomic operations; the owner of
 *                                 the lock zeroes slots that no series has
 *   SHARE_PAGES                   threads of the share's member, by atomic additions;
 *                                 the owner of the lock while no share has the page
 *   ring i, its lines, lease i,   the thread that leases it
 *   slot i of each rule
 *   obs_sample_rule.pool, floor   any thread that logs, by compare-and-swap
 *
 * Locks are the kernel's, of bytes of the file, of open file descriptions
 * (F_OFD_SETLK): each process has a description of its own, and what it holds is free
 * when it ends, by whatever cause, exec included, as the descriptor is closed by exec.
 * Not that by which the file is mapped: a mapping keeps it open in children of fork().
 * No lock stands in the file's memory, whose content could then lead those astray who
 * take it; no C library's layout matters. Between threads of a process, a mutex of its
 * own comes first. A child of fork() opens the file anew before it runs on.
 *
 *   obs_host.busy, first byte           the directory
 *   obs_host_member i, first byte       whoever is that member, as long as it is
 *   obs_host_lease i, first byte        whose thread writes ring i, as long as it does
 *
 * The owner of the directory's lock sets busy, and clears it before he lets go: who
 * gets the lock and finds it set has got it from one that was killed.
 *
 * The directory. <obsring/directory.h> has what readers see. There is no allocator
 * whose state could be wrong: an index is free while its gen is even; a granule or a
 * slot, while no living entry names it. So what a writer had prepared when it was
 * killed, and not yet published, was never taken. Slots are zeroed when they are
 * given out, not when they come back. What needs more than one store is made good by
 * the next owner of the lock, before anything else; he may be killed as well:
 *
 *   a gen changed, the journal not told     intent names the entry: set before the
 *                                           gen changes, cleared after it is told.
 *                                           To tell twice does no harm
 *   a family without series, as the first   families without series are retired
 *   was not published yet, or the last is
 *   retired
 *   a service half removed                  its state is ENDING: removed to the end
 *   a member that left, half                its state is still MEMBER, its lock free:
 *                                           see below
 *   series_live                             counted anew
 *
 * The lock orders all of this between writers; towards readers the directory's own
 * pairs do. A store is all that a kill can leave half done, and a store of a word is
 * not torn.
 *
 * Members. A process that attaches to a service takes an entry of the members' table
 * and its lock; others ask (F_OFD_GETLK) whether it is still held, across PID
 * namespaces. A program that closes descriptors it does not know loses it: so a member
 * whose lock is free counts as gone only if, besides, who asks in the same PID namespace
 * sees no living process of that number and start that maps the file. A child of fork() has an
 * entry of its own.
 *
 * Shares are members': entry i of SHARES is owned by member obs_host_share.owner. That
 * of a member who is gone is retired by who notices: who attaches, leaves, makes a
 * series, scrapes with obsringd, or asks with obsringctl. A chunk's common share
 * (OBS_HOST_COMMON) is made beside the first gauge in it and goes with the service;
 * it is given to who finds no other one.
 *
 * Leases. A thread that logs leases a ring from its first record until it ends; of a
 * process that was killed the lock is free, and who takes it then mends the ring, see
 * obs_host_ring_mend(). Who closed the descriptor is told from who died as members
 * are. The ring's writer is in the thread's own memory; nobody else writes the ring.
 *
 * When something is full: no series, slots, granules: the family's overflow series of
 * that service, or ENOSPC; no service or member: ENOSPC, and a child of fork() goes
 * on without an entry, with common shares, and its service is PINNED: never removed,
 * because nobody can tell when that child ends; no share: the common one; no ring: the
 * record is lost, and counted.
 */
#ifndef _OBSRING_HOST_H
#define _OBSRING_HOST_H

#include <linux/obsring.h>
#include "ring.h"
#include "sample_control.h"

#define OBS_HOST_VERSION	3
#define OBS_HOST_SERVICES	256
#define OBS_HOST_RULES		32
#define OBS_HOST_CHUNKS		4	/* share pages of a member */

#define OBS_HOST_INTENT		0x8000000000000000ULL	/* something is intended */

/* The segment's own series, all counters of service 0. */
#define OBS_HOST_OWN(X) \
	X(REFUSED_SERIES, "obsring_series_refused_total", "max_series") \
	X(REFUSED_BYTES, "obsring_series_refused_total", "max_bytes") \
	X(SHARES_REFUSED, "obsring_service_shares_refused_total", NULL) \
	X(MENDED, "obsring_segment_mended_total", NULL) \
	X(LOST_NESTED, "obsring_log_lost_total", "nested") \
	X(LOST_NO_RING, "obsring_log_lost_total", "no_ring") \
	X(LOST_KILLED, "obsring_log_lost_total", "killed") \
	X(SAMPLED_OUT, "obsring_log_sampled_out_total", NULL) \
	X(TRUNCATED, "obsring_log_truncated_total", NULL) \
	X(OVERWRITTEN, "obsring_log_overwritten_total", NULL) \
	X(RECORDS, "obsring_log_records_total", "emerg") \
	X(RECORDS_1, "obsring_log_records_total", "alert") \
	X(RECORDS_2, "obsring_log_records_total", "crit") \
	X(RECORDS_3, "obsring_log_records_total", "err") \
	X(RECORDS_4, "obsring_log_records_total", "warning") \
	X(RECORDS_5, "obsring_log_records_total", "notice") \
	X(RECORDS_6, "obsring_log_records_total", "info") \
	X(RECORDS_7, "obsring_log_records_total", "debug")

enum obs_host_own {
#define OBS_HOST_OWN_ENUM(_id, _family, _value) OBS_HOST_##_id,
	OBS_HOST_OWN(OBS_HOST_OWN_ENUM)
#undef OBS_HOST_OWN_ENUM
	OBS_HOST_OWN_NR
};

/**
 * struct obs_host - first page of HOST, the tables behind it
 * @busy: the directory is being changed
 * @version: OBS_HOST_VERSION
 * @nr_services: length of the table; likewise the next
 * @nr_members: see above
 * @nr_shares: likewise
 * @nr_leases: likewise
 * @nr_rules: likewise
 * @lines: of each ring
 * @next_service: number that the next service gets
 * @next_lease: where the next thread looks for a ring first
 * @intent: table << 32 | index of the entry that is being changed, OBS_HOST_INTENT
 * @rules: in force; decisions look no further while it is 0
 * @own: of each of the segment's own series, its slot in page 0
 */
struct obs_host {
	__u32 busy;
	__u32 version;
	__u32 nr_services;
	__u32 nr_members;
	__u32 nr_shares;
	__u32 nr_leases;
	__u32 nr_rules;
	__u32 lines;
	__u32 next_service;
	__u32 next_lease;
	__u64 intent;
	__u32 rules;
	__u32 reserved0[3];
	__u32 own[OBS_HOST_OWN_NR];
};

enum obs_host_service_state {
	OBS_HOST_FREE,
	OBS_HOST_SERVICE,
	OBS_HOST_ENDING,	/* being removed */
	OBS_HOST_MEMBER,	/* of a member, or a lease */
};

/**
 * struct obs_host_service - a service, 256 bytes
 * @state: enum obs_host_service_state; the rest is whole before it is SERVICE
 * @number: what its series call it
 * @uid: whose
 * @ttl_s: seconds; 0: for ever
 * @pinned: has members without an entry: is never removed
 * @members: when last counted
 * @members_slot: its series of obsring_service_members, page << 16 | slot, or ~0
 * @created_ns: CLOCK_REALTIME
 * @detached_ns: when it was first seen without members; 0: it has some
 * @name: ends with a NUL
 */
struct obs_host_service {
	__u32 state;
	__u32 number;
	__u32 uid;
	__u32 ttl_s;
	__u32 pinned;
	__u32 members;
	__u32 members_slot;
	__u32 reserved0;
	__u64 created_ns;
	__u64 detached_ns;
	char name[OBSRING_NAME_MAX + 1];
	__u64 reserved1[10];
};

/**
 * struct obs_host_process - who it is, for those that can see it
 * @pid: in the PID namespace @pid_ns
 * @pid_ns: inode; 0: not known
 * @start: clock ticks since boot; 0: not known
 */
struct obs_host_process {
	__u32 pid;
	__u32 reserved;
	__u64 pid_ns;
	__u64 start;
};

/**
 * struct obs_host_member - an address space that attached to a service, 32 bytes
 * @state: FREE or MEMBER
 * @service: number
 * @process: who
 */
struct obs_host_member {
	__u32 state;
	__u32 service;
	struct obs_host_process process;
};

#define OBS_HOST_COMMON	0xffffffffU	/* owner: everyone who has no other share */

/**
 * struct obs_host_share - whose entry i of SHARES is
 * @owner: index of a member, or OBS_HOST_COMMON; set before the entry is published
 */
struct obs_host_share {
	__u32 owner;
	__u32 reserved;
};

/**
 * struct obs_host_lease - who writes ring i, 32 bytes
 * @state: FREE or MEMBER
 * @reserved: 0
 * @process: who
 */
struct obs_host_lease {
	__u32 state;
	__u32 reserved;
	struct obs_host_process process;
};

/**
 * struct obs_host_rule - a sampling rule; its slots, one for each ring, are in a table
 * of their own
 * @shared: what decisions read
 * @control: the controller's, under the directory's lock
 * @floor: of the sources that it drops
 * @period_ns: when the controller's period began, CLOCK_MONOTONIC
 * @value: of @control.kind, as it was set
 * @in_force: the rest is whole; stored with release order
 * @level: 0 to 7, or OBS_HOST_NO_LEVEL: 4 to 7
 * @source: as log lines show it, "user.NAME", or "*"; ends with a NUL
 */
struct obs_host_rule {
	struct obs_sample_rule shared;
	struct obs_sample_control control;
	struct obs_sample_floor floor;
	__u64 period_ns;
	__u64 value;
	__u32 in_force;
	__u32 level;
	char source[OBSRING_SOURCE_MAX + 9];
	__u64 reserved[5];
};

#define OBS_HOST_NO_LEVEL	8

/**
 * struct obs_host_tables - where they are, bytes from the beginning of HOST
 */
struct obs_host_tables {
	__u64 services;
	__u64 members;
	__u64 shares;
	__u64 leases;
	__u64 rules;
	__u64 slots;	/* nr_leases of each rule */
	__u64 end;
};

static inline __u64 obs_host_align(__u64 at)
{
	return (at + 63) & ~63ULL;
}

/* By the numbers in @host, a copy; each was checked to be small. */
static inline void obs_host_tables(const struct obs_host *host, __u64 page_size,
				   struct obs_host_tables *ret)
{
	ret->services = page_size;
	ret->members = ret->services +
		       (__u64)host->nr_services * sizeof(struct obs_host_service);
	ret->shares = obs_host_align(ret->members + (__u64)host->nr_members *
				     sizeof(struct obs_host_member));
	ret->leases = obs_host_align(ret->shares + (__u64)host->nr_shares *
				     sizeof(struct obs_host_share));
	ret->rules = obs_host_align(ret->leases + (__u64)host->nr_leases *
				    sizeof(struct obs_host_lease));
	ret->slots = obs_host_align(ret->rules + (__u64)host->nr_rules *
				    sizeof(struct obs_host_rule));
	ret->end = ret->slots + (__u64)host->nr_rules * host->nr_leases *
				sizeof(struct obs_sample_slot);
}

/* ---- A ring whose writer was killed -------------------------------------- */

/* Does a whole record begin at @pos? Its number and its lines. */
static inline bool obs_host_ring_whole(const struct obsring_line *line, __u32 mask,
				       __u32 pos, __u32 *ret_number, __u32 *ret_lines)
{
	__u64 stamp = obs_read_once(&line[pos & mask].stamp);

	if (!obs_ring_is_first(stamp, pos))
		return false;
	*ret_number = (__u32)obs_read_once(&line[pos & mask].word[0]);
	*ret_lines = stamp >> OBSRING_LINE_NR_SHIFT & OBSRING_LINE_NR_MASK;
	return true;
}

/* Is this line, which belongs to no whole record, one that was left unfinished? */
static inline bool obs_host_line_mend(struct obsring_line *line, __u32 pos)
{
	__u64 stamp = obs_read_once(&line->stamp);

	if (stamp == obs_ring_stamp(pos))
		return false;
	/* Nothing is behind such a stamp: it needs no order. */
	obs_write_once(&line->stamp, obs_ring_stamp(pos));
	return true;
}

/* What obs_ring_reserve() had not come to. */
static inline void obs_host_epoch_mend(__u64 *epoch, __u32 count)
{
	__u64 now = obs_read_once(epoch);

	/* ring_write:E, made good; pairs with ring_head:F */
	if ((now ^ count >> 31) & 1)
		obs_store_release(epoch, now + 1);
}

/**
 * obs_host_ring_mend() - what a writer that was killed left in its ring
 * @ring: control block
 * @line: its lines
 * @nr_lines: their number, a power of two
 *
 * Lines that were reserved and not finished become ones of no record, which readers
 * pass over, counting what was to be there as lost: they stamp neither BUSY, where a
 * reader waits, nor FIRST. Records that others were nested in and that are whole stay.
 * Done twice it changes nothing more. Its caller alone may write the ring.
 *
 * Return: records that were unfinished.
 */
static inline __u32 obs_host_ring_mend(struct obsring_ring *ring,
				       struct obsring_line *line, __u32 nr_lines)
{
	__u64 head = obs_read_once(&ring->head), first = obs_read_once(&ring->first_line);
	__u32 pos, end = head >> 32, number, lines, lost = 0, expected = 0;
	bool mended = false, known;
	__u64 line_end, record_end;

	obs_host_epoch_mend(&ring->line_epoch, end);
	obs_host_epoch_mend(&ring->record_epoch, (__u32)head);
	obs_ring_head(ring, &line_end, &record_end);
	/* A lap, or what there is. */
	known = line_end - first <= nr_lines;
	pos = known ? (__u32)first : end - nr_lines;
	if (known)
		expected = (__u32)obs_read_once(&ring->first_record);
	while (pos != end) {
		if (!obs_host_ring_whole(line, nr_lines - 1, pos, &number, &lines)) {
			mended |= obs_host_line_mend(&line[pos & (nr_lines - 1)], pos);
			pos++;
			continue;
		}
		/* Of what a lap ago began, the number before it is not known. */
		if (mended)
			lost += known ? number - expected : 1;
		mended = false;
		known = true;
		expected = number + 1;
		pos = lines && lines <= end - pos ? pos + lines : pos + 1;
	}
	if (mended)
		lost += known ? (__u32)head - expected : 1;
	return lost;
}

#endif /* _OBSRING_HOST_H */
