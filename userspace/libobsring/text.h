/* SPDX-License-Identifier: MIT */
/* Text of an entry: copied while a writer may change it, checked in the copy. */
#ifndef LIBOBSRING_TEXT_H
#define LIBOBSRING_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include <linux/types.h>

#include <obsring.h>

/* Longest text of an entry: strings of a family, and its bounds or states, padded. */
#define OBS_TEXT_MAX	8192

/* Copy @words 64-bit words of memory that may change meanwhile. */
void obs_words_copy(__u64 *to, const __u64 *from, size_t words);

/*
 * The next of the NUL-terminated strings in @text, from *@pos on: NULL if there
 * is none of at most @max bytes, or if it is not UTF-8.
 */
const char *obs_text_next(const char *text, size_t len, size_t *pos, size_t max);

#endif /* LIBOBSRING_TEXT_H */
