// SPDX-License-Identifier: MIT
/*
 * scrape_static PORT FILE: FILE, answered by libmicrohttpd as one response that is made
 * once: what an answer of that size costs at least, in its fastest mode, two threads with
 * epoll.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <microhttpd.h>

static struct MHD_Response *response;

static enum MHD_Result answer(void *cls, struct MHD_Connection *connection,
			      const char *url, const char *method, const char *version,
			      const char *upload, size_t *upload_size, void **request)
{
	static int seen;

	(void)cls;
	(void)url;
	(void)method;
	(void)version;
	(void)upload;
	(void)upload_size;
	if (!*request) {
		*request = &seen;
		return MHD_YES;
	}
	return MHD_queue_response(connection, MHD_HTTP_OK, response);
}

int main(int argc, char **argv)
{
	static char body[128 << 20];
	FILE *file = argc == 3 ? fopen(argv[2], "r") : NULL;
	size_t len;

	if (!file) {
		fprintf(stderr, "usage: scrape_static PORT FILE\n");
		return 2;
	}
	len = fread(body, 1, sizeof(body), file);
	if (!feof(file)) {
		fprintf(stderr, "scrape_static: %s: longer than %zu bytes\n", argv[2],
			sizeof(body));
		return 1;
	}
	response = MHD_create_response_from_buffer(len, body, MHD_RESPMEM_PERSISTENT);
	MHD_add_response_header(response, "Content-Type", "text/plain; version=0.0.4");
	if (!MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, atoi(argv[1]), NULL, NULL,
			      answer, NULL, MHD_OPTION_THREAD_POOL_SIZE, 2U,
			      MHD_OPTION_CONNECTION_LIMIT, 1U << 30, MHD_OPTION_END)) {
		fprintf(stderr, "scrape_static: can't listen\n");
		return 1;
	}
	for (;;)
		pause();
}
