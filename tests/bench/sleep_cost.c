// SPDX-License-Identifier: MIT
/*
 * sleep_cost ROUNDS TRIPS: what it takes that a task goes to sleep and is woken again: two
 * processes hand a byte to and fro, TRIPS times a round. Each trip is two sleeps. The
 * median round and the quartiles are printed, as ns a sleep.
 *
 * sleep_cost ROUNDS TRIPS young: each round has two processes of its own, which have not
 * slept more than TRIPS + 2 times at its end, and rest for 70 ms before.
 *
 * On one processor, and as batch jobs, which preempt nobody when they are woken: so each of
 * them sleeps until the other one does. In a guest that counts time in instructions
 * (scripts/vm --icount) these are instructions.
 */
#define _GNU_SOURCE	/* SCHED_BATCH */
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cost.h"

#define REST_NS 70000000

static int there[2], back[2];

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void answer(void)
{
	char byte;

	while (read(there[0], &byte, 1) == 1)
		if (write(back[1], &byte, 1) != 1)
			break;
	_exit(0);
}

static void trip(void)
{
	char byte = 0;

	if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
		fail("sleep_cost: pipe");
}

static long sleeps(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_nvcsw;
}

/* A round in which somebody else came between has nothing to tell. */
#define DISTURBED INT64_MAX

static int64_t round_ns(long trips)
{
	long before, i;
	int64_t begin;

	trip();	/* what is done once is done */
	before = sleeps();
	begin = now_ns();
	for (i = 0; i < trips; i++)
		trip();
	begin = now_ns() - begin;
	return sleeps() - before < trips ? DISTURBED : begin;
}

static pid_t begin(void)
{
	pid_t pid = fork();

	if (pid < 0)
		fail("sleep_cost: fork");
	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void old_rounds(long rounds, long trips, int64_t *ns)
{
	pid_t pid = begin();
	long i;

	if (!pid)
		answer();
	round_ns(trips);
	for (i = 0; i < rounds; i++)
		ns[i] = round_ns(trips);
	end(pid);
}

static int64_t young_round(long trips, int64_t *shared)
{
	const struct timespec rest = { .tv_nsec = REST_NS };
	pid_t answers, asks;
	int status;

	nanosleep(&rest, NULL);
	answers = begin();
	if (!answers)
		answer();
	asks = begin();
	if (!asks) {
		*shared = round_ns(trips);
		_exit(0);
	}
	if (waitpid(asks, &status, 0) != asks || status)
		fail("sleep_cost: a round");
	end(answers);
	return *shared;
}

static void young_rounds(long rounds, long trips, int64_t *ns)
{
	int64_t *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long i;

	if (shared == MAP_FAILED)
		fail("sleep_cost: mmap");
	for (i = 0; i < rounds; i++)
		ns[i] = young_round(trips, shared);
}

/* How many tell something: they come first then. */
static long undisturbed(int64_t *ns, long rounds)
{
	long good = 0, i;

	for (i = 0; i < rounds; i++)
		if (ns[i] != DISTURBED)
			ns[good++] = ns[i];
	return good;
}

int main(int argc, char **argv)
{
	const struct sched_param batch = { 0 };
	bool young = argc == 4 && !strcmp(argv[3], "young");
	long rounds, trips, good;
	int64_t *ns;

	if (argc != 3 && !young) {
		fputs("usage: sleep_cost ROUNDS TRIPS [young]\n", stderr);
		return 2;
	}
	rounds = number("sleep_cost", argv[1], ROUNDS_MAX);
	trips = number("sleep_cost", argv[2], ROUNDS_MAX);
	ns = rounds_new("sleep_cost", rounds);
	if (pipe(there) || pipe(back) || sched_setscheduler(0, SCHED_BATCH, &batch))
		fail("sleep_cost");
	if (young)
		young_rounds(rounds, trips, ns);
	else
		old_rounds(rounds, trips, ns);
	good = undisturbed(ns, rounds);
	if (good <= rounds / 2) {
		fputs("sleep_cost: in most rounds it did not sleep each time\n", stderr);
		return 1;
	}
	rounds_tell("median", ns, good, 2 * trips);
	free(ns);
	return 0;
}
