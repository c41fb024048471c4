// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * directory.h: an entry that lives twice, with a value of its own in each life, and the
 * journal that tells of it, shorter than what happens; readers of both.
 */
#include <string.h>

#include <obsring/directory.h>

#include "weak.h"

#define JOURNAL	2
#define TABLE	OBSRING_REGION_SERIES

static struct obsring_header header;
static __u64 journal[JOURNAL];
static __u32 gen[2];
static __u64 field[2], slot[2];

static void start(void)
{
	memset(&header, 0, sizeof(header));
	memset(journal, 0xff, sizeof(journal));
	memset(gen, 0, sizeof(gen));
	memset(field, 0, sizeof(field));
	memset(slot, 0, sizeof(slot));
}

/* Entry @i begins to live, as @whose. */
static void make(__u32 i, __u64 whose)
{
	obs_write_once(&field[i], whose);
	obs_write_once(&slot[i], 0);
	obs_entry_publish(&gen[i]);
	obs_journal_tell(&header, journal, JOURNAL, TABLE, i);
	obs_write_once(&slot[i], whose);
}

static void end(__u32 i)
{
	obs_entry_retire(&gen[i]);
	obs_journal_tell(&header, journal, JOURNAL, TABLE, i);
}

static void live_twice(void)
{
	make(0, 1);
	end(0);
	make(0, 2);
}

static void live_in_turn(void)
{
	make(0, 1);
	make(1, 2);
	end(1);
}

/* What is read of an entry is of one life: its own. */
static void read_entry(void)
{
	__u32 begun = obs_entry_begin(&gen[0]);
	__u64 whose, value;

	if (!obs_gen_alive(begun)) {
		weak_seen("not alive");
		return;
	}
	whose = obs_read_once(&field[0]);
	value = obs_read_once(&slot[0]);
	if (!obs_entry_end(&gen[0], begun)) {
		weak_seen("ended meanwhile");
		return;
	}
	weak_check(whose == (begun + 1) / 2);
	weak_check(!value || value == whose);
	weak_seen("read");
}

/* What was looked up before still stands, if the journal has not moved. */
static void read_quiet(void)
{
	__u64 pos = obs_journal_pos(&header), field_value, value;
	__u64 whose = (pos + 1) / 2;	/* 0, or of the first life, none, the second */

	if (pos)
		weak_check(obs_read_once(&gen[0]) >= pos);
	if (!(pos & 1))
		return;
	field_value = obs_read_once(&field[0]);
	value = obs_read_once(&slot[0]);
	if (!obs_journal_quiet(&header, pos)) {
		weak_seen("moved");
		return;
	}
	weak_check(field_value == whose);
	weak_check(!value || value == whose);
	weak_seen("quiet");
}

static void read_journal(void)
{
	static const __u32 told[] = { 0, 1, 1 };	/* in turn */
	__u64 end_pos = obs_journal_pos(&header), changes[JOURNAL], i, seen;

	for (seen = 0; seen < end_pos; seen++) {
		if (!obs_journal_copy(&header, journal, JOURNAL, seen, end_pos, changes)) {
			weak_seen("overrun");
			continue;
		}
		for (i = seen; i < end_pos; i++) {
			weak_check(obs_journal_table(changes[i - seen]) == TABLE);
			weak_check(obs_journal_index(changes[i - seen]) == told[i]);
		}
		weak_seen("copied");
	}
}

int main(void)
{
	static const struct weak_scenario entry = {
		.name = "directory: an entry of two lives",
		.start = start,
		.writer = { live_twice },
		.reader = { read_entry },
	}, quiet = {
		.name = "directory: a value while nothing changes",
		.start = start,
		.writer = { live_twice },
		.reader = { read_quiet },
	}, changes = {
		.name = "directory: the journal",
		.start = start,
		.writer = { live_in_turn },
		.reader = { read_journal },
	};

	weak_explore(&entry);
	weak_demand("not alive", "ended meanwhile", "read", NULL);
	weak_explore(&quiet);
	weak_demand("moved", "quiet", NULL);
	weak_explore(&changes);
	weak_demand("overrun", "copied", NULL);
	return 0;
}
