// SPDX-License-Identifier: MIT
/*
 * scrape_static PORT FILE: FILE, answered by libmicrohttpd as one response that is made
 * once: what an answer of that size costs at least.
 *
 * scrape_static PORT SEGMENT LIST: the counters of LIST (make_segment.c), rendered anew for
 * each answer, as one would by hand (listed.h).
 *
 * Both in libmicrohttpd's fastest mode, two threads with epoll.
 */
#include <limits.h>
#include <malloc.h>
#include <microhttpd.h>

#include "listed.h"

static struct MHD_Response *made;
static struct listing listing;

static struct MHD_Response *response_new(size_t len, char *body, enum MHD_ResponseMemoryMode mode)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(len, body, mode);

	listed_must(response, "no memory");
	MHD_add_response_header(response, "Content-Type", "text/plain; version=0.0.4");
	return response;
}

static enum MHD_Result answer(void *cls, struct MHD_Connection *connection,
			      const char *url, const char *method, const char *version,
			      const char *upload, size_t *upload_size, void **request)
{
	static int seen;
	struct MHD_Response *response;
	enum MHD_Result ret;
	char *body;

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
	if (made)
		return MHD_queue_response(connection, MHD_HTTP_OK, made);
	body = malloc(listing.max_bytes);
	if (!body)
		return MHD_NO;
	response = response_new(listing_render(&listing, body), body, MHD_RESPMEM_MUST_FREE);
	ret = MHD_queue_response(connection, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return ret;
}

static void make(const char *path)
{
	static char body[128 << 20];
	FILE *file = fopen(path, "r");
	size_t len;

	if (!file) {
		perror(path);
		exit(1);
	}
	len = fread(body, 1, sizeof(body), file);
	if (!feof(file)) {
		fprintf(stderr, "scrape_static: %s: longer than %zu bytes\n", path, sizeof(body));
		exit(1);
	}
	fclose(file);
	made = response_new(len, body, MHD_RESPMEM_PERSISTENT);
}

int main(int argc, char **argv)
{
	if (argc == 3) {
		make(argv[2]);
	} else if (argc == 4) {
		listing_read(&listing, argv[2], argv[3]);
	} else {
		fprintf(stderr, "usage: scrape_static PORT FILE, or PORT SEGMENT LIST\n");
		return 2;
	}
	/* A body's memory is kept for the next one. */
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_MMAP_MAX, 0);
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
	if (!MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, atoi(argv[1]), NULL, NULL,
			      answer, NULL, MHD_OPTION_THREAD_POOL_SIZE, 2U,
			      MHD_OPTION_CONNECTION_LIMIT, 1U << 30, MHD_OPTION_END)) {
		fprintf(stderr, "scrape_static: can't listen\n");
		return 1;
	}
	for (;;)
		pause();
}
