// SPDX-License-Identifier: MIT
/*
 * Writers of a hosted segment, killed at every instruction that stores to it. Behind
 * each, the image of the file, which is what a kill would leave, is read as readers do,
 * made good as the next owner of the lock does, and looked at: nothing is half there,
 * all that changed was told, and the operation can be done again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <obsring.h>
#include <obsring/directory.h>
#include <libobsring/segment.h>

#include "stepped.h"

static const struct obs_segment_options small = {
	.max_series = 64, .value_pages = 2, .max_shares = 4, .log_rings = 1,
	.log_bytes = 4096,
};

/* What is done to a segment, and what must then hold. */
struct operation {
	const char *name;
	void (*prepare)(struct obs_segment *segment);
	void (*run)(struct obs_segment *segment);
	void (*check)(struct obs_segment *segment);
	void (*mended)(struct obs_segment *segment);	/* before it is done again */
};

/* ---- What must hold ------------------------------------------------------ */

static bool family_lives(const struct obs_segment *s, const struct obsring_series *series)
{
	const struct obsring_family *family;

	if (series->family >= obs_segment_families(s))
		return false;
	family = obs_segment_family(s, series->family);
	return obs_gen_alive(family->gen) && family->gen == series->family_gen;
}

static bool has_series(const struct obs_segment *s, uint32_t family)
{
	uint32_t i;

	for (i = 0; i < obs_segment_nr_series(s); i++)
		if (obs_gen_alive(obs_segment_series(s, i)->gen) &&
		    obs_segment_series(s, i)->family == family)
			return true;
	return false;
}

static bool overlap(uint32_t a, uint32_t nr_a, uint32_t b, uint32_t nr_b)
{
	return a < b + nr_b && b < a + nr_a;
}

static uint32_t granules(uint32_t len)
{
	return (len + OBSRING_GRANULE - 1) / OBSRING_GRANULE;
}

static void pair_check(const struct obsring_series *a, const struct obsring_series *b)
{
	require(!overlap(a->text_off, granules(a->text_len), b->text_off,
			 granules(b->text_len)), "two series share text");
	if (a->flags & OBSRING_SERIES_SERVICE && b->flags & OBSRING_SERIES_SERVICE)
		require(a->page != b->page ||
			!overlap(a->slot, a->nr_slots, b->slot, b->nr_slots),
			"two series share slots");
	if (a->flags & b->flags & OBSRING_SERIES_SHARES && a->service == b->service)
		require(a->page != b->page || a->slot != b->slot,
			"two gauges share a slot");
}

/* At rest: behind a kill that was made good. */
static void rest_check(const struct obs_segment *s)
{
	uint32_t nr = obs_segment_nr_series(s), i, j, live = 0;
	const struct obsring_series *series;

	for (i = 0; i < nr; i++) {
		series = obs_segment_series(s, i);
		if (!obs_gen_alive(series->gen))
			continue;
		live++;
		require(family_lives(s, series), "a series has no family");
		for (j = 0; j < i; j++)
			if (obs_gen_alive(obs_segment_series(s, j)->gen))
				pair_check(series, obs_segment_series(s, j));
	}
	for (i = 0; i < obs_segment_families(s); i++)
		require(!obs_gen_alive(obs_segment_family(s, i)->gen) || has_series(s, i),
			"a family has no series");
	require(s->header->series_live == live, "series_live is wrong");
	require(!s->host->intent, "something is still intended");
	for (i = 0; i < s->nr.nr_services; i++)
		require(obs_segment_service(s, i)->state != OBS_HOST_ENDING,
			"a service is half ended");
}

/* Does the journal of @now name each entry whose gen is not that of @then? */
static void told_check(const struct obs_segment *then, const struct obs_segment *now,
		       enum obsring_region_id table)
{
	const struct obs_region *region = &now->view.region[table];
	const __u64 *ring = obs_segment_region(now, OBSRING_REGION_JOURNAL);
	uint32_t nr = now->view.region[OBSRING_REGION_JOURNAL].limit, i;
	__u64 pos, end = now->header->journal_pos;
	const __u32 *a, *b;

	for (i = 0; i < region->limit; i++) {
		a = obs_segment_region(then, table);
		b = obs_segment_region(now, table);
		a += (size_t)i * region->entry_size / sizeof(*a);
		b += (size_t)i * region->entry_size / sizeof(*b);
		if (*a == *b)
			continue;
		for (pos = then->header->journal_pos; pos != end; pos++)
			if (obs_journal_table(ring[pos & (nr - 1)]) == table &&
			    obs_journal_index(ring[pos & (nr - 1)]) == i)
				break;
		require(pos != end, "a change was not told");
	}
}

