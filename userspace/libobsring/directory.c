// SPDX-License-Identifier: MIT
/*
 * The model of the directory: stage what the journal names (or, after an
 * overrun, all entries), show it, or forget it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <obsring/directory.h>

#include "directory.h"

void obs_directory_init(struct obs_directory *directory, struct obs_device *device,
			struct obs_values *values)
{
	*directory = (struct obs_directory){ .device = device, .values = values };
}

static struct obs_cell *cell_at(struct obs_directory *directory, unsigned int table,
				uint32_t index)
{
	return &directory->table[table].cell[index];
}

/* What the entry will be once what is staged is shown. */
static void *cell_current(const struct obs_cell *cell)
{
	return cell->staged ? cell->next : cell->shown;
}

static void life_unload(struct obs_directory *directory, unsigned int table,
			void *life)
{
	if (table == OBSRING_REGION_FAMILIES)
		obs_family_unload(life);
	else
		obs_series_unload(directory, life);
}

static uint32_t life_gen(unsigned int table, const void *life)
{
	if (table == OBSRING_REGION_FAMILIES)
		return ((const struct obs_family *)life)->info.gen;
	return ((const struct obs_series *)life)->info.gen;
}

void obs_directory_exit(struct obs_directory *directory)
{
	unsigned int table;
	uint32_t i;

	obs_directory_forget(directory);
	for (table = 0; table < 2; table++) {
		for (i = 0; i < directory->table[table].nr; i++)
			life_unload(directory, table,
				    cell_at(directory, table, i)->shown);
		free(directory->table[table].cell);
		free(directory->table[table].staged);
	}
	free(directory->changes);
}

static int table_grow(struct obs_table *table, uint32_t nr)
{
	struct obs_cell *cell;

	if (nr <= table->nr)
		return 0;
	if (nr < 2 * table->nr)
		nr = 2 * table->nr;
	cell = reallocarray(table->cell, nr, sizeof(*cell));
	if (!cell)
		return -ENOMEM;
	memset(cell + table->nr, 0, (nr - table->nr) * sizeof(*cell));
	table->cell = cell;
	table->nr = nr;
	return 0;
}

/* Room for one more staged cell. */
static int staged_reserve(struct obs_table *table)
{
	size_t max = table->max_staged ? 2 * table->max_staged : 64;
	uint32_t *staged;

	if (table->nr_staged < table->max_staged)
		return 0;
	staged = reallocarray(table->staged, max, sizeof(*staged));
	if (!staged)
		return -ENOMEM;
	table->staged = staged;
	table->max_staged = max;
	return 0;
}

static int changes_reserve(struct obs_directory *directory, size_t nr)
{
	__u64 *changes;

	if (nr <= directory->max_changes)
		return 0;
	changes = reallocarray(directory->changes, nr, sizeof(*changes));
	if (!changes)
		return -ENOMEM;
	directory->changes = changes;
	directory->max_changes = nr;
	return 0;
}

/* Make @life (NULL: none) what the entry will be. It is given up on failure. */
static int cell_stage(struct obs_directory *directory, unsigned int table,
		      uint32_t index, void *life)
{
	struct obs_cell *cell = cell_at(directory, table, index);
	int r;

	if (cell->staged) {
		life_unload(directory, table, cell->next);
		cell->next = life;
		return 0;
	}
	if (!cell->shown && !life)
		return 0;
	r = staged_reserve(&directory->table[table]);
	if (r) {
		life_unload(directory, table, life);
		return r;
	}
	directory->table[table].staged[directory->table[table].nr_staged++] = index;
	cell->staged = true;
	cell->next = life;
	return 0;
}

static int life_load(struct obs_directory *directory, unsigned int table,
		     uint32_t index, void **ret_life)
{
	struct obs_family *family = NULL;
	struct obs_series *series = NULL;
	int r;

	if (table == OBSRING_REGION_FAMILIES) {
		r = obs_family_load(directory, index, &family);
		*ret_life = family;
	} else {
		r = obs_series_load(directory, index, &series);
		*ret_life = series;
	}
	return r;
}

