/* SPDX-License-Identifier: MIT */
/*
 * A local model of the device's directory, kept up to date by its journal.
 *
 * What was read is first staged beside what the snapshot shows, and takes its
 * place in one step that can't fail: an update that fails changes nothing.
 */
#ifndef LIBOBSRING_DIRECTORY_H
#define LIBOBSRING_DIRECTORY_H

#include <obsring.h>

#include "device.h"
#include "text.h"
#include "values.h"

struct obs_series;

/**
 * struct obs_family - a family; the text that @info names follows it
 * @info: what the library shows; first, so that it can be cast
 * @nr_slots: of each of its series
 * @first: its series, in the order in which they are shown
 * @last: likewise
 * @nr_series: in that list
 */
struct obs_family {
	struct obs_family_info info;
	uint32_t nr_slots;
	struct obs_series *first, *last;
	unsigned int nr_series;
};

/**
 * struct obs_series - a series; the text that @info names follows it
 * @info: what the library shows; first, so that it can be cast. info.family is
 *	set when the series is shown
 * @family: index of its family
 * @family_gen: that family's gen
 * @prev: in the family's list
 * @next: in the family's list
 * @slots: where its values are
 * @exemplar: its first exemplar; info has their number
 */
struct obs_series {
	struct obs_series_info info;
	uint32_t family, family_gen;
	struct obs_series *prev, *next;
	struct obs_slots slots;
	uint32_t exemplar;
};

/* An entry: the life that is shown and, if @staged, the one that will be. */
struct obs_cell {
	void *shown;
	void *next;
	bool staged;
};

/**
 * struct obs_table - the entries of FAMILIES or SERIES
 * @cell: by index
 * @nr: of them
 * @staged: indices of cells that are staged
 * @nr_staged: of them
 * @max_staged: room for them
 */
struct obs_table {
	struct obs_cell *cell;
	uint32_t nr;
	uint32_t *staged;
	size_t nr_staged, max_staged;
};

/**
 * struct obs_directory - the model
 * @device: what it is read from
 * @values: told which slots series hold, and which shares live
 * @table: FAMILIES and SERIES
 * @changes: a copy of the journal's changes
 * @max_changes: room for them
 * @text: a copy of the text of the entry that is looked at
 * @scanned: something was shown: @seen is a position
 * @seen: journal position of what is shown
 * @end: journal position of what is staged
 * @reading: something is staged: @end is a position
 * @nr_scans: full scans so far, the first one included
 * @nr_reused: entries seen in another life than the one before
 * @events: who is told what goes and comes when it is shown
 */
struct obs_directory {
	struct obs_device *device;
	struct obs_values *values;
	struct obs_table table[2];
	__u64 *changes;
	size_t max_changes;
	__u64 text[OBS_TEXT_MAX / sizeof(__u64)];
	bool scanned, reading;
	uint64_t seen, end;
	uint64_t nr_scans, nr_reused;
	struct obs_snapshot_events events;
};

void obs_directory_init(struct obs_directory *directory, struct obs_device *device,
			struct obs_values *values);
void obs_directory_exit(struct obs_directory *directory);

/* Stage what changed up to now. -ENOMEM, -EPROTO. */
int obs_directory_read(struct obs_directory *directory);

/* Stage the removal of series whose life ended since they were read. -ENOMEM. */
int obs_directory_drop_stale(struct obs_directory *directory);

/* Show what is staged: did anything come or go? */
bool obs_directory_show(struct obs_directory *directory);

/* Forget what is staged. */
void obs_directory_forget(struct obs_directory *directory);

/* entry.c: copies of entries. */

/*
 * Copy entry @index, below the region's nr. *ret is NULL if it is not alive, or
 * was retired while it was copied: the journal then tells it after the position
 * that was read before. -ENOMEM; -EPROTO: it is damaged.
 */
int obs_family_load(struct obs_directory *directory, uint32_t index,
		    struct obs_family **ret_family);
int obs_series_load(struct obs_directory *directory, uint32_t index,
		    struct obs_series **ret_series);
void obs_family_unload(struct obs_family *family);
void obs_series_unload(struct obs_directory *directory, struct obs_series *series);

/* directory.c, for entry.c: the family at @index with @gen, read if need be. */
int obs_directory_family(struct obs_directory *directory, uint32_t index,
			 uint32_t gen, const struct obs_family **ret_family);

/* The gen of an entry in the mapping. */
static inline const __u32 *obs_entry_gen(const struct obs_directory *directory,
					 enum obsring_region_id id, uint32_t index)
{
	return obs_region_entry(directory->device, id, index);	/* its first field */
}

#endif /* LIBOBSRING_DIRECTORY_H */
