// SPDX-License-Identifier: GPL-2.0-only
/*
 * Slots, texts, entries and their generations: kmod/store.c and kmod/text.c, compiled
 * into this module for themselves, with a store of a few pages.
 */
#include <kunit/test.h>
#include <linux/random.h>

#include "../../../kmod/store.c"
#include "../../../kmod/text.c"

#define PAGES	3	/* of values */
#define SERIES	512

/* Exemplars and pages of services are not looked at here. */
int obs_exemplars_init(const struct obs_limits *limits)
{
	return 0;
}

void obs_exemplars_exit(void)
{
}

int obs_sparse_init(const struct obs_limits *limits)
{
	return 0;
}

void obs_sparse_exit(void)
{
}

unsigned long obs_sparse_pfn(enum obsring_region_id region, unsigned long index)
{
	return 0;
}

static int store_make(struct kunit *test)
{
	const struct obs_limits limits = {
		.series = SERIES, .family_series = 16, .shares = 16,
		.bytes = PAGES * value_page_bytes(false),
	};

	return obs_store_init(&limits);
}

static void store_break(struct kunit *test)
{
	obs_text_exit();
	obs_store_exit();
	/* They outlive the module's store no more than it does. */
	memset(search_from, 0, sizeof(search_from));
	value_bytes = 0;
	charged_bytes = 0;
}

/* ---- Slots --------------------------------------------------------------- */

struct owner {
	struct obs_slots slots;
	u64 mark;
};

/* Mark each slot of each row as its owner's. */
static void mark(const struct owner *o)
{
	unsigned int cpu;
	u64 *row;
	u32 i;

	for (i = 0; i < o->slots.nr; i++) {
		if (o->slots.shared) {
			obs_slots_word(&o->slots)[i] = o->mark;
			continue;
		}
		for_each_possible_cpu(cpu) {
			row = per_cpu_ptr(obs_slots_rows(&o->slots), cpu);
			row[i] = o->mark;
		}
	}
}

static bool marked(const struct owner *o, u64 with)
{
	unsigned int cpu;
	u32 i;

	for (i = 0; i < o->slots.nr; i++) {
		if (o->slots.shared) {
			if (obs_slots_word(&o->slots)[i] != with)
				return false;
			continue;
		}
		for_each_possible_cpu(cpu)
			if (obs_slots_read(&o->slots, i, cpu) != with)
				return false;
	}
	return true;
}

/*
 * Owners of random sizes come and go at random: what is given out is zero in all rows,
 * and nobody else's until it is given back; the limit of bytes is kept.
 */
static void slots_have_one_owner(struct kunit *test)
{
	struct owner *owner = kunit_kcalloc(test, SERIES, sizeof(*owner), GFP_KERNEL);
	u32 i, step, refused = 0;
	int ret;

	KUNIT_ASSERT_NOT_NULL(test, owner);
	for (step = 0; step < 20000; step++) {
		struct owner *o = &owner[get_random_u32() % SERIES];

		if (o->slots.nr) {
			KUNIT_ASSERT_TRUE(test, marked(o, o->mark));
			obs_slots_free(&o->slots);
			o->slots.nr = 0;
			continue;
		}
		ret = obs_slots_alloc(1 + get_random_u32() % 24, step & 1, &o->slots);
		if (ret) {
			KUNIT_ASSERT_EQ(test, ret, -ENOSPC);
			o->slots.nr = 0;
			refused++;
			continue;
		}
		KUNIT_ASSERT_TRUE(test, marked(o, 0));
		o->mark = step + 1;
		mark(o);
	}
	KUNIT_EXPECT_GT(test, refused, 0U);
	KUNIT_EXPECT_LE(test, obs_store_charged_bytes(), PAGES * value_page_bytes(false));
	for (i = 0; i < SERIES; i++)
		KUNIT_ASSERT_TRUE(test, marked(&owner[i], owner[i].mark));
}

