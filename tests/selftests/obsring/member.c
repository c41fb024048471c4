// SPDX-License-Identifier: MIT
/*
 * A member that means no good: what it may map, who else may, what it can't do to
 * others, and that all goes with it. On the ioctls, below the library.
 */
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "service.h"
#include "test.h"

#define SERVICE	"hostile"
#define ME	0

FIXTURE(member)
{
	struct obs_control *control;
	int device;
	struct obsring_attach attach;
	uint8_t *base;
	size_t page;
};

static int attach(int device, const char *name, struct obsring_attach *ret_attach)
{
	struct obsring_attach attach = { .size = sizeof(attach) };

	strcpy(attach.name, name);
	if (ioctl(device, OBSRING_IOC_ATTACH, &attach))
		return -errno;
	*ret_attach = attach;
	return 0;
}

static uint8_t *map(const struct obsring_attach *attach)
{
	return mmap(NULL, attach->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		    attach->fd, 0);
}

FIXTURE_SETUP(member)
{
	ASSERT_EQ(0, obs_control_open(&self->control));
	services_clear(self->control);
	self->page = (size_t)getpagesize();
	self->device = open(OBSRING_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->device);
	ASSERT_EQ(0, attach(self->device, SERVICE, &self->attach));
	self->base = map(&self->attach);
	ASSERT_NE(MAP_FAILED, self->base);
}

FIXTURE_TEARDOWN(member)
{
	munmap(self->base, self->attach.map_bytes);
	close(self->attach.fd);
	close(self->device);
	services_clear(self->control);
	obs_control_close(self->control);
}

/* ---- Making series without the library ----------------------------------- */

static char text[512];

/* name, "help", no unit, and a label "l" with a value, if that is not NULL. */
static uint32_t text_make(const char *name, const char *value)
{
	size_t n = (size_t)sprintf(text, "%s%chelp%c", name, 0, 0) + 1;

	if (value)
		n += (size_t)sprintf(text + n, "l%c%s", 0, value) + 1;
	return (uint32_t)n;
}

static struct obsring_metric metric_make(unsigned int kind, const char *name,
					 const char *value)
{
	return (struct obsring_metric){
		.size = sizeof(struct obsring_metric),
		.kind = (uint8_t)kind,
		.nr_labels = !!value,
		.text_len = text_make(name, value),
		.text = (uintptr_t)text,
	};
}

static int ask(int fd, struct obsring_metric *m)
{
	return ioctl(fd, OBSRING_IOC_METRIC, m) ? -errno : 0;
}

static int counter_make(int fd, const char *name, const char *value,
			struct obsring_metric *m)
{
	*m = metric_make(OBSRING_KIND_COUNTER, name, value);
	return ask(fd, m);
}

static int gauge_make(int fd, const char *name, struct obsring_metric *m)
{
	*m = metric_make(OBSRING_KIND_GAUGE, name, NULL);
	return ask(fd, m);
}

static uint64_t *row(const struct obsring_attach *attach, uint8_t *base, uint32_t page,
		     uint32_t cpu)
{
	return (uint64_t *)(base + ((uint64_t)page * (attach->nr_cpus + 1) + cpu) *
			    (uint64_t)getpagesize());
}

static uint64_t *share(const struct obsring_attach *attach, uint8_t *base, uint32_t page)
{
	return (uint64_t *)(base + ((uint64_t)attach->value_pages * (attach->nr_cpus + 1) +
				    page) * (uint64_t)getpagesize());
}

/* ---- Attaching ----------------------------------------------------------- */

