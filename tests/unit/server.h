/* SPDX-License-Identifier: MIT */
/*
 * The daemon but its command line, over loopback, with a device that is a segment; a
 * client of it; and waiting for conditions.
 */
#ifndef TESTS_SERVER_H
#define TESTS_SERVER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <netinet/in.h>

#include "obsringd/daemon.h"
#include "segment.h"

#define OM "Accept: application/openmetrics-text;version=1.0.0\r\n"
#define PATIENCE_S 60

struct server {
	char dir[32];
	char path[64];		/* of the device: a link to a segment */
	char socket[80];	/* of the file system */
	struct daemon daemon;
	pthread_t thread;
	in_port_t port;
};

/* What the command line would say, but for what a test changes; then on ports of its own. */
void server_prepare(struct server *server);
void server_launch(struct server *server);
void server_start(struct server *server);	/* both */
void server_stop(struct server *server);
void server_end(struct server *server);		/* which stops by itself */

/* A segment with one counter, demo_total, of that value. */
struct segment *segment_with(uint64_t value);

/* The segment becomes the device, in one step. */
void device_put(struct server *server, const struct segment *segment);

/* Does this process map a segment as a reader? */
bool device_mapped(void);
void wait_mapped(bool mapped);

struct answer {
	int status;
	char *data;		/* headers and body, with a NUL */
	size_t len;
	const char *body;
	size_t body_len;
};

int client_connect(const struct server *server);
int unix_connect(const struct server *server);	/* -1: nobody listens */
void client_send(int fd, const char *data, size_t len);
void client_ask(int fd, const char *method, const char *path, const char *headers);

/* To the end, and close. */
void client_read(int fd, struct answer *answer);
void answer_free(struct answer *answer);

/* The status, with the answer or without. */
int ask(const struct server *server, const char *method, const char *path,
	const char *headers, struct answer *answer);
int status_of(const struct server *server, const char *method, const char *path);

/* The status of /metrics; its body has @string, or says that demo_total is @string. */
int scrape(const struct server *server, const char *headers, const char *string);

/*
 * Does @body have a line of @series with the number that begins with @number? Blanks or
 * zeros before it fill its place.
 */
bool says(const char *body, const char *series, const char *number);
void assert_header(const struct answer *answer, const char *line);

/* A condition is waited for so long: while (before(&deadline)). */
struct timespec patience(void);
bool before(const struct timespec *deadline);

#endif /* TESTS_SERVER_H */
