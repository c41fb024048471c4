// SPDX-License-Identifier: MIT
/*
 * libFuzzer: any bytes, sent to a whole daemon that listens, with an end behind them.
 * What comes back is answers and nothing else, each with all of the body that it
 * promises, no more of them than there can be requests; and the connection ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "obsringd/daemon.h"
#include "../unit/segment.h"
#include "door.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUEST_MAX	(24 * 1024)	/* more than a head may have; a socket takes it */
#define REQUEST_LEAST	16		/* "GET / HTTP/1.0", and a line's end */
#define PATIENCE_S	60
#define CLIENTS_MAX	8		/* those that ended, and are about to be closed */

static struct daemon server;
static struct sockaddr_un address = { .sun_family = AF_UNIX };

static void require(int holds)
{
	if (!holds)
		abort();
}

/* Names and values that no format takes as they are; a log. */
static struct segment *device_new(void)
{
	static const char *const label[] = { "a\"b", "c" };
	static const char *const value[] = { "x\"\\\n{},=", "\xc3\xa4 y" };
	struct segment *s = segment_new(&(struct segment_spec){
		.nr_cpus = 2, .max_families = 4, .max_series = 8, .max_pages = 4,
		.ring_lines = 64 });
	uint32_t family = segment_family_add(s, &(struct obs_family_spec){
		.name = "demo.total", .help = "A\nB.", .kind = OBSRING_KIND_COUNTER,
		.nr_labels = 2, .label = label });

	*segment_slot(s, segment_series_add(s, family, value), 1) = 42;
	family = segment_family_add(s, &(struct obs_family_spec){
		.name = "b_seconds", .kind = OBSRING_KIND_HISTOGRAM, .exp10 = -9,
		.unit = "seconds", .nr_bounds = 2, .bound = (const uint64_t[]){ 1, 1000 } });
	segment_series_add(s, family, NULL);
	segment_log(s, &(struct segment_record){ .time_ns = 1, .level = 4, .comm = "c",
		.source = "disk", .message = "a \"b\"\n", .fields = "k\0v", .fields_len = 4 });
	return s;
}

/* Reached by a descriptor: it needs no name any more. */
static void hide_socket(void)
{
	int fd = open(address.sun_path, O_PATH | O_CLOEXEC);

	require(fd >= 0 && !unlink(address.sun_path));
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", fd);
}

static void launch(void)
{
	char *argv[] = { (char *)"obsringd", (char *)"--web.log", NULL };
	char reason[DAEMON_REASON_MAX], name[sizeof(address.sun_path) + 8];
	const struct segment *device = device_new();
	sigset_t before;

	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/fuzz_http.%d", getpid());
	snprintf(name, sizeof(name), "unix:%s", address.sun_path);
	require(options_read(&server.options, 2, argv, reason) == OPTIONS_RUN);
	server.options.device = segment_path(device);
	server.options.leak_watch = false;
	server.options.nr_listen = 1;
	require(!listen_parse(name, &server.options.listen[0]));
	server.limits = client_limits_default;
	log_setup(LEVEL_ERROR, LOG_LOGFMT);
	sigprocmask(SIG_BLOCK, NULL, &before);
	require(!daemon_start(&server, reason));
	sigprocmask(SIG_SETMASK, &before, NULL);
	hide_socket();
}

/* All that comes back. */
static char *exchange(const uint8_t *data, size_t size, size_t *ret_len)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct text text = { 0 };
	ssize_t n;
	char *at;

	require(fd >= 0 && !connect(fd, (struct sockaddr *)&address, sizeof(address)));
	require(!setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)));
	/* It may have been refused before all was sent. */
	if (size && send(fd, data, size, MSG_NOSIGNAL) < 0)
		require(errno == EPIPE || errno == ECONNRESET);
	shutdown(fd, SHUT_WR);
	do {
		at = text_reserve(&text, 65536);
		n = recv(fd, at, 65536, 0);
		text.len += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	require(!n || errno == ECONNRESET);
	close(fd);
	text_put(&text, "", 1);
	*ret_len = text.len - 1;
	return text.data;
}

/* The value of a header between @head and @end, as a number; -1: there is none. */
static long header_number(const char *head, const char *end, const char *name)
{
	const char *at;

	for (at = head; at < end; at = strstr(at, "\r\n") + 2)
		if (!strncasecmp(at, name, strlen(name)))
			return strtol(at + strlen(name), NULL, 10);
	return -1;
}

/* libmicrohttpd 0.9.75 says its head twice where a Content-Length is refused. */
static bool said_twice(const char *at, int status)
{
	int again;

	return (status == 400 || status == 413) &&
	       sscanf(at, "HTTP/1.1 %3d ", &again) == 1 && again == status;
}

/* An answer, and what is behind it. */
static const char *answer_check(const char *at, const char *end, bool may_lack_body)
{
	const char *head_end = strstr(at, "\r\n\r\n");
	int status = 0, minor = 0;
	long len;

	require(head_end && sscanf(at, "HTTP/1.%1d %3d ", &minor, &status) == 2);
	require(status >= 100 && status < 600 && status != 500);
	at = strstr(at, "\r\n") + 2;
	len = header_number(at, head_end + 2, "Content-Length: ");
	at = head_end + 4;
	if (status == 100)
		return at;
	if (status == 200)
		door_pass();
	require(len >= 0);
	/* No body begins as an answer does. */
	if (len && (at == end || !strncmp(at, "HTTP/1.", 7))) {
		require(may_lack_body || said_twice(at, status));
		return at;
	}
	require(len <= end - at);
	return at + len;
}

static void answers_check(const char *at, const char *end, const uint8_t *data, size_t size)
{
	bool head = memmem(data, size, "HEAD", 4), expects = memmem(data, size, "100", 3);
	size_t nr = 0;

	for (; at < end; nr++)
		at = answer_check(at, end, head);
	require(at == end);
	require(nr <= (size / REQUEST_LEAST + 1) * (1 + expects));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t nr, ended[CLIENT_END_NR];
	size_t len;
	char *text;

	if (size > REQUEST_MAX)
		return -1;
	door_watch();
	if (!server.http.running)
		launch();
	text = exchange(data, size, &len);
	answers_check(text, text + len, data, size);
	free(text);
	clients_get(&server.clients, &nr, ended);
	require(nr <= CLIENTS_MAX && !ended[CLIENT_END_SLOW]);
	return 0;
}
