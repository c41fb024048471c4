/* SPDX-License-Identifier: MIT */
/* Readers of what obsring_stress logs, which check and count it. */
#ifndef SELFTEST_TALLY_H
#define SELFTEST_TALLY_H

#include <stdbool.h>
#include <stddef.h>

/**
 * struct tally - what a reader saw, in shared memory
 * @read: records
 * @lost: as it was told
 * @torn: records that are not what was written
 * @changes: of rings that it followed, if it reads by mapping
 * @began: it has a place in the log
 * @pause_us: that it sleeps where it finds nothing more; a slow reader misses most
 * @error: what made it give up
 */
struct tally {
	unsigned long long read, lost, torn, changes;
	int began;
	unsigned int pause_us;
	int error;
};

/* Is this a message of obsring_stress, as it was written? */
bool tally_message_whole(const char *message, size_t len);

/* Read text to the end of what is there after @stop was set. */
void tally_read(struct tally *tally, const int *stop);

/* The same of the mapped rings. */
void tally_map(struct tally *tally, const int *stop);

/* Switch a CPU off ("0") or on ("1"). */
bool tally_cpu_switch(int cpu, const char *online);

/* One CPU after the other goes and comes back, but CPU 0, which can't. */
void tally_hotplug(unsigned long long *rounds, const int *stop);

#endif /* SELFTEST_TALLY_H */
