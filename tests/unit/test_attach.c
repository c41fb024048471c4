// SPDX-License-Identifier: MIT
/*
 * The device's services without the device: /dev/null is opened in its place, and what
 * the library asks of it is answered here, as <linux/obsring.h> has it, with memfds for
 * descriptors of services. (The linker makes ioctl() ours: see the Makefile.)
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <obsring.h>

#define CPUS		8
#define VALUE_PAGES	3
#define SHARE_PAGES	2
#define ROWS		(CPUS + 1)
#define PAGE		((size_t)sysconf(_SC_PAGESIZE))
#define MAP_PAGES	(VALUE_PAGES * ROWS + SHARE_PAGES)

static struct {
	int error;			/* of the next calls */
	unsigned int interrupts;	/* that come first */
	unsigned int attaches, metrics;
	struct obsring_attach attach;	/* as it was asked */
	struct obsring_metric metric;
	char text[512];
	__u64 bounds[8];
	int fd;				/* of the last attach */
	void (*spoil)(struct obsring_attach *attach, struct obsring_metric *metric);
	__u32 page, slot, flags;	/* answers */
} kernel;

static const struct obs_service_options here = { .device = "/dev/null" };
static const struct obs_family_spec counter_spec = { .name = "c_total" };

static int attach_answer(struct obsring_attach *attach)
{
	__atomic_fetch_add(&kernel.attaches, 1, __ATOMIC_RELAXED);
	kernel.attach = *attach;
	attach->fd = memfd_create("service", MFD_CLOEXEC);
	assert_true(attach->fd >= 0);
	assert_int_equal(ftruncate(attach->fd, (off_t)(MAP_PAGES * PAGE)), 0);
	kernel.fd = attach->fd;
	attach->map_bytes = MAP_PAGES * PAGE;
	attach->value_pages = VALUE_PAGES;
	attach->share_pages = SHARE_PAGES;
	attach->service = kernel.attaches;
	attach->nr_cpus = CPUS;
	if (kernel.spoil)
		kernel.spoil(attach, NULL);
	return 0;
}

static __u32 slots_of(const struct obsring_metric *metric)
{
	return metric->kind == OBSRING_KIND_HISTOGRAM ? metric->nr_bounds + 2 : 1;
}

static int metric_answer(struct obsring_metric *metric)
{
	__atomic_fetch_add(&kernel.metrics, 1, __ATOMIC_RELAXED);
	kernel.metric = *metric;
	assert_true(metric->text_len <= sizeof(kernel.text));
	memcpy(kernel.text, (void *)(uintptr_t)metric->text, metric->text_len);
	assert_true(metric->nr_bounds <= 8);
	if (metric->nr_bounds)
		memcpy(kernel.bounds, (void *)(uintptr_t)metric->bounds,
		       metric->nr_bounds * sizeof(__u64));
	if (kernel.slot + slots_of(metric) > PAGE / sizeof(__u64))
		kernel.slot = 0;
	metric->page = kernel.page;
	metric->slot = kernel.slot;
	metric->nr_slots = slots_of(metric);
	metric->flags = kernel.flags | OBSRING_METRIC_NEW;
	kernel.slot += metric->nr_slots;
	metric->series = kernel.slot;
	if (kernel.spoil)
		kernel.spoil(NULL, metric);
	return 0;
}

int __wrap_ioctl(int fd, unsigned long request, void *arg);

int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
	struct stat st;

	if (kernel.interrupts) {
		kernel.interrupts--;
		errno = EINTR;
		return -1;
	}
	errno = kernel.error;
	if (errno)
		return -1;
	errno = ENOTTY;
	if (fstat(fd, &st))
		return -1;
	if (request == OBSRING_IOC_ATTACH)
		return S_ISCHR(st.st_mode) ? attach_answer(arg) : -1;
	if (request != OBSRING_IOC_METRIC || !S_ISREG(st.st_mode))
		return -1;
	errno = EINVAL;
	return ((struct obsring_metric *)arg)->size ? metric_answer(arg) : -1;
}

static int setup(void **state)
{
	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	return 0;
}

static struct obs_service *attached(const char *name)
{
	struct obs_service *service = NULL;

	assert_int_equal(obs_service_attach_with(name, &here, &service), 0);
	return service;
}

