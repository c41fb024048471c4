// SPDX-License-Identifier: MIT
/* The journal, read by the protocol of <obsring/directory.h>. */
#include <sys/mman.h>

#include <obsring/directory.h>

#include "test.h"

static const struct obs_family_spec counter = {
	.name = "t_total", .help = "h", .kind = OBSRING_KIND_COUNTER,
	.nr_labels = 1, .label = (const char *const[]){ "n" },
};

FIXTURE(journal)
{
	struct obs_control *control;
	const struct obsring_header *header;
	const __u64 *ring;
	const struct obsring_series *series;
	__u64 *changes;
	size_t size[2];
	uint32_t nr;
	int fd;
};

FIXTURE_SETUP(journal)
{
	const struct obsring_region *region;

	ASSERT_EQ(0, module_reload("sources=none max_series=64"));
	ASSERT_EQ(0, obs_control_open(&self->control));
	self->fd = open(OBSRING_DEVICE, O_RDONLY | O_CLOEXEC);
	self->header = mmap(NULL, (size_t)getpagesize(), PROT_READ, MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->header);
	region = &self->header->region[OBSRING_REGION_JOURNAL];
	self->nr = region->nr;
	self->size[0] = region->size;
	self->ring = mmap(NULL, region->size, PROT_READ, MAP_SHARED, self->fd,
			  (off_t)region->offset);
	ASSERT_NE(MAP_FAILED, self->ring);
	region = &self->header->region[OBSRING_REGION_SERIES];
	self->size[1] = region->size;
	self->series = mmap(NULL, region->size, PROT_READ, MAP_SHARED, self->fd,
			    (off_t)region->offset);
	ASSERT_NE(MAP_FAILED, self->series);
	self->changes = calloc(self->nr, sizeof(*self->changes));
	ASSERT_EQ(0, obs_family_add(self->control, &counter));
}

FIXTURE_TEARDOWN(journal)
{
	munmap((void *)self->header, (size_t)getpagesize());
	munmap((void *)self->ring, self->size[0]);
	munmap((void *)self->series, self->size[1]);
	close(self->fd);
	free(self->changes);
	obs_control_close(self->control);
	EXPECT_EQ(0, module_reload(""));
}

static int change(struct obs_control *control)
{
	const char *value[] = { "1" };
	int r = obs_series_add(control, counter.name, value, 1);

	return r ? r : obs_series_delete(control, counter.name, value, 1);
}

TEST_F(journal, is_a_ring_that_starts_below_its_wrap)
{
	EXPECT_EQ(0, self->nr & (self->nr - 1));
	EXPECT_LE(512, self->nr);
	EXPECT_LT(OBSRING_JOURNAL_START, self->header->journal_pos);
}

TEST_F(journal, tells_a_birth_and_a_death)
{
	uint64_t seen = obs_journal_pos(self->header);
	const struct obsring_series *entry;
	uint64_t index;

	ASSERT_EQ(0, change(self->control));
	ASSERT_EQ(seen + 2, obs_journal_pos(self->header));
	ASSERT_TRUE(obs_journal_copy(self->header, self->ring, self->nr, seen, seen + 2,
				     self->changes));
	EXPECT_EQ(OBSRING_REGION_SERIES, obs_journal_table(self->changes[0]));
	EXPECT_EQ(self->changes[0], self->changes[1]);
	index = obs_journal_index(self->changes[0]);
	ASSERT_GT(64, index);
	entry = &self->series[index];
	EXPECT_FALSE(obs_gen_alive(entry->gen));
	EXPECT_EQ(1, entry->nr_slots);
}

TEST_F(journal, overrun_is_noticed)
{
	uint64_t seen = obs_journal_pos(self->header);
	uint64_t end;

	do {
		ASSERT_EQ(0, change(self->control));
		end = obs_journal_pos(self->header);
	} while (end - seen < self->nr - 2);
	EXPECT_TRUE(obs_journal_copy(self->header, self->ring, self->nr, seen, end,
				     self->changes));
	ASSERT_EQ(0, change(self->control));
	end = obs_journal_pos(self->header);
	/* The entry that would be overwritten next counts as lost already. */
	EXPECT_FALSE(obs_journal_copy(self->header, self->ring, self->nr, seen, end,
				      self->changes));
	EXPECT_TRUE(obs_journal_copy(self->header, self->ring, self->nr, end - 8, end,
				     self->changes));
	ASSERT_EQ(0, change(self->control));
	end = obs_journal_pos(self->header);
	EXPECT_FALSE(obs_journal_copy(self->header, self->ring, self->nr, seen, end,
				      self->changes));
}

/* The library, asleep over more changes than the ring holds, sees the end. */
TEST_F(journal, library_recovers_from_overrun)
{
	const char *value[] = { "kept" };
	struct view view;
	uint64_t begun;

	ASSERT_EQ(0, view_open(&view));
	EXPECT_EQ(0, metric(&view, counter.name, OBSRING_OVERFLOW_VALUE));
	begun = obs_journal_pos(self->header);
	while (obs_journal_pos(self->header) - begun < 3 * self->nr)
		ASSERT_EQ(0, change(self->control));
	ASSERT_EQ(0, obs_series_add(self->control, counter.name, value, 1));
	ASSERT_EQ(0, obs_series_update(self->control, counter.name, value, 1, 5));
	EXPECT_EQ(1, obs_snapshot_update(view.snapshot));
	EXPECT_EQ(5, metric(&view, counter.name, "kept"));
	EXPECT_EQ(METRIC_NONE, metric(&view, counter.name, "1"));
	view_close(&view);
}

TEST_HARNESS_MAIN
