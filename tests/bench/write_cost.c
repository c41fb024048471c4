// SPDX-License-Identifier: MIT
/*
 * write_cost FILE BYTES ROUNDS CALLS: what a write of BYTES to FILE takes: CALLS of
 * them are timed together, ROUNDS times, and the median round is printed, as ns a
 * call. In a guest that counts time in instructions (scripts/vm --icount) these are
 * instructions; the rounds that a timer interrupt fell into are not the median.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char text[4096];

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static int64_t round_ns(int fd, long bytes, long calls)
{
	int64_t begin = now_ns();

	while (calls--)
		if (write(fd, text, (size_t)bytes) != bytes) {
			perror("write_cost");
			exit(1);
		}
	return now_ns() - begin;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* A number from 1 to @max, or the end. */
static long number(const char *word, long max)
{
	char *end;
	long n = strtol(word, &end, 10);

	if (*end || n < 1 || n > max) {
		fprintf(stderr, "write_cost: not a number from 1 to %ld: %s\n", max, word);
		exit(2);
	}
	return n;
}

int main(int argc, char **argv)
{
	long bytes, rounds, calls, i;
	int64_t *ns;
	int fd;

	if (argc != 5) {
		fputs("usage: write_cost FILE BYTES ROUNDS CALLS\n", stderr);
		return 2;
	}
	bytes = number(argv[2], sizeof(text));
	rounds = number(argv[3], 1000000);
	calls = number(argv[4], 1000000);
	fd = open(argv[1], O_WRONLY | O_CLOEXEC);
	ns = calloc((size_t)rounds, sizeof(*ns));
	if (fd < 0 || !ns) {
		perror("write_cost");
		return 1;
	}
	memset(text, 'x', sizeof(text));
	round_ns(fd, bytes, calls);
	for (i = 0; i < rounds; i++)
		ns[i] = round_ns(fd, bytes, calls);
	qsort(ns, (size_t)rounds, sizeof(*ns), compare);
	printf("median %.0f\n", (double)ns[rounds / 2] / (double)calls);
	free(ns);
	return 0;
}
