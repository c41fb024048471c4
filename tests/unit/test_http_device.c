// SPDX-License-Identifier: MIT
/*
 * The daemon over loopback: how it follows a device that comes, drains, is replaced and
 * goes, and which of its families it shows beside its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "obsringd/log.h"
#include "server.h"

/* ---- The device's life --------------------------------------------------- */

static void test_comes_and_goes(void **state)
{
	struct segment *segment = segment_with(7);
	struct server server;

	(void)state;
	server_start(&server);
	assert_int_equal(scrape(&server, "", "No such file or directory "
				"(the obsring module is not loaded)\n"), 503);
	assert_int_equal(status_of(&server, "GET", "/-/ready"), 503);
	assert_int_equal(status_of(&server, "GET", "/-/healthy"), 200);
	assert_false(device_mapped());

	/* Nobody scrapes: seen in its directory. */
	device_put(&server, segment);
	wait_mapped(true);
	assert_int_equal(status_of(&server, "GET", "/-/ready"), 200);
	assert_int_equal(scrape(&server, "", "7\n"), 200);

	assert_int_equal(unlink(server.path), 0);
	wait_mapped(false);
	assert_int_equal(scrape(&server, "", "not ready: "), 503);

	device_put(&server, segment);
	assert_int_equal(scrape(&server, "", "{code=\"503\"} "
				"                   3\n"), 200);
	server_stop(&server);
	assert_false(device_mapped());
	segment_free(segment);
}

static void test_drains(void **state)
{
	struct segment *segment = segment_with(7);
	struct server server;

	(void)state;
	server_start(&server);
	device_put(&server, segment);
	wait_mapped(true);
	segment_set_state(segment, OBSRING_STATE_DRAINING);
	assert_int_equal(scrape(&server, "", "(the obsring module is being unloaded)\n"),
			 503);
	assert_false(device_mapped());
	assert_int_equal(status_of(&server, "GET", "/-/ready"), 503);
	segment_set_state(segment, OBSRING_STATE_RUNNING);
	assert_int_equal(status_of(&server, "GET", "/-/ready"), 200);
	assert_int_equal(scrape(&server, OM, "7\n"), 200);
	server_stop(&server);
	segment_free(segment);
}

/* A pipe hangs up in the place of the device, which a segment can't do. */
static void test_hangup_unmaps_without_a_scrape(void **state)
{
	struct segment *segment = segment_with(7);
	struct epoll_event event = { 0 };
	struct server server;
	int fd[2];

	(void)state;
	server_start(&server);
	device_put(&server, segment);
	wait_mapped(true);
	assert_int_equal(pipe(fd), 0);
	event.data.ptr = &server.daemon.collector;
	assert_int_equal(epoll_ctl(server.daemon.watch.epoll, EPOLL_CTL_ADD, fd[0], &event), 0);
	close(fd[1]);
	wait_mapped(false);
	assert_int_equal(epoll_ctl(server.daemon.watch.epoll, EPOLL_CTL_DEL, fd[0], NULL), 0);
	close(fd[0]);
	server_stop(&server);
	segment_free(segment);
}

static void test_replaced(void **state)
{
	struct segment *old = segment_with(1), *new = segment_with(2);
	struct timespec deadline = patience();
	struct server server;
	struct answer answer;
	bool seen = false;

	(void)state;
	server_start(&server);
	device_put(&server, old);
	assert_int_equal(scrape(&server, "", "1\n"), 200);
	assert_int_equal(scrape(&server, OM, "1\n"), 200);
	device_put(&server, new);
	while (!seen) {
		assert_int_equal(ask(&server, "GET", "/metrics", "", &answer), 200);
		seen = says(answer.body, "demo_total", "2\n");
		answer_free(&answer);
		assert_true(seen || before(&deadline));
	}
	assert_int_equal(scrape(&server, OM, "2\n"), 200);
	server_stop(&server);
	segment_free(old);
	segment_free(new);
}

static void test_not_a_device(void **state)
{
	struct server server;
	FILE *file;

	(void)state;
	server_start(&server);
	file = fopen(server.path, "w");
	assert_non_null(file);
	fputs("hello\n", file);
	fclose(file);
	assert_int_equal(scrape(&server, "", "(not an obsring device, or damaged)\n"),
			 503);
	server_stop(&server);
}

/* Standard error goes to a file: it. What it was goes to @ret_saved. */
static int stderr_keep(int *ret_saved)
{
	int log = memfd_create("log", MFD_CLOEXEC);

	*ret_saved = dup(STDERR_FILENO);
	assert_true(log >= 0 && *ret_saved >= 0);
	dup2(log, STDERR_FILENO);
	return log;
}

