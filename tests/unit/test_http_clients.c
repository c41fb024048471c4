// SPDX-License-Identifier: MIT
/*
 * The daemon and its clients, over loopback: bad ones, many at once, such as are served
 * while it stops, and limits.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <cmocka.h>

#include "obsringd/log.h"
#include "server.h"

/* ---- Bad clients --------------------------------------------------------- */

static void test_oversize_request(void **state)
{
	static char header[64 * 1024];
	struct answer answer;
	struct server server;
	int fd;

	(void)state;
	server_start(&server);
	memset(header, 'x', sizeof(header));
	fd = client_connect(&server);
	client_send(fd, "GET / HTTP/1.1\r\nHost: x\r\nX: ", 28);
	client_send(fd, header, sizeof(header));
	client_read(fd, &answer);
	assert_true(!answer.status || answer.status / 100 == 4);
	answer_free(&answer);
	assert_int_equal(status_of(&server, "GET", "/-/healthy"), 200);
	server_stop(&server);
}

static uint64_t open_fds(void)
{
	struct process_usage usage;

	process_usage_read(&usage);
	return usage.open_fds;
}

/* Deadlines that no test lives to see. */
static void server_start_patient(struct server *server)
{
	server_prepare(server);
	server->daemon.limits.new_ns = 3600 * 1000000000ULL;
	server->daemon.limits.idle_ns = 3600 * 1000000000ULL;
	server_launch(server);
}

/*
 * Empty lines where a request may begin, as many as somebody likes: none of them is a
 * request, and what comes behind them is answered.
 */
static void test_repeated_crlfcrlf(void **state)
{
	static const char healthy[] = "GET /-/healthy HTTP/1.1\r\nHost: x\r\n";
	struct segment *segment = segment_with(42);
	struct server server;
	struct answer answer;
	const char *second;
	int fd, i;

	(void)state;
	server_start(&server);
	device_put(&server, segment);
	fd = client_connect(&server);
	for (i = 0; i < 100; i++)
		client_send(fd, "\r\n\r\n", 4);
	client_send(fd, healthy, strlen(healthy));
	for (i = 0; i < 100; i++)
		client_send(fd, "\r\n\r\n", 4);
	client_ask(fd, "GET", "/metrics", "");
	client_read(fd, &answer);
	assert_int_equal(answer.status, 200);
	second = strstr(answer.body, "HTTP/1.1 ");
	assert_non_null(second);
	assert_int_equal(strncmp(second, "HTTP/1.1 200 ", 13), 0);
	assert_null(strstr(second + 1, "HTTP/1.1 "));
	assert_true(says(second, "demo_total", "42\n"));
	assert_true(says(second, "obsringd_http_requests_total{code=\"200\"}", "1\n"));
	assert_true(says(second, "obsringd_http_requests_total{code=\"400\"}", "0\n"));
	answer_free(&answer);
	assert_int_equal(scrape(&server, "", "42\n"), 200);
	server_stop(&server);
	segment_free(segment);
}

/* Clients that give up in the middle of a request free their place at once. */
static void test_aborted_requests(void **state)
{
	struct timespec deadline;
	struct server server;
	uint64_t before_all;
	int i, fd;

	(void)state;
	server_start_patient(&server);
	before_all = open_fds();
	for (i = 0; i < 200; i++) {
		fd = client_connect(&server);
		client_send(fd, "GET /me", 7);
		close(fd);
	}
	deadline = patience();
	while (open_fds() > before_all)
		assert_true(before(&deadline));
	assert_int_equal(status_of(&server, "GET", "/-/healthy"), 200);
	server_stop(&server);
}

/* In one packet: @data and the end of what the client has to say. */
static int client_say(const struct server *server, const char *data, bool unix_socket)
{
	int fd = unix_socket ? unix_connect(server) : client_connect(server);

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO,
				    &(struct timeval){ .tv_sec = PATIENCE_S },
				    sizeof(struct timeval)), 0);
	if (!unix_socket)
		assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_CORK, &(int){ 1 },
					    sizeof(int)), 0);
	client_send(fd, data, strlen(data));
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	return fd;
}

/*
 * A client whose end comes with its request, or half of one, though it would be kept for
 * more: it has its answers, and the connection ends.
 */
