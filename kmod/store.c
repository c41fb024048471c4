// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages: allocate, find, map. See store.h.
 *
 * Value pages are page-aligned, page-sized per-CPU blocks, so that a bump is
 * one instruction and each CPU's copy can be mapped by itself. They are mapped
 * by PFN and never by reference: a page of the per-CPU allocator that user
 * space could hold on to would show its next owner's data.
 */
#include <linux/bitmap.h>
#include <linux/io.h>
#include <linux/mm.h>
#include <linux/random.h>
#include <linux/rwsem.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/vmalloc.h>

#include <obsring/directory.h>

#include "exemplar.h"
#include "sparse.h"
#include "store.h"

#define SLOTS_PER_PAGE	((u32)(PAGE_SIZE / sizeof(u64)))
#define GFP_STORE	(GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_NOWARN)

/**
 * struct dir_pages - pages of a region of the directory
 * @page: addresses, the first @nr of them set; each is written before nr
 * @nr: pages that are backed; stored with release order
 * @max: length of @page
 */
struct dir_pages {
	void **page;
	u32 nr;
	u32 max;
};

/**
 * struct value_page - a value page and what is free in it
 * @rows: the per-CPU block, or NULL
 * @word: the only row of a shared page, or NULL
 * @nr_free: slots free
 * @used: a bit per slot
 */
struct value_page {
	u64 __percpu *rows;
	u64 *word;
	u32 nr_free;
	unsigned long used[];
};

struct obsring_header *obs_header;

/* By region; those that are no entries in pages of their own have none. */
static struct dir_pages dir[OBSRING_REGION_MAX + 1];

DECLARE_RWSEM(obs_store_mapped);
static int (*log_pfn)(u64 page, unsigned long *ret_pfn);

/*
 * Value pages, by index; each entry is set once and stays. values_nr is stored
 * with release order after the entry. A page is either of the kind with a row
 * per CPU or shared; search_from[kind]: no page of that kind below it has a
 * free slot.
 */
static struct value_page **values;
static u32 values_nr;
static u32 values_max;
static u32 search_from[2];
static u64 value_bytes;
static u64 charged_bytes;
static u64 charged_bytes_max;

/* ---- Directory ----------------------------------------------------------- */

static struct obsring_region *region_of(enum obsring_region_id region)
{
	return &obs_header->region[region];
}

static u32 entries_per_page(enum obsring_region_id region)
{
	return PAGE_SIZE / region_of(region)->entry_size;
}

int obs_region_grow(enum obsring_region_id region, u32 nr)
{
	struct dir_pages *pages = &dir[region];
	u32 per_page = entries_per_page(region);
	void *page;

	while (nr > pages->nr * per_page) {
		if (pages->nr == pages->max)
			return -ENOSPC;
		page = (void *)__get_free_page(GFP_STORE);
		if (!page)
			return -ENOMEM;
		pages->page[pages->nr] = page;
		/* Pairs with obs_store_pfn(): a counted page has its address. */
		smp_store_release(&pages->nr, pages->nr + 1);
		/* Pairs with the reader's acquire: backed before it is told. */
		smp_store_release(&region_of(region)->nr, pages->nr * per_page);
	}
	return 0;
}

void *obs_region_page(enum obsring_region_id region, u32 page)
{
	return dir[region].page[page];
}

void *obs_region_entry(enum obsring_region_id region, u32 index)
{
	u32 per_page = entries_per_page(region);

	return dir[region].page[index / per_page] +
	       (size_t)(index % per_page) * region_of(region)->entry_size;
}

void obs_store_tell(enum obsring_region_id table, u32 index)
{
	/* The journal's pages are consecutive: see journal_init(). */
	obs_journal_tell(obs_header, dir[OBSRING_REGION_JOURNAL].page[0],
			 region_of(OBSRING_REGION_JOURNAL)->nr, table, index);
}

int obs_region_init(enum obsring_region_id region, u32 entry_size, u64 nr_max)
{
	struct dir_pages *pages = &dir[region];

	pages->max = DIV_ROUND_UP_ULL(nr_max * entry_size, PAGE_SIZE);
	pages->page = kvcalloc(pages->max, sizeof(*pages->page), GFP_KERNEL);
	if (!pages->page)
		return -ENOMEM;
	region_of(region)->entry_size = entry_size;
	region_of(region)->size = (u64)pages->max * PAGE_SIZE;
	return 0;
}

/* The journal is there in full from the start: telling must not fail. */
static int journal_init(u32 nr)
{
	struct dir_pages *pages = &dir[OBSRING_REGION_JOURNAL];
	void *ring;
	u32 i;
	int ret;

	ret = obs_region_init(OBSRING_REGION_JOURNAL, sizeof(u64), nr);
	if (ret)
		return ret;
	ring = vzalloc((unsigned long)pages->max * PAGE_SIZE);
	if (!ring)
		return -ENOMEM;
	for (i = 0; i < pages->max; i++)
		pages->page[i] = ring + (size_t)i * PAGE_SIZE;
	pages->nr = pages->max;
	region_of(OBSRING_REGION_JOURNAL)->nr = nr;
	return 0;
}