static void slots_come_back_whole(struct kunit *test)
{
	struct obs_slots *slots = kunit_kcalloc(test, SLOTS_PER_PAGE, sizeof(*slots), GFP_KERNEL);
	struct obs_slots whole;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, slots);
	for (i = 0; i < SLOTS_PER_PAGE; i++)
		KUNIT_ASSERT_EQ(test, obs_slots_alloc(1, false, &slots[i]), 0);
	KUNIT_EXPECT_EQ(test, values_nr, 1U);
	for (i = 0; i < SLOTS_PER_PAGE; i += 2)
		obs_slots_free(&slots[i]);
	/* Half of it is free, and no two beside each other. */
	KUNIT_ASSERT_EQ(test, obs_slots_alloc(2, false, &whole), 0);
	KUNIT_EXPECT_EQ(test, whole.page, 1U);
	for (i = 1; i < SLOTS_PER_PAGE; i += 2)
		obs_slots_free(&slots[i]);
	KUNIT_ASSERT_EQ(test, obs_slots_alloc(SLOTS_PER_PAGE, false, &whole), 0);
	KUNIT_EXPECT_EQ(test, whole.page, 0U);
	KUNIT_EXPECT_EQ(test, obs_slots_alloc(0, false, &whole), 0);
	KUNIT_EXPECT_EQ(test, whole.nr, 0U);
}

/* ---- Texts --------------------------------------------------------------- */

static void texts_have_one_owner(struct kunit *test)
{
	static u8 text[OBS_TEXT_MAX];
	struct { u32 granule, len; u8 fill; } *o;
	u32 step, refused = 0;
	const void *at;
	int ret;

	o = kunit_kcalloc(test, SERIES, sizeof(*o), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, o);
	for (step = 0; step < 20000; step++) {
		u32 i = get_random_u32() % SERIES;
		u32 len = 1 + get_random_u32() % (step & 7 ? 200 : OBS_TEXT_MAX);

		if (o[i].len) {
			at = obs_region_entry(OBSRING_REGION_TEXT, o[i].granule);
			KUNIT_ASSERT_NULL(test, memchr_inv(at, o[i].fill, o[i].len));
			obs_text_free(o[i].granule, o[i].len);
			o[i].len = 0;
			continue;
		}
		memset(text, step, len);
		ret = obs_text_alloc(text, len, &o[i].granule);
		if (ret) {
			KUNIT_ASSERT_EQ(test, ret, -ENOSPC);
			refused++;
			continue;
		}
		o[i].len = len;
		o[i].fill = step;
	}
	KUNIT_EXPECT_GT(test, refused, 0U);
}

/* ---- Entries and the journal --------------------------------------------- */

static void generations(struct kunit *test)
{
	u32 gen = U32_MAX - 1, begun;

	KUNIT_EXPECT_FALSE(test, obs_gen_alive(gen));
	obs_entry_publish(&gen);
	begun = obs_entry_begin(&gen);
	KUNIT_EXPECT_TRUE(test, obs_gen_alive(begun));
	KUNIT_EXPECT_TRUE(test, obs_entry_end(&gen, begun));
	obs_entry_retire(&gen);
	KUNIT_EXPECT_EQ(test, gen, 0U);
	KUNIT_EXPECT_FALSE(test, obs_gen_alive(gen));
	KUNIT_EXPECT_FALSE(test, obs_entry_end(&gen, begun));
	obs_entry_publish(&gen);
	KUNIT_EXPECT_TRUE(test, obs_gen_alive(gen));
	KUNIT_EXPECT_FALSE(test, obs_entry_end(&gen, begun));
}

static void journal(struct kunit *test)
{
	u64 *ring = obs_region_page(OBSRING_REGION_JOURNAL, 0), *changes;
	u32 nr = region_of(OBSRING_REGION_JOURNAL)->nr, i;
	u64 seen = obs_journal_pos(obs_header), end;

	changes = kunit_kcalloc(test, nr, sizeof(*changes), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, changes);
	KUNIT_EXPECT_TRUE(test, obs_journal_quiet(obs_header, seen));
	for (i = 0; i < nr - 1; i++)
		obs_store_tell(i & 1 ? OBSRING_REGION_SERIES : OBSRING_REGION_FAMILIES, i);
	KUNIT_EXPECT_FALSE(test, obs_journal_quiet(obs_header, seen));
	end = obs_journal_pos(obs_header);
	KUNIT_ASSERT_EQ(test, end - seen, (u64)nr - 1);
	KUNIT_ASSERT_TRUE(test, obs_journal_copy(obs_header, ring, nr, seen, end, changes));
	for (i = 0; i < nr - 1; i++) {
		KUNIT_ASSERT_EQ(test, obs_journal_index(changes[i]), (u64)i);
		KUNIT_ASSERT_EQ(test, obs_journal_table(changes[i]),
				(u32)(i & 1 ? OBSRING_REGION_SERIES : OBSRING_REGION_FAMILIES));
	}
	/* One more, and the oldest may be half overwritten. */
	obs_store_tell(OBSRING_REGION_SERIES, 0);
	KUNIT_EXPECT_FALSE(test, obs_journal_copy(obs_header, ring, nr, seen, end, changes));
	KUNIT_EXPECT_TRUE(test, obs_journal_copy(obs_header, ring, nr, seen + 1, end, changes));
}