/* Look at an entry, and stage it if it is in another life than we know. */
static int entry_look(struct obs_directory *directory, unsigned int table,
		      uint32_t index)
{
	const void *known = cell_current(cell_at(directory, table, index));
	uint32_t gen = obs_read_once(obs_entry_gen(directory, table, index));
	void *life;
	int r;

	if (known ? gen == life_gen(table, known) : !obs_gen_alive(gen))
		return 0;
	r = life_load(directory, table, index, &life);
	if (r)
		return r;
	if (known && life)
		directory->nr_reused++;
	return cell_stage(directory, table, index, life);
}

int obs_directory_family(struct obs_directory *directory, uint32_t index,
			 uint32_t gen, const struct obs_family **ret_family)
{
	const struct obs_family *family;
	uint32_t nr;
	int r;

	r = obs_region_nr(directory->device, OBSRING_REGION_FAMILIES, &nr);
	if (r)
		return r;
	if (index >= nr)
		return -EPROTO;
	r = table_grow(&directory->table[OBSRING_REGION_FAMILIES], nr);
	if (r)
		return r;
	r = entry_look(directory, OBSRING_REGION_FAMILIES, index);
	if (r)
		return r;
	family = cell_current(cell_at(directory, OBSRING_REGION_FAMILIES, index));
	*ret_family = family && family->info.gen == gen ? family : NULL;
	return 0;
}

static int table_scan(struct obs_directory *directory, unsigned int table)
{
	uint32_t i, nr;
	int r;

	r = obs_region_nr(directory->device, table, &nr);
	if (r)
		return r;
	r = table_grow(&directory->table[table], nr);
	for (i = 0; !r && i < nr; i++)
		r = entry_look(directory, table, i);
	return r;
}

static int shares_scan(struct obs_directory *directory)
{
	uint32_t i, nr;
	int r;

	r = obs_region_nr(directory->device, OBSRING_REGION_SHARES, &nr);
	for (i = 0; !r && i < nr; i++)
		r = obs_shares_look(&directory->values->shares, i);
	return r;
}

static int directory_scan(struct obs_directory *directory)
{
	int r;

	directory->nr_scans++;
	r = table_scan(directory, OBSRING_REGION_FAMILIES);
	if (!r)
		r = table_scan(directory, OBSRING_REGION_SERIES);
	if (!r)
		r = shares_scan(directory);
	/* From now on some of it is read, where something changes. */
	obs_device_forget_pages(directory->device, OBSRING_REGION_SERIES);
	obs_device_forget_pages(directory->device, OBSRING_REGION_TEXT);
	return r;
}

static int change_look(struct obs_directory *directory, __u64 change)
{
	uint32_t table = obs_journal_table(change), nr;
	__u64 index = obs_journal_index(change);
	int r;

	if (table > OBSRING_REGION_SERIES && table != OBSRING_REGION_SHARES)
		return -EPROTO;
	r = obs_region_nr(directory->device, table, &nr);
	if (r)
		return r;
	if (index >= nr)
		return -EPROTO;
	if (table == OBSRING_REGION_SHARES)
		return obs_shares_look(&directory->values->shares, (uint32_t)index);
	r = table_grow(&directory->table[table], nr);
	if (r)
		return r;
	return entry_look(directory, table, (uint32_t)index);
}

/* 1: the journal was overrun. */
static int journal_follow(struct obs_directory *directory, uint64_t seen,
			  uint64_t end)
{
	const struct obs_device *device = directory->device;
	uint32_t nr = device->region[OBSRING_REGION_JOURNAL].limit;
	uint64_t i;
	int r;

	if (end - seen > nr)
		return 1;
	r = changes_reserve(directory, end - seen);
	if (r)
		return r;
	if (!obs_journal_copy(device->header,
			      obs_region_entry(device, OBSRING_REGION_JOURNAL, 0),
			      nr, seen, end, directory->changes))
		return 1;
	for (i = 0; i < end - seen; i++) {
		r = change_look(directory, directory->changes[i]);
		if (r)
			return r;
	}
	return 0;
}