TEST_F(member, attach_is_checked)
{
	struct obsring_attach bad = { .size = sizeof(bad), .name = "x" };
	int reading = open(OBSRING_DEVICE, O_RDONLY | O_CLOEXEC);

	EXPECT_EQ(-EINVAL, attach(self->device, "", &bad));
	EXPECT_EQ(-EINVAL, attach(self->device, "a\nb", &bad));
	EXPECT_EQ(-EINVAL, attach(self->device, "\xff", &bad));
	EXPECT_EQ(-EPERM, attach(reading, "x", &bad));
	bad.size = 8;
	EXPECT_EQ(-1, ioctl(self->device, OBSRING_IOC_ATTACH, &bad));
	EXPECT_EQ(EINVAL, errno);
	bad.size = sizeof(bad);
	bad.flags = 1U << 7;
	EXPECT_EQ(-1, ioctl(self->device, OBSRING_IOC_ATTACH, &bad));
	EXPECT_EQ(EINVAL, errno);
	bad.flags = 0;
	memset(bad.name, 'n', sizeof(bad.name));
	EXPECT_EQ(-1, ioctl(self->device, OBSRING_IOC_ATTACH, &bad));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, ioctl(self->device, OBSRING_IOC_ATTACH, NULL));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, ioctl(self->attach.fd, OBSRING_IOC_ATTACH, &bad));
	EXPECT_EQ(ENOTTY, errno);
	EXPECT_TRUE(fcntl(self->attach.fd, F_GETFD) & FD_CLOEXEC);
	close(reading);
}

