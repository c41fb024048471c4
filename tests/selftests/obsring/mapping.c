// SPDX-License-Identifier: MIT
/*
 * The mapping's rules: what is refused, what is allowed on purpose, and that
 * nothing can hold on to a page.
 */
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "test.h"

FIXTURE(mapping)
{
	struct obsring_header header;
	size_t page;
	int fd;
};

FIXTURE_SETUP(mapping)
{
	const struct obsring_header *header;

	self->page = (size_t)getpagesize();
	self->fd = open(OBSRING_DEVICE, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	header = mmap(NULL, self->page, PROT_READ, MAP_SHARED, self->fd, 0);
	ASSERT_NE(MAP_FAILED, header);
	self->header = *header;
	munmap((void *)header, self->page);
}

FIXTURE_TEARDOWN(mapping)
{
	close(self->fd);
}

/* 0 if a mapping is made, or -errno. */
static int try_map(int fd, size_t size, int prot, int flags, uint64_t offset)
{
	void *at = mmap(NULL, size, prot, flags, fd, (off_t)offset);

	if (at == MAP_FAILED)
		return -errno;
	munmap(at, size);
	return 0;
}

static void *map(int fd, size_t size, uint64_t offset)
{
	return mmap(NULL, size, PROT_READ, MAP_SHARED, fd, (off_t)offset);
}

/* ---- Where and how ------------------------------------------------------- */

TEST_F(mapping, each_region_whole_and_in_part)
{
	const struct obsring_region *region;
	uint32_t i;

	for (i = 0; i < self->header.nr_regions; i++) {
		region = &self->header.region[i];
		if (!region->size)
			continue;
		EXPECT_EQ(0, try_map(self->fd, region->size, PROT_READ, MAP_SHARED,
				     region->offset));
		EXPECT_EQ(0, try_map(self->fd, self->page, PROT_READ, MAP_SHARED,
				     region->offset));
		EXPECT_EQ(0, try_map(self->fd, self->page, PROT_READ, MAP_SHARED,
				     region->offset + region->size - self->page));
		EXPECT_EQ(0, try_map(self->fd, 1, PROT_READ, MAP_SHARED,
				     region->offset));
		EXPECT_EQ(0, try_map(self->fd, self->page, PROT_NONE, MAP_SHARED,
				     region->offset));
	}
}

TEST_F(mapping, leaving_a_region_is_refused)
{
	const struct obsring_region *region;
	uint64_t end = 0;
	uint32_t i;

	EXPECT_EQ(-EINVAL, try_map(self->fd, 2 * self->page, PROT_READ, MAP_SHARED, 0));
	for (i = 0; i < self->header.nr_regions; i++) {
		region = &self->header.region[i];
		if (!region->size)
			continue;
		end = region->offset + region->size;
		EXPECT_EQ(-EINVAL, try_map(self->fd, region->size + self->page,
					   PROT_READ, MAP_SHARED, region->offset));
		EXPECT_EQ(-EINVAL, try_map(self->fd, 2 * self->page, PROT_READ,
					   MAP_SHARED, end - self->page));
		EXPECT_EQ(-EINVAL, try_map(self->fd, 2 * self->page, PROT_READ,
					   MAP_SHARED, region->offset - self->page));
	}
	EXPECT_EQ(-EINVAL, try_map(self->fd, self->page, PROT_READ, MAP_SHARED, end));
	EXPECT_EQ(-EINVAL, try_map(self->fd, self->page, PROT_READ, MAP_SHARED,
				   1ULL << 46));
	EXPECT_EQ(-EINVAL, try_map(self->fd, 0, PROT_READ, MAP_SHARED, 0));
}

TEST_F(mapping, between_pages_is_refused)
{
	EXPECT_EQ(-EINVAL, try_map(self->fd, self->page, PROT_READ, MAP_SHARED, 1));
	EXPECT_EQ(-EINVAL, try_map(self->fd, self->page, PROT_READ, MAP_SHARED,
				   self->header.region[0].offset + 8));
}

/* Opened for writing, so that it is the module that refuses. */
TEST_F(mapping, only_shared_and_read)
{
	int fd = open(OBSRING_DEVICE, O_RDWR | O_CLOEXEC);
	uint64_t values = self->header.region[OBSRING_REGION_VALUES].offset;
	const uint64_t offset[] = {
		0, self->header.region[0].offset, values,
		self->header.region[OBSRING_REGION_RINGS].offset,
		self->header.region[OBSRING_REGION_LOG].offset,
	};
	size_t i;

	ASSERT_LE(0, fd);
	for (i = 0; i < ARRAY_SIZE(offset); i++) {
		EXPECT_EQ(-EPERM, try_map(fd, self->page, PROT_READ | PROT_WRITE,
					  MAP_SHARED, offset[i]));
		EXPECT_EQ(-EPERM, try_map(fd, self->page, PROT_WRITE, MAP_SHARED,
					  offset[i]));
		EXPECT_EQ(-EPERM, try_map(fd, self->page, PROT_READ | PROT_EXEC,
					  MAP_SHARED, offset[i]));
		EXPECT_EQ(-EINVAL, try_map(fd, self->page, PROT_READ, MAP_PRIVATE,
					   offset[i]));
		EXPECT_EQ(-EPERM, try_map(fd, self->page, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE, offset[i]));
		EXPECT_EQ(-EINVAL, try_map(self->fd, self->page, PROT_READ,
					   MAP_PRIVATE, offset[i]));
		EXPECT_EQ(-EACCES, try_map(self->fd, self->page,
					   PROT_READ | PROT_WRITE, MAP_SHARED,
					   offset[i]));
	}
	close(fd);
}

/* ---- Changing it --------------------------------------------------------- */

TEST_F(mapping, stays_read_only)
{
	int fd = open(OBSRING_DEVICE, O_RDWR | O_CLOEXEC);
	static const int regions[] = {
		OBSRING_REGION_VALUES, OBSRING_REGION_RINGS, OBSRING_REGION_LOG,
	};
	size_t i;
	void *at;

	for (i = 0; i < ARRAY_SIZE(regions); i++) {
		at = map(fd, self->page, self->header.region[regions[i]].offset);
		ASSERT_NE(MAP_FAILED, at);
		EXPECT_EQ(-1, mprotect(at, self->page, PROT_READ | PROT_WRITE));
		EXPECT_EQ(EACCES, errno);
		EXPECT_EQ(-1, mprotect(at, self->page, PROT_WRITE));
		EXPECT_EQ(EACCES, errno);
		EXPECT_EQ(-1, mprotect(at, self->page, PROT_READ | PROT_EXEC));
		EXPECT_EQ(EACCES, errno);
		EXPECT_EQ(0, mprotect(at, self->page, PROT_NONE));
		EXPECT_EQ(0, mprotect(at, self->page, PROT_READ));
		munmap(at, self->page);
	}
	close(fd);
}

TEST_F(mapping, remap_moves_and_shrinks_but_does_not_grow)
{
	const struct obsring_region *region = &self->header.region[0];
	size_t size = 2 * self->page;
	void *at, *target;

	ASSERT_LE(4 * self->page, region->size);
	at = map(self->fd, size, region->offset);
	ASSERT_NE(MAP_FAILED, at);
	EXPECT_EQ(MAP_FAILED, mremap(at, size, 3 * self->page, MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(MAP_FAILED, mremap(at, size, 3 * self->page, 0));
	EXPECT_EQ(EFAULT, errno);

	target = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	at = mremap(at, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, target);
	ASSERT_EQ(target, at);
	EXPECT_EQ(0, memcmp(at, map(self->fd, self->page, region->offset), 64));
	EXPECT_EQ(at, mremap(at, size, self->page, 0));
	EXPECT_EQ(0, memcmp(at, map(self->fd, self->page, region->offset), 64));
	munmap(at, self->page);
}

/* Growth in place is refused even when both pieces are mapped side by side. */
TEST_F(mapping, remap_old_size_zero)
{
	void *at = map(self->fd, self->page, 0);

	ASSERT_NE(MAP_FAILED, at);
	EXPECT_EQ(MAP_FAILED, mremap(at, 0, 2 * self->page, MREMAP_MAYMOVE));
	munmap(at, self->page);
}

TEST_F(mapping, unmap_piece_by_piece)
{
	const struct obsring_region *region = &self->header.region[OBSRING_REGION_JOURNAL];
	char *at = map(self->fd, region->size, region->offset);
	size_t pages = region->size / self->page, i;

	ASSERT_NE(MAP_FAILED, at);
	ASSERT_LE(4, pages);
	/* A hole in the middle, then the ends; what is left can still be read. */
	EXPECT_EQ(0, munmap(at + self->page, self->page));
	EXPECT_EQ(-1, msync(at + self->page, self->page, MS_ASYNC));
	EXPECT_EQ(ENOMEM, errno);
	for (i = 0; i < pages; i++)
		if (i != 1)
			*(volatile char *)(at + i * self->page);
	EXPECT_EQ(0, munmap(at, self->page));
	EXPECT_EQ(0, munmap(at + 2 * self->page, (pages - 2) * self->page));
	EXPECT_EQ(0, try_map(self->fd, region->size, PROT_READ, MAP_SHARED,
			     region->offset));
}

/* ---- fork ---------------------------------------------------------------- */

static int magic_of(void *header)
{
	return ((const struct obsring_header *)header)->magic == OBSRING_MAGIC ? 0 : -1;
}

TEST_F(mapping, fork_inherits)
{
	void *at = map(self->fd, self->page, 0);

	ASSERT_NE(MAP_FAILED, at);
	EXPECT_EQ(0, child_run(magic_of, at));
	/* Not touched by the parent before. */
	munmap(at, self->page);
	at = map(self->fd, self->page, 0);
	EXPECT_EQ(0, child_run(magic_of, at));
	EXPECT_EQ(0, magic_of(at));
	munmap(at, self->page);
}

static int write_to(void *at)
{
	return mprotect(at, 1, PROT_READ | PROT_WRITE) ? -errno : 0;
}

TEST_F(mapping, fork_stays_read_only)
{
	void *at = map(self->fd, self->page, 0);

	ASSERT_NE(MAP_FAILED, at);
	EXPECT_EQ(-EACCES, child_run(write_to, at));
	munmap(at, self->page);
}

TEST_F(mapping, fork_advice)
{
	void *at = map(self->fd, self->page, 0);

	ASSERT_NE(MAP_FAILED, at);
	EXPECT_EQ(0, madvise(at, self->page, MADV_DONTFORK));
	/* Absent in the child, which dies of it. */
	EXPECT_EQ(-EPROTO, child_run(magic_of, at));
	EXPECT_EQ(0, magic_of(at));
	/* Back again or refused, as the kernel has it for such memory. */
	if (madvise(at, self->page, MADV_DOFORK)) {
		EXPECT_EQ(EINVAL, errno);
	} else {
		EXPECT_EQ(0, child_run(magic_of, at));
	}
	munmap(at, self->page);
}

/* ---- Nothing pins a page ------------------------------------------------- */

FIXTURE(pin)
{
	size_t page;
	int fd;
	void *header;
	void *values;
};

FIXTURE_VARIANT(pin)
{
	enum obsring_region_id region;
};

FIXTURE_VARIANT_ADD(pin, values)
{
	.region = OBSRING_REGION_VALUES,
};

FIXTURE_VARIANT_ADD(pin, log)
{
	.region = OBSRING_REGION_LOG,
};

FIXTURE_SETUP(pin)
{
	const struct obsring_header *header;

	self->page = (size_t)getpagesize();
	self->fd = open(OBSRING_DEVICE, O_RDONLY | O_CLOEXEC);
	self->header = map(self->fd, self->page, 0);
	ASSERT_NE(MAP_FAILED, self->header);
	header = self->header;
	self->values = map(self->fd, self->page,
			   header->region[variant->region].offset);
	ASSERT_NE(MAP_FAILED, self->values);
	/* There before anybody tries to take them. */
	*(volatile uint64_t *)self->header;
	*(volatile uint64_t *)self->values;
}

FIXTURE_TEARDOWN(pin)
{
	munmap(self->header, self->page);
	munmap(self->values, self->page);
	close(self->fd);
}

TEST_F(pin, vmsplice)
{
	struct iovec header = { self->header, self->page };
	struct iovec values = { self->values, self->page };
	int pipefd[2];

	ASSERT_EQ(0, pipe(pipefd));
	EXPECT_EQ(-1, vmsplice(pipefd[1], &header, 1, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, vmsplice(pipefd[1], &values, 1, SPLICE_F_GIFT));
	EXPECT_EQ(EFAULT, errno);
	/* A copying read of the same memory is fine. */
	EXPECT_EQ(64, write(pipefd[1], self->values, 64));
	close(pipefd[0]);
	close(pipefd[1]);
}

TEST_F(pin, direct_write)
{
	int disk = open("/dev/vda", O_WRONLY | O_DIRECT | O_CLOEXEC);

	if (disk < 0)
		SKIP(return, "no scratch disk");
	EXPECT_EQ(-1, pwrite(disk, self->values, self->page, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, pwrite(disk, self->header, self->page, 0));
	EXPECT_EQ(EFAULT, errno);
	close(disk);
}

TEST_F(pin, process_vm)
{
	static char buffer[64];
	struct iovec local = { buffer, sizeof(buffer) };
	struct iovec remote = { self->values, sizeof(buffer) };
	ssize_t n = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);

	if (n < 0 && errno == ENOSYS)
		SKIP(return, "this kernel has no process_vm_readv");
	EXPECT_EQ(-1, n);
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, process_vm_writev(getpid(), &local, 1, &remote, 1, 0));
	EXPECT_EQ(EFAULT, errno);
}

TEST_F(pin, mlock_and_populate)
{
	/* Locking takes no page; what is special is passed over. */
	EXPECT_EQ(0, mlock(self->values, self->page));
	EXPECT_EQ(0, munlock(self->values, self->page));
	EXPECT_EQ(OBSRING_MAGIC, *(uint64_t *)self->header);
}

TEST_F(pin, proc_mem)
{
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	uint64_t word = 1, before = *(uint64_t *)self->values;

	ASSERT_LE(0, fd);
	EXPECT_EQ(-1, pwrite(fd, &word, sizeof(word), (off_t)(uintptr_t)self->values));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(-1, pread(fd, &word, sizeof(word), (off_t)(uintptr_t)self->values));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(before, *(uint64_t *)self->values);
	close(fd);
}

TEST_F(pin, ptrace)
{
	long before = *(long *)self->header;
	int status;
	pid_t pid = fork();

	if (!pid) {
		raise(SIGSTOP);
		_exit(*(long *)self->header != before);
	}
	ASSERT_LT(0, pid);
	ASSERT_EQ(pid, waitpid(pid, &status, WUNTRACED));
	ASSERT_EQ(0, ptrace(PTRACE_SEIZE, pid, NULL, NULL));
	ASSERT_EQ(0, ptrace(PTRACE_INTERRUPT, pid, NULL, NULL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(-1, ptrace(PTRACE_POKEDATA, pid, self->header, 0UL));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(0, ptrace(PTRACE_DETACH, pid, NULL, NULL));
	kill(pid, SIGCONT);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(before, *(long *)self->header);
}

/* ---- Beyond what is there ------------------------------------------------ */

static sigjmp_buf bus;

static void on_bus(int signal)
{
	siglongjmp(bus, signal);
}

/* The signal that reading a byte raises, or 0. */
static int touch(const volatile char *at)
{
	struct sigaction action = { .sa_handler = on_bus }, old;
	int got;

	sigaction(SIGBUS, &action, &old);
	got = sigsetjmp(bus, 1);
	if (!got)
		*at;
	sigaction(SIGBUS, &old, NULL);
	return got;
}

static char *map_region(struct _test_data_mapping *self, enum obsring_region_id id)
{
	const struct obsring_region *region = &self->header.region[id];

	return map(self->fd, region->size, region->offset);
}

TEST_F(mapping, directory_beyond_its_entries)
{
	enum obsring_region_id id;

	for (id = OBSRING_REGION_FAMILIES; id < OBSRING_REGION_VALUES; id++) {
		const struct obsring_region *region = &self->header.region[id];
		uint64_t used = (uint64_t)region->nr * region->entry_size;
		char *at = map_region(self, id);

		ASSERT_NE(MAP_FAILED, at);
		ASSERT_EQ(0, used % self->page);
		if (used) {
			EXPECT_EQ(0, touch(at));
			EXPECT_EQ(0, touch(at + used - 1));
		}
		if (used < region->size) {
			EXPECT_EQ(SIGBUS, touch(at + used));
			EXPECT_EQ(SIGBUS, touch(at + region->size - 1));
		}
		munmap(at, region->size);
	}
}

TEST_F(mapping, values_beyond_their_pages)
{
	const struct obsring_region *region = &self->header.region[OBSRING_REGION_VALUES];
	uint64_t used = (uint64_t)region->nr * self->header.nr_cpus * self->page;
	char *at = map_region(self, OBSRING_REGION_VALUES);

	ASSERT_NE(MAP_FAILED, at);
	ASSERT_LT(used, region->size);
	EXPECT_EQ(0, touch(at));
	EXPECT_EQ(SIGBUS, touch(at + used));
	EXPECT_EQ(SIGBUS, touch(at + region->size - 1));
	munmap(at, region->size);
}

static bool cpu_possible(const struct obsring_header *header, uint32_t cpu)
{
	return header->cpu_mask[cpu / 64] >> (cpu % 64) & 1;
}

/* A page of set-type gauges has row 0 alone; no page has a row that no CPU has. */
TEST_F(mapping, impossible_rows)
{
	const struct obsring_region *series = &self->header.region[OBSRING_REGION_SERIES];
	struct obsring_header *header = &self->header;
	char *values = map_region(self, OBSRING_REGION_VALUES);
	struct obsring_series *entry = (void *)map_region(self, OBSRING_REGION_SERIES);
	unsigned int single = 0, many = 0;
	uint32_t i, cpu;

	ASSERT_NE(MAP_FAILED, values);
	ASSERT_NE(MAP_FAILED, entry);
	for (i = 0; i < series->nr; i++) {
		const char *page = values + (size_t)entry[i].page *
				   header->nr_cpus * self->page;

		if (!(entry[i].gen & 1) || !entry[i].nr_slots)
			continue;
		*(entry[i].rows == 1 ? &single : &many) += 1;
		for (cpu = 0; cpu < header->nr_cpus; cpu++) {
			bool there = entry[i].rows == 1 ? !cpu :
				     cpu_possible(header, cpu);

			EXPECT_EQ(there ? 0 : SIGBUS, touch(page + cpu * self->page));
		}
	}
	EXPECT_LT(0, single);
	EXPECT_LT(0, many);
}

/* What was refused becomes readable once it is there, through an old mapping. */
TEST_F(mapping, grows_behind_a_mapping)
{
	const struct obs_family_spec spec = {
		.name = "selftest_mapping_total", .help = "h",
		.kind = OBSRING_KIND_COUNTER, .nr_labels = 1,
		.label = (const char *const[]){ "n" },
	};
	const struct obsring_region *region = &self->header.region[OBSRING_REGION_SERIES];
	uint64_t used = (uint64_t)region->nr * region->entry_size;
	char *at = map_region(self, OBSRING_REGION_SERIES);
	struct obs_control *control;
	char number[16];
	const char *value[] = { number };
	uint32_t i;

	ASSERT_NE(MAP_FAILED, at);
	ASSERT_EQ(0, obs_control_open(&control));
	EXPECT_EQ(SIGBUS, touch(at + used));
	ASSERT_EQ(0, obs_family_add(control, &spec));
	for (i = 0; i < region->nr; i++) {
		snprintf(number, sizeof(number), "%u", i);
		ASSERT_EQ(0, obs_series_add(control, spec.name, value, 1));
	}
	EXPECT_EQ(0, touch(at + used));
	EXPECT_EQ(0, obs_family_delete(control, spec.name));
	/* Memory stays, so that nobody's mapping loses a page. */
	EXPECT_EQ(0, touch(at + used));
	obs_control_close(control);
	munmap(at, region->size);
}

TEST_HARNESS_MAIN
