// SPDX-License-Identifier: MIT
#include <errno.h>
#include <getopt.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "server.h"

static void *run(void *arg)
{
	daemon_run(arg);
	return NULL;
}

/* What the command line would say, but for what a test changes. */
void server_prepare(struct server *server)
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

void server_launch(struct server *server)
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

void server_start(struct server *server)
{
	server_prepare(server);
	server_launch(server);
}

void server_end(struct server *server)
{
	pthread_join(server->thread, NULL);
	daemon_stop(&server->daemon);
	unlink(server->path);
	assert_int_equal(rmdir(server->dir), 0);
}

void server_stop(struct server *server)
{
	kill(getpid(), SIGTERM);
	server_end(server);
}

/* The segment becomes the device, in one step. */
void device_put(struct server *server, const struct segment *segment)
{
	char next[80];

	snprintf(next, sizeof(next), "%s.next", server->path);
	assert_int_equal(symlink(segment_path(segment), next), 0);
	assert_int_equal(rename(next, server->path), 0);
}

/* A segment with one counter of that value. */
struct segment *segment_with(uint64_t value)
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

int client_connect(const struct server *server)
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

int unix_connect(const struct server *server)
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

void client_send(int fd, const char *data, size_t len)
{
	ssize_t sent;

	for (; len; data += sent, len -= sent) {
		sent = send(fd, data, len, MSG_NOSIGNAL);
		if (sent <= 0)
			return;	/* refused before all was sent: read why */
	}
}

void client_ask(int fd, const char *method, const char *path,
		const char *headers)
{
	char request[1024];
	int len;

	len = snprintf(request, sizeof(request),
		       "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n",
		       method, path, headers);
	client_send(fd, request, len);
}

void client_read(int fd, struct answer *answer)
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

void answer_free(struct answer *answer)
{
	free(answer->data);
}

int ask(const struct server *server, const char *method, const char *path,
	const char *headers, struct answer *answer)
{
	int fd = client_connect(server);

	client_ask(fd, method, path, headers);
	client_read(fd, answer);
	return answer->status;
}

int status_of(const struct server *server, const char *method,
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
bool says(const char *body, const char *series, const char *number)
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
int scrape(const struct server *server, const char *headers,
	   const char *string)
{
	struct answer answer;
	int status = ask(server, "GET", "/metrics", headers, &answer);

	if (!strstr(answer.body, string) && !says(answer.body, "demo_total", string))
		fail_msg("no \"%s\" in:\n%s", string, answer.data);
	answer_free(&answer);
	return status;
}

void assert_header(const struct answer *answer, const char *line)
{
	const char *found = strstr(answer->data, line);

	if (!found || found > answer->body)
		fail_msg("no \"%s\" in:\n%s", line, answer->data);
}

/* ---- Waiting for a condition --------------------------------------------- */

bool before(const struct timespec *deadline)
{
	struct timespec now;

	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec < deadline->tv_sec;
}

struct timespec patience(void)
{
	struct timespec deadline;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += PATIENCE_S;
	return deadline;
}

/* Does this process map a segment as a reader? */
bool device_mapped(void)
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

void wait_mapped(bool mapped)
{
	struct timespec deadline = patience();

	while (device_mapped() != mapped)
		assert_true(before(&deadline));
}