#if defined(__x86_64__)
/* As a 32-bit program asks. */
TEST_F(member, no_32_bit_programs)
{
	struct obsring_attach *low = mmap(NULL, self->page, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	long r = 54;	/* ioctl */

	ASSERT_NE(MAP_FAILED, low);
	*low = (struct obsring_attach){ .size = sizeof(*low), .name = "x" };
	asm volatile("int $0x80" : "+a" (r)
		     : "b" ((long)self->device), "c" ((long)OBSRING_IOC_ATTACH),
		       "d" (low)
		     : "memory", "r8", "r9", "r10", "r11");
	if (r == -ENOSYS)
		SKIP(return, "this kernel runs no 32-bit programs");
	EXPECT_EQ(-EOPNOTSUPP, r);
}
#endif

/* ---- What may be mapped, and by whom ------------------------------------- */

static int map_as(const struct obsring_attach *a, size_t bytes, int prot, int flags,
		  off_t offset)
{
	void *p = mmap(NULL, bytes, prot, flags, a->fd, offset);

	if (p == MAP_FAILED)
		return -errno;
	munmap(p, bytes);
	return 0;
}

TEST_F(member, mapping_is_checked)
{
	const struct obsring_attach *a = &self->attach;
	size_t bytes = a->map_bytes;
	int rw = PROT_READ | PROT_WRITE;

	EXPECT_EQ(0, map_as(a, bytes, rw, MAP_SHARED, 0));
	EXPECT_EQ(-EINVAL, map_as(a, bytes - self->page, rw, MAP_SHARED, 0));
	EXPECT_EQ(-EINVAL, map_as(a, bytes + self->page, rw, MAP_SHARED, 0));
	EXPECT_EQ(-EINVAL, map_as(a, bytes, rw, MAP_SHARED, (off_t)self->page));
	EXPECT_EQ(-EINVAL, map_as(a, bytes, rw, MAP_PRIVATE, 0));
	EXPECT_EQ(-EPERM, map_as(a, bytes, rw | PROT_EXEC, MAP_SHARED, 0));
	EXPECT_EQ(-1, mprotect(self->base, bytes, rw | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
}

TEST_F(member, mapping_stays_whole)
{
	size_t bytes = self->attach.map_bytes;

	EXPECT_EQ(-1, munmap(self->base, self->page));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, munmap(self->base + self->page, self->page));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, mprotect(self->base, self->page, PROT_READ));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(MAP_FAILED, mremap(self->base, bytes, bytes + self->page, MREMAP_MAYMOVE));
	EXPECT_EQ(MAP_FAILED, mremap(self->base, bytes, self->page, 0));
	EXPECT_EQ(MAP_FAILED, mremap(self->base, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED,
				     self->base + (bytes << 4)));
	EXPECT_EQ(MAP_FAILED, mremap(self->base, 0, bytes, MREMAP_MAYMOVE));
	EXPECT_EQ(0, mprotect(self->base, bytes, PROT_NONE));
	EXPECT_EQ(0, mprotect(self->base, bytes, PROT_READ | PROT_WRITE));
	EXPECT_EQ(1, service_members(self->control, SERVICE, ME));
}

/* Touching @p: the signal that it raised, 0 if none. */
static int touch(volatile uint8_t *p)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		signal(SIGBUS, SIG_DFL);
		signal(SIGSEGV, SIG_DFL);
		*p = 1;
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

TEST_F(member, memory_is_behind_series_alone)
{
	struct obsring_attach *a = &self->attach;
	struct obsring_metric m;

	EXPECT_EQ(SIGBUS, touch(self->base));
	EXPECT_EQ(SIGBUS, touch((uint8_t *)share(a, self->base, 0)));
	ASSERT_EQ(0, counter_make(a->fd, "hostile_total", NULL, &m));
	EXPECT_EQ(0, m.page);
	EXPECT_EQ(0, touch(self->base));
	EXPECT_EQ(0, touch((uint8_t *)row(a, self->base, 0, a->nr_cpus)));
	EXPECT_EQ(SIGBUS, touch((uint8_t *)row(a, self->base, 1, 0)));
	EXPECT_EQ(SIGBUS, touch(self->base + a->map_bytes - self->page));
	ASSERT_EQ(0, gauge_make(a->fd, "hostile_busy", &m));
	EXPECT_TRUE(m.flags & OBSRING_METRIC_SHARES);
	EXPECT_EQ(0, touch((uint8_t *)share(a, self->base, 0)));
}

/* A child of fork is a member: its parent's mapping is its. One of its own is not. */
static int map_in_child(void *arg)
{
	const struct obsring_attach *a = arg;

	return map_as(a, a->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
}

static int make_in_child(void *arg)
{
	const struct obsring_attach *a = arg;
	struct obsring_metric m;

	return counter_make(a->fd, "hostile_total", NULL, &m);
}

TEST_F(member, children_are_members_and_no_more)
{
	EXPECT_EQ(-EPERM, child_run(map_in_child, &self->attach));
	EXPECT_EQ(0, child_run(make_in_child, &self->attach));
}

/* One that got the descriptor, but not the mapping. */
static int make_without_mapping(void *arg)
{
	FIXTURE_DATA(member) *data = arg;

	munmap(data->base, data->attach.map_bytes);
	return make_in_child(&data->attach);
}

TEST_F(member, only_members_make_series)
{
	EXPECT_EQ(-EPERM, child_run(make_without_mapping, self));
}

/* Passed over a socket to a process that is no child. */
static int receive_and_map(int sock, const struct obsring_attach *a)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct obsring_attach theirs = *a;
	struct obsring_metric m;
	int r;

	if (recvmsg(sock, &msg, 0) != 1 || !CMSG_FIRSTHDR(&msg))
		return -EPROTO;
	memcpy(&theirs.fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	r = map_as(&theirs, a->map_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	if (r != -EPERM)
		return r ? r : -EPROTO;
	return counter_make(theirs.fd, "hostile_total", NULL, &m);
}

static int send_fd(int sock, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	return sendmsg(sock, &msg, 0) == 1 ? 0 : -errno;
}

TEST_F(member, a_passed_descriptor_is_nothing)
{
	struct obsring_attach other;
	int sock[2], status;
	pid_t pid;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sock));
	pid = fork();	/* before the service is attached: no member of it */
	if (!pid)
		_exit(receive_and_map(sock[1], &self->attach) == -EPERM ? 0 : 1);
	ASSERT_EQ(0, attach(self->device, "passed", &other));
	ASSERT_EQ(0, send_fd(sock[0], other.fd));
	waitpid(pid, &status, 0);
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, service_members(self->control, "passed", ME));
	close(other.fd);
	close(sock[0]);
	close(sock[1]);
}

/* ---- Malformed requests -------------------------------------------------- */

