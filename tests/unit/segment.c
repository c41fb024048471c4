// SPDX-License-Identifier: MIT
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <obsring/counter.h>
#include <obsring/directory.h>
#include <obsring/exemplar.h>
#include <obsring/histogram.h>
#include <obsring/record.h>

#include "segment.h"

/* Each entry has its own place for text: it is used again with the entry. */
#define FAMILY_GRANULES	(4096 / OBSRING_GRANULE)
#define SERIES_TEXT		1024
#define CREATED_NS	1700000000000000000ULL
#define ORIGINS		(OBSRING_ORIGIN_MAX + 1)

/**
 * struct pool - slots of pages
 * @used: a byte for each slot of each page
 * @owner: by page: what may be in it; 0: it is free
 * @pages: of it
 * @full: pages, from the first on, that have no free slot
 */
struct pool {
	uint8_t *used;
	uint32_t *owner;
	uint32_t pages;
	uint32_t full;
};

/**
 * struct segment - the writer's state
 * @spec: sizes
 * @fd: the memfd
 * @base: its mapping
 * @bytes: of both
 * @path: its name
 * @page_size: of the machine
 * @page_slots: slots of a page
 * @values: slots of VALUES; its pages hold rows of each CPU, or single ones
 * @services: slots of SERVICES, by service
 * @chunks: slots of shares, by service
 * @exemplar_used: a byte for each exemplar
 * @exemplars: a byte for each family: do its series have exemplars?
 * @clock: counts creations
 * @taken: entries of series, from the first on, that are not free
 * @writer: of each ring
 */
struct segment {
	struct segment_spec spec;
	int fd;
	uint8_t *base;
	uint64_t bytes;
	char path[64];
	uint32_t page_size;
	uint32_t page_slots;
	struct pool values, services, chunks;
	uint8_t *exemplar_used;
	uint8_t *exemplars;
	uint64_t clock;
	uint32_t taken;
	struct obs_ring_writer *writer;
};

static void check(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "segment: %s\n", what);
	abort();
}

static const struct segment_spec defaults = {
	.nr_cpus = 4, .max_families = 64, .max_series = 1024, .max_pages = 64,
	.max_exemplars = 512, .journal_nr = 1024,
};

static struct segment_spec spec_complete(const struct segment_spec *spec)
{
	struct segment_spec s = spec ? *spec : defaults;

	s.nr_cpus = s.nr_cpus ? s.nr_cpus : defaults.nr_cpus;
	s.max_families = s.max_families ? s.max_families : defaults.max_families;
	s.max_series = s.max_series ? s.max_series : defaults.max_series;
	s.max_pages = s.max_pages ? s.max_pages : defaults.max_pages;
	s.max_exemplars = s.max_exemplars ? s.max_exemplars : defaults.max_exemplars;
	s.journal_nr = s.journal_nr ? s.journal_nr : defaults.journal_nr;
	s.ring_lines_max = s.ring_lines_max ? s.ring_lines_max : 4 * s.ring_lines;
	s.max_shares = s.max_shares ? s.max_shares : 64;
	s.series_text = s.series_text ? s.series_text : SERIES_TEXT;
	return s;
}

struct obsring_header *segment_header(struct segment *segment)
{
	return (struct obsring_header *)segment->base;
}

static void *region_base(struct segment *segment, enum obsring_region_id id)
{
	return segment->base + segment_header(segment)->region[id].offset;
}

static void region_set(struct segment *segment, struct obsring_header *header,
		       enum obsring_region_id id, uint32_t entry_size, uint32_t max,
		       uint64_t bytes)
{
	uint64_t page = segment->page_size;

	header->region[id].offset = segment->bytes;
	header->region[id].size = (bytes + page - 1) / page * page;
	header->region[id].entry_size = entry_size;
	header->region[id].nr = max;
	segment->bytes += header->region[id].size;
}