/* Readers never meet anything that is not whole, made good or not. */
static void reader_check(int fd)
{
	struct obs_snapshot *snapshot;
	struct obs_device *device;
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	require(!obs_device_open(path, &device), "open an image");
	require(!obs_snapshot_new(device, &snapshot), "out of memory");
	require(obs_snapshot_update(snapshot) >= 0, "a reader finds the image damaged");
	obs_snapshot_free(snapshot);
	obs_device_close(device);
}

/* All that changed since @before. */
static void all_told_check(const struct obs_segment *before, const struct obs_segment *now)
{
	told_check(before, now, OBSRING_REGION_FAMILIES);
	told_check(before, now, OBSRING_REGION_SERIES);
	told_check(before, now, OBSRING_REGION_SHARES);
}

struct run {
	const struct operation *operation;
	const struct obs_segment *before, *now;
};

/* As it is now, who began with @before is killed: no lock is held in a copy. */
static void image_check(const void *arg)
{
	const struct run *run = arg;
	const struct operation *operation = run->operation;
	int fd = image_fd(run->now->base, run->now->bytes);
	struct obs_segment *segment;

	segment = segment_of(fd);
	reader_check(fd);
	require(!obs_segment_lock(segment), "the lock can't be had");
	rest_check(segment);
	all_told_check(run->before, segment);
	if (operation->mended)
		operation->mended(segment);
	operation->run(segment);
	operation->check(segment);
	rest_check(segment);
	obs_segment_unlock(segment);
	reader_check(fd);
	obs_segment_free_private(segment);
	close(fd);
}

static const struct operation *stepped_operation;

static void operation_run(struct obs_segment *segment)
{
	if (obs_segment_lock(segment))
		_exit(1);
	stepped_operation->run(segment);
	obs_segment_unlock(segment);
}

static void operation_check(const struct operation *operation)
{
	int fd = obs_segment_create_memfd(&small), old;
	struct obs_segment *segment, *before;
	unsigned int images;

	assert_true(fd >= 0);
	segment = segment_of(fd);
	if (operation->prepare)
		operation->prepare(segment);
	old = image_fd(segment->base, segment->bytes);
	before = segment_of(old);
	stepped_operation = operation;
	images = steps_check(fd, operation_run, image_check,
			     &(struct run){ operation, before, segment });
	assert_true(images > 2);
	rest_check(segment);
	all_told_check(before, segment);
	operation->check(segment);
	obs_segment_free_private(before);
	obs_segment_free_private(segment);
	close(old);
	close(fd);
}

/* ---- Operations ---------------------------------------------------------- */

#define SERVICE	7

static uint32_t metric_get(struct obs_segment *segment, const struct obs_family_spec *spec,
			   const char *value, bool *ret_overflow)
{
	const struct obs_segment_metric metric = {
		.service = SERVICE, .service_name = "s", .uid = 1, .spec = spec,
		.value = &value,
	};
	uint32_t index;

	require(!obs_segment_metric(segment, &metric, &index, ret_overflow),
		"a series can't be made");
	return index;
}

static const char *const label = "op";

static const struct obs_family_spec counter = {
	.name = "a_total", .help = "Help.", .kind = OBSRING_KIND_COUNTER, .nr_labels = 1,
	.label = &label,
};

static void counter_make(struct obs_segment *segment)
{
	bool overflow;

	metric_get(segment, &counter, "x", &overflow);
	require(!overflow, "there was room");
}

/* The family, its overflow series and the series, once each. */
static void counter_check(struct obs_segment *segment)
{
	uint32_t i, nr = 0;

	for (i = 0; i < obs_segment_nr_series(segment); i++)
		nr += obs_gen_alive(obs_segment_series(segment, i)->gen) &&
		      obs_segment_series(segment, i)->service == SERVICE;
	require(nr == 2, "not two series");
}

static const struct obs_family_spec gauge = {
	.name = "b", .help = "Help.", .kind = OBSRING_KIND_GAUGE,
};

