// SPDX-License-Identifier: MIT
/* rmmod: in use while a file is open or mapped, or a producer is loaded. */
#include <sys/mman.h>

#include "test.h"

FIXTURE(unload)
{
	size_t page;
};

FIXTURE_SETUP(unload)
{
	self->page = (size_t)getpagesize();
	ASSERT_TRUE(module_loaded("obsring"));
}

FIXTURE_TEARDOWN(unload)
{
	if (!module_loaded("obsring"))
		EXPECT_EQ(0, module_load("obsring", ""));
}

TEST_F(unload, at_rest)
{
	EXPECT_EQ(0, module_unload("obsring"));
	EXPECT_FALSE(module_loaded("obsring"));
	EXPECT_EQ(-ENOENT, module_unload("obsring"));
	EXPECT_NE(0, access(OBSRING_DEVICE, F_OK));
}

TEST_F(unload, while_open)
{
	int fd = open(OBSRING_DEVICE, O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EWOULDBLOCK, module_unload("obsring"));
	close(fd);
	EXPECT_EQ(0, module_unload("obsring"));
}

TEST_F(unload, while_mapped_though_closed)
{
	int fd = open(OBSRING_DEVICE, O_RDONLY | O_CLOEXEC);
	const struct obsring_header *header;

	ASSERT_LE(0, fd);
	header = mmap(NULL, self->page, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, header);
	close(fd);
	EXPECT_EQ(-EWOULDBLOCK, module_unload("obsring"));
	EXPECT_EQ(OBSRING_MAGIC, header->magic);
	munmap((void *)header, self->page);
	EXPECT_EQ(0, module_unload("obsring"));
}

/* A mapping that was split: the module stays until the last piece goes. */
TEST_F(unload, while_a_piece_is_mapped)
{
	struct obsring_region journal;
	const struct obsring_header *header;
	int fd = open(OBSRING_DEVICE, O_RDONLY | O_CLOEXEC);
	char *at;

	ASSERT_LE(0, fd);
	header = mmap(NULL, self->page, PROT_READ, MAP_SHARED, fd, 0);
	journal = header->region[OBSRING_REGION_JOURNAL];
	munmap((void *)header, self->page);
	at = mmap(NULL, journal.size, PROT_READ, MAP_SHARED, fd, (off_t)journal.offset);
	ASSERT_NE(MAP_FAILED, at);
	close(fd);
	munmap(at + self->page, journal.size - 2 * self->page);
	EXPECT_EQ(-EWOULDBLOCK, module_unload("obsring"));
	munmap(at, self->page);
	EXPECT_EQ(-EWOULDBLOCK, module_unload("obsring"));
	munmap(at + journal.size - self->page, self->page);
	EXPECT_EQ(0, module_unload("obsring"));
}

/* The parent's descriptor and mapping are gone, the child's keep the module. */
TEST_F(unload, while_a_child_has_it)
{
	int fd = open(OBSRING_DEVICE, O_RDONLY);
	int go[2], status;
	void *header;
	char byte;
	pid_t pid;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, pipe(go));
	header = mmap(NULL, self->page, PROT_READ, MAP_SHARED, fd, 0);
	ASSERT_NE(MAP_FAILED, header);
	pid = fork();
	if (!pid) {
		close(fd);
		close(go[1]);
		_exit(read(go[0], &byte, 1) != 0 ||
		      *(volatile uint64_t *)header != OBSRING_MAGIC);
	}
	ASSERT_LT(0, pid);
	munmap(header, self->page);
	close(fd);
	EXPECT_EQ(-EWOULDBLOCK, module_unload("obsring"));
	close(go[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, module_unload("obsring"));
}

TEST_F(unload, while_a_snapshot_exists)
{
	struct view view;

	ASSERT_EQ(0, view_open(&view));
	EXPECT_NE(METRIC_NONE, metric(&view, "obsring_memory_bytes", "values"));
	EXPECT_EQ(-EWOULDBLOCK, module_unload("obsring"));
	view_close(&view);
	EXPECT_EQ(0, module_unload("obsring"));
}

TEST_F(unload, while_a_producer_is_loaded)
{
	ASSERT_EQ(0, module_load("obsring_example", ""));
	EXPECT_EQ(-EWOULDBLOCK, module_unload("obsring"));
	ASSERT_EQ(0, module_unload("obsring_example"));
	EXPECT_EQ(0, module_unload("obsring"));
}

/* A control socket is no user: netlink finds the family gone. */
TEST_F(unload, with_a_control_open)
{
	struct obs_control *control, *other;
	struct obs_info info;

	ASSERT_EQ(0, obs_control_open(&control));
	EXPECT_EQ(0, module_unload("obsring"));
	EXPECT_GT(0, obs_control_info(control, &info));
	EXPECT_EQ(-ENOENT, obs_control_open(&other));
	obs_control_close(control);
}

TEST_F(unload, takes_families_and_series_along)
{
	static const struct obs_family_spec spec = {
		.name = "selftest_unload_total", .help = "h",
		.kind = OBSRING_KIND_COUNTER,
	};
	struct obs_control *control;
	struct view view;

	ASSERT_EQ(0, obs_control_open(&control));
	ASSERT_EQ(0, obs_family_add(control, &spec));
	ASSERT_EQ(0, obs_series_add(control, spec.name, NULL, 0));
	obs_control_close(control);
	ASSERT_EQ(0, module_reload(""));
	ASSERT_EQ(0, view_open(&view));
	EXPECT_EQ(METRIC_NONE, metric(&view, spec.name));
	view_close(&view);
}

TEST_F(unload, again_and_again)
{
	int i;

	for (i = 0; i < 20; i++)
		ASSERT_EQ(0, module_reload(""));
}

static const char *const bad_parameters[] = {
	"max_series=63", "max_series=1048577", "max_series=none",
	"max_series_per_family=1", "max_bytes=1", "max_bytes=-1",
	"max_bytes=2199023255552", "sources=tasks", "sources=task,no_such_source",
	"max_series=",
};

TEST_F(unload, bad_parameters_are_refused)
{
	size_t i;

	ASSERT_EQ(0, module_unload("obsring"));
	for (i = 0; i < ARRAY_SIZE(bad_parameters); i++) {
		int r = module_load("obsring", bad_parameters[i]);

		EXPECT_GT(0, r)
			TH_LOG("%s was accepted", bad_parameters[i]);
		if (!r)
			EXPECT_EQ(0, module_unload("obsring"));
	}
}

TEST_F(unload, extreme_parameters_are_served)
{
	static const char *const parameters[] = {
		"max_series=64 sources=none", "max_series=1048576", "max_series_per_family=2",
		"max_series_per_family=4294967295", "sources=none", "sources=all max_bytes=4194304",
		"sources=", "sources=syscall,irq,runqueue", "max_bytes=1099511627776",
	};
	struct obs_control *control;
	struct obs_info info;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(parameters); i++) {
		ASSERT_EQ(0, module_reload(parameters[i]))
			TH_LOG("%s", parameters[i]);
		ASSERT_EQ(0, obs_control_open(&control));
		EXPECT_EQ(0, obs_control_info(control, &info));
		obs_control_close(control);
	}
	EXPECT_EQ(0, module_reload(""));
}

TEST_HARNESS_MAIN