/* Bytes from one ring's lines to the next one's. */
static uint64_t ring_stride(const struct segment *segment)
{
	uint64_t bytes = segment->spec.ring_lines_max * sizeof(struct obsring_line);

	return (bytes + segment->page_size - 1) / segment->page_size * segment->page_size;
}

static void header_init_log(struct segment *segment, struct obsring_header *header)
{
	uint32_t rings = segment->spec.nr_cpus * ORIGINS;

	region_set(segment, header, OBSRING_REGION_RINGS, sizeof(struct obsring_ring),
		   rings, rings * sizeof(struct obsring_ring));
	/* Whole pages, as the module backs them. */
	header->region[OBSRING_REGION_RINGS].nr =
		header->region[OBSRING_REGION_RINGS].size / sizeof(struct obsring_ring);
	region_set(segment, header, OBSRING_REGION_LOG, sizeof(struct obsring_line), 0,
		   rings * ring_stride(segment));
}

static void header_init_services(struct segment *segment, struct obsring_header *header)
{
	const struct segment_spec *spec = &segment->spec;

	region_set(segment, header, OBSRING_REGION_SERVICES, segment->page_size,
		   spec->service_pages, (uint64_t)spec->service_pages *
		   (spec->nr_cpus + 1) * segment->page_size);
	region_set(segment, header, OBSRING_REGION_SHARES, sizeof(struct obsring_share),
		   spec->max_shares, spec->max_shares * sizeof(struct obsring_share));
	region_set(segment, header, OBSRING_REGION_SHARE_PAGES, segment->page_size,
		   spec->max_shares, (uint64_t)spec->max_shares * segment->page_size);
}

static void header_init(struct segment *segment, struct obsring_header *header)
{
	const struct segment_spec *spec = &segment->spec;
	uint32_t granules = spec->max_families * FAMILY_GRANULES +
			    spec->max_series *
				    (spec->series_text / OBSRING_GRANULE);
	uint32_t cpu;

	*header = (struct obsring_header){
		.magic = OBSRING_MAGIC,
		.abi_major = OBSRING_ABI_MAJOR,
		.abi_minor = OBSRING_ABI_MINOR,
		.header_size = sizeof(*header),
		.page_size = segment->page_size,
		.nr_cpus = spec->nr_cpus,
		.nr_regions = OBSRING_REGION_MAX + 1,
		.instance = 0x1234567890abcdefULL,
		.started_ns = CREATED_NS,
		.journal_pos = OBSRING_JOURNAL_START,
	};
	for (cpu = 0; cpu < spec->nr_cpus; cpu++)
		if (cpu >= 64 || !(spec->cpus_absent >> cpu & 1))
			header->cpu_mask[cpu / 64] |= 1ULL << cpu % 64;
	segment->bytes = segment->page_size;
	region_set(segment, header, OBSRING_REGION_FAMILIES,
		   sizeof(struct obsring_family), spec->max_families,
		   spec->max_families * sizeof(struct obsring_family));
	region_set(segment, header, OBSRING_REGION_SERIES,
		   sizeof(struct obsring_series), spec->max_series,
		   spec->max_series * sizeof(struct obsring_series));
	region_set(segment, header, OBSRING_REGION_TEXT, OBSRING_GRANULE, granules,
		   (uint64_t)granules * OBSRING_GRANULE);
	region_set(segment, header, OBSRING_REGION_JOURNAL, sizeof(__u64),
		   spec->journal_nr, spec->journal_nr * sizeof(__u64));
	region_set(segment, header, OBSRING_REGION_VALUES, segment->page_size,
		   spec->max_pages,
		   (uint64_t)spec->max_pages * spec->nr_cpus * segment->page_size);
	if (spec->ring_lines)
		header_init_log(segment, header);
	region_set(segment, header, OBSRING_REGION_EXEMPLARS,
		   sizeof(struct obsring_exemplar), spec->max_exemplars,
		   spec->max_exemplars * sizeof(struct obsring_exemplar));
	if (spec->service_pages)
		header_init_services(segment, header);
}