/* Where the library keeps the last service's descriptor: the highest that is open. */
static int kept(void)
{
	int fd, highest = -1;

	for (fd = 0; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			highest = fd;
	return highest;
}

static unsigned int nr_open(void)
{
	unsigned int nr = 0;
	int fd;

	for (fd = 0; fd < 1024; fd++)
		nr += fcntl(fd, F_GETFD) >= 0;
	return nr;
}

/* What a process that maps the descriptor sees. */
static __u64 word(int fd, size_t page, size_t slot)
{
	__u64 is;

	assert_int_equal(pread(fd, &is, sizeof(is), (off_t)(page * PAGE + slot * sizeof(is))),
			 sizeof(is));
	return is;
}

/* Of all rows of a page. */
static __u64 sum(int fd, size_t page, size_t slot)
{
	__u64 is = 0;
	size_t row;

	for (row = 0; row < ROWS; row++)
		is += word(fd, page * ROWS + row, slot);
	return is;
}

/* ---- Attaching ----------------------------------------------------------- */

static void test_attach(void **state)
{
	struct obs_service_options ttl = { .device = "/dev/null", .has_ttl = true,
					   .ttl_s = 60 };
	struct obs_service *a, *b, *c;
	unsigned int before = nr_open();

	(void)state;
	a = attached("shop");
	assert_int_equal(kernel.attach.size, sizeof(kernel.attach));
	assert_int_equal(kernel.attach.flags, 0);
	assert_string_equal(kernel.attach.name, "shop");
	assert_string_equal(obs_service_name(a), "shop");
	assert_int_equal(obs_service_uid(a), geteuid());
	/* Of what was opened, the service's descriptor is left, out of the way. */
	assert_int_equal(nr_open(), before + 1);
	assert_true(kept() >= 64);
	assert_true(fcntl(kept(), F_GETFD) & FD_CLOEXEC);

	b = attached("shop");
	assert_ptr_equal(a, b);
	assert_int_equal(kernel.attaches, 1);
	assert_int_equal(obs_service_attach_with("shop", &ttl, &c), 0);
	assert_ptr_equal(a, c);
	assert_int_equal(kernel.attaches, 2);
	assert_int_equal(kernel.attach.flags, OBSRING_ATTACH_TTL);
	assert_int_equal(kernel.attach.ttl_s, 60);
	assert_int_equal(nr_open(), before + 1);
	obs_service_detach(c);
	assert_int_equal(obs_service_attach_with("mart", &ttl, &c), 0);
	assert_ptr_not_equal(a, c);
	assert_int_equal(kernel.attach.flags, OBSRING_ATTACH_TTL);
	obs_service_detach(c);
	obs_service_detach(b);
	assert_int_equal(nr_open(), before + 1);
	obs_service_detach(a);
	assert_int_equal(nr_open(), before);
}

static void test_attach_errors(void **state)
{
	static const struct {
		int error, result;
	} cases[] = {
		{ ENOTTY, -EPROTO }, { EPERM, -EACCES }, { ENOSPC, -ENOSPC },
		{ EMFILE, -EMFILE }, { ENOMEM, -ENOMEM }, { EOPNOTSUPP, -EOPNOTSUPP },
	};
	struct obs_service *service = (void *)1;
	unsigned int before = nr_open();
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		kernel.error = cases[i].error;
		assert_int_equal(obs_service_attach_with("shop", &here, &service),
				 cases[i].result);
		assert_ptr_equal(service, (void *)1);
	}
	assert_int_equal(nr_open(), before);
}

static void no_bytes(struct obsring_attach *attach, struct obsring_metric *metric)
{
	(void)metric;
	attach->map_bytes = 0;
}

static void few_bytes(struct obsring_attach *attach, struct obsring_metric *metric)
{
	(void)metric;
	attach->map_bytes -= PAGE;
}

static void many_pages(struct obsring_attach *attach, struct obsring_metric *metric)
{
	(void)metric;
	attach->value_pages = ~0U;
	attach->nr_cpus = ~0U;
}

static void test_attach_wrong(void **state)
{
	static void (*const spoil[])(struct obsring_attach *attach,
				     struct obsring_metric *metric) = {
		no_bytes, few_bytes, many_pages,
	};
	unsigned int before = nr_open();
	struct obs_service *service;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(spoil) / sizeof(spoil[0]); i++) {
		kernel.spoil = spoil[i];
		assert_int_equal(obs_service_attach_with("shop", &here, &service), -EPROTO);
	}
	assert_int_equal(nr_open(), before);
}

/* ---- Series -------------------------------------------------------------- */