static void gauge_make(struct obs_segment *segment)
{
	uint32_t share, member;
	bool overflow;

	metric_get(segment, &gauge, "", &overflow);
	/* Done again, there may be an entry already. */
	for (member = 0; member < segment->nr.nr_members; member++)
		if (segment->mine[member])
			break;
	if (member == segment->nr.nr_members)
		require(!obs_segment_join(segment, SERVICE, &member), "can't join");
	require(!obs_segment_share_get(segment, SERVICE, 0, member, &share), "no share");
	require(obs_segment_owner(segment, share)->owner == member, "another's share");
}

static void gauge_check(struct obs_segment *segment)
{
	uint32_t i, common = 0;

	/* Those of members that died are gone once they are counted. */
	obs_segment_members(segment, SERVICE);
	for (i = 0; i < segment->nr.nr_shares; i++)
		common += obs_gen_alive(obs_segment_share(segment, i)->gen) &&
			  obs_segment_owner(segment, i)->owner == OBS_HOST_COMMON;
	require(common == 1, "not one common share");
}

static void service_make(struct obs_segment *segment)
{
	uint32_t index;

	require(!obs_segment_service_get(segment, "made", 5, &index), "no service");
}

static void service_check(struct obs_segment *segment)
{
	uint32_t i, nr = 0;

	for (i = 0; i < segment->nr.nr_services; i++)
		nr += obs_segment_service(segment, i)->state != OBS_HOST_FREE;
	require(nr == 1, "not one service");
	require(!obs_segment_service_find(segment, "made", 5, &i), "it is not found");
	require(obs_segment_service(segment, i)->members_slot != ~0U, "it shows no members");
}

static void service_prepare(struct obs_segment *segment)
{
	const struct obs_segment_metric metric = {
		.service = 1, .service_name = "made", .uid = 5, .spec = &counter,
		.value = &label,
	};
	bool overflow;
	uint32_t index;

	service_make(segment);
	require(!obs_segment_metric(segment, &metric, &index, &overflow), "no series");
}

static void service_end(struct obs_segment *segment)
{
	uint32_t index;

	if (!obs_segment_service_find(segment, "made", 5, &index))
		obs_segment_service_end(segment, index);
}

static void end_check(struct obs_segment *segment)
{
	uint32_t i;

	for (i = 0; i < obs_segment_nr_series(segment); i++)
		require(!obs_gen_alive(obs_segment_series(segment, i)->gen) ||
			!obs_segment_series(segment, i)->service, "a series is left");
	for (i = 0; i < segment->nr.nr_services; i++)
		require(obs_segment_service(segment, i)->state == OBS_HOST_FREE,
			"the service is left");
}

/* All of it is there, or nothing. */
static void end_mended(struct obs_segment *segment)
{
	uint32_t i, nr = 0;

	for (i = 0; i < obs_segment_nr_series(segment); i++)
		nr += obs_gen_alive(obs_segment_series(segment, i)->gen) &&
		      obs_segment_series(segment, i)->service == 1;
	require(nr == (obs_segment_service_find(segment, "made", 5, &i) ? 0 : 3),
		"a service is half there");
}

/* Killed while making good what another one left: a service half ended. */
static void mend_prepare(struct obs_segment *segment)
{
	struct obsring_series *series;
	uint32_t i;

	service_prepare(segment);
	obs_segment_service(segment, 0)->state = OBS_HOST_ENDING;
	for (i = 0; i < obs_segment_nr_series(segment); i++)
		if (obs_segment_series(segment, i)->service == 1)
			break;
	series = obs_segment_series(segment, i);
	segment->host->intent = OBS_HOST_INTENT | (__u64)OBSRING_REGION_SERIES << 32 | i;
	obs_entry_retire(&series->gen);
	segment->host->busy = 1;
}

static void mend_run(struct obs_segment *segment)
{
	/* The lock has done it. */
	(void)segment;
}

static const struct operation operations[] = {
	{ "counter", NULL, counter_make, counter_check, NULL },
	{ "gauge", NULL, gauge_make, gauge_check, NULL },
	{ "service", NULL, service_make, service_check, NULL },
	{ "end", service_prepare, service_end, end_check, end_mended },
	{ "mend", mend_prepare, mend_run, end_check, end_mended },
};

/* ---- A record ------------------------------------------------------------ */

#define BEFORE	20	/* records: the ring of 64 lines has been round, or not */
#define WORDS	30	/* of each: 5 lines */

static struct obs_ring_writer ring_writer(const struct obs_segment *segment)
{
	struct obsring_ring *ring = obs_segment_region(segment, OBSRING_REGION_RINGS);