static void rings_init(struct segment *segment);

static void pool_init(const struct segment *segment, struct pool *pool, uint32_t pages)
{
	pool->pages = pages;
	pool->used = calloc(pages + 1, segment->page_slots);
	pool->owner = calloc(pages + 1, sizeof(*pool->owner));
	check(pool->used && pool->owner, "out of memory");
}

static void pool_exit(struct pool *pool)
{
	free(pool->used);
	free(pool->owner);
}

struct segment *segment_new(const struct segment_spec *spec)
{
	struct segment *segment = calloc(1, sizeof(*segment));
	struct obsring_header header;

	check(segment, "out of memory");
	segment->spec = spec_complete(spec);
	segment->page_size = (uint32_t)sysconf(_SC_PAGESIZE);
	segment->page_slots = segment->page_size / sizeof(__u64);
	header_init(segment, &header);
	segment->fd = memfd_create("obsring", MFD_CLOEXEC);
	check(segment->fd >= 0 && !ftruncate(segment->fd, (off_t)segment->bytes),
	      "memfd");
	segment->base = mmap(NULL, segment->bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			     segment->fd, 0);
	check(segment->base != MAP_FAILED, "mmap");
	memcpy(segment->base, &header, sizeof(header));
	pool_init(segment, &segment->values, segment->spec.max_pages);
	pool_init(segment, &segment->services, segment->spec.service_pages);
	pool_init(segment, &segment->chunks, segment->spec.service_pages);
	segment->exemplar_used = calloc(segment->spec.max_exemplars, 1);
	segment->exemplars = calloc(segment->spec.max_families, 1);
	check(segment->exemplar_used && segment->exemplars, "out of memory");
	snprintf(segment->path, sizeof(segment->path), "/proc/%d/fd/%d", getpid(),
		 segment->fd);
	if (segment->spec.ring_lines)
		rings_init(segment);
	return segment;
}

void segment_free(struct segment *segment)
{
	if (!segment)
		return;
	munmap(segment->base, segment->bytes);
	close(segment->fd);
	pool_exit(&segment->values);
	pool_exit(&segment->services);
	pool_exit(&segment->chunks);
	free(segment->writer);
	free(segment->exemplar_used);
	free(segment->exemplars);
	free(segment);
}

const char *segment_path(const struct segment *segment)
{
	return segment->path;
}

int segment_fd(const struct segment *segment)
{
	return segment->fd;
}

uint64_t segment_bytes(const struct segment *segment)
{
	return segment->bytes;
}

struct obsring_family *segment_family(struct segment *segment, uint32_t family)
{
	return (struct obsring_family *)region_base(segment, OBSRING_REGION_FAMILIES) +
	       family;
}

struct obsring_series *segment_series(struct segment *segment, uint32_t series)
{
	return (struct obsring_series *)region_base(segment, OBSRING_REGION_SERIES) +
	       series;
}

char *segment_text(struct segment *segment, uint32_t granule)
{
	return (char *)region_base(segment, OBSRING_REGION_TEXT) +
	       (uint64_t)granule * OBSRING_GRANULE;
}

uint64_t *segment_journal(struct segment *segment)
{
	return region_base(segment, OBSRING_REGION_JOURNAL);
}

/* Text in the making; then copied word by word, as readers may look on. */
struct text {
	union {
		char byte[4096];
		__u64 word[4096 / sizeof(__u64)];
	};
	uint32_t len;
};

static void text_add(struct text *text, const char *s)
{
	size_t n = strlen(s) + 1;

	check(text->len + n <= sizeof(text->byte), "text too long");
	memcpy(text->byte + text->len, s, n);
	text->len += (uint32_t)n;
}