/* Back again: how often does what was kept have @string? */
static unsigned int stderr_count(int log, int saved, const char *string)
{
	char text[8192] = "", *at = text;
	unsigned int nr = 0;

	dup2(saved, STDERR_FILENO);
	close(saved);
	assert_true(pread(log, text, sizeof(text) - 1, 0) >= 0);
	close(log);
	for (; (at = strstr(at, string)); at++)
		nr++;
	return nr;
}

/* A device that can be opened but not read is not ready, and the log says it once. */
static void test_damaged_device(void **state)
{
	struct segment *segment = segment_with(1);
	struct server server;
	int i, log, saved;

	(void)state;
	segment_family(segment, 0)->kind = OBSRING_KIND_MAX + 1;
	log_setup(LEVEL_INFO, LOG_LOGFMT);
	log = stderr_keep(&saved);
	server_start(&server);
	device_put(&server, segment);
	for (i = 0; i < 3; i++) {
		assert_int_equal(scrape(&server, "", "not an obsring device, or damaged"),
				 503);
		assert_int_equal(status_of(&server, "GET", "/-/ready"), 503);
	}
	segment_family(segment, 0)->kind = OBSRING_KIND_COUNTER;
	assert_int_equal(status_of(&server, "GET", "/-/ready"), 200);
	server_stop(&server);
	log_setup(LEVEL_ERROR, LOG_LOGFMT);
	assert_int_equal(stderr_count(log, saved, " device="), 3);
	segment_free(segment);
}

/* ---- Names --------------------------------------------------------------- */

/*
 * The daemon's own names are its own, under any spelling: a family that would
 * bring one of them again, as its name or as a sample's, is left out.
 */
static void test_own_names_win(void **state)
{
	static const struct {
		const char *name;
		enum obsring_kind kind;
	} taken[] = {
		{ "process.threads", OBSRING_KIND_GAUGE },
		{ "obsringd_http_requests", OBSRING_KIND_COUNTER },
		{ "obsringd_http_requests", OBSRING_KIND_GAUGE },
		{ "obsringd_http_requests_total", OBSRING_KIND_GAUGE },
		{ "obsringd_http_requests_created", OBSRING_KIND_GAUGE },
		{ "obsring_build", OBSRING_KIND_INFO },
	}, left[] = {
		{ "obsringd_http", OBSRING_KIND_COUNTER },
		{ "obsringd_http_requests_sum", OBSRING_KIND_GAUGE },
		{ "demo_long", OBSRING_KIND_HISTOGRAM },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (!self_has(taken[i].kind, taken[i].name))
			fail_msg("%s is not taken", taken[i].name);
	for (i = 0; i < sizeof(left) / sizeof(left[0]); i++)
		if (self_has(left[i].kind, left[i].name))
			fail_msg("%s is taken", left[i].name);
}

static void test_own_names_are_shown_once(void **state)
{
	static const char *const name[] = {
		"process.threads", "obsringd_http_requests_total",
	};
	struct segment *segment = segment_with(1);
	struct server server;
	struct answer answer;
	const char *first;
	uint32_t family;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(name) / sizeof(name[0]); i++) {
		family = segment_family_add(segment, &(struct obs_family_spec){
			.name = name[i], .kind = OBSRING_KIND_GAUGE });
		segment_series_add(segment, family, NULL);
	}
	server_start(&server);
	device_put(&server, segment);
	assert_int_equal(ask(&server, "GET", "/metrics", "", &answer), 200);
	first = strstr(answer.body, "# TYPE process_threads");
	assert_non_null(first);
	assert_null(strstr(first + 1, "# TYPE process_threads"));
	first = strstr(answer.body, "# TYPE obsringd_http_requests_total counter");
	assert_non_null(first);
	assert_null(strstr(answer.body, "# TYPE obsringd_http_requests_total gauge"));
	answer_free(&answer);
	server_stop(&server);
	segment_free(segment);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_comes_and_goes),
		cmocka_unit_test(test_drains),
		cmocka_unit_test(test_hangup_unmaps_without_a_scrape),
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_not_a_device),
		cmocka_unit_test(test_damaged_device),
		cmocka_unit_test(test_own_names_win),
		cmocka_unit_test(test_own_names_are_shown_once),
	};

	log_setup(LEVEL_ERROR, LOG_LOGFMT);
	return cmocka_run_group_tests_name("http device", tests, NULL, NULL);
}