static void dir_exit(enum obsring_region_id region)
{
	struct dir_pages *pages = &dir[region];
	u32 i;

	if (region == OBSRING_REGION_JOURNAL) {
		if (pages->nr)
			vfree(pages->page[0]);
	} else {
		for (i = 0; i < pages->nr; i++)
			free_page((unsigned long)pages->page[i]);
	}
	kvfree(pages->page);
	memset(pages, 0, sizeof(*pages));
}

u64 obs_store_exemplar_bytes(void)
{
	return (u64)dir[OBSRING_REGION_EXEMPLARS].nr * PAGE_SIZE;
}

u64 obs_store_directory_bytes(void)
{
	u64 pages = 1;
	int i;

	for (i = 0; i <= OBSRING_REGION_MAX; i++)
		pages += dir[i].nr;
	return pages * PAGE_SIZE - obs_store_exemplar_bytes();
}

int obs_store_charge(u64 bytes)
{
	if (bytes > charged_bytes_max - charged_bytes)
		return -ENOSPC;
	charged_bytes += bytes;
	return 0;
}

void obs_store_uncharge(u64 bytes)
{
	charged_bytes -= bytes;
}

u64 obs_store_charged_bytes(void)
{
	return charged_bytes;
}

/* ---- Values -------------------------------------------------------------- */

static u64 value_page_bytes(bool shared)
{
	return shared ? PAGE_SIZE : (u64)PAGE_SIZE * num_possible_cpus();
}

static void value_page_free(struct value_page *vp)
{
	if (!vp)
		return;
	free_percpu(vp->rows);
	free_page((unsigned long)vp->word);
	kfree(vp);
}

static struct value_page *value_page_alloc(bool shared)
{
	struct value_page *vp;

	vp = kzalloc(struct_size(vp, used, BITS_TO_LONGS(SLOTS_PER_PAGE)),
		     GFP_STORE);
	if (!vp)
		return NULL;
	vp->nr_free = SLOTS_PER_PAGE;
	if (shared)
		vp->word = (u64 *)__get_free_page(GFP_STORE);
	else
		vp->rows = (u64 __percpu *)__alloc_percpu_gfp(PAGE_SIZE,
							      PAGE_SIZE,
							      GFP_STORE);
	if (!vp->word && !vp->rows) {
		value_page_free(vp);
		return NULL;
	}
	return vp;
}

static int value_page_new(bool shared)
{
	u64 bytes = value_page_bytes(shared);
	struct value_page *vp;

	if (values_nr == values_max || obs_store_charge(bytes))
		return -ENOSPC;
	vp = value_page_alloc(shared);
	if (!vp) {
		obs_store_uncharge(bytes);
		return -ENOMEM;
	}
	values[values_nr] = vp;
	/* Pairs with obs_store_pfn(): a counted page is complete. */
	smp_store_release(&values_nr, values_nr + 1);
	/* Pairs with the reader's acquire: backed before it is told. */
	smp_store_release(&region_of(OBSRING_REGION_VALUES)->nr, values_nr);
	value_bytes += bytes;
	return 0;
}

/* Take @nr consecutive slots of page @index, if it has them. */
static bool value_page_take(u32 index, u32 nr, struct obs_slots *ret_slots)
{
	struct value_page *vp = values[index];
	unsigned long slot;

	if (vp->nr_free < nr)
		return false;
	slot = bitmap_find_next_zero_area(vp->used, SLOTS_PER_PAGE, 0, nr, 0);
	if (slot >= SLOTS_PER_PAGE)
		return false;
	bitmap_set(vp->used, slot, nr);
	vp->nr_free -= nr;
	ret_slots->page = index;
	ret_slots->slot = slot;
	ret_slots->nr = nr;
	ret_slots->shared = vp->word;
	return true;
}

int obs_slots_alloc(u32 nr, bool shared, struct obs_slots *ret_slots)
{
	bool passed_free = false;
	u32 i;
	int ret;

	if (!nr) {
		memset(ret_slots, 0, sizeof(*ret_slots));
		return 0;
	}
	for (i = search_from[shared]; i < values_nr; i++) {
		if (!!values[i]->word != shared)
			continue;
		if (value_page_take(i, nr, ret_slots))
			return 0;
		if (values[i]->nr_free)
			passed_free = true;
		else if (!passed_free)
			search_from[shared] = i + 1;
	}
	ret = value_page_new(shared);
	if (ret)
		return ret;
	value_page_take(values_nr - 1, nr, ret_slots);
	return 0;
}