TEST_F(member, requests_are_checked)
{
	int fd = self->attach.fd;
	struct obsring_metric m, good = metric_make(OBSRING_KIND_COUNTER, "hostile_total", "v");

#define REFUSED(error, change) ({					\
	m = good;							\
	change;								\
	EXPECT_EQ(-(error), ask(fd, &m)); })

	REFUSED(EINVAL, m.size = 4);
	REFUSED(EINVAL, m.kind = 0);
	REFUSED(EINVAL, m.kind = 77);
	REFUSED(EINVAL, m.kind = OBSRING_KIND_INFO);
	REFUSED(EINVAL, m.kind = OBSRING_KIND_STATE);
	REFUSED(EINVAL, m.kind = OBSRING_KIND_HISTOGRAM; m.schema = 9);
	REFUSED(EINVAL, m.kind = OBSRING_KIND_HISTOGRAM; m.schema = -1);
	REFUSED(EINVAL, m.flags = 1U << 31);
	REFUSED(EINVAL, m.flags = OBSRING_METRIC_SET);
	REFUSED(EINVAL, m.nr_labels = 2);
	REFUSED(EINVAL, m.nr_labels = 255);
	REFUSED(EINVAL, m.nr_states = 1);
	REFUSED(EINVAL, m.nr_states = UINT32_MAX);
	REFUSED(EINVAL, m.nr_bounds = 1);
	REFUSED(EINVAL, m.nr_bounds = UINT32_MAX);
	REFUSED(EINVAL, m.exp10 = 1);
	REFUSED(EINVAL, m.text_len = 0);
	REFUSED(EINVAL, m.text_len--);
	REFUSED(EINVAL, m.text_len++);
	REFUSED(EINVAL, m.text_len = UINT32_MAX);
	REFUSED(EINVAL, m.reserved = 1);
	REFUSED(EFAULT, m.text = 8);
	REFUSED(EFAULT, m.text = UINT64_MAX - 3);
	REFUSED(0, (void)m);
	EXPECT_EQ(-1, ioctl(fd, OBSRING_IOC_METRIC, (void *)8));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, ioctl(fd, OBSRING_IOC_SEEN, &m));
	EXPECT_EQ(ENOTTY, errno);
}

/* ---- What it can't do to others ------------------------------------------ */

TEST_F(member, scribbling_changes_its_own_values)
{
	struct obsring_attach *a = &self->attach;
	struct obsring_metric m, g, other_m;
	struct obsring_attach other;
	uint32_t cpu, i, slots = (uint32_t)(self->page / 8);
	uint8_t *base;

	ASSERT_EQ(0, attach(self->device, "neighbour", &other));
	base = map(&other);
	ASSERT_NE(MAP_FAILED, base);
	ASSERT_EQ(0, counter_make(other.fd, "hostile_total", NULL, &other_m));
	row(&other, base, other_m.page, 0)[other_m.slot] = 5;

	ASSERT_EQ(0, counter_make(a->fd, "hostile_total", NULL, &m));
	ASSERT_EQ(0, gauge_make(a->fd, "hostile_busy", &g));
	for (cpu = 0; cpu <= a->nr_cpus; cpu++)
		for (i = 0; i < slots; i++)
			row(a, self->base, m.page, cpu)[i] = UINT64_MAX;
	for (i = 0; i < slots; i++)
		share(a, self->base, g.page)[i] = UINT64_MAX / 2;
	EXPECT_EQ(-(int64_t)(a->nr_cpus + 1),
		  service_value(self->control, "hostile_total", SERVICE, ME, ""));
	EXPECT_EQ(INT64_MAX, service_value(self->control, "hostile_busy", SERVICE, ME, ""));
	EXPECT_EQ(5, service_value(self->control, "hostile_total", "neighbour", ME, ""));
	munmap(base, other.map_bytes);
	close(other.fd);
}

/* ---- Limits, and that all is given back ---------------------------------- */

#define SERIES	20