int obs_directory_read(struct obs_directory *directory)
{
	uint64_t end = obs_journal_pos(directory->device->header);
	uint64_t seen = directory->reading ? directory->end : directory->seen;
	int r = 1;

	if (directory->scanned || directory->reading)
		r = journal_follow(directory, seen, end);
	if (r > 0)
		r = directory_scan(directory);
	if (r)
		return r;
	directory->end = end;
	directory->reading = true;
	return 0;
}

int obs_directory_drop_stale(struct obs_directory *directory)
{
	struct obs_table *table = &directory->table[OBSRING_REGION_SERIES];
	const struct obs_series *series;
	uint32_t i;
	int r;

	for (i = 0; i < table->nr; i++) {
		series = cell_current(&table->cell[i]);
		if (!series ||
		    obs_entry_end(obs_entry_gen(directory, OBSRING_REGION_SERIES, i),
				  series->info.gen))
			continue;
		r = cell_stage(directory, OBSRING_REGION_SERIES, i, NULL);
		if (r)
			return r;
	}
	return 0;
}

static void tell_series_goes(const struct obs_directory *directory,
			     const struct obs_series *series)
{
	if (directory->events.series_goes)
		directory->events.series_goes(directory->events.arg, &series->info);
}

static void tell_series_comes(const struct obs_directory *directory,
			      const struct obs_series *series)
{
	if (directory->events.series_comes)
		directory->events.series_comes(directory->events.arg, &series->info,
					       series->prev ? &series->prev->info : NULL);
}

static void tell_family_goes(const struct obs_directory *directory,
			     const struct obs_family *family)
{
	if (directory->events.family_goes)
		directory->events.family_goes(directory->events.arg, &family->info);
}

static void tell_family_comes(const struct obs_directory *directory,
			      const struct obs_family *family)
{
	if (directory->events.family_comes)
		directory->events.family_comes(directory->events.arg, &family->info);
}

static void series_unlink(struct obs_directory *directory, struct obs_series *series)
{
	struct obs_family *family;

	family = cell_at(directory, OBSRING_REGION_FAMILIES, series->family)->shown;
	if (series->prev)
		series->prev->next = series->next;
	else
		family->first = series->next;
	if (series->next)
		series->next->prev = series->prev;
	else
		family->last = series->prev;
	family->nr_series--;
}

/* Order of creation, the overflow series last. */
static int series_compare(const struct obs_series *a, const struct obs_series *b)
{
	if (a->info.overflow != b->info.overflow)
		return a->info.overflow ? 1 : -1;
	if (a->info.created_ns != b->info.created_ns)
		return a->info.created_ns < b->info.created_ns ? -1 : 1;
	return a->info.id < b->info.id ? -1 : a->info.id > b->info.id;
}

/* From the end: what is new is mostly the youngest. */
static void series_link(struct obs_family *family, struct obs_series *series)
{
	struct obs_series *prev = family->last;

	while (prev && series_compare(prev, series) > 0)
		prev = prev->prev;
	series->info.family = &family->info;
	series->prev = prev;
	series->next = prev ? prev->next : family->first;
	if (series->next)
		series->next->prev = series;
	else
		family->last = series;
	if (prev)
		prev->next = series;
	else
		family->first = series;
	family->nr_series++;
}

/* Families that go take along what is left of their series. */
static void family_hide(struct obs_directory *directory, struct obs_family *family)
{
	struct obs_series *series, *next;

	for (series = family->first; series; series = next) {
		next = series->next;
		tell_series_goes(directory, series);
		cell_at(directory, OBSRING_REGION_SERIES, series->info.id)->shown = NULL;
		obs_series_unload(directory, series);
	}
	tell_family_goes(directory, family);
	obs_family_unload(family);
}

