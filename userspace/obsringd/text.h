/* SPDX-License-Identifier: MIT */
/*
 * Text that grows. A failed allocation is remembered, what is put after it is
 * dropped, and the one who wanted the text asks text_failed() at the end.
 */
#ifndef OBSRINGD_TEXT_H
#define OBSRINGD_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {
	char *data;
	size_t len;
	size_t size;
	bool failed;
};

/* Room for @more bytes behind the text, or NULL: out of memory. */
char *text_reserve(struct text *text, size_t more);

void text_put(struct text *text, const void *data, size_t len);
void text_puts(struct text *text, const char *string);

/* Empty it, and keep its memory; a failure is kept until text_free(). */
void text_clear(struct text *text);
void text_free(struct text *text);

static inline bool text_failed(const struct text *text)
{
	return text->failed;
}

#endif /* OBSRINGD_TEXT_H */
