// SPDX-License-Identifier: MIT
/*
 * A member that means no good: what it may map, who else may, what it can't do to
 * others, and that all goes with it. On the ioctls, below the library.
 */
#include <sys/socket.h>
#include <sys/wait.h>

#include "member.h"

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

TEST_HARNESS_MAIN
