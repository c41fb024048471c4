// SPDX-License-Identifier: MIT
/*
 * write_cost FILE BYTES ROUNDS CALLS: what a write of BYTES to FILE takes: CALLS of
 * them are timed together, ROUNDS times, and the median round and the quartiles are
 * printed, as ns a call. In a guest that counts time in instructions (scripts/vm --icount) these are
 * instructions; the rounds that a timer interrupt fell into are not the median.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cost.h"

static char text[4096];

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

int main(int argc, char **argv)
{
	long bytes, rounds, calls, i;
	int64_t *ns;
	int fd;

	if (argc != 5) {
		fputs("usage: write_cost FILE BYTES ROUNDS CALLS\n", stderr);
		return 2;
	}
	bytes = number("write_cost", argv[2], sizeof(text));
	rounds = number("write_cost", argv[3], ROUNDS_MAX);
	calls = number("write_cost", argv[4], ROUNDS_MAX);
	fd = open(argv[1], O_WRONLY | O_CLOEXEC);
	ns = rounds_new("write_cost", rounds);
	if (fd < 0) {
		perror(argv[1]);
		return 1;
	}
	memset(text, 'x', sizeof(text));
	round_ns(fd, bytes, calls);
	for (i = 0; i < rounds; i++)
		ns[i] = round_ns(fd, bytes, calls);
	rounds_tell("median", ns, rounds, calls);
	free(ns);
	return 0;
}
