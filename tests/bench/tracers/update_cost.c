// SPDX-License-Identifier: MIT
/*
 * update_cost ROUNDS CALLS: what obs_counter_add() on a series of a service of the
 * device takes: CALLS of them are timed together, ROUNDS times, and the median round is
 * printed, as ns a call; so is that of the loop without it. In a guest that counts time
 * in instructions (scripts/vm --icount) these are instructions.
 */
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include <obsring.h>

#include "watched.h"

static struct obs_counter *counter;

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static int64_t round_ns(bool add, long calls)
{
	int64_t begin = now_ns();
	long i;

	for (i = 0; i < calls; i++) {
		if (add)
			obs_counter_add(counter, 1);
		__asm__ volatile("");
	}
	return now_ns() - begin;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static double median(bool add, long rounds, long calls)
{
	int64_t *ns = calloc((size_t)rounds, sizeof(*ns));
	double ret;
	long i;

	if (!ns)
		die("update_cost: no memory");
	round_ns(add, calls);
	for (i = 0; i < rounds; i++)
		ns[i] = round_ns(add, calls);
	qsort(ns, (size_t)rounds, sizeof(*ns), compare);
	ret = (double)ns[rounds / 2] / (double)calls;
	free(ns);
	return ret;
}

int main(int argc, char **argv)
{
	const struct obs_family_spec spec = { .name = "bench_updates_total" };
	struct obs_service *service;
	long rounds, calls;

	if (argc != 3 || (rounds = atol(argv[1])) < 1 || (calls = atol(argv[2])) < 1)
		die("usage: update_cost ROUNDS CALLS");
	if (obs_service_attach("bench", &service) ||
	    obs_counter_new(service, &spec, NULL, &counter))
		die("update_cost: no service");
	printf("empty %.2f\n", median(false, rounds, calls));
	printf("add %.2f\n", median(true, rounds, calls));
	obs_service_detach(service);
	return 0;
}
