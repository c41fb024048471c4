// SPDX-License-Identifier: MIT
/* The daemon over loopback: what it answers, where it listens, reload and quit. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>
#include <cmocka.h>

#include "obsringd/log.h"
#include "server.h"

#define PROTO "Accept: application/vnd.google.protobuf;" \
	"proto=io.prometheus.client.MetricFamily;encoding=delimited\r\n"
#define GZIP "Accept-Encoding: gzip\r\n"

/* ---- Answers ------------------------------------------------------------- */

static void check_format(const struct server *server, const char *accept,
			 const char *type, const char *end)
{
	struct answer answer;
	char length[64];

	assert_int_equal(ask(server, "GET", "/metrics", accept, &answer), 200);
	assert_header(&answer, type);
	assert_header(&answer, "\r\nVary: Accept, Accept-Encoding\r\n");
	snprintf(length, sizeof(length), "\r\nContent-Length: %zu\r\n", answer.body_len);
	assert_header(&answer, length);
	assert_true(says(answer.body, "demo_total", "42\n"));
	assert_non_null(strstr(answer.body, "\nobsring_build_info{version=\""));
	assert_true(says(answer.body, "obsring_scrape_duration_seconds", "0."));
	assert_true(says(answer.body, "obsringd_http_requests_total{code=\"503\"}", "0\n"));
	assert_true(says(answer.body, "obsringd_http_requests_in_flight", "1\n"));
	assert_non_null(strstr(answer.body, "\nprocess_cpu_seconds_total "));
	assert_non_null(strstr(answer.body, "\nprocess_threads "));
	assert_string_equal(answer.data + answer.len - strlen(end), end);
	answer_free(&answer);
}

static void test_formats(void **state)
{
	struct segment *segment = segment_with(42);
	struct server server;

	(void)state;
	server_start(&server);
	device_put(&server, segment);
	check_format(&server, "",
		     "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8; "
		     "escaping=underscores\r\n",
		     "\n");
	check_format(&server, "Accept: text/plain;version=1.0.0;escaping=allow-utf-8\r\n",
		     "\r\nContent-Type: text/plain; version=1.0.0; charset=utf-8; "
		     "escaping=allow-utf-8\r\n", "\n");
	check_format(&server, OM,
		     "\r\nContent-Type: application/openmetrics-text; version=1.0.0; "
		     "charset=utf-8; escaping=underscores\r\n", "\n# EOF\n");
	server_stop(&server);
	segment_free(segment);
}

static void save_body(const struct server *server, const char *accept,
		      const char *suffix, char *path, size_t size)
{
	struct answer answer;
	FILE *file;

	snprintf(path, size, "%s.%s", server->path, suffix);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(ask(server, "GET", "/metrics", accept, &answer), 200);
	assert_int_equal(fwrite(answer.body, 1, answer.body_len, file),
			 answer.body_len);
	assert_int_equal(fclose(file), 0);
	answer_free(&answer);
}

