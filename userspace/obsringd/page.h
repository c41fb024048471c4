/* SPDX-License-Identifier: MIT */
/*
 * The page at /: page.html, whole in the program. It loads nothing but the JSON of
 * /api/v1/, and runs no script and no style but its own, which the policy names by
 * their hashes.
 */
#ifndef OBSRINGD_PAGE_H
#define OBSRINGD_PAGE_H

#include "text.h"

struct page {
	struct text html;
	struct text policy;	/* Content-Security-Policy, with a NUL */
};

/* Failure: text_failed() of either. */
void page_build(struct page *page, const char *telemetry_path);
void page_free(struct page *page);

#endif /* OBSRINGD_PAGE_H */
