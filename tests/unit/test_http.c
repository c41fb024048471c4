// SPDX-License-Identifier: MIT
/*
 * The daemon but its command line, over loopback: what it answers, and how it
 * follows a device that comes, drains, is replaced and goes.
 */
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <cmocka.h>

#include "obsringd/daemon.h"
#include "obsringd/log.h"
#include "segment.h"

#define OM "Accept: application/openmetrics-text;version=1.0.0\r\n"
#define PROTO "Accept: application/vnd.google.protobuf;" \
	"proto=io.prometheus.client.MetricFamily;encoding=delimited\r\n"
#define GZIP "Accept-Encoding: gzip\r\n"
#define PATIENCE_S 60

/* ---- A server on a port of its own --------------------------------------- */

struct server {
	char dir[32];
	char path[64];		/* of the device: a link to a segment */
	char socket[80];	/* of the file system */
	struct daemon daemon;
	pthread_t thread;
	in_port_t port;
};

static void *run(void *arg)
{
	daemon_run(arg);
	return NULL;
}

/* What the command line would say, but for what a test changes. */
static void server_prepare(struct server *server)
{
	struct options *options = &server->daemon.options;
	char *argv[] = { (char *)"obsringd", NULL };
	int status;

	memset(server, 0, sizeof(*server));
	strcpy(server->dir, "/tmp/obsringd.XXXXXX");
	assert_non_null(mkdtemp(server->dir));
	snprintf(server->path, sizeof(server->path), "%s/obsring", server->dir);
	snprintf(server->socket, sizeof(server->socket), "unix:%s/socket", server->dir);
	optind = 0;
	assert_true(options_parse(options, 1, argv, &status));
	options->device = server->path;
	assert_null(listen_parse("127.0.0.1:0", &options->listen[0]));
	assert_null(listen_parse(server->socket, &options->listen[1]));
	options->nr_listen = 2;
	server->daemon.limits = client_limits_default;
}

static void server_launch(struct server *server)
{
	struct sockaddr_in address;
	socklen_t len = sizeof(address);
	char reason[DAEMON_REASON_MAX];

	if (daemon_start(&server->daemon, reason) < 0)
		fail_msg("%s", reason);
	assert_int_equal(getsockname(server->daemon.sockets.fd[0],
				     (struct sockaddr *)&address, &len), 0);
	server->port = address.sin_port;
	assert_int_equal(pthread_create(&server->thread, NULL, run, &server->daemon), 0);
}

static void server_start(struct server *server)
{
	server_prepare(server);
	server_launch(server);
}

static void server_end(struct server *server)
{
	pthread_join(server->thread, NULL);
	daemon_stop(&server->daemon);
	unlink(server->path);
	assert_int_equal(rmdir(server->dir), 0);
}

static void server_stop(struct server *server)
{
	kill(getpid(), SIGTERM);
	server_end(server);
}

/* The segment becomes the device, in one step. */
static void device_put(struct server *server, const struct segment *segment)
{
	char next[80];

	snprintf(next, sizeof(next), "%s.next", server->path);
	assert_int_equal(symlink(segment_path(segment), next), 0);
	assert_int_equal(rename(next, server->path), 0);
}

/* A segment with one counter of that value. */
static struct segment *segment_with(uint64_t value)
{
	struct segment *segment = segment_new(NULL);
	uint32_t family, series;

	family = segment_family_add(segment, &(struct obs_family_spec){
		.name = "demo_total", .help = "Demo.", .kind = OBSRING_KIND_COUNTER });
	series = segment_series_add(segment, family, NULL);
	*segment_slot(segment, series, 1) = value;
	return segment;
}

/* ---- A client ------------------------------------------------------------ */

struct answer {
	int status;
	char *data;		/* headers and body, with a NUL */
	size_t len;
	const char *body;
	size_t body_len;
};

static int client_connect(const struct server *server)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = server->port,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void client_send(int fd, const char *data, size_t len)
{
	ssize_t sent;

	for (; len; data += sent, len -= sent) {
		sent = send(fd, data, len, MSG_NOSIGNAL);
		if (sent <= 0)
			return;	/* refused before all was sent: read why */
	}
}

static void client_ask(int fd, const char *method, const char *path,
		       const char *headers)
{
	char request[1024];
	int len;

	len = snprintf(request, sizeof(request),
		       "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n",
		       method, path, headers);
	client_send(fd, request, len);
}

