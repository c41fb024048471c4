// SPDX-License-Identifier: MIT
/*
 * How fast it goes, and what takes the time: a line each 10 000 calls, with what has
 * changed since the last one; at the end, each kind of call.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"
#include "progress.h"

#define CALLS_EACH	10000
#define SECONDS_EACH	60	/* also if there were fewer */
#define DEAREST		6
#define WAITS_MAX	64	/* functions of the kernel */
#define WORK		20000
#define DEAR		20	/* of a hundred: a kind of call may take so much */
#define PATIENCE_MIN	16

struct cpu {
	unsigned long long user, system, interrupts, idle;
};

/**
 * struct instant - what has been counted by then
 * @ns: when it is
 * @calls: made by then
 * @cpu: what the guest's processors have done
 * @kind: of each kind of call: how many, and how long they took
 */
struct instant {
	uint64_t ns;
	uint64_t calls;
	struct cpu cpu;
	struct {
		uint64_t made, took_ns;
	} kind[KINDS];
};

static struct instant begun, told;

/**
 * struct waits - what workers waited in, each time that one was looked at
 * @looked: how often
 * @ran: times that it did not wait
 * @in: { the kernel's function, times }
 */
static struct {
	uint32_t looked, ran, nr;
	struct {
		char name[64];
		uint32_t times;
	} in[WAITS_MAX];
} waits;

/* In ticks, of all processors. */
static void cpu_read(struct cpu *cpu)
{
	unsigned long long nice = 0, wait = 0, hard = 0, soft = 0;
	FILE *file = fopen("/proc/stat", "r");

	memset(cpu, 0, sizeof(*cpu));
	if (!file)
		return;
	if (fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu", &cpu->user, &nice,
		   &cpu->system, &cpu->idle, &wait, &hard, &soft) != 7)
		memset(cpu, 0, sizeof(*cpu));
	cpu->user += nice;
	cpu->idle += wait;
	cpu->interrupts = hard + soft;
	fclose(file);
}

/* A line of /proc/meminfo, in MB. */
static unsigned long memory_mb(const char *name)
{
	FILE *file = fopen("/proc/meminfo", "r");
	unsigned long kb = 0;
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
			kb = strtoul(line + strlen(name) + 1, NULL, 10);
	if (file)
		fclose(file);
	return kb >> 10;
}

/*
 * What the same work took since it was last told, and the best mean of such a time: one
 * alone may be short by chance, as the guest's clocks are set right now and then.
 */
static struct {
	uint64_t ns, times, best_ns;
} work;

static void wait_count(const char *name)
{
	uint32_t i;

	for (i = 0; i < waits.nr && strcmp(waits.in[i].name, name); i++)
		;
	if (i == WAITS_MAX)
		return;
	if (i == waits.nr) {
		snprintf(waits.in[i].name, sizeof(waits.in[i].name), "%s", name);
		waits.in[waits.nr++].times = 0;
	}
	waits.in[i].times++;
}

/* The function in which the kernel has put it to sleep, if it has. */
static void worker_look(pid_t pid)
{
	char path[64], line[256], name[64], state = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	if (!file)
		return;
	if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	fclose(file);
	waits.looked++;
	waits.ran += state == 'R';
	if (state == 'R')
		return;
	snprintf(path, sizeof(path), "/proc/%d/stack", pid);
	file = fopen(path, "r");
	if (file && fgets(line, sizeof(line), file) &&
	    sscanf(line, "[<0>] %63[^+]", name) == 1)
		wait_count(name);
	if (file)
		fclose(file);
}

/*
 * How long the same work takes, by this process' own clock: the guest's processors are
 * another machine's processes, and it does not say when they stand.
 */
static uint64_t work_ns(void)
{
	volatile uint32_t work = WORK;
	struct timespec begun, ended;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begun);
	while (work)
		work--;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ended);
	return (ended.tv_sec - begun.tv_sec) * 1000000000ULL + ended.tv_nsec - begun.tv_nsec;
}

/*
 * No kind of call is to take all the time: where a limit is met, each waits for a grace
 * period, and soon all workers do. Fewer of the dear ones are made, until they take no
 * more than their share, or more of them again.
 */
static void patience_set(void)
{
	static uint64_t before[KINDS];
	uint64_t took[KINDS], all = 0, patience;
	uint32_t i;

	for (i = 0; i < KINDS; i++) {
		took[i] = __atomic_load_n(&shared->took_ns[i], __ATOMIC_RELAXED) - before[i];
		before[i] += took[i];
		all += took[i];
	}
	for (i = 0; all && i < KINDS; i++) {
		patience = shared->patience[i];
		patience = 100 * took[i] > DEAR * all ? patience / 2 : patience * 9 / 8;
		patience = patience < PATIENCE_MIN ? PATIENCE_MIN :
			   patience > PATIENCE ? PATIENCE : patience;
		__atomic_store_n(&shared->patience[i], patience, __ATOMIC_RELAXED);
	}
}

