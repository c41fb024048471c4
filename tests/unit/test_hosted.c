// SPDX-License-Identifier: MIT
/*
 * Hosted segments by the public interface: made, counted in by several processes, of
 * which some are killed, full and ended; what the library's inside is asked for is only
 * to set a clock back.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "hosted.h"

/* ---- Making -------------------------------------------------------------- */

static void test_create(void **state)
{
	static const struct obs_segment_options bad[] = {
		{ .max_series = 1 }, { .max_series = 1 << 20 }, { .log_bytes = 5000 },
		{ .log_bytes = 1024 }, { .log_rings = 1 << 20 }, { .mode = 01777 },
	};
	struct stat st;
	size_t i;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	/* All of it is there. */
	assert_true((uint64_t)st.st_blocks * 512 >= (uint64_t)st.st_size);
	assert_int_equal(obs_segment_create(path, NULL), -EEXIST);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(obs_segment_create("/tmp/test_hosted.none", &bad[i]), -EINVAL);
	assert_int_equal(stat("/tmp/test_hosted.none", &st), -1);
	assert_int_equal(obs_segment_create("/nonexistent/x", NULL), -ENOENT);
}

static void test_no_segment(void **state)
{
	const struct obs_service_options options = { .device = path };
	struct obs_service *service;
	int fd;

	(void)state;
	unlink(path);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_int_equal(obs_service_attach_with("s", &options, &service), -EPROTO);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	assert_int_equal(obs_service_attach_with("s", &options, &service), -EPROTO);
	close(fd);
}

/* ---- Counting ------------------------------------------------------------ */

