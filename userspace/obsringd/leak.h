/* SPDX-License-Identifier: MIT */
/*
 * The leak watch, without its eyes: figures of the machine and of its processes come
 * in, sample by sample, and alarms come out. Pure: no clock, no file, no log.
 *
 *	sample	what something holds at a time
 *	mark	the lowest of the samples in a mark's time: what was given back at
 *		least once in it does not count (low water)
 *	window	the newest LEAK_MARKS marks. It rises if all of its newest quarter lie
 *		above all of its oldest by more than noise (least rise, by resource),
 *		and Mann-Kendall's test says so of the window (z >= LEAK_Z) and of
 *		its newer half (z >= LEAK_Z_HALF), and the newer half's slope
 *		(Theil-Sen) is no less than half the window's: what warmed up
 *		and slows down is no leak
 *	suspect	its window rises
 *	alarm	it rose at each mark of the confirmation that followed, never less than half
 *		as fast as when it was suspected
 *	clear	it fell below where the suspicion found it (released), rose no more for
 *		as long as a confirmation takes (stopped), or is gone (ended)
 *
 * What fills and empties (a sawtooth) shorter than a mark leaves no trace; up to about
 * a window and a confirmation it fails the test once in that time. A longer one can't
 * be told from a leak until it falls: after that its confirmation takes twice as long,
 * up to eight times.
 *
 * One alarm for each leak, where it is:
 *
 *	Of a process, one at a time, of what explains the rest: its threads before its
 *	files before its memory. While what would explain it is suspected, the rest
 *	waits.
 *	Of the machine, only what no process explains: processes that are suspected,
 *	or too young to be judged, and have grown by half as much as the machine, each
 *	by a tenth at least. Tasks explain memory; tasks and files explain slab.
 *
 * Memory: 3 resources of about 350 bytes for each process, up to LEAK_PROCESSES_MAX;
 * those beyond are counted, not watched. Time: a comparison for each figure and sample
 * (measured: 3 us for 300 processes), and for each mark some more, or 10 us where it is
 * much higher than a window ago.
 */
#ifndef OBSRINGD_LEAK_H
#define OBSRINGD_LEAK_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/obsring.h>

#include "trend.h"

#define LEAK_MARKS		TREND_MAX
#define LEAK_Z			4.5	/* of 8.0, when every pair rises */
#define LEAK_Z_HALF		3.0	/* of 5.4 */
#define LEAK_PATIENCE_MAX	3	/* doublings of the confirmation */
#define LEAK_PROCESSES_MAX	4096

/* What is watched: of the machine all, of a process those before LEAK_PROCESS_NR. */
enum leak_resource {
	LEAK_TASKS,		/* of a process: threads */
	LEAK_FILES,
	LEAK_MEMORY,
	LEAK_PROCESS_NR,
	LEAK_SLAB = LEAK_PROCESS_NR,
	LEAK_RESOURCE_NR,
};

enum leak_state {
	LEAK_QUIET,
	LEAK_SUSPECT,
	LEAK_ALARM,
};

enum leak_end {
	LEAK_RELEASED,
	LEAK_STOPPED,
	LEAK_ENDED,
};

struct leak_series {
	uint64_t mark[LEAK_MARKS];	/* the newest last */
	uint64_t low;			/* of the mark that is going on */
	uint64_t base;			/* what it held before the suspicion */
	struct trend trend;		/* a second; of the last test that passed */
	double first_slope;		/* when it was suspected */
	enum leak_state state;
	unsigned int left;	/* marks to be confirmed yet; of an alarm: to be cleared */
	unsigned int patience;
};

/* A process, or the machine (pid 0). */
struct leak_subject {
	uint32_t pid;
	uint64_t start_ns;
	char comm[16];
	unsigned int nr_marks;
	bool whole;		/* the mark that is going on: it was there from its start */
	bool alarmed;		/* a process: one of its series has the alarm that is told */
	enum leak_resource alarm;
	void *note[LEAK_RESOURCE_NR];	/* the callers' own: NULL again when it is cleared */
	struct leak_series series[];	/* LEAK_RESOURCE_NR or LEAK_PROCESS_NR */
};

struct leak_calls {
	void *context;
	void (*suspect)(void *context, struct leak_subject *subject,
			enum leak_resource resource);
	void (*alarm)(void *context, struct leak_subject *subject,
		      enum leak_resource resource);
	/* Of what was suspected or alarmed; @alarmed: which. */
	void (*clear)(void *context, struct leak_subject *subject,
		      enum leak_resource resource, bool alarmed, enum leak_end end);
};

struct leak {
	struct leak_calls calls;
	uint64_t mark_ns;
	unsigned int confirm;		/* marks */
	uint64_t mark_end_ns;		/* of the one that is going on; 0: none yet */
	uint64_t at[LEAK_MARKS];	/* when each mark ended */
	struct leak_subject *machine;
	struct leak_subject **process;	/* by pid */
	unsigned int nr_processes, at_process, max_processes;
	struct leak_subject **next;	/* of the sample that comes in */
	unsigned int nr_next;
	unsigned int untracked;		/* of the last sample; of the one that comes in */
	unsigned int untracked_next;
};

/* @window_ns and @confirm_ns are rounded to marks. -ENOMEM. */
int leak_init(struct leak *leak, uint64_t window_ns, uint64_t confirm_ns,
	      const struct leak_calls *calls);
void leak_exit(struct leak *leak);

/*
 * A sample: what the machine holds, then each process in the order of their numbers,
 * then the end of it, at @now_ns, which is CLOCK_MONOTONIC as processes' starts are.
 * Without processes (@processes false) none is watched any more.
 */
#define LEAK_UNKNOWN UINT64_MAX	/* a value: it stays as it was */

void leak_machine(struct leak *leak, const uint64_t value[LEAK_RESOURCE_NR]);
void leak_process(struct leak *leak, const struct obsring_process *process);
void leak_sampled(struct leak *leak, uint64_t now_ns, bool processes);

/* "tasks" of the machine, "threads" of a process... */
const char *leak_resource_name(const struct leak_subject *subject,
			       enum leak_resource resource);

/* Everything that is suspected or alarmed. */
void leak_each(const struct leak *leak,
	       void (*fn)(void *arg, struct leak_subject *subject,
			  enum leak_resource resource),
	       void *arg);

#endif /* OBSRINGD_LEAK_H */
