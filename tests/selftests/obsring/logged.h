/* SPDX-License-Identifier: MIT */
/* What the log gained, as text: for tests of those who write to it. */
#ifndef SELFTEST_LOGGED_H
#define SELFTEST_LOGGED_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * struct logged - a reader, and what it has read
 * @fd: non-blocking
 * @text: lines, ended by a NUL
 * @len: bytes of them
 * @size: bytes of memory
 */
struct logged {
	int fd;
	char *text;
	size_t len;
	size_t size;
};

/* From the end of the log on: 0 or -errno. */
int logged_open(struct logged *logged);
void logged_close(struct logged *logged);

/* Forget what was read, and go to the end. */
void logged_clear(struct logged *logged);

/* Lines with all of the words, after reading what is there. */
unsigned int logged_count(struct logged *logged, const char *const *words);
#define logged(l, ...) logged_count(l, (const char *const[]){ __VA_ARGS__, NULL })

/* The first such line, or ""; stays until the next call. */
const char *logged_first(struct logged *logged, const char *const *words);
#define logged_line(l, ...) logged_first(l, (const char *const[]){ __VA_ARGS__, NULL })

/* The number behind @key ("bytes=") in a line; UINT64_MAX without it. */
uint64_t logged_number(const char *line, const char *key);

/* The smallest and the sum of these numbers over all lines that have one. */
uint64_t logged_least(struct logged *logged, const char *key);
uint64_t logged_sum(struct logged *logged, const char *key);

/* All that is there of a file, NUL-terminated: its bytes or -errno. */
ssize_t drain(int fd, char *text, size_t size);
unsigned int lines(const char *text);

#endif /* SELFTEST_LOGGED_H */
