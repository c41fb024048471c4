/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The directory's protocol: entries that are published and retired while
 * others read them, and the journal that tells which. Both halves are here;
 * the layout is specified in <linux/obsring.h>.
 *
 * There is one writer at a time (the module's registry mutex); any number of
 * readers run beside it, in other address spaces, and never write.
 *
 * The life of an entry (a family or a series), of its text and its slots:
 *
 *   writer                                   reader
 *   ------                                   ------
 *   fill fields, text; slots are zero
 *   publish:A  gen even -> odd, release ---> begin:A   gen, acquire
 *   tell:B     journal_pos + 1, release ---> journal:B journal_pos, acquire
 *     ... producers count in the slots ...   copy fields, text, values
 *   retire:C   gen odd -> even               end:C     read barrier, gen again
 *   tell:B     journal_pos + 1
 *   tell:D     write barrier ------------->  journal_quiet:D read barrier,
 *   grace period: no producer holds a slot              journal_pos again
 *   zero the slots, give all to another
 *
 * The pairs:
 *   publish:A with begin:A  a reader that sees an odd gen sees the fields, the
 *			text and the zeroed slots that were written before it.
 *   tell:B with journal:B   a reader that sees a position sees the journal's
 *			entries before it, and the gens those are about.
 *   tell:D with end:C       a reader that copied anything of the next owner
 *			sees, after its read barrier, the raised gen.
 *   tell:D with journal_quiet:D  likewise the raised position; so if the
 *			position did not move, nothing that was read between
 *			changed its owner.
 *   tell:D with journal_copy:E   the journal is a ring: the next tell, which
 *			overwrites entry n - nr, begins only after position n was
 *			visible, so a reader that copied the overwriting value
 *			sees that it was overrun.
 *
 * When the ring is full the oldest change is overwritten: nothing a reader does
 * reaches the writer. A reader that was overrun scans the tables once.
 *
 * gen has 32 bits: a reader would have to sleep, inside one copy, over exactly
 * a multiple of 2^31 lives of one entry to be fooled.
 */
#ifndef _OBSRING_DIRECTORY_H
#define _OBSRING_DIRECTORY_H

#include <linux/obsring.h>
#include "platform.h"

static inline bool obs_gen_alive(__u32 gen)
{
	return gen & 1;
}

/* Writer (one at a time). */

/* Make an entry visible; its fields, text and slots are complete. */
static inline void obs_entry_publish(__u32 *gen)
{
	/* publish:A, pairs with begin:A */
	obs_store_release(gen, *gen + 1);
}

/*
 * End an entry's life. obs_journal_tell() must follow before anything that it
 * owned is changed.
 */
static inline void obs_entry_retire(__u32 *gen)
{
	obs_write_once(gen, *gen + 1);			/* retire:C */
}

/**
 * obs_journal_tell() - say that entry @index of table @table changed
 * @header: the header, of which journal_pos is written
 * @ring: the journal, @nr entries, a power of two
 * @nr: its length
 * @table: OBSRING_REGION_FAMILIES or OBSRING_REGION_SERIES
 * @index: index of the entry, its gen already changed
 */
static inline void obs_journal_tell(struct obsring_header *header, __u64 *ring,
				    __u32 nr, __u32 table, __u32 index)
{
	__u64 pos = header->journal_pos;

	obs_write_once(&ring[pos & (nr - 1)],
		       (__u64)table << OBSRING_JOURNAL_TABLE_SHIFT | index);
	/* tell:B, pairs with journal:B */
	obs_store_release(&header->journal_pos, pos + 1);
	/* tell:D, pairs with end:C, journal_quiet:D and journal_copy:E */
	obs_wmb();
}

/* Reader. */

/* First half of reading an entry: its generation; go on if it is alive. */
static inline __u32 obs_entry_begin(const __u32 *gen)
{
	/* begin:A, pairs with publish:A */
	return obs_load_acquire(gen);
}

/* Second half: does what was copied since belong to the life @begun? */
static inline bool obs_entry_end(const __u32 *gen, __u32 begun)
{
	/* end:C, pairs with tell:D */
	obs_rmb();
	return obs_read_once(gen) == begun;
}

static inline __u64 obs_journal_pos(const struct obsring_header *header)
{
	/* journal:B, pairs with tell:B */
	return obs_load_acquire(&header->journal_pos);
}

/* Has the directory stood still since it was at @pos? */
static inline bool obs_journal_quiet(const struct obsring_header *header,
				     __u64 pos)
{
	/* journal_quiet:D, pairs with tell:D */
	obs_rmb();
	return obs_read_once(&header->journal_pos) == pos;
}

/**
 * obs_journal_copy() - copy the changes that a reader has not seen
 * @header: the header
 * @ring: the journal
 * @nr: its length, a power of two
 * @seen: position up to which the reader has looked
 * @end: position up to which to copy, from obs_journal_pos()
 * @changes: receives end - seen entries if true is returned; room for @nr
 *
 * Return: false if the reader was overrun: it must scan both tables.
 */
static inline bool obs_journal_copy(const struct obsring_header *header,
				    const __u64 *ring, __u32 nr, __u64 seen,
				    __u64 end, __u64 *changes)
{
	__u64 pos;

	if (end - seen > nr)
		return false;
	for (pos = seen; pos != end; pos++)
		changes[pos - seen] = obs_read_once(&ring[pos & (nr - 1)]);
	/* journal_copy:E, pairs with the tell:D of the tell before */
	obs_rmb();
	/*
	 * The change after journal_pos may be half told: its entry overwrites
	 * that of journal_pos - nr, which therefore counts as lost already.
	 */
	return obs_read_once(&header->journal_pos) - seen < nr;
}

static inline __u32 obs_journal_table(__u64 change)
{
	return change >> OBSRING_JOURNAL_TABLE_SHIFT;
}

static inline __u64 obs_journal_index(__u64 change)
{
	return change & OBSRING_JOURNAL_INDEX_MASK;
}

#endif /* _OBSRING_DIRECTORY_H */
