// SPDX-License-Identifier: MIT
/*
 * For test_clock.py: each line of standard input is a number; four threads read the
 * clock that many times each, and nothing else, then it answers with the time in
 * nanoseconds.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define THREADS 4

static unsigned long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

static void *reader(void *count)
{
	unsigned long left;

	for (left = *(unsigned long *)count; left; left--)
		now();
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS];
	unsigned long count;
	char line[80];
	int i;

	while (fgets(line, sizeof(line), stdin)) {
		count = strtoul(line, NULL, 10);
		for (i = 0; count && i < THREADS; i++)
			if (pthread_create(&threads[i], NULL, reader, &count))
				return 1;
		for (i = 0; count && i < THREADS; i++)
			pthread_join(threads[i], NULL);
		printf("%llu\n", now());
		fflush(stdout);
	}
	return 0;
}
