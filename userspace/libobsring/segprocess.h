/* SPDX-License-Identifier: MIT */
/* Who a process is, as others can check it. */
#ifndef LIBOBSRING_SEGPROCESS_H
#define LIBOBSRING_SEGPROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of the calling process: its PID namespace and its start; 0: not known. */
void obs_process_self(uint64_t *ret_pid_ns, uint64_t *ret_start);

/* Is there a living process of that number and start? Of this PID namespace. */
bool obs_process_lives(uint32_t pid, uint64_t start);

/*
 * Does it map a file of that inode? Which is gone with exec, when all else stays. Not
 * to be seen: it does.
 */
bool obs_process_maps(uint32_t pid, uint64_t inode);

/* What these read: the text of a stat, with its NUL; false: it is none. */
bool obs_process_stat_parse(const char *text, char *ret_state, uint64_t *ret_start);

/* And of maps a piece after the other, wherever they end. Begun with zeros. */
struct obs_process_maps {
	unsigned int word;	/* of the line */
	uint64_t inode;
	bool found;
};

void obs_process_maps_take(struct obs_process_maps *maps, const char *text, size_t nr,
			   uint64_t inode);

#endif /* LIBOBSRING_SEGPROCESS_H */