/* Ten times a second or more often, as it goes. */
void progress_look(void)
{
	static unsigned int times;
	unsigned int i;

	work.ns += work_ns();
	work.times++;
	if (!(++times % 16))
		patience_set();
	for (i = 0; i < WORKERS_MAX; i++)
		if (shared->worker[i].pid > 0)
			worker_look(shared->worker[i].pid);
}

static void waits_print(void)
{
	uint32_t i, k, best;

	printf("; of the workers %u %% ran", 100 * waits.ran / (waits.looked ?: 1));
	for (k = 0; waits.nr && k < DEAREST; k++) {
		for (best = 0, i = 1; i < waits.nr; i++)
			if (waits.in[i].times > waits.in[best].times)
				best = i;
		if (100 * waits.in[best].times < waits.looked)
			break;
		printf(", %u %% %s", 100 * waits.in[best].times / waits.looked,
		       waits.in[best].name);
		waits.in[best].times = 0;
	}
	memset(&waits, 0, sizeof(waits));
}

static void now(struct instant *at)
{
	uint32_t i;

	at->ns = now_ns();
	at->calls = __atomic_load_n(&shared->calls, __ATOMIC_RELAXED);
	cpu_read(&at->cpu);
	for (i = 0; i < KINDS; i++) {
		at->kind[i].made = shared->made[i];
		at->kind[i].took_ns = shared->took_ns[i];
	}
}

void progress_begin(void)
{
	uint32_t i;

	for (i = 0; i < KINDS; i++)
		shared->patience[i] = PATIENCE;
	now(&begun);
	told = begun;
}

/* By the clock: what it waited, and stood behind other workers, is in it. */
static void dearest_print(const struct instant *at)
{
	uint64_t took[KINDS], all = 0;
	uint32_t i, k, best;

	for (i = 0; i < KINDS; i++) {
		took[i] = at->kind[i].took_ns - told.kind[i].took_ns;
		all += took[i];
	}
	for (k = 0; all && k < DEAREST; k++) {
		for (best = 0, i = 1; i < KINDS; i++)
			if (took[i] > took[best])
				best = i;
		if (100 * took[best] < all)
			break;
		printf("%s %s %llu %% (%llu us)", k ? "," : "; dearest:", kind_name(best),
		       (unsigned long long)(100 * took[best] / all),
		       (unsigned long long)(took[best] / 1000 /
			       (at->kind[best].made - told.kind[best].made ?: 1)));
		took[best] = 0;
	}
}

static void held_back_print(void)
{
	const char *before = "; held back:";
	uint32_t i;

	for (i = 0; i < KINDS; i++)
		if (shared->patience[i] < PATIENCE) {
			printf("%s %s to %u %%", before, kind_name(i),
			       100 * shared->patience[i] / PATIENCE);
			before = ",";
		}
}

static void cpu_print(const struct cpu *at, const struct cpu *before)
{
	unsigned long long user = at->user - before->user, system = at->system - before->system,
			   interrupts = at->interrupts - before->interrupts,
			   idle = at->idle - before->idle,
			   all = user + system + interrupts + idle ?: 1;

	printf("; %llu %% user, %llu %% system, %llu %% interrupts, %llu %% idle",
	       100 * user / all, 100 * system / all, 100 * interrupts / all, 100 * idle / all);
}

static void processors_print(void)
{
	uint64_t ns = work.ns / (work.times ?: 1) ?: 1;

	if (!work.best_ns || ns < work.best_ns)
		work.best_ns = ns;
	printf("; processors at %llu %%", (unsigned long long)(100 * work.best_ns / ns));
	work.ns = 0;
	work.times = 0;
}

static void tell(const struct instant *at)
{
	uint64_t ns = at->ns - told.ns ?: 1;

	printf("# %llu calls, %u programs in the corpus, %u blocks, %llu s; %llu calls/s",
	       (unsigned long long)at->calls, shared->nr_corpus, shared->nr_reached,
	       (unsigned long long)((at->ns - begun.ns) / 1000000000),
	       (unsigned long long)((at->calls - told.calls) * 1000000000 / ns));
	cpu_print(&at->cpu, &told.cpu);
	printf("; free %lu MB, slab %lu MB", memory_mb("MemFree"), memory_mb("Slab"));
	dearest_print(at);
	held_back_print();
	waits_print();
	processors_print();
	putchar('\n');
	fflush(stdout);
	told = *at;
}

/* At times; or when told to. */
void progress_tell(bool anyhow)
{
	static struct instant at;

	if (!anyhow && shared->calls - told.calls < CALLS_EACH &&
	    now_ns() - told.ns < SECONDS_EACH * 1000000000ULL)
		return;
	now(&at);
	tell(&at);
}

/* Where all the time went, for who wants to make it faster. */
void progress_end(void)
{
	uint32_t i;

	now(&told);
	for (i = 0; i < KINDS; i++)
		if (told.kind[i].made)
			printf("# %s: %llu, %llu us each\n", kind_name(i),
			       (unsigned long long)told.kind[i].made,
			       (unsigned long long)(told.kind[i].took_ns /
						    told.kind[i].made / 1000));
}