static void series_show(struct obs_directory *directory, struct obs_cell *cell)
{
	struct obs_series *series = cell->shown;
	struct obs_family *family = NULL;

	if (series->family < directory->table[OBSRING_REGION_FAMILIES].nr)
		family = cell_at(directory, OBSRING_REGION_FAMILIES,
				 series->family)->shown;
	if (family && family->info.gen == series->family_gen) {
		series_link(family, series);
		tell_series_comes(directory, series);
		return;
	}
	/* Its family went after it was read, and so did it: that is yet to be told. */
	obs_series_unload(directory, series);
	cell->shown = NULL;
}

/* Those that come, in the order in which they are linked cheaply. */
static int staged_compare(const void *a, const void *b, void *cells)
{
	const struct obs_cell *x = (struct obs_cell *)cells + *(const uint32_t *)a;
	const struct obs_cell *y = (struct obs_cell *)cells + *(const uint32_t *)b;

	if (!x->next || !y->next)
		return !x->next - !y->next;
	return series_compare(x->next, y->next);
}

static void series_hide_staged(struct obs_directory *directory,
			       struct obs_table *table)
{
	struct obs_cell *cell;
	size_t i;

	for (i = 0; i < table->nr_staged; i++) {
		cell = &table->cell[table->staged[i]];
		if (!cell->shown)
			continue;
		tell_series_goes(directory, cell->shown);
		series_unlink(directory, cell->shown);
		obs_series_unload(directory, cell->shown);
		cell->shown = NULL;
	}
}

static void families_show_staged(struct obs_directory *directory,
				 struct obs_table *table)
{
	struct obs_cell *cell;
	size_t i;

	for (i = 0; i < table->nr_staged; i++) {
		cell = &table->cell[table->staged[i]];
		if (cell->shown)
			family_hide(directory, cell->shown);
		cell->shown = cell->next;
		if (cell->shown)
			tell_family_comes(directory, cell->shown);
		cell->staged = false;
		cell->next = NULL;
	}
	table->nr_staged = 0;
}

static void series_show_staged(struct obs_directory *directory,
			       struct obs_table *table)
{
	struct obs_cell *cell;
	size_t i;

	if (table->nr_staged > 1)
		qsort_r(table->staged, table->nr_staged, sizeof(*table->staged),
			staged_compare, table->cell);
	for (i = 0; i < table->nr_staged; i++) {
		cell = &table->cell[table->staged[i]];
		cell->shown = cell->next;
		cell->staged = false;
		cell->next = NULL;
		if (cell->shown)
			series_show(directory, cell);
	}
	table->nr_staged = 0;
}

bool obs_directory_show(struct obs_directory *directory)
{
	struct obs_table *families = &directory->table[OBSRING_REGION_FAMILIES];
	struct obs_table *series = &directory->table[OBSRING_REGION_SERIES];
	bool changed = families->nr_staged || series->nr_staged;

	/* Series leave before their families, and come after them. */
	series_hide_staged(directory, series);
	families_show_staged(directory, families);
	series_show_staged(directory, series);
	directory->seen = directory->end;
	directory->scanned = true;
	directory->reading = false;
	return changed;
}

void obs_directory_forget(struct obs_directory *directory)
{
	struct obs_table *table;
	struct obs_cell *cell;
	unsigned int i;
	size_t k;

	for (i = 0; i < 2; i++) {
		table = &directory->table[i];
		for (k = 0; k < table->nr_staged; k++) {
			cell = &table->cell[table->staged[k]];
			life_unload(directory, i, cell->next);
			cell->staged = false;
			cell->next = NULL;
		}
		table->nr_staged = 0;
	}
	directory->reading = false;
}
