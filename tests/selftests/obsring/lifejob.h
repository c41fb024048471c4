/* SPDX-License-Identifier: MIT */
/*
 * Who uses the module while it comes and goes: processes that go on for ever, take it
 * when it is there, leave when it asks, and wait for it to come back.
 */
#ifndef SELFTEST_LIFEJOB_H
#define SELFTEST_LIFEJOB_H

#include <stdint.h>
#include <sys/types.h>

/**
 * struct job - what a process of the crowd did, in memory that it shares
 * @done: what it is there for: snapshots, reads, updates, ...
 * @came: times that it found the module there
 * @left: times that it was told to leave, or found it going
 * @absent: times that it found no module
 * @error: what should not happen: -errno, where it ends
 * @pid: the process
 */
struct job {
	uint64_t done, came, left, absent;
	int error;
	pid_t pid;
};

/**
 * struct job_kind - what there are
 * @name: what it is
 * @unit: what it does, to print
 * @turn: once: 0, or -errno
 */
struct job_kind {
	const char *name, *unit;
	int (*turn)(struct job *job);
};

extern const struct job_kind job_kinds[];
extern const unsigned int nr_job_kinds;

/* All kinds as children of this process, which end with it: their jobs, or NULL. */
struct job *jobs_start(void);
void jobs_stop(struct job *jobs);

#define LIFE_PORT	10478	/* of the daemon */

/* The status of a scrape, whole; -ECONNRESET: it was cut off; or -errno. */
int life_scrape(void);

/* The job that ended by an error, or NULL. */
const struct job *jobs_failed(const struct job *jobs);

#endif /* SELFTEST_LIFEJOB_H */
