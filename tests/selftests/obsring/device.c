// SPDX-License-Identifier: MIT
/* The device: who opens it, what the header says, ioctl and poll. */
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>

#include "test.h"

#define FAMILY	"selftest_device_total"

FIXTURE(device)
{
	struct obs_control *control;
	const struct obsring_header *header;
	int fd;
};

FIXTURE_SETUP(device)
{
	ASSERT_EQ(0, obs_control_open(&self->control));
	self->fd = open(OBSRING_DEVICE, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	self->header = mmap(NULL, (size_t)getpagesize(), PROT_READ, MAP_SHARED,
			    self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->header);
}

FIXTURE_TEARDOWN(device)
{
	obs_control_set_state(self->control, OBSRING_STATE_RUNNING);
	obs_family_delete(self->control, FAMILY);
	munmap((void *)self->header, (size_t)getpagesize());
	close(self->fd);
	obs_control_close(self->control);
}

/* Something that the journal tells. */
static int change(struct obs_control *control)
{
	static const struct obs_family_spec spec = {
		.name = FAMILY, .help = "h", .kind = OBSRING_KIND_COUNTER,
	};
	int r = obs_family_add(control, &spec);

	return r ? r : obs_family_delete(control, FAMILY);
}

static int seen(int fd, const struct obsring_header *header)
{
	uint64_t pos = header->journal_pos;

	return ioctl(fd, OBSRING_IOC_SEEN, &pos) ? -errno : 0;
}

static short polled(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLPRI | POLLIN | POLLOUT };

	return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

/* ---- Opening ------------------------------------------------------------- */

static int open_device(void *flags)
{
	int fd = open(OBSRING_DEVICE, *(int *)flags | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

TEST_F(device, open_follows_group)
{
	int reading = O_RDONLY, writing = O_RDWR;

	EXPECT_EQ(0, open_device(&reading));
	EXPECT_EQ(-EACCES, nobody_run(0, open_device, &reading));
	EXPECT_EQ(-EACCES, nobody_run(0, open_device, &writing));
	EXPECT_EQ(0, nobody_run(OBSRING_GROUP, open_device, &reading));
	EXPECT_EQ(0, nobody_run(OBSRING_GROUP, open_device, &writing));
}

/* What a system has before its udev rule ran: root's alone. */
TEST_F(device, mode_of_a_new_node)
{
	struct stat st;

	munmap((void *)self->header, (size_t)getpagesize());
	close(self->fd);
	ASSERT_EQ(0, module_unload("obsring"));
	EXPECT_NE(0, stat(OBSRING_DEVICE, &st));
	ASSERT_EQ(0, module_load("obsring", ""));
	EXPECT_EQ(0, stat(OBSRING_DEVICE, &st));
	EXPECT_TRUE(S_ISCHR(st.st_mode));
	EXPECT_EQ(0660, st.st_mode & 07777);
	self->fd = -1;
}

/* ---- The header ---------------------------------------------------------- */

TEST_F(device, header)
{
	const struct obsring_header *header = self->header;
	struct timespec now;
	uint64_t now_ns;
	size_t i;

	clock_gettime(CLOCK_REALTIME, &now);
	now_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	EXPECT_EQ(OBSRING_MAGIC, header->magic);
	EXPECT_EQ(OBSRING_ABI_MAJOR, header->abi_major);
	EXPECT_EQ(OBSRING_ABI_MINOR, header->abi_minor);
	EXPECT_EQ(sizeof(*header), header->header_size);
	EXPECT_EQ(getpagesize(), header->page_size);
	EXPECT_LE(get_nprocs_conf(), header->nr_cpus);
	EXPECT_EQ(OBSRING_REGION_MAX + 1, header->nr_regions);
	EXPECT_NE(0, header->instance);
	EXPECT_LT(now_ns - 86400000000000ULL, header->started_ns);
	EXPECT_GT(now_ns, header->started_ns);
	EXPECT_EQ(OBSRING_STATE_RUNNING, header->state);
	EXPECT_LT(OBSRING_JOURNAL_START, header->journal_pos);
	for (i = 0; i < sizeof(header->reserved) / sizeof(header->reserved[0]); i++)
		EXPECT_EQ(0, header->reserved[i]);
}

TEST_F(device, header_has_every_possible_cpu)
{
	char text[256];
	int first, last;
	uint32_t cpu;

	ASSERT_LT(0, file_read("/sys/devices/system/cpu/possible", text, sizeof(text)));
	if (sscanf(text, "%d-%d\n", &first, &last) != 2)
		last = first = atoi(text);
	EXPECT_EQ(last + 1, self->header->nr_cpus);
	for (cpu = 0; cpu < OBSRING_CPU_MASK_WORDS * 64; cpu++)
		EXPECT_EQ((int)cpu >= first && (int)cpu <= last,
			  self->header->cpu_mask[cpu / 64] >> (cpu % 64) & 1);
}

TEST_F(device, regions_follow_each_other)
{
	const struct obsring_header *header = self->header;
	uint64_t offset = header->page_size;
	uint32_t i;

	for (i = 0; i < header->nr_regions; i++) {
		const struct obsring_region *region = &header->region[i];

		EXPECT_EQ(offset, region->offset);
		EXPECT_EQ(0, region->offset % header->page_size);
		EXPECT_EQ(0, region->size % header->page_size);
		if (i <= OBSRING_REGION_VALUES)
			EXPECT_LT(0, region->size);
		if (i != OBSRING_REGION_VALUES)
			EXPECT_LE((uint64_t)region->nr * region->entry_size,
				  region->size);
		offset += region->size;
	}
	EXPECT_EQ(sizeof(struct obsring_family),
		  header->region[OBSRING_REGION_FAMILIES].entry_size);
	EXPECT_EQ(sizeof(struct obsring_series),
		  header->region[OBSRING_REGION_SERIES].entry_size);
	EXPECT_EQ(OBSRING_GRANULE, header->region[OBSRING_REGION_TEXT].entry_size);
	EXPECT_EQ(8, header->region[OBSRING_REGION_JOURNAL].entry_size);
	EXPECT_EQ(header->page_size, header->region[OBSRING_REGION_VALUES].entry_size);
}

TEST_F(device, instance_changes_with_each_load)
{
	uint64_t instance = self->header->instance;

	munmap((void *)self->header, (size_t)getpagesize());
	close(self->fd);
	ASSERT_EQ(0, module_reload(""));
	self->fd = open(OBSRING_DEVICE, O_RDONLY | O_CLOEXEC);
	self->header = mmap(NULL, (size_t)getpagesize(), PROT_READ, MAP_SHARED,
			    self->fd, 0);
	ASSERT_NE(MAP_FAILED, self->header);
	EXPECT_NE(instance, self->header->instance);
}

/* ---- ioctl --------------------------------------------------------------- */

TEST_F(device, ioctl_errors)
{
	uint64_t pos = self->header->journal_pos;
	uint64_t ahead = pos + 1000000, before = pos - 1;

	EXPECT_EQ(-1, ioctl(self->fd, _IO(0xf7, 99)));
	EXPECT_EQ(ENOTTY, errno);
	EXPECT_EQ(-1, ioctl(self->fd, _IOW(0xf7, 1, uint32_t), &pos));
	EXPECT_EQ(ENOTTY, errno);
	EXPECT_EQ(-1, ioctl(self->fd, OBSRING_IOC_SEEN, NULL));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, ioctl(self->fd, OBSRING_IOC_SEEN, &ahead));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(0, ioctl(self->fd, OBSRING_IOC_SEEN, &before));
	EXPECT_EQ(0, ioctl(self->fd, OBSRING_IOC_SEEN, &pos));
}

/* ---- poll ---------------------------------------------------------------- */

TEST_F(device, poll_tells_changes_until_seen)
{
	ASSERT_EQ(0, seen(self->fd, self->header));
	EXPECT_EQ(0, polled(self->fd));
	ASSERT_EQ(0, change(self->control));
	EXPECT_EQ(POLLPRI, polled(self->fd));
	EXPECT_EQ(POLLPRI, polled(self->fd));
	ASSERT_EQ(0, seen(self->fd, self->header));
	EXPECT_EQ(0, polled(self->fd));
}

TEST_F(device, poll_begins_at_open)
{
	int fd;

	ASSERT_EQ(0, change(self->control));
	fd = open(OBSRING_DEVICE, O_RDONLY | O_CLOEXEC);
	EXPECT_EQ(POLLPRI, polled(self->fd));
	EXPECT_EQ(0, polled(fd));
	close(fd);
}

TEST_F(device, poll_wakes_a_waiter)
{
	struct pollfd p = { .fd = self->fd, .events = POLLPRI };
	pid_t pid;
	int status;

	ASSERT_EQ(0, seen(self->fd, self->header));
	pid = fork();
	if (!pid)
		_exit(poll(&p, 1, AWAIT_SECONDS * 1000) != 1 || p.revents != POLLPRI);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, change(self->control));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

static int epoll_count(int epoll)
{
	struct epoll_event event;

	return epoll_wait(epoll, &event, 1, 0);
}

static int epoll_of(int fd, uint32_t flags)
{
	struct epoll_event event = { .events = EPOLLPRI | flags };
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) ? -1 : epoll;
}

TEST_F(device, epoll_level_triggered)
{
	int epoll = epoll_of(self->fd, 0);

	ASSERT_LE(0, epoll);
	ASSERT_EQ(0, seen(self->fd, self->header));
	EXPECT_EQ(0, epoll_count(epoll));
	ASSERT_EQ(0, change(self->control));
	EXPECT_EQ(1, epoll_count(epoll));
	EXPECT_EQ(1, epoll_count(epoll));
	ASSERT_EQ(0, seen(self->fd, self->header));
	EXPECT_EQ(0, epoll_count(epoll));
	close(epoll);
}

/* Each change wakes, whether or not the one before was seen. */
TEST_F(device, epoll_edge_triggered)
{
	int epoll, i;

	ASSERT_EQ(0, seen(self->fd, self->header));
	epoll = epoll_of(self->fd, EPOLLET);
	ASSERT_LE(0, epoll);
	EXPECT_EQ(0, epoll_count(epoll));
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, change(self->control));
		EXPECT_EQ(1, epoll_count(epoll));
		EXPECT_EQ(0, epoll_count(epoll));
		if (i % 2)
			ASSERT_EQ(0, seen(self->fd, self->header));
	}
	close(epoll);
}