static void test_request(void **state)
{
	static const uint64_t bounds[] = { 5, 10 };
	static const char text[] = "h\0Help.\0seconds\0a\0b\0" "1\0" "2";
	struct obs_family_spec spec = {
		.name = "h", .help = "Help.", .unit = "seconds", .exp10 = -9, .nr_labels = 2,
		.label = (const char *[]){ "a", "b" }, .nr_bounds = 2, .bound = bounds };
	struct obs_service *service = attached("shop");
	struct obs_histogram *histogram;
	struct obs_gauge *gauge;
	struct obs_state *set;

	(void)state;
	kernel.interrupts = 2;
	assert_int_equal(obs_histogram_new(service, &spec, (const char *[]){ "1", "2" },
					   &histogram), 0);
	assert_int_equal(kernel.metric.size, sizeof(kernel.metric));
	assert_int_equal(kernel.metric.kind, OBSRING_KIND_HISTOGRAM);
	assert_int_equal(kernel.metric.nr_labels, 2);
	assert_int_equal(kernel.metric.exp10, -9);
	assert_int_equal(kernel.metric.schema, -1);
	assert_int_equal(kernel.metric.nr_bounds, 2);
	assert_memory_equal(kernel.bounds, bounds, sizeof(bounds));
	assert_int_equal(kernel.metric.text_len, sizeof(text));
	assert_memory_equal(kernel.text, text, sizeof(text));

	spec = (struct obs_family_spec){ .name = "g" };
	kernel.flags = OBSRING_METRIC_SINGLE;
	assert_int_equal(obs_gauge_set_new(service, &spec, NULL, &gauge), 0);
	assert_int_equal(kernel.metric.flags, OBSRING_METRIC_SET);
	assert_int_equal(kernel.metric.text_len, 4);
	assert_memory_equal(kernel.text, "g\0\0", 4);
	spec = (struct obs_family_spec){ .name = "s", .nr_states = 2,
					 .state = (const char *[]){ "off", "on" } };
	assert_int_equal(obs_state_new(service, &spec, NULL, &set), 0);
	assert_int_equal(kernel.metric.flags, 0);
	assert_int_equal(kernel.metric.nr_states, 2);
	assert_memory_equal(kernel.text, "s\0\0\0off\0on", 11);
	assert_int_equal(kernel.metric.text_len, 11);
	obs_service_detach(service);
}

/* Each kind's values are where the module said that they are. */
static void test_places(void **state)
{
	const struct obs_family_spec gauge_spec = { .name = "g" }, set_spec = { .name = "s" };
	struct obs_service *service = attached("shop");
	struct obs_gauge *gauge, *set;
	struct obs_counter *counter;
	int fd = kept();

	(void)state;
	kernel.page = 2;
	kernel.slot = 7;
	assert_int_equal(obs_counter_new(service, &counter_spec, NULL, &counter), 0);
	kernel.page = 1;
	kernel.slot = 3;
	kernel.flags = OBSRING_METRIC_SHARES;
	assert_int_equal(obs_gauge_new(service, &gauge_spec, NULL, &gauge), 0);
	kernel.slot = 9;
	kernel.flags = OBSRING_METRIC_SINGLE;
	assert_int_equal(obs_gauge_set_new(service, &set_spec, NULL, &set), 0);
	obs_counter_add(counter, 5);
	obs_gauge_add(gauge, 11);
	obs_gauge_set(set, 13);
	assert_int_equal(sum(fd, 2, 7), 5);
	assert_int_equal(word(fd, VALUE_PAGES * ROWS + 1, 3), 11);
	assert_int_equal(word(fd, 1 * ROWS + CPUS, 9), 13);
	obs_service_detach(service);
}

static void far_page(struct obsring_attach *attach, struct obsring_metric *metric)
{
	(void)attach;
	metric->page = VALUE_PAGES;
}

static void far_share(struct obsring_attach *attach, struct obsring_metric *metric)
{
	(void)attach;
	metric->flags |= OBSRING_METRIC_SHARES;
	metric->page = SHARE_PAGES;
}

static void far_slot(struct obsring_attach *attach, struct obsring_metric *metric)
{
	(void)attach;
	metric->slot = (__u32)(PAGE / 8);
}

static void many_slots(struct obsring_attach *attach, struct obsring_metric *metric)
{
	(void)attach;
	metric->nr_slots = ~0U;
	metric->slot = 1;
}

static void no_rows(struct obsring_attach *attach, struct obsring_metric *metric)
{
	(void)attach;
	metric->flags |= OBSRING_METRIC_SINGLE;	/* of a counter */
}