static void text_publish(struct segment *segment, uint32_t granule,
			 const struct text *text)
{
	__u64 *to = (__u64 *)segment_text(segment, granule);
	uint32_t i;

	for (i = 0; i < (text->len + sizeof(__u64) - 1) / sizeof(__u64); i++)
		obs_write_once(&to[i], text->word[i]);
}

void segment_tell(struct segment *segment, enum obsring_region_id table,
		  uint32_t index)
{
	obs_journal_tell(segment_header(segment), (__u64 *)segment_journal(segment),
			 segment->spec.journal_nr, table, index);
}

void segment_journal_start(struct segment *segment, uint64_t pos)
{
	segment_header(segment)->journal_pos = pos;
}

static uint32_t family_find_free(struct segment *segment)
{
	uint32_t i;

	for (i = 0; i < segment->spec.max_families; i++)
		if (!obs_gen_alive(segment_family(segment, i)->gen))
			return i;
	check(false, "no room for a family");
	return 0;
}

static uint32_t series_find_free(struct segment *segment)
{
	uint32_t i;

	for (i = segment->taken; i < segment->spec.max_series; i++)
		if (!obs_gen_alive(segment_series(segment, i)->gen)) {
			segment->taken = i;
			return i;
		}
	check(false, "no room for a series");
	return 0;
}

static bool spec_exponential(const struct obs_family_spec *spec)
{
	return spec->kind == OBSRING_KIND_HISTOGRAM && !spec->nr_bounds;
}

static uint32_t family_nr_bounds(const struct obs_family_spec *spec)
{
	if (spec_exponential(spec))
		return obs_histogram_exp_nr_bounds(spec->schema, spec->min_log2,
						   spec->max_log2);
	return spec->nr_bounds;
}

static uint32_t family_text(const struct obs_family_spec *spec, struct text *text)
{
	uint32_t i, bounds_off;

	memset(text, 0, sizeof(*text));
	text_add(text, spec->name);
	text_add(text, spec->help ? spec->help : "");
	text_add(text, spec->unit ? spec->unit : "");
	for (i = 0; i < spec->nr_labels; i++)
		text_add(text, spec->label[i]);
	for (i = 0; i < spec->nr_states; i++)
		text_add(text, spec->state[i]);
	if (!spec->nr_bounds)
		return 0;
	bounds_off = (text->len + 7) & ~7U;
	memcpy(text->byte + bounds_off, spec->bound, spec->nr_bounds * sizeof(__u64));
	text->len = bounds_off + spec->nr_bounds * (uint32_t)sizeof(__u64);
	return bounds_off;
}

static uint32_t family_nr_slots(const struct obs_family_spec *spec)
{
	switch (spec->kind) {
	case OBSRING_KIND_HISTOGRAM:
		return family_nr_bounds(spec) + 2;
	case OBSRING_KIND_INFO:
		return 0;
	default:
		return 1;
	}
}

uint32_t segment_family_add(struct segment *segment,
			    const struct obs_family_spec *spec)
{
	uint32_t index = family_find_free(segment);
	struct obsring_family *entry = segment_family(segment, index);
	uint32_t granule = index * FAMILY_GRANULES;
	struct text text;

	obs_write_once(&entry->bounds_off, family_text(spec, &text));
	text_publish(segment, granule, &text);
	obs_write_once(&entry->kind, spec->kind);
	obs_write_once(&entry->nr_labels, spec->nr_labels);
	obs_write_once(&entry->exp10, spec->exp10);
	obs_write_once(&entry->schema, spec_exponential(spec) ? spec->schema : -1);
	obs_write_once(&entry->flags, spec->set ? OBSRING_FAMILY_SET : 0);
	obs_write_once(&entry->text_off, granule);
	obs_write_once(&entry->text_len, text.len);
	obs_write_once(&entry->nr_bounds, family_nr_bounds(spec));
	obs_write_once(&entry->min_log2, spec->min_log2);
	obs_write_once(&entry->max_log2, spec->max_log2);
	obs_write_once(&entry->nr_slots, family_nr_slots(spec));
	obs_write_once(&entry->nr_states, spec->nr_states);
	obs_write_once(&entry->created_ns, CREATED_NS + segment->clock++);
	obs_entry_publish(&entry->gen);
	segment_tell(segment, OBSRING_REGION_FAMILIES, index);
	return index;
}

