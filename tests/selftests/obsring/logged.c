// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/obsring.h>

#include "logged.h"

#define LINE_MAX_BYTES	16384

int logged_open(struct logged *logged)
{
	*logged = (struct logged){ .size = 1 << 20 };
	logged->text = malloc(logged->size);
	if (!logged->text)
		return -ENOMEM;
	logged->fd = open(OBSRING_DEVICE, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (logged->fd < 0) {
		free(logged->text);
		return -errno;
	}
	logged_clear(logged);
	return 0;
}

void logged_close(struct logged *logged)
{
	close(logged->fd);
	free(logged->text);
}

void logged_clear(struct logged *logged)
{
	lseek(logged->fd, 0, SEEK_END);
	logged->len = 0;
	logged->text[0] = '\0';
}

static void more(struct logged *logged)
{
	char *text;

	if (logged->size - logged->len > LINE_MAX_BYTES)
		return;
	text = realloc(logged->text, logged->size * 2);
	if (!text) {
		perror("logged");
		exit(1);
	}
	logged->text = text;
	logged->size *= 2;
}

static void read_all(struct logged *logged)
{
	ssize_t n;

	do {
		more(logged);
		n = read(logged->fd, logged->text + logged->len,
			 logged->size - logged->len - 1);
		if (n > 0)
			logged->len += (size_t)n;
	} while (n > 0);
	logged->text[logged->len] = '\0';
}

/* The next line of *@at into @line, which is too long for none; false at the end. */
static bool line_next(const char **at, char *line)
{
	size_t n = strcspn(*at, "\n");

	if (!**at || n >= LINE_MAX_BYTES)
		return false;
	memcpy(line, *at, n);
	line[n] = '\0';
	*at += n + 1;
	return true;
}

static bool has_all(const char *line, const char *const *words)
{
	for (; *words; words++)
		if (!strstr(line, *words))
			return false;
	return true;
}

unsigned int logged_count(struct logged *logged, const char *const *words)
{
	static char line[LINE_MAX_BYTES];
	unsigned int n = 0;
	const char *at;

	read_all(logged);
	for (at = logged->text; line_next(&at, line); )
		n += has_all(line, words);
	return n;
}

const char *logged_first(struct logged *logged, const char *const *words)
{
	static char line[LINE_MAX_BYTES];
	const char *at;

	read_all(logged);
	for (at = logged->text; line_next(&at, line); )
		if (has_all(line, words))
			return line;
	return "";
}

uint64_t logged_number(const char *line, const char *key)
{
	const char *at = strstr(line, key);

	return at ? strtoull(at + strlen(key), NULL, 10) : UINT64_MAX;
}

uint64_t logged_least(struct logged *logged, const char *key)
{
	uint64_t n, least = UINT64_MAX;
	const char *at;

	read_all(logged);
	for (at = logged->text; (at = strstr(at, key)); at += strlen(key)) {
		n = logged_number(at, key);
		if (n < least)
			least = n;
	}
	return least;
}

uint64_t logged_sum(struct logged *logged, const char *key)
{
	uint64_t sum = 0;
	const char *at;

	read_all(logged);
	for (at = logged->text; (at = strstr(at, key)); at += strlen(key))
		sum += logged_number(at, key);
	return sum;
}

ssize_t drain(int fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n = 0;

	while (len < size - 1 && (n = read(fd, text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = 0;
	return n < 0 && errno != EAGAIN ? -errno : (ssize_t)len;
}

unsigned int lines(const char *text)
{
	unsigned int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}