/* An answer that leads out of the mapping is not followed. */
static void test_wrong(void **state)
{
	static void (*const spoil[])(struct obsring_attach *attach,
				     struct obsring_metric *metric) = {
		far_page, far_share, far_slot, many_slots, no_rows,
	};
	struct obs_service *service = attached("shop");
	struct obs_counter *counter = NULL;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(spoil) / sizeof(spoil[0]); i++) {
		kernel.spoil = spoil[i];
		assert_int_equal(obs_counter_new(service, &counter_spec, NULL, &counter),
				 -EPROTO);
		assert_null(counter);
	}
	kernel.spoil = NULL;
	assert_int_equal(obs_counter_new(service, &counter_spec, NULL, &counter), 0);
	obs_service_detach(service);
}

/* ---- Descriptors that someone closed ------------------------------------- */

static void test_closed(void **state)
{
	const struct obs_family_spec other = { .name = "d_total" };
	struct obs_service *service = attached("shop");
	struct obs_counter *counter, *none = NULL;
	int fd = kept(), spare = dup(fd);

	(void)state;
	assert_int_equal(obs_counter_new(service, &counter_spec, NULL, &counter), 0);
	close(fd);
	obs_counter_add(counter, 5);
	assert_int_equal(sum(spare, 0, 0), 5);
	assert_int_equal(obs_counter_new(service, &counter_spec, NULL, &counter), 0);
	assert_int_equal(obs_counter_new(service, &other, NULL, &none), -EBADF);
	/* Another file there is not asked, and not closed. */
	assert_int_equal(dup2(STDOUT_FILENO, fd), fd);
	kernel.metrics = 0;
	assert_int_equal(obs_counter_new(service, &other, NULL, &none), -EBADF);
	assert_int_equal(kernel.metrics, 0);
	assert_null(none);
	obs_service_detach(service);
	assert_true(fcntl(fd, F_GETFD) >= 0);
	close(fd);
	close(spare);
}

/* Nor is another service, whose descriptor took the number. */
static void test_taken(void **state)
{
	struct obs_service *shop = attached("shop"), *mart;
	struct obs_counter *counter = NULL;
	int fd = kept();

	(void)state;
	close(fd);
	mart = attached("mart");
	assert_int_equal(kept(), fd);
	assert_int_equal(obs_counter_new(shop, &counter_spec, NULL, &counter), -EBADF);
	assert_null(counter);
	obs_service_detach(shop);
	assert_true(fcntl(fd, F_GETFD) >= 0);
	assert_int_equal(obs_counter_new(mart, &counter_spec, NULL, &counter), 0);
	obs_service_detach(mart);
	assert_true(fcntl(fd, F_GETFD) < 0);
}

/* ---- Threads and children ------------------------------------------------ */

#define THREADS	4
#define ROUNDS	300

static void *comes_and_goes(void *arg)
{
	struct obs_counter *counter;
	struct obs_service *service;
	unsigned int i;

	for (i = 0; i < ROUNDS; i++) {
		if (obs_service_attach_with(arg, &here, &service))
			abort();
		if (obs_counter_new(service, &counter_spec, NULL, &counter))
			abort();
		obs_counter_add(counter, 1);
		obs_service_detach(service);
	}
	return NULL;
}

/* A child that is born while others hold the lock finds it free, and all in order. */
static void child_main(void)
{
	struct obs_counter *counter;
	struct obs_service *service;

	alarm(180);	/* of one that waits for ever */
	if (obs_service_attach_with("shop", &here, &service) ||
	    obs_counter_new(service, &counter_spec, NULL, &counter))
		_exit(1);
	obs_counter_add(counter, 1);
	obs_service_detach(service);
	_exit(0);
}

static void test_fork(void **state)
{
	unsigned int before = nr_open(), i;
	pthread_t thread[THREADS];
	int status;
	pid_t pid;

	(void)state;
	for (i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, comes_and_goes,
						i % 2 ? "shop" : "mart"), 0);
	for (i = 0; i < 50; i++) {
		pid = fork();
		if (!pid)
			child_main();
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(nr_open(), before);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(test_attach),
		TEST(test_attach_errors),
		TEST(test_attach_wrong),
		TEST(test_request),
		TEST(test_places),
		TEST(test_wrong),
		TEST(test_closed),
		TEST(test_taken),
		TEST(test_fork),
	};

	return cmocka_run_group_tests_name("attach", tests, NULL, NULL);
}