void segment_family_remove(struct segment *segment, uint32_t family)
{
	uint32_t i;

	for (i = 0; i < segment->spec.max_series; i++)
		if (obs_gen_alive(segment_series(segment, i)->gen) &&
		    segment_series(segment, i)->family == family)
			segment_series_remove(segment, i);
	segment->exemplars[family] = 0;
	obs_entry_retire(&segment_family(segment, family)->gen);
	segment_tell(segment, OBSRING_REGION_FAMILIES, family);
}

static bool slots_free(const uint8_t *used, uint32_t slot, uint32_t nr)
{
	return !memchr(used + slot, 1, nr);
}

/* The lowest free slots in a page that is @owner's, or free. */
static void slots_take(const struct segment *segment, struct pool *pool, uint32_t nr,
		       uint32_t owner, uint32_t *ret_page, uint32_t *ret_slot)
{
	uint32_t page, slot;

	while (pool->full < pool->pages &&
	       !memchr(pool->used + (size_t)pool->full * segment->page_slots, 0,
		       segment->page_slots))
		pool->full++;
	for (page = pool->full; page < pool->pages; page++) {
		uint8_t *used = pool->used + (size_t)page * segment->page_slots;

		if (pool->owner[page] && pool->owner[page] != owner)
			continue;
		for (slot = 0; slot + nr <= segment->page_slots; slot++) {
			if (!slots_free(used, slot, nr))
				continue;
			memset(used + slot, 1, nr);
			pool->owner[page] = owner;
			*ret_page = page;
			*ret_slot = slot;
			return;
		}
	}
	check(false, "no room for slots");
}

static uint64_t *row_at(struct segment *segment, enum obsring_region_id id, uint32_t page,
			uint32_t slot, uint32_t row, uint32_t rows)
{
	uint8_t *pages = region_base(segment, id);

	return (uint64_t *)(pages + obs_row_offset(page, row, rows,
						   segment->page_size)) + slot;
}

uint64_t *segment_slot(struct segment *segment, uint32_t series, uint32_t cpu)
{
	const struct obsring_series *entry = segment_series(segment, series);
	uint32_t nr_cpus = segment->spec.nr_cpus;

	check(!(entry->flags & OBSRING_SERIES_SHARES), "a gauge of shares has no rows");
	if (entry->flags & OBSRING_SERIES_SERVICE)
		return row_at(segment, OBSRING_REGION_SERVICES, entry->page, entry->slot,
			      entry->rows == 1 || cpu == OBSRING_CPU_SHARED ? nr_cpus : cpu,
			      nr_cpus + 1);
	return row_at(segment, OBSRING_REGION_VALUES, entry->page, entry->slot,
		      entry->rows == 1 ? 0 : cpu, nr_cpus);
}

void segment_family_exemplars(struct segment *segment, uint32_t family)
{
	segment->exemplars[family] = 1;
}

struct obsring_exemplar *segment_exemplar(struct segment *segment, uint32_t series,
					  uint32_t range)
{
	return (struct obsring_exemplar *)region_base(segment,
						      OBSRING_REGION_EXEMPLARS) +
	       segment_series(segment, series)->exemplar + range;
}

/* The lowest free exemplars for a series of @family, if it has any. */
static void exemplars_take(struct segment *segment, uint32_t family,
			   struct obsring_series *entry)
{
	const struct obsring_family *owner = segment_family(segment, family);
	uint32_t nr, first;

