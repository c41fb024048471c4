// SPDX-License-Identifier: MIT
/*
 * Rings merged by the time of their records. All of them are looked at together,
 * then what is old enough is given without looking again at those that were empty:
 * a record that comes there later is either later than what is given, or was
 * committed more than the window after its time.
 */
#include <errno.h>
#include <stdlib.h>

#include "log.h"

/* How often a ring may lose in a row before the others get their turn. */
#define LOSSES_MAX	16

#define HEAD_WORDS	(sizeof(struct obsring_record) / sizeof(__u64))

_Static_assert(HEAD_WORDS == OBSRING_LINE_WORDS, "a head is a line's payload");

int obs_log_merge_init(struct obs_log *log)
{
	uint32_t i;

	for (log->leaves = 1; log->leaves < log->nr; log->leaves *= 2)
		;
	log->key = calloc(log->leaves, sizeof(*log->key));
	log->winner = calloc(2 * log->leaves, sizeof(*log->winner));
	if (!log->key || !log->winner)
		return -ENOMEM;
	for (i = 0; i < log->leaves; i++) {
		log->key[i] = OBS_LOG_NEVER;
		log->winner[log->leaves + i] = i;
	}
	for (i = log->leaves - 1; i; i--)
		log->winner[i] = log->winner[2 * i];
	return 0;
}

void obs_log_merge_exit(struct obs_log *log)
{
	free(log->key);
	free(log->winner);
}

/* A loss with nothing behind it comes at once, else before what is behind it. */
static uint64_t key(const struct obs_log_merged *merged)
{
	if (!merged->valid)
		return merged->ring.lost ? 0 : OBS_LOG_NEVER;
	return merged->head.time_ns < OBS_LOG_NEVER ? merged->head.time_ns :
						      OBS_LOG_NEVER - 1;
}

/* What a ring has to give has changed: it plays against the others anew. */
static void play(struct obs_log *log, const struct obs_log_merged *merged)
{
	uint32_t index = (uint32_t)(merged - log->merged);
	uint32_t node, a, b;

	log->key[index] = key(merged);
	for (node = (log->leaves + index) / 2; node; node /= 2) {
		a = log->winner[2 * node];
		b = log->winner[2 * node + 1];
		log->winner[node] = log->key[b] < log->key[a] ? b : a;
	}
}

/* See whether a record is there, unless that was seen already. */
static int look_at(struct obs_log *log, struct obs_log_merged *merged)
{
	unsigned int tries = 0;
	union {
		__u64 word[HEAD_WORDS];
		struct obsring_record head;
	} copy;
	int r;

	if (merged->valid)
		return 0;
	do {
		r = obs_logring_peek(&merged->ring, log->device, copy.word, HEAD_WORDS,
				     &merged->peeked);
	} while (r == OBS_RING_LOST && ++tries < LOSSES_MAX);
	merged->valid = r == OBS_RING_RECORD;
	merged->seen_ns = OBS_LOG_NEVER;
	if (merged->valid)
		merged->head = copy.head;
	play(log, merged);
	return r < 0 ? r : 0;
}

int obs_log_look(struct obs_log *log)
{
	uint32_t i;
	int r;

	/* Before the rings: what is not seen then was not committed at that time. */
	log->looked_ns = obs_log_now();
	log->realtime_ns = obs_log_realtime();
	log->lines = 0;
	for (i = 0; i < log->nr; i++) {
		struct obs_log_merged *merged = &log->merged[i];

		r = look_at(log, merged);
		if (r)
			return r;
		if (merged->seen_ns > log->looked_ns)
			merged->seen_ns = log->looked_ns;
		log->lines += merged->ring.view.nr_lines;
	}
	return 0;
}

struct obs_log_merged *obs_log_first(struct obs_log *log, uint64_t *ret_due_ns)
{
	/* The module goes: nobody waits for what might come. */
	uint64_t window_ns = obs_device_draining(log->device) ? 0 : log->window_ns;
	uint32_t winner = log->winner[1];
	struct obs_log_merged *first = &log->merged[winner];
	uint64_t ns;

