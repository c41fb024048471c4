/* SPDX-License-Identifier: MIT */
/* What is to be had over HTTP: a path each, and who answers. */
#ifndef OBSRINGD_ANSWER_H
#define OBSRINGD_ANSWER_H

#include <stdbool.h>

#include "http.h"

/* A limited one counts against --web.max-requests. */
struct path {
	const char *path;
	enum MHD_Result (*answer)(struct http *http, struct MHD_Connection *connection);
	bool limited;
	bool acts;	/* POST and PUT, where others have GET and HEAD */
};

/* NULL: there is none. */
const struct path *path_find(const struct http *http, const char *path);

#endif /* OBSRINGD_ANSWER_H */