	return (struct obs_ring_writer){
		.ring = ring,
		.line = obs_segment_region(segment, OBSRING_REGION_LOG),
		.mask = segment->nr.lines - 1,
		.guard = (__u32)(ring->head >> 32),
	};
}

static void record_write(struct obs_segment *segment)
{
	struct obs_ring_writer writer = ring_writer(segment);
	__u64 word[WORDS] = { 0 };
	uint32_t overwritten;

	require(obs_ring_write(&writer, word, WORDS, &overwritten), "it was refused");
}

/* What a reader gets that began with the ring: records and losses are all there are. */
static uint64_t ring_read(const struct obs_segment *segment, struct obs_ring_cursor *cursor,
			  uint64_t *lost)
{
	struct obs_ring_view view = {
		.ring = obs_segment_region(segment, OBSRING_REGION_RINGS),
		.line = obs_segment_region(segment, OBSRING_REGION_LOG),
		.nr_lines = segment->nr.lines,
	};
	struct obs_ring_peeked peeked;
	enum obs_ring_result result;
	__u64 word[WORDS], missed = 0;
	uint64_t read = 0;

	while ((result = obs_ring_peek(&view, cursor, word, WORDS, &peeked, &missed)) !=
	       OBS_RING_EMPTY) {
		if (result != OBS_RING_RECORD)
			continue;
		obs_ring_next(cursor, &peeked);
		read++;
	}
	*lost += missed;
	return read;
}

struct ring_run {
	const struct obs_segment *now;
	uint64_t records;	/* before the one that is killed */
};

static void ring_check(const void *arg)
{
	const struct ring_run *run = arg;
	struct obs_ring_cursor cursor = {
		.line = OBS_RING_LINE_START, .record = OBS_RING_RECORD_START,
	};
	int fd = image_fd(run->now->base, run->now->bytes);
	struct obs_segment *segment = segment_of(fd);
	struct obsring_ring *ring = obs_segment_region(segment, OBSRING_REGION_RINGS);
	struct obsring_line *line = obs_segment_region(segment, OBSRING_REGION_LOG);
	uint64_t read, lost = 0, begun, killed;

	/* A reader that waits for the one that is not finished ... */
	read = ring_read(segment, &cursor, &lost);
	killed = obs_host_ring_mend(ring, line, segment->nr.lines);
	require(!obs_host_ring_mend(ring, line, segment->nr.lines), "mended twice");
	begun = (__u32)ring->head - OBS_RING_RECORD_START;
	require(begun - run->records <= 1, "more than one was begun");
	require(killed <= begun - run->records, "one is lost that was not begun");
	/* ... goes on behind it, and the next writer too. */
	record_write(segment);
	record_write(segment);
	read += ring_read(segment, &cursor, &lost);
	require(read + lost == begun + 2, "a reader does not get all, or count it");
	require(cursor.record == OBS_RING_RECORD_START + begun + 2, "it is somewhere else");
	obs_segment_free_private(segment);
	close(fd);
}

/* With so many records in the ring before. */
static void record_kill(uint64_t records)
{
	int fd = obs_segment_create_memfd(&small);
	struct obs_segment *segment;
	uint64_t i;

	assert_true(fd >= 0);
	segment = segment_of(fd);
	for (i = 0; i < records; i++)
		record_write(segment);
	/*
	 * Nesting, guard and lines are the writer's own: head, stamps and words are left,
	 * of which two may be stored at once.
	 */
	assert_true(steps_check(fd, record_write, ring_check,
				&(struct ring_run){ segment, records }) > WORDS / 2);
	obs_segment_free_private(segment);
	close(fd);
}

static void test_record(void **state)
{
	uint64_t records;

	(void)state;
	for (records = 0; records < BEFORE; records += 3)
		record_kill(records);
	/* Both counts go round: lines behind 1024, records behind 128. */
	record_kill(127);
	record_kill(128);
	record_kill(204);
}

static void test_operation(void **state)
{
	operation_check(*state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{ "counter", test_operation, NULL, NULL, (void *)&operations[0] },
		{ "gauge", test_operation, NULL, NULL, (void *)&operations[1] },
		{ "service", test_operation, NULL, NULL, (void *)&operations[2] },
		{ "end", test_operation, NULL, NULL, (void *)&operations[3] },
		{ "mend", test_operation, NULL, NULL, (void *)&operations[4] },
		cmocka_unit_test(test_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