	obs_write_once(&entry->nr_exemplars, 0);
	if (!segment->exemplars[family])
		return;
	nr = obs_histogram_nr_ranges(owner->nr_bounds,
				     owner->schema > 0 ? (__u32)owner->schema : 0);
	for (first = 0; first + nr <= segment->spec.max_exemplars; first++) {
		if (!slots_free(segment->exemplar_used, first, nr))
			continue;
		memset(segment->exemplar_used + first, 1, nr);
		obs_write_once(&entry->exemplar, first);
		obs_write_once(&entry->nr_exemplars, nr);
		return;
	}
	check(false, "no room for exemplars");
}

static void exemplars_give_back(struct segment *segment, uint32_t series)
{
	const struct obsring_series *entry = segment_series(segment, series);
	uint32_t i;

	for (i = 0; i < entry->nr_exemplars; i++)
		obs_exemplar_clear(segment_exemplar(segment, series, i));
	memset(segment->exemplar_used + entry->exemplar, 0, entry->nr_exemplars);
}

/* Slots where those of such a series are. */
static void series_place(struct segment *segment, const struct obsring_family *owner,
			 struct obsring_series *entry, uint32_t flags, uint32_t service)
{
	bool single = owner->flags & OBSRING_FAMILY_SET ||
		      owner->kind == OBSRING_KIND_STATE;
	uint32_t page = 0, slot = 0;

	if (flags & OBSRING_SERIES_SHARES)
		slots_take(segment, &segment->chunks, owner->nr_slots, service, &page, &slot);
	else if (flags & OBSRING_SERIES_SERVICE)
		slots_take(segment, &segment->services, owner->nr_slots, service, &page,
			   &slot);
	else if (owner->nr_slots)
		slots_take(segment, &segment->values, owner->nr_slots, single ? 2 : 1, &page,
			   &slot);
	obs_write_once(&entry->page, page);
	obs_write_once(&entry->slot, slot);
	obs_write_once(&entry->nr_slots, owner->nr_slots);
	obs_write_once(&entry->rows, single);
	obs_write_once(&entry->service, service);
}

static uint32_t series_add(struct segment *segment, uint32_t family,
			   const char *const *value, uint32_t flags, uint64_t created_ns,
			   uint32_t service)
{
	const struct obsring_family *owner = segment_family(segment, family);
	uint32_t index = series_find_free(segment);
	struct obsring_series *entry = segment_series(segment, index);
	uint32_t granule = segment->spec.max_families * FAMILY_GRANULES +
			   index * (segment->spec.series_text / OBSRING_GRANULE);
	struct text text;
	uint32_t i;

	memset(&text, 0, sizeof(text));
	for (i = 0; i < owner->nr_labels; i++)
		text_add(&text, value[i]);
	check(text.len <= segment->spec.series_text, "text too long");
	text_publish(segment, granule, &text);
	series_place(segment, owner, entry, flags, service);
	obs_write_once(&entry->family, family);
	obs_write_once(&entry->family_gen, owner->gen);
	obs_write_once(&entry->flags, flags);
	obs_write_once(&entry->text_off, granule);
	obs_write_once(&entry->text_len, text.len);
	obs_write_once(&entry->created_ns, created_ns);
	exemplars_take(segment, family, entry);
	obs_entry_publish(&entry->gen);
	segment_header(segment)->series_live++;
	segment_tell(segment, OBSRING_REGION_SERIES, index);
	return index;
}

uint32_t segment_series_add_as(struct segment *segment, uint32_t family,
			       const char *const *value, uint32_t flags,
			       uint64_t created_ns)
{
	return series_add(segment, family, value, flags, created_ns, 0);
}

uint32_t segment_series_add(struct segment *segment, uint32_t family,
			    const char *const *value)
{
	return segment_series_add_as(segment, family, value, 0,
				     CREATED_NS + segment->clock++);
}