void obs_slots_free(const struct obs_slots *slots)
{
	size_t size = slots->nr * sizeof(u64);
	struct value_page *vp;
	unsigned int cpu;

	if (!slots->nr)
		return;
	vp = values[slots->page];
	if (vp->word) {
		memset(vp->word + slots->slot, 0, size);
	} else {
		for_each_possible_cpu(cpu)
			memset(per_cpu_ptr(vp->rows, cpu) + slots->slot, 0, size);
	}
	bitmap_clear(vp->used, slots->slot, slots->nr);
	vp->nr_free += slots->nr;
	search_from[slots->shared] = min(search_from[slots->shared], slots->page);
}

u64 __percpu *obs_slots_rows(const struct obs_slots *slots)
{
	return values[slots->page]->rows + slots->slot;
}

u64 *obs_slots_word(const struct obs_slots *slots)
{
	return values[slots->page]->word + slots->slot;
}

u64 obs_slots_read(const struct obs_slots *slots, u32 slot, unsigned int cpu)
{
	if (slots->shared)
		return READ_ONCE(obs_slots_word(slots)[slot]);
	return READ_ONCE(*per_cpu_ptr(obs_slots_rows(slots) + slot, cpu));
}

u64 obs_slots_sum(const struct obs_slots *slots, u32 slot)
{
	unsigned int cpu;
	u64 sum = 0;

	if (slots->shared)
		return obs_slots_read(slots, slot, 0);
	for_each_possible_cpu(cpu)
		sum += obs_slots_read(slots, slot, cpu);
	return sum;
}

u64 obs_store_value_bytes(void)
{
	return value_bytes;
}

/* ---- Mapping ------------------------------------------------------------- */

bool obs_store_range_valid(u64 offset, u64 size)
{
	const struct obsring_region *region;
	int i;

	if (!offset && size == PAGE_SIZE)
		return true;
	for (i = 0; i <= OBSRING_REGION_MAX; i++) {
		region = region_of(i);
		if (offset >= region->offset && size &&
		    offset - region->offset < region->size &&
		    size <= region->size - (offset - region->offset))
			return true;
	}
	return false;
}

unsigned long obs_store_pfn_of(const void *addr)
{
	return is_vmalloc_addr(addr) ? vmalloc_to_pfn(addr) :
				       PHYS_PFN(virt_to_phys((void *)addr));
}

static int value_pfn(u64 row, unsigned long *ret_pfn)
{
	u32 cpu = row % nr_cpu_ids;
	u64 index = row / nr_cpu_ids;
	struct value_page *vp;

	/* Pairs with value_page_new(). */
	if (index >= smp_load_acquire(&values_nr))
		return -EFAULT;
	vp = values[index];
	if (vp->word ? cpu : !cpu_possible(cpu))
		return -EFAULT;
	*ret_pfn = obs_store_pfn_of(vp->word ? vp->word : per_cpu_ptr(vp->rows, cpu));
	return 0;
}

int obs_store_pfn(unsigned long pgoff, unsigned long *ret_pfn)
{
	const struct obsring_region *region;
	u64 page;
	int i;

	if (!pgoff) {
		*ret_pfn = obs_store_pfn_of(obs_header);
		return 0;
	}
	for (i = 0; i <= OBSRING_REGION_MAX; i++) {
		region = region_of(i);
		page = pgoff - (region->offset >> PAGE_SHIFT);
		if (pgoff < region->offset >> PAGE_SHIFT ||
		    page >= region->size >> PAGE_SHIFT)
			continue;
		if (i == OBSRING_REGION_VALUES)
			return value_pfn(page, ret_pfn);
		if (i == OBSRING_REGION_LOG)
			return log_pfn(page, ret_pfn);
		if (i == OBSRING_REGION_SERVICES || i == OBSRING_REGION_SHARE_PAGES) {
			*ret_pfn = obs_sparse_pfn(i, page);
			return 0;
		}
		/* Pairs with obs_region_grow(). */
		if (page >= smp_load_acquire(&dir[i].nr))
			return -EFAULT;
		*ret_pfn = obs_store_pfn_of(dir[i].page[page]);
		return 0;
	}
	return -EFAULT;
}

/* ---- Life ---------------------------------------------------------------- */

static int values_init(u64 bytes, u32 series)
{
	/*
	 * What the limit of bytes allows, but no more than the series can need:
	 * a page is made only if none of its kind has room, so each of those
	 * with all rows is used by another series, and each shared one, whose
	 * series have one slot, is full.
	 */
	u64 max = min_t(u64, div_u64(bytes, value_page_bytes(false)), series) +
		  series / SLOTS_PER_PAGE + 1;

	values_max = min_t(u64, max, U32_MAX / nr_cpu_ids);
	charged_bytes_max = bytes;
	values = kvcalloc(values_max, sizeof(*values), GFP_KERNEL);
	if (!values)
		return -ENOMEM;
	region_of(OBSRING_REGION_VALUES)->entry_size = PAGE_SIZE;
	region_of(OBSRING_REGION_VALUES)->size =
		(u64)values_max * nr_cpu_ids * PAGE_SIZE;
	return 0;
}

