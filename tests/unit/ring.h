/* SPDX-License-Identifier: MIT */
/*
 * A log ring in one thread. Its records say what they consist of, its losses are summed
 * up, and each of its accesses is a step of the hook's.
 */
#ifndef TESTS_RING_H
#define TESTS_RING_H

#include "hook.h"

#include <obsring/ring.h>

#include "random64.h"

#define LINES	OBSRING_RING_LINES_MIN
#define WORDS	OBS_RING_RECORD_WORDS
#define HALF	(1ULL << 31)
#define NR(array) (sizeof(array) / sizeof((array)[0]))

struct ring {
	struct obsring_ring control;
	struct obs_ring_writer writer;
	struct obs_ring_view view;
	__u64 stored, refused, overwritten;
};

void ring_open(struct ring *r, __u32 nr_lines);
void ring_close(struct ring *r);

/* A record: {its words, number}, id, then what follows from it. */
void record_make(__u64 *word, __u32 nr, __u64 id);
void record_check(const __u64 *word, __u32 words, __u32 lines);

/* Write a record of so many words; of any size, the greatest seldom. */
bool ring_put(struct ring *r, __u32 nr);
__u32 random_words(void);

/* For the hook: two small ones to the ring that is its context, or a lap. */
void put_some(void *context);
void put_a_lap(void *context);

/* As if the writer had come to these counts, at rest, with records of a line. */
void ring_move(struct ring *r, __u64 line, __u64 record);
void ring_head_is(const struct ring *r, __u64 line, __u64 record);

/* Read a record and check it; or to the end, where nothing is lost: how many. */
enum obs_ring_result ring_get(const struct ring *r, struct obs_ring_cursor *c, __u64 *lost);
__u64 ring_drain(const struct ring *r, struct obs_ring_cursor *c);

/* At rest: what was stored was overwritten or is left. */
void ring_adds_up(const struct ring *r);

#endif /* TESTS_RING_H */