static void client_read(int fd, struct answer *answer)
{
	struct text text = { 0 };
	char buffer[65536];
	const char *end;
	ssize_t len;

	while ((len = recv(fd, buffer, sizeof(buffer), 0)) > 0)
		text_put(&text, buffer, len);
	assert_false(len < 0 && errno == EAGAIN);	/* of client_say(): it never ends */
	text_put(&text, "", 1);
	close(fd);
	assert_false(text_failed(&text));
	*answer = (struct answer){ .data = text.data, .len = text.len - 1 };
	if (sscanf(text.data, "HTTP/1.1 %d", &answer->status) != 1)
		return;
	end = strstr(text.data, "\r\n\r\n");
	assert_non_null(end);
	answer->body = end + 4;
	answer->body_len = answer->len - (answer->body - answer->data);
}

static void answer_free(struct answer *answer)
{
	free(answer->data);
}

static int ask(const struct server *server, const char *method, const char *path,
	       const char *headers, struct answer *answer)
{
	int fd = client_connect(server);

	client_ask(fd, method, path, headers);
	client_read(fd, answer);
	return answer->status;
}

static int status_of(const struct server *server, const char *method,
		     const char *path)
{
	struct answer answer;
	int status = ask(server, method, path, "", &answer);

	answer_free(&answer);
	return status;
}

/*
 * Does @body have a line of @series with the number that begins with @number? Blanks or
 * zeros before it fill its place.
 */
static bool says(const char *body, const char *series, const char *number)
{
	size_t len = strlen(series);
	const char *line;

	for (line = strstr(body, series); line; line = strstr(line + 1, series)) {
		if (line != body && line[-1] != '\n')
			continue;
		line += len;
		line += strspn(line, " ");
		while (*line == '0' && line[1] >= '0' && line[1] <= '9')
			line++;
		if (!strncmp(line, number, strlen(number)))
			return true;
	}
	return false;
}

/* The status of /metrics; its body has @string, or says that demo_total is @string. */
static int scrape(const struct server *server, const char *headers,
		  const char *string)
{
	struct answer answer;
	int status = ask(server, "GET", "/metrics", headers, &answer);

	if (!strstr(answer.body, string) && !says(answer.body, "demo_total", string))
		fail_msg("no \"%s\" in:\n%s", string, answer.data);
	answer_free(&answer);
	return status;
}

/* ---- Waiting for a condition --------------------------------------------- */

static bool before(const struct timespec *deadline)
{
	struct timespec now;

	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec < deadline->tv_sec;
}

static struct timespec patience(void)
{
	struct timespec deadline;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += PATIENCE_S;
	return deadline;
}

/* Does this process map a segment as a reader? */
static bool device_mapped(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	bool mapped = false;
	char line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		mapped |= strstr(line, " r--s ") && strstr(line, "memfd:obsring");
	fclose(maps);
	return mapped;
}

static void wait_mapped(bool mapped)
{
	struct timespec deadline = patience();

	while (device_mapped() != mapped)
		assert_true(before(&deadline));
}

/* ---- Answers ------------------------------------------------------------- */

static void assert_header(const struct answer *answer, const char *line)
{
	const char *found = strstr(answer->data, line);

	if (!found || found > answer->body)
		fail_msg("no \"%s\" in:\n%s", line, answer->data);
}

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

static int unix_connect(const struct server *server)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, server->socket + strlen("unix:"));
	assert_true(fd >= 0);
	if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	close(fd);
	return -1;
}

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
		cmocka_unit_test(test_oversize_request),
		cmocka_unit_test(test_repeated_crlfcrlf),
		cmocka_unit_test(test_aborted_requests),
		cmocka_unit_test(test_end_comes_with_request),
		cmocka_unit_test(test_comes_and_goes),
		cmocka_unit_test(test_drains),
		cmocka_unit_test(test_hangup_unmaps_without_a_scrape),
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_not_a_device),
		cmocka_unit_test(test_damaged_device),
		cmocka_unit_test(test_own_names_win),
		cmocka_unit_test(test_own_names_are_shown_once),
		cmocka_unit_test(test_many_clients_while_series_change),
		cmocka_unit_test(test_stop_finishes_answers),
		cmocka_unit_test(test_max_requests),
		cmocka_unit_test(test_scrape_timeout),
		cmocka_unit_test(test_idle_give_way),
		cmocka_unit_test(test_trickle_is_ended),
	};

	log_setup(LEVEL_ERROR, LOG_LOGFMT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