uint32_t segment_service_add(struct segment *segment, uint32_t family,
			     const char *const *value, uint32_t service)
{
	const struct obsring_family *owner = segment_family(segment, family);
	bool shares = owner->kind == OBSRING_KIND_GAUGE &&
		      !(owner->flags & OBSRING_FAMILY_SET);

	return series_add(segment, family, value,
			  shares ? OBSRING_SERIES_SHARES : OBSRING_SERIES_SERVICE,
			  CREATED_NS + segment->clock++, service);
}

struct obsring_share *segment_share(struct segment *segment, uint32_t share)
{
	return (struct obsring_share *)region_base(segment, OBSRING_REGION_SHARES) + share;
}

static uint64_t *share_page(struct segment *segment, uint32_t share)
{
	return row_at(segment, OBSRING_REGION_SHARE_PAGES, share, 0, 0, 1);
}

uint32_t segment_share_add(struct segment *segment, uint32_t service, uint32_t chunk)
{
	struct obsring_share *entry;
	uint32_t i;

	for (i = 0; i < segment->spec.max_shares; i++)
		if (!obs_gen_alive(segment_share(segment, i)->gen))
			break;
	check(i < segment->spec.max_shares, "no room for a share");
	entry = segment_share(segment, i);
	obs_write_once(&entry->service, service);
	obs_write_once(&entry->chunk, chunk);
	obs_entry_publish(&entry->gen);
	segment_tell(segment, OBSRING_REGION_SHARES, i);
	return i;
}

void segment_share_remove(struct segment *segment, uint32_t share)
{
	uint32_t i;

	obs_entry_retire(&segment_share(segment, share)->gen);
	segment_tell(segment, OBSRING_REGION_SHARES, share);
	for (i = 0; i < segment->page_slots; i++)
		obs_write_once(share_page(segment, share) + i, 0);
}

uint64_t *segment_share_slot(struct segment *segment, uint32_t share, uint32_t series)
{
	return share_page(segment, share) + segment_series(segment, series)->slot;
}

/* Slots of services stay, as they do in the module. */
static void slots_give_back(struct segment *segment, const struct obsring_series *entry)
{
	uint32_t cpu, i;

	if (entry->flags & (OBSRING_SERIES_SERVICE | OBSRING_SERIES_SHARES))
		return;
	for (cpu = 0; cpu < segment->spec.nr_cpus; cpu++)
		for (i = 0; i < entry->nr_slots; i++)
			obs_write_once(row_at(segment, OBSRING_REGION_VALUES, entry->page,
					      entry->slot + i, cpu,
					      segment->spec.nr_cpus), 0);
	memset(segment->values.used + (size_t)entry->page * segment->page_slots +
	       entry->slot, 0, entry->nr_slots);
	segment->values.full = 0;
}

void segment_series_remove(struct segment *segment, uint32_t series)
{
	struct obsring_series *entry = segment_series(segment, series);

	obs_entry_retire(&entry->gen);
	segment_header(segment)->series_live--;
	segment_tell(segment, OBSRING_REGION_SERIES, series);
	slots_give_back(segment, entry);
	exemplars_give_back(segment, series);
	segment->taken = 0;
}

/* ---- The log ------------------------------------------------------------- */

struct obsring_ring *segment_ring(struct segment *segment, uint32_t index)
{
	return (struct obsring_ring *)region_base(segment, OBSRING_REGION_RINGS) + index;
}

struct obsring_line *segment_lines(struct segment *segment, uint32_t index)
{
	uint8_t *log = region_base(segment, OBSRING_REGION_LOG);

	return (struct obsring_line *)(log + index * ring_stride(segment));
}