/* ---- What can be mapped -------------------------------------------------- */

static void only_pages_that_are_there(struct kunit *test)
{
	struct obs_slots slots, word;
	unsigned long pfn, page, nr;
	const void *at;
	u64 first;
	u32 cpu;

	KUNIT_ASSERT_EQ(test, obs_store_pfn(0, &pfn), 0);
	KUNIT_EXPECT_EQ(test, pfn, obs_store_pfn_of(obs_header));
	KUNIT_ASSERT_EQ(test, obs_slots_alloc(1, false, &slots), 0);
	KUNIT_ASSERT_EQ(test, obs_slots_alloc(1, true, &word), 0);
	first = region_of(OBSRING_REGION_VALUES)->offset >> PAGE_SHIFT;
	nr = region_of(OBSRING_REGION_VALUES)->size >> PAGE_SHIFT;
	for (page = 0; page < nr; page++) {
		cpu = page % nr_cpu_ids;
		if (page / nr_cpu_ids == slots.page && cpu_possible(cpu)) {
			at = per_cpu_ptr(values[slots.page]->rows, cpu);
			KUNIT_EXPECT_EQ(test, obs_store_pfn(first + page, &pfn), 0);
			KUNIT_EXPECT_EQ(test, pfn, obs_store_pfn_of(at));
		} else if (page / nr_cpu_ids == word.page && !cpu) {
			KUNIT_EXPECT_EQ(test, obs_store_pfn(first + page, &pfn), 0);
			KUNIT_EXPECT_EQ(test, pfn, obs_store_pfn_of(values[word.page]->word));
		} else {
			KUNIT_EXPECT_EQ(test, obs_store_pfn(first + page, &pfn), -EFAULT);
		}
	}
	first = region_of(OBSRING_REGION_SERIES)->offset >> PAGE_SHIFT;
	KUNIT_EXPECT_EQ(test, obs_store_pfn(first, &pfn), -EFAULT);
	KUNIT_ASSERT_EQ(test, obs_region_grow(OBSRING_REGION_SERIES, 1), 0);
	KUNIT_EXPECT_EQ(test, obs_store_pfn(first, &pfn), 0);
	KUNIT_EXPECT_EQ(test, obs_store_pfn(first + 1, &pfn), -EFAULT);
	KUNIT_EXPECT_EQ(test, obs_store_pfn(U64_MAX >> PAGE_SHIFT, &pfn), -EFAULT);
	KUNIT_EXPECT_EQ(test, obs_region_grow(OBSRING_REGION_SERIES, SERIES + 1000), -ENOSPC);
}

static void ranges(struct kunit *test)
{
	struct obsring_region *last = region_of(OBSRING_REGION_MAX);
	int i;

	KUNIT_EXPECT_TRUE(test, obs_store_range_valid(0, PAGE_SIZE));
	KUNIT_EXPECT_FALSE(test, obs_store_range_valid(0, 2 * PAGE_SIZE));
	KUNIT_EXPECT_FALSE(test, obs_store_range_valid(0, U64_MAX & PAGE_MASK));
	KUNIT_EXPECT_FALSE(test, obs_store_range_valid(U64_MAX & PAGE_MASK, PAGE_SIZE));
	KUNIT_EXPECT_FALSE(test, obs_store_range_valid(last->offset + last->size, PAGE_SIZE));
	for (i = 0; i <= OBSRING_REGION_MAX; i++) {
		struct obsring_region *region = region_of(i);

		if (!region->size)
			continue;
		KUNIT_EXPECT_TRUE(test, obs_store_range_valid(region->offset, region->size));
		KUNIT_EXPECT_FALSE(test, obs_store_range_valid(region->offset,
							       region->size + PAGE_SIZE));
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(slots_have_one_owner),
	KUNIT_CASE(slots_come_back_whole),
	KUNIT_CASE(texts_have_one_owner),
	KUNIT_CASE(generations),
	KUNIT_CASE(journal),
	KUNIT_CASE(only_pages_that_are_there),
	KUNIT_CASE(ranges),
	{}
};

static struct kunit_suite suite = {
	.name = "obsring-store",
	.init = store_make,
	.exit = store_break,
	.test_cases = cases,
};

kunit_test_suite(suite);