/* A child that counts, says so, and waits to be killed. */
static pid_t child_counts(const struct counted *c, uint64_t n)
{
	int pipes[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (!pid) {
		obs_counter_add(c->counter, n);
		obs_gauge_add(c->gauge, (int64_t)n);
		if (write(pipes[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	close(pipes[1]);
	assert_int_equal(read(pipes[0], &byte, 1), 1);
	close(pipes[0]);
	return pid;
}

static void test_children(void **state)
{
	struct counted c;
	pid_t pid[2];

	(void)state;
	hosted_attach(&c);
	obs_counter_add(c.counter, 1);
	obs_gauge_add(c.gauge, 1);
	pid[0] = child_counts(&c, 10);
	pid[1] = child_counts(&c, 100);
	assert_int_equal(value("work_total", "sell"), 111);
	assert_int_equal(value("work_active", NULL), 111);
	assert_int_equal(value("obsring_service_members", NULL), 3);
	kill(pid[0], SIGKILL);
	assert_int_equal(waitpid(pid[0], NULL, 0), pid[0]);
	assert_int_equal(value("work_total", "sell"), 111);
	assert_int_equal(value("work_active", NULL), 101);
	assert_int_equal(value("obsring_service_members", NULL), 2);
	/* A zombie is no member. */
	kill(pid[1], SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)pid[1], &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	assert_int_equal(value("work_active", NULL), 1);
	waitpid(pid[1], NULL, 0);
	obs_service_detach(c.service);
	assert_int_equal(value("work_total", "sell"), 111);
	assert_int_equal(value("work_active", NULL), 0);
	assert_int_equal(value("obsring_service_members", NULL), 0);
}

static void test_goes_on(void **state)
{
	struct counted c;

	(void)state;
	hosted_attach(&c);
	obs_counter_add(c.counter, 5);
	obs_service_detach(c.service);
	hosted_attach(&c);
	obs_counter_add(c.counter, 5);
	assert_int_equal(value("work_total", "sell"), 10);
	obs_service_detach(c.service);
}

static void test_conflicts(void **state)
{
	struct obs_family_spec spec = gauge_spec;
	struct obs_histogram *histogram;
	struct obs_gauge *gauge;
	struct obs_counter *counter;
	struct counted c;

	(void)state;
	hosted_attach(&c);
	assert_int_equal(obs_gauge_set_new(c.service, &spec, NULL, &gauge), -EINVAL);
	spec.unit = "seconds";
	assert_int_equal(obs_gauge_new(c.service, &spec, NULL, &gauge), -EEXIST);
	/* To Prometheus, work_count would be two. */
	spec = (struct obs_family_spec){ .name = "work", .schema = 1, .max_log2 = 4 };
	assert_int_equal(obs_histogram_new(c.service, &spec, NULL, &histogram), -EEXIST);
	spec = (struct obs_family_spec){ .name = "work.total" };
	assert_int_equal(obs_counter_new(c.service, &spec, NULL, &counter), -EEXIST);
	/* Help may differ. */
	spec = gauge_spec;
	spec.help = "Other.";
	assert_int_equal(obs_gauge_new(c.service, &spec, NULL, &gauge), 0);
	obs_service_detach(c.service);
}

static void test_full(void **state)
{
	struct obs_counter *counter, *overflow = NULL;
	struct counted c;
	char name[16];
	int i, r;

	(void)state;
	hosted_attach(&c);
	for (i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "%d", i);
		r = obs_counter_new(c.service, &counter_spec, (const char *[]){ name },
				    &counter);
		assert_in_range(r, 0, 1);
		if (r && overflow)
			assert_ptr_equal(counter, overflow);
		if (r)
			overflow = counter;
		obs_counter_add(counter, 1);
	}
	assert_non_null(overflow);
	assert_true(value("work_total", "_overflow") > 0);
	assert_int_equal(value("obsring_series_refused_total", "max_series"),
			 value("work_total", "_overflow"));
	assert_int_equal(obs_counter_new(c.service,
					 &(struct obs_family_spec){ .name = "more_total" },
					 NULL, &counter), -ENOSPC);
	obs_service_detach(c.service);
}

/* Two shares: the service's common one, and one for a member. */
static void test_shares_full(void **state)
{
	struct counted c;
	pid_t pid;

	(void)state;
	hosted_attach(&c);
	obs_gauge_add(c.gauge, 1);
	pid = child_counts(&c, 10);
	assert_int_equal(value("work_active", NULL), 11);
	assert_int_equal(value("obsring_service_shares_refused_total", NULL), 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	/* What it added to the common share stays, as the manual says. */
	assert_int_equal(value("work_active", NULL), 11);
	obs_service_detach(c.service);
	assert_int_equal(value("work_active", NULL), 10);
}

/* A program that closes all descriptors counts on, and is no corpse. */
static void test_closed(void **state)
{
	struct obs_counter *counter;
	struct counted c;
	int status;
	pid_t pid;

	(void)state;
	hosted_attach(&c);
	pid = fork();
	if (!pid) {
		close_range(3, ~0U, 0);
		obs_counter_add(c.counter, 7);
		obs_gauge_add(c.gauge, 7);
		if (obs_counter_new(c.service, &counter_spec, (const char *[]){ "buy" },
				    &counter) != -EBADF)
			_exit(1);
		raise(SIGSTOP);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(value("work_total", "sell"), 7);
	assert_int_equal(value("work_active", NULL), 7);
	assert_int_equal(value("obsring_service_members", NULL), 2);
	kill(pid, SIGCONT);
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(value("work_active", NULL), 0);
	obs_service_detach(c.service);
}

/* The same process, and no member any more. */
static void test_exec(void **state)
{
	struct timespec tick = { .tv_nsec = 1000000 };
	struct counted c;
	int input[2];
	pid_t pid;

	(void)state;
	hosted_attach(&c);
	assert_int_equal(pipe2(input, O_CLOEXEC), 0);
	pid = fork();
	if (!pid) {
		obs_counter_add(c.counter, 7);
		obs_gauge_add(c.gauge, 7);
		dup2(input[0], 0);
		execlp("cat", "cat", NULL);
		_exit(1);
	}
	while (value("work_total", "sell") != 7 || value("work_active", NULL))
		nanosleep(&tick, NULL);
	assert_int_equal(value("obsring_service_members", NULL), 1);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	close(input[1]);
	close(input[0]);
	waitpid(pid, NULL, 0);
	obs_service_detach(c.service);
}

/* ---- Services ------------------------------------------------------------ */

/* As if the last member had left so long ago. */
static void age(uint64_t seconds)
{
	struct obs_segment *segment;
	uint32_t index;

	assert_int_equal(obs_segment_open(path, &segment), 0);
	assert_int_equal(obs_segment_lock(segment), 0);
	assert_int_equal(obs_segment_service_find(segment, "shop", geteuid(), &index), 0);
	obs_segment_service(segment, index)->detached_ns -= seconds * 1000000000;
	obs_segment_unlock(segment);
}

static void test_expiry(void **state)
{
	struct counted c;

	(void)state;
	hosted_attach(&c);
	obs_counter_add(c.counter, 5);
	obs_service_detach(c.service);
	age(7 * 24 * 3600 - 60);
	assert_int_equal(value("work_total", "sell"), 5);
	age(60);
	assert_int_equal(value("work_total", "sell"), -1);
	assert_int_equal(value("obsring_service_members", NULL), -1);
	hosted_attach(&c);
	assert_int_equal(value("work_total", "sell"), 0);
	obs_service_detach(c.service);
	assert_int_equal(obs_segment_service_set_ttl(path, "shop", geteuid(), 0), 0);
	age(100 * 365 * 24 * 3600ULL);
	assert_int_equal(value("work_total", "sell"), 0);
}

static int service_take(const struct obs_service_info *service, void *arg)
{
	struct obs_service_info *to = arg;

	*to = *service;
	return 0;
}

static void test_services(void **state)
{
	struct obs_service_info info = { .uid = 1 };
	struct counted c;

	(void)state;
	hosted_attach(&c);
	assert_int_equal(obs_segment_service_list(path, service_take, &info), 0);
	assert_string_equal(info.name, "shop");
	assert_int_equal(info.uid, geteuid());
	assert_int_equal(info.members, 1);
	assert_int_equal(info.detached_ns, 0);
	assert_int_equal(info.ttl_s, 7 * 24 * 3600);
	/* The counter, its overflow series, the gauge. */
	assert_int_equal(info.series, 3);
	assert_int_equal(info.bytes, 3 * 8);
	assert_int_equal(obs_segment_service_delete(path, "shop", geteuid()), -EBUSY);
	obs_service_detach(c.service);
	assert_int_equal(obs_segment_service_delete(path, "shop", geteuid() + 1), -ENOENT);
	assert_int_equal(obs_segment_service_delete(path, "shop", geteuid()), 0);
	assert_int_equal(value("work_total", "sell"), -1);
	assert_int_equal(obs_segment_service_delete(path, "shop", geteuid()), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_create, hosted_setup),
		cmocka_unit_test_setup(test_no_segment, hosted_setup),
		cmocka_unit_test_setup(test_children, hosted_setup),
		cmocka_unit_test_setup(test_goes_on, hosted_setup),
		cmocka_unit_test_setup(test_conflicts, hosted_setup),
		cmocka_unit_test_setup(test_full, hosted_setup_small),
		cmocka_unit_test_setup(test_shares_full, hosted_setup_small),
		cmocka_unit_test_setup(test_closed, hosted_setup),
		cmocka_unit_test_setup(test_exec, hosted_setup),
		cmocka_unit_test_setup(test_expiry, hosted_setup),
		cmocka_unit_test_setup(test_services, hosted_setup),
	};

	return cmocka_run_group_tests_name("hosted", tests, hosted_group_setup,
					   hosted_group_teardown);
}