	if (log->key[winner] == OBS_LOG_NEVER)
		return NULL;
	ns = first->head.time_ns < first->seen_ns ? first->head.time_ns : first->seen_ns;
	*ret_due_ns = first->valid ? ns + window_ns : 0;
	return first;
}

void obs_log_pass(struct obs_log_merged *merged)
{
	obs_ring_next(&merged->ring.cursor, &merged->peeked);
	merged->valid = false;
}

/* Copy the record that was seen at that place: is it still there, and wanted? */
static int take(struct obs_log *log, struct obs_log_merged *merged)
{
	struct obs_log_taken *taken = &log->taken;
	struct obs_logring *ring = &merged->ring;
	int r;

	if (!obs_log_head_passes(log, &merged->head, obs_logring_origin(ring))) {
		obs_log_pass(merged);
		log->filtered++;
		return OBS_LOG_NOTHING;
	}
	merged->valid = false;
	r = obs_logring_peek(ring, log->device, taken->buffer.word,
			     OBS_RING_RECORD_WORDS, &merged->peeked);
	if (r != OBS_RING_RECORD)
		return r < 0 ? r : OBS_LOG_NOTHING;
	obs_ring_next(&ring->cursor, &merged->peeked);
	if (!obs_log_take(log, ring, merged->peeked.words)) {
		ring->lost++;
		return OBS_LOG_NOTHING;
	}
	if (!obs_log_record_passes(log)) {
		log->filtered++;
		return OBS_LOG_NOTHING;
	}
	log->read++;
	return OBS_LOG_RECORD;
}

static int give_lost(struct obs_log *log, struct obs_log_merged *merged)
{
	uint64_t lost = merged->ring.lost;

	obs_log_take_lost(log, &merged->ring, lost);
	merged->ring.lost = 0;
	log->lost += lost;
	return OBS_LOG_LOST;
}

static int give(struct obs_log *log, struct obs_log_merged *merged)
{
	int r = merged->ring.lost ? give_lost(log, merged) : take(log, merged);

	log->given = merged;
	play(log, merged);
	return r;
}

/*
 * What was there when all rings were looked at ends, as nothing can be added to it
 * but by who lies about its time: so that much is passed over at a time.
 */
static int next(struct obs_log *log)
{
	struct obs_log_merged *first;
	uint64_t passed = 0, due_ns;
	bool looked = false;
	int r;

	for (;;) {
		first = obs_log_first(log, &due_ns);
		if (first && due_ns <= log->looked_ns && passed++ <= log->lines) {
			r = give(log, first);
			if (r)
				return r;
			r = look_at(log, first);
		} else if (!looked) {
			r = obs_log_look(log);
			looked = true;
			passed = 0;
		} else {
			return OBS_LOG_NOTHING;
		}
		if (r)
			return r;
	}
}

int obs_log_next(struct obs_log *log, const struct obs_log_entry **ret_entry)
{
	int r;

	log->taken.result = OBS_LOG_NOTHING;
	r = obs_device_check_size(log->device);
	/* The ring that gave the last one shows its next one. */
	if (!r && log->given)
		r = look_at(log, log->given);
	if (!r)
		r = next(log);
	/* Look at all rings before anything else is given. */
	if (r == OBS_LOG_NOTHING)
		log->looked_ns = 0;
	if (r <= 0)
		return r;
	log->taken.result = r;
	*ret_entry = &log->taken.entry;
	return r;
}

void obs_log_counts(struct obs_log *log, struct obs_log_counts *ret_counts)
{
	struct obs_log_counts counts = {
		.read = log->read, .filtered = log->filtered, .lost = log->lost,
	};
	uint64_t behind;
	uint32_t i;

	for (i = 0; i < log->nr; i++) {
		const struct obs_logring *ring = &log->merged[i].ring;

		counts.lost += ring->lost;
		if (obs_logring_behind(ring, &behind))
			counts.unread += behind;
	}
	*ret_counts = counts;
}