TEST_F(member, series_are_limited)
{
	struct obsring_metric m = { 0 };
	struct obsring_attach a;
	unsigned int i, nr_own = 0, overflow = 0;
	uint32_t overflow_series = 0;
	uint8_t *base;
	char value[16];

	munmap(self->base, self->attach.map_bytes);
	close(self->attach.fd);
	close(self->device);
	services_clear(self->control);
	obs_control_close(self->control);
	ASSERT_EQ(0, module_reload("max_service_series=8"));
	ASSERT_EQ(0, obs_control_open(&self->control));
	self->device = open(OBSRING_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_EQ(0, attach(self->device, SERVICE, &a));
	base = map(&a);
	ASSERT_NE(MAP_FAILED, base);
	for (i = 0; i < SERIES; i++) {
		sprintf(value, "v%u", i);
		ASSERT_EQ(0, counter_make(a.fd, "hostile_total", value, &m));
		if (m.flags & OBSRING_METRIC_OVERFLOW) {
			EXPECT_TRUE(!overflow++ || m.series == overflow_series);
			overflow_series = m.series;
		} else {
			nr_own++;
		}
	}
	EXPECT_EQ(7, nr_own);	/* and the overflow series */
	EXPECT_EQ(SERIES - 7, overflow);
	EXPECT_EQ(-ENOSPC, gauge_make(a.fd, "hostile_busy", &m));
	EXPECT_EQ(SERVICE_NONE, service_value(self->control, "hostile_busy", SERVICE, ME, ""));
	munmap(base, a.map_bytes);
	close(a.fd);
	close(self->device);
	services_clear(self->control);
	obs_control_close(self->control);
	ASSERT_EQ(0, module_reload(""));
	ASSERT_EQ(0, obs_control_open(&self->control));
	self->device = open(OBSRING_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_EQ(0, attach(self->device, SERVICE, &self->attach));
	self->base = map(&self->attach);
}

TEST_F(member, services_are_limited)
{
	struct obsring_attach a;
	char name[16];
	int r = 0, i;

	for (i = 0; i < 2000 && !r; i++) {
		sprintf(name, "s%d", i);
		r = attach(self->device, name, &a);
		if (!r)
			close(a.fd);
	}
	EXPECT_EQ(-ENOSPC, r);
	EXPECT_EQ(256, i);	/* a quarter, with that of the fixture */
	EXPECT_EQ(0, attach(self->device, "s7", &a));
	close(a.fd);
}

static unsigned int many(void)
{
	const char *s = getenv("OBSRING_MEMBER_CYCLES");

	return s ? (unsigned int)atoi(s) : 4000;
}

static unsigned int attaches(void)
{
	const char *s = getenv("OBSRING_MEMBER_ATTACHES");

	return s ? (unsigned int)atoi(s) : many();
}

/* What the kernel's allocators hold and can't give back, KiB. */
static long kernel_kib(void)
{
	long kib = 0, n;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "SUnreclaim: %ld", &n) == 1 ||
		    sscanf(line, "Percpu: %ld", &n) == 1 ||
		    sscanf(line, "VmallocUsed: %ld", &n) == 1)
			kib += n;
	if (f)
		fclose(f);
	return kib;
}

/* So many times that the smallest object, were it left behind, would show. */
#define MANY		500000
#define SMALLEST_BYTES	8

TEST_F_TIMEOUT(member, attaching_again_and_again, TEST_TIMEOUT_LONG)
{
	unsigned int i, nr = attaches();
	int64_t memory = service_memory(self->control);
	struct obsring_attach a;
	long kib = kernel_kib();

	for (i = 0; i < nr; i++) {
		ASSERT_EQ(0, attach(self->device, SERVICE, &a));
		if (!(i & 7))
			ASSERT_EQ(0, map_as(&a, a.map_bytes, PROT_READ, MAP_SHARED, 0));
		close(a.fd);
	}
	EXPECT_EQ(1, service_members(self->control, SERVICE, ME));
	EXPECT_EQ(memory, service_memory(self->control));
	kib = kernel_kib() - kib;
	TH_LOG("%u times attached; the kernel holds %ld KiB more", nr, kib);
	if (nr >= MANY)
		EXPECT_GT((long)nr / 1024 * SMALLEST_BYTES, kib);
}