static void test_end_comes_with_request(void **state)
{
	static const struct {
		const char *data;
		unsigned int answers;
	} cases[] = {
		{ "", 0 },
		{ "GET /-/hea", 0 },
		{ "GET /-/healthy HTTP/1.1\r\nHost: x\r\n", 0 },
		{ "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n", 1 },
		{ "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"
		  "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n", 2 },
		{ "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\nGET /-/", 1 },
	};
	unsigned int round, i, nr;
	struct answer answer;
	struct server server;
	const char *found;

	(void)state;
	server_start_patient(&server);
	for (round = 0; round < 100; round++) {
		for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			client_read(client_say(&server, cases[i].data, round & 1), &answer);
			nr = 0;
			for (found = answer.data; (found = strstr(found, "HTTP/1.1 200"));
			     found++)
				nr++;
			assert_int_equal(nr, cases[i].answers);
			answer_free(&answer);
		}
	}
	server_stop(&server);
}

/* ---- Together ------------------------------------------------------------ */

#define CLIENTS 4

#define SCRAPES 25

static void *scrape_often(void *arg)
{
	struct server *server = arg;
	struct answer answer;
	long bad = 0;
	int i;

	for (i = 0; i < SCRAPES; i++) {
		bad += ask(server, "GET", "/metrics", i & 1 ? OM : "", &answer) != 200 ||
		       !says(answer.body, "demo_total", "5\n");
		answer_free(&answer);
	}
	return (void *)bad;
}

static void test_many_clients_while_series_change(void **state)
{
	struct segment *segment = segment_with(5);
	struct server server;
	pthread_t client[CLIENTS];
	uint32_t family, i;
	void *bad;

	(void)state;
	server_start(&server);
	device_put(&server, segment);
	for (i = 0; i < CLIENTS; i++)
		pthread_create(&client[i], NULL, scrape_often, &server);
	for (i = 0; i < 200; i++) {
		family = segment_family_add(segment, &(struct obs_family_spec){
			.name = "flicker_total", .kind = OBSRING_KIND_COUNTER });
		segment_series_add(segment, family, NULL);
		segment_family_remove(segment, family);
	}
	for (i = 0; i < CLIENTS; i++) {
		pthread_join(client[i], &bad);
		assert_null(bad);
	}
	server_stop(&server);
	segment_free(segment);
}

/* More than the kernel's socket buffers take. */
static struct segment *big_segment(void)
{
	struct segment *segment = segment_new(&(struct segment_spec){ .max_pages = 512 });
	const char *const label[] = { "name" };
	char value[OBSRING_VALUE_MAX + 1];
	const char *values[] = { value };
	uint32_t family;
	int i;

	family = segment_family_add(segment, &(struct obs_family_spec){
		.name = "demo_long_latency_seconds", .kind = OBSRING_KIND_HISTOGRAM,
		.exp10 = -9, .min_log2 = -40, .max_log2 = 30, .nr_labels = 1,
		.label = label });
	for (i = 0; i < 1000; i++) {
		snprintf(value, sizeof(value), "%0126d", i);
		segment_series_add(segment, family, values);
	}
	return segment;
}

static void *stop(void *arg)
{
	http_stop(&((struct server *)arg)->daemon.http);
	return NULL;
}

static void wait_answered(struct server *server)
{
	uint64_t in_flight, answered[REQUEST_STATUS_NR] = { 0 };
	struct timespec deadline = patience();

	while (!answered[REQUEST_OK]) {
		requests_get(&server->daemon.requests, &in_flight, answered);
		assert_true(before(&deadline));
	}
}

static void test_stop_finishes_answers(void **state)
{
	struct segment *segment = big_segment();
	struct server server;
	struct answer answer;
	char length[64];
	pthread_t thread;
	int fd;

	(void)state;
	server_start(&server);
	device_put(&server, segment);
	fd = client_connect(&server);
	client_ask(fd, "GET", "/metrics", "");
	wait_answered(&server);
	pthread_create(&thread, NULL, stop, &server);
	client_read(fd, &answer);
	pthread_join(thread, NULL);
	assert_int_equal(answer.status, 200);
	assert_true(answer.body_len > 8 * 1024 * 1024);
	snprintf(length, sizeof(length), "\r\nContent-Length: %zu\r\n", answer.body_len);
	assert_header(&answer, length);
	answer_free(&answer);
	server_stop(&server);
	segment_free(segment);
}

/* ---- Limits -------------------------------------------------------------- */

/* Ask for more than the kernel's buffers take, and take nothing. */
static int stuck_client(struct server *server, const char *headers)
{
	int fd = client_connect(server);

	client_ask(fd, "GET", "/metrics", headers);
	return fd;
}