void obs_store_log_provide(int (*pfn)(u64 page, unsigned long *ret_pfn))
{
	log_pfn = pfn;
}

/* A ring for each CPU and origin, and room for the largest of each. */
static int log_region_init(void)
{
	u64 rings = (u64)nr_cpu_ids * (OBSRING_ORIGIN_MAX + 1);

	region_of(OBSRING_REGION_LOG)->entry_size = sizeof(struct obsring_line);
	region_of(OBSRING_REGION_LOG)->size = rings * OBS_STORE_LOG_STRIDE;
	return obs_region_init(OBSRING_REGION_RINGS, sizeof(struct obsring_ring), rings);
}

static void header_init(void)
{
	unsigned int cpu;

	obs_header->magic = OBSRING_MAGIC;
	obs_header->abi_major = OBSRING_ABI_MAJOR;
	obs_header->abi_minor = OBSRING_ABI_MINOR;
	obs_header->header_size = sizeof(*obs_header);
	obs_header->page_size = PAGE_SIZE;
	obs_header->nr_cpus = nr_cpu_ids;
	obs_header->nr_regions = OBSRING_REGION_MAX + 1;
	obs_header->instance = get_random_u64();
	obs_header->started_ns = ktime_get_real_ns();
	obs_header->state = OBSRING_STATE_RUNNING;
	obs_header->journal_pos = OBSRING_JOURNAL_START;
	for_each_possible_cpu(cpu)
		obs_header->cpu_mask[cpu / 64] |= 1ULL << (cpu % 64);
}

/* Lay the regions out one behind the other, the header before them. */
static void regions_place(void)
{
	u64 offset = PAGE_SIZE;
	int i;

	for (i = 0; i <= OBSRING_REGION_MAX; i++) {
		region_of(i)->offset = offset;
		offset += region_of(i)->size;
	}
}

int obs_store_init(const struct obs_limits *limits)
{
	/*
	 * A reader that was overrun by the journal scans the tables: with a
	 * ring of a sixteenth of them, that is 16 entries a change at most.
	 */
	u32 journal = roundup_pow_of_two(max(limits->series / 16,
					     (u32)(PAGE_SIZE / sizeof(u64))));
	/* Text: 64 B of label values a series on average, 1 KiB a family. */
	u64 granules = (u64)limits->series * 2 + limits->family_series * 16;
	int ret;

	BUILD_BUG_ON(sizeof(struct obsring_header) > SZ_4K);
	BUILD_BUG_ON(sizeof(struct obsring_family) != 64);
	BUILD_BUG_ON(sizeof(struct obsring_series) != 64);
	BUILD_BUG_ON(PAGE_SIZE / sizeof(u64) < OBSRING_SLOTS_MAX);

	if (nr_cpu_ids > OBSRING_CPU_MASK_WORDS * 64)
		return -EOVERFLOW;
	obs_header = (void *)__get_free_page(GFP_STORE);
	if (!obs_header)
		return -ENOMEM;
	header_init();
	ret = obs_region_init(OBSRING_REGION_FAMILIES,
			      sizeof(struct obsring_family), limits->series);
	if (ret)
		goto err;
	ret = obs_region_init(OBSRING_REGION_SERIES,
			      sizeof(struct obsring_series), limits->series);
	if (ret)
		goto err;
	ret = obs_region_init(OBSRING_REGION_TEXT, OBSRING_GRANULE, granules);
	if (ret)
		goto err;
	ret = journal_init(journal);
	if (ret)
		goto err;
	ret = values_init(limits->bytes, limits->series);
	if (ret)
		goto err;
	ret = obs_exemplars_init(limits);
	if (ret)
		goto err;
	ret = log_region_init();
	if (ret)
		goto err;
	ret = obs_region_init(OBSRING_REGION_SHARES, sizeof(struct obsring_share),
			      limits->shares);
	if (ret)
		goto err;
	ret = obs_sparse_init(limits);
	if (ret)
		goto err;
	regions_place();
	return 0;
err:
	obs_store_exit();
	return ret;
}

void obs_store_exit(void)
{
	u32 i;

	for (i = 0; i < values_nr; i++)
		value_page_free(values[i]);
	kvfree(values);
	values = NULL;
	values_nr = 0;
	obs_exemplars_exit();
	obs_sparse_exit();
	for (i = 0; i <= OBSRING_REGION_MAX; i++)
		dir_exit(i);
	free_page((unsigned long)obs_header);
	obs_header = NULL;
}
