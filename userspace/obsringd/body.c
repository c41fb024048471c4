// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "body.h"

static struct MHD_Response *make_from_list(const struct body *body)
{
	struct MHD_IoVec *iov = calloc(body->nr_chunks + 1, sizeof(*iov));
	struct MHD_Response *response;
	unsigned int i, nr = 0;

	if (!iov)
		return NULL;
	for (i = 0; i < body->nr_chunks; i++)
		if (body->chunk[i]->len)
			iov[nr++] = (struct MHD_IoVec){
				.iov_base = body->chunk[i]->data,
				.iov_len = body->chunk[i]->len,
			};
	if (*body->end)
		iov[nr++] = (struct MHD_IoVec){ .iov_base = body->end,
						.iov_len = strlen(body->end) };
	response = MHD_create_response_from_iovec(iov, nr, NULL, NULL);
	free(iov);
	return response;
}

/* MHD sends what is all in one place together with its head, and else apart. */
static struct MHD_Response *make_response(const struct body *body)
{
	if (body->nr_chunks != 1 || *body->end)
		return make_from_list(body);
	return MHD_create_response_from_buffer(body->chunk[0]->len, body->chunk[0]->data,
					       MHD_RESPMEM_PERSISTENT);
}

static bool add_header(struct MHD_Response *response, const char *name,
		       const char *value)
{
	return MHD_add_response_header(response, name, value) == MHD_YES;
}

struct MHD_Response *body_response(const struct body *body)
{
	struct MHD_Response *response = make_response(body);

	if (!response)
		return NULL;
	if (add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, body->content_type) &&
	    add_header(response, MHD_HTTP_HEADER_VARY, "Accept, Accept-Encoding") &&
	    (!body->gzip ||
	     add_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip")))
		return response;
	MHD_destroy_response(response);
	return NULL;
}

struct body *body_new(const char *content_type, bool gzip, struct chunk *const *chunk,
		      unsigned int nr, const char *end)
{
	struct body *body = calloc(1, sizeof(*body) + nr * sizeof(*chunk));

	if (!body)
		return NULL;
	body->refs = 1;
	body->content_type = content_type;
	body->gzip = gzip;
	body->end = end;
	for (; body->nr_chunks < nr; body->nr_chunks++)
		body->chunk[body->nr_chunks] = chunk_get(chunk[body->nr_chunks]);
	body->response = body_response(body);
	if (body->response)
		return body;
	body_put(body);
	return NULL;
}

struct body *body_get(struct body *body)
{
	__atomic_add_fetch(&body->refs, 1, __ATOMIC_RELAXED);
	return body;
}

void body_put(struct body *body)
{
	unsigned int i;

	/* body_put:A, pairs with body_idle:B; and who frees it comes last */
	if (!body || __atomic_sub_fetch(&body->refs, 1, __ATOMIC_ACQ_REL))
		return;
	if (body->response)
		MHD_destroy_response(body->response);
	for (i = 0; i < body->nr_chunks; i++)
		chunk_put(body->chunk[i]);
	free(body);
}

size_t body_len(const struct body *body)
{
	size_t len = strlen(body->end);
	unsigned int i;

	for (i = 0; i < body->nr_chunks; i++)
		len += body->chunk[i]->len;
	return len;
}

bool body_idle(const struct body *body)
{
	/* body_idle:B, pairs with body_put:A */
	return __atomic_load_n(&body->refs, __ATOMIC_ACQUIRE) == 1;
}
