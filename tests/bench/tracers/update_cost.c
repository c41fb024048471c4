// SPDX-License-Identifier: MIT
/*
 * update_cost ROUNDS CALLS: what obs_counter_add() on a series of a service of the
 * device takes: CALLS of them are timed together, ROUNDS times, and the median round and
 * the quartiles are printed, as ns a call; so are those of the loop without it. In a guest
 * that counts time in instructions (scripts/vm --icount) these are instructions.
 */
#include <stdbool.h>

#include <obsring.h>

#include "../cost.h"
#include "watched.h"

static struct obs_counter *counter;

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

static void rounds_run(const char *name, bool add, long rounds, long calls)
{
	int64_t *ns = rounds_new("update_cost", rounds);
	long i;

	round_ns(add, calls);
	for (i = 0; i < rounds; i++)
		ns[i] = round_ns(add, calls);
	rounds_tell(name, ns, rounds, calls);
	free(ns);
}

int main(int argc, char **argv)
{
	const struct obs_family_spec spec = { .name = "bench_updates_total" };
	struct obs_service *service;
	long rounds, calls;

	if (argc != 3)
		die("usage: update_cost ROUNDS CALLS");
	rounds = number("update_cost", argv[1], ROUNDS_MAX);
	calls = number("update_cost", argv[2], ROUNDS_MAX);
	if (obs_service_attach("bench", &service) ||
	    obs_counter_new(service, &spec, NULL, &counter))
		die("update_cost: no service");
	rounds_run("empty", false, rounds, calls);
	rounds_run("add", true, rounds, calls);
	obs_service_detach(service);
	return 0;
}