/* Address spaces come, add to a gauge and are killed; nothing of them is left. */
TEST_F(member, shares_are_given_back)
{
	unsigned int i, j, nr = many() / 64 + 1, seen = 0;
	struct obsring_metric m, g;
	int64_t memory, value;
	pid_t pid[8];

	ASSERT_EQ(0, gauge_make(self->attach.fd, "hostile_busy", &g));
	ASSERT_EQ(0, counter_make(self->attach.fd, "hostile_total", NULL, &m));
	memory = service_memory(self->control);
	/* On until a value was read while they add. */
	for (i = 0; i < nr || !seen; i++) {
		for (j = 0; j < 8; j++) {
			pid[j] = fork();
			if (pid[j])
				continue;
			for (;;) {
				__atomic_fetch_add(&share(&self->attach, self->base,
							  g.page)[g.slot], 1,
						   __ATOMIC_RELAXED);
				__atomic_fetch_add(&row(&self->attach, self->base, m.page,
							self->attach.nr_cpus)[m.slot], 1,
						   __ATOMIC_RELAXED);
			}
		}
		value = service_value(self->control, "hostile_busy", SERVICE, ME, "");
		seen += value > 0;
		for (j = 0; j < 8; j++) {
			kill(pid[j], SIGKILL);
			waitpid(pid[j], NULL, 0);
		}
		ASSERT_EQ(0, service_value(self->control, "hostile_busy", SERVICE, ME, ""));
	}
	EXPECT_EQ(memory, service_memory(self->control));
	EXPECT_EQ(1, service_members(self->control, SERVICE, ME));
	TH_LOG("%u address spaces, seen adding %u times", i * 8, seen);
}

