/* SPDX-License-Identifier: MIT */
/*
 * What this process uses, as the Prometheus client libraries report it.
 */
#ifndef OBSRINGD_PROCESS_H
#define OBSRINGD_PROCESS_H

#include <stdint.h>

/* All in base units; times in ns. What can't be read is 0. */
struct process_usage {
	uint64_t cpu_ns;
	uint64_t open_fds;
	uint64_t max_fds;
	uint64_t virtual_bytes;
	uint64_t virtual_max_bytes;	/* all ones: unlimited */
	uint64_t resident_bytes;
	uint64_t start_ns;		/* CLOCK_REALTIME */
	uint64_t threads;
};

void process_usage_read(struct process_usage *ret_usage);

/* What it takes of the text of /proc/self/stat; of what is none: nothing. */
void process_stat_parse(const char *text, struct process_usage *usage);

#endif /* OBSRINGD_PROCESS_H */
