// SPDX-License-Identifier: MIT
/*
 * A member that means no good, and limits: that all goes with it, what readers meet of
 * what comes and goes, and answers that can't be given.
 */
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "member.h"

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