/* Past max_shares a page in common is given, and that is counted. */
TEST_F(member, shares_are_limited)
{
	struct obsring_attach *a = &self->attach;
	struct obsring_metric g;
	struct view view;
	int64_t refused, i;
	int ready[2], status;
	pid_t pid[20];
	char byte;

	munmap(self->base, a->map_bytes);
	close(a->fd);
	close(self->device);
	services_clear(self->control);
	obs_control_close(self->control);
	ASSERT_EQ(0, module_reload("max_shares=64"));	/* 16 a user */
	ASSERT_EQ(0, obs_control_open(&self->control));
	self->device = open(OBSRING_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_EQ(0, attach(self->device, SERVICE, a));
	self->base = map(a);
	ASSERT_NE(MAP_FAILED, self->base);
	ASSERT_EQ(0, gauge_make(a->fd, "hostile_busy", &g));
	ASSERT_EQ(0, pipe(ready));
	for (i = 0; i < 20; i++) {
		pid[i] = fork();
		if (pid[i])
			continue;
		__atomic_fetch_add(&share(a, self->base, g.page)[g.slot], 1, __ATOMIC_RELAXED);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	for (i = 0; i < 20; i++)
		ASSERT_EQ(1, read(ready[0], &byte, 1));
	EXPECT_EQ(20, service_value(self->control, "hostile_busy", SERVICE, ME, ""));
	ASSERT_EQ(0, view_open(&view));
	refused = metric(&view, "obsring_service_shares_refused_total");
	EXPECT_EQ(4, refused);
	view_close(&view);
	for (i = 0; i < 20; i++) {
		kill(pid[i], SIGKILL);
		waitpid(pid[i], &status, 0);
	}
	EXPECT_EQ(4, service_value(self->control, "hostile_busy", SERVICE, ME, ""));
	munmap(self->base, a->map_bytes);
	close(a->fd);
	close(self->device);
	services_clear(self->control);
	obs_control_close(self->control);
	ASSERT_EQ(0, module_reload(""));
	ASSERT_EQ(0, obs_control_open(&self->control));
	self->device = open(OBSRING_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_EQ(0, attach(self->device, SERVICE, a));
	self->base = map(a);
}

/* The module stays as long as somebody is a member. */
TEST_F(member, module_stays)
{
	EXPECT_EQ(-EWOULDBLOCK, module_unload("obsring"));
	close(self->attach.fd);
	close(self->device);
	obs_control_close(self->control);
	EXPECT_EQ(-EWOULDBLOCK, module_unload("obsring"));
	ASSERT_EQ(0, obs_control_open(&self->control));
	self->device = open(OBSRING_DEVICE, O_RDWR | O_CLOEXEC);
	self->attach.fd = -1;
}

/* ---- Readers of what comes and goes -------------------------------------- */

/*
 * Services come and go with their pages, members with their shares, while a reader
 * has mapped all of it and looks: it never meets a hole, nor a value that is not its
 * series'.
 */
struct watch {
	bool stop;		/* by the writer */
	unsigned int seen;	/* by the reader: values that were their series' */
};

static int read_on(struct watch *watch)
{
	const struct obs_family_info *family;
	const struct obs_series_info *series;
	struct view view;

	if (view_open(&view))
		return -1;
	while (!__atomic_load_n(&watch->stop, __ATOMIC_ACQUIRE)) {
		if (obs_snapshot_update(view.snapshot) < 0)
			return -2;
		family = obs_family_find(view.snapshot, "churn_total");
		series = NULL;
		while (family && (series = obs_series_next(view.snapshot, family, series))) {
			uint64_t value = obs_series_counter(view.snapshot, series);
			uint64_t own = strtoull(series->value[0] + 1, NULL, 10);

			if (value && value != own)
				return -3;
			if (value)
				__atomic_fetch_add(&watch->seen, 1, __ATOMIC_RELAXED);
		}
	}
	view_close(&view);
	return 0;
}

TEST_F(member, readers_meet_no_hole)
{
	struct watch *watch = mmap(NULL, self->page, PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned int i, nr = many() / 40 + 1;
	struct obsring_attach a;
	struct obsring_metric m, g;
	int status;
	char name[16];
	uint8_t *base;
	pid_t pid, ended = 0;

	ASSERT_NE(MAP_FAILED, watch);
	pid = fork();
	if (!pid)
		_exit(-read_on(watch));
	/* On until the reader has met some: it may begin late. */
	for (i = 1; !ended && (i <= nr || !__atomic_load_n(&watch->seen, __ATOMIC_RELAXED)); i++) {
		sprintf(name, "n%u", 1000 + i);
		ASSERT_EQ(0, attach(self->device, name, &a));
		base = map(&a);
		ASSERT_NE(MAP_FAILED, base);
		ASSERT_EQ(0, counter_make(a.fd, "churn_total", NULL, &m));
		ASSERT_EQ(0, gauge_make(a.fd, "churn_busy", &g));
		row(&a, base, m.page, i % a.nr_cpus)[m.slot] = 1000 + i;
		share(&a, base, g.page)[g.slot] = i;
		munmap(base, a.map_bytes);
		close(a.fd);
		if (i > 4) {
			sprintf(name, "n%u", 1000 + i - 4);
			ASSERT_EQ(0, obs_service_delete(self->control, -1, name, ME));
		}
		ended = waitpid(pid, &status, WNOHANG);
	}
	__atomic_store_n(&watch->stop, true, __ATOMIC_RELEASE);
	if (!ended)
		waitpid(pid, &status, 0);
	EXPECT_TRUE(WIFEXITED(status)) TH_LOG("signal %d", WTERMSIG(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	TH_LOG("%u services, %u values seen", i - 1, watch->seen);
	EXPECT_LT(0, watch->seen);
	munmap(watch, self->page);
}

/* ---- Answers that can't be given ------------------------------------------ */

/* A copy in memory that the kernel can read and not write. */
static void *read_only(const void *data, size_t size)
{
	void *copy = mmap(NULL, (size_t)getpagesize(), PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (copy == MAP_FAILED)
		return NULL;
	memcpy(copy, data, size);
	mprotect(copy, (size_t)getpagesize(), PROT_READ);
	return copy;
}

TEST_F(member, an_attach_without_an_answer_makes_no_service)
{
	struct obsring_attach request = { .size = sizeof(request), .name = "unanswered" };
	struct obs_service_info info;
	void *copy = read_only(&request, sizeof(request));

	ASSERT_NE(NULL, copy);
	EXPECT_EQ(-1, ioctl(self->device, OBSRING_IOC_ATTACH, copy));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-ENOENT, service_info(self->control, "unanswered", ME, &info));
	/* To one that is there nothing happens, but for its time. */
	request = self->attach;
	request.flags = OBSRING_ATTACH_TTL;
	request.ttl_s = 1;
	munmap(copy, self->page);
	copy = read_only(&request, sizeof(request));
	ASSERT_NE(NULL, copy);
	EXPECT_EQ(-1, ioctl(self->device, OBSRING_IOC_ATTACH, copy));
	ASSERT_EQ(0, service_info(self->control, SERVICE, ME, &info));
	EXPECT_NE(1, info.ttl_s);
	munmap(copy, self->page);
}

/* Several at once, each finding what another made and is about to take away. */
static void *attach_unanswered(void *arg)
{
	FIXTURE_DATA(member) *data = arg;
	struct obsring_attach request = { .size = sizeof(request), .name = "unanswered" };
	void *copy = read_only(&request, sizeof(request));
	uintptr_t answered = 0;
	unsigned int i, nr = many() / 20 + 1;

	for (i = 0; i < nr; i++)
		answered += ioctl(data->device, OBSRING_IOC_ATTACH, copy) != -1 || errno != EFAULT;
	munmap(copy, data->page);
	return (void *)answered;
}

TEST_F(member, attaches_without_an_answer_make_no_service)
{
	struct obs_service_info info;
	pthread_t thread[4];
	void *answered;
	int i;

	for (i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&thread[i], NULL, attach_unanswered, self));
	for (i = 0; i < 4; i++) {
		ASSERT_EQ(0, pthread_join(thread[i], &answered));
		EXPECT_EQ(NULL, answered);
	}
	EXPECT_EQ(-ENOENT, service_info(self->control, "unanswered", ME, &info));
}

/* The overflow series beside it could have been. */
TEST_F(member, a_metric_that_is_refused_makes_no_series)
{
	struct obs_info before, after;
	struct obs_service_info info;
	struct obsring_metric m;
	char longest[129];

	memset(longest, 'v', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = 0;
	ASSERT_EQ(0, obs_control_info(self->control, &before));
	EXPECT_EQ(-EINVAL, counter_make(self->attach.fd, "t_refused_total", "\xff", &m));
	EXPECT_EQ(-EINVAL, counter_make(self->attach.fd, "t_refused_total", longest, &m));
	ASSERT_EQ(0, service_info(self->control, SERVICE, ME, &info));
	EXPECT_EQ(0, info.series);
	ASSERT_EQ(0, obs_control_info(self->control, &after));
	EXPECT_EQ(before.families, after.families);
	EXPECT_EQ(before.series, after.series);
}

TEST_F(member, a_metric_without_an_answer_makes_no_series)
{
	struct obsring_metric metric, first, again;
	struct obs_service_info info;
	void *copy;

	metric = metric_make(OBSRING_KIND_COUNTER, "t_unanswered_total", "v");
	copy = read_only(&metric, sizeof(metric));
	ASSERT_NE(NULL, copy);
	EXPECT_EQ(-EFAULT, ask(self->attach.fd, copy));
	ASSERT_EQ(0, service_info(self->control, SERVICE, ME, &info));
	EXPECT_EQ(0, info.series);
	EXPECT_EQ(SERVICE_NONE, service_value(self->control, "t_unanswered_total", SERVICE,
					      ME, "v"));
	/* What it had is had again, by the series that come, and all of it stays. */
	ASSERT_EQ(0, counter_make(self->attach.fd, "t_unanswered_total", "v", &first));
	EXPECT_EQ(OBSRING_METRIC_NEW, first.flags);
	metric_make(OBSRING_KIND_COUNTER, "t_unanswered_total", "v");
	EXPECT_EQ(-EFAULT, ask(self->attach.fd, copy));
	ASSERT_EQ(0, counter_make(self->attach.fd, "t_unanswered_total", "v", &again));
	EXPECT_EQ(0, again.flags);
	EXPECT_EQ(first.slot, again.slot);
	ASSERT_EQ(0, service_info(self->control, SERVICE, ME, &info));
	EXPECT_EQ(2, info.series);	/* and its overflow series */
	munmap(copy, self->page);
}

TEST_HARNESS_MAIN
