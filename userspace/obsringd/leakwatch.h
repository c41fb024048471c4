/* SPDX-License-Identifier: MIT */
/*
 * The thread that watches for leaks (leak.h) and for want of memory: it takes the
 * samples, asks where tasks sleep, tells what it finds in the log, the daemon's and
 * the device's, and shows figures to scrapes.
 *
 * The machine's figures are read from /proc. Those of processes, to whose /proc the
 * daemon has no right, come from the module, while its source "process" is on; without
 * it they are not available, and nor is where tasks sleep.
 *
 * A leak of tasks or threads blocks if at least half of those that were seen to sleep
 * at the alarm, beyond those at the suspicion, sleep in one place: "blocks", with the
 * kernel stack. Seen in no such place, they go on with something: "allocates"; not
 * seen: "unavailable". What leaks without leaking tasks "allocates".
 *
 * It takes no more than max_cpu of a hundred parts of a CPU: after a sample that took
 * long it rests longer than the interval.
 */
#ifndef OBSRINGD_LEAKWATCH_H
#define OBSRINGD_LEAKWATCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "collect.h"
#include "leak.h"
#include "machine.h"

#define LEAKWATCH_ROWS		16	/* that are shown at once */
#define LEAKWATCH_PRESSURE_NS	1000000000ULL

enum leak_kind {
	LEAK_ALLOCATES,
	LEAK_BLOCKS,
	LEAK_UNAVAILABLE,	/* which of both */

	LEAK_KIND_NR
};

/* What is counted and shown: of the machine, and threads, which are of processes. */
enum leak_label {
	LEAK_LABEL_TASKS,
	LEAK_LABEL_THREADS,
	LEAK_LABEL_FILES,
	LEAK_LABEL_MEMORY,
	LEAK_LABEL_SLAB,
	LEAK_LABEL_STACKS,	/* where they sleep: available or not */

	LEAK_LABEL_NR
};

#define LEAK_ALARM_LABELS	(LEAK_LABEL_SLAB + 1)
/* Both of these may block. */
#define LEAK_ALARM_KINDS	(2 * LEAK_KIND_NR + LEAK_ALARM_LABELS - 2)

/* "tasks", "threads", ...; { "tasks", "allocates", "tasks", "blocks", ... } */
extern const char *const leak_label_name[LEAK_LABEL_NR];
extern const char *const leak_alarm_kind[2 * LEAK_ALARM_KINDS];

struct leakwatch_counts {
	uint64_t samples;
	uint64_t cpu_ns;
	uint64_t interval_ns;		/* the last one, as it was */
	uint64_t processes, untracked;
	uint64_t available[LEAK_LABEL_NR];
	uint64_t alarms[LEAK_ALARM_LABELS];		/* that are on */
	uint64_t raised[LEAK_ALARM_KINDS];
	/* What memory was wanted, at most LEAKWATCH_PRESSURE_NS ago. */
	uint64_t pressure_available;
	uint64_t waiting_us, stalled_us;
	uint64_t reclaims, compactions, compaction_failures;
};

/* What grows, the most worrying first. */
struct leakwatch_row {
	char resource[16];
	char pid[12];		/* "" of the machine */
	char comm[20];
	char state[16];		/* "suspect", "leak" */
	char kind[16];		/* of a leak, else "" */
	char stack[OBSRING_STACK_MAX];
	uint64_t milli_per_s;
};

struct leakwatch_config {
	const char *device;
	const char *proc;
	uint64_t interval_ns;	/* 0: no thread, who started it calls leakwatch_sample() */
	uint64_t window_ns, confirm_ns;
	unsigned int max_cpu;	/* percent of one, 1 to 100 */
};

struct leakwatch {
	struct leakwatch_config config;
	struct collector *collector;
	pthread_t thread;
	bool running, threaded;
	int stop;		/* eventfd */
	pthread_mutex_t lock;	/* guards what is shown */
	struct leakwatch_counts counts;
	struct leakwatch_row row[LEAKWATCH_ROWS];
	unsigned int nr_rows;
	uint64_t epoch;		/* counts changes of their labels; from 1 */
	/* The thread's own. */
	struct leak leak;
	struct machine machine;
	int device_fd;		/* in a sample; -1: closed */
	struct machine_pressure pressure;	/* read last, and when */
	uint64_t pressure_ns;
	struct machine_pressure before;	/* at the last mark, and when */
	uint64_t before_ns;
	bool pressed;
	bool sees;		/* where tasks sleep */
};

/* Begin to watch, in a thread unless @config says otherwise. -errno. */
int leakwatch_start(struct leakwatch *watch, const struct leakwatch_config *config,
		    struct collector *collector);

/* @watch may be zeroed. */
void leakwatch_stop(struct leakwatch *watch);

/* Take one sample, at that time of CLOCK_MONOTONIC. */
void leakwatch_sample(struct leakwatch *watch, uint64_t now_ns);

/* What is shown now: rows, if they are others than of *@epoch, which is set. */
void leakwatch_counts(struct leakwatch *watch, struct leakwatch_counts *ret_counts);
unsigned int leakwatch_rows(struct leakwatch *watch, struct leakwatch_row *ret_row,
			    uint64_t *epoch);

#endif /* OBSRINGD_LEAKWATCH_H */
