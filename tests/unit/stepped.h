/* SPDX-License-Identifier: MIT */
/*
 * A writer of a hosted segment, stopped at every instruction that stores to it. A child
 * does an operation on a mapping that it may not write: each store faults, is allowed,
 * done by a single step, and the mapping is closed again.
 */
#ifndef TESTS_STEPPED_H
#define TESTS_STEPPED_H

#include <stdbool.h>
#include <stdint.h>

#include <libobsring/segment.h>

/* Else it says what is not so, and aborts. */
void require(bool holds, const char *what);

/* A private mapping, with a descriptor whose locks are its own. */
struct obs_segment *segment_of(int fd);

/* A file of that content. */
int image_fd(const uint8_t *image, uint64_t bytes);

/*
 * All that a kill at one instruction or another of @run on the segment of @fd can leave:
 * how many images. @check looks at each.
 */
unsigned int steps_check(int fd, void (*run)(struct obs_segment *segment),
			 void (*check)(const void *arg), const void *arg);

#endif /* TESTS_STEPPED_H */
