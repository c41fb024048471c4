/* SPDX-License-Identifier: MIT */
/*
 * What the machine holds, and what memory it lacks, from /proc. What a kernel does not
 * tell, or a confined daemon can't read, is not available.
 */
#ifndef OBSRINGD_MACHINE_H
#define OBSRINGD_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "leak.h"

enum machine_file {
	MACHINE_LOADAVG,
	MACHINE_FILES,
	MACHINE_MEMINFO,
	MACHINE_PRESSURE,
	MACHINE_VMSTAT,

	MACHINE_FILE_NR
};

struct machine {
	int fd[MACHINE_FILE_NR];	/* -1: not there */
};

/*
 * Totals since boot. Pressure is the time in which some task waited for memory, and in
 * which all that were not idle did: CONFIG_PSI. Stalls are allocations that had to
 * reclaim, or to compact, themselves.
 */
struct machine_pressure {
	bool has_waits, has_stalls;
	uint64_t waiting_us, stalled_us;
	uint64_t reclaims, compactions, compaction_failures, oom_kills;
};

/* Open what is there, below @proc ("/proc"). */
void machine_open(struct machine *machine, const char *proc);
void machine_close(struct machine *machine);

/*
 * Tasks, open files, memory that is of no file (resident or swapped out) and slab that
 * can't be reclaimed. What is not available is false and LEAK_UNKNOWN.
 */
void machine_read(const struct machine *machine, uint64_t ret_value[LEAK_RESOURCE_NR],
		  bool ret_available[LEAK_RESOURCE_NR]);

void machine_read_pressure(const struct machine *machine,
			   struct machine_pressure *ret_pressure);

#endif /* OBSRINGD_MACHINE_H */