/* The whole answer, the daemon's own metrics included, pleases others' tools. */
static void test_formats_by_others(void **state)
{
	struct segment *segment = segment_with(42);
	char text[96], openmetrics[96], protobuf[96], command[512];
	struct server server;
	int status;

	(void)state;
	server_start(&server);
	device_put(&server, segment);
	save_body(&server, "", "prom", text, sizeof(text));
	save_body(&server, OM, "om", openmetrics, sizeof(openmetrics));
	save_body(&server, PROTO, "pb", protobuf, sizeof(protobuf));
	snprintf(command, sizeof(command),
		 TOP "/tests/e2e/check_formats.sh %s %s %s >&2", text, openmetrics,
		 protobuf);
	status = system(command);
	unlink(text);
	unlink(openmetrics);
	unlink(protobuf);
	server_stop(&server);
	segment_free(segment);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void inflate_body(const struct answer *answer, struct text *body)
{
	z_stream stream = { .next_in = (void *)answer->body,
			    .avail_in = answer->body_len };
	char *out = text_reserve(body, 1 << 20);

	assert_non_null(out);
	stream.next_out = (void *)out;
	stream.avail_out = (1 << 20) - 1;
	assert_int_equal(inflateInit2(&stream, 16 + MAX_WBITS), Z_OK);
	assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
	assert_int_equal(stream.avail_in, 0);
	out[stream.total_out] = '\0';
	inflateEnd(&stream);
}

/* What is asked for compressed says the same, and says each time what is new. */
static void test_gzip(void **state)
{
	struct segment *segment = segment_with(1);
	struct answer answer;
	struct server server;
	unsigned int i;
	char says_i[16];

	(void)state;
	server_start(&server);
	device_put(&server, segment);
	for (i = 1; i < 30; i++) {
		struct text body = { 0 };

		*segment_slot(segment, 0, 1) = i;
		assert_int_equal(ask(&server, "GET", "/metrics", i % 2 ? GZIP :
				     OM GZIP, &answer), 200);
		assert_header(&answer, "\r\nContent-Encoding: gzip\r\n");
		assert_header(&answer, "\r\nVary: Accept, Accept-Encoding\r\n");
		inflate_body(&answer, &body);
		snprintf(says_i, sizeof(says_i), "%u\n", i);
		assert_true(says(body.data, "demo_total", says_i));
		assert_int_equal(!!strstr(body.data, "\n# EOF\n"), !(i % 2));
		text_free(&body);
		answer_free(&answer);
		assert_int_equal(scrape(&server, "", says_i), 200);
	}
	assert_int_equal(ask(&server, "GET", "/metrics",
			     "Accept-Encoding: gzip;q=0, identity\r\n", &answer), 200);
	assert_null(strstr(answer.data, "Content-Encoding"));
	answer_free(&answer);
	server_stop(&server);
	segment_free(segment);
}

static bool filtered_has(const struct server *server, const char *query,
			 const char *series)
{
	struct answer answer;
	char path[256];
	bool has;

	snprintf(path, sizeof(path), "/metrics?%s", query);
	assert_int_equal(ask(server, "GET", path, OM, &answer), 200);
	assert_non_null(strstr(answer.body, "# EOF\n"));
	has = says(answer.body, series, "");
	answer_free(&answer);
	return has;
}

static bool filtered_is(const struct server *server, const char *query,
			const char *accept, const char *body)
{
	struct answer answer;
	char path[256];
	bool is;

	snprintf(path, sizeof(path), "/metrics?%s", query);
	assert_int_equal(ask(server, "GET", path, accept, &answer), 200);
	is = !strcmp(answer.body, body);
	answer_free(&answer);
	return is;
}

static void test_filters(void **state)
{
	struct segment *segment = segment_with(1);
	struct server server;

	(void)state;
	server_start(&server);
	device_put(&server, segment);
	assert_true(filtered_has(&server, "name[]=demo", "demo_total"));
	assert_true(filtered_has(&server, "name[]=demo_total", "demo_total"));
	assert_true(filtered_has(&server, "name%5B%5D=demo_total", "demo_total"));
	assert_false(filtered_has(&server, "name[]=demo_tot", "demo_total"));
	assert_false(filtered_has(&server, "name[]=demo", "process_threads"));
	assert_true(filtered_has(&server, "name[]=demo&name[]=process_threads",
				 "process_threads"));
	assert_true(filtered_has(&server, "collect[]=process", "process_threads"));
	assert_false(filtered_has(&server, "collect[]=process", "demo_total"));
	assert_false(filtered_has(&server, "collect[]=proc", "process_threads"));
	assert_true(filtered_has(&server, "collect[]=demo&name[]=x", "demo_total"));
	assert_false(filtered_has(&server, "name[]=", "demo_total"));
	assert_true(filtered_has(&server, "other[]=x", "demo_total"));
	/* What may come later is no error: a target is not down without it. */
	assert_true(filtered_is(&server, "collect[]=absent", OM, "# EOF\n"));
	assert_true(filtered_is(&server, "name[]=absent_total", OM, "# EOF\n"));
	assert_true(filtered_is(&server, "collect[]=absent", "", ""));
	assert_true(filtered_is(&server, "collect[]=", "", ""));
	server_stop(&server);
	segment_free(segment);
}

static void test_paths_and_methods(void **state)
{
	struct segment *segment = segment_with(1);
	struct answer answer;
	struct server server;

	(void)state;
	server_start(&server);
	device_put(&server, segment);
	assert_int_equal(status_of(&server, "GET", "/-/healthy"), 200);
	assert_int_equal(status_of(&server, "GET", "/-/ready"), 200);
	assert_int_equal(status_of(&server, "GET", "/metrics?x=y"), 200);
	assert_int_equal(status_of(&server, "GET", "/metrics/"), 404);
	assert_int_equal(status_of(&server, "GET", "/nothing"), 404);
	assert_int_equal(status_of(&server, "PUT", "/nothing"), 404);
	assert_int_equal(status_of(&server, "HEAD", "/nothing"), 404);
	assert_int_equal(status_of(&server, "GET", "/health/live"), 200);
	assert_int_equal(status_of(&server, "GET", "/health/ready"), 200);
	assert_int_equal(ask(&server, "DELETE", "/metrics", "", &answer), 405);
	assert_header(&answer, "\r\nAllow: GET, HEAD\r\n");
	answer_free(&answer);
	assert_int_equal(ask(&server, "POST", "/", "Content-Length: 1000000\r\n",
			     &answer), 405);
	answer_free(&answer);
	assert_int_equal(ask(&server, "GET", "/", "", &answer), 200);
	assert_header(&answer, "\r\nContent-Type: text/html; charset=utf-8\r\n");
	assert_header(&answer, "\r\nContent-Security-Policy: default-src 'none'; ");
	assert_header(&answer, "; script-src 'sha256-");
	assert_non_null(strstr(answer.body, "<a href=\"/metrics\">"));
	assert_null(strstr(answer.body, "{{"));
	answer_free(&answer);
	server_stop(&server);
	segment_free(segment);
}

static void test_head(void **state)
{
	struct segment *segment = segment_with(1);
	struct answer answer;
	struct server server;
	const char *length;

	(void)state;
	server_start(&server);
	device_put(&server, segment);
	assert_int_equal(ask(&server, "HEAD", "/metrics", "", &answer), 200);
	assert_int_equal(answer.body_len, 0);
	length = strstr(answer.data, "\r\nContent-Length: ");
	assert_non_null(length);
	assert_true(atoi(length + strlen("\r\nContent-Length: ")) > 1000);
	answer_free(&answer);
	server_stop(&server);
	segment_free(segment);
}

static void test_status(void **state)
{
	struct segment *segment = segment_with(1);
	struct answer answer;
	struct server server;

	(void)state;
	server_start(&server);
	device_put(&server, segment);
	assert_int_equal(ask(&server, "GET", "/api/v1/status", "", &answer), 200);
	assert_header(&answer, "\r\nContent-Type: application/json\r\n");
	assert_non_null(strstr(answer.body, "{\"status\":\"success\",\"data\":{"
			       "\"build_information\":{\"version\":\""));
	assert_non_null(strstr(answer.body, "\"web.max-requests\":\"40\""));
	assert_non_null(strstr(answer.body, "\"ready\":true"));
	answer_free(&answer);
	server_stop(&server);
	segment_free(segment);
}

static void test_api(void **state)
{
	struct segment *segment = segment_with(1);
	struct answer answer;
	struct server server;

	(void)state;
	server_prepare(&server);
	assert_false(server.daemon.options.web_log);
	server_launch(&server);
	device_put(&server, segment);
	assert_int_equal(ask(&server, "GET", "/api/v1/series?search=DEMO", "", &answer), 200);
	assert_header(&answer, "\r\nContent-Type: application/json\r\n");
	assert_header(&answer, "\r\nX-Content-Type-Options: nosniff\r\n");
	assert_non_null(strstr(answer.body, "\"name\":\"demo_total\""));
	answer_free(&answer);
	assert_int_equal(status_of(&server, "GET", "/api/v1/series?limit=x"), 400);
	assert_int_equal(status_of(&server, "GET", "/api/v1/series/cpu?id=0&gen=1"), 200);
	assert_int_equal(status_of(&server, "GET", "/api/v1/series/cpu?id=0&gen=2"), 404);
	assert_int_equal(ask(&server, "GET", "/api/v1/log", "", &answer), 403);
	assert_non_null(strstr(answer.body, "\"error\":\"off; see --web.log\""));
	answer_free(&answer);
	assert_int_equal(scrape(&server, "", "{code=\"400\"} "
				"                   1\n"), 200);
	server_stop(&server);
	segment_free(segment);
}

/* ---- Where it listens ---------------------------------------------------- */

static void test_unix_socket(void **state)
{
	struct segment *segment = segment_with(3);
	struct server server;
	struct answer answer;
	int fd;

	(void)state;
	server_start(&server);
	device_put(&server, segment);
	fd = unix_connect(&server);
	assert_true(fd >= 0);
	client_ask(fd, "GET", "/metrics", "");
	client_read(fd, &answer);
	assert_int_equal(answer.status, 200);
	assert_true(says(answer.body, "demo_total", "3\n"));
	answer_free(&answer);
	server_stop(&server);	/* the directory is empty: the socket is gone */
	segment_free(segment);
}

/* A socket whose listener was killed is no obstacle; one in use is. */
static void test_stale_socket(void **state)
{
	struct listen_sockets sockets = { .nr = 0 }, second = { .nr = 0 };
	struct listen_address address;
	struct server server;
	int fd;

	(void)state;
	server_prepare(&server);
	assert_null(listen_parse(server.socket, &address));
	assert_null(listen_open(&address, &sockets));
	assert_string_equal(listen_open(&address, &second), strerror(EADDRINUSE));
	close(sockets.fd[0]);	/* and leaves its file */
	assert_int_equal(unix_connect(&server), -1);
	server_launch(&server);
	fd = unix_connect(&server);
	assert_true(fd >= 0);
	close(fd);
	server_stop(&server);
}

/* ---- Reload and quit ----------------------------------------------------- */

static void test_lifecycle_is_off(void **state)
{
	struct server server;

	(void)state;
	server_start(&server);
	assert_int_equal(status_of(&server, "POST", "/-/reload"), 403);
	assert_int_equal(status_of(&server, "POST", "/-/quit"), 403);
	assert_int_equal(status_of(&server, "GET", "/-/healthy"), 200);
	server_stop(&server);
}

static void test_lifecycle(void **state)
{
	struct server server;
	struct answer answer;

	(void)state;
	server_prepare(&server);
	server.daemon.options.enable_lifecycle = true;
	server_launch(&server);
	assert_int_equal(ask(&server, "GET", "/-/quit", "", &answer), 405);
	assert_header(&answer, "\r\nAllow: POST, PUT\r\n");
	answer_free(&answer);
	assert_int_equal(status_of(&server, "POST", "/-/reload"), 200);
	assert_int_equal(status_of(&server, "PUT", "/-/quit"), 200);
	server_end(&server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_formats_by_others),
		cmocka_unit_test(test_gzip),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_paths_and_methods),
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_api),
		cmocka_unit_test(test_unix_socket),
		cmocka_unit_test(test_stale_socket),
		cmocka_unit_test(test_lifecycle_is_off),
		cmocka_unit_test(test_lifecycle),
	};

	log_setup(LEVEL_ERROR, LOG_LOGFMT);
	return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