/* ---- Draining ------------------------------------------------------------ */

TEST_F(device, draining)
{
	int reading = O_RDONLY;

	ASSERT_EQ(0, seen(self->fd, self->header));
	ASSERT_EQ(0, obs_control_set_state(self->control, OBSRING_STATE_DRAINING));
	EXPECT_EQ(OBSRING_STATE_DRAINING, self->header->state);
	EXPECT_EQ(POLLHUP, polled(self->fd));
	EXPECT_EQ(-ESHUTDOWN, open_device(&reading));
	/* What is mapped stays. */
	EXPECT_EQ(OBSRING_MAGIC, self->header->magic);

	ASSERT_EQ(0, obs_control_set_state(self->control, OBSRING_STATE_RUNNING));
	EXPECT_EQ(OBSRING_STATE_RUNNING, self->header->state);
	EXPECT_EQ(0, polled(self->fd));
	EXPECT_EQ(0, open_device(&reading));
}

TEST_F(device, draining_wakes_a_waiter)
{
	struct pollfd p = { .fd = self->fd, .events = 0 };
	pid_t pid;
	int status;

	pid = fork();
	if (!pid)
		_exit(poll(&p, 1, AWAIT_SECONDS * 1000) != 1 || p.revents != POLLHUP);
	ASSERT_LT(0, pid);
	ASSERT_EQ(0, obs_control_set_state(self->control, OBSRING_STATE_DRAINING));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_F(device, library_tells_draining)
{
	struct obs_device *device;
	struct view view;

	ASSERT_EQ(0, view_open(&view));
	EXPECT_FALSE(obs_device_draining(view.device));
	ASSERT_EQ(0, obs_control_set_state(self->control, OBSRING_STATE_DRAINING));
	EXPECT_TRUE(obs_device_draining(view.device));
	EXPECT_EQ(-ESHUTDOWN, obs_snapshot_update(view.snapshot));
	EXPECT_EQ(-ESHUTDOWN, obs_device_open(NULL, &device));
	view_close(&view);
}

TEST_HARNESS_MAIN