static void test_max_requests(void **state)
{
	struct segment *segment = big_segment();
	struct timespec deadline = patience();
	struct server server;
	struct answer answer;
	uint64_t nr, ended[CLIENT_END_NR];
	int fd;

	(void)state;
	server_prepare(&server);
	server.daemon.options.max_requests = 1;
	server.daemon.limits.grace_ns = 3600000000000;
	server_launch(&server);
	device_put(&server, segment);
	fd = stuck_client(&server, "");
	wait_answered(&server);
	/* Health is no matter of it. */
	assert_int_equal(status_of(&server, "GET", "/-/healthy"), 200);
	assert_int_equal(ask(&server, "GET", "/api/v1/status", "", &answer), 503);
	assert_header(&answer, "\r\nRetry-After: 1\r\n");
	answer_free(&answer);
	/* Who does not take his answer gives his place in the end. */
	pthread_mutex_lock(&server.daemon.clients.lock);
	server.daemon.clients.limits.grace_ns = 1;
	pthread_mutex_unlock(&server.daemon.clients.lock);
	while (status_of(&server, "GET", "/api/v1/status") != 200)
		assert_true(before(&deadline));
	clients_get(&server.daemon.clients, &nr, ended);
	assert_int_equal(ended[CLIENT_END_STUCK], 1);
	close(fd);
	server_stop(&server);
	segment_free(segment);
}

/* The time-out is the client's own, for all of the answer. */
static void test_scrape_timeout(void **state)
{
	struct segment *segment = big_segment();
	struct timespec deadline = patience();
	struct server server;
	struct answer answer;
	uint64_t nr, ended[CLIENT_END_NR] = { 0 };
	int fd;

	(void)state;
	deadline.tv_sec -= PATIENCE_S - 30;	/* below the 60 s of others */
	server_start(&server);
	device_put(&server, segment);
	fd = stuck_client(&server, "X-Prometheus-Scrape-Timeout-Seconds: 0.2\r\n");
	while (!ended[CLIENT_END_SLOW]) {
		clients_get(&server.daemon.clients, &nr, ended);
		assert_true(before(&deadline));
	}
	client_read(fd, &answer);
	assert_true(answer.body_len < 8 * 1024 * 1024);
	answer_free(&answer);
	server_stop(&server);
	segment_free(segment);
}

/* All places are taken by those that say nothing: who asks is served. */
static void test_idle_give_way(void **state)
{
	enum { PLACES = 8 };
	uint64_t nr, ended[CLIENT_END_NR];
	struct server server;
	int fd[4 * PLACES], i;

	(void)state;
	server_prepare(&server);
	server.daemon.options.max_connections = PLACES;
	server_launch(&server);
	for (i = 0; i < 4 * PLACES; i++)
		fd[i] = client_connect(&server);
	for (i = 0; i < 10; i++)
		assert_int_equal(status_of(&server, "GET", "/-/healthy"), 200);
	clients_get(&server.daemon.clients, &nr, ended);
	assert_true(nr <= PLACES);
	assert_true(ended[CLIENT_END_EVICTED] >= 3 * PLACES);
	for (i = 0; i < 4 * PLACES; i++)
		close(fd[i]);
	server_stop(&server);
}

/* A request has so long to come, however often a byte of it does. */
static void test_trickle_is_ended(void **state)
{
	struct timespec deadline = patience();
	struct server server;
	int fd;

	(void)state;
	server_prepare(&server);
	server.daemon.limits.new_ns = 300000000;
	server_launch(&server);
	fd = client_connect(&server);
	client_send(fd, "GET / HTTP/1.1\r\nX: ", 19);
	while (send(fd, "x", 1, MSG_NOSIGNAL) == 1)
		assert_true(before(&deadline));
	close(fd);
	server_stop(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_oversize_request),
		cmocka_unit_test(test_repeated_crlfcrlf),
		cmocka_unit_test(test_aborted_requests),
		cmocka_unit_test(test_end_comes_with_request),
		cmocka_unit_test(test_many_clients_while_series_change),
		cmocka_unit_test(test_stop_finishes_answers),
		cmocka_unit_test(test_max_requests),
		cmocka_unit_test(test_scrape_timeout),
		cmocka_unit_test(test_idle_give_way),
		cmocka_unit_test(test_trickle_is_ended),
	};

	log_setup(LEVEL_ERROR, LOG_LOGFMT);
	return cmocka_run_group_tests_name("http clients", tests, NULL, NULL);
}
