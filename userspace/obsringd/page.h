/* SPDX-License-Identifier: MIT */
#ifndef OBSRINGD_PAGE_H
#define OBSRINGD_PAGE_H

#include "text.h"

/* The landing page, as HTML. Failure: text_failed(@page). */
void page_build(struct text *page, const char *telemetry_path);

#endif /* OBSRINGD_PAGE_H */