static void rings_init(struct segment *segment)
{
	const struct obsring_header *header = segment_header(segment);
	struct obsring_ring *ring;
	uint32_t i;

	segment->writer = calloc(segment->spec.nr_cpus * ORIGINS, sizeof(*segment->writer));
	check(segment->writer, "out of memory");
	for (i = 0; i < segment->spec.nr_cpus * ORIGINS; i++) {
		ring = segment_ring(segment, i);
		ring->cpu = i / ORIGINS;
		ring->origin = i % ORIGINS;
		ring->offset = header->region[OBSRING_REGION_LOG].offset +
			       i * ring_stride(segment);
		if (obs_cpu_has_row(header->cpu_mask, i / ORIGINS))
			obs_ring_init(&segment->writer[i], ring,
				      segment_lines(segment, i),
				      segment->spec.ring_lines);
	}
}

static void record_part(union obs_record_buffer *b, const void *at, size_t nr)
{
	check(b->head.size + nr <= sizeof(*b), "record too long");
	memcpy(b->byte + b->head.size, at, nr);
	b->head.size += (__u16)nr;
}

static void record_build(const struct segment_record *from, union obs_record_buffer *b)
{
	const char *source = from->source ? from->source : "test";
	const char *message = from->message ? from->message : "";
	const char *comm = from->comm ? from->comm : "";

	memset(b, 0, sizeof(*b));
	b->head = (struct obsring_record){
		.size = sizeof(b->head), .level = from->level, .flags = from->flags,
		.time_ns = from->time_ns, .pid = from->pid, .uid = from->uid,
		.threshold = from->threshold, .cpu = (__u16)from->cpu,
		.source_len = (__u16)strlen(source),
		.message_len = (__u16)strlen(message),
		.fields_len = (__u16)from->fields_len,
	};
	if (from->origin == OBSRING_ORIGIN_USER)
		b->head.flags |= OBSRING_RECORD_USER;
	memcpy(b->head.comm, comm, strnlen(comm, sizeof(b->head.comm)));
	if (from->trace) {
		b->head.flags |= OBSRING_RECORD_TRACE;
		record_part(b, from->trace, sizeof(*from->trace));
	}
	record_part(b, source, b->head.source_len);
	record_part(b, message, b->head.message_len);
	record_part(b, from->fields ? from->fields : "", from->fields_len);
}

uint32_t segment_log(struct segment *segment, const struct segment_record *record)
{
	union obs_record_buffer b;
	uint32_t overwritten = 0;

	record_build(record, &b);
	check(obs_ring_write(&segment->writer[record->cpu * ORIGINS + record->origin],
			     b.word, obs_record_words(b.head.size), &overwritten),
	      "a record was refused");
	return overwritten;
}

void segment_ring_retire(struct segment *segment, uint32_t index, uint32_t nr_lines)
{
	check(nr_lines <= segment->spec.ring_lines_max, "no room for a ring");
	check(obs_ring_replace(&segment->writer[index], segment_lines(segment, index),
			       nr_lines), "a ring can't be replaced");
}

void segment_ring_renew(struct segment *segment, uint32_t index)
{
	struct obsring_line *line = segment_lines(segment, index);
	struct obsring_ring *ring = segment_ring(segment, index);

	memset(line, 0, ring_stride(segment));
	obs_ring_prepare(line, ring->nr_lines);
	obs_ring_reopen(ring);
}

void segment_ring_start(struct segment *segment, uint32_t index, uint64_t line,
			uint64_t record)
{
	struct obs_ring_writer *writer = &segment->writer[index];
	struct obsring_ring *ring = writer->ring;
	uint32_t i, nr_lines = writer->mask + 1;

	ring->head = line << 32 | (__u32)record;
	ring->line_epoch = line >> 31;
	ring->record_epoch = record >> 31;
	ring->first_line = line;
	ring->first_record = record;
	writer->guard = (__u32)line;
	for (i = 0; i < nr_lines; i++, line++)
		writer->line[line & writer->mask].stamp =
			obs_ring_stamp((__u32)line - nr_lines);
}

void segment_set_state(struct segment *segment, enum obsring_state state)
{
	obs_write_once(&segment_header(segment)->state, (__u32)state);
}
