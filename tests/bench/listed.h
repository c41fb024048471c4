/* SPDX-License-Identifier: MIT */
/*
 * The counters of a segment that a list names (make_segment.c), and the way to render them
 * that one would write by hand: each has its line as far as the value beforehand, which is
 * copied, and the value after it, two digits at a time.
 */
#ifndef BENCH_LISTED_H
#define BENCH_LISTED_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LISTED_ROWS	4
#define LISTED_DIGITS	20	/* of a value, at most */

struct listed {
	uint64_t *row[LISTED_ROWS];
	const char *prefix;	/* with what stands before a family */
	size_t prefix_len;
};

struct listing {
	struct listed *counter;
	size_t nr;
	size_t max_bytes;	/* of a body */
};

static inline void listed_must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "the list of counters: %s\n", what);
	exit(1);
}

static inline char *listed_map(const char *segment)
{
	int fd = open(segment, O_RDWR | O_CLOEXEC);
	struct stat stat;
	char *map;

	listed_must(fd >= 0 && !fstat(fd, &stat), "no segment");
	map = mmap(NULL, (size_t)stat.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	listed_must(map != MAP_FAILED, "no mapping");
	close(fd);
	return map;
}

/* A line of the list; @before is the family of the line before. */
static inline void listed_add(struct listing *all, char *map, const char *line, char *before)
{
	struct listed *c = &all->counter[all->nr];
	char name[128], help[128], label[3][64], prefix[512];
	unsigned long at[LISTED_ROWS];
	int len = 0, i;

	listed_must(sscanf(line, "%127[^\t]\t%127[^\t]\t%63[^\t]\t%63[^\t]\t%63[^\t]\t%lu\t%lu\t%lu\t%lu",
			   name, help, label[0], label[1], label[2], &at[0], &at[1], &at[2],
			   &at[3]) == 9, "a line of something else");
	if (strcmp(name, before)) {
		len = snprintf(prefix, sizeof(prefix), "# HELP %s %s\n# TYPE %s counter\n", name,
			       help, name);
		strcpy(before, name);
	}
	len += snprintf(prefix + len, sizeof(prefix) - (size_t)len,
			"%s{service=\"%s\",method=\"%s\",code=\"%s\"} ", name, label[0],
			label[1], label[2]);
	c->prefix = strdup(prefix);
	c->prefix_len = (size_t)len;
	listed_must(c->prefix, "no memory");
	for (i = 0; i < LISTED_ROWS; i++)
		c->row[i] = (uint64_t *)(map + at[i]);
	all->max_bytes += c->prefix_len + LISTED_DIGITS + 1;
	all->nr++;
}

static inline void listing_read(struct listing *all, const char *segment, const char *list)
{
	char line[512], family[128] = "", *map = listed_map(segment);
	FILE *file = fopen(list, "r");
	size_t room = 0;

	listed_must(file, "can't be read");
	while (fgets(line, sizeof(line), file)) {
		if (all->nr == room) {
			room = room * 2 + 1024;
			all->counter = reallocarray(all->counter, room, sizeof(*all->counter));
			listed_must(all->counter, "no memory");
		}
		listed_add(all, map, line, family);
	}
	fclose(file);
	listed_must(all->nr, "empty");
}

static inline uint64_t listed_value(const struct listed *c)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < LISTED_ROWS; i++)
		sum += __atomic_load_n(c->row[i], __ATOMIC_RELAXED);
	return sum;
}

/* From its last digits on, two at a time. */
static inline char *listed_digits(char *to, uint64_t value)
{
	static const char pairs[] =
		"0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849"
		"5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";
	char digits[LISTED_DIGITS];
	unsigned int at = LISTED_DIGITS;

	for (; value >= 100; value /= 100) {
		at -= 2;
		memcpy(digits + at, pairs + value % 100 * 2, 2);
	}
	if (value >= 10) {
		at -= 2;
		memcpy(digits + at, pairs + value * 2, 2);
	} else {
		digits[--at] = (char)('0' + value);
	}
	memcpy(to, digits + at, LISTED_DIGITS - at);
	return to + LISTED_DIGITS - at;
}

/* @body has room for max_bytes. The length. */
static inline size_t listing_render(const struct listing *all, char *body)
{
	const struct listed *c;
	char *to = body;

	for (c = all->counter; c < all->counter + all->nr; c++) {
		memcpy(to, c->prefix, c->prefix_len);
		to = listed_digits(to + c->prefix_len, listed_value(c));
		*to++ = '\n';
	}
	return (size_t)(to - body);
}

#endif
